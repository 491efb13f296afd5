"""Where a sweep runs: what --on takes, what it is by default, and what does not go with it."""

from __future__ import annotations

import argparse
import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from spinflow.host.sweep import grid as grids
from spinflow.host.sweep.results import Row, read
from spinflow.sim import sweep
from spinflow.sim.engines import SOFTWARE
from tests.host.rows import UNTIMED

REPOSITORY = Path(__file__).parents[2]
BUNDLE = REPOSITORY / "build" / "tfc-mnist"
SMALL = ["--images", "5", "--repeats", "1", "--rates", "0.05", "--memory", "fc3"]


def swept(folder: Path, *options: str) -> list[Row]:
    assert sweep.main(["--bundle", str(BUNDLE), *SMALL, *options, "--out", str(folder)]) == 0
    return read(folder / "results.csv")


def default(*options: str) -> str:
    given = sweep._parser().parse_args(options)
    return sweep._default(grids.from_options(given), given)


@pytest.mark.parametrize("on", ["rtl", *SOFTWARE])
def test_a_sweep_runs_where_it_is_told_to(tmp_path: Path, on: str) -> None:
    assert {row.backend for row in swept(tmp_path, "--on", on)} == {on}


@pytest.mark.slow
def test_where_a_sweep_runs_makes_no_difference_to_its_rows(tmp_path: Path) -> None:
    found = [
        [replace(row, backend="", **UNTIMED) for row in swept(tmp_path / on, "--on", on)]
        for on in ("rtl", "evaluator", "emulator")
    ]
    assert found[0] == found[1] == found[2]


def test_by_default_it_runs_on_what_the_bundles_have(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bundle = ("--bundle", str(BUNDLE))
    assert default(*bundle) == "rtl"
    assert default(*bundle, "--workers", "2") == "evaluator"
    assert default(*bundle, "--whole") == "evaluator"
    assert default(*bundle, "--scheduler", "tcp://127.0.0.1:9") == "evaluator"
    assert default(*bundle, str(tmp_path)) == "evaluator"  # one of them has no simulator
    (tmp_path / "accel.bit").touch()
    assert default("--bundle", str(tmp_path)) == "board"
    monkeypatch.chdir(tmp_path)  # where there is no build/
    assert default("--network", "tfc-mnist") == "evaluator"


@pytest.mark.parametrize(
    ("options", "line"),
    [
        (["--on", "rtl", "--workers", "0"], "0 workers: at least 1 is needed"),
        (["--on", "rtl", "--scheduler", "tcp://x:1"], "--scheduler beside --on rtl: it is for eva"),
        (["--on", "board", "--workers", "2"], "--workers beside --on board: it is for rtl, evalua"),
        (["--on", "board", "--scheduler", "tcp://x:1"], "--scheduler beside --on board"),
        (["--on", "rtl", "--patience", "3"], "--patience beside --on rtl"),
        (["--on", "rtl", "--whole"], "--whole beside --on rtl: it is for evaluator"),
        (["--on", "evaluator", "--patience", "3"], "--patience goes with --scheduler"),
        (["--on", "board"], "has a simulator and no bitstream, so it runs with --on rtl"),
    ],
)
def test_what_does_not_go_with_it_gets_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], options: list[str], line: str
) -> None:
    arguments = ["--bundle", str(BUNDLE), *SMALL, *options, "--out", str(tmp_path / "out")]
    assert sweep.main(arguments) == 1
    text = capsys.readouterr().err
    assert text.startswith("spinflow: ") and line in text and text.count("\n") == 1
    assert len(text) < 300 + len(str(BUNDLE)) and not (tmp_path / "out").exists()


def test_a_bundle_without_a_simulator_cannot_run_on_the_rtl(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "bundle"
    shutil.copytree(BUNDLE, folder, ignore=shutil.ignore_patterns("obj_*", "rtl", "*.so", "*.onnx"))
    described = json.loads((folder / "accel.json").read_text())
    del described["simulator"]
    (folder / "accel.json").write_text(json.dumps(described))
    options = ["--bundle", str(folder), *SMALL, "--out", str(tmp_path / "out")]
    assert sweep.main([*options, "--on", "rtl"]) == 1
    text = capsys.readouterr().err
    assert "describes neither a bitstream nor a simulator" in text and text.count("\n") == 1
    assert sweep.main([*options, "--workers", "1"]) == 0


def test_help_has_an_example(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        sweep._parser().parse_args(["--help"])
    text = capsys.readouterr().out
    (example,) = [line for line in text.splitlines() if line.startswith("example: ")]
    words = text[text.index(example) :].split()[3:]
    assert isinstance(sweep._parser().parse_args(words), argparse.Namespace)
