"""A bundle as simulators take it: its accel.json as JSON has it, checked by its reader."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from spinflow.host.core import arrays, description
from spinflow.host.core.description import NAME as DESCRIPTION
from spinflow.host.core.errors import BundleError
from spinflow.host.core.plain import MIB, check_sum, digest_of

__all__ = ["DESCRIPTION", "BundleError", "check_file", "read_arrays", "read_description", "sha256"]

_MOST = 1024 * MIB


def read_description(folder: str | os.PathLike[str]) -> dict[str, Any]:
    """The bundle's accel.json, all of it checked.

    Raises BundleError, whose one line names what is wrong, unless all of it is right.
    """
    return description.read(folder).document


def read_arrays(folder: str | os.PathLike[str]) -> tuple[dict[str, Any], arrays.Arrays]:
    """The bundle's accel.json and the contents of arrays.npz, once every listed file was checked.

    Raises BundleError unless the bundle is whole and all of it is right.
    """
    found = description.read(folder)
    found.check_files()
    return found.document, arrays.read_arrays(found)


def check_file(path: Path, expected: str) -> None:
    """Raises BundleError, naming the file and both sums, unless `path` has this SHA-256."""
    check_sum(path, expected, _MOST)


def sha256(path: Path) -> str:
    """The SHA-256 of a file, in hexadecimal. Raises BundleError for what is no plain file."""
    return digest_of(path, _MOST)
