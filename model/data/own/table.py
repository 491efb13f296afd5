"""Tables of features with a column of labels: CSV, with or without a line of names."""

from __future__ import annotations

import csv
import io
from array import array
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spinflow.host.core.reading import gunzipped, read_bytes
from spinflow.host.core.text import one_line, shown
from spinflow.model.data.common import DataError
from spinflow.model.data.own import base, numbers
from spinflow.model.data.own.base import Options, Own

LABELS = ("label", "class", "target", "y")
"""Names of a column of labels that is found without being told."""

_MOST_FILE = 1 << 29
_MOST_COLUMNS = 1 << 16
_DELIMITERS = ",;\t"


@dataclass(frozen=True)
class Table:
    """A file, read.

    Attributes:
        path: for messages.
        features: shape (n, features), float64.
        labels: as they are written.
        column: name or number of the labels' column.
    """

    path: Path
    features: NDArray[np.float64]
    labels: list[str]
    column: str


def read(paths: dict[str, Path], title: str, options: Options) -> Own:
    """Read the table of each part.

    Args:
        paths: files by part, TRAIN and TEST or ALL; the first says how numbers become bytes.
        title: for people.
        options: the column of the labels, and the scale.

    Raises:
        DataError: a file has no rows, a row is shorter or longer, or holds what is no number.
    """
    tables = {part: _read(path, options.label) for part, path in paths.items()}
    first = next(iter(tables.values()))
    widths = {table.features.shape[1] for table in tables.values()}
    if len(widths) > 1:
        raise DataError(
            f"{first.path.parent}: tables of {' and of '.join(map(str, widths))} features"
        )
    scaling = numbers.scaling_of(first.features, options.scale, str(first.path))
    names, labels = numbered({part: table.labels for part, table in tables.items()}, first.path)
    parts, notes = {}, [f"labels are in column {first.column}"]
    for part, table in tables.items():
        images = scaling.bytes_of(table.features, str(table.path))
        parts[part], said = base.part_of(images, labels[part], str(table.path))
        notes += [said] if said else []
    return Own(
        title,
        (first.features.shape[1],),
        parts,
        names,
        scaling.numbers,
        tuple(dict.fromkeys([*notes, scaling.note])),
        scaling.scale,
    )


def numbered(
    labels: dict[str, list[str]], path: Path
) -> tuple[tuple[str, ...], dict[str, NDArray[Any]]]:
    """Return names of classes and labels as numbers: whole numbers stay, words are sorted.

    Raises:
        DataError: the labels are numbers that are not whole, or there are too many classes.
    """
    every = sorted({label for part in labels.values() for label in part})
    if all(map(_is_number, every)):
        found = {label: float(label) for label in every}
        odd = next((label for label in every if found[label] % 1 != 0), None)
        if odd is not None:
            raise DataError(
                f"{path}: a label is {shown(odd)}: whole numbers from 0, or words, are expected"
            )
        return (), {part: np.array([found[x] for x in each]) for part, each in labels.items()}
    place = {label: number for number, label in enumerate(every)}
    names = base.names_of(every, str(path))
    return names, {part: np.array([place[x] for x in each]) for part, each in labels.items()}


def _read(path: Path, wanted: str) -> Table:
    """Read a file row by row: as text, a large one would not fit into memory."""
    raw = _content(path)
    first = raw.partition(b"\n")[0].decode("utf-8", errors="replace")
    delimiter = max(_DELIMITERS, key=first.count)
    stream = io.TextIOWrapper(io.BytesIO(raw), "utf-8-sig", newline="")
    try:
        return _parsed(path, csv.reader(stream, delimiter=delimiter), wanted)
    except UnicodeDecodeError:
        raise DataError(f"{path}: not a text in UTF-8") from None
    except csv.Error as reason:
        raise DataError(f"{path}: not a table of CSV ({reason})") from None


def _content(path: Path) -> bytes:
    if path.suffix == ".gz":
        with gunzipped(path, _MOST_FILE, DataError) as stream:
            return stream.read()
    return read_bytes(path, _MOST_FILE, DataError)


def _parsed(path: Path, rows: Iterable[list[str]], wanted: str) -> Table:
    numbers_of_all, labels = array("d"), []
    header, width, column, name = None, 0, 0, ""
    for number, row in enumerate((row for row in rows if row), 1):
        if number == 1:
            width = len(row)
            if not 2 <= width <= _MOST_COLUMNS:
                raise DataError(
                    f"{path}: row 1 has {width} columns; features and a label are expected"
                )
            header = None if any(map(_is_number, row)) else [cell.strip() for cell in row]
            column, name = _column(path, header, width, wanted)
            if header is not None:
                continue
        if len(row) != width:
            raise DataError(f"{path}: row {number} has {len(row)} columns, row 1 has {width}")
        label = row.pop(column).strip()
        if not label:
            raise DataError(f"{path}: row {number} has no label in column {name}")
        labels.append(label)
        try:
            numbers_of_all.extend(map(float, row))
        except ValueError:
            place, cell = next((p, c) for p, c in enumerate(row) if not _is_number(c))
            place += place >= column
            called = shown(header[place]) if header else str(place + 1)
            raise DataError(
                f"{path}: row {number}, column {called} holds {shown(cell)}, a number is expected"
            ) from None
    if not labels:
        what = "names of columns and no rows" if header else "no rows: numbers and a label each"
        raise DataError(f"{path}: it has {what}")
    features = np.frombuffer(numbers_of_all, np.float64).reshape(len(labels), width - 1)
    return Table(path, features, labels, name)


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True


def _column(path: Path, header: list[str] | None, width: int, wanted: str) -> tuple[int, str]:
    """Return place and name of the labels' column."""
    if header is None:
        if not wanted:
            return width - 1, f"{width}, the last"
        if wanted.isdecimal() and 1 <= int(wanted) <= width:
            return int(wanted) - 1, wanted
        raise DataError(
            f"{path} has no line of names: --label {shown(wanted)}: a column of 1 to {width} is "
            "expected"
        )
    names = [name.lower() for name in header]
    if wanted:
        if wanted not in header:
            some = [*map(shown, header[:3]), *(["..."] if width > 4 else [])]
            some += [shown(header[-1])] if width > 3 else []
            raise DataError(f"{path} has no column {shown(wanted)}; it has {', '.join(some)}")
        if header.count(wanted) > 1:
            raise DataError(
                f"{path} has {header.count(wanted)} columns {shown(wanted)}: one is meant"
            )
        return header.index(wanted), one_line(wanted, 60)
    known = [name for name in LABELS if names.count(name) == 1]
    place = names.index(known[0]) if known else width - 1
    return place, one_line(header[place], 60)
