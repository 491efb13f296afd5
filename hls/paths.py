"""Paths, hashes and errors that every part of the build shares."""

from __future__ import annotations

import hashlib
from pathlib import Path

from spinflow.host.core.errors import SpinflowError
from spinflow.host.core.sources import WORK

REPO = Path(__file__).resolve().parents[1]
RTL = REPO / "hw" / "rtl"
BUILD = WORK / "build"


class BuildError(SpinflowError):
    """A build cannot go on; the message is one line for the person who asked for it."""


def no_such_operator(op_type: str, where: str) -> BuildError:
    """Return the error of an operator that the hardware does not have.

    Args:
        op_type: the operator's name.
        where: it stands, as "after layer fc0"; may be empty.
    """
    place = f" {where}" if where else ""
    return BuildError(
        f"operator {op_type}{place} cannot be mapped to hardware: `spinflow import` takes more "
        "forms of networks, and says what would work"
    )


def sha256_file(path: Path) -> str:
    """Return the SHA-256 of a file as hex digits."""
    return hashlib.sha256(path.read_bytes()).hexdigest()
