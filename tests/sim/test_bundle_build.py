"""spinflow build: which steps it takes, and what becomes of their errors and of Ctrl-C."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from spinflow.host.core.errors import InputError
from spinflow.sim import bundle_build
from tests import processes

REPOSITORY = Path(__file__).parents[2]
BUILD = REPOSITORY / "build"


def test_the_steps_of_a_network_of_the_zoo() -> None:
    folder = str(BUILD / "tfc-mnist")
    assert bundle_build.steps("tfc-mnist", None, None) == [
        ["export", "tfc-mnist", "--out", f"{folder}/model.onnx"],
        ["bundle", "tfc-mnist", "--out", folder],
        ["simulator", folder],
    ]
    steps = bundle_build.steps("tfc-mnist", 64, Path("elsewhere"))
    assert steps[1:] == [
        ["bundle", "tfc-mnist", "--out", "elsewhere", "--cycles", "64"],
        ["simulator", "elsewhere"],
    ]


def test_a_description_of_ones_own_is_exported_whenever_it_is_built(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bundle_build, "BUILD", tmp_path)
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "model.onnx").touch()
    folder = str(tmp_path / "mine")
    assert bundle_build.steps("nets/mine.toml", None, None) == [
        ["export", "nets/mine.toml", "--out", f"{folder}/model.onnx"],
        ["bundle", "mine", "--out", folder],
        ["simulator", folder],
    ]
    assert bundle_build.steps("nets/mine.toml+wide", None, None)[1][1] == "mine+wide"


def test_a_network_that_was_exported_before_is_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bundle_build, "BUILD", tmp_path)
    assert [step[0] for step in bundle_build.steps("mine", None, None)] == [
        *("export", "bundle", "simulator")
    ]  # the export says that there is no such network
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "model.onnx").touch()
    assert [step[0] for step in bundle_build.steps("mine", None, None)] == ["bundle", "simulator"]


@pytest.mark.parametrize("name", ["../tfc-mnist", "build/tfc-mnist", "", "-x", "a b", "regs"])
def test_a_path_is_no_network(name: str) -> None:
    with pytest.raises(InputError, match="a name is expected, as tfc-mnist, or the path"):
        bundle_build.steps(name, None, None)


def test_the_error_of_a_step_is_passed_on_and_ends_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PYTHONPATH", str(REPOSITORY))
    later = tmp_path / "later"
    monkeypatch.setattr(
        bundle_build,
        "steps",
        lambda *_: [["info", "--bundle", "gone"], ["report", "gone.csv", "--out", str(later)]],
    )
    assert bundle_build.main(["tfc-mnist"]) == 1
    text = capfd.readouterr().err
    assert "gone is not a bundle" in text and text.count("\n") == 1


def test_every_step_runs_in_turn(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PYTHONPATH", str(REPOSITORY))
    monkeypatch.setattr(bundle_build, "steps", lambda *_: [["--version"], ["--help"]])
    assert bundle_build.main(["tfc-mnist"]) == 0
    text = capfd.readouterr().out
    assert text.startswith("spinflow ") and "usage: spinflow COMMAND" in text


WAITING = """
import signal, sys, time
from spinflow.sim import bundle_build
bundle_build.steps = lambda *_: [["wait"], ["--version"]]
wait = (
    "import sys, time; from spinflow.host.core import start\\n"
    "def wait():\\n"
    "    print('ready', flush=True)\\n"
    "    time.sleep(60)\\n"
    "sys.exit(start.finish(wait))"
)
before = bundle_build.subprocess.Popen
def popen(command, **options):
    if command[3:] == ["wait"]:
        command = [sys.executable, "-c", wait]
    return before(command, **options)
bundle_build.subprocess.Popen = popen
sys.exit(bundle_build.main(["tfc-mnist"]))
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_the_step_too_and_gets_one_line(number: signal.Signals) -> None:
    process = processes.start(
        [sys.executable, "-c", WAITING],
        env=os.environ | {"PYTHONPATH": str(REPOSITORY)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    time.sleep(0.1)
    process.send_signal(number)
    rest, said = process.communicate(timeout=120)
    assert process.returncode == 128 + number
    assert said.count("\n") == 1 and said.startswith("spinflow: ")
    assert rest == ""  # no further step has run
