"""Test images: the published files and no others, which data set a bundle means, the choice."""

from __future__ import annotations

import gzip
import re
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from spinflow.host.core.bundle import Bundle
from spinflow.host.core.errors import BundleError, InputError
from spinflow.host.core.published import TEST_FILES, folder_of
from spinflow.host.core.test_sets import (
    DATASETS,
    AtMost,
    TestSet,
    dataset_of,
    images_for,
    images_of,
)

BATCH = "test_batch.bin"
MNIST = tuple(TEST_FILES["mnist"].sums)


@pytest.fixture
def cifar(bundle: Bundle, tmp_path: Path) -> Bundle:
    """A network of CIFAR-10's shape whose bundle folder is empty."""
    return replace(
        bundle, folder=tmp_path, network="tiny-cifar10", dataset="cifar10", input_shape=(32, 32, 3)
    )


@pytest.fixture(scope="module")
def records() -> npt.NDArray[np.uint8]:
    """The records of CIFAR-10's test batch: a label and three planes each."""
    return np.fromfile(folder_of("cifar10") / BATCH, np.uint8).reshape(10000, 3073)


def copied(dataset: str, folder: Path) -> None:
    """Put a data set's test files into a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in TEST_FILES[dataset].sums:
        shutil.copy(folder_of(dataset) / name, folder)


def test_the_data_set_is_the_one_named(bundle: Bundle) -> None:
    assert dataset_of(bundle) == "mnist"
    assert dataset_of(replace(bundle, dataset="fashion-mnist")) == "fashion-mnist"
    with pytest.raises(BundleError, match="takes data set 'svhn'; there are"):
        dataset_of(replace(bundle, dataset="svhn"))


def test_a_folder_of_the_sets_name_comes_first(bundle: Bundle, tmp_path: Path) -> None:
    copied("mnist", tmp_path)
    copied("fashion-mnist", tmp_path / "fashion-mnist")
    fashion = images_for(replace(bundle, dataset="fashion-mnist"), 2, tmp_path)
    assert fashion.choice == "the first 2 images of the Fashion-MNIST test set"
    assert fashion.labels.tolist() == [9, 2] and fashion.labels.dtype == np.uint16
    assert images_for(bundle, 3, tmp_path).labels.tolist() == [7, 2, 1]
    with pytest.raises(InputError, match=r"`spinflow data fashion-mnist`"):
        images_of("fashion-mnist", 1, tmp_path / "nowhere")


def test_planes_become_pixels_in_the_order_row_column_channel(
    cifar: Bundle, records: npt.NDArray[np.uint8]
) -> None:
    tests = images_for(cifar, 12)
    assert tests.choice == "the first 12 images of the CIFAR-10 test set"
    assert tests.labels.tolist() == records[:12, 0].tolist()
    assert tests.images.shape == (12, 3072)
    planes = records[:12, 1:].reshape(12, 3, 32, 32)
    for row, column, channel in ((0, 0, 0), (0, 0, 2), (0, 1, 0), (1, 0, 0), (31, 17, 1)):
        place = (row * 32 + column) * 3 + channel
        assert tests.images[:, place].tolist() == planes[:, channel, row, column].tolist()


def test_files_beside_the_bundle_come_before_the_cache(
    cifar: Bundle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "cache" / "cifar10").mkdir(parents=True)
    (tmp_path / "cache" / "cifar10" / BATCH).write_bytes(b"no data set")
    copied("cifar10", tmp_path / "data")
    monkeypatch.setenv("SPINFLOW_CACHE", str(tmp_path / "cache"))
    assert len(images_for(cifar, 1).images) == 1
    shutil.rmtree(tmp_path / "data")
    with pytest.raises(InputError, match="is not the published file of CIFAR-10"):
        images_for(cifar, 1)


def test_a_choice_by_seed_keeps_images_and_labels_together(
    cifar: Bundle, records: npt.NDArray[np.uint8]
) -> None:
    tests = images_for(cifar, 20, choice_seed=3)
    whole = records[:, 1:].reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1).reshape(10000, -1)
    places = {image.tobytes(): number for number, image in enumerate(whole)}
    found = [places[image.tobytes()] for image in tests.images]
    assert found == sorted(set(found)) != list(range(20))
    assert tests.labels.tolist() == [int(records[number, 0]) for number in found]
    with pytest.raises(InputError, match="10001 images asked for: must be from 1 to the 10000"):
        images_for(cifar, 10001)
    assert len(images_for(cifar, AtMost(10001)).images) == 10000
    assert len(images_for(cifar, AtMost(3)).images) == 3


@pytest.mark.parametrize("dataset", DATASETS)
def test_noise_passes_for_no_data_set(dataset: str, tmp_path: Path) -> None:
    """A file of the right name, size and form, of another content."""
    copied(dataset, tmp_path)
    known = TEST_FILES[dataset]
    for name in known.sums:
        path = tmp_path / name
        content = path.read_bytes()
        noise = np.random.default_rng(1).integers(0, 10, len(content), np.uint8)
        path.write_bytes(content[:16] + noise[16:].tobytes())
        assert path.stat().st_size == known.sizes[name]
        said = f"{name} is not the published file of {known.title}: SHA-256 "
        with pytest.raises(InputError, match=re.escape(said)) as caught:
            images_of(dataset, 1, tmp_path)
        assert known.sums[name][:12] in str(caught.value) and len(str(caught.value)) < 300
        assert f"`spinflow data {dataset}`" in str(caught.value)
        assert "`spinflow import --data`" in str(caught.value)
        path.write_bytes(content)
    assert len(images_of(dataset, 10000, tmp_path).labels) == 10000


@pytest.mark.parametrize(
    ("change", "line"),
    [
        (lambda content: b"", "is not the published file"),
        (lambda content: content[:-1], "is not the published file"),
        (lambda content: content + b"\0", "more than 10008 bytes, the most that a file of its"),
    ],
    ids=["empty", "shorter", "longer"],
)
def test_files_of_another_length(
    change: Callable[[bytes], bytes], line: str, tmp_path: Path
) -> None:
    copied("mnist", tmp_path)
    path = tmp_path / MNIST[1]
    path.write_bytes(change(path.read_bytes()))
    with pytest.raises(InputError, match=line):
        images_of("mnist", 1, tmp_path)


def test_gzipped_files_are_known_by_their_content(tmp_path: Path) -> None:
    copied("mnist", tmp_path)
    for name in MNIST:
        path = tmp_path / name
        (tmp_path / f"{name}.gz").write_bytes(gzip.compress(path.read_bytes(), 1))
        path.unlink()
    assert images_of("mnist", 10, tmp_path).fingerprint == images_of("mnist", 10).fingerprint
    (tmp_path / f"{MNIST[1]}.gz").write_bytes(gzip.compress(bytes(10008)))
    with pytest.raises(InputError, match=r"ubyte\.gz is not the published file of MNIST"):
        images_of("mnist", 1, tmp_path)


def test_a_data_set_of_another_size_is_refused(bundle: Bundle) -> None:
    with pytest.raises(InputError, match="takes images of 784 bytes, those of the test set have 3"):
        images_for(replace(bundle, dataset="cifar10"), 1)


def test_a_fingerprint_is_of_values_and_not_of_types() -> None:
    images = np.arange(8, dtype=np.uint8).reshape(2, 4)
    narrow = TestSet(images, np.array([3, 255], np.uint8), "").fingerprint
    assert TestSet(images, np.array([3, 255], np.uint16), "").fingerprint == narrow
    assert TestSet(images, np.array([3, 254], np.uint16), "").fingerprint != narrow
    assert TestSet(images, np.array([3, 256], np.uint16), "").fingerprint != narrow
    # The one that results of earlier sweeps carry.
    assert images_of("mnist", 500).fingerprint == "c0c17fff18d5"
