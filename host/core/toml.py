"""Files of TOML, which Python reads by itself from 3.11 on."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

from spinflow.host.core.errors import InputError
from spinflow.host.core.reading import read_text


def read_toml(path: Path, most_bytes: int) -> dict[str, Any]:
    """Read a file of TOML.

    Args:
        path: the file.
        most_bytes: of the largest that is read.

    Raises:
        InputError: it cannot be read or is not TOML, or this Python cannot read TOML.
    """
    toml, text = _toml(), read_text(path, most_bytes)
    try:
        settings: dict[str, Any] = toml.loads(text)
    except (ValueError, RecursionError) as error:
        raise InputError(f"{path}: not TOML: {error}") from None
    return settings


def _toml() -> Any:
    for name in ("tomllib", "tomli"):
        try:
            return importlib.import_module(name)
        except ImportError:
            continue
    raise InputError(
        "this Python (below 3.11) cannot read TOML: give the grid as options, or install tomli"
    )
