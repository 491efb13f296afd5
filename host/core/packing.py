"""How bits lie in the words of a memory: the one place that packs and unpacks them.

A word goes over AXI-Lite as a row of 32-bit segments, least significant first. docs/contracts.md,
section "Memories", states how a binary weight matrix lies in the words of its memory: word
``nf*(MW/SIMD) + sf``, bit ``pe*SIMD + simd`` is the weight from input ``sf*SIMD + simd`` to output
``nf*PE + pe``.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from spinflow.host.core.addresses import segments_of

Images = npt.NDArray[np.uint8]
"""Images, uint8, shape (n, pixels)."""

Words = npt.NDArray[np.uint32]
"""Words of a memory, uint32, shape (words, segments)."""

Bits = npt.NDArray[np.uint8]
"""Bits of words, 0 or 1, uint8, shape (words, width), bit 0 first."""


def frames_of(images: Images) -> npt.NDArray[np.uint8]:
    """Return images as the input stream takes them: bytes of 0 fill the last 32-bit word of each.

    Args:
        images: uint8, shape (n, pixels).

    Returns:
        uint8, shape (n, bytes per frame); the images themselves where they fill their words.
    """
    return np.pad(images, ((0, 0), (0, -images.shape[1] % 4))) if images.shape[1] % 4 else images


def bits_of(words: Words, width: int) -> Bits:
    """Return the bits of words of ``width`` bits; what a word has beyond them is ignored.

    Args:
        words: uint32, shape (words, segments).
        width: bits of a word.

    Returns:
        uint8 of 0 and 1, shape (words, width).
    """
    little = np.ascontiguousarray(words, dtype="<u4").view(np.uint8)
    return np.unpackbits(little, axis=1, bitorder="little")[:, :width]


def words_of(bits: Bits) -> Words:
    """Return bits as words; the unused upper bits of the last segment are 0.

    Args:
        bits: 0 and 1, shape (words, width).

    Returns:
        uint32, shape (words, segments).
    """
    count, width = bits.shape
    padded = np.zeros((count, 32 * segments_of(width)), np.uint8)
    padded[:, :width] = bits
    return np.packbits(padded, axis=1, bitorder="little").view("<u4").astype(np.uint32)


def segment_masks(width: int) -> npt.NDArray[np.uint32]:
    """Return the bits in use of each segment of a word of ``width`` bits: uint32, (segments,)."""
    masks: npt.NDArray[np.uint32] = words_of(np.ones((1, width), np.uint8))[0]
    return masks


def count_ones(words: npt.NDArray[Any]) -> int:
    """Return the number of ones in an array of unsigned words of any width."""
    ones_of = getattr(np, "bitwise_count", None)  # numpy 2 has it
    if ones_of is not None:
        return int(ones_of(words).sum(dtype=np.int64))
    return int(np.unpackbits(np.ascontiguousarray(words).view(np.uint8)).sum())


def fold(rows: npt.NDArray[Any], pe: int, simd: int) -> Bits:
    """Put a weight matrix into the order of its memory.

    Args:
        rows: 0 (weight -1) and 1 (weight +1), shape (MH, MW): a row for each output.
        pe: outputs that are computed at once; divides MH.
        simd: inputs that are taken at once; divides MW.

    Returns:
        uint8, shape (depth, PE * SIMD).
    """
    mh, mw = rows.shape
    folded = rows.reshape(mh // pe, pe, mw // simd, simd).transpose(0, 2, 1, 3)
    return folded.reshape(-1, pe * simd).astype(np.uint8)


def unfold(bits: npt.NDArray[Any], mw: int, mh: int, pe: int, simd: int) -> npt.NDArray[Any]:
    """Undo :func:`fold`.

    Args:
        bits: what the memory holds, shape (depth, PE * SIMD), of any type.
        mw, mh: inputs and outputs of the layer.
        pe, simd: its folding.

    Returns:
        The weights, of the type of ``bits``, shape (MH, MW).
    """
    folded = bits.reshape(mh // pe, mw // simd, pe, simd)
    return folded.transpose(0, 2, 1, 3).reshape(mh, mw)


def pack_weights(matrix: npt.NDArray[Any], pe: int, simd: int) -> Words:
    """Return a weight matrix as the segments that are written over AXI-Lite.

    Args:
        matrix: 0 (weight -1) and 1 (weight +1), shape (MW, MH).
        pe: outputs that are computed at once; divides MH.
        simd: inputs that are taken at once; divides MW.

    Returns:
        uint32, shape (depth, segments); the unused bits of the last segment are 0.
    """
    return words_of(fold(matrix.T, pe, simd))


def unpack_weights(segments: Words, mw: int, mh: int, pe: int, simd: int) -> Bits:
    """Undo :func:`pack_weights`.

    Args:
        segments: uint32, shape (depth, segments), as read over AXI-Lite.
        mw, mh, pe, simd: shape of the layer and its folding.

    Returns:
        uint8 of 0 and 1, shape (MW, MH).

    Raises:
        ValueError: the segments are not those of this layer.
    """
    expected = ((mw // simd) * (mh // pe), segments_of(pe * simd))
    if segments.shape != expected or segments.dtype != np.uint32:
        raise ValueError(
            f"weights are {segments.dtype} of shape {segments.shape}, expected uint32 {expected}"
        )
    return np.ascontiguousarray(unfold(bits_of(segments, pe * simd), mw, mh, pe, simd).T)
