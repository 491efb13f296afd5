"""What the board's scripts share: errors, and what they read of a bundle and of board.toml.

The scripts of this folder need Python 3.11 and nothing else, so that they run beside Vivado.
"""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from host import start

if Path(sys.argv[0]).resolve().parent == Path(__file__).resolve().parent:
    start.begin()  # one of these scripts is the program

import hashlib
import json
import re
from collections.abc import Callable
from typing import Any

import tomllib

FOLDER = Path(__file__).resolve().parent
REPO = FOLDER.parents[1]

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*\Z")

# Of accel.json, what these scripts and the board design rely on.
_KEYS = ("network", "build_id", "board", "part", "clock_mhz", "address_map", "dma", "files")


class BoardError(Exception):
    """Something that the user can act on; the message is one line."""


def read_board(path: Path = FOLDER / "board.toml") -> dict[str, Any]:
    """Return the tables of board.toml."""
    return tomllib.loads(path.read_text(encoding="utf-8"))


def read_description(bundle: Path) -> dict[str, Any]:
    """Return a bundle's accel.json.

    Raises:
        BoardError: there is none, it is damaged, or it lacks something that the board needs.
    """
    path = bundle / "accel.json"
    try:
        described = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise BoardError(
            f"{bundle} is not a bundle: it has no accel.json; make bundle builds one"
        ) from None
    except (OSError, ValueError) as error:
        raise BoardError(f"{path} is damaged: {error}") from None
    if not isinstance(described, dict):
        raise BoardError(f"{path} is damaged: it holds no JSON object")
    missing = [key for key in _KEYS if key not in described]
    if missing:
        raise BoardError(f"{path} has no {missing[0]}: build the bundle again")
    if not isinstance(described["network"], str) or not NAME.match(described["network"]):
        raise BoardError(f"{path}: network {described['network']!r} is not a name")
    return described


def check_files(bundle: Path, described: dict[str, Any]) -> None:
    """Check each file that accel.json lists against its SHA-256.

    Raises:
        BoardError: one is missing or differs.
    """
    for name, expected in described["files"].items():
        path = bundle / name
        if not path.is_file():
            raise BoardError(f"{path} is missing: build the bundle again")
        if sha256(path) != expected:
            raise BoardError(
                f"{path} is damaged: its SHA-256 is not that of accel.json; build the bundle again"
            )


def sha256(path: Path) -> str:
    """Return the SHA-256 of a file in hexadecimal."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def run(job: Callable[[], int | None]) -> int:
    """Run a script's job; print its error as one line. Return the exit status."""
    return start.finish(job, "spinflow", (BoardError,))
