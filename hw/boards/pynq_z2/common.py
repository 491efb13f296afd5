"""What the board's scripts share: errors, and what they read of a bundle and of board.toml.

The scripts of this folder need Python 3.11 and nothing else, so that they run beside Vivado.
"""

from __future__ import annotations

import sys
from pathlib import Path

# They are programs of their own, not a package: the repository's packages are found from here.
sys.path.insert(0, str(Path(__file__).resolve().parents[3]))

from spinflow.host.core import start

if Path(sys.argv[0]).resolve().parent == Path(__file__).resolve().parent:
    start.begin()  # one of these scripts is the program

from collections.abc import Callable
from typing import Any

import tomllib

from spinflow.host.core import description, handover
from spinflow.host.core.errors import HostError
from spinflow.host.core.plain import digest_of

FOLDER = Path(__file__).resolve().parent
REPO = FOLDER.parents[2]


BoardError = HostError
"""Something that the user can act on; the message is one line. Bundles' errors are of the kind."""


def read_board(path: Path = FOLDER / "board.toml") -> dict[str, Any]:
    """Return the tables of board.toml."""
    return tomllib.loads(path.read_text(encoding="utf-8"))


def read_description(bundle: Path) -> dict[str, Any]:
    """Return a bundle's accel.json.

    Raises:
        BundleError: there is none, or something in it is not as it must be.
    """
    return description.read(bundle).document


def check_files(bundle: Path) -> None:
    """Check each file that accel.json lists against its SHA-256.

    Raises:
        BundleError: one is missing or differs.
    """
    description.read(bundle).check_files()


def read_handover(bundle: Path) -> handover.Handover:
    """Return what a bundle's handover file says, checked against its accel.json.

    Raises:
        BundleError: it is damaged, or they differ.
    """
    described = description.read(bundle)
    path = bundle / "accel.hwh"
    found = handover.read(path, described.content(path.name))
    handover.check(found, described, path)
    return found


def sha256(path: Path) -> str:
    """Return the SHA-256 of a file in hexadecimal."""
    return digest_of(path, description.BINARY_LIMIT)


def run(job: Callable[[], int | None]) -> int:
    """Run a script's job; print its error as one line. Return the exit status."""
    return start.finish(job, (BoardError,))
