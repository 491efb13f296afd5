"""The results file of a sweep: a CSV to which finished rows are appended, and nothing else.

A row is one line, written with one system call and synchronised. What a kill or a full disk leaves
half-written is cut off: at once where the process lives, else when the sweep is resumed. So every
row that a reader finds was measured, whole and once.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import stat
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from types import TracebackType

from spinflow.host.core.errors import ResultsError
from spinflow.host.sweep.row import (
    COLUMNS,
    HEADER,
    MOST_BYTES,
    PROMISED,
    TIMED,
    Identity,
    Key,
    Row,
    identity_words,
    parse,
    read,
    trial_words,
)

__all__ = ["COLUMNS", "TIMED", "Identity", "Key", "ResultsFile", "Row", "is_held", "read"]


class ResultsFile:
    """A results file that is open for appending; a context manager that holds its lock.

    The lock is the system's own (``flock``) and ends with the process. It is taken before anything
    is read or renamed, so of two sweeps that start together one goes on.

    Args:
        path: the file; made if it does not exist, else continued.
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
        opened = os.fstat(self._file)
        try:
            there = os.stat(self.path)
        except OSError:
            what = "removed"
        else:
            if (there.st_dev, there.st_ino) != (opened.st_dev, opened.st_ino):
                what = "replaced by another file"
            elif opened.st_size != self._size:
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
        if whole and first != HEADER.encode() and first.startswith(PROMISED.encode()):
            return f"columns-{hashlib.sha256(first).hexdigest()[:8]}"
        rows = parse(self.path, whole)
        if not rows or (rows[0].key.identity == identity and all(wanted(row.key) for row in rows)):
            return None
        network, build_id, images, image_set, backend = rows[0].key.identity
        return f"{network}-{build_id:08x}-{images}-{image_set}-{backend}"

    def _content(self) -> bytes:
        size = os.fstat(self._file).st_size
        if size > MOST_BYTES:
            raise ResultsError(f"{self.path}: {size} bytes; a results file has at most 512 MiB")
        return os.pread(self._file, size, 0)

    def _resume(self, identity: Identity, wanted: Callable[[Key], bool]) -> list[Row]:
        content = self._content()
        self._is_new = not content
        whole = content.rfind(b"\n") + 1
        if not whole and not HEADER.encode().startswith(content):
            raise ResultsError(f"{self.path}: not a results file")
        rows = parse(self.path, content[:whole])
        for row in rows:
            if row.key.identity != identity:
                raise ResultsError(
                    f"{self.path} holds results of {identity_words(row.key.identity)}, this sweep "
                    f"is of {identity_words(identity)}; add --set-aside, or choose another --out"
                )
        strangers = [row for row in rows if not wanted(row.key)]
        if strangers:
            raise ResultsError(
                f"{self.path} holds {len(strangers)} rows of another grid, the first of "
                f"{trial_words(strangers[0])}; add --set-aside, or choose another --out"
            )
        if whole < len(content):
            os.ftruncate(self._file, whole)
        self._size = whole
        if not whole:
            self._append(HEADER.encode("ascii"))
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
    """Open a file for reading and writing, made if it does not exist, and lock it.

    Raises:
        ResultsError: it cannot be opened, is not a plain file, or another process holds it.
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


def is_held(path: Path) -> bool:
    """Return whether a sweep has a results file open; False as well where the system hides it."""
    try:
        return bool(_holders(os.stat(path).st_ino))
    except OSError:
        return False


def _holder(file: int) -> str:
    """Return who holds the lock of a file, as words to put into a sentence; empty if unknown."""
    known = [process for process in _holders(os.fstat(file).st_ino) if process > 0]
    return f", process {known[0]}" if known else ""


def _holders(inode: int) -> list[int]:
    """Return the processes that hold a file's lock; those of elsewhere have no number above 0."""
    found = []
    with suppress(OSError, ValueError, IndexError):
        for line in Path("/proc/locks").read_text(encoding="ascii").splitlines():
            # 1: FLOCK  ADVISORY  WRITE 4711 08:01:393 0 EOF
            fields = line.split()
            if fields[1] == "FLOCK" and fields[5].split(":")[-1] == str(inode):
                found.append(int(fields[4]))
    return found


def _synchronise_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
