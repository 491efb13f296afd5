"""Memory words as they go over AXI-Lite: rows of 32-bit segments, least significant first."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

Words = npt.NDArray[np.uint32]
"""Words of a memory, uint32, shape (words, segments)."""

Bits = npt.NDArray[np.uint8]
"""Bits of words, 0 or 1, uint8, shape (words, width), bit 0 first."""


def bits_of(words: Words, width: int) -> Bits:
    """Return the bits of words of ``width`` bits."""
    little = np.ascontiguousarray(words, dtype="<u4").view(np.uint8)
    return np.unpackbits(little, axis=1, bitorder="little")[:, :width]


def words_of(bits: Bits) -> Words:
    """Return bits as words; the upper bits of the last segment that a word leaves over are 0."""
    count, width = bits.shape
    padded = np.zeros((count, -(-width // 32) * 32), np.uint8)
    padded[:, :width] = bits
    return np.packbits(padded, axis=1, bitorder="little").view("<u4").astype(np.uint32)


def count_ones(words: npt.NDArray[Any]) -> int:
    """Return the number of ones in an array of unsigned words of any width."""
    return int(np.unpackbits(np.ascontiguousarray(words).view(np.uint8)).sum())
