"""Parquet files as Hugging Face's data sets have them; read with pyarrow.

A column of images holds structs of ``bytes`` and ``path``, a picture file each, or nested lists of
pixels; a column of labels holds whole numbers or words.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from spinflow.host.core.reading import opened
from spinflow.host.core.text import one_line, shown
from spinflow.model.data.common import DataError
from spinflow.model.data.own import base, table
from spinflow.model.data.own.base import Options, Own, Part
from spinflow.model.data.own.npz import pictures
from spinflow.model.data.own.pictures import Stack

IMAGES = ("image", "img", "images", "pixels", "picture")
LABELS = ("label", "labels", "fine_label", "class", "target", "y")

_PACKAGE = (
    "needs the package pyarrow, which this Python lacks: make setup in a checkout, or pip install "
    "'spinflow[data]'"
)


def read(paths: dict[str, list[Path]], title: str, options: Options) -> Own:
    """Read the files of each part, one after the other.

    Raises:
        DataError: pyarrow is not installed, a file is damaged, a column is missing, or images are
            not alike.
    """
    stack, columns = Stack(options.size), {}
    names: tuple[str, ...] = ()
    counts: dict[str, int] = {}
    labels: dict[str, list[str]] = {}
    for part, files in paths.items():
        columns[part] = [_read(path, options.label) for path in files]
        labels[part] = []
        counts[part] = 0
        for path, (images, found, known) in zip(files, columns[part], strict=True):
            names = names or known
            labels[part] += found
            counts[part] += len(images)
            for number, image in enumerate(images):
                _add(stack, image, f"{path}: row {number + 1}")
    first = next(iter(paths.values()))[0]
    if not all(counts.values()):
        raise DataError(f"{first}: it has no rows")
    sorted_names, numbered = table.numbered(labels, first)
    whole, shape = stack.whole()
    parts: dict[str, Part] = {}
    notes: list[str] = []
    start = 0
    for part, count in counts.items():
        of_part = whole[start : start + count]
        parts[part], said = base.part_of(of_part, numbered[part], str(first))
        notes += [said] if said else []
        start += count
    return Own(title, shape, parts, names or sorted_names, notes=(*stack.notes, *notes))


def _add(stack: Stack, image: Any, where: str) -> None:
    if isinstance(image, dict):
        image = image.get("bytes")
    if isinstance(image, bytes):
        stack.add(image, where)
        return
    try:
        pixels = np.array(image)
    except ValueError:
        pixels = np.zeros(0)
    if pixels.dtype.kind not in "iu" or pixels.ndim not in (2, 3) or not pixels.size:
        raise DataError(f"{where}: its image is neither a picture file nor rows of pixels")
    if pixels.min() < 0 or pixels.max() > 255:
        raise DataError(f"{where}: a pixel is {pixels.max()}: bytes of 0 to 255 are expected")
    if stack.is_resized:
        raise DataError(f"{where}: --size is for picture files; its image is rows of pixels")
    stack.add_array(pictures(pixels.astype(np.uint8)[None], where)[0][0], where)


def _read(path: Path, label: str) -> tuple[list[Any], list[str], tuple[str, ...]]:
    """Return images, labels as words, and the names of classes if the file has them."""
    try:
        from pyarrow import ArrowException
        from pyarrow.parquet import ParquetFile
    except ImportError:
        raise DataError(f"{path}: reading it {_PACKAGE}") from None
    try:
        with opened(path, DataError) as stream:
            file = ParquetFile(stream)
            size = sum(
                file.metadata.row_group(group).total_byte_size
                for group in range(file.metadata.num_row_groups)
            )
            base.check_size(1, size, str(path))
            there = file.schema_arrow.names
            image, label = _column(path, there, IMAGES, ""), _column(path, there, LABELS, label)
            found = file.read(columns=[image, label])
            names = _names(file.schema_arrow.metadata, label)
            values = found.column(label).to_pylist()
            images = found.column(image).to_pylist()
    except (ArrowException, OSError) as error:
        raise DataError(f"{path}: damaged or no parquet file ({one_line(error, 60)})") from None
    if None in values or None in images:
        raise DataError(f"{path}: a row has no image or no label")
    return images, [str(value) for value in values], names


def _column(path: Path, there: list[str], known: tuple[str, ...], wanted: str) -> str:
    if wanted:
        known = (wanted,)
    for name in known:
        if name in there:
            return name
    raise DataError(
        f"{path} has no column {' or '.join(known[:3])}; it has {shown(', '.join(there))}"
    )


def _names(metadata: Any, label: str) -> tuple[str, ...]:
    """Return the names of classes that Hugging Face's data sets write beside the table."""
    try:
        facts = json.loads((metadata or {}).get(b"huggingface", b"{}"))
        names = facts["info"]["features"][label]["names"]
    except (ValueError, KeyError, TypeError):
        return ()
    is_list = isinstance(names, list) and all(isinstance(name, str) for name in names)
    return base.names_of(names, "its classes") if is_list else ()
