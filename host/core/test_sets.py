"""The test images: read from a data set's published files and checked, and the choice of them.

The files are those that ``spinflow data`` fetches and verifies: the IDX files of MNIST and
of Fashion-MNIST, and CIFAR-10's ``test_batch.bin``. They lie in a folder of one's own or in its
folder of the set's name, in ``data/`` of the bundle (where ``make deploy`` puts them on a board),
or in the folder of the set's name in the cache (``$SPINFLOW_CACHE`` or ``~/.cache/spinflow``).
"""

from __future__ import annotations

import hashlib
import math
import os
import struct
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from spinflow.host.core.bundle import Bundle
from spinflow.host.core.errors import BundleError, InputError
from spinflow.host.core.reading import gunzipped, read_bytes

Bytes = npt.NDArray[np.uint8]

_IMAGES = "t10k-images-idx3-ubyte"
_LABELS = "t10k-labels-idx1-ubyte"
_BATCH = "test_batch.bin"
_IMAGE = (28, 28)
_PLANES = (3, 32, 32)
_CLASSES = 10
MOST_IMAGES = 10000
"""Images of the largest test set."""

DATASETS = {"mnist": "MNIST", "fashion-mnist": "Fashion-MNIST", "cifar10": "CIFAR-10"}
"""Names of the data sets, as they are called and as they are written."""

SHAPES = {"mnist": (1, *_IMAGE), "fashion-mnist": (1, *_IMAGE), "cifar10": _PLANES}
"""Channels, rows and columns of their images."""


@dataclass(frozen=True)
class TestSet:
    """Images with their labels.

    Attributes:
        images: uint8, shape (n, pixels), each in the order (row, column, channel).
        labels: uint8, shape (n,).
        choice: in words, which of the set's images these are.
    """

    images: Bytes
    labels: Bytes
    choice: str

    # pytest takes a class of this name for a group of tests unless told otherwise.
    __test__ = False

    @property
    def fingerprint(self) -> str:
        """The first 12 digits of the SHA-256 of images and labels: one value for one choice."""
        digest = hashlib.sha256(np.ascontiguousarray(self.images).tobytes())
        digest.update(np.ascontiguousarray(self.labels).tobytes())
        return digest.hexdigest()[:12]


def default_folder(dataset: str) -> Path:
    """Return the folder of the cache that holds a data set."""
    cache = os.environ.get("SPINFLOW_CACHE")
    return (Path(cache) if cache else Path.home() / ".cache" / "spinflow") / dataset


def dataset_of(bundle: Bundle) -> str:
    """Return the data set of a network; BundleError if none of that name is known here."""
    if bundle.dataset not in DATASETS:
        raise BundleError(
            f"{bundle.folder}: {bundle.network} takes data set {bundle.dataset!r}; there are test "
            f"images of {', '.join(DATASETS)}"
        )
    return bundle.dataset


def images_for(
    bundle: Bundle, count: int, folder: Path | None = None, choice_seed: int | None = None
) -> TestSet:
    """Load test images for a network; arguments and errors as :func:`images_of`."""
    beside = bundle.folder / "data"
    if folder is None and beside.is_dir():
        folder = beside
    tests = images_of(dataset_of(bundle), count, folder, choice_seed)
    if tests.images.shape[1] != bundle.pixels:
        raise InputError(
            f"{bundle.network} takes images of {bundle.pixels} bytes, those of the test set have "
            f"{tests.images.shape[1]}"
        )
    return tests


def mnist_test(count: int, folder: Path | None = None, choice_seed: int | None = None) -> TestSet:
    """Load images of the MNIST test set; arguments and errors as :func:`images_of`."""
    return images_of("mnist", count, folder, choice_seed)


def images_of(
    dataset: str, count: int, folder: Path | None = None, choice_seed: int | None = None
) -> TestSet:
    """Load images of a test set.

    Args:
        dataset: one of DATASETS.
        count: how many.
        folder: where the files lie; the cache if not given.
        choice_seed: choose at random with this seed, in the set's order; the first ones if None.

    Raises:
        InputError: a file is missing or damaged, or the set has fewer images.
    """
    where = default_folder(dataset) if folder is None else folder
    if (where / dataset).is_dir():
        where = where / dataset
    images, labels = _READERS[dataset](where)
    if len(images) != len(labels) or not len(labels) or labels.max() >= _CLASSES:
        raise InputError(
            f"{where}: {len(images)} images and {len(labels)} labels do not belong together"
        )
    if not 1 <= count <= len(images):
        raise InputError(
            f"{count} images asked for: must be from 1 to the {len(images)} of the test set"
        )
    title = f"{DATASETS[dataset]} test set"
    if choice_seed is None:
        chosen, words = np.arange(count), f"the first {count} images of the {title}"
    else:
        if choice_seed < 0:
            raise InputError(f"image seed {choice_seed}: must be 0 or more")
        chosen = np.sort(np.random.default_rng(choice_seed).permutation(len(images))[:count])
        words = f"{count} images of the {title}, chosen with seed {choice_seed}"
    return TestSet(images.reshape(len(images), -1)[chosen], labels[chosen], words)


def _read_mnist(folder: Path, name: str = "mnist") -> tuple[Bytes, Bytes]:
    return _read_idx(folder, _IMAGES, 3, name), _read_idx(folder, _LABELS, 1, name)


def _read_cifar10(folder: Path) -> tuple[Bytes, Bytes]:
    """Read records of a label and three planes of pixels (Krizhevsky's "binary version")."""
    path = folder / _BATCH
    if not path.exists():
        raise InputError(
            f"{folder} holds no {_BATCH}: run `spinflow data cifar10` or give the folder "
            "with --data-dir"
        )
    size = 1 + math.prod(_PLANES)
    raw = np.frombuffer(read_bytes(path, MOST_IMAGES * size), np.uint8)
    if not raw.size or raw.size % size:
        raise InputError(
            f"{path}: {raw.size} bytes are not a whole number of records of {size} bytes"
        )
    records = raw.reshape(-1, size)
    planes = records[:, 1:].reshape(-1, *_PLANES)
    return planes.transpose(0, 2, 3, 1), records[:, 0]


_READERS = {
    "mnist": _read_mnist,
    "fashion-mnist": lambda folder: _read_mnist(folder, "fashion-mnist"),
    "cifar10": _read_cifar10,
}


def _read_idx(folder: Path, name: str, dimensions: int, dataset: str) -> Bytes:
    path, packed = folder / name, folder / f"{name}.gz"
    item = _IMAGE if dimensions > 1 else ()
    header = 4 + 4 * dimensions
    most = header + MOST_IMAGES * math.prod(item)
    if path.exists():
        raw = read_bytes(path, most)
    elif packed.exists():
        path = packed
        with gunzipped(path, most) as stream:
            raw = stream.read()
    else:
        raise InputError(
            f"{folder} has neither {name} nor {name}.gz: run `spinflow data {dataset}` "
            "or give the folder with --data-dir"
        )
    if len(raw) < header or raw[:4] != bytes((0, 0, 8, dimensions)):
        raise InputError(f"{path}: not an IDX file of unsigned bytes in {dimensions} dimensions")
    shape = struct.unpack(f">{dimensions}I", raw[4:header])
    if shape[1:] != item:
        raise InputError(
            f"{path}: images of {' x '.join(map(str, shape[1:]))} pixels, those of the set have "
            f"{' x '.join(map(str, item))}"
        )
    expected = header + math.prod(shape)
    if len(raw) != expected:
        raise InputError(f"{path}: {len(raw)} bytes, its header says {expected}")
    return np.frombuffer(raw, np.uint8, offset=header).reshape(shape)
