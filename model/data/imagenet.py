"""ImageNet (ILSVRC 2012): a folder of JPEG files for each class, read a batch at a time.

    <folder>/train/<wnid>/*.JPEG    732 to 1,300 pictures of each class
    <folder>/val/<wnid>/*.JPEG      50 pictures of each class

A wnid is a class's identity in WordNet, such as n01440764. The validation set is the test set here,
as in the papers: the labels of the real one were never published.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from spinflow.model.data.common import Bytes, DataError, Dataset, Held, read_picture

CLASSES = 1000
TRAIN_IMAGES = 1281167
"""Training pictures of all classes together."""
TRAIN_OF_A_CLASS = (732, 1300)
"""Least and most training pictures of a class (Russakovsky et al. 2015, table 2)."""
VAL_OF_A_CLASS = 50
RESIZE = 256
"""Shorter side to which a picture is scaled before a square is cut out of it, in pixels."""

_WNID = re.compile(r"n\d{8}")


@dataclass(frozen=True)
class Pictures:
    """Picture files with labels; a picture is decoded when its batch is asked for.

    Attributes:
        files: the paths.
        labels: uint16, shape (n,).
        resize: the shorter side of a picture is scaled to this many pixels, bilinearly.
        crop: sides of the square that is then cut out of it, in pixels.
    """

    files: Sequence[str]
    labels: NDArray[np.uint16]
    resize: int
    crop: int

    def __len__(self) -> int:
        return len(self.files)

    def batches(
        self,
        size: int,
        order: NDArray[np.integer] | None = None,
        generator: np.random.Generator | None = None,
        workers: int = 1,
    ) -> Iterator[tuple[Bytes, NDArray[np.uint16]]]:
        """Give the pictures in batches; the last one may be smaller.

        Args:
            size: pictures in a batch.
            order: numbers of the pictures to give, in this order; all of them if None. One of
                several processes gives those of its share.
            generator: draws where each square is cut out; it is the middle if None.
            workers: threads that decode.

        Returns:
            Images, uint8 of shape (size, crop * crop * 3) in the order (row, column, channel), and
            labels, uint16 of shape (size,).

        Raises:
            DataError: a file is damaged; it is named.
        """
        chosen = np.arange(len(self)) if order is None else np.asarray(order)
        with ThreadPoolExecutor(workers) as pool:
            for first in range(0, len(chosen), size):
                part = chosen[first : first + size]
                # Drawn here, not by the threads: their number must not change the pictures.
                places = (
                    np.full((len(part), 2), 0.5)
                    if generator is None
                    else generator.random((len(part), 2))
                )
                images = list(pool.map(self._image, part, places))
                yield np.stack(images), self.labels[part]

    def _image(self, number: int, place: NDArray[np.float64]) -> Bytes:
        from PIL import Image

        path = Path(self.files[number])
        try:
            picture = read_picture(path)
        except DataError as error:
            raise DataError(f"{path}: {error}") from None
        scale = self.resize / min(picture.size)
        # Images are (width, height) for Pillow; the place is (row, column).
        width, height = (max(self.resize, round(side * scale)) for side in picture.size)
        pixels = np.asarray(picture.resize((width, height), Image.Resampling.BILINEAR))
        top = int(place[0] * (height - self.crop + 1))
        left = int(place[1] * (width - self.crop + 1))
        return pixels[top : top + self.crop, left : left + self.crop].reshape(-1)


@dataclass(frozen=True)
class ImageNet:
    """Training and validation pictures of some classes.

    Attributes:
        classes: wnid of each class; label i is classes[i].
        train: the training pictures.
        test: the validation pictures.
    """

    classes: tuple[str, ...]
    train: Pictures
    test: Pictures


def open_imagenet(
    folder: Path,
    classes: int | Sequence[str] = CLASSES,
    seed: int | None = None,
    resize: int | None = None,
    crop: int = 224,
) -> ImageNet:
    """List the pictures of ImageNet's classes, without reading them.

    Args:
        folder: holds train/<wnid>/*.JPEG and val/<wnid>/*.JPEG.
        classes: the wnids, labelled in this order; or how many of the folders in train, in the
            order of their names.
        seed: draws so many at random instead; the same seed, the same classes.
        resize, crop: see :class:`Pictures`; ``RESIZE`` if no other is given.

    Raises:
        DataError: a folder or class is missing, or a class has too few or too many pictures.
    """
    resize = RESIZE if resize is None else resize
    if not 1 <= crop <= resize:
        raise DataError(f"crop is {crop}, valid: 1 to {resize}, to which pictures are scaled")
    wnids = _choose(folder / "train", classes, seed)
    train = [_list(folder / "train" / wnid, *TRAIN_OF_A_CLASS) for wnid in wnids]
    test = [_list(folder / "val" / wnid, VAL_OF_A_CLASS, VAL_OF_A_CLASS) for wnid in wnids]
    total = sum(map(len, train))
    if len(wnids) == CLASSES and total != TRAIN_IMAGES:
        raise DataError(f"{folder / 'train'}: {total} pictures, ImageNet has {TRAIN_IMAGES}")
    return ImageNet(wnids, _pictures(train, resize, crop), _pictures(test, resize, crop))


def parse_classes(text: str) -> int | tuple[str, ...]:
    """Return what a command line says of classes: how many, or their wnids with commas between.

    Raises:
        DataError: neither a number nor wnids.
    """
    if text.isdecimal():
        return int(text)
    wnids = tuple(text.split(","))
    for wnid in wnids:
        if not _WNID.fullmatch(wnid):
            raise DataError(f"{wnid!r} is no wnid, valid: n and eight digits, as n01440764")
    return wnids


def _choose(train: Path, classes: int | Sequence[str], seed: int | None) -> tuple[str, ...]:
    there = sorted(name for name in _entries(train) if _WNID.fullmatch(name))
    if not isinstance(classes, int):
        for wnid in classes:
            if wnid not in there:
                raise DataError(f"{train}: holds no folder {wnid}")
        if len(set(classes)) != len(classes):
            raise DataError(f"a class is named twice in {','.join(classes)}")
        return tuple(classes)
    if classes < 1:
        raise DataError(f"classes is {classes}, valid: 1 to {CLASSES}")
    if classes > len(there):
        raise DataError(f"{train}: holds {len(there)} folders of classes, {classes} asked for")
    if seed is None:
        return tuple(there[:classes])
    drawn = np.random.default_rng(seed).permutation(len(there))[:classes]
    return tuple(there[number] for number in sorted(drawn))


def _entries(folder: Path) -> list[str]:
    try:
        return os.listdir(folder)
    except OSError:
        raise DataError(f"{folder}: no such folder, or it cannot be read") from None


def _list(folder: Path, least: int, most: int) -> list[str]:
    names = sorted(name for name in _entries(folder) if name.lower().endswith((".jpeg", ".jpg")))
    if not least <= len(names) <= most:
        wanted = str(least) if least == most else f"{least} to {most}"
        raise DataError(f"{folder}: {len(names)} JPEG files, expected {wanted}")
    return [str(folder / name) for name in names]


def _pictures(files: list[list[str]], resize: int, crop: int) -> Pictures:
    labels = np.repeat(np.arange(len(files), dtype=np.uint16), [len(names) for names in files])
    return Pictures([file for names in files for file in names], labels, resize, crop)


def _load(folder: Path) -> Dataset:
    raise DataError(
        f"{folder}: ImageNet does not fit into memory; only alexnet-imagenet takes its pictures"
    )


IMAGENET = Held(
    title="ImageNet",
    load=_load,
    form="train and val with a folder of JPEG files for each class",
)
