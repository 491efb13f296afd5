"""CIFAR-100, SVHN and ImageNet are read in their published forms, and other files are refused."""

from __future__ import annotations

import dataclasses
import io
import subprocess
import sys
import tarfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from scipy.io import savemat

from spinflow.model import data
from spinflow.model.data import DataError, Dataset, Pictures, cifar, imagenet, svhn
from spinflow.model.data.common import Bytes


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("SPINFLOW_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@dataclasses.dataclass
class Cifar100:
    """Two images of each class to train with, one to test."""

    folder: Path
    expected: Dataset
    files: dict[str, bytes]

    def write(self, inner: str = ".") -> None:
        (self.folder / inner).mkdir(parents=True)
        for name, content in self.files.items():
            (self.folder / inner / name).write_bytes(content)

    def archive(self) -> Path:
        self.folder.mkdir()
        path = self.folder / "cifar-100-binary.tar.gz"
        with tarfile.open(path, "w:gz") as archive:
            for name, content in [("fine_label_names.txt", b"apple\n"), *self.files.items()]:
                member = tarfile.TarInfo(f"cifar-100-binary/{name}")
                member.size = len(content)
                archive.addfile(member, io.BytesIO(content))
        return path


@pytest.fixture
def cifar100(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Cifar100:
    generator = np.random.default_rng(100)
    counts = {"train.bin": 200, "test.bin": 100}
    monkeypatch.setattr(cifar, "CIFAR100_IMAGES", counts)
    parts, files = [], {}
    for name, count in counts.items():
        images = generator.integers(0, 256, (count, 32, 32, 3), dtype=np.uint8)
        labels = generator.permutation(np.arange(count) % 100).astype(np.uint8)
        files[name] = b"".join(
            bytes([label // 5, label]) + image.transpose(2, 0, 1).tobytes()
            for image, label in zip(images, labels, strict=True)
        )
        parts += [images.reshape(count, 3072), labels]
    return Cifar100(tmp_path / "mine", Dataset(*parts), files)


def check(found: Dataset, expected: Dataset) -> None:
    assert found.shape == (3, 32, 32) and not found.notes
    for part in ("train_images", "train_labels", "test_images", "test_labels"):
        one, other = getattr(found, part), getattr(expected, part)
        np.testing.assert_array_equal(one, other)
        assert one.dtype == np.uint8


def test_the_test_set_of_a_held_set_travels_with_a_bundle(cifar100: Cifar100, cache: Path) -> None:
    """A board has no reader of it."""
    cifar100.write()
    found = data.own_tests("cifar100", cifar100.folder)
    assert found is not None and found.title == "the CIFAR-100 test set"
    np.testing.assert_array_equal(found.images, cifar100.expected.test_images)
    np.testing.assert_array_equal(found.labels, cifar100.expected.test_labels)
    assert found.labels.dtype == np.uint16 and data.own_tests("cifar10") is None


@pytest.mark.parametrize("form", ["files", "folder", "archive"])
def test_cifar100(cifar100: Cifar100, cache: Path, form: str) -> None:
    if form == "archive":
        cifar100.archive()
    else:
        cifar100.write("cifar-100-binary" if form == "folder" else ".")
    check(data.dataset("cifar100", cifar100.folder), cifar100.expected)
    assert not cache.exists()


def test_cifar100_in_the_cache(cifar100: Cifar100, cache: Path) -> None:
    cifar100.folder = cache / "cifar100"
    cifar100.write()
    check(data.dataset("cifar100"), cifar100.expected)


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        ("no folder", "mine: no such folder; it must hold cifar-100-binary.tar.gz or"),
        ("missing", "mine: holds neither test.bin nor cifar-100-binary.tar.gz"),
        ("empty", "test.bin: 0 bytes are no whole records of 3074 bytes"),
        ("short", "test.bin: 307399 bytes are no whole records of 3074 bytes"),
        ("fewer", "test.bin: 99 images, that file of CIFAR-100 has 100"),
        ("other", "test.bin: 200 images, that file of CIFAR-100 has 100"),
        ("fine label", "test.bin: a label is 100, valid: 0 to 99"),
        ("coarse label", "test.bin: a label is 20, valid: 0 to 19"),
        ("classes", r"test.bin: [02] images of class \d+, expected 1"),
        ("short archive", "cifar-100-binary.tar.gz: damaged or incomplete archive"),
        ("other archive", "cifar-100-binary.tar.gz: holds no cifar-100-binary/test.bin"),
    ],
)
def test_bad_cifar100(cifar100: Cifar100, cache: Path, damage: str, message: str) -> None:
    test = bytearray(cifar100.files["test.bin"])
    if damage == "short":
        del test[-1]
    elif damage == "fewer":
        del test[-3074:]
    elif damage == "empty":
        test.clear()
    elif damage == "other":
        test = bytearray(cifar100.files["train.bin"])
    elif damage == "fine label":
        test[1] = 100
    elif damage == "coarse label":
        test[0] = 20
    elif damage == "classes":
        test[1] = (test[1] + 1) % 100
    cifar100.files["test.bin"] = bytes(test)
    if damage in ("missing", "other archive"):
        del cifar100.files["test.bin"]
    if damage.endswith("archive"):
        path = cifar100.archive()
        if damage == "short archive":
            path.write_bytes(path.read_bytes()[:-2000])
    elif damage != "no folder":
        cifar100.write()
    with pytest.raises(DataError, match=message) as caught:
        data.dataset("cifar100", cifar100.folder)
    assert str(cifar100.folder) in str(caught.value) and "\n" not in str(caught.value)
    assert not cache.exists()


@dataclasses.dataclass
class Digits:
    """A few images a file of SVHN."""

    folder: Path
    images: dict[str, Bytes]
    labels: dict[str, Bytes]

    def write(self, name: str, compressed: bool = True, **other: object) -> None:
        # The published order is (row, column, channel, image), and the digit 0 has the label 10.
        labels = np.where(self.labels[name] == 0, 10, self.labels[name]).astype(np.uint8)
        images = self.images[name].reshape(-1, 32, 32, 3).transpose(1, 2, 3, 0)
        contents = {"X": images, "y": labels[:, None], **other}
        savemat(
            self.folder / name,
            {key: value for key, value in contents.items() if value is not None},
            do_compression=compressed,
        )


@pytest.fixture
def digits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Digits:
    generator = np.random.default_rng(5)
    counts = {"train_32x32.mat": 30, "extra_32x32.mat": 40, "test_32x32.mat": 20}
    monkeypatch.setattr(svhn, "SVHN_IMAGES", counts)
    found = Digits(
        tmp_path / "mine",
        {name: generator.integers(0, 256, (n, 3072), dtype=np.uint8) for name, n in counts.items()},
        {name: (np.arange(n) % 10).astype(np.uint8) for name, n in counts.items()},
    )
    found.folder.mkdir()
    for name in counts:
        found.write(name)
    return found


@pytest.mark.parametrize("with_extra", [False, True])
def test_svhn(digits: Digits, cache: Path, with_extra: bool) -> None:
    train = ["train_32x32.mat", *(["extra_32x32.mat"] if with_extra else [])]
    if not with_extra:
        (digits.folder / "extra_32x32.mat").unlink()
    found = data.dataset("svhn-extra" if with_extra else "svhn", digits.folder)
    expected = Dataset(
        np.concatenate([digits.images[name] for name in train]),
        np.concatenate([digits.labels[name] for name in train]),
        digits.images["test_32x32.mat"],
        digits.labels["test_32x32.mat"],
    )
    check(found, expected)
    assert not cache.exists()


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        ("missing", "mine: holds no extra_32x32.mat"),
        ("empty", "extra_32x32.mat: not a compressed MATLAB 5 file"),
        ("text", "extra_32x32.mat: not a compressed MATLAB 5 file"),
        ("uncompressed", "extra_32x32.mat: not a compressed MATLAB 5 file"),
        ("short", r"extra_32x32.mat: damaged or incomplete \("),
        ("changed", r"extra_32x32.mat: damaged or incomplete \("),
        ("no labels", "extra_32x32.mat: holds no variables X and y"),
        ("float", r"extra_32x32.mat: X is float64 of \(32, 32, 3, 40\), must be uint8"),
        ("grey", r"extra_32x32.mat: X is uint8 of \(32, 32, 40\), must be uint8 of \(32, 32, 3, n"),
        ("fewer labels", r"extra_32x32.mat: y has shape \(39, 1\), must be \(40, 1\)"),
        ("label", "extra_32x32.mat: labels from 0 to 10, valid: 1 to 10"),
        ("other", "extra_32x32.mat: 30 images, that file of SVHN has 40"),
    ],
)
def test_bad_svhn(digits: Digits, cache: Path, damage: str, message: str) -> None:
    name = "extra_32x32.mat"
    path = digits.folder / name
    content = path.read_bytes()
    images = digits.images[name].reshape(-1, 32, 32, 3).transpose(1, 2, 3, 0)
    if damage == "missing":
        path.unlink()
    elif damage == "uncompressed":
        digits.write(name, compressed=False)
    elif damage == "no labels":
        digits.write(name, y=None)
    elif damage == "float":
        digits.write(name, X=images.astype(float))
    elif damage == "grey":
        digits.write(name, X=images[:, :, 0])
    elif damage == "fewer labels":
        digits.write(name, y=np.ones((39, 1), np.uint8))
    elif damage == "label":
        digits.write(name, y=(np.arange(40) % 11).astype(np.uint8)[:, None])
    else:
        middle = len(content) // 2
        changed = content[:middle] + bytes([content[middle] ^ 255]) + content[middle + 1 :]
        other = (digits.folder / "train_32x32.mat").read_bytes()
        path.write_bytes(
            {
                "empty": b"",
                "text": b"404 Not Found\n" * 20,
                "short": content[:-100],
                "changed": changed,
                "other": other,
            }[damage]
        )
    with pytest.raises(DataError, match=message) as caught:
        data.dataset("svhn-extra", digits.folder)
    assert str(digits.folder) in str(caught.value) and "\n" not in str(caught.value)
    assert not cache.exists()
    # The set without the extra file is whole.
    assert len(data.dataset("svhn", digits.folder).train_labels) == 30


WNIDS = ["n01440764", "n01443537", "n02119789", "n15075141"]


@pytest.fixture
def pictures(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Four classes of four to six training pictures and two more, one colour each."""
    monkeypatch.setattr(imagenet, "TRAIN_OF_A_CLASS", (4, 6))
    monkeypatch.setattr(imagenet, "VAL_OF_A_CLASS", 2)
    monkeypatch.setattr(imagenet, "CLASSES", 4)
    monkeypatch.setattr(imagenet, "TRAIN_IMAGES", 18)
    folder = tmp_path / "ILSVRC2012"
    for label, wnid in enumerate(WNIDS):
        for part, count in (("train", [4, 6, 4, 4][label]), ("val", 2)):
            (folder / part / wnid).mkdir(parents=True)
            for number in range(count):
                size = [(20, 30), (30, 20)][number % 2]
                Image.new("RGB", size, colour(label, number)).save(
                    folder / part / wnid / f"{wnid}_{number}.JPEG", "jpeg", quality=95
                )
    (folder / "train" / "readme.txt").write_text("none of it")
    (folder / "train" / WNIDS[0] / ".DS_Store").write_text("none of it")
    return folder


def colour(label: int, number: int) -> tuple[int, int, int]:
    return 60 * label, 40 * number, 128


def colours(images: Bytes) -> Bytes:
    """The mean colour of each image, (n, 3)."""
    return images.reshape(len(images), -1, 3).mean(axis=1).round().astype(np.uint8)


def near(images: Bytes, expected: list[tuple[int, int, int]]) -> bool:
    return bool(np.abs(colours(images).astype(int) - expected).max() <= 2)


def test_imagenet_in_batches(pictures: Path, cache: Path) -> None:
    found = data.open_imagenet(pictures, 4, resize=16, crop=12)
    assert found.classes == tuple(WNIDS) and len(found.train) == 18 and len(found.test) == 8
    assert np.bincount(found.train.labels).tolist() == [4, 6, 4, 4]
    batches = list(found.train.batches(5, workers=2))
    assert [len(labels) for _, labels in batches] == [5, 5, 5, 3]
    images = np.concatenate([images for images, _ in batches])
    assert images.shape == (18, 12 * 12 * 3) and images.dtype == np.uint8
    np.testing.assert_array_equal(
        np.concatenate([labels for _, labels in batches]), found.train.labels
    )
    expected = [colour(label, n) for label, count in enumerate([4, 6, 4, 4]) for n in range(count)]
    assert near(images, expected)
    assert not cache.exists()


def test_imagenet_in_an_order(pictures: Path) -> None:
    found = data.open_imagenet(pictures, 4, resize=16, crop=12)
    ((images, labels),) = found.test.batches(8, order=np.array([7, 0, 2]))
    assert labels.tolist() == [3, 0, 1]
    assert near(images, [colour(3, 1), colour(0, 0), colour(1, 0)])


def test_classes_of_imagenet(pictures: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert data.open_imagenet(pictures, 2).classes == tuple(WNIDS[:2])
    named = data.open_imagenet(pictures, [WNIDS[3], WNIDS[1]], resize=16, crop=8)
    assert named.classes == (WNIDS[3], WNIDS[1])
    ((images, labels),) = named.test.batches(4)
    assert labels.tolist() == [0, 0, 1, 1]
    assert near(images, [colour(3, 0), colour(3, 1), colour(1, 0), colour(1, 1)])
    # Drawn at random: the same seed, the same classes, and all of them in time.
    drawn = [data.open_imagenet(pictures, 2, seed=seed).classes for seed in range(20)]
    assert drawn == [data.open_imagenet(pictures, 2, seed=seed).classes for seed in range(20)]
    assert {wnid for classes in drawn for wnid in classes} == set(WNIDS)


def stripes(path: Path, size: tuple[int, int]) -> Bytes:
    """Write a picture of two grey slopes; returns its pixels, whatever the form did to them."""
    rows, columns = np.mgrid[: size[1], : size[0]]
    picture = np.stack([rows * 4, columns * 4, rows + columns], axis=2).astype(np.uint8)
    Image.fromarray(picture).save(path, "png")
    return picture


def test_the_middle_or_a_place_drawn_is_cut_out(tmp_path: Path) -> None:
    # At their own scale, so that every pixel is known; Pillow looks at contents, not at names.
    whole = stripes(tmp_path / "a.JPEG", (40, 24))
    found = Pictures([str(tmp_path / "a.JPEG")] * 30, np.arange(30, dtype=np.uint16), 24, 10)
    ((images, _),) = found.batches(30)
    for image in images:
        np.testing.assert_array_equal(image.reshape(10, 10, 3), whole[7:17, 15:25])

    def drawn(workers: int) -> Bytes:
        generator = np.random.default_rng(7)
        batches = found.batches(8, generator=generator, workers=workers)
        return np.concatenate([images for images, _ in batches])

    images = drawn(1)
    np.testing.assert_array_equal(images, drawn(3))
    corners = {tuple(int(value) // 4 for value in image[:2]) for image in images}
    assert len(corners) > 20
    for image, (top, left) in ((image, (image[0] // 4, image[1] // 4)) for image in images):
        np.testing.assert_array_equal(
            image.reshape(10, 10, 3), whole[top : top + 10, left : left + 10]
        )


@pytest.mark.parametrize("mode", ["L", "CMYK"])
def test_pictures_in_other_colours(tmp_path: Path, mode: str) -> None:
    Image.new("RGB", (20, 20), (90, 90, 90)).convert(mode).save(tmp_path / "a.JPEG", "jpeg")
    found = Pictures([str(tmp_path / "a.JPEG")], np.zeros(1, np.uint16), 16, 16)
    ((images, _),) = found.batches(1)
    assert near(images, [(90, 90, 90)])


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        ("no folder", "train: no such folder, or it cannot be read"),
        ("class", "train: holds 3 folders of classes, 4 asked for"),
        ("val class", "val/n02119789: no such folder"),
        ("flat", "val/n01440764: no such folder"),
        ("fewer", "train/n02119789: 3 JPEG files, expected 4 to 6"),
        ("more", "val/n02119789: 3 JPEG files, expected 2"),
        ("none", "val/n02119789: 0 JPEG files, expected 2"),
        ("one less", "train: 17 pictures, ImageNet has 18"),
    ],
)
def test_bad_folder_of_imagenet(pictures: Path, damage: str, message: str) -> None:
    wnid = WNIDS[2]
    if damage == "no folder":
        (pictures / "train").rename(pictures / "other")
    elif damage == "class":
        (pictures / "train" / wnid).rename(pictures / wnid)
    elif damage == "val class":
        (pictures / "val" / wnid).rename(pictures / wnid)
    elif damage == "flat":
        (pictures / "val").rename(pictures / "sorted")
        (pictures / "val").mkdir()
        (pictures / "val" / "ILSVRC2012_val_00000001.JPEG").write_bytes(b"")
    elif damage == "fewer":
        (pictures / "train" / wnid / f"{wnid}_0.JPEG").unlink()
    elif damage == "more":
        (pictures / "val" / wnid / "copy.JPEG").write_bytes(b"")
    elif damage == "none":
        for path in (pictures / "val" / wnid).iterdir():
            path.rename(path.with_suffix(".txt"))
    else:
        (pictures / "train" / WNIDS[1] / f"{WNIDS[1]}_5.JPEG").unlink()
    with pytest.raises(DataError, match=message) as caught:
        data.open_imagenet(pictures, 4)
    assert str(pictures) in str(caught.value) and "\n" not in str(caught.value)


@pytest.mark.parametrize("content", ["short", b"", b"text"])
def test_damaged_picture_is_named(pictures: Path, content: bytes | str) -> None:
    path = pictures / "val" / WNIDS[1] / f"{WNIDS[1]}_1.JPEG"
    path.write_bytes(path.read_bytes()[:-60] if isinstance(content, str) else content)
    found = data.open_imagenet(pictures, 4, resize=16, crop=12)
    with pytest.raises(DataError, match=f"{path.name}: a damaged picture file"):
        list(found.test.batches(3))


@pytest.mark.parametrize(
    ("classes", "message"),
    [
        (0, "classes is 0, valid: 1 to"),
        (5, "holds 4 folders of classes, 5 asked for"),
        (["n00000000"], "holds no folder n00000000"),
        ([WNIDS[0], WNIDS[0]], "a class is named twice in n01440764,n01440764"),
    ],
)
def test_classes_that_are_not_there(pictures: Path, classes: int | list[str], message: str) -> None:
    with pytest.raises(DataError, match=message):
        data.open_imagenet(pictures, classes)


def test_classes_on_a_command_line() -> None:
    assert data.parse_classes("100") == 100
    assert data.parse_classes("n01440764,n15075141") == ("n01440764", "n15075141")
    for text in ("", "-1", "ten", "n01440764,", "n0144076"):
        with pytest.raises(DataError, match="is no wnid, valid: n and eight digits"):
            data.parse_classes(text)


def test_crop_larger_than_the_picture(pictures: Path) -> None:
    with pytest.raises(DataError, match="crop is 17, valid: 1 to 16"):
        data.open_imagenet(pictures, 2, resize=16, crop=17)


def test_imagenet_is_no_array(pictures: Path) -> None:
    with pytest.raises(DataError, match="does not fit into memory"):
        data.dataset("imagenet", pictures)


@pytest.mark.parametrize("name", ["cifar100", "svhn", "svhn-extra", "imagenet"])
def test_what_cannot_be_fetched(cache: Path, name: str) -> None:
    with pytest.raises(DataError, match=r"cannot be fetched; give a folder.*--data-dir") as caught:
        data.dataset(name)
    assert str(cache / name) in str(caught.value)
    assert not cache.exists()


def test_command_line(pictures: Path, digits: Digits) -> None:
    """Sets of these tests' size are refused by name, in one line."""
    for words, message in [
        (
            ["svhn", "--data-dir", digits.folder],
            "train_32x32.mat: 30 images, that file of SVHN has",
        ),
        (["imagenet", "--data-dir", pictures], "train: holds 4 folders of classes, 1000 asked for"),
        (["imagenet", "--data-dir", pictures, "--classes", "two"], "'two' is no wnid"),
    ]:
        done = subprocess.run(
            [sys.executable, "-m", "spinflow.model.data", *map(str, words)],
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 1 and done.stdout == ""
        assert done.stderr.startswith("spinflow: ") and done.stderr.count("\n") == 1
        assert message in done.stderr
