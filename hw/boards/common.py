"""What the scripts for boards share: what they read of a bundle, and how they end."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from spinflow.host.core import description, handover, start
from spinflow.host.core.description import Description
from spinflow.host.core.plain import digest_of
from spinflow.hw.boards.facts import Board, BoardError

SCRIPTS = Path(__file__).resolve().parent
"""The folder of these scripts and of the Tcl that is the same for every board."""

REPO = SCRIPTS.parents[1]


def read_handover(described: Description, board: Board) -> handover.Handover:
    """Return what a bundle's handover file says, checked against its accel.json.

    Args:
        described: the bundle.
        board: that it was built for; its IO PLL is what the clock is divided from.

    Raises:
        BundleError: it is damaged, or they differ.
    """
    path = described.folder / "accel.hwh"
    found = handover.read(path, described.content(path.name))
    handover.check(found, described, path, board.clocks.io_pll)
    return found


def sha256(path: Path) -> str:
    """Return the SHA-256 of a file in hexadecimal."""
    return digest_of(path, description.BINARY_LIMIT)


def run(job: Callable[[], int | None]) -> int:
    """Run a script's job; print its error as one line. Return the exit status."""
    return start.finish(job, (BoardError,))
