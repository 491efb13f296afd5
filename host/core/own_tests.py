"""A test set of one's own, as a bundle carries it: ``test.npz``.

Whatever form the data came in, this is what RTL, board, evaluator, emulator and report read::

    images  uint8 (n, pixels), each in the order (row, column, channel)
    labels  uint16 (n,)
    title   text, as tables and reports call it
    names   of the classes, text (classes,); may be missing
    note    text: how bytes were made of the source, one line; may be missing
    low, high   float64 (pixels,): the numbers that became the bytes 0 and 255, of features that
                were scaled; may be missing
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from spinflow.host.core.errors import BundleError
from spinflow.host.core.npz import TEXT, Arrays, Wanted, read
from spinflow.host.core.plain import MIB
from spinflow.host.core.published import TEST_FILES

MOST_IMAGES = 1 << 16
"""Images that a test set of one's own has at most."""

MOST_BYTES = 256 * MIB
"""Bytes of all its images at most: half of the memory of a small board."""

MOST_LETTERS = 80
"""Characters of a title or of a class's name."""

MOST_NOTE = 300
_MOST_NAME = 60


@dataclass(frozen=True)
class OwnTests:
    """A test set of one's own.

    Attributes:
        images: uint8, shape (n, pixels).
        labels: uint16, shape (n,).
        title: for people.
        names: of the classes; empty if they have none.
        note: how bytes were made of the source, for people; may be empty.
        scale: the numbers that became 0 and 255, of each feature, float64, shape (2, pixels); None
            where bytes were taken as they are.
    """

    images: npt.NDArray[np.uint8]
    labels: npt.NDArray[np.uint16]
    title: str
    names: tuple[str, ...] = ()
    note: str = ""
    scale: npt.NDArray[np.float64] | None = None


def pack(tests: OwnTests) -> bytes:
    """Return the file of a test set; the same set is always the same bytes."""
    arrays: dict[str, Any] = {
        "images": tests.images,
        "labels": tests.labels.astype(np.uint16),
        "title": np.array(tests.title),
    }
    if tests.names:
        arrays["names"] = np.array(tests.names)
    if tests.note:
        arrays["note"] = np.array(tests.note)
    if tests.scale is not None:
        arrays["low"], arrays["high"] = tests.scale.astype(np.float64)
    out = BytesIO()
    np.savez_compressed(out, **arrays)
    return out.getvalue()


def name_of(title: str) -> str:
    """Return the name by which files call data of this title; never that of a published set."""
    name = re.sub(r"[^A-Za-z0-9]+", "-", title).strip("-").lower()[:_MOST_NAME]
    return f"own-{name}" if not name or name in TEST_FILES else name


def unpack(path: Path, content: bytes, pixels: int, classes: int) -> OwnTests:
    """Read the file of a test set.

    Args:
        path: for messages.
        content: of the file.
        pixels: that the network takes.
        classes: that the network tells apart.

    Raises:
        BundleError: it is damaged or too large, or does not fit the network.
    """
    wanted = {
        "images": Wanted(("uint8",), (None, pixels)),
        "labels": Wanted(("uint16",), (None,)),
        "title": Wanted((TEXT,), ()),
    }
    optional = {
        "names": Wanted((TEXT,), (None,)),
        "note": Wanted((TEXT,), ()),
        "low": Wanted(("float64",), (pixels,)),
        "high": Wanted(("float64",), (pixels,)),
    }
    most = max(min(MOST_IMAGES, MOST_BYTES // pixels), 1)
    return _checked(path, read(path, content, wanted, most, optional), classes)


def _checked(path: Path, found: Arrays, classes: int) -> OwnTests:
    labels = found["labels"]
    if labels.max() >= classes:
        raise BundleError(
            f"{path}: labels holds {labels.max()}: all must be below {classes}, the classes of the "
            "network"
        )
    title, *_ = _lines(path, found, "title", MOST_LETTERS)
    note = _lines(path, found, "note", MOST_NOTE) if "note" in found else ("",)
    names = _lines(path, found, "names", MOST_LETTERS) if "names" in found else ()
    scale = None
    if "low" in found or "high" in found:
        if not {"low", "high"} <= found.keys():
            raise BundleError(f"{path}: low and high must be there together")
        scale = np.stack([found["low"], found["high"]])
        if not np.isfinite(scale).all():
            raise BundleError(f"{path}: low and high must be finite numbers")
    return OwnTests(
        images=found["images"],
        labels=labels,
        title=title,
        names=names,
        note=note[0],
        scale=scale,
    )


def _lines(path: Path, found: Arrays, name: str, most: int) -> tuple[str, ...]:
    """Return the texts of an array, each a line that can be shown."""
    texts = tuple(str(text) for text in found[name].reshape(-1))
    if not all(0 < len(text) <= most and text.isprintable() for text in texts):
        raise BundleError(f"{path}: {name} must be a line of 1 to {most} characters")
    return texts
