"""Tables of features with a column of labels: CSV, with or without a line of names."""

from __future__ import annotations

import csv
import io
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

_MOST_FILE = 1 << 30
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
    """Return names of classes and labels as numbers: whole numbers stay, words are sorted."""
    every = sorted({label for part in labels.values() for label in part})
    try:
        found = {label: float(label) for label in every}
        is_number = all(value % 1 == 0 for value in found.values())
    except ValueError:
        is_number = False
    if is_number:
        return (), {part: np.array([found[x] for x in each]) for part, each in labels.items()}
    place = {label: number for number, label in enumerate(every)}
    names = base.names_of(every, str(path))
    return names, {part: np.array([place[x] for x in each]) for part, each in labels.items()}


def _read(path: Path, wanted: str) -> Table:
    rows = _rows(path)
    if not rows:
        raise DataError(f"{path}: it is empty: rows of numbers and a label are expected")
    width = len(rows[0])
    if not 2 <= width <= _MOST_COLUMNS:
        raise DataError(f"{path}: row 1 has {width} columns; features and a label are expected")
    for number, row in enumerate(rows, 1):
        if len(row) != width:
            raise DataError(f"{path}: row {number} has {len(row)} columns, row 1 has {width}")
    header = None if any(_is_number(cell) for cell in rows[0]) else [c.strip() for c in rows[0]]
    column, name = _column(path, header, width, wanted)
    body = rows if header is None else rows[1:]
    if not body:
        raise DataError(f"{path}: it has names of columns and no rows")
    labels = [row[column].strip() for row in body]
    first = 1 if header is None else 2
    if "" in labels:
        raise DataError(f"{path}: row {labels.index('') + first} has no label in column {name}")
    base.check_size(len(body), width, str(path))
    try:
        features = np.array([row[:column] + row[column + 1 :] for row in body]).astype(np.float64)
    except ValueError:
        raise _no_number(path, body, column, first, header) from None
    return Table(path, features, labels, name)


def _no_number(
    path: Path, body: list[list[str]], column: int, first: int, header: list[str] | None
) -> DataError:
    for number, row in enumerate(body, first):
        for place, cell in enumerate(row):
            if place != column and not _is_number(cell):
                name = shown(header[place]) if header else str(place + 1)
                return DataError(
                    f"{path}: row {number}, column {name} holds {shown(cell)}, a number is expected"
                )
    return DataError(f"{path}: something in it is no number")


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
            some = ", ".join(map(shown, [*header[:3], header[-1]]))
            raise DataError(f"{path} has no column {shown(wanted)}; it has {some}")
        return header.index(wanted), one_line(wanted, 60)
    known = [name for name in LABELS if names.count(name) == 1]
    place = names.index(known[0]) if known else width - 1
    return place, one_line(header[place], 60)


def _rows(path: Path) -> list[list[str]]:
    """Return the rows of a file that are not empty."""
    if path.suffix == ".gz":
        with gunzipped(path, _MOST_FILE, DataError) as stream:
            raw = stream.read()
    else:
        raw = read_bytes(path, _MOST_FILE, DataError)
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as reason:
        raise DataError(f"{path}: not a text in UTF-8 (byte {reason.start})") from None
    first = text.partition("\n")[0]
    delimiter = max(_DELIMITERS, key=first.count)
    try:
        return [row for row in csv.reader(io.StringIO(text, ""), delimiter=delimiter) if row]
    except csv.Error as reason:
        raise DataError(f"{path}: not a table of CSV ({reason})") from None
