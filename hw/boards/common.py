"""What the scripts for boards share: what they read of a bundle, and how they end."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from spinflow.host.core import description, handover, start
from spinflow.host.core.plain import digest_of
from spinflow.hw.boards.facts import Board, BoardError

SCRIPTS = Path(__file__).resolve().parent
"""The folder of these scripts and of the Tcl that is the same for every board."""

REPO = SCRIPTS.parents[1]


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


def read_handover(bundle: Path, board: Board) -> handover.Handover:
    """Return what a bundle's handover file says, checked against its accel.json.

    Args:
        bundle: the folder of the bundle.
        board: that it was built for; its IO PLL is what the clock is divided from.

    Raises:
        BundleError: it is damaged, or they differ.
    """
    described = description.read(bundle)
    path = bundle / "accel.hwh"
    found = handover.read(path, described.content(path.name))
    handover.check(found, described, path, board.clocks.io_pll)
    return found


def sha256(path: Path) -> str:
    """Return the SHA-256 of a file in hexadecimal."""
    return digest_of(path, description.BINARY_LIMIT)


def run(job: Callable[[], int | None]) -> int:
    """Run a script's job; print its error as one line. Return the exit status."""
    return start.finish(job, (BoardError,))
