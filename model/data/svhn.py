"""SVHN, cropped digits (Netzer et al. 2011): three MATLAB files, read with scipy.

The test set is the same with and without the extra set; with it the training images are those of
``train_32x32.mat``, then those of ``extra_32x32.mat``.
"""

from __future__ import annotations

import zlib
from pathlib import Path

import numpy as np

from spinflow.model.data.common import Bytes, DataError, Dataset, Held, check_count

SVHN_IMAGES = {"train_32x32.mat": 73257, "extra_32x32.mat": 531131, "test_32x32.mat": 26032}
"""Images in each file."""

_EXTRA = "extra_32x32.mat"

_HEAD_AT = 126
_HEAD = b"IM" + (15).to_bytes(4, "little")
"""Little-endian, and a first element that is compressed (MathWorks, "MAT-File Format")."""


def read_svhn(path: Path) -> tuple[Bytes, Bytes]:
    """Read a file of SVHN's cropped digits.

    Returns:
        Images, uint8 of shape (n, 3072) in the order (row, column, channel), and the digits,
        uint8 of shape (n,): the file's label 10 is the digit 0.

    Raises:
        DataError: the file is missing, damaged or of another form.

    Source of the format: Netzer et al., "The Street View House Numbers (SVHN) Dataset", format 2:
    ``X`` of (row, column, channel, image) and ``y`` of labels 1 to 10.
    """
    from scipy.io import loadmat
    from scipy.io.matlab import MatReadError

    if not path.is_file():
        raise DataError(f"{path.parent}: holds no {path.name}")
    with path.open("rb") as stream:
        start = stream.read(len(_HEAD) + _HEAD_AT)
    # The published files are compressed, with a checksum. A damaged one that is not crashes scipy.
    if start[_HEAD_AT:] != _HEAD:
        raise DataError(f"{path}: not a compressed MATLAB 5 file")
    try:
        found = loadmat(path, variable_names=("X", "y"))
    except (OSError, ValueError, TypeError, MemoryError, MatReadError, zlib.error) as error:
        raise DataError(f"{path}: damaged or incomplete ({error})") from None
    if not {"X", "y"} <= found.keys():
        raise DataError(f"{path}: holds no variables X and y")
    images, labels = found["X"], found["y"]
    if images.dtype != np.uint8 or images.ndim != 4 or images.shape[:3] != (32, 32, 3):
        raise DataError(
            f"{path}: X is {images.dtype} of {images.shape}, must be uint8 of (32, 32, 3, n)"
        )
    if labels.shape != (images.shape[3], 1):
        raise DataError(f"{path}: y has shape {labels.shape}, must be ({images.shape[3]}, 1)")
    if not np.isin(labels, range(1, 11)).all():
        raise DataError(f"{path}: labels from {labels.min()} to {labels.max()}, valid: 1 to 10")
    return images.transpose(3, 0, 1, 2).reshape(-1, 3072), (labels[:, 0] % 10).astype(np.uint8)


def _load(folder: Path, with_extra: bool) -> Dataset:
    files = [name for name in SVHN_IMAGES if with_extra or name != _EXTRA]
    # All are looked for before the first is read: reading the large ones takes a while.
    for name in files:
        if not (folder / name).is_file():
            raise DataError(f"{folder}: holds no {name}")
    parts = []
    for name in files:
        parts.append(read_svhn(folder / name))
        check_count(folder / name, len(parts[-1][1]), SVHN_IMAGES[name], "SVHN")
    images, labels = (np.concatenate(values) for values in zip(*parts[:-1], strict=True))
    return Dataset(images, labels, *parts[-1])


SVHN = Held(
    title="SVHN",
    load=lambda folder: _load(folder, with_extra=False),
    form="train_32x32.mat and test_32x32.mat",
)

SVHN_EXTRA = Held(
    title="SVHN with its extra set",
    load=lambda folder: _load(folder, with_extra=True),
    form="train_32x32.mat, extra_32x32.mat and test_32x32.mat",
)
