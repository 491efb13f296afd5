"""Copying to a board: to a folder that plays one, by programs that play ssh and sudo."""

from __future__ import annotations

import ast
import hashlib
import io
import itertools
import json
import os
import shlex
import shutil
import subprocess
import sys
import tarfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import board_sweep
import connection
import deploy
import pytest
from common import BoardError

from spinflow.hls.paths import REPO
from spinflow.host.board import on_board
from tests.board.conftest import BOARD, change, copy_bundle
from tests.board.test_bitstream import HOST_PYTHON, make, program

LOGIN = "xilinx@pynq"

# A board's shell: the user's home is $HOME_THERE; root's environment is that of the host tests. Of
# ssh's options it knows those that are used. A command without the connection's socket makes one.
SSH = """#!/bin/sh
echo "ssh $*" >> "$RECORD"
while :; do
  case "$1" in
    -S) socket=$2; shift 2 ;;
    -O) [ "$2" = exit ] && rm "$socket"; exit ;;
    -M) master=1; shift ;;
    -o) shift 2 ;;
    -N | -f | -t) shift ;;
    --) shift; break ;;
    *) echo "ssh: $1?" >&2; exit 9 ;;
  esac
done
[ "$1" = "$BOARD_THERE" ] || { echo "ssh: Could not resolve hostname $1" >&2; exit 255; }
if [ -n "$master" ]; then
  echo connection >> "$CONNECTIONS"; : > "$socket"; exit 0
fi
[ -e "$socket" ] || echo connection >> "$CONNECTIONS"
[ -e "$CUT" ] && { head -c 100000 | HOME="$HOME_THERE" sh -c "cd; $2"; exit 255; }
cd "$HOME_THERE" && HOME="$HOME_THERE" exec sh -c "$2"
"""
SUDO = """#!/bin/sh
[ "$1 $2" = "bash -lc" ] || exit 9
PATH="$HOST_BIN:$PATH" PYTHONPATH="$SITE_THERE" exec bash -c "$3"
"""


class PlayedBoard:
    """A folder that is a board's home, and the programs that reach it."""

    def __init__(self, folder: Path) -> None:
        self.home = folder / "home"
        self.home.mkdir()
        self.record = folder / "record.txt"
        self.record.touch()
        self.images = folder / "images"
        self.images.mkdir()
        for name in ("t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"):
            (self.images / name).write_text(name)
        self.bins = folder / "tools"
        for name, text in (("ssh", SSH), ("sudo", SUDO)):
            program(self.bins, name, text)
        self.connections = folder / "connections.txt"
        self.cut = folder / "cut"
        self.environment = {
            **os.environ,
            "PATH": f"{self.bins}:{os.environ['PATH']}",
            "RECORD": str(self.record),
            "CONNECTIONS": str(self.connections),
            "CUT": str(self.cut),
            "BOARD_THERE": LOGIN,
            "HOME_THERE": str(self.home),
            "HOST_BIN": str(HOST_PYTHON.parent),
            "SITE_THERE": "",
        }

    def deploy(
        self, bundle: Path, *options: str, login: str = LOGIN
    ) -> subprocess.CompletedProcess[str]:
        """Run deploy.py."""
        return self.run("deploy.py", login, bundle, "--data-dir", str(self.images), *options)

    def run(
        self, script: str, login: str, bundle: Path, *options: str
    ) -> subprocess.CompletedProcess[str]:
        """Run a script that reaches the board."""
        return subprocess.run(
            [sys.executable, str(BOARD / script), *options, "--", login, str(bundle)],
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
        )


@pytest.fixture
def board(tmp_path: Path) -> PlayedBoard:
    return PlayedBoard(tmp_path)


@pytest.fixture(scope="session")
def made_once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bundle with a bitstream."""
    bundle = copy_bundle("tfc-mnist", tmp_path_factory.mktemp("made"))
    assert make(bundle).returncode == 0
    return bundle


@pytest.fixture
def made(made_once: Path, tmp_path: Path) -> Path:
    """A copy of it, free to be spoilt."""
    return Path(shutil.copytree(made_once, tmp_path / made_once.name))


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
    assert {path.name for path in there.iterdir()} == {"host", "build"}
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


def tree(folder: Path) -> dict[str, bytes]:
    """Every file below a folder with its content."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and "__pycache__" not in path.parts
    }


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


def test_moving_is_undone_if_a_part_cannot_be_moved(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def lay(folder: Path, text: str) -> None:
        for name in ("host/a.py", "build/net/accel.json", "build/net/data/images"):
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_text(text)

    monkeypatch.setattr(on_board.signal, "signal", lambda number, handler: None)
    for failing in range(1, 5):
        place = tmp_path / str(failing)
        lay(place, "old")
        (place / "build" / "net" / "data" / "own").write_text("own")
        lay(place / "new", "new")
        before = {name: text for name, text in tree(place).items() if not name.startswith("new")}
        left = itertools.count(failing, -1)

        def rename(source: str, target: str, left: Iterator[int] = left) -> None:
            if next(left) == 1:
                raise OSError(5, "Input/output error", target)
            Path(source).rename(target)

        with monkeypatch.context() as patch:
            patch.setattr(on_board.os, "rename", rename)
            with pytest.raises(OSError, match="Input/output error"):
                on_board.move_into_place(str(place / "new"))
        after = {name: text for name, text in tree(place).items() if not name.startswith("new")}
        assert after == before
        on_board.move_into_place(str(place / "new"))
        assert {path.read_text() for path in place.rglob("*") if path.is_file()} == {"new", "own"}
        assert not (place / "new").exists()


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
    assert done.returncode == 1 and done.stderr.startswith("spinflow: BOARD=")
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
        assert (board.home / "spinflow" / "host" / "driver.py").exists()


def test_a_mistyped_board(made: Path, board: PlayedBoard) -> None:
    done = board.deploy(made, login="pynk")
    assert done.returncode == 1
    of_ssh, line = done.stderr.splitlines()
    assert of_ssh.startswith("ssh: Could not resolve") and "is the board on, and the name" in line


def no_images(bundle: Path, board: PlayedBoard) -> None:
    for path in board.images.iterdir():
        path.unlink()


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


def ready(python: Path = HOST_PYTHON, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run on_board.py."""
    environment: dict[str, Any] = {**os.environ, **variables}
    return subprocess.run(
        [python, REPO / "host" / "on_board.py", "--board", "Pynq-Z2"],
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
    done = ready(python=Path(sys.executable))
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
    monkeypatch.setattr(on_board.subprocess, "run", run)
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
    path = REPO / "host" / "on_board.py"
    ast.parse(path.read_text(), feature_version=(3, 6))
    done = subprocess.run(
        [HOST_PYTHON, "-c", script, path, "--board", "Pynq-Z2"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert done.stderr == (
        "spinflow: Python 3.6 is too old, 3.10 or newer is needed: use a PYNQ image of version "
        "3.0.1 or 3.1\n"
    )


NO_MATPLOTLIB = "import sys; sys.modules['matplotlib'] = None\n"


@pytest.fixture
def swept(made: Path, board: PlayedBoard, tmp_path: Path) -> PlayedBoard:
    """A board that can run the bundle: in place of the bitstream it has the simulator."""
    board.images = deploy.cache_folder() / "mnist"
    done = board.deploy(made)
    assert done.returncode == 0, done.stderr
    there = board.home / "spinflow" / "build" / made.name
    (there / "accel.bit").unlink()
    for name in ("accel.json", "accel.hwh", "libaccel.so"):
        shutil.copyfile(REPO / "build" / made.name / name, there / name)
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / "sitecustomize.py").write_text(NO_MATPLOTLIB)
    (tmp_path / "site" / "sim").symlink_to(REPO / "sim")
    board.environment["SITE_THERE"] = str(tmp_path / "site")
    board.connections.unlink()
    return board


def test_a_sweep_on_the_board(made: Path, swept: PlayedBoard, tmp_path: Path) -> None:
    out = tmp_path / "out"
    options = ("--out", str(out), "--images", "10", "--repeats", "1")
    done = swept.run("board_sweep.py", LOGIN, made, *options)
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
    done = swept.run("board_sweep.py", LOGIN, made, *options)
    assert done.returncode == 0, done.stderr
    assert (out / "results.csv").read_text().splitlines(keepends=True)[:4] == lines[:4]
    assert len((out / "results.csv").read_text().splitlines()) == len(lines)


def test_a_sweep_that_fails_on_the_board(made: Path, swept: PlayedBoard, tmp_path: Path) -> None:
    out = tmp_path / "out"
    done = swept.run("board_sweep.py", LOGIN, made, "--out", str(out), "--images", "0")
    assert done.returncode == 1 and not out.exists()
    assert "Traceback" not in done.stderr
    assert "the same command goes on" in done.stderr.splitlines()[-1]


def test_a_board_without_the_bundle_or_with_another_build(
    made: Path, board: PlayedBoard, tmp_path: Path
) -> None:
    out = ("--out", str(tmp_path / "out"))
    done = board.run("board_sweep.py", LOGIN, made, *out)
    assert done.returncode == 1 and done.stderr.count("\n") == 1
    assert f"has no {made.name}: run make deploy" in done.stderr
    assert board.deploy(made).returncode == 0
    change(board.home / "spinflow" / "build" / made.name, build_id=1)
    done = board.run("board_sweep.py", LOGIN, made, *out)
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
