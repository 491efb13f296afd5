"""Copying to a board: to a folder that plays one, by programs that play ssh and sudo."""

from __future__ import annotations

import hashlib
import json
import os
import shlex
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from spinflow.host.core import test_sets
from spinflow.host.core.published import folder_of
from spinflow.hw.boards import BoardError, connection, deploy
from tests.board.conftest import change
from tests.board.played import HOST_PYTHON, LOGIN, PlayedBoard, tree


def test_deploy(made: Path, board: PlayedBoard) -> None:
    done = board.deploy(made)
    assert done.returncode == 0, done.stderr
    there = board.home / "spinflow"
    files = {path.name for path in (there / "build" / made.name).iterdir()}
    assert files == {"accel.bit", "accel.hwh", "accel.json", "arrays.npz", "golden.npz", "data"}
    assert sorted(path.name for path in (there / "build" / made.name / "data").iterdir()) == [
        "t10k-images-idx3-ubyte",
        "t10k-labels-idx1-ubyte",
    ]
    assert {path.name for path in there.iterdir()} == {"spinflow.py", "host", "build", "notebooks"}
    notebooks = sorted(path.name for path in (there / "notebooks").iterdir())
    assert [name[:2] for name in notebooks] == ["4-", "5-", "6-", "7-"]
    assert not any("solutions" in name for name in notebooks)
    assert not list(there.rglob("__pycache__"))
    assert "board: Python 3.11, pynq 3.1" in done.stdout
    *_, command, last = done.stdout.splitlines()
    words = shlex.split(command)
    assert words[:3] == ["ssh", "-t", LOGIN]
    assert words[3].startswith(f"cd {there} && sudo bash -lc")
    assert f"python3 -m spinflow selftest --bundle build/{made.name}" in words[3]
    assert "end of the line for this board upstream" in last
    assert board.connections.read_text() == "connection\n"
    folders = [line.split()[2] for line in board.record.read_text().splitlines()]
    assert len(set(folders)) == 1 and not Path(folders[0]).parent.exists()


def test_what_is_there_runs_by_itself(made: Path, board: PlayedBoard) -> None:
    assert board.deploy(made).returncode == 0
    script = (
        "import sys; from pathlib import Path; import spinflow.host.__main__; "
        "from spinflow.host.core.bundle import load; "
        "print(load(Path(sys.argv[1])).overlay.name, spinflow.host.__main__.__file__)"
    )
    there = board.home / "spinflow"
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}
    done = subprocess.run(
        [HOST_PYTHON, "-W", "ignore", "-c", script, f"build/{made.name}"],
        cwd=there,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout == f"accel.bit {there / 'host' / '__main__.py'}\n", done.stderr


def test_a_second_deploy_removes_what_is_gone_and_keeps_the_images(
    made: Path, board: PlayedBoard
) -> None:
    assert board.deploy(made).returncode == 0
    there = board.home / "spinflow"
    old = [there / "host" / "old.py", there / "build" / made.name / "old.npz"]
    for path in old:
        path.write_text("")
    (there / "results.csv").write_text("kept")
    own = there / "build" / made.name / "data" / "own-images"
    own.write_text("kept")
    assert board.deploy(made).returncode == 0
    assert not any(path.exists() for path in old)
    assert (there / "results.csv").exists()
    assert own.exists()


def test_a_second_deploy_loses_no_notebook_that_somebody_worked_on(
    made: Path, board: PlayedBoard
) -> None:
    assert board.deploy(made).returncode == 0
    notebooks = board.home / "spinflow" / "notebooks"
    worked_on = sorted(notebooks.iterdir())[0]
    published = worked_on.read_text()
    worked_on.write_text("with answers")
    (notebooks / "mine.ipynb").write_text("mine")
    for _ in range(2):  # what was kept once is kept again
        assert board.deploy(made).returncode == 0
        assert worked_on.read_text() == published
        assert (notebooks / "mine.ipynb").read_text() == "mine"
        kept = {path.name: path.read_text() for path in (notebooks / "before").iterdir()}
        assert kept == {worked_on.name: "with answers"}


def test_a_connection_that_is_cut_leaves_what_was_there(made: Path, board: PlayedBoard) -> None:
    assert board.deploy(made).returncode == 0
    before = tree(board.home)
    (made / "board" / "accel.hwh").write_text((made / "board" / "accel.hwh").read_text() + " ")
    change(made / "board", files=sums(made / "board"))
    board.cut.touch()
    done = board.deploy(made)
    assert done.returncode == 1 and "did not take" in done.stderr.splitlines()[-1]
    assert "Traceback" not in done.stderr
    board.cut.unlink()
    assert tree(board.home) == before
    assert board.deploy(made).returncode == 0
    assert tree(board.home) != before


def sums(folder: Path) -> dict[str, str]:
    """The entry `files` of a folder's accel.json as it would be right."""
    names = json.loads((folder / "accel.json").read_text())["files"]
    return {name: hashlib.sha256((folder / name).read_bytes()).hexdigest() for name in names}


def test_jupyter_shows_it(made: Path, board: PlayedBoard) -> None:
    (board.home / "jupyter_notebooks").mkdir()
    done = board.deploy(made)
    assert done.returncode == 0, done.stderr
    there = board.home / "jupyter_notebooks" / "spinflow"
    assert (there / "build" / made.name / "accel.bit").exists()
    assert not (board.home / "spinflow").exists()
    assert f"cd {there} " in done.stdout


def test_dry_run_only_says(made: Path, board: PlayedBoard) -> None:
    done = board.deploy(made, "--dry-run")
    assert done.returncode == 0, done.stderr
    assert not list(board.home.iterdir()) and not board.record.read_text()
    said = [line for line in done.stdout.splitlines() if line.startswith("ssh")]
    assert board.deploy(made).returncode == 0
    did = board.record.read_text().splitlines()
    assert len(said) == len(did) + 1  # the last is for the user to run
    for told, done_ in zip(said, did, strict=False):
        assert shlex.split(told)[-2] == LOGIN or "-O" in done_ or "-M" in done_


def test_packed_images_do(made: Path, board: PlayedBoard) -> None:
    for path in list(board.images.iterdir()):
        path.rename(path.with_name(path.name + ".gz"))
    assert board.deploy(made).returncode == 0
    data = board.home / "spinflow" / "build" / made.name / "data"
    assert {path.suffix for path in data.iterdir()} == {".gz"}


def test_images_in_a_folder_of_the_sets_name(made: Path, board: PlayedBoard) -> None:
    images = board.images / "mnist"
    images.mkdir()
    for path in list(board.images.glob("t10k*")):
        path.rename(images / path.name)
    assert board.deploy(made).returncode == 0
    data = board.home / "spinflow" / "build" / made.name / "data"
    assert {path.name for path in data.iterdir()} == set(deploy.IMAGES["mnist"])


NO_BOARDS = (
    *(
        "",
        " ",
        "-ox=y@z",
        "-oProxyCommand=reboot",
        "a@-b",
        "a@-oProxyCommand=reboot",
        "-F/dev/null",
    ),
    *(
        "a b@c",
        "a@b c",
        "a@b;reboot",
        "a@$(x)",
        "`x`",
        "a|b",
        "a&b",
        "a>b",
        "@b",
        "a@",
        "a\nb",
        "'a'",
    ),
)


@pytest.mark.parametrize("name", NO_BOARDS)
def test_what_is_no_board_is_refused(name: str) -> None:
    with pytest.raises(BoardError, match="must be user@host or a Host of your ssh_config"):
        connection.destination(name)


@pytest.mark.parametrize("name", ["", "-oProxyCommand=reboot", "a@-oProxyCommand=reboot"])
def test_no_program_is_run_for_it(name: str, made: Path, board: PlayedBoard) -> None:
    done = board.deploy(made, login=name)
    assert done.returncode == 1 and done.stderr.startswith("spinflow: TARGET=")
    assert done.stderr.count("\n") == 1 and not board.record.read_text()


@pytest.mark.parametrize(
    ("name", "given"),
    [
        ("pynq", None),
        ("pynq-z2.lab_3", None),
        ("xilinx@192.168.2.99", None),
        ("root@pynq.local", None),
        ("u_1@[fe80::1%eth0]", "u_1@fe80::1%eth0"),
        ("fe80::1%eth0", None),
        ("[::1]", "::1"),
        ("ssh://xilinx@pynq:2222", None),
    ],
)
def test_boards(name: str, given: str | None, made: Path, board: PlayedBoard) -> None:
    board.environment["BOARD_THERE"] = given or name
    assert connection.destination(name) == (given or name)
    if name in ("pynq", "[::1]"):
        done = board.deploy(made, login=name)
        assert done.returncode == 0, done.stderr
        assert (board.home / "spinflow" / "host" / "board" / "driver.py").exists()


def test_a_mistyped_board(made: Path, board: PlayedBoard) -> None:
    done = board.deploy(made, login="pynk")
    assert done.returncode == 1
    of_ssh, line = done.stderr.splitlines()
    assert of_ssh.startswith("ssh: Could not resolve") and "is the board on, and the name" in line


def no_images(bundle: Path, board: PlayedBoard) -> None:
    for path in board.images.iterdir():
        path.unlink()


def test_a_test_set_of_ones_own_goes_with_the_bundle(made: Path, board: PlayedBoard) -> None:
    """No images are looked for, in no folder."""
    content = b"its content is looked at where it is read"
    (made / "board" / "test.npz").write_bytes(content)
    files = json.loads((made / "board" / "accel.json").read_text())["files"]
    files["test.npz"] = hashlib.sha256(content).hexdigest()
    change(made / "board", dataset="my-data", files=files)
    for path in board.images.iterdir():
        path.unlink()
    done = board.deploy(made)
    assert done.returncode == 0, done.stderr
    there = board.home / "spinflow" / "build" / made.name
    assert (there / "test.npz").read_bytes() == content and not (there / "data").exists()


def unknown_data(bundle: Path, board: PlayedBoard) -> None:
    change(bundle / "board", dataset="imagenet")


def no_bitstream(bundle: Path, board: PlayedBoard) -> None:
    (bundle / "board" / "accel.bit").unlink()


@pytest.mark.parametrize(
    ("spoil", "complaint"),
    [
        (no_images, "t10k-images-idx3-ubyte is missing: make data"),
        (unknown_data, "data set 'imagenet'"),
        (no_bitstream, "has no bitstream: make bitstream"),
    ],
)
@pytest.mark.parametrize("options", [(), ("--dry-run",)])
def test_refused_before_anything_is_copied(
    spoil: Callable[[Path, PlayedBoard], None],
    complaint: str,
    options: tuple[str, ...],
    made: Path,
    board: PlayedBoard,
) -> None:
    spoil(made, board)
    done = board.deploy(made, *options)
    assert done.returncode == 1 and done.stderr.count("\n") == 1
    assert complaint in done.stderr and not done.stdout
    assert not board.record.read_text()


def test_ssh_is_not_there(made: Path, board: PlayedBoard) -> None:
    (board.bins / "ssh").unlink()
    board.environment["PATH"] = str(board.bins)
    done = board.deploy(made)
    assert done.returncode == 1 and done.stderr.count("\n") == 1
    assert done.stderr.startswith("spinflow: ssh is not on PATH")


def test_the_images_are_those_that_the_driver_reads(monkeypatch: pytest.MonkeyPatch) -> None:
    assert set(deploy.IMAGES) == set(test_sets.DATASETS)
    for variable, cache in (("/tmp/cache", Path("/tmp/cache")), ("", Path.home() / ".cache")):
        monkeypatch.setenv("SPINFLOW_CACHE", variable)
        assert cache in folder_of("mnist").parents
