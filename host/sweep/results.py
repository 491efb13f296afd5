"""The results file of a sweep: a CSV to which finished rows are appended, and nothing else.

A row is one line, written with one system call and synchronised. What a kill or a full disk leaves
half-written is cut off: at once where the process lives, else when the sweep is resumed. So every
row that a reader finds was measured, whole and once.
"""

from __future__ import annotations

import csv
import fcntl
import hashlib
import io
import os
import re
import stat
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, fields
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple, get_type_hints

from spinflow.host.core.errors import ResultsError
from spinflow.host.core.options import SEEDS
from spinflow.host.core.reading import read_bytes
from spinflow.host.core.text import one_line


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
        rate: bit-error rate of a written 1, as the register holds it.
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
        model: device model that the rates and energies are of.
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
    """

    network: str
    memory: str
    mode: str
    rate: float
    background: str
    repeat: int
    seed: int
    images: int
    accuracy: float
    bits_written: int
    errors: int
    energy_j: float
    cycles: int
    build_id: int
    rate0: float
    pulse_s: float
    energy_per_bit_j: float
    switched: int
    err1: int
    err0: int
    stalls: int
    clock_mhz: float
    image_set: str
    backend: str
    model: str
    drive: float
    drive_unit: str
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
    read_voltage_v: float
    read_pulse_s: float
    turned: float
    disturbed1: float
    disturbed0: float
    upsets: int

    @property
    def key(self) -> Key:
        """What the row is a trial of."""
        return Key(*(getattr(self, name) for name in Key._fields))

    def line(self) -> str:
        """Return the row as a line of CSV. Floats are written so that they read back the same."""
        return _line([str(getattr(self, name)) for name in COLUMNS])


COLUMNS = tuple(field.name for field in fields(Row))
_TYPES = get_type_hints(Row)


def _line(cells: list[str]) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerow(cells)
    return text.getvalue()


_HEADER = _line(list(COLUMNS))
_PROMISED = _line(list(COLUMNS[:14])).strip()
"""The columns that every version has, first and in this order."""

MOST_BYTES = 1 << 29
"""Bytes of the largest results file that is read: more than a million rows."""

_MOST = {int: 2**63 - 1, float: 1e30}
_RANGES: dict[str, tuple[float, float]] = {
    **dict.fromkeys(("rate", "rate0", "accuracy", "turned", "disturbed1", "disturbed0"), (0, 1)),
    **dict.fromkeys(("seed", "build_id"), (0, SEEDS)),
    "repeat": (0, 2**26 - 1),
    "images": (1, 10**9),
    "read_voltage_v": (-1e30, 1e30),
}
"""What the cells of a column may be, where that is not any number from 0 on."""

_TEXTS = {
    "mode": re.compile(r"off|flip|switch"),
    "drive_unit": re.compile(r"[VA]"),
    "model": re.compile(r"[A-Za-z0-9][\w.:=,+-]{0,299}", re.ASCII),
    "memory": re.compile(r"[A-Za-z0-9*?\[][\w.*?!\[\]+-]{0,99}", re.ASCII),
}
_NAME = re.compile(r"[A-Za-z0-9][\w.:+-]{0,99}", re.ASCII)
_INT = re.compile(r"-?[0-9]{1,19}")
_FLOAT = re.compile(r"-?[0-9]+(\.[0-9]+)?(e[-+]?[0-9]{1,3})?")


def _cell(name: str, text: str) -> str | int | float:
    """Return the value of a cell; ValueError if its column cannot hold it."""
    kind = _TYPES[name]
    if kind is str:
        if not _TEXTS.get(name, _NAME).fullmatch(text):
            raise ValueError(f"{name} {one_line(text, 60)!r} is none")
        return text
    low, high = _RANGES.get(name, (0, _MOST[kind]))
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
        raise ValueError(f"{row.errors} errors, of which {row.err1} on ones, {row.err0} on zeros")
    for name in ("rate", "rate0"):
        if 0 < getattr(row, name) < 2**-33:
            raise ValueError(f"{name} is {getattr(row, name)}, registers hold 2^-32 at least")
    for name in ("errors", "switched"):
        if getattr(row, name) > row.bits_written:
            raise ValueError(f"{name} is {getattr(row, name)}, of {row.bits_written} written bits")
    for name in ("switched1", "same1"):
        low, high = getattr(row, f"{name}_low"), getattr(row, f"{name}_high")
        if low > high:
            raise ValueError(f"{name} is from {low} to {high}")


def read(path: Path) -> list[Row]:
    """Read the rows of a results file; a last line without its line end does not count.

    Raises:
        ResultsError: no such file, or one that is not a results file of this version.
    """
    content = read_bytes(path, MOST_BYTES, ResultsError)
    return _parse(path, content[: content.rfind(b"\n") + 1])


def _parse(path: Path, content: bytes) -> list[Row]:
    try:
        lines = content.decode("ascii").splitlines(keepends=True)
    except UnicodeDecodeError:
        raise ResultsError(f"{path}: not a results file") from None
    if not lines:
        return []
    if lines[0] != _HEADER:
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
                f"{path}: line {number} is of {_words(row.key.identity)}, line 2 of "
                f"{_words(rows[0].key.identity)}: a file holds one sweep"
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
        ([name for name in found if found.count(name) > 1], "twice there is"),
    ):
        if names:
            return f"{words} {one_line(names[0], 60)!r}"
    return "they are in another order"


class ResultsFile:
    """A results file that is open for appending; a context manager that holds its lock.

    The lock is the system's own (``flock``) and ends with the process. It is taken before anything
    is read or renamed, so of two sweeps that start together one goes on.

    Args:
        path: the file; made if there is none, else continued.
        identity: what the sweep is of.
        wanted: whether a trial is of the sweep's grid; by default any is.
        aside: rename what another sweep or another version of this program wrote there instead of
            refusing it.

    Attributes:
        path: the file.
        rows: its rows.
        moved: where earlier results of another sweep went: beside the file, named by what they
            are. None if there were none.

    Raises:
        ResultsError: another process has it open, it is damaged, or it belongs to another network,
            build, backend, set of images or grid.
    """

    def __init__(
        self,
        path: Path,
        identity: Identity,
        wanted: Callable[[Key], bool] = lambda key: True,
        aside: bool = False,
    ) -> None:
        self.path = path
        self.moved: Path | None = None
        self._folders = [each for each in path.parents if not each.exists()]
        self._file = _take(path)
        try:
            if aside:
                self._set_aside(identity, wanted)
            self.rows = self._resume(identity, wanted)
        except BaseException:
            os.close(self._file)
            raise
        self._keys = {row.key for row in self.rows}

    def __enter__(self) -> ResultsFile:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        # A sweep that came to nothing leaves nothing.
        if kind is not None and not self.rows and self._is_new:
            with suppress(OSError, ResultsError):
                self.check()
                self.path.unlink()
                for folder in self._folders:
                    folder.rmdir()
        os.close(self._file)

    def __iter__(self) -> Iterator[Row]:
        return iter(self.rows)

    def __contains__(self, key: Key) -> bool:
        return key in self._keys

    def append(self, row: Row) -> None:
        """Add a finished row.

        Raises:
            ResultsError: the row could not be written, and the file is as it was before; or it is
                no longer the file that was opened.
        """
        self.check()
        self._append(row.line().encode("ascii"))
        self.rows.append(row)
        self._keys.add(row.key)

    def check(self) -> None:
        """Check that the file is what this object has written and nothing else.

        Raises:
            ResultsError: it was removed, replaced or changed by somebody else.
        """
        held = os.fstat(self._file)
        try:
            there = os.stat(self.path)
        except OSError:
            what = "removed"
        else:
            if (there.st_dev, there.st_ino) != (held.st_dev, held.st_ino):
                what = "replaced by another file"
            elif held.st_size != self._size:
                what = "changed by another program"
            else:
                return
        raise ResultsError(
            f"{self.path} was {what} while this sweep wrote to it: put the file back as it was, or "
            "start the sweep again, which measures what is missing"
        )

    def _set_aside(self, identity: Identity, wanted: Callable[[Key], bool]) -> None:
        """Rename the file, which is locked, if it is of another sweep, and take a new one."""
        label = self._label_of_another(identity, wanted)
        if label is None:
            return
        path = self.path
        old, number = path.with_name(f"{path.stem}-{label}{path.suffix}"), 1
        while old.exists():
            number += 1
            old = path.with_name(f"{path.stem}-{label}-{number}{path.suffix}")
        try:
            os.rename(path, old)
        except OSError as error:
            raise ResultsError(f"{path}: cannot be set aside: {error.strerror}") from None
        self.moved = old
        before, self._file = self._file, _take(path)
        os.close(before)

    def _label_of_another(self, identity: Identity, wanted: Callable[[Key], bool]) -> str | None:
        """Return what is there in a word for its name; None if this sweep can go on with it."""
        content = self._content()
        whole = content[: content.rfind(b"\n") + 1]
        first = whole.partition(b"\n")[0] + b"\n"
        if whole and first != _HEADER.encode() and first.startswith(_PROMISED.encode()):
            return f"columns-{hashlib.sha256(first).hexdigest()[:8]}"
        rows = _parse(self.path, whole)
        if not rows or (rows[0].key.identity == identity and all(wanted(row.key) for row in rows)):
            return None
        network, build_id, images, image_set, backend = rows[0].key.identity
        return f"{network}-{build_id:08x}-{images}-{image_set}-{backend}"

    def _content(self) -> bytes:
        size = os.fstat(self._file).st_size
        if size > MOST_BYTES:
            raise ResultsError(f"{self.path}: {size} bytes, no results file is larger than 512 MiB")
        return os.pread(self._file, size, 0)

    def _resume(self, identity: Identity, wanted: Callable[[Key], bool]) -> list[Row]:
        content = self._content()
        self._is_new = not content
        whole = content.rfind(b"\n") + 1
        if not whole and not _HEADER.encode().startswith(content):
            raise ResultsError(f"{self.path}: not a results file")
        rows = _parse(self.path, content[:whole])
        for row in rows:
            if row.key.identity != identity:
                raise ResultsError(
                    f"{self.path} holds results of {_words(row.key.identity)}, this sweep is of "
                    f"{_words(identity)}; move it away or choose another folder"
                )
        strangers = [row for row in rows if not wanted(row.key)]
        if strangers:
            raise ResultsError(
                f"{self.path} holds {len(strangers)} rows of another grid, the first of "
                f"{_trial_words(strangers[0])}; move it away or choose another folder"
            )
        if whole < len(content):
            os.ftruncate(self._file, whole)
        self._size = whole
        if not whole:
            self._append(_HEADER.encode("ascii"))
            _synchronise_folder(self.path.parent)
        return rows

    def _append(self, line: bytes) -> None:
        try:
            if os.pwrite(self._file, line, self._size) != len(line):
                raise OSError("the disk is full")
            os.fsync(self._file)
        except OSError as error:
            os.ftruncate(self._file, self._size)
            raise ResultsError(
                f"{self.path}: the row could not be written ({error.strerror or error}); "
                "the rows before it are whole, the same command goes on from there"
            ) from None
        self._size += len(line)


def _take(path: Path) -> int:
    """Open a file for reading and writing, made if there is none, and lock it.

    Raises:
        ResultsError: it cannot be opened, is no plain file, or another process holds it.
    """
    while True:
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        except OSError as error:
            raise ResultsError(f"{path}: cannot be opened: {error.strerror}") from None
        try:
            if not stat.S_ISREG(os.fstat(file).st_mode):
                raise ResultsError(f"{path}: not a regular file")
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise ResultsError(
                    f"{path}: another sweep is writing to it{_holder(file)}: wait for its end, or "
                    "choose another folder"
                ) from None
            except OSError as error:
                raise ResultsError(f"{path}: cannot be locked: {error.strerror}") from None
            with suppress(OSError):
                if os.path.samestat(os.stat(path), os.fstat(file)):
                    return file
        except BaseException:
            os.close(file)
            raise
        os.close(file)  # another sweep set it aside between the opening and the locking


def _holder(file: int) -> str:
    """Return who holds the lock of a file, as words to put into a sentence; empty if unknown."""
    inode = str(os.fstat(file).st_ino)
    with suppress(OSError, ValueError):
        for line in Path("/proc/locks").read_text(encoding="ascii").splitlines():
            # 1: FLOCK  ADVISORY  WRITE 4711 08:01:393 0 EOF
            fields = line.split()
            if fields[1] == "FLOCK" and fields[5].split(":")[-1] == inode and int(fields[4]) > 0:
                return f", process {fields[4]}"
    return ""


def _words(identity: Identity) -> str:
    network, build_id, images, image_set, backend = identity
    return f"{network} build {build_id:#010x}, {images} images {image_set}, on {backend}"


def _trial_words(row: Row) -> str:
    return (
        f"{row.memory}, mode {row.mode}, rate {row.rate:g}, background {row.background}, "
        f"seed {row.seed}"
    )


def _synchronise_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
