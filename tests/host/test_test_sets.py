"""Test images: which data set a bundle means, its files in their published form, its choice."""

from __future__ import annotations

import struct
from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from spinflow.host.core.bundle import Bundle
from spinflow.host.core.errors import BundleError, InputError
from spinflow.host.core.test_sets import dataset_of, images_for, images_of


def records(count: int, seed: int = 1) -> tuple[npt.NDArray[np.uint8], bytes]:
    """Return images (n, 3, 32, 32) and CIFAR-10's records of them, labelled 0, 1, ..., 9, 0, ..."""
    planes = np.random.default_rng(seed).integers(0, 256, (count, 3, 32, 32)).astype(np.uint8)
    labels = (np.arange(count) % 10).astype(np.uint8)
    return planes, np.hstack([labels[:, None], planes.reshape(count, -1)]).tobytes()


@pytest.fixture
def cifar(bundle: Bundle, tmp_path: Path) -> Bundle:
    """A network of CIFAR-10's shape whose bundle folder is empty."""
    return replace(
        bundle, folder=tmp_path, network="tiny-cifar10", dataset="cifar10", input_shape=(32, 32, 3)
    )


def idx(dimensions: tuple[int, ...], content: npt.NDArray[np.uint8]) -> bytes:
    """Return an IDX file of unsigned bytes."""
    return struct.pack(f">4B{len(dimensions)}I", 0, 0, 8, len(dimensions), *dimensions) + bytes(
        content
    )


def test_the_data_set_is_the_one_named(bundle: Bundle) -> None:
    assert dataset_of(bundle) == "mnist"
    assert dataset_of(replace(bundle, dataset="fashion-mnist")) == "fashion-mnist"
    with pytest.raises(BundleError, match="takes data set 'svhn'; there are"):
        dataset_of(replace(bundle, dataset="svhn"))


def test_a_folder_of_the_sets_name_comes_first(bundle: Bundle, tmp_path: Path) -> None:
    for number, folder in enumerate((tmp_path, tmp_path / "fashion-mnist")):
        folder.mkdir(exist_ok=True)
        pixels = np.full(3 * 784, number, np.uint8)
        (folder / "t10k-images-idx3-ubyte").write_bytes(idx((3, 28, 28), pixels))
        (folder / "t10k-labels-idx1-ubyte").write_bytes(idx((3,), np.arange(3, dtype=np.uint8)))
    assert images_for(bundle, 3, tmp_path).images.max() == 0
    fashion = images_for(replace(bundle, dataset="fashion-mnist"), 2, tmp_path)
    assert fashion.images.min() == 1
    assert fashion.choice == "the first 2 images of the Fashion-MNIST test set"
    with pytest.raises(InputError, match=r"`spinflow data fashion-mnist`"):
        images_of("fashion-mnist", 1, tmp_path / "nowhere")


def test_planes_become_pixels_in_the_order_row_column_channel(
    cifar: Bundle, tmp_path: Path
) -> None:
    planes, content = records(20)
    (tmp_path / "own").mkdir()
    (tmp_path / "own" / "test_batch.bin").write_bytes(content)
    tests = images_for(cifar, 12, tmp_path / "own")
    assert tests.choice == "the first 12 images of the CIFAR-10 test set"
    assert tests.labels.tolist() == [*range(10), 0, 1]
    assert tests.images.shape == (12, 3072)
    for row, column, channel in ((0, 0, 0), (0, 0, 2), (0, 1, 0), (1, 0, 0), (31, 17, 1)):
        place = (row * 32 + column) * 3 + channel
        assert tests.images[:, place].tolist() == planes[:12, channel, row, column].tolist()


def test_files_beside_the_bundle_come_before_the_cache(
    cifar: Bundle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SPINFLOW_CACHE", str(tmp_path / "cache"))
    for number, folder in enumerate((tmp_path / "cache" / "cifar10", tmp_path / "data")):
        folder.mkdir(parents=True)
        planes, content = records(10, seed=number)
        (folder / "test_batch.bin").write_bytes(content)
        assert images_for(cifar, 1).images[0, 0] == planes[0, 0, 0, 0]


def test_a_choice_by_seed_keeps_images_and_labels_together(cifar: Bundle, tmp_path: Path) -> None:
    planes, content = records(50)
    (tmp_path / "test_batch.bin").write_bytes(content)
    tests = images_for(cifar, 20, tmp_path, choice_seed=3)
    whole = planes.transpose(0, 2, 3, 1).reshape(50, -1).tolist()
    found = [whole.index(image.tolist()) for image in tests.images]
    assert found == sorted(set(found)) != list(range(20))
    assert tests.labels.tolist() == [number % 10 for number in found]


def test_wrong_files_are_named(cifar: Bundle, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"holds no test_batch\.bin: run `spinflow data c"):
        images_of("cifar10", 1, tmp_path)
    path = tmp_path / "test_batch.bin"
    for content in (b"", records(2)[1][:-1]):
        path.write_bytes(content)
        with pytest.raises(InputError, match=r"bytes are not a whole number of records of 3073"):
            images_of("cifar10", 1, tmp_path)
    path.write_bytes(b"\x0b" + records(1)[1][1:])
    with pytest.raises(InputError, match="do not belong together"):
        images_of("cifar10", 1, tmp_path)
    path.write_bytes(records(3)[1])
    with pytest.raises(InputError, match="4 images asked for: must be from 1 to the 3"):
        images_of("cifar10", 4, tmp_path)


def test_a_data_set_of_another_size_is_refused(bundle: Bundle, tmp_path: Path) -> None:
    (tmp_path / "test_batch.bin").write_bytes(records(1)[1])
    with pytest.raises(InputError, match="takes images of 784 bytes, those of the test set have 3"):
        images_for(replace(bundle, dataset="cifar10"), 1, tmp_path)
