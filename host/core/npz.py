"""Reads archives of arrays (npz) that may come from anywhere; it needs numpy alone.

A member's header is read and judged before its content is unpacked, and nothing is unpickled: a
file can neither run code nor fill the memory.
"""

from __future__ import annotations

import re
import struct
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import IO, Any

import numpy as np
import numpy.typing as npt

from spinflow.host.core.errors import BundleError

TEXT = "text"
"""A type of `Wanted`: numpy's strings of any length."""

_HEADER = 1024  # bytes of a member's header at most
_DIRECTORY = 1 << 16  # bytes of the archive's directory at most: of 64 layers
_END = b"PK\5\6"
_END64 = b"PK\6\7"
_END_BYTES = 22
_COMMENT = 1 << 16  # bytes that may follow the end of the directory
_CHARACTERS = 0x110000  # of Unicode
_KINDS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)

Arrays = dict[str, npt.NDArray[Any]]


@dataclass(frozen=True)
class Wanted:
    """What an array must be.

    Attributes:
        types: of numpy, or TEXT; one of them.
        shape: None for the number of images, which is the same in all arrays of a file.
    """

    types: tuple[str, ...]
    shape: tuple[int | None, ...]

    def __str__(self) -> str:
        sizes = ", ".join("n" if size is None else str(size) for size in self.shape)
        *others, last = self.types
        types = f"{', '.join(others)} or {last}" if others else last
        return f"{types} of shape ({sizes})"

    def takes(self, dtype: np.dtype[Any]) -> bool:
        """Return whether an array may have this type."""
        if dtype.kind == "U":
            return TEXT in self.types
        return dtype.str in {np.dtype(kind).str for kind in self.types if kind != TEXT}


@dataclass(frozen=True)
class Member:
    """An array of an archive, by its header.

    Attributes:
        name: without ``.npy``.
        shape: of the array.
        dtype: of its elements; never of objects.
        is_fortran: whether its first index runs fastest.
    """

    name: str
    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    is_fortran: bool

    @property
    def size(self) -> int:
        """Bytes of its elements."""
        count = 1
        for size in self.shape:
            count *= size
        return count * self.dtype.itemsize


class Archive:
    """An open archive whose members have been listed."""

    def __init__(self, file: IO[bytes]) -> None:
        """List the members; use :func:`opened`, which turns errors into lines."""
        self._zip = zipfile.ZipFile(file)
        self._entries = {entry.filename: entry for entry in self._zip.infolist()}
        if len(self._entries) < len(self._zip.infolist()):
            raise ValueError("an array appears twice")

    @property
    def names(self) -> list[str]:
        """Names of the members, as they are in the archive, with ``.npy``."""
        return list(self._entries)

    def member(self, name: str) -> Member:
        """Return what a member's header says of it; ValueError if that is not plausible."""
        entry = self._entries[f"{name}.npy"]
        if entry.compress_type not in _KINDS or entry.flag_bits & 1:
            raise ValueError(f"{name} is compressed in a way that numpy does not use")
        with self._zip.open(entry) as file:
            shape, is_fortran, dtype = _header(file.read(_HEADER))
        return Member(name, shape, dtype, is_fortran)

    def array(self, member: Member) -> npt.NDArray[Any]:
        """Unpack a member; ValueError if its content does not fit its header.

        Text that is no text makes numpy raise a SystemError where it is read; it is refused here.
        """
        with self._zip.open(self._entries[f"{member.name}.npy"]) as file:
            raw = file.read(member.size + _HEADER + 1)
        start = len(raw) - member.size
        if start != _header_bytes(raw):
            raise ValueError(f"{member.name} has {len(raw)} bytes, which does not fit its shape")
        if member.dtype.kind == "U":
            codes = np.frombuffer(raw, f"{member.dtype.str[0]}u4", offset=start)
            if codes.size and codes.max() >= _CHARACTERS:
                raise ValueError(f"{member.name} holds a number that is no character")
        values = np.frombuffer(raw, member.dtype, offset=start)
        return values.reshape(member.shape, order="F" if member.is_fortran else "C").copy()


@contextmanager
def opened(path: Path, file: IO[bytes], error: type[Exception]) -> Iterator[Archive]:
    """Open an archive of arrays; whatever is wrong with it is one line.

    Args:
        path: for messages.
        file: its content.
        error: the class of what is raised.
    """
    try:
        _check_directory(file)
        yield Archive(file)
    except error:
        raise
    except (zipfile.BadZipFile, zlib.error, EOFError, struct.error, NotImplementedError) as reason:
        raise error(f"{path} is damaged: {str(reason)[:100] or 'it ends early'}") from None
    except (ValueError, RuntimeError, OSError) as reason:
        raise error(f"{path} is damaged: {str(reason)[:200]}") from None


def read(
    path: Path,
    content: bytes,
    wanted: Mapping[str, Wanted],
    most_images: int,
    optional: Mapping[str, Wanted] | None = None,
    *,
    least_images: int = 1,
) -> Arrays:
    """Read an archive that holds these arrays and no others.

    Args:
        path: for messages.
        content: of the archive.
        wanted: what each array must be, by its name.
        most_images: that a file may hold.
        optional: what else may be there; None in a shape is any number there, up to most_images.
        least_images: that a file must hold.

    Raises:
        BundleError: it is damaged, or an array is missing, one too many, or wrong.
    """
    with opened(path, BytesIO(content), BundleError) as archive:
        known = {**wanted, **(optional or {})}
        for name in archive.names:
            if name.removesuffix(".npy") not in known or not name.endswith(".npy"):
                raise ValueError(f"it holds {name[:40]!r}, which does not belong there")
        arrays: Arrays = {}
        images: int | None = None
        for name, want in known.items():
            if f"{name}.npy" not in archive.names:
                if name in wanted:
                    raise ValueError(f"it lacks {name}")
                continue
            count = images if name in wanted else None
            limits = least_images, most_images
            arrays[name] = archive.array(_fitting(archive.member(name), want, count, limits))
            if name in wanted and want.shape and want.shape[0] is None:
                images = len(arrays[name])
        return arrays


def _fitting(member: Member, wanted: Wanted, images: int | None, limits: tuple[int, int]) -> Member:
    """Return a member if its header is as wanted."""
    least, most = limits
    expected = tuple(images if size is None else size for size in wanted.shape)
    fits = len(member.shape) == len(expected) and all(
        found == size or (size is None and least <= found <= most)
        for found, size in zip(member.shape, expected, strict=True)
    )
    if not fits or not wanted.takes(member.dtype):
        what = str(Wanted(wanted.types, expected))
        raise ValueError(
            f"{member.name} is {member.dtype.str} of shape {member.shape}: it must be {what}"[:200]
        )
    return member


def _check_directory(file: IO[bytes]) -> None:
    """Check the size of the archive's directory, of which zipfile makes objects without a limit."""
    length = file.seek(0, 2)
    file.seek(max(length - _COMMENT - 2 * _END_BYTES, 0))
    end = file.read()
    file.seek(0)
    at = end.rfind(_END)
    if at < 0 or len(end) - at < _END_BYTES:
        raise ValueError("it is not an npz archive")
    (size,) = struct.unpack_from("<I", end, at + 12)
    if size > _DIRECTORY or end[max(at - 20, 0) : at].startswith(_END64):
        raise ValueError(f"its directory is larger than {_DIRECTORY} bytes")


def _header_bytes(raw: bytes) -> int:
    """Return the length of a member's header; ValueError if it is not plausible."""
    if raw[:6] != b"\x93NUMPY" or raw[6:8] not in (b"\1\0", b"\2\0"):
        raise ValueError("a member is not an array of numpy")
    form, start = ("<H", 10) if raw[6] == 1 else ("<I", 12)
    length = start + int(struct.unpack_from(form, raw, 8)[0])
    if length > min(_HEADER, len(raw)):
        raise ValueError(f"the header of a member has {length} bytes")
    return length


_TEXT = re.compile(
    rb"\{'descr': '([<>|][a-zA-Z][0-9]{0,3})', 'fortran_order': (False|True), "
    rb"'shape': \(((?:[0-9]{1,10},? ?)*)\), \} *\n"
)
"""What numpy writes of an array of plain numbers; its reader would evaluate far more."""


def _header(raw: bytes) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
    """Return shape, order and type of a member."""
    start = 10 if raw[6:7] == b"\1" else 12
    text = _TEXT.fullmatch(raw[start : _header_bytes(raw)])
    if text is None:
        raise ValueError("the header of a member is not that of an array of numbers")
    kind, order, sizes = (part.decode("ascii") for part in text.groups())
    try:
        dtype = np.dtype(kind)
    except TypeError:
        raise ValueError(f"a member has elements of the type {kind}") from None
    if dtype.hasobject:
        raise ValueError("a member holds objects, which are never loaded")
    return tuple(map(int, re.findall("[0-9]+", sizes))), order == "True", dtype
