"""The order of bits in the words of a memory, against the contract's own words."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from spinflow.host.core.addresses import segments_of, stride_of
from spinflow.host.core.packing import (
    bits_of,
    fold,
    pack_weights,
    segment_masks,
    unfold,
    unpack_weights,
    words_of,
)

FOLDINGS = [(12, 6, 1, 1), (12, 6, 2, 4), (12, 6, 6, 12), (80, 4, 2, 40), (64, 2, 1, 64)]


def matrix_of(mw: int, mh: int) -> npt.NDArray[Any]:
    return np.random.default_rng(mw * mh).integers(0, 2, (mw, mh)).astype(np.uint8)


@pytest.mark.parametrize(("mw", "mh", "pe", "simd"), FOLDINGS)
def test_every_weight_is_where_the_contract_says(mw: int, mh: int, pe: int, simd: int) -> None:
    matrix = matrix_of(mw, mh)
    packed = pack_weights(matrix, pe, simd)
    assert packed.dtype == np.uint32
    assert packed.shape == ((mw // simd) * (mh // pe), segments_of(pe * simd))
    for i in range(mw):
        for o in range(mh):
            word, bit = (o // pe) * (mw // simd) + i // simd, (o % pe) * simd + i % simd
            assert (int(packed[word, bit // 32]) >> (bit % 32)) & 1 == matrix[i, o]
    assert not np.any(packed & ~segment_masks(pe * simd)), "unused bits are 0"
    np.testing.assert_array_equal(unpack_weights(packed, mw, mh, pe, simd), matrix)
    bits = fold(matrix.T, pe, simd)
    np.testing.assert_array_equal(bits, bits_of(packed, pe * simd))
    np.testing.assert_array_equal(unfold(bits * 2.0 - 1, mw, mh, pe, simd), matrix.T * 2.0 - 1)


def test_segments_of_another_shape_or_type_are_refused() -> None:
    packed = pack_weights(matrix_of(12, 6), 2, 4)
    wrongs: list[npt.NDArray[Any]] = [packed[:-1], packed.astype(np.int64)]
    for wrong in wrongs:
        with pytest.raises(ValueError, match="expected uint32"):
            unpack_weights(wrong, 12, 6, 2, 4)


@pytest.mark.parametrize(
    ("width", "segments", "stride"),
    [(1, 1, 4), (32, 1, 4), (33, 2, 8), (96, 3, 16), (1568, 49, 256), (2048, 64, 256)],
)
def test_segments_strides_and_masks(width: int, segments: int, stride: int) -> None:
    assert (segments_of(width), stride_of(width)) == (segments, stride)
    masks = segment_masks(width)
    assert masks.shape == (segments,)
    assert sum(bin(mask).count("1") for mask in masks.tolist()) == width
    ones = np.ones((3, width), np.uint8)
    np.testing.assert_array_equal(words_of(ones), np.broadcast_to(masks, (3, segments)))
