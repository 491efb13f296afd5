"""One row of a results file: its columns, what their cells may hold, and how rows are read.

A column is a field of :class:`Row`, and :meth:`spinflow.host.sweep.bench.Bench.row` measures it. So
a new column is a line in each of these two files.
"""

from __future__ import annotations

import csv
import io
import re
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Annotated, Any, NamedTuple, get_type_hints

from spinflow.host.core.errors import ResultsError
from spinflow.host.core.options import SEEDS
from spinflow.host.core.reading import read_bytes
from spinflow.host.core.text import one_line

_MOST = {int: 2**63 - 1, float: 1e30}


class Between(NamedTuple):
    """The range of a column's numbers; without one, any number from 0 on is possible."""

    low: float
    high: float


class Like(NamedTuple):
    """The regular expression of a column's texts; without one, they are names."""

    pattern: str


Share = Annotated[float, Between(0, 1)]
"""A rate, a probability or a fraction."""


class Identity(NamedTuple):
    """What all rows of one file share: what was measured, on what, with which images."""

    network: str
    build_id: int
    images: int
    image_set: str
    backend: str


class Key(NamedTuple):
    """What a trial is, without what it measured: equal keys are the same trial.

    The first five fields are those of the file's identity. Model, drive and pulse belong to the
    key, since two write conditions can round to one rate in the register.
    """

    network: str
    build_id: int
    images: int
    image_set: str
    backend: str
    memory: str
    mode: str
    rate: float
    rate0: float
    model: str
    drive: float
    pulse_s: float
    retention_s: float
    reads: int
    delta: float
    read_voltage_v: float
    read_pulse_s: float
    background: str
    repeat: int
    seed: int
    cell_map: str

    @property
    def identity(self) -> Identity:
        """What a whole file shares."""
        return Identity(self.network, self.build_id, self.images, self.image_set, self.backend)


@dataclass(frozen=True)
class Row:
    """One trial of a sweep; the fields are the columns, in order.

    Counts and energy are summed over the memories that ``memory`` selects.

    Attributes:
        network: name of the network.
        memory: a memory's name, or ``weights``, ``buffers``, ``all``.
        mode: error mode, ``off``, ``flip`` or ``switch``.
        rate: bit-error rate of a written 1, as the register holds it; where each memory has a
            condition of its own, the highest.
        background: what the weights were written over; ``none`` where none were written.
        repeat: number of the repeat, from 0.
        seed: base seed, from which the seeds of the memories follow.
        images: images run.
        accuracy: fraction of them that were classified correctly.
        bits_written: bits written.
        errors: bits that were not stored as they should.
        energy_j: write energy, joules: the counted bits times what a bit of their kind takes.
        cycles: clock cycles for all images; 0 where nothing has cycles (emulator, evaluator).
        build_id: identity of the accelerator.
        rate0: bit-error rate of a written 0, as the register holds it.
        pulse_s: pulse width of the write condition, seconds.
        energy_per_bit_j: ``energy_j`` by ``bits_written``, joules.
        switched: written bits that differed from the old.
        err1: errors on a written 1.
        err0: errors on a written 0.
        stalls: cycles in which a buffer waited for draws.
        clock_mhz: clock of the accelerator, MHz, for turning cycles into time.
        image_set: fingerprint of the images and labels.
        backend: what measured it: ``rtl`` (the virtual board), ``board``, ``emulator``,
            ``evaluator``, or ``evaluator-fast`` with its own random stream.
        model: device model that the rates and energies are of; ``conditions:`` and a digest where
            each memory has a condition of its own. Then ``drive`` and ``pulse_s`` are 0 unless all
            share them, and so are the energies of a bit.
        drive: write voltage or current of the condition, in ``drive_unit``.
        drive_unit: ``V`` or ``A``.
        switched1_low, switched1_high: range of the switched bits whose target was 1; equal where
            it is known exactly (see ``spinflow.host.sweep.energy``).
        same1_low, same1_high: range of the bits that were 1 before and were to be 1.
        energy_switched1_j: energy of a bit that is switched to 1, joules.
        energy_switched0_j: energy of a bit that is switched to 0, joules.
        energy_same1_j: energy of writing a 1 over a 1, joules.
        energy_same0_j: energy of writing a 0 over a 0, joules.
        energy_bound_j: how far ``energy_j`` can be off, joules; 0 where it is exact.
        conventional_j: energy of the same writes at the conventional write, joules.
        retention_s: time between writing and running that the weights were aged by, seconds.
        reads: reads of each weight that they were aged by.
        delta: thermal stability that the aging was computed with; 0 without aging.
        read_voltage_v, read_pulse_s: voltage and width of a read; 0 without reads.
        turned: probability that retention left a cell in its other state.
        disturbed1, disturbed0: probability that the reads turned over a stored 1, a stored 0.
        upsets: stored weight bits that retention and reads turned over.
        data: name of the data that the images are of.
        latency_min, latency_max: least and most clock cycles from a frame's first word to its
            label, of the frames that were timed; 0 where nothing has cycles.
        distance_min, distance_max: least and most clock cycles from a label to the next one; 0
            where nothing has cycles and with a single image.
        cell_map: digest of the cell map that gave each cell its rates, of which ``rate`` and
            ``rate0`` are then the means; ``none`` where all cells are alike.
    """

    network: str
    memory: Annotated[str, Like(r"[A-Za-z0-9*?\[][\w.*?!\[\]+-]{0,99}")]
    mode: Annotated[str, Like("off|flip|switch")]
    rate: Share
    background: str
    repeat: Annotated[int, Between(0, 2**26 - 1)]
    seed: Annotated[int, Between(0, SEEDS)]
    images: Annotated[int, Between(1, 10**9)]
    accuracy: Share
    bits_written: int
    errors: int
    energy_j: float
    cycles: int
    build_id: Annotated[int, Between(0, SEEDS)]
    rate0: Share
    pulse_s: float
    energy_per_bit_j: float
    switched: int
    err1: int
    err0: int
    stalls: int
    clock_mhz: float
    image_set: str
    backend: str
    model: Annotated[str, Like(r"[A-Za-z0-9][\w.:=,+-]{0,299}")]
    drive: float
    drive_unit: Annotated[str, Like("[VA]")]
    switched1_low: int
    switched1_high: int
    same1_low: int
    same1_high: int
    energy_switched1_j: float
    energy_switched0_j: float
    energy_same1_j: float
    energy_same0_j: float
    energy_bound_j: float
    conventional_j: float
    retention_s: float
    reads: int
    delta: float
    read_voltage_v: Annotated[float, Between(-1e30, 1e30)]
    read_pulse_s: float
    turned: Share
    disturbed1: Share
    disturbed0: Share
    upsets: int
    data: str
    latency_min: int
    latency_max: int
    distance_min: int
    distance_max: int
    cell_map: Annotated[str, Like("none|[0-9a-f]{16}")]

    @property
    def key(self) -> Key:
        """What the row is a trial of."""
        return Key(*(getattr(self, name) for name in Key._fields))

    def line(self) -> str:
        """Return the row as a line of CSV. Floats are written so that they read back the same."""
        return _line([str(getattr(self, name)) for name in COLUMNS])


COLUMNS = tuple(column.name for column in fields(Row))
_TYPES = get_type_hints(Row)
_LIMITS: dict[str, tuple[Any, ...]] = {
    name: getattr(hint, "__metadata__", ())
    for name, hint in get_type_hints(Row, include_extras=True).items()
}


def _line(cells: list[str]) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerow(cells)
    return text.getvalue()


TIMED = ("cycles", "stalls", "latency_min", "latency_max", "distance_min", "distance_max")
"""Columns of clock cycles, which are 0 where nothing has cycles."""

HEADER = _line(list(COLUMNS))
PROMISED = _line(list(COLUMNS[:14])).strip()
"""The columns that every version has, first and in this order."""

MOST_BYTES = 1 << 29
"""Bytes of the largest results file that is read: more than a million rows."""

_NAME = r"[A-Za-z0-9][\w.:+-]{0,99}"
_INT = re.compile(r"-?[0-9]{1,19}")
_FLOAT = re.compile(r"-?[0-9]+(\.[0-9]+)?(e[-+]?[0-9]{1,3})?")


def _cell(name: str, text: str) -> str | int | float:
    """Return the value of a cell; ValueError if its column cannot hold it."""
    kind = _TYPES[name]
    limit = _LIMITS[name][0] if _LIMITS[name] else None
    if kind is str:
        pattern = limit.pattern if isinstance(limit, Like) else _NAME
        if not re.fullmatch(pattern, text, re.ASCII):
            raise ValueError(f"{one_line(text, 60)!r} cannot be a {name}")
        return text
    low, high = limit if isinstance(limit, Between) else (0, _MOST[kind])
    value = kind(text) if (_INT if kind is int else _FLOAT).fullmatch(text) else None
    if value is None or not low <= value <= high:
        what = "whole number" if kind is int else "number"
        raise ValueError(
            f"{name} is {one_line(text, 60)!r}, a {what} from {low:g} to {high:g} is expected"
        )
    number: int | float = value
    return number


def _check(row: Row) -> None:
    """Raise ValueError if the cells of a row contradict each other."""
    if row.errors != row.err1 + row.err0:
        raise ValueError(
            f"{row.errors} errors are not the sum of {row.err1} on ones and {row.err0} on zeros"
        )
    for name in ("rate", "rate0"):
        if 0 < getattr(row, name) < 2**-33:
            raise ValueError(
                f"{name} is {getattr(row, name)}, but the smallest rate of a register is 2^-32"
            )
    for name in ("errors", "switched"):
        if getattr(row, name) > row.bits_written:
            raise ValueError(
                f"{name} is {getattr(row, name)}, more than the {row.bits_written} written bits"
            )
    for name, least, most in (
        ("switched1", "low", "high"),
        ("same1", "low", "high"),
        ("latency", "min", "max"),
        ("distance", "min", "max"),
    ):
        low, high = getattr(row, f"{name}_{least}"), getattr(row, f"{name}_{most}")
        if low > high:
            raise ValueError(f"{name} is from {low} to {high}")


def read(path: Path) -> list[Row]:
    """Read the rows of a results file; a last line without its line end does not count.

    Raises:
        ResultsError: no such file, or one that is not a results file of this version.
    """
    content = read_bytes(path, MOST_BYTES, ResultsError)
    return parse(path, content[: content.rfind(b"\n") + 1])


def parse(path: Path, content: bytes) -> list[Row]:
    """Return the rows of whole lines.

    Args:
        path: where they were read, for the messages.
        content: of the file, up to its last line end.

    Raises:
        ResultsError: they are not the lines of a results file of this version.
    """
    try:
        lines = content.decode("ascii").splitlines(keepends=True)
    except UnicodeDecodeError:
        raise ResultsError(f"{path}: not a results file") from None
    if not lines:
        return []
    if lines[0] != HEADER:
        raise ResultsError(
            f"{path}: its columns are not those of this version: {_columns_words(lines[0])}; move "
            "it away or choose another folder"
        )
    rows: list[Row] = []
    seen: dict[Key, int] = {}
    for number, cells in enumerate(csv.reader(lines[1:]), start=2):
        try:
            if len(cells) != len(COLUMNS):
                raise ValueError(f"{len(cells)} cells, {len(COLUMNS)} expected")
            found: dict[str, Any] = {n: _cell(n, c) for n, c in zip(COLUMNS, cells, strict=True)}
            row = Row(**found)
            _check(row)
        except ValueError as error:
            raise ResultsError(f"{path}: line {number} is damaged: {error}") from None
        if rows and row.key.identity != rows[0].key.identity:
            raise ResultsError(
                f"{path}: line {number} is of {identity_words(row.key.identity)}, line 2 of "
                f"{identity_words(rows[0].key.identity)}: a file holds one sweep"
            )
        if row.key in seen:
            raise ResultsError(f"{path}: line {number} repeats the trial of line {seen[row.key]}")
        seen[row.key] = number
        rows.append(row)
    return rows


def _columns_words(header: str) -> str:
    """Return what is wrong with the columns of a file."""
    found = header.rstrip("\n").split(",")
    for names, words in (
        ([name for name in COLUMNS if name not in found], "there is no"),
        ([name for name in found if name not in COLUMNS], "it has"),
        ([name for name in found if found.count(name) > 1], "it has twice"),
    ):
        if names:
            return f"{words} {one_line(names[0], 60)!r}"
    return "they are in another order"


def identity_words(identity: Identity) -> str:
    """Return what a file is of, for messages."""
    network, build_id, images, image_set, backend = identity
    return f"{network} build {build_id:#010x}, {images} images {image_set}, on {backend}"


def trial_words(row: Row) -> str:
    """Return what a row is of, for messages."""
    return (
        f"{row.memory}, mode {row.mode}, rate {row.rate:g}, background {row.background}, "
        f"seed {row.seed}{f', cell map {row.cell_map}' if row.cell_map != 'none' else ''}"
    )
