"""Paths, hashes and errors that every part of the build shares."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

REPO = Path(__file__).resolve().parents[1]
RTL = REPO / "hw" / "rtl"
BUILD = REPO / "build"


class BuildError(Exception):
    """A build cannot go on; the message is one line for the person who asked for it."""


def sha256_file(path: Path) -> str:
    """Return the SHA-256 of a file as hex digits."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def write_atomically(path: Path, text: str) -> None:
    """Write a text file such that a reader sees the old one or the new one, never a part."""
    scratch = path.with_name(f".{path.name}.{os.getpid()}")
    scratch.write_text(text)
    scratch.replace(path)
