"""Reading files that somebody gave: only if they are plain and of a sensible size.

Every file that a user names is read here. A folder, a FIFO or a device in its place, a file that is
too large, or text in another encoding gives one error that names the file.
"""

from __future__ import annotations

import gzip
import io
import json
import os
import stat
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, NoReturn

from spinflow.host.core.errors import InputError


@contextmanager
def opened(path: Path, error: type[Exception] = InputError) -> Iterator[IO[bytes]]:
    """Open a plain file for reading; errors while it is read are of this class as well.

    Args:
        path: of the file.
        error: the class of what is raised.

    Raises:
        error: it does not exist, is not a plain file, or cannot be read.
    """
    try:
        # Opened without waiting: a FIFO would wait for a writer that may never come.
        handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except OSError as reason:
        raise error(f"{path}: {reason.strerror}") from None
    except ValueError:
        raise error(f"{path}: not the path of a file: it holds a null character") from None
    mode = os.fstat(handle).st_mode
    if not stat.S_ISREG(mode):
        os.close(handle)
        raise error(f"{path}: a {_kind(mode)}, a plain file is expected")
    with os.fdopen(handle, "rb") as file:
        try:
            yield file
        except OSError as reason:
            # Some of these classes are OSErrors themselves, or tell of the file's content.
            if isinstance(reason, error) or reason.errno is None:
                raise
            raise error(f"{path}: {reason.strerror}") from None


def _kind(mode: int) -> str:
    if stat.S_ISDIR(mode):
        return "folder"
    return "FIFO" if stat.S_ISFIFO(mode) else "device or socket"


def read_bytes(path: Path, most: int, error: type[Exception] = InputError) -> bytes:
    """Read a plain file whole.

    Args:
        path: of the file.
        most: bytes that it may have; larger ones are not read.
        error: the class of what is raised.

    Raises:
        error: as :func:`opened`, or it is larger.
    """
    with opened(path, error) as file:
        # Its size goes before its content, which may not fit into memory.
        is_large = os.fstat(file.fileno()).st_size > most
        content = b"" if is_large else file.read(most + 1)
    if is_large or len(content) > most:
        raise error(f"{path}: more than {_size(most)}, the most that a file of its kind has")
    return content


class Bounded(io.RawIOBase):
    """A stream that gives so many bytes of another at most, and raises if that has more.

    Args:
        stream: where the bytes come from.
        most: bytes.
        error: what is raised then.
    """

    def __init__(self, stream: Any, most: int, error: Exception) -> None:
        self._stream, self._left, self._error = stream, most, error

    def readable(self) -> bool:
        """Say that it can be read."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Fill a buffer as far as one reading does; return how many bytes came."""
        content = self._stream.read(min(len(buffer), self._left + 1))
        if len(content) > self._left:
            raise self._error
        self._left -= len(content)
        buffer[: len(content)] = content
        return len(content)


@contextmanager
def gunzipped(path: Path, most: int, error: type[Exception] = InputError) -> Iterator[IO[bytes]]:
    """Open a gzip file for reading what is in it; arguments as :func:`read_bytes`.

    Raises:
        error: as :func:`opened`, it is damaged, or more than ``most`` bytes come out of it.
    """
    bomb = error(
        f"{path}: unpacks to more than {_size(most)}, the most that a file of its kind has"
    )
    with opened(path, error) as file:
        try:
            with gzip.GzipFile(fileobj=file) as packed:
                yield io.BufferedReader(Bounded(packed, most, bomb))
        except (EOFError, zlib.error, gzip.BadGzipFile) as reason:
            raise error(f"{path}: damaged or incomplete gzip file ({reason})") from None


def _size(count: int) -> str:
    return f"{count >> 20} MiB" if count >= 1 << 20 else f"{count} bytes"


def read_text(path: Path, most: int, error: type[Exception] = InputError) -> str:
    """Read a text file in UTF-8; arguments and errors as :func:`read_bytes`."""
    try:
        return read_bytes(path, most, error).decode("utf-8")
    except UnicodeDecodeError as reason:
        raise error(f"{path}: not a text in UTF-8 (byte {reason.start})") from None


def read_json(path: Path, most: int, error: type[Exception] = InputError) -> dict[str, Any]:
    """Read a JSON object, whose numbers are all finite; arguments as :func:`read_bytes`.

    Raises:
        error: as :func:`read_bytes`, or it is not a JSON object.
    """
    text = read_text(path, most, error)
    try:
        found = json.loads(text, parse_constant=_no_number)
    except (ValueError, RecursionError) as reason:
        raise error(f"{path}: damaged, not JSON ({reason})") from None
    if not isinstance(found, dict):
        raise error(f"{path}: damaged: a {type(found).__name__}, a JSON object is expected")
    return found


def _no_number(text: str) -> NoReturn:
    raise ValueError(f"{text} is not a number")
