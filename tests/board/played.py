"""What is played: Vivado, and a board: a folder that is its home, and programs for ssh and sudo."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from spinflow.hls.paths import REPO
from tests.board import vivado

HOST_PYTHON = REPO / ".venv" / "bin" / "python"
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


def program(folder: Path, name: str, text: str) -> None:
    """Put an executable file into a folder."""
    folder.mkdir(exist_ok=True)
    path = folder / name
    path.write_text(text)
    path.chmod(0o755)


def make(bundle: Path, **settings: Any) -> subprocess.CompletedProcess[str]:
    """Run `spinflow bitstream` on a bundle with a played Vivado on PATH."""
    bins = bundle.parent / "bin"
    program(bins, "vivado", f'#!/bin/sh\nexec {sys.executable} {vivado.__file__} "$@"\n')
    settings = {"hwh": bundle / "accel.hwh", **settings}
    environment = vivado.environment(bundle.parent, **settings)
    environment["PATH"] = f"{bins}:{environment['PATH']}"
    return subprocess.run(
        [sys.executable, "-m", "spinflow", "bitstream", str(bundle)],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )


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
        """Run `spinflow deploy`."""
        return self.run("deploy", login, bundle, "--data-dir", str(self.images), *options)

    def run(
        self, command: str, login: str, bundle: Path, *options: str
    ) -> subprocess.CompletedProcess[str]:
        """Run a command that reaches the board."""
        return subprocess.run(
            [sys.executable, "-m", "spinflow", command, *options, "--", login, str(bundle)],
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
        )


def tree(folder: Path) -> dict[str, bytes]:
    """Every file below a folder with its content."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and "__pycache__" not in path.parts
    }
