"""Data of one's own: files and folders of many forms, read into bytes, labels and their facts.

    npz       arrays of images or vectors with labels
    folder    pictures by class (CLASS/PICTURE), with train/ and test/ around if they are two parts
    IDX       ...images-idx3-ubyte and ...labels-idx1-ubyte, gzipped or not, one file or a folder
    CSV       features and a column of labels; one file, or a folder with train.csv and test.csv
    parquet   as Hugging Face's data sets have them; one file, or a folder of train-* and test-*
    CIFAR     torchvision's cifar-100-python or cifar-10-batches-py
    SVHN      train_32x32.mat and test_32x32.mat, or one of them

What a file says is never run, and nothing outside of what is named is read.
"""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np

from spinflow.host.core import own_tests
from spinflow.host.core.own_tests import MOST_IMAGES, MOST_NOTE, OwnTests, name_of
from spinflow.host.core.published import TEST_FILES
from spinflow.model.data.common import DataError, Dataset
from spinflow.model.data.own import base, batches, idx, npz, parquet, pictures, table
from spinflow.model.data.own.base import ALL, TEST, TRAIN, Options, Own, Part
from spinflow.model.data.svhn import read_svhn

__all__ = [
    "ALL",
    "TEST",
    "TRAIN",
    "Options",
    "Own",
    "Part",
    "carried",
    "dataset_of",
    "measured_part",
    "name_of",
    "read",
    "split",
]

FORMS = (
    "an .npz of arrays, a .csv, a .parquet, a file of IDX, a .mat of SVHN, or a folder of pictures "
    "by class"
)
_USED_BY = {
    "label": "tables, CSV or parquet",
    "scale": "features, in a CSV or as vectors in an npz",
    "size": "picture files, in a folder or a parquet file",
}
"""What the options are for that do not count for every form."""
_ORDER_SEED = 1
"""Of the order of images that lie class by class."""


def read(path: Path, options: Options | None = None) -> Own:
    """Read data of any form.

    Args:
        path: of a file or a folder.
        options: what the source does not say.

    Raises:
        DataError: there is no such path, or it is of no form that is known, damaged or empty.
    """
    options = options or Options()
    if path.is_dir():
        found = _read_folder(path, options)
    elif path.exists():
        found = _read_file(path, options)
    else:
        raise DataError(f"{path}: no such file or folder; {FORMS} is expected")
    if not options.title:
        found = dataclasses.replace(found, title=_title(found.title))
    return _mixed(found)


def _title(name: str) -> str:
    """Return a title that is made of a file's name, and is not that of a published set."""
    title = " ".join(name.split())[: base.MOST_LETTERS - 20]
    title = "".join(c if c.isprintable() else "?" for c in title) or "own data"
    known = [*TEST_FILES, *(files.title for files in TEST_FILES.values())]
    if title.lower().replace("_", "-") in [each.lower() for each in known]:
        return f"{title} (own data)"
    return title


def _check_used(path: Path, options: Options, *used: str) -> None:
    """Raise DataError if an option was given that the form of these data has no use for."""
    for name, what in _USED_BY.items():
        if getattr(options, name) and name not in used:
            raise DataError(f"{path}: --{name} is for {what}")


def _read_file(path: Path, options: Options) -> Own:
    ends = path.name.lower().removesuffix(".gz")
    if ends.endswith(".npz"):
        _check_used(path, options, "scale")
        return npz.read(path, options)
    if ends.endswith((".csv", ".tsv")):
        _check_used(path, options, "label", "scale")
        title = options.title or Path(path.name.removesuffix(".gz")).stem
        return table.read({ALL: path}, title, options)
    if ends.endswith(".parquet"):
        _check_used(path, options, "label", "size")
        return parquet.read({ALL: [path]}, options.title or path.stem, options)
    if ends.endswith(".mat"):
        _check_used(path, options)
        return _svhn({ALL: path}, options)
    if batches.is_file(path):
        _check_used(path, options)
        return batches.read_file(path, options)
    if idx.is_file(path):
        _check_used(path, options)
        return idx.read_file(path, options)
    raise DataError(f"{path}: of no form that is known: {FORMS} is expected")


def _read_folder(folder: Path, options: Options) -> Own:
    title = options.title or folder.resolve().name
    if place := batches.folder_of(folder):
        _check_used(folder, options)
        return batches.read_folder(place, options)
    files = sorted(path for path in folder.iterdir() if path.is_file())
    if any(idx.is_name(path.name) for path in files):
        _check_used(folder, options)
        return idx.read_folder(folder, options)
    for ending in (".csv", ".tsv"):
        found = _by_part([path for path in files if path.name.endswith(ending)])
        if all(len(paths) == 1 for paths in found.values()) and found:
            _check_used(folder, options, "label", "scale")
            return table.read({part: paths[0] for part, paths in found.items()}, title, options)
    parts = _by_part([*files, *folder.glob("data/*")], ".parquet")
    if parts:
        _check_used(folder, options, "label", "size")
        return parquet.read(parts, title, options)
    mats = _by_part(files, "_32x32.mat")
    if mats:
        _check_used(folder, options)
        return _svhn({part: paths[0] for part, paths in mats.items()}, options)
    if pictures.is_folder(folder):
        _check_used(folder, options, "size")
        return pictures.read(folder, options)
    raise DataError(
        f"{folder}: of no form that is known: sub-folders of pictures, one for each class, IDX "
        "files, train.csv and test.csv, or parquet files are expected"
    )


def _by_part(files: list[Path], ending: str = "") -> dict[str, list[Path]]:
    """Return files by their part, the one for training first; test goes before validation."""
    found: dict[str, list[Path]] = {}
    for part, words in ((TRAIN, ("train",)), (TEST, ("test",)), (TEST, ("val",))):
        paths = [p for p in files if p.name.endswith(ending) and p.name.startswith(words)]
        if paths and part not in found:
            found[part] = sorted(paths)
    return found


def _svhn(files: dict[str, Path], options: Options) -> Own:
    parts = {}
    for part, path in files.items():
        images, labels = read_svhn(path)
        parts[part] = Part(images, labels.astype(np.uint16))
    first = next(iter(files.values()))
    of = first.name if len(files) == 1 else first.resolve().parent.name
    return Own(options.title or f"SVHN of {of}", (3, 32, 32), parts, tuple("0123456789"))


def _mixed(own: Own) -> Own:
    """Return data whose images lie class by class in another order, the same each time.

    A sweep takes the first images of a test set, which were of one class else.
    """
    parts, is_mixed = {}, False
    for name, part in own.parts.items():
        order = np.arange(len(part.labels))
        if len(order) > 2 and part.labels[0] != part.labels[-1]:
            steps = np.diff(part.labels.astype(np.int64))
            if (steps >= 0).all() or (steps <= 0).all():
                order, is_mixed = np.random.default_rng(_ORDER_SEED).permutation(len(order)), True
        parts[name] = Part(part.images[order], part.labels[order])
    if not is_mixed:
        return own
    said = f"images, which lay class by class, are in an order drawn with seed {_ORDER_SEED}"
    return dataclasses.replace(own, parts=parts, notes=(*own.notes, said))


def split(own: Own) -> tuple[Part, Part, str]:
    """Return a training part, a test part, and how they were made if the source has only one.

    Raises:
        DataError: the source has only one part of the two, or too few images to split.
    """
    if TRAIN in own.parts and TEST in own.parts:
        return own.parts[TRAIN], own.parts[TEST], ""
    if TEST in own.parts:
        raise DataError(f"{own.title}: it has a test part and none for training")
    whole = own.parts.get(ALL) or own.parts[TRAIN]
    count = len(whole.labels) // base.SPLIT_SHARE
    if not count:
        raise DataError(
            f"{own.title}: {len(whole.labels)} images are too few for a training and a test part"
        )
    order = np.random.default_rng(base.SPLIT_SEED).permutation(len(whole.labels))
    test, train = np.sort(order[:count]), np.sort(order[count:])
    said = f"{count} of {len(order)} images, drawn with seed {base.SPLIT_SEED}, are the test part"
    return (
        Part(whole.images[train], whole.labels[train]),
        Part(whole.images[test], whole.labels[test]),
        said,
    )


def dataset_of(own: Own) -> Dataset:
    """Return own data as a data set with a training and a test part; errors as :func:`split`."""
    train, test, said = split(own)
    notes = (*own.notes, said) if said else own.notes
    return Dataset(
        train.images,
        train.labels,
        test.images,
        test.labels,
        shape=own.shape,
        classes=own.classes,
        title=own.title,
        names=own.names,
        notes=notes,
    )


def measured_part(own: Own) -> Part:
    """Return the part for tests, which is all if the source does not say.

    Raises:
        DataError: there is a part for training alone.
    """
    part = own.parts.get(TEST) or own.parts.get(ALL)
    if part is None:
        raise DataError(f"{own.title}: it has a training part and none for tests")
    return part


def carried(own: Own, part: Part, note: str = "") -> OwnTests:
    """Return a part of own data as the test set that a bundle carries: a choice if it is too large.

    Args:
        own: the data.
        part: of them.
        note: how the part was made; may be empty.

    Raises:
        DataError: an image is too large for a bundle.
    """
    count, pixels = part.images.shape
    most = min(MOST_IMAGES, own_tests.MOST_BYTES // pixels)
    if not most:
        raise DataError(
            f"{own.title}: an image has {pixels} bytes, which is too large for a bundle"
        )
    notes = [*own.notes, note] if note else list(own.notes)
    images, labels = part.images, part.labels
    if count > most:
        order = np.random.default_rng(_ORDER_SEED).permutation(count)
        images, labels = images[np.sort(order[:most])], labels[np.sort(order[:most])]
        notes.append(f"{most} of {count} test images, drawn with seed {_ORDER_SEED}")
    note = "; ".join(notes)[:MOST_NOTE]
    return OwnTests(images, labels.astype(np.uint16), own.title, own.names, note, own.scale)
