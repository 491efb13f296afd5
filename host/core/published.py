"""The published data sets: the sums of their files, what their images are, and where they lie.

A file is known by its content: whatever else lies under its name is not the data set. The sums are
those of the files as they are when they are unpacked, wherever they come from. It needs nothing but
Python.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from spinflow.host.core.errors import InputError

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

CIFAR10_SHA256 = {
    "data_batch_1.bin": "cee916563c9f80d84e3cc88e17fdc0941787f1244f00a67874d45b261883ada5",
    "data_batch_2.bin": "a591ca11fa1708a91ee40f54b3da4784ccd871ecf2137de63f51ada8b3fa57ed",
    "data_batch_3.bin": "bbe8596564c0f86427f876058170b84dac6670ddf06d79402899d93ceea26f67",
    "data_batch_4.bin": "014e562d6e23c72197cc727519169a60359f5eccd8945ad5a09d710285ff4e48",
    "data_batch_5.bin": "755304fc0b379caeae8c14f0dac912fbc7d6cd469eb67a1029a08a39453a9add",
    "test_batch.bin": "8e2eb146ae340b09e24670f29cabc6326dba54da8789dab6768acf480273f65b",
}
"""SHA-256 of each file of CIFAR-10's binary version."""

CIFAR10_BATCH = 10000
"""Images in a file of CIFAR-10."""

CIFAR10_BYTES = dict.fromkeys(CIFAR10_SHA256, CIFAR10_BATCH * 3073)
"""Bytes of each file of CIFAR-10."""


@dataclass(frozen=True)
class TestFiles:
    """The test set of a published data set.

    Attributes:
        title: of the data set, for people.
        shape: channels, rows and columns of an image.
        sums: SHA-256 of each file of the test set, by its name: of images and labels, or of both.
        sizes: bytes of each.
    """

    title: str
    shape: tuple[int, int, int]
    sums: dict[str, str]
    sizes: dict[str, int]

    # pytest takes a class of this name for a group of tests unless told otherwise.
    __test__ = False


def _test_files(
    title: str,
    shape: tuple[int, int, int],
    sums: dict[str, str],
    sizes: dict[str, int],
    beginning: str,
) -> TestFiles:
    names = [name for name in sums if name.startswith(beginning)]
    return TestFiles(title, shape, {n: sums[n] for n in names}, {n: sizes[n] for n in names})


TEST_FILES = {
    "mnist": _test_files("MNIST", (1, 28, 28), MNIST_SHA256, IDX_BYTES, "t10k"),
    "fashion-mnist": _test_files(
        "Fashion-MNIST", (1, 28, 28), FASHION_MNIST_SHA256, IDX_BYTES, "t10k"
    ),
    "cifar10": _test_files("CIFAR-10", (3, 32, 32), CIFAR10_SHA256, CIFAR10_BYTES, "test"),
}
"""The test sets that every part of the kit reads by name, on a board too."""


def cache_folder() -> Path:
    """Return the folder of the data sets, a folder for each: `$SPINFLOW_CACHE` or one at home.

    Raises:
        InputError: there is none, since this user has no home.
    """
    chosen = os.environ.get("SPINFLOW_CACHE")
    if chosen:
        return Path(chosen)
    try:
        return Path.home() / ".cache" / "spinflow"
    except RuntimeError:
        raise InputError(
            "this user has no home folder: set SPINFLOW_CACHE to the folder of the data sets"
        ) from None


def folder_of(dataset: str, given: Path | None = None) -> Path:
    """Return the folder of a data set's files.

    Args:
        dataset: its name.
        given: a folder of one's own, with the files or with a folder of the set's name, as MNIST
            and Fashion-MNIST call their files alike; that in the cache if None.

    Raises:
        InputError: as of :func:`cache_folder`.
    """
    if given is None:
        return cache_folder() / dataset
    return given / dataset if (given / dataset).is_dir() else given
