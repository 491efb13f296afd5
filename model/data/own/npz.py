"""Archives of numpy arrays (.npz) with images or vectors and their labels."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spinflow.host.core.npz import Archive, Member, opened
from spinflow.host.core.reading import opened as opened_file
from spinflow.host.core.text import shown
from spinflow.model.data.common import DataError
from spinflow.model.data.own import base, numbers
from spinflow.model.data.own.base import ALL, TEST, TRAIN, Options, Own, Part

Pair = tuple[str, str]

IMAGES = ("images", "image", "x", "X", "data", "features")
LABELS = ("labels", "label", "y", "Y", "target", "targets")
PARTS = {TEST: ("test", "val", "valid", "validation"), TRAIN: ("train",), ALL: ("",)}
"""How parts are called; the first that is there counts."""

NAMES = ("names", "class_names", "classes", "label_names", "target_names")
CHANNELS = (1, 2, 3, 4)
"""Channels that tell themselves from rows and columns."""


def read(path: Path, options: Options) -> Own:
    """Read an archive.

    Raises:
        DataError: it is damaged, has no images with labels, or they are of another form.
    """
    with opened_file(path, DataError) as file, opened(path, file, DataError) as archive:
        members = {name.removesuffix(".npy") for name in archive.names if name.endswith(".npy")}
        pairs = {part: pair for part in PARTS if (pair := _pair(path, part, members))}
        if not pairs:
            raise _unlabeled(path, members)
        if TEST in pairs or TRAIN in pairs:
            pairs.pop(ALL, None)
        arrays = {
            part: (_array(archive, images, path), _array(archive, labels, path))
            for part, (images, labels) in pairs.items()
        }
        names = _names(archive, members, path)
    return _joined(path, arrays, names, options)


def _pair(path: Path, part: str, members: set[str]) -> Pair | None:
    """Return the names of a part's images and labels; None if it is not there."""
    for word in PARTS[part]:
        found = [
            pair
            for image in IMAGES
            for label in LABELS
            for pair in _spelled(image, label, word)
            if set(pair) <= members
        ]
        if len(found) > 1:
            both = " and ".join(f"{image} with {label}" for image, label in found[:2])
            raise DataError(
                f"{path}: it holds {both}: one array of images with its labels is meant"
            )
        if found:
            return found[0]
    return None


def _spelled(image: str, label: str, word: str) -> list[Pair]:
    if not word:
        return [(image, label)]
    return [
        (f"{image}_{word}", f"{label}_{word}"),
        (f"{word}_{image}", f"{word}_{label}"),
    ]


def _unlabeled(path: Path, members: set[str]) -> DataError:
    stems = {word for name in members for word in name.split("_")}
    if stems & set(IMAGES) and not stems & set(LABELS):
        return DataError(
            f"{path}: it has images and no labels ({_list(members)}): add an array labels"
        )
    return DataError(
        f"{path}: it holds {_list(members)}: arrays images and labels are expected, or x_test and "
        "y_test, X and y, data and target"
    )


def _list(members: set[str]) -> str:
    some = ", ".join(shown(name)[1:-1] for name in sorted(members)[:5]) or "no arrays"
    return some + (" ..." if len(members) > 5 else "")


def _array(archive: Archive, name: str, path: Path) -> NDArray[Any]:
    member: Member = archive.member(name)
    if member.dtype.kind not in "iufb" and not (member.dtype.kind == "U"):
        raise DataError(f"{path}: {name} is {member.dtype.str}, numbers are expected")
    if not member.shape or not member.size:
        raise DataError(f"{path}: {name} has shape {member.shape}: it is empty")
    base.check_size(member.shape[0], member.size // member.shape[0], f"{path}: {name}")
    return archive.array(member)


def _names(archive: Archive, members: set[str], path: Path) -> tuple[str, ...]:
    """Return the names of the classes, of the first array of text that is called so."""
    for name in NAMES:
        if name in members:
            member = archive.member(name)
            if member.dtype.kind == "U" and len(member.shape) == 1:
                base.check_size(1, member.size, f"{path}: {name}")
                return base.names_of([str(text) for text in archive.array(member)], str(path))
    return ()


def _joined(
    path: Path,
    arrays: dict[str, tuple[NDArray[Any], NDArray[Any]]],
    names: tuple[str, ...],
    options: Options,
) -> Own:
    """Make bytes of the arrays, labels of the others, and a data set of both."""
    if any(labels.dtype.kind == "U" for _, labels in arrays.values()):
        names, arrays = _numbered(path, arrays)
    shapes = {images.shape[1:] for images, _ in arrays.values()}
    if len(shapes) > 1:
        raise DataError(f"{path}: images of {' and of '.join(map(str, shapes))} in one archive")
    first = arrays.get(TRAIN) or next(iter(arrays.values()))
    is_vector = first[0].ndim == 2
    if first[0].ndim > 4 or first[0].ndim < 2:
        raise DataError(
            f"{path}: images have shape {first[0].shape}: (n, pixels), (n, rows, columns) or, with "
            "channels, four numbers are expected"
        )
    scaling = None
    if is_vector and (first[0].dtype != np.uint8 or options.scale):
        scaling = numbers.scaling_of(first[0], options.scale, str(path))
    elif options.scale:
        raise DataError(f"{path}: --scale is for features; images are bytes as they are")
    parts: dict[str, Part] = {}
    notes: list[str] = []
    shape: tuple[int, ...] = ()
    for part, (values, labels) in arrays.items():
        where = str(path) if part == ALL else f"{path}, {part}"
        if scaling is not None:
            images, shape = scaling.bytes_of(values, where), values.shape[1:]
        elif is_vector:
            images, shape = values, values.shape[1:]
        else:
            images, shape = pictures(_pixels(values, where), where)
        parts[part], said = base.part_of(images, labels, where)
        notes += [said] if said else []
    if scaling is not None:
        notes.append(scaling.note)
    return Own(
        options.title or path.stem,
        tuple(map(int, shape)),
        parts,
        names,
        scaling.numbers if scaling else "",
        tuple(dict.fromkeys(notes)),
        scaling.scale if scaling else None,
    )


def _numbered(
    path: Path, arrays: dict[str, tuple[NDArray[Any], NDArray[Any]]]
) -> tuple[tuple[str, ...], dict[str, tuple[NDArray[Any], NDArray[Any]]]]:
    """Return the sorted names of classes, and their places in the labels' stead."""
    every = np.concatenate([labels.reshape(-1).astype(str) for _, labels in arrays.values()])
    known = np.unique(every)
    numbered = {
        part: (images, np.searchsorted(known, labels.astype(str)))
        for part, (images, labels) in arrays.items()
    }
    return base.names_of(known.tolist(), str(path)), numbered


def _pixels(values: NDArray[Any], where: str) -> NDArray[np.uint8]:
    if values.dtype == np.uint8:
        return values
    if values.dtype.kind in "iu" and values.min() >= 0 and values.max() <= 255:
        return values.astype(np.uint8)
    least, most = float(values.min()), float(values.max())
    remedy = ""
    if least >= 0 and most <= 1:
        remedy = "; np.rint(255.0 * images).astype(np.uint8) makes them"
    elif least >= 0 and most <= 255:
        remedy = "; np.rint(images).astype(np.uint8) makes them"
    raise DataError(
        f"{where}: images are {values.dtype} of {least:g} to {most:g}: bytes, 0 to 255, are "
        f"expected{remedy}"
    )


def pictures(
    values: NDArray[np.uint8], where: str
) -> tuple[NDArray[np.uint8], tuple[int, int, int]]:
    """Return images as (n, rows, columns, channels), and their channels, rows and columns.

    Args:
        values: shape (n, rows, columns), or with the channels behind or before these two.
        where: for messages.

    Raises:
        DataError: the shape does not say which are the channels.
    """
    if values.ndim == 3:
        return values[..., None], (1, values.shape[1], values.shape[2])
    _, first, middle, last = values.shape
    is_last, is_first = last in CHANNELS, first in CHANNELS
    if is_last == is_first:  # the channels are the odd one of three sides
        is_last, is_first = first == middle != last, first != middle == last
    if is_last == is_first:
        raise DataError(
            f"{where}: images have shape {values.shape}: which of the sides are channels is open; "
            "(n, rows, columns, channels) with 1 to 4 channels is clear"
        )
    if is_first:
        values = values.transpose(0, 2, 3, 1)
    _, rows, columns, channels = values.shape
    return values, (channels, rows, columns)
