"""Files of a bundle that are read as far as they are plain ones; files that are written whole."""

from __future__ import annotations

import hashlib
import os
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path

from host.errors import BundleError

MIB = 1 << 20


def replace_text(path: Path, content: str) -> None:
    """Write a text file in one step; its folder is made if there is none.

    Raises:
        OSError: it cannot be written; a file that was there stays as it was.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as out:
            out.write(content)
        os.chmod(temporary, 0o644)
        os.replace(temporary, path)
    finally:
        Path(temporary).unlink(missing_ok=True)


def read_plain(path: Path, most: int) -> bytes:
    """Read a plain file of at most so many bytes.

    A link, a device, a pipe or a folder is refused before anything is read of it, so nothing
    outside is reached and nothing waits.

    Raises:
        BundleError: it is missing, no plain file or too large, or reading fails.
    """
    return b"".join(_blocks(path, most))


def check_sum(path: Path, expected: str, most: int) -> None:
    """Raise BundleError unless a plain file of at most so many bytes has this SHA-256."""
    check_digest(path, digest_of(path, most), expected)


def digest_of(path: Path, most: int) -> str:
    """Return the SHA-256 of a plain file of at most so many bytes; raises as :func:`read_plain`."""
    digest = hashlib.sha256()
    for block in _blocks(path, most):
        digest.update(block)
    return digest.hexdigest()


def check_digest(path: Path, found: str, expected: str) -> None:
    """Raise BundleError if a file's SHA-256 is another than expected."""
    if found != expected:
        raise BundleError(
            f"{path} is damaged: its SHA-256 begins {found[:12]}, it must begin {expected[:12]}"
        )


def _blocks(path: Path, most: int) -> Iterator[bytes]:
    flags = os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC
    try:
        handle = os.open(path, flags)
    except FileNotFoundError:
        raise BundleError(f"{path} is missing") from None
    except OSError as error:
        if path.is_symlink():
            raise BundleError(f"{path} is a link: a bundle's files are plain files") from None
        raise BundleError(f"{path} cannot be read: {error.strerror}") from None
    try:
        status = os.fstat(handle)
        if not stat.S_ISREG(status.st_mode):
            raise BundleError(f"{path} is no plain file")
        read, size = 0, status.st_size
        while max(read, size) <= most:
            block = os.read(handle, MIB)
            if not block:
                return
            yield block
            read += len(block)
    except OSError as error:
        raise BundleError(f"{path} cannot be read: {error.strerror}") from None
    finally:
        os.close(handle)
    raise BundleError(f"{path} is too large: it may have {most / MIB:g} MiB at most")
