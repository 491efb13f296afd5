"""Reads ``arrays.npz`` and ``golden.npz`` of a bundle, as far as they are what they must be.

Which arrays there must be, of which type and shape, follows from the description. So a member's
header is compared with that before its content is unpacked, and nothing is unpickled: a file can
neither run code nor fill the memory.
"""

from __future__ import annotations

import numpy as np

from spinflow.host.core.description import ByteTable, Description, LabelSelect, Threshold
from spinflow.host.core.errors import BundleError
from spinflow.host.core.npz import Arrays, Wanted, read

ARRAYS = "arrays.npz"
GOLDEN = "golden.npz"
TABLE = "table.input"
"""The array of the codes of bytes."""

SCORES = ("gain.label", "offset.label")
"""The arrays of the classes' scores."""

MOST_SCORE = 2**31 - 1
MOST_IMAGES = 10_000
"""Golden images that a bundle has at most."""


def read_arrays(description: Description) -> Arrays:
    """Read a bundle's weights, thresholds and scores, and check their values.

    Returns:
        ``weights.i``, uint32, shape (depth, segments); ``threshold.i``, int32, shape (outputs,);
        of a perceptron ``threshold.input``, int32, shape (1,); of a table of bytes
        ``table.input``, uint8, shape (256,); where classes have scores, ``gain.label`` and
        ``offset.label``, int32, shape (classes,).

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
        if isinstance(layer, ByteTable):
            wanted[TABLE] = Wanted(("uint8",), (256,))
        if isinstance(layer, LabelSelect) and layer.scores:
            for name in SCORES:
                wanted[name] = Wanted(("int32",), (layer.classes,))
    for number, product in enumerate(description.products):
        if product.threshold:
            wanted[f"threshold.{number}"] = Wanted(("int32",), (product.mh,))
    path = description.folder / ARRAYS
    arrays = read(path, description.content(ARRAYS), wanted, MOST_IMAGES)
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
            ranges[f"threshold.{number}"] = (0 if product.counts_agreement else -most, most + 1)
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
    arrays = read(path, description.content(GOLDEN), wanted, MOST_IMAGES)
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
