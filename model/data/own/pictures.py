"""Picture files, and folders of them: one sub-folder for each class."""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterable
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spinflow.host.core.reading import read_bytes
from spinflow.host.core.text import one_line
from spinflow.model.data.common import DataError
from spinflow.model.data.own import base
from spinflow.model.data.own.base import ALL, TEST, TRAIN, Options, Own, Part

ENDINGS = frozenset(
    (".png", ".jpg", ".jpeg", ".bmp", ".gif", ".ppm", ".pgm", ".pbm", ".tif", ".tiff", ".webp")
)
PARTS = {TEST: ("test", "val", "valid", "validation"), TRAIN: ("train",)}
_MOST_FILE = 64 << 20
_MOST_PIXELS = 1 << 26
_GREY = ("1", "L", "LA")
_DEEP = ("I", "I;16", "I;16B", "I;16L", "I;16N")
"""Modes of grey pictures of 16 bits, whose upper 8 are taken."""


def read(folder: Path, options: Options) -> Own:
    """Read a folder of pictures: ``CLASS/PICTURE``, or that inside of ``train/`` and ``test/``.

    Classes are numbered in the order of their names. Pictures are grey if all of them are, else
    red, green and blue.

    Raises:
        DataError: a class is empty, a picture is damaged or of another size than the first, or
            something is a link.
    """
    below = {part: folder / name for part in PARTS for name in _there(folder, PARTS[part])[:1]}
    roots = below or {ALL: folder}
    listed = {part: _classes(root) for part, root in roots.items()}
    names = sorted({name for found in listed.values() for name in found})
    if TRAIN in listed and (odd := sorted(set(names) - set(listed[TRAIN]))):
        raise DataError(f"{folder}: class {one_line(odd[0], 60)} has no pictures for training")
    pictures = {
        part: [(path, label) for label, name in enumerate(names) for path in found.get(name, ())]
        for part, found in listed.items()
    }
    read_of = Stack(options.size)
    parts = {}
    for found in pictures.values():
        for path, _ in found:
            read_of.add(read_bytes(path, _MOST_FILE, DataError), str(path))
    images, shape = read_of.whole()
    start = 0
    for part, found in pictures.items():
        labels = np.array([label for _, label in found], np.uint16)
        parts[part] = Part(images[start : start + len(found)], labels)
        start += len(found)
    return Own(
        options.title or folder.resolve().name,
        shape,
        parts,
        base.names_of(names, str(folder)),
        notes=read_of.notes,
    )


def is_folder(folder: Path) -> bool:
    """Return whether a folder has pictures by class."""
    roots = [folder / name for part in PARTS for name in _there(folder, PARTS[part])[:1]]
    for root in roots or [folder]:
        for entry in os.scandir(root):
            if entry.is_dir() and any(_is_picture(each.name) for each in os.scandir(entry.path)):
                return True
    return False


def _there(folder: Path, names: Iterable[str]) -> list[str]:
    return [name for name in names if (folder / name).is_dir()]


def _is_picture(name: str) -> bool:
    return not name.startswith(".") and Path(name).suffix.lower() in ENDINGS


def _classes(root: Path) -> dict[str, list[Path]]:
    """Return the pictures of each class, in the order of their names."""
    found: dict[str, list[Path]] = {}
    for entry in sorted(os.scandir(root), key=lambda each: each.name):
        _refuse_link(entry)
        if not entry.is_dir() or entry.name.startswith("."):
            continue
        files = sorted(os.scandir(entry.path), key=lambda each: each.name)
        for each in files:
            _refuse_link(each)
        found[entry.name] = [Path(each.path) for each in files if _is_picture(each.name)]
        if not found[entry.name]:
            raise DataError(f"{one_line(entry.path, 200)} has no pictures, as .png or .jpg files")
    if not found:
        raise DataError(f"{root} has no sub-folders: one for each class is expected")
    return found


def _refuse_link(entry: os.DirEntry[str]) -> None:
    if entry.is_symlink():
        raise DataError(
            f"{one_line(entry.path, 200)} is a link: plain files and folders are expected"
        )


class Stack:
    """Pictures that are decoded one after the other and must be alike."""

    def __init__(self, size: tuple[int, int] | None) -> None:
        """Begin with none.

        Args:
            size: rows and columns that each is resized to; None if they must agree.
        """
        self._size = size
        self._first = ""
        self._total = 0
        self._arrays: list[NDArray[np.uint8]] = []

    def add(self, content: bytes, where: str) -> None:
        """Decode a picture file.

        Raises:
            DataError: it is damaged, or of another size than the first.
        """
        self.add_array(_decoded(content, where, self._size), where)

    def add_array(self, array: NDArray[np.uint8], where: str) -> None:
        """Take pixels as they are, shape (rows, columns, channels).

        Raises:
            DataError: they are of another size than the first.
        """
        if self._arrays and array.shape[:2] != self._arrays[0].shape[:2]:
            one, other = (" x ".join(map(str, a.shape[:2])) for a in (array, self._arrays[0]))
            raise DataError(
                f"{one_line(where, 120)} has {one} pixels, {one_line(self._first, 60)} has "
                f"{other}: they must agree, or give --size ROWSxCOLUMNS"
            )
        self._first = self._first or where
        self._total += array.size
        base.check_size(1, self._total, where)
        self._arrays.append(array)

    def whole(self) -> tuple[NDArray[np.uint8], tuple[int, int, int]]:
        """Return all, shape (n, pixels), and their channels, rows and columns.

        Raises:
            DataError: they have different numbers of channels, other than one.
        """
        rows, columns = self._arrays[0].shape[:2]
        channels = max(array.shape[2] for array in self._arrays)
        if odd := {array.shape[2] for array in self._arrays} - {1, channels}:
            raise DataError(
                f"{one_line(self._first, 120)} and others: some have {channels} channels and some "
                f"{min(odd)}"
            )
        images = np.empty((len(self._arrays), rows, columns, channels), np.uint8)
        for place, array in enumerate(self._arrays):
            images[place] = array  # a grey one in all three colours
        self._arrays.clear()
        return images.reshape(len(images), -1), (channels, rows, columns)

    @property
    def is_resized(self) -> bool:
        """Whether pictures are resized."""
        return self._size is not None

    @property
    def notes(self) -> tuple[str, ...]:
        """What was done to them, in words."""
        if self._size is None:
            return ()
        return (f"pictures are resized to {self._size[0]} x {self._size[1]}",)


def _decoded(content: bytes, where: str, size: tuple[int, int] | None) -> NDArray[np.uint8]:
    """Return a picture, shape (rows, columns, 1 or 3)."""
    try:
        from PIL import Image
    except ImportError:
        raise DataError("the package Pillow is not installed") from None
    try:
        with warnings.catch_warnings(), Image.open(BytesIO(content)) as picture:
            warnings.simplefilter("ignore")
            if picture.width * picture.height > _MOST_PIXELS:
                raise DataError(
                    f"{where}: {picture.height} x {picture.width} pixels: too large a picture"
                )
            plain: Any = _plain(picture, where)
            if size is not None and plain.size != (size[1], size[0]):
                plain = plain.resize((size[1], size[0]), Image.Resampling.BILINEAR)
            array = np.asarray(plain, np.uint8)
    except DataError:
        raise
    except Exception as error:  # Pillow's decoders raise whatever they like for damaged files
        said = one_line(str(error), 60)
        where = one_line(where, 160)
        raise DataError(f"{where}: a damaged picture file, or none ({said})") from None
    return array[..., None] if array.ndim == 2 else array


def _plain(picture: Any, where: str) -> Any:
    """Return a picture with 8 bits for grey, or for red, green and blue.

    Raises:
        DataError: its pixels are numbers of another range.
    """
    from PIL import Image

    if picture.mode in _DEEP:
        deep = np.asarray(picture)
        if deep.min() >= 0 and deep.max() < 1 << 16:
            return Image.fromarray((deep >> 8).astype(np.uint8))
    if picture.mode in (*_DEEP, "F"):
        raise DataError(
            f"{one_line(where, 160)}: pixels of mode {picture.mode}: 8 or 16 bits for each colour "
            "are expected"
        )
    return picture.convert("L" if picture.mode in _GREY else "RGB")
