"""Reads the files of a bundle: plain files of limited size, and nothing else in their place.

A link could lead anywhere, a pipe would wait for ever, a device could give endless bytes. (Files
that a user names may be links: host.core.reading reads those.) It needs Python 3.10 and nothing
else.
"""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Iterator
from pathlib import Path

from spinflow.host.core.errors import BundleError

MIB = 1 << 20


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
            raise BundleError(f"{path} is not a plain file")
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
    raise BundleError(f"{path} is too large: at most {most / MIB:g} MiB are allowed")
