"""The test images: MNIST's IDX files, read and checked, and the choice of those that are run.

The files are those that ``python -m model.data mnist`` fetches and verifies: in a folder of one's
own, or in ``mnist/`` of the cache (``$SPINFLOW_CACHE`` or ``~/.cache/spinflow``).
"""

from __future__ import annotations

import gzip
import hashlib
import os
import struct
import zlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from host.errors import InputError

Bytes = npt.NDArray[np.uint8]

_IMAGES = "t10k-images-idx3-ubyte"
_LABELS = "t10k-labels-idx1-ubyte"
_DIGITS = 10


@dataclass(frozen=True)
class TestSet:
    """Images with their labels.

    Attributes:
        images: uint8, shape (n, pixels).
        labels: uint8, shape (n,).
        choice: in words, which of the set's images these are.
    """

    images: Bytes
    labels: Bytes
    choice: str

    # pytest takes a class of this name for a group of tests unless told otherwise.
    __test__ = False

    @property
    def fingerprint(self) -> str:
        """The first 12 digits of the SHA-256 of images and labels: one value for one choice."""
        digest = hashlib.sha256(np.ascontiguousarray(self.images).tobytes())
        digest.update(np.ascontiguousarray(self.labels).tobytes())
        return digest.hexdigest()[:12]


def default_folder() -> Path:
    """Return the folder of the cache that holds MNIST."""
    cache = os.environ.get("SPINFLOW_CACHE")
    return (Path(cache) if cache else Path.home() / ".cache" / "spinflow") / "mnist"


def mnist_test(count: int, folder: Path | None = None, choice_seed: int | None = None) -> TestSet:
    """Load images of the MNIST test set.

    Args:
        count: how many.
        folder: where the IDX files lie, gzipped or not; the cache if not given.
        choice_seed: choose at random with this seed, in the set's order; the first ones if None.

    Raises:
        InputError: a file is missing or damaged, or the set has fewer images.
    """
    where = default_folder() if folder is None else folder
    images, labels = _read_idx(where, _IMAGES, 3), _read_idx(where, _LABELS, 1)
    if len(images) != len(labels) or not len(labels) or labels.max() >= _DIGITS:
        raise InputError(
            f"{where}: {len(images)} images and {len(labels)} labels do not belong together"
        )
    if not 1 <= count <= len(images):
        raise InputError(
            f"{count} images asked for: must be from 1 to the {len(images)} of the test set"
        )
    if choice_seed is None:
        chosen, words = np.arange(count), f"the first {count} images of the MNIST test set"
    else:
        if choice_seed < 0:
            raise InputError(f"image seed {choice_seed}: must be 0 or more")
        chosen = np.sort(np.random.default_rng(choice_seed).permutation(len(images))[:count])
        words = f"{count} images of the MNIST test set, chosen with seed {choice_seed}"
    return TestSet(images.reshape(len(images), -1)[chosen], labels[chosen], words)


def _read_idx(folder: Path, name: str, dimensions: int) -> Bytes:
    path = folder / name
    if not path.is_file():
        path = folder / f"{name}.gz"
    try:
        raw = path.read_bytes()
        if path.suffix == ".gz":
            raw = gzip.decompress(raw)
    except FileNotFoundError:
        raise InputError(
            f"{folder} holds neither {name} nor {name}.gz: run `python -m model.data mnist` or "
            "give the folder with --data-dir"
        ) from None
    except (OSError, EOFError, zlib.error) as error:
        raise InputError(f"{path}: cannot be read: {error}") from None
    header = 4 + 4 * dimensions
    if len(raw) < header or raw[:4] != bytes((0, 0, 8, dimensions)):
        raise InputError(f"{path}: not an IDX file of unsigned bytes in {dimensions} dimensions")
    shape = struct.unpack(f">{dimensions}I", raw[4:header])
    expected = header + int(np.prod(shape))
    if len(raw) != expected:
        raise InputError(f"{path}: {len(raw)} bytes, its header says {expected}")
    return np.frombuffer(raw, np.uint8, offset=header).reshape(shape)
