"""Copying to a board: to a folder that plays one, by programs that play ssh, rsync and sudo."""

from __future__ import annotations

import ast
import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import deploy
import pytest
from common import BoardError

from hls.common import REPO
from host import on_board
from tests.board.conftest import BOARD, BUNDLES, change, copy_bundle
from tests.board.test_bitstream import HOST_PYTHON, make, program

LOGIN = "xilinx@pynq"

# A board's shell: the user's home is $HOME_THERE; root's environment is that of the host tests.
SSH = """#!/bin/sh
echo "ssh $*" >> "$RECORD"
while [ "$1" != "xilinx@pynq" ]; do shift; done
cd "$HOME_THERE" && exec sh -c "$2"
"""
SUDO = """#!/bin/sh
[ "$1 $2" = "bash -lc" ] || exit 9
PATH="$HOST_BIN:$PATH" PYTHONPATH="$SITE_THERE" exec bash -c "$3"
"""

# Copies as rsync does with the options that are used; any other is an error.
RSYNC = """#!{python}
import os, shutil, sys
from pathlib import Path
with open(os.environ["RECORD"], "a") as record:
    print("rsync", *sys.argv[1:], file=record)
words, options, excluded, named = sys.argv[1:], set(), ["__nothing__"], []
while words:
    word = words.pop(0)
    if word == "--exclude":
        excluded.append(words.pop(0))
    elif word.startswith("-"):
        options.add(word)
    else:
        named.append(word)
known = {{"-rtz", "-tz", "--delete", "--relative", "--delay-updates"}}
assert options <= known, options - known
login, _, there = named.pop().partition(":")
assert login == "xilinx@pynq", login
target = Path(os.environ["HOME_THERE"]) / there
for name in named:
    source = Path(name)
    base, _, relative = name.partition("/./") if "--relative" in options else ("", "", "")
    place = target / relative if relative else target
    if source.is_file():
        place = place if relative or not there.endswith("/") else place / source.name
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, place)
        continue
    assert "-rtz" in options, name
    assert relative or name.endswith("/"), name
    place.mkdir(parents=True, exist_ok=True)
    keep = {{word.strip("/") for word in excluded}}
    for old in place.iterdir():
        if "--delete" in options and old.name not in keep:
            shutil.rmtree(old) if old.is_dir() else old.unlink()
    shutil.copytree(source, place, dirs_exist_ok=True, ignore=shutil.ignore_patterns(*keep))
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
        for name, text in (
            ("ssh", SSH),
            ("sudo", SUDO),
            ("rsync", RSYNC.format(python=sys.executable)),
        ):
            program(self.bins, name, text)
        self.environment = {
            **os.environ,
            "PATH": f"{self.bins}:{os.environ['PATH']}",
            "RECORD": str(self.record),
            "HOME_THERE": str(self.home),
            "HOST_BIN": str(HOST_PYTHON.parent),
            "SITE_THERE": "",
        }

    def deploy(
        self, bundle: Path, *options: str, login: str = LOGIN
    ) -> subprocess.CompletedProcess[str]:
        """Run deploy.py."""
        command = [sys.executable, str(BOARD / "deploy.py"), login, str(bundle)]
        return subprocess.run(
            [*command, "--data-dir", str(self.images), *options],
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
    bundle = copy_bundle(BUNDLES[0], tmp_path_factory.mktemp("made"))
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
    assert {path.name for path in there.iterdir()} == {"host", "build", "on_board.py"}
    assert not list(there.rglob("__pycache__"))
    assert "board: Python 3.11, pynq 3.1" in done.stdout
    last = shlex.split(done.stdout.splitlines()[-1])
    assert last[:3] == ["ssh", "-t", LOGIN]
    assert f"python3 -m host selftest --bundle build/{made.name}" in last[3]


def test_what_is_there_runs_by_itself(made: Path, board: PlayedBoard) -> None:
    assert board.deploy(made).returncode == 0
    script = (
        "import sys; from pathlib import Path; import host.__main__; from host.bundle import load; "
        "print(load(Path(sys.argv[1])).overlay.name, host.__main__.__file__)"
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


def test_dry_run_only_says(made: Path, board: PlayedBoard) -> None:
    done = board.deploy(made, "--dry-run")
    assert done.returncode == 0, done.stderr
    assert not list(board.home.iterdir()) and not board.record.read_text()
    lines = [shlex.split(line) for line in done.stdout.splitlines()]
    said = [line for line in lines if line[0] in ("ssh", "rsync")][:-1]
    assert board.deploy(made).returncode == 0
    assert [" ".join(line) for line in said] == board.record.read_text().splitlines()


def test_packed_images_do(made: Path, board: PlayedBoard) -> None:
    for path in list(board.images.iterdir()):
        path.rename(path.with_name(path.name + ".gz"))
    assert board.deploy(made).returncode == 0
    data = board.home / "spinflow" / "build" / made.name / "data"
    assert {path.suffix for path in data.iterdir()} == {".gz"}


NO_LOGINS = "", "pynq", "-ox=y@z", "a@-b", "a b@c", "a@b c", "a@b;reboot", "a@$(x)", "@b", "a@"


@pytest.mark.parametrize("login", NO_LOGINS)
def test_what_is_no_login_is_refused(login: str, tmp_path: Path) -> None:
    with pytest.raises(BoardError, match="must be user@host"):
        deploy.commands(login, tmp_path, None)


def test_no_board_is_named(made: Path, board: PlayedBoard) -> None:
    done = board.deploy(made, login="")
    assert done.returncode == 1 and done.stderr.startswith("spinflow: BOARD=: must be user@host")
    assert done.stderr.count("\n") == 1 and not board.record.read_text()


@pytest.mark.parametrize("login", ["xilinx@192.168.2.99", "root@pynq.local", "u_1@[fe80::1%eth0]"])
def test_logins(login: str, made: Path, board: PlayedBoard) -> None:
    assert board.deploy(made, "--dry-run", login=login).returncode == 0


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


def test_rsync_is_not_there(made: Path, board: PlayedBoard) -> None:
    (board.bins / "rsync").unlink()
    for name in ("sh", "mkdir"):
        (board.bins / name).symlink_to(f"/bin/{name}")
    board.environment["PATH"] = str(board.bins)
    done = board.deploy(made)
    assert done.returncode == 1
    assert done.stderr == "spinflow: rsync is not on PATH: install it to copy to a board\n"


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
    assert second == "spinflow: ssh failed with exit status 1; see above"
    # Neither driver nor bundle is copied to such a board.
    assert not (board.home / "spinflow" / "host").exists()


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
