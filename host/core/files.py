"""Files and folders that are written whole or not at all, however the program that writes ends."""

from __future__ import annotations

import ctypes
import errno
import fcntl
import os
import shutil
import tempfile
from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NamedTuple

_EXCHANGE = 2  # RENAME_EXCHANGE of renameat2
_HERE = -100  # AT_FDCWD


def replace_text(path: Path, content: str) -> None:
    """Write a text file in one step; folder and errors are those of `replace_bytes`."""
    replace_bytes(path, content.encode())


def replace_bytes(path: Path, content: bytes) -> None:
    """Write a file in one step; its folder is made if there is none.

    Raises:
        OSError: it cannot be written; a file that was there stays as it was.
    """
    check_replaceable(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as out:
            out.write(content)
            out.flush()
            os.fsync(out.fileno())
        os.chmod(temporary, 0o644)
        os.replace(temporary, path)
    finally:
        Path(temporary).unlink(missing_ok=True)


def check_replaceable(path: Path) -> None:
    """Raise OSError if a path holds something else than a file, as a folder or a device."""
    if path.exists() and not path.is_file():
        raise OSError(
            errno.EEXIST, "is there, and not a plain file that can be replaced", str(path)
        )


def check_elsewhere(place: Path) -> None:
    """Raise OSError if a folder that `put_in_place` is to replace is the current one or holds it.

    The shell would be left in the old one, which is removed.
    """
    if Path.cwd().is_relative_to(place.resolve()):
        words = "the current folder is in it, which is to be replaced: run this in another one"
        raise OSError(errno.EBUSY, words, str(place))


class Work(NamedTuple):
    """A folder to work in, held by a lock for as long as this program or a child has it open."""

    path: Path
    lock: int  # file descriptor; a child that it is passed to holds the folder, too


@contextmanager
def work_beside(place: Path) -> Iterator[Work]:
    """Make a folder beside another to work in; remove it, and what killed programs left, after all.

    A program that is killed leaves its folder behind, and nothing holds its lock any more. What the
    next one finds so is removed before it begins.

    Args:
        place: the folder that the work is for; it need not be there. On the same file system as
            what is made here, so that `put_in_place` can move it.

    Raises:
        OSError: the folder cannot be made.
    """
    place = Path(os.path.abspath(place))  # "." has no name, and ".." lies in what it is beside
    parent = place.parent
    parent.mkdir(parents=True, exist_ok=True)
    prefix = f".work-{place.name}-"
    with _locked(parent):  # nobody takes a new folder for one that was left, before it is locked
        _remove_leftovers(place)
        path = Path(tempfile.mkdtemp(prefix=prefix, dir=parent))
        lock = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
        fcntl.flock(lock, fcntl.LOCK_EX)
    try:
        yield Work(path, lock)
    finally:
        shutil.rmtree(path, ignore_errors=True)
        os.close(lock)


def put_in_place(made: Path, place: Path, without: Collection[str] = ()) -> None:
    """Put a folder's entries in the place of those of the same names in another, all in one step.

    Other entries of ``place`` stay, but for those ``without``. Whenever this is interrupted, even
    by a kill, ``place`` is as it was or as it will be. On a file system that cannot exchange two
    folders it is away between two renames; the next `work_beside` for it brings it back.

    Args:
        made: the new entries, in a folder of `work_beside`; gone or with the old ones afterwards.
        place: the folder that they are for; made if there is none.
        without: names of entries that are to go, since they belong to the old ones.

    Raises:
        OSError: something cannot be written; ``place`` is as it was.
    """
    place = Path(os.path.abspath(place))
    if not place.exists():
        made.chmod(0o777 & ~_umask())
        made.rename(place)
        return
    for entry in sorted(place.iterdir()):
        stays = entry.name not in without and not entry.name.startswith(".work-")
        if stays and not os.path.lexists(made / entry.name):
            _link(entry, made / entry.name)
    shutil.copymode(place, made)
    if not _exchange(made, place):
        old = _old(place)
        place.rename(old)
        made.rename(place)
        shutil.rmtree(old, ignore_errors=True)


@contextmanager
def held(folder: Path) -> Iterator[None]:
    """Keep others that call this for the same folder out of it; wait until they have done.

    The lock is a file in the folder; `put_in_place` hands it on to what takes the folder's place.
    """
    with open(folder / ".lock", "a", encoding="utf-8") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def remove_leftovers(place: Path) -> None:
    """Bring a folder back that was away when a program was killed, and remove what it left."""
    if place.parent.is_dir():
        with _locked(place.parent):
            _remove_leftovers(place)


def _remove_leftovers(place: Path) -> None:
    old = _old(place)
    if old.exists() and not place.exists():
        old.rename(place)
    for left in [old, *place.parent.glob(f".work-{place.name}-????????")]:
        with suppress(OSError):
            lock = os.open(left, os.O_RDONLY | os.O_DIRECTORY)
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(left, ignore_errors=True)
            finally:
                os.close(lock)


def _old(place: Path) -> Path:
    return place.with_name(f".old-{place.name}")


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    lock = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
    finally:
        os.close(lock)


def _link(source: Path, target: Path) -> None:
    """Let a file, or all files below a folder, have a second name; copy what cannot have one."""
    if source.is_symlink():
        target.symlink_to(os.readlink(source))
    elif source.is_dir():
        target.mkdir()
        for entry in source.iterdir():
            _link(entry, target / entry.name)
        shutil.copystat(source, target)
    else:
        try:
            os.link(source, target)
        except OSError as error:
            if error.errno not in (errno.EPERM, errno.EXDEV, errno.EMLINK, errno.ENOTSUP):
                raise
            shutil.copy2(source, target)


def _exchange(one: Path, other: Path) -> bool:
    """Let two folders have each other's name, in one step; return False where that cannot be."""
    rename = getattr(ctypes.CDLL(None, use_errno=True), "renameat2", None)
    if rename is None:
        return False
    if rename(_HERE, os.fsencode(one), _HERE, os.fsencode(other), _EXCHANGE) == 0:
        return True
    number = ctypes.get_errno()
    if number in (errno.EINVAL, errno.ENOSYS, errno.ENOTSUP):
        return False
    raise OSError(number, os.strerror(number), str(other))


def _umask() -> int:
    mask = os.umask(0o077)
    os.umask(mask)
    return mask
