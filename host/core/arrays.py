"""Reads ``arrays.npz`` and ``golden.npz`` of a bundle, as far as they are what they must be.

Which arrays there must be, of which type and shape, follows from the description. So a member's
header is compared with that before its content is unpacked, and nothing is unpickled: a file can
neither run code nor fill the memory.
"""

from __future__ import annotations

import re
import struct
import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from spinflow.host.core.description import Description, LabelSelect, Threshold
from spinflow.host.core.errors import BundleError

ARRAYS = "arrays.npz"
GOLDEN = "golden.npz"
SCORES = ("gain.label", "offset.label")
"""The arrays of the classes' scores."""

MOST_SCORE = 2**31 - 1
MOST_IMAGES = 10_000
"""Golden images that a bundle has at most."""

_HEADER = 1024  # bytes of a member's header at most
_DIRECTORY = 1 << 16  # bytes of the archive's directory at most: of 64 layers
_END = b"PK\5\6"
_END64 = b"PK\6\7"
_KINDS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)

Arrays = dict[str, npt.NDArray[Any]]


@dataclass(frozen=True)
class Wanted:
    """What an array must be.

    Attributes:
        types: of numpy; one of them.
        shape: None for the number of images, which is the same in all arrays of a file.
    """

    types: tuple[str, ...]
    shape: tuple[int | None, ...]

    def __str__(self) -> str:
        sizes = ", ".join("n" if size is None else str(size) for size in self.shape)
        *others, last = self.types
        types = f"{', '.join(others)} or {last}" if others else last
        return f"{types} of shape ({sizes})"


def read_arrays(description: Description) -> Arrays:
    """Read a bundle's weights, thresholds and scores, and check their values.

    Returns:
        ``weights.i``, uint32, shape (depth, segments); ``threshold.i``, int32, shape (outputs,);
        of a perceptron ``threshold.input``, int32, shape (1,); where classes have scores,
        ``gain.label`` and ``offset.label``, int32, shape (classes,).

    Raises:
        BundleError: the file is damaged, or an array is missing, one too many, or wrong.
    """
    wanted = {}
    for memory in description.memories:
        if memory.is_weights:
            shape = (memory.depth, memory.segments)
            wanted[f"weights.{memory.layer}"] = Wanted(("uint32",), shape)
    for layer in description.layers:
        if isinstance(layer, Threshold):
            wanted[f"threshold.{layer.name}"] = Wanted(("int32",), (1,))
        if isinstance(layer, LabelSelect) and layer.scores:
            for name in SCORES:
                wanted[name] = Wanted(("int32",), (layer.classes,))
    for number, product in enumerate(description.products):
        if product.threshold:
            wanted[f"threshold.{number}"] = Wanted(("int32",), (product.mh,))
    path = description.folder / ARRAYS
    arrays = _read(path, description.content(ARRAYS), wanted)
    for memory in description.memories:
        unused = -memory.width % 32
        if memory.is_weights and unused:
            last = arrays[f"weights.{memory.layer}"][:, -1]
            if np.any(last >> np.uint32(32 - unused)):
                raise BundleError(
                    f"{path}: weights.{memory.layer} sets bits beyond the {memory.width} of a word"
                )
    for name, (least, most) in _ranges(description).items():
        values = arrays[name]
        if values.min() < least or values.max() > most:
            raise BundleError(
                f"{path}: {name} holds {values.min()} to {values.max()}: it must be {least} to "
                f"{most}"
            )
    if SCORES[0] in arrays:
        gain, offset = (arrays[name].astype(np.int64) for name in SCORES)
        largest = int((gain * description.products[-1].mw + offset).max())
        if largest > MOST_SCORE:
            raise BundleError(
                f"{path}: gain.label and offset.label give scores up to {largest}: at most "
                f"{MOST_SCORE} are handled"
            )
    return arrays


def _ranges(description: Description) -> dict[str, tuple[int, int]]:
    """Return what thresholds and scores can be (docs/contracts.md, Numbers).

    A threshold is from always to never reached.
    """
    ranges = {}
    for layer in description.layers:
        if isinstance(layer, Threshold):
            ranges[f"threshold.{layer.name}"] = (0, 256)
        if isinstance(layer, LabelSelect) and layer.scores:
            ranges.update(zip(SCORES, ((1, MOST_SCORE), (0, MOST_SCORE)), strict=True))
    for number, product in enumerate(description.products):
        if product.threshold:
            most = (255 if product.pixels else 1) * product.mw
            ranges[f"threshold.{number}"] = (-most if product.pixels else 0, most + 1)
    return ranges


def read_golden(description: Description) -> Arrays:
    """Read a bundle's golden vectors, and check their values.

    Returns:
        ``images``, uint8, shape (n, pixels); ``labels``, shape (n,); ``edge.<tap>``, unsigned,
        shape (n, elements).

    Raises:
        BundleError: as of :func:`read_arrays`.
    """
    unsigned = ("uint8", "uint16", "uint32")
    wanted = {
        "images": Wanted(("uint8",), (None, description.pixels)),
        "labels": Wanted(unsigned, (None,)),
    }
    for tap in description.taps:
        types = ("int32", "int64", *unsigned) if tap.element_bits > 1 else unsigned
        wanted[f"edge.{tap.name}"] = Wanted(types, (None, tap.elements))
    path = description.folder / GOLDEN
    arrays = _read(path, description.content(GOLDEN), wanted)
    if arrays["labels"].max() >= description.classes:
        raise BundleError(
            f"{path}: labels holds {arrays['labels'].max()}: all must be below "
            f"{description.classes}"
        )
    for tap in description.taps:
        found = arrays[f"edge.{tap.name}"]
        if found.min() < 0 or found.max() >= 1 << tap.element_bits:
            raise BundleError(
                f"{path}: edge.{tap.name} holds {found.min()} to {found.max()}: it must be of "
                f"{tap.element_bits} bits"
            )
    return arrays


def _read(path: Path, content: bytes, wanted: Mapping[str, Wanted]) -> Arrays:
    """Read an archive that holds these arrays and no others."""
    try:
        _check_directory(content)
        with zipfile.ZipFile(BytesIO(content)) as archive:
            members = {entry.filename: entry for entry in archive.infolist()}
            if len(members) < len(archive.infolist()):
                raise ValueError("an array appears twice")
            names = {f"{name}.npy": name for name in wanted}
            for member in members:
                if member not in names:
                    raise ValueError(f"it holds {member[:40]!r}, which belongs to no layer")
            arrays: Arrays = {}
            images: int | None = None
            for member, name in names.items():
                if member not in members:
                    raise ValueError(f"it lacks {name}")
                arrays[name] = _member(archive, members[member], name, wanted[name], images)
                if wanted[name].shape[0] is None:
                    images = len(arrays[name])
            return arrays
    except (zipfile.BadZipFile, zlib.error, EOFError, struct.error, NotImplementedError) as error:
        raise BundleError(f"{path} is damaged: {str(error)[:100] or 'it ends early'}") from None
    except (ValueError, RuntimeError, OSError) as error:
        raise BundleError(f"{path} is damaged: {str(error)[:200]}") from None


def _check_directory(content: bytes) -> None:
    """Check the size of the archive's directory, of which zipfile makes objects without a limit."""
    at = content.rfind(_END)
    if at < 0 or len(content) - at < 22:
        raise ValueError("it is not an npz archive")
    (size,) = struct.unpack_from("<I", content, at + 12)
    if size > _DIRECTORY or content[max(at - 20, 0) : at].startswith(_END64):
        raise ValueError(f"its directory is larger than {_DIRECTORY} bytes")


def _member(
    archive: zipfile.ZipFile, entry: zipfile.ZipInfo, name: str, wanted: Wanted, images: int | None
) -> npt.NDArray[Any]:
    """Read a member whose header is as wanted."""
    if entry.compress_type not in _KINDS or entry.flag_bits & 1:
        raise ValueError(f"{name} is compressed in a way that numpy does not use")
    with archive.open(entry) as file:
        shape, is_fortran, dtype = _header(file.read(_HEADER))
        expected = tuple(images if size is None and images else size for size in wanted.shape)
        fits = len(shape) == len(expected) and all(
            found == size or (size is None and 1 <= found <= MOST_IMAGES)
            for found, size in zip(shape, expected, strict=True)
        )
        if not fits or dtype.str not in {np.dtype(kind).str for kind in wanted.types}:
            what = str(Wanted(wanted.types, expected))
            raise ValueError(f"{name} is {dtype.str} of shape {shape}: it must be {what}"[:200])
        size = int(np.prod(shape)) * dtype.itemsize
    with archive.open(entry) as file:
        raw = file.read(size + _HEADER + 1)
    start = len(raw) - size
    if start != _header_bytes(raw):
        raise ValueError(f"{name} has {len(raw)} bytes, which does not fit its shape")
    values = np.frombuffer(raw, dtype, offset=start)
    return values.reshape(shape, order="F" if is_fortran else "C").copy()


def _header_bytes(raw: bytes) -> int:
    """Return the length of a member's header; ValueError if it is not plausible."""
    if raw[:6] != b"\x93NUMPY" or raw[6:8] not in (b"\1\0", b"\2\0"):
        raise ValueError("a member is not an array of numpy")
    form, start = ("<H", 10) if raw[6] == 1 else ("<I", 12)
    length = start + int(struct.unpack_from(form, raw, 8)[0])
    if length > min(_HEADER, len(raw)):
        raise ValueError(f"the header of a member has {length} bytes")
    return length


_TEXT = re.compile(
    rb"\{'descr': '([<>|][a-zA-Z][0-9]{0,2})', 'fortran_order': (False|True), "
    rb"'shape': \(((?:[0-9]{1,10},? ?)*)\), \} *\n"
)
"""What numpy writes of an array of plain numbers; its reader would evaluate far more."""


def _header(raw: bytes) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
    """Return shape, order and type of a member."""
    start = 10 if raw[6:7] == b"\1" else 12
    text = _TEXT.fullmatch(raw[start : _header_bytes(raw)])
    if text is None:
        raise ValueError("the header of a member is not that of an array of numbers")
    kind, order, sizes = (part.decode("ascii") for part in text.groups())
    try:
        dtype = np.dtype(kind)
    except TypeError:
        raise ValueError(f"a member has elements of the type {kind}") from None
    if dtype.hasobject:
        raise ValueError("a member holds objects, which are never loaded")
    return tuple(map(int, re.findall("[0-9]+", sizes))), order == "True", dtype
