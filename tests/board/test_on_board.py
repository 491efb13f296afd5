"""What readies a board: it runs alone, checks what is there, moves all into place or nothing."""

from __future__ import annotations

import ast
import itertools
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from spinflow.hls.paths import REPO
from spinflow.host.board import on_board
from tests.board.played import HOST_PYTHON, LOGIN, PlayedBoard, tree

ON_BOARD = REPO / "host" / "board" / "on_board.py"


def package(folder: Path, name: str, version: str) -> None:
    """Let Python find a version of a package in a folder."""
    info = folder / f"{name}-{version}.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")


@pytest.mark.parametrize("version", ["2.7.0", "3.0.0", "3.2.0", "4.0.1"])
def test_another_pynq_is_refused(
    version: str, made: Path, board: PlayedBoard, tmp_path: Path
) -> None:
    package(tmp_path / "site", "pynq", version)
    board.environment["SITE_THERE"] = str(tmp_path / "site")
    done = board.deploy(made)
    assert done.returncode == 1
    first, second = done.stderr.splitlines()
    assert first.startswith(f"spinflow: pynq {version} is not known to the driver: use")
    assert second.startswith(f"spinflow: {LOGIN} was left as it was")
    assert not list((board.home / "spinflow").iterdir())


@pytest.mark.parametrize("version", ["3.0.1", "3.1.0", "3.1.2"])
def test_pynqs_that_are_known(version: str, tmp_path: Path) -> None:
    package(tmp_path, "pynq", version)
    done = ready(PYTHONPATH=str(tmp_path))
    assert done.stdout == f"board: Python 3.11, pynq {version}, installed: nothing\n", done.stderr


def ready(*python: str | Path, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run on_board.py."""
    environment: dict[str, Any] = {**os.environ, **variables}
    python = python or (HOST_PYTHON,)
    return subprocess.run(
        [*python, ON_BOARD, "--board", "Pynq-Z2"],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )


def test_another_board_is_refused() -> None:
    assert ready(BOARD="Pynq-Z2").returncode == 0
    done = ready(BOARD="Ultra96")
    assert done.returncode == 1
    assert done.stderr == "spinflow: this is a Ultra96, the bundle is for a Pynq-Z2\n"


def test_no_pynq() -> None:
    done = ready(sys.executable, "-S")
    assert done.returncode == 1 and done.stderr.count("\n") == 1
    assert "has no pynq: run this in pynq's environment" in done.stderr


def test_missing_packages_are_installed_and_numpy_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    commands = []

    def run(command: list[str], check: bool) -> subprocess.CompletedProcess[str]:
        commands.append(command)
        return subprocess.CompletedProcess(command, len(commands) - 1)

    monkeypatch.setattr(on_board, "NEEDED", ("json", "not_there_a", "not_there_b"))
    monkeypatch.setattr(on_board, "version", lambda name: {"numpy": "1.21.5"}[name])
    monkeypatch.setattr(subprocess, "run", run)
    assert on_board.install() == ["not_there_a", "not_there_b"]
    assert commands[0][1:4] == ["-m", "pip", "install"]
    assert commands[0][-3:] == ["numpy==1.21.5", "not_there_a", "not_there_b"]
    with pytest.raises(on_board.BoardError, match="apt-get, and run make deploy again"):
        on_board.install()


def test_a_python_that_lacks_what_newer_ones_have_is_told() -> None:
    script = (
        "import runpy, sys; sys.modules['importlib.metadata'] = None; sys.version_info = 3, 6, 9; "
        "del sys.argv[0]; runpy.run_path(sys.argv[0], run_name='__main__')"
    )
    ast.parse(ON_BOARD.read_text(), feature_version=(3, 6))
    done = subprocess.run(
        [HOST_PYTHON, "-c", script, ON_BOARD, "--board", "Pynq-Z2"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert done.stderr == (
        "spinflow: Python 3.6 is too old, 3.10 or newer is needed: use a PYNQ image of version "
        "3.0.1 or 3.1\n"
    )


def test_moving_is_undone_if_a_part_cannot_be_moved(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def lay(folder: Path, text: str) -> None:
        for name in ("spinflow.py", "host/a.py", "build/net/accel.json", "build/net/data/images"):
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_text(text)

    monkeypatch.setattr(signal, "signal", lambda number, handler: None)
    really = os.rename
    for failing in range(1, 7):
        place = tmp_path / str(failing)
        lay(place, "old")
        (place / "build" / "net" / "data" / "own").write_text("own")
        lay(place / "new", "new")
        before = {name: text for name, text in tree(place).items() if not name.startswith("new")}
        left = itertools.count(failing, -1)

        def rename(source: str, target: str, left: Iterator[int] = left) -> None:
            if next(left) == 1:
                raise OSError(5, "Input/output error", target)
            really(source, target)

        with monkeypatch.context() as patch:
            patch.setattr(os, "rename", rename)
            with pytest.raises(OSError, match="Input/output error"):
                on_board.move_into_place(str(place / "new"))
        after = {name: text for name, text in tree(place).items() if not name.startswith("new")}
        assert after == before
        on_board.move_into_place(str(place / "new"))
        assert {path.read_text() for path in place.rglob("*") if path.is_file()} == {"new", "own"}
        assert not (place / "new").exists()
