"""What all forms of own data become: bytes, labels, a shape, and what is to be known of them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spinflow.host.core.own_tests import MOST_LETTERS
from spinflow.host.core.text import one_line, shown
from spinflow.model.data.common import Bytes, DataError

Labels = NDArray[np.uint16]

MOST_LABEL = 65535
MOST_SIDE = 1 << 14
_SIZE = re.compile(r"([0-9]{1,5})x([0-9]{1,5})\Z")
MOST_BYTES = 4 << 30
"""Bytes of the images of one part of a data set, which is held in memory."""

SPLIT_SEED = 1
SPLIT_SHARE = 5
"""Of data that do not say which are for tests, one in so many is, drawn with this seed."""


@dataclass(frozen=True)
class Options:
    """What a source does not say of itself.

    Attributes:
        title: for people; made of the file's name if it is empty.
        label: name of the column of labels in a table; found, or the last, if it is empty.
        scale: how numbers that are not bytes become bytes: "minmax" or "LOW:HIGH"; if it is empty
            they must be whole numbers of 0 to 255 or of -128 to 127, or all +1 or -1.
        size: rows and columns to which pictures are resized; None if they must agree.
    """

    title: str = ""
    label: str = ""
    scale: str = ""
    size: tuple[int, int] | None = None

    def __post_init__(self) -> None:
        """Check the title; DataError if it cannot stand in a table."""
        if len(self.title) > MOST_LETTERS or not self.title.isprintable():
            raise DataError(
                f"title {shown(self.title)}: at most {MOST_LETTERS} characters, one line"
            )

    def with_words(self, words: str) -> Options:
        """Return these options, changed by words as ``scale=minmax&label=kind``.

        Raises:
            DataError: a word is none of title, label, scale and size, or its value is wrong.
        """
        found: dict[str, Any] = {}
        for word in filter(None, words.split("&")):
            name, _, value = word.partition("=")
            if name not in ("title", "label", "scale", "size"):
                raise DataError(
                    f"data option {shown(word)}: title=, label=, scale= or size= is expected"
                )
            found[name] = size_of(value) if name == "size" else value
        return replace(self, **found)


def size_of(text: str) -> tuple[int, int]:
    """Return the rows and columns of ROWSxCOLUMNS; DataError if it is something else."""
    found = _SIZE.match(text)
    rows, columns = (int(side) for side in found.groups()) if found else (0, 0)
    if not (1 <= rows <= MOST_SIDE and 1 <= columns <= MOST_SIDE):
        raise DataError(f"size {shown(text)}: ROWSxCOLUMNS is expected, as 32x32")
    return rows, columns


@dataclass(frozen=True)
class Part:
    """Images or vectors with their labels.

    Attributes:
        images: uint8, shape (n, pixels), each in the order (row, column, channel).
        labels: uint16, shape (n,).
    """

    images: Bytes
    labels: Labels


TRAIN, TEST, ALL = "train", "test", "all"
"""Names of parts: ALL is of a source that does not say which of it are for tests."""


@dataclass(frozen=True)
class Own:
    """A data set of one's own.

    Attributes:
        title: for people.
        shape: (channels, rows, columns) of images, (features,) of vectors.
        parts: by name, TRAIN and TEST, or one of them, or ALL.
        names: of the classes, by label; empty if they have none.
        numbers: what a byte x stands for, in the form of ``--input``; empty for pixels.
        notes: what was decided while it was read, for people.
        scale: the numbers that became 0 and 255 of each feature, shape (2, features), or None.
    """

    title: str
    shape: tuple[int, ...]
    parts: Mapping[str, Part]
    names: tuple[str, ...] = ()
    numbers: str = ""
    notes: tuple[str, ...] = field(default=())
    scale: NDArray[np.float64] | None = None

    @property
    def classes(self) -> int:
        """How many classes there are: of their names, else up to the largest label."""
        largest = max(int(part.labels.max()) for part in self.parts.values())
        return max(len(self.names), largest + 1)


def labels_of(values: NDArray[Any], where: str) -> tuple[Labels, str]:
    """Return labels as whole numbers from 0, and how they were changed, if they were.

    Whole numbers from 0 stay; +1 and -1 become 1 and 0; rows with a single 1 become its place.

    Raises:
        DataError: they are none of these.
    """
    if values.dtype.kind not in "iufb":
        raise DataError(f"{where}: labels are {values.dtype.str}, whole numbers are expected")
    if values.ndim == 2 and values.shape[1] == 1:
        values = values[:, 0]
    if values.ndim == 2 and values.shape[1] > 1:
        is_one_hot = np.isin(values, (0, 1)).all() and (values.sum(axis=1) == 1).all()
        if not is_one_hot:
            raise DataError(
                f"{where}: labels have shape {values.shape}: a number for each image is expected, "
                "or a row with a single 1"
            )
        return values.argmax(axis=1).astype(np.uint16), "labels are the places of the ones"
    if values.ndim != 1:
        raise DataError(f"{where}: labels have shape {values.shape}, a number for each is expected")
    if not len(values):
        raise DataError(f"{where}: it is empty: no labels")
    if values.dtype.kind == "f" and not (np.isfinite(values).all() and (values % 1 == 0).all()):
        raise DataError(f"{where}: a label is {values[_odd(values)]}, whole numbers are expected")
    least, most = int(values.min()), int(values.max())
    if least == -1 and np.isin(values, (-1, 1)).all():
        return (values > 0).astype(np.uint16), "label -1 became 0"
    if least < 0 or most > MOST_LABEL:
        odd = least if least < 0 else most
        raise DataError(f"{where}: a label is {odd}; labels are 0 to {MOST_LABEL}, or +1 and -1")
    return values.astype(np.uint16), ""


def _odd(values: NDArray[Any]) -> int:
    return int(np.flatnonzero(~np.isfinite(values) | (values % 1 != 0))[0])


def part_of(images: NDArray[Any], labels: NDArray[Any], where: str) -> tuple[Part, str]:
    """Join images of bytes, shape (n, ...), and labels to a part; return it and what was changed.

    Raises:
        DataError: they do not belong together, or there are none.
    """
    found, said = labels_of(labels, where)
    if len(images) != len(found):
        raise DataError(
            f"{where}: {len(images)} images and {len(found)} labels do not belong together"
        )
    return Part(np.ascontiguousarray(images.reshape(len(images), -1)), found), said


def check_size(count: int, size: int, where: str) -> None:
    """Raise DataError unless so many images of so many bytes fit into memory."""
    if count * size > MOST_BYTES:
        raise DataError(
            f"{where}: {count} images of {size} bytes: at most {MOST_BYTES >> 20} MiB are read"
        )


def names_of(names: list[str], where: str) -> tuple[str, ...]:
    """Return names of classes as tables can show them.

    Raises:
        DataError: there are too many, or one is twice.
    """
    if len(names) > MOST_LABEL + 1:
        raise DataError(f"{where}: {len(names)} classes; at most {MOST_LABEL + 1}")
    short = [one_line(name, MOST_LETTERS) or "?" for name in names]
    if len(set(names)) < len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise DataError(f"{where}: class {shown(twice)} is there twice")
    return tuple(short)
