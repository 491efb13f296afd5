"""A sweep on a board: run there, fetched whole, and what a board sends is not trusted."""

from __future__ import annotations

import io
import os
import shutil
import subprocess
import tarfile
from pathlib import Path

import pytest

from spinflow.hls.paths import REPO
from spinflow.host.core.published import folder_of
from spinflow.hw.boards import BoardError, board_sweep
from tests.board.conftest import change
from tests.board.played import HOST_PYTHON, LOGIN, PlayedBoard

NO_MATPLOTLIB = "import sys; sys.modules['matplotlib'] = None\n"


@pytest.fixture
def swept(made: Path, board: PlayedBoard, tmp_path: Path) -> PlayedBoard:
    """A board that can run the bundle: in place of the bitstream it has the simulator."""
    board.images = folder_of("mnist")
    done = board.deploy(made)
    assert done.returncode == 0, done.stderr
    there = board.home / "spinflow" / "build" / made.name
    (there / "accel.bit").unlink()
    for name in ("accel.json", "accel.hwh", "libaccel.so"):
        shutil.copyfile(REPO / "build" / made.name / name, there / name)
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / "sitecustomize.py").write_text(NO_MATPLOTLIB)
    for room in ("sim", "hw", "model"):  # what plays the accelerator
        (board.home / "spinflow" / room).symlink_to(REPO / room)
    board.environment["SITE_THERE"] = str(tmp_path / "site")
    board.connections.unlink()
    return board


@pytest.mark.slow
def test_the_command_that_deploying_prints(made: Path, swept: PlayedBoard) -> None:
    """There, spinflow.py makes the package of what lies beside it."""
    there = swept.home / "spinflow"
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    done = subprocess.run(
        [HOST_PYTHON, "-m", "spinflow", "selftest", "--bundle", f"build/{made.name}"],
        cwd=there,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1].startswith("selftest passed: ")


@pytest.mark.slow
def test_a_sweep_on_the_board(made: Path, swept: PlayedBoard, tmp_path: Path) -> None:
    out = tmp_path / "out"
    options = ("--out", str(out), "--images", "10", "--repeats", "1")
    done = swept.run("board-sweep", LOGIN, made, *options)
    assert done.returncode == 0, done.stderr
    assert swept.connections.read_text() == "connection\n"
    assert "no report.html: this Python has no matplotlib" in done.stdout
    assert {path.name for path in out.iterdir()} == {"results.csv", "summary.json", "report.html"}
    there = swept.home / "spinflow" / "results" / made.name
    assert {path.name for path in there.iterdir()} >= {"results.csv", "summary.json"}
    whole = (out / "results.csv").read_text()
    assert "<svg" in (out / "report.html").read_text() and len(whole.splitlines()) > 5

    # Cut off after some rows, it goes on from them.
    lines = whole.splitlines(keepends=True)
    (there / "results.csv").write_text("".join(lines[:4]))
    done = swept.run("board-sweep", LOGIN, made, *options)
    assert done.returncode == 0, done.stderr
    assert (out / "results.csv").read_text().splitlines(keepends=True)[:4] == lines[:4]
    assert len((out / "results.csv").read_text().splitlines()) == len(lines)


def test_a_sweep_that_fails_on_the_board(made: Path, swept: PlayedBoard, tmp_path: Path) -> None:
    out = tmp_path / "out"
    done = swept.run("board-sweep", LOGIN, made, "--out", str(out), "--images", "0")
    assert done.returncode == 1 and not out.exists()
    assert "Traceback" not in done.stderr
    assert "the same command goes on" in done.stderr.splitlines()[-1]


def test_a_board_without_the_bundle_or_with_another_build(
    made: Path, board: PlayedBoard, tmp_path: Path
) -> None:
    out = ("--out", str(tmp_path / "out"))
    done = board.run("board-sweep", LOGIN, made, *out)
    assert done.returncode == 1 and done.stderr.count("\n") == 1
    assert f"has no {made.name}: run make deploy" in done.stderr
    assert board.deploy(made).returncode == 0
    change(board.home / "spinflow" / "build" / made.name, build_id=1)
    done = board.run("board-sweep", LOGIN, made, *out)
    assert done.returncode == 1 and done.stderr.count("\n") == 1
    assert "has build 00000001 of" in done.stderr and not (tmp_path / "out").exists()


def packed(**files: str) -> bytes:
    """A tar of files."""
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as tar:
        for name, text in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(text)
            tar.addfile(entry, io.BytesIO(text.encode()))
    return stream.getvalue()


@pytest.mark.parametrize(
    ("sent", "complaint"),
    [
        (packed(**{"../results.csv": ""}), r"sends '\.\./results\.csv'"),
        (packed(**{"results.csv": "", ".bashrc": ""}), r"sends '\.bashrc'"),
        (packed(**{"summary.json": ""}), r"sends no results\.csv"),
        (packed(**{"results.csv": "x" * 2000})[:1200], "damaged"),
        (b"hello" * 300, "damaged"),
        (b"", "damaged"),
    ],
)
def test_what_a_board_sends_is_not_trusted(sent: bytes, complaint: str, tmp_path: Path) -> None:
    with pytest.raises(BoardError, match=complaint):
        board_sweep.place(sent, tmp_path / "out")
    assert not list(tmp_path.iterdir())
