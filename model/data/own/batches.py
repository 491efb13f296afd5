"""CIFAR-10 and CIFAR-100 in their Python versions, which torchvision keeps: pickled batches.

A pickle can run code. These are read by an unpickler that makes nothing but numbers, text, lists,
tables and arrays of bytes, by stand-ins for the few names of numpy that such files hold.
"""

from __future__ import annotations

import io
import pickle
from pathlib import Path
from typing import Any

import numpy as np

from spinflow.host.core.reading import read_bytes
from spinflow.host.core.text import one_line, shown
from spinflow.model.data.common import DataError
from spinflow.model.data.own import base
from spinflow.model.data.own.base import ALL, TEST, TRAIN, Options, Own

FOLDERS = ("cifar-100-python", "cifar-10-batches-py")
"""What torchvision calls the folders."""

LABELS = ("fine_labels", "labels")
_SHAPE = (3, 32, 32)
_PIXELS = 3072
_MOST_FILE = 50000 * _PIXELS + (16 << 20)
_META = (("meta", "fine_label_names"), ("batches.meta", "label_names"))


class _Array:
    """What stands for an array while it is unpickled."""

    def __init__(self) -> None:
        self.state: Any = None

    def __setstate__(self, state: Any) -> None:
        self.state = state


class _Type(_Array):
    """What stands for the type of an array's elements."""

    def __init__(self, name: Any = "", *rest: Any) -> None:
        super().__init__()
        self.name = name


def _encode(text: str, encoding: str = "latin1") -> bytes:
    """Return bytes that were pickled as text, which Python 3 does for Python 2."""
    return text.encode("latin1")


_KNOWN: dict[tuple[str, str], Any] = {
    ("_codecs", "encode"): _encode,
    ("numpy", "dtype"): _Type,
    ("numpy", "ndarray"): _Array,
    ("numpy.core.multiarray", "_reconstruct"): lambda *_: _Array(),
    ("numpy._core.multiarray", "_reconstruct"): lambda *_: _Array(),
}


class _Unpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        """Return a stand-in; whatever else a pickle names is refused."""
        if (module, name) not in _KNOWN:
            raise pickle.UnpicklingError(f"it names {shown(f'{module}.{name}')}")
        return _KNOWN[module, name]


def is_file(path: Path) -> bool:
    """Return whether a file is called like one of these."""
    names = ("train", "test", "test_batch", *(f"data_batch_{n}" for n in range(1, 6)))
    return path.name in names and path.parent.name in FOLDERS


def folder_of(folder: Path) -> Path | None:
    """Return where the batches lie, in a folder or in one of torchvision's name in it."""
    for place in (folder, *(folder / name for name in FOLDERS)):
        if any((place / meta).is_file() for meta, _ in _META):
            return place
    return None


def read_folder(folder: Path, options: Options) -> Own:
    """Read the training and the test batches of a folder; errors as :func:`read_file`."""
    files = {TRAIN: sorted(folder.glob("data_batch_?")), TEST: [folder / "test_batch"]}
    if not files[TRAIN]:
        files = {TRAIN: [folder / "train"], TEST: [folder / "test"]}
    parts = {}
    for part, paths in files.items():
        batches = [_batch(path) for path in paths]
        images, labels = (np.concatenate(values) for values in zip(*batches, strict=True))
        parts[part], _ = base.part_of(images, labels, str(folder))
    title = "CIFAR-100" if (folder / "meta").exists() else "CIFAR-10"
    return Own(options.title or f"{title} of {folder.name}", _SHAPE, parts, _names(folder))


def read_file(path: Path, options: Options) -> Own:
    """Read one batch.

    Raises:
        DataError: it is damaged, holds something else, or would run code.
    """
    part, _ = base.part_of(*_batch(path), str(path))
    title = options.title or f"{path.name} of {path.resolve().parent.name}"
    return Own(title, _SHAPE, {ALL: part}, _names(path.parent))


def _loaded(path: Path) -> dict[Any, Any]:
    content = read_bytes(path, _MOST_FILE, DataError)
    try:
        found = _Unpickler(io.BytesIO(content), encoding="bytes").load()
    except Exception as error:  # a damaged pickle raises whatever it likes
        raise DataError(
            f"{path}: no batch of CIFAR: {one_line(error, 80)}; nothing of it was run"
        ) from None
    if not isinstance(found, dict):
        raise DataError(f"{path}: no batch of CIFAR: it holds {type(found).__name__}")
    return {k.decode("latin1") if isinstance(k, bytes) else k: v for k, v in found.items()}


def _batch(path: Path) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """Return images, shape (n, 3072) in the order (row, column, channel), and labels."""
    found = _loaded(path)
    labels = next((found[name] for name in LABELS if name in found), None)
    array = found.get("data")
    if not isinstance(array, _Array) or not isinstance(labels, list):
        raise DataError(f"{path}: no batch of CIFAR: data and {' or '.join(LABELS)} are expected")
    try:
        _, shape, kind, is_fortran, raw = array.state
        raw = raw.encode("latin1") if isinstance(raw, str) else raw
        fits = kind.name in ("u1", b"u1") and not is_fortran and len(raw) == len(labels) * _PIXELS
        if not fits or tuple(shape) != (len(labels), _PIXELS):
            raise ValueError
        numbers = np.array(labels, np.int64)
        images = np.frombuffer(raw, np.uint8).reshape(-1, *_SHAPE).transpose(0, 2, 3, 1)
    except (TypeError, ValueError, AttributeError, OverflowError):
        raise DataError(
            f"{path}: no batch of CIFAR: rows of {_PIXELS} bytes and a label each are expected"
        ) from None
    return images.reshape(-1, _PIXELS), numbers


def _names(folder: Path) -> tuple[str, ...]:
    for meta, key in _META:
        if (folder / meta).is_file():
            names = _loaded(folder / meta).get(key, [])
            texts = [n.decode("latin1") if isinstance(n, bytes) else str(n) for n in names]
            return base.names_of(texts, str(folder / meta))
    return ()
