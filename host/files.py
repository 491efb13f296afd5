"""Files that are written whole or not at all."""

from __future__ import annotations

import errno
import os
import tempfile
from pathlib import Path


def replace_text(path: Path, content: str) -> None:
    """Write a text file in one step; its folder is made if there is none.

    Raises:
        OSError: it cannot be written; a file that was there stays as it was.
    """
    check_replaceable(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as out:
            out.write(content)
        os.chmod(temporary, 0o644)
        os.replace(temporary, path)
    finally:
        Path(temporary).unlink(missing_ok=True)


def check_replaceable(path: Path) -> None:
    """Raise OSError if what is at a path is no file, as a folder or a device, which stays then."""
    if path.exists() and not path.is_file():
        raise OSError(errno.EEXIST, "is there, and no plain file that could be replaced", str(path))
