"""What all data sets share: the arrays, the error, the cache, and reading a picture."""

from __future__ import annotations

import gzip
import io
import struct
import tarfile
import zlib
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from spinflow.host.core.errors import SpinflowError
from spinflow.host.core.published import cache_folder
from spinflow.host.core.reading import Bounded
from spinflow.host.core.text import one_line

if TYPE_CHECKING:
    from PIL import Image

Bytes = NDArray[np.uint8]
Labels = NDArray[Any]
"""Whole numbers from 0: uint8 of the published sets, uint16 of one's own."""


class DataError(SpinflowError, ValueError):
    """A data file that is missing, damaged or of another form; the message names the file."""


@dataclass(frozen=True)
class Dataset:
    """Images and labels of a data set, as it was published or as somebody keeps it.

    Attributes:
        train_images: uint8, shape (n, pixels), one image a row, its values in the order (row,
            column, channel): 60,000 of 784 in MNIST and Fashion-MNIST, where 0 is the empty
            background; 50,000 of 3,072 in CIFAR-10 and CIFAR-100 and 73,257 of 3,072 in SVHN
            (604,388 with the extra set), where the channels are red, green and blue.
        train_labels: uint8 or uint16, shape (n,), classes from 0.
        test_images: uint8, shape (n, pixels).
        test_labels: as train_labels.
        shape: (channels, rows, columns) of an image, (features,) of a vector; empty if not known.
        classes: how many there are; 0 if not known.
        title: for people.
        names: of the classes, of data of one's own that have them.
        notes: how data of one's own became this, for people.
    """

    train_images: Bytes
    train_labels: Labels
    test_images: Bytes
    test_labels: Labels
    shape: tuple[int, ...] = field(default=(), kw_only=True)
    classes: int = field(default=0, kw_only=True)
    title: str = field(default="", kw_only=True)
    names: tuple[str, ...] = field(default=(), kw_only=True)
    notes: tuple[str, ...] = field(default=(), kw_only=True)


@dataclass(frozen=True)
class Family(ABC):
    """How one data set is found and read.

    Attributes:
        title: for people.
        load: reads it from the folder that locate returned; raises DataError.
    """

    title: str
    load: Callable[[Path], Dataset]

    @abstractmethod
    def locate(self, name: str, data_dir: Path | None) -> Path:
        """Return the folder that holds the files; see :func:`spinflow.model.data.locate`."""


@dataclass(frozen=True)
class Held(Family):
    """A data set that cannot be fetched: it is read where its owner keeps it, and never copied.

    Attributes:
        form: in words, what the folder must hold.
    """

    form: str

    def locate(self, name: str, data_dir: Path | None) -> Path:
        """Return the user's folder, or the one in the cache; the files are checked by load."""
        folder = cache_folder() / name if data_dir is None else data_dir
        if folder.is_dir():
            return folder
        if data_dir is None:
            raise DataError(
                f"{self.title} is not in {folder} and cannot be fetched; give a folder that holds "
                f"{self.form} with --data-dir"
            )
        raise DataError(f"{folder}: no such folder; it must hold {self.form}")


def visit_members(
    archive: IO[bytes], shown: Path, most: int, take: Callable[[str, IO[bytes]], bool]
) -> None:
    """Show the files in a tar archive, gzipped or not, one after the other.

    It is read once, from front to back. Folders are passed over; nothing is followed or unpacked.

    Args:
        archive: open, at its beginning.
        shown: the archive's path, for messages.
        most: bytes of the files together; an archive that unpacks to more, but for its headers and
            notes beside the files, is no longer read.
        take: called with the name and the content of each; it returns whether that was the last
            that is wanted.

    Raises:
        DataError: it is damaged, too large, or holds links, devices or the like.
    """
    bomb = DataError(f"{shown}: unpacks to more than the {most >> 20} MiB of the published files")
    try:
        start = archive.read(2)
        whole = io.BufferedReader(Bounded(_Behind(start, archive), 4 * most + (1 << 20), bomb))
        plain: Any = whole
        if start == b"\x1f\x8b":
            unpacked = gzip.GzipFile(fileobj=whole)
            plain = io.BufferedReader(Bounded(unpacked, most + most // 8 + (1 << 20), bomb))
        with tarfile.open(fileobj=plain, mode="r|") as opened:
            for member in opened:
                if member.isdir():
                    continue
                stream = opened.extractfile(member) if member.isreg() else None
                if stream is None:
                    raise DataError(
                        f"{shown}: {one_line(member.name, 60)} is a link or a device, plain files "
                        "are expected"
                    )
                if take(member.name, stream):
                    return
    except DataError:
        raise
    except (OSError, EOFError, ValueError, zlib.error, tarfile.TarError) as error:
        raise DataError(f"{shown}: damaged or incomplete archive ({error})") from None


class _Behind(io.RawIOBase):
    """A stream with the bytes that were taken off its beginning put back."""

    def __init__(self, start: bytes, stream: IO[bytes]) -> None:
        self._start, self._stream = start, stream

    def read(self, size: int = -1) -> bytes:
        """Read on."""
        if self._start:
            start, self._start = self._start[:size], self._start[size:]
            return start
        return self._stream.read(size)


def check_count(shown: Path, found: int, expected: int, title: str) -> None:
    """Raise DataError unless a file holds as many images as the published one."""
    if found != expected:
        raise DataError(f"{shown}: {found} images, that file of {title} has {expected}")


def read_picture(source: Path | IO[bytes]) -> Image.Image:
    """Decode a picture file, in red, green and blue whatever its own form.

    Raises:
        DataError: Pillow is not installed, or the file is damaged or no picture.
    """
    try:
        from PIL import Image, UnidentifiedImageError
    except ImportError:
        raise DataError("the package Pillow is not installed") from None
    damage = (
        OSError,
        SyntaxError,
        ValueError,
        EOFError,
        struct.error,
        Image.DecompressionBombError,
    )
    try:
        with Image.open(source) as picture:
            return picture.convert("RGB")
    except UnidentifiedImageError:
        raise DataError("a damaged picture file, or none") from None
    except damage as error:
        raise DataError(f"a damaged picture file ({error})") from None
