"""The test images of a network: where they lie, that they are the right ones, the choice of them.

A network of one's own data has its test set in its bundle (host.core.own_tests). Those of MNIST, of
Fashion-MNIST and of CIFAR-10 are the published files that ``spinflow data`` fetches; a file of
another content is refused. They lie in a folder of one's own or in its folder of the set's name, in
``data/`` of the bundle (where ``make deploy`` puts them on a board), or in the folder of the set's
name in the cache (``$SPINFLOW_CACHE`` or ``~/.cache/spinflow``).
"""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from spinflow.host.core import own_tests
from spinflow.host.core.bundle import Bundle
from spinflow.host.core.description import FILES, TEST_SET
from spinflow.host.core.errors import BundleError, InputError
from spinflow.host.core.plain import check_digest, read_plain
from spinflow.host.core.published import TEST_FILES, TestFiles, folder_of
from spinflow.host.core.reading import gunzipped, read_bytes

Bytes = npt.NDArray[np.uint8]
Labels = npt.NDArray[np.uint16]

DATASETS = {name: files.title for name, files in TEST_FILES.items()}
"""Names of the data sets, as they are called and as they are written."""

SHAPES = {name: files.shape for name, files in TEST_FILES.items()}
"""Channels, rows and columns of their images."""

MOST_IMAGES = 10000
"""Images of the largest published test set."""


class AtMost(int):
    """How many images are taken, or all if there are fewer: a number that nobody has asked for."""


@dataclass(frozen=True)
class TestSet:
    """Images with their labels.

    Attributes:
        images: uint8, shape (n, pixels), each in the order (row, column, channel).
        labels: whole numbers from 0, shape (n,); uint16 as they are read.
        choice: in words, which of the set's images these are.
        data: name of the data set, as files call it.
    """

    images: Bytes
    labels: npt.NDArray[np.integer]
    choice: str
    data: str = "images"

    # pytest takes a class of this name for a group of tests unless told otherwise.
    __test__ = False

    @property
    def fingerprint(self) -> str:
        """The first 12 digits of the SHA-256 of images and labels: one value for one choice.

        Labels that fit bytes count as bytes, whatever type they are held in.
        """
        digest = hashlib.sha256(np.ascontiguousarray(self.images).tobytes())
        fits = not len(self.labels) or self.labels.max() < 256
        digest.update(self.labels.astype(np.uint8 if fits else "<u2").tobytes())
        return digest.hexdigest()[:12]


def dataset_of(bundle: Bundle) -> str:
    """Return the data set of a network; BundleError if none of that name is known here."""
    if bundle.dataset not in DATASETS:
        raise BundleError(
            f"{bundle.folder}: {bundle.network} takes data set {bundle.dataset!r}; there are test "
            f"images of {', '.join(DATASETS)}, and the bundle has none of its own"
        )
    return bundle.dataset


def images_for(
    bundle: Bundle, count: int, folder: Path | None = None, choice_seed: int | None = None
) -> TestSet:
    """Load test images for a network.

    Args:
        bundle: of the network; its own test set goes before every other.
        count: how many, a plain int or AtMost.
        folder: where the files of a published set lie.
        choice_seed: as of :func:`chosen`.

    Raises:
        BundleError: the bundle's own test set is damaged, or it has none and no known name.
        InputError: as :func:`images_of`.
    """
    if bundle.test_sha256:
        return chosen(_own(bundle), count, choice_seed, bundle.dataset)
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


def _own(bundle: Bundle) -> own_tests.OwnTests:
    path = bundle.folder / TEST_SET
    content = read_plain(path, FILES[TEST_SET])
    check_digest(path, hashlib.sha256(content).hexdigest(), bundle.test_sha256)
    return own_tests.unpack(path, content, bundle.pixels, bundle.classes)


def mnist_test(count: int, folder: Path | None = None, choice_seed: int | None = None) -> TestSet:
    """Load images of the MNIST test set; arguments and errors as :func:`images_of`."""
    return images_of("mnist", count, folder, choice_seed)


def images_of(
    dataset: str, count: int, folder: Path | None = None, choice_seed: int | None = None
) -> TestSet:
    """Load images of a published test set.

    Args:
        dataset: one of DATASETS.
        count: how many, a plain int or AtMost.
        folder: where the files lie; the cache if not given.
        choice_seed: as of :func:`chosen`.

    Raises:
        InputError: a file is missing or is not the published one, or the set has fewer images.
    """
    where = folder_of(dataset, folder)
    known = TEST_FILES[dataset]
    contents = [_content(where, name, dataset) for name in known.sums]
    images, labels = _taken_apart(known, contents)
    whole = own_tests.OwnTests(images, labels.astype(np.uint16), f"the {known.title} test set")
    return chosen(whole, count, choice_seed, dataset)


def chosen(
    whole: own_tests.OwnTests, count: int, choice_seed: int | None = None, data: str = ""
) -> TestSet:
    """Return a choice of a test set's images.

    Args:
        whole: the test set.
        count: how many, a plain int or AtMost.
        choice_seed: choose at random with this seed, in the set's order; the first ones if None.
        data: name of the data set; that of its title if it is empty.

    Raises:
        InputError: the set has fewer images, or the seed is below 0.
    """
    if isinstance(count, AtMost):
        count = min(count, len(whole.images))
    if not 1 <= count <= len(whole.images):
        raise InputError(
            f"{count} images asked for: must be from 1 to the {len(whole.images)} of the test set"
        )
    if choice_seed is None:
        which, words = np.arange(count), f"the first {count} images of {whole.title}"
    else:
        if choice_seed < 0:
            raise InputError(f"image seed {choice_seed}: must be 0 or more")
        which = np.sort(np.random.default_rng(choice_seed).permutation(len(whole.images))[:count])
        words = f"{count} images of {whole.title}, chosen with seed {choice_seed}"
    name = data or own_tests.name_of(whole.title)
    return TestSet(whole.images[which], whole.labels[which], words, name)


def _content(folder: Path, name: str, dataset: str) -> bytes:
    """Return a published file's content, unpacked."""
    known = TEST_FILES[dataset]
    path, packed = folder / name, folder / f"{name}.gz"
    if path.exists():
        content = read_bytes(path, known.sizes[name])
    elif packed.exists():
        path = packed
        with gunzipped(path, known.sizes[name]) as stream:
            content = stream.read()
    else:
        raise InputError(
            f"{folder} has neither {name} nor {name}.gz: run `spinflow data {dataset}` "
            "or give the folder with --data-dir"
        )
    found = hashlib.sha256(content).hexdigest()
    if found != known.sums[name]:
        raise InputError(
            f"{path} is not the published file of {known.title}: SHA-256 {found[:12]}..., expected "
            f"{known.sums[name][:12]}...; `spinflow data {dataset}` fetches it, and data of one's "
            "own come with `spinflow import --data`"
        )
    return content


def _taken_apart(known: TestFiles, contents: list[bytes]) -> tuple[Bytes, Bytes]:
    """Return images and labels of files whose sums are right."""
    pixels = math.prod(known.shape)
    if len(contents) == 2:
        images, labels = (np.frombuffer(content, np.uint8) for content in contents)
        return images[16:].reshape(-1, pixels), labels[8:]
    records = np.frombuffer(contents[0], np.uint8).reshape(-1, 1 + pixels)
    planes = records[:, 1:].reshape(-1, *known.shape)
    return planes.transpose(0, 2, 3, 1).reshape(-1, pixels), records[:, 0]
