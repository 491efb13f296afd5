"""How a binary weight matrix lies in a weight memory: the one place that packs and unpacks it.

docs/contracts.md, "Memories", states the layout: word `nf*(MW/SIMD) + sf`, bit `pe*SIMD + simd` is
the weight from input `sf*SIMD + simd` to output `nf*PE + pe`; a word is 32-bit segments, least
significant first.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from spinflow.host.core.description import segments_of, stride_of
from spinflow.host.core.packing import bits_of, words_of

__all__ = ["pack_weights", "segments_of", "stride_of", "unpack_weights"]


def pack_weights(matrix: npt.NDArray[Any], pe: int, simd: int) -> npt.NDArray[np.uint32]:
    """Fold a weight matrix into the segments written over AXI-Lite.

    Args:
        matrix: 0 (weight -1) and 1 (weight +1), shape (MW, MH).
        pe: outputs computed at once; divides MH.
        simd: inputs taken at once; divides MW.

    Returns:
        uint32, shape (depth, segments); the unused bits of the last segment are 0.
    """
    mw, mh = matrix.shape
    words = (
        matrix.T.reshape(mh // pe, pe, mw // simd, simd)
        .transpose(0, 2, 1, 3)
        .reshape(-1, pe * simd)
        .astype(np.uint8)
    )
    return words_of(words)


def unpack_weights(
    segments: npt.NDArray[np.uint32], mw: int, mh: int, pe: int, simd: int
) -> npt.NDArray[np.uint8]:
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
    bits = bits_of(segments, pe * simd)
    return np.ascontiguousarray(
        bits.reshape(mh // pe, mw // simd, pe, simd).transpose(0, 2, 1, 3).reshape(mh, mw).T
    )
