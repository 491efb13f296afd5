"""IDX files of one's own: images or vectors of any shape in one file, their labels in another."""

from __future__ import annotations

import re
import struct
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spinflow.host.core.reading import gunzipped, opened, read_bytes
from spinflow.model.data.common import DataError
from spinflow.model.data.own import base
from spinflow.model.data.own.base import ALL, TEST, TRAIN, Options, Own

TYPES = {0x08: ">u1", 0x09: ">i1", 0x0B: ">i2", 0x0C: ">i4"}
"""Types of IDX that are read, by their codes: whole numbers."""

_NAME = re.compile(r"(?P<before>.*?)images(?P<middle>[-._]idx)\d(?P<after>[-._]u?byte)?(?:\.gz)?\Z")
_TESTS = ("t10k", "test", "val")


def is_name(name: str) -> bool:
    """Return whether a file is called like one of images."""
    return _NAME.match(name) is not None


def read_file(path: Path, options: Options) -> Own:
    """Read a file of images and, beside it, its labels: the same name with labels for images.

    Raises:
        DataError: one of them is missing, damaged or of another form.
    """
    pair = _pair(path)
    part, said, shape = _read_pair(*pair)
    return Own(options.title or _stem(path), shape, {ALL: part}, notes=(said,) if said else ())


def read_folder(folder: Path, options: Options) -> Own:
    """Read a folder with IDX files of a training and of a test part, or of one of them.

    Raises:
        DataError: as :func:`read_file`, or the parts differ in shape.
    """
    found: dict[str, list[Path]] = {}
    for path in sorted(folder.iterdir()):
        if is_name(path.name):
            found.setdefault(_part(path.name), []).append(path)
    parts, shapes, notes = {}, set(), []
    for part, paths in found.items():
        if len({path.name.removesuffix(".gz") for path in paths}) > 1:
            raise DataError(
                f"{folder}: {paths[0].name} and {paths[1].name}: give the file that is meant"
            )
        parts[part], said, shape = _read_pair(*_pair(paths[0]))
        shapes.add(shape)
        notes += [said] if said else []
    if TRAIN in parts or TEST in parts:
        parts.pop(ALL, None)
    if len(shapes) > 1:
        raise DataError(f"{folder}: images of {' and of '.join(map(str, sorted(shapes)))}")
    return Own(
        options.title or folder.resolve().name,
        shapes.pop(),
        parts,
        notes=tuple(dict.fromkeys(notes)),
    )


def _part(name: str) -> str:
    if any(word in name for word in _TESTS):
        return TEST
    return TRAIN if "train" in name else ALL


def _stem(path: Path) -> str:
    found = _NAME.match(path.name)
    return (found["before"].strip("-._") if found else "") or path.resolve().parent.name


def _pair(path: Path) -> tuple[Path, Path]:
    """Return the files of images and of labels."""
    found = _NAME.match(path.name)
    if found is None:
        raise DataError(f"{path}: a name with images-idx is expected, as t10k-images-idx3-ubyte")
    stem = f"{found['before']}labels{found['middle']}1{found['after'] or ''}"
    for name in (stem, f"{stem}.gz"):
        if (path.parent / name).exists():
            return path, path.parent / name
    raise DataError(f"{path} has no labels: {stem} beside it is expected, gzipped or not")


def _read_pair(images: Path, labels: Path) -> tuple[base.Part, str, tuple[int, ...]]:
    values = _read(images)
    if values.dtype != np.dtype(">u1"):
        raise DataError(f"{images}: numbers of {values.dtype.itemsize} bytes; images are of bytes")
    if values.ndim < 2 or values.ndim > 4 or not values.size:
        raise DataError(
            f"{images}: shape {values.shape}: (n, features), (n, rows, columns) or that with "
            "channels is expected, and not empty"
        )
    part, said = base.part_of(values.astype(np.uint8), _read(labels), str(images))
    shape = tuple(map(int, values.shape[1:]))
    if len(shape) > 1:
        shape = (shape[2] if len(shape) > 2 else 1, *shape[:2])
    return part, said, shape


def _read(path: Path) -> NDArray[Any]:
    if path.suffix == ".gz":
        with gunzipped(path, base.MOST_BYTES, DataError) as stream:
            return _parsed(stream.read(), path)
    return _parsed(read_bytes(path, base.MOST_BYTES, DataError), path)


def _parsed(raw: bytes, path: Path) -> NDArray[Any]:
    """Take an IDX file apart (LeCun, Cortes, Burges, "The MNIST database", file formats)."""
    count = raw[3] if len(raw) > 3 else 0
    start = 4 + 4 * count
    if len(raw) < start or raw[:2] != b"\0\0" or raw[2] not in TYPES or not 1 <= count <= 4:
        raise DataError(f"{path}: not an IDX file of whole numbers")
    shape = struct.unpack(f">{count}I", raw[4:start])
    dtype = np.dtype(TYPES[raw[2]])
    expected = start + dtype.itemsize
    for size in shape:
        expected = start + (expected - start) * size
    if len(raw) != expected:
        raise DataError(f"{path}: {len(raw)} bytes, its header says {expected}")
    return np.frombuffer(raw, dtype, offset=start).reshape(shape)


def is_file(path: Path) -> bool:
    """Return whether a file begins like one of IDX; its name is looked at where it is gzipped."""
    if path.suffix == ".gz":
        return is_name(path.name)
    with opened(path, DataError) as file:
        start = file.read(4)
    return len(start) == 4 and start[:2] == b"\0\0" and start[2] in TYPES and 1 <= start[3] <= 4
