"""The results file of a sweep: a CSV to which finished rows are appended, and nothing else.

A row is one line, written with one system call and synchronised. What a kill or a full disk leaves
half-written is cut off: at once where the process lives, else when the sweep is resumed. So every
row that a reader finds was measured, whole and once.
"""

from __future__ import annotations

import csv
import fcntl
import io
import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass, fields
from pathlib import Path
from types import TracebackType
from typing import NamedTuple, get_type_hints

from host.errors import ResultsError


class Key(NamedTuple):
    """What a trial is, without what it measured: equal keys are the same trial.

    The first four fields are shared by all rows of a file. The pulse belongs to the key, since two
    pulses can round to one rate in the register.
    """

    network: str
    build_id: int
    images: int
    image_set: str
    memory: str
    mode: str
    rate: float
    rate0: float
    pulse_s: float
    background: str
    repeat: int
    seed: int

    @property
    def identity(self) -> tuple[str, int, int, str]:
        """Network, build, number and fingerprint of the images: what a whole file shares."""
        return (self.network, self.build_id, self.images, self.image_set)


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
        energy_j: write energy, joules: ``bits_written`` times ``energy_per_bit_j``.
        cycles: clock cycles for all images.
        build_id: identity of the accelerator.
        rate0: bit-error rate of a written 0, as the register holds it.
        pulse_s: pulse width of the write condition, seconds.
        energy_per_bit_j: energy of writing one bit, joules.
        switched: written bits that differed from the old.
        err1: errors on a written 1.
        err0: errors on a written 0.
        stalls: cycles in which a buffer waited for draws.
        clock_mhz: clock of the accelerator, MHz, for turning cycles into time.
        image_set: fingerprint of the images and labels.
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


def read(path: Path) -> list[Row]:
    """Read the rows of a results file; a last line without its line end does not count.

    Raises:
        ResultsError: no such file, or one that is not a results file of this version.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise ResultsError(f"{path}: {error.strerror}") from None
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
            f"{path}: its columns are not those of this version ({', '.join(COLUMNS)}); "
            "move it away or choose another folder"
        )
    rows: list[Row] = []
    seen: dict[Key, int] = {}
    for number, cells in enumerate(csv.reader(lines[1:]), start=2):
        try:
            if len(cells) != len(COLUMNS):
                raise ValueError(f"{len(cells)} cells, {len(COLUMNS)} expected")
            row = Row(**{n: _TYPES[n](cell) for n, cell in zip(COLUMNS, cells, strict=True)})
        except ValueError as error:
            raise ResultsError(f"{path}: line {number} is damaged: {error}") from None
        if row.key in seen:
            raise ResultsError(f"{path}: line {number} repeats the trial of line {seen[row.key]}")
        seen[row.key] = number
        rows.append(row)
    return rows


def set_aside(path: Path, identity: tuple[str, int, int, str]) -> Path | None:
    """Rename a results file that belongs to another network, build or set of images.

    Returns:
        Where it went: beside the file, named by what it holds. None if there is none to move.

    Raises:
        ResultsError: it is not a results file.
    """
    rows = read(path) if path.exists() else []
    if not rows or rows[0].key.identity == identity:
        return None
    network, build_id, images, image_set = rows[0].key.identity
    old = path.with_name(f"{path.stem}-{network}-{build_id:08x}-{images}-{image_set}{path.suffix}")
    os.replace(path, old)
    return old


class ResultsFile:
    """A results file that is open for appending; a context manager that holds its lock.

    Args:
        path: the file; made if there is none, else continued.
        identity: network, build_id, images, image_set of the sweep.

    Raises:
        ResultsError: another process has it open, it is damaged, or it belongs to another network,
            build or set of images.
    """

    def __init__(self, path: Path, identity: tuple[str, int, int, str]) -> None:
        self.path = path
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        except OSError as error:
            raise ResultsError(f"{path}: cannot be opened: {error.strerror}") from None
        try:
            if not stat.S_ISREG(os.fstat(self._file).st_mode):
                raise ResultsError(f"{path}: not a regular file")
            self._lock()
            self.rows = self._resume(identity)
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
        os.close(self._file)

    def __iter__(self) -> Iterator[Row]:
        return iter(self.rows)

    def __contains__(self, key: Key) -> bool:
        return key in self._keys

    def append(self, row: Row) -> None:
        """Add a finished row.

        Raises:
            ResultsError: the row could not be written; the file is as it was before.
        """
        self._append(row.line().encode("ascii"))
        self.rows.append(row)
        self._keys.add(row.key)

    def _lock(self) -> None:
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise ResultsError(f"{self.path}: another sweep is writing to it") from None

    def _resume(self, identity: tuple[str, int, int, str]) -> list[Row]:
        content = self.path.read_bytes()
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
        if whole < len(content):
            os.ftruncate(self._file, whole)
        os.lseek(self._file, 0, os.SEEK_END)
        if not whole:
            self._append(_HEADER.encode("ascii"))
            _synchronise_folder(self.path.parent)
        return rows

    def _append(self, line: bytes) -> None:
        start = os.lseek(self._file, 0, os.SEEK_END)
        try:
            if os.write(self._file, line) != len(line):
                raise OSError("the disk is full")
            os.fsync(self._file)
        except OSError as error:
            os.ftruncate(self._file, start)
            raise ResultsError(
                f"{self.path}: the row could not be written ({error.strerror or error}); "
                "the rows before it are whole, the same command goes on from there"
            ) from None


def _words(identity: tuple[str, int, int, str]) -> str:
    network, build_id, images, image_set = identity
    return f"{network} build {build_id:#010x}, {images} images {image_set}"


def _synchronise_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
