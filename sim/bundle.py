"""Reads the bundle `build/<network>/` and checks that it is whole (docs/contracts.md)."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path
from typing import Any

FORMAT = 2
DESCRIPTION = "accel.json"


class BundleError(ValueError):
    """The bundle is not one, is of another format, or has a missing or damaged file."""


def read_description(folder: str | os.PathLike[str]) -> dict[str, Any]:
    """The bundle's accel.json.

    Raises BundleError when there is none, when it is not JSON or when it has another format.
    """
    path = Path(folder) / DESCRIPTION
    try:
        description = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise BundleError(f"{folder} is not a bundle: it has no {DESCRIPTION}") from None
    except (UnicodeDecodeError, json.JSONDecodeError) as error:
        raise BundleError(f"{path} is damaged: {error}") from None
    found = description.get("format") if isinstance(description, dict) else None
    if found != FORMAT:
        raise BundleError(f"{path} has format {found}, this program reads format {FORMAT}")
    return description


def check_file(path: Path, expected: str) -> None:
    """Raises BundleError, naming the file and both sums, unless `path` has this SHA-256."""
    try:
        found = sha256(path)
    except FileNotFoundError:
        raise BundleError(f"{path} is missing from the bundle") from None
    if found != expected:
        raise BundleError(f"{path} is damaged: its SHA-256 is {found}, {expected} was expected")


def check_files(folder: Path, description: dict[str, Any]) -> None:
    """Checks every file that accel.json lists; raises BundleError at the first that differs."""
    for name, expected in description["files"].items():
        check_file(folder / name, expected)


def sha256(path: Path) -> str:
    """The SHA-256 of a file, in hexadecimal."""
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        for block in iter(lambda: file.read(1 << 20), b""):
            digest.update(block)
    return digest.hexdigest()
