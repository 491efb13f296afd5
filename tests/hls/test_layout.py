"""The weight layout against the words of the contract, and against FINN's."""

from __future__ import annotations

import numpy as np
import pytest
from onnx import helper

from spinflow.hls import ops
from spinflow.hls.ops.matrix import MVAU_rtl
from spinflow.host.core.description import segments_of, stride_of
from spinflow.host.core.packing import pack_weights, unpack_weights

FOLDINGS = [(12, 6, 1, 1), (12, 6, 2, 4), (12, 6, 6, 12), (80, 4, 2, 40), (64, 2, 1, 64)]


def random_matrix(mw: int, mh: int) -> np.ndarray:
    return np.random.default_rng(mw * mh).integers(0, 2, (mw, mh)).astype(np.uint8)


@pytest.mark.parametrize(("mw", "mh", "pe", "simd"), FOLDINGS)
def test_every_bit_is_where_the_contract_says(mw, mh, pe, simd):
    matrix = random_matrix(mw, mh)
    packed = pack_weights(matrix, pe, simd)
    assert packed.shape == ((mw // simd) * (mh // pe), segments_of(pe * simd))
    seen = 0
    for i in range(mw):
        for o in range(mh):
            word = (o // pe) * (mw // simd) + i // simd
            bit = (o % pe) * simd + i % simd
            assert (int(packed[word, bit // 32]) >> (bit % 32)) & 1 == matrix[i, o]
            seen += int(matrix[i, o])
    assert sum(int(segment).bit_count() for segment in packed.flat) == seen, "unused bits are 0"


@pytest.mark.parametrize(("mw", "mh", "pe", "simd"), FOLDINGS)
def test_finn_folds_the_same_way(mw, mh, pe, simd):
    matrix = random_matrix(mw, mh)
    node = helper.make_node(
        "MVAU_rtl", ["x", "w"], ["y"], domain=ops.RTL_DOMAIN, MW=mw, MH=mh, PE=pe, SIMD=simd,
        inputDataType="BINARY", weightDataType="BINARY", outputDataType="UINT8",
        binaryXnorMode=1, noActivation=1,
    )  # fmt: skip
    # FINN: (1, PE, word, SIMD), the inputs of a word in reverse.
    theirs = MVAU_rtl(node).get_hw_compatible_weight_tensor(matrix)[0, :, :, ::-1]
    bits = theirs.transpose(1, 0, 2).reshape(-1, pe * simd)
    ours = np.unpackbits(pack_weights(matrix, pe, simd).view(np.uint8), axis=1, bitorder="little")
    np.testing.assert_array_equal(ours[:, : pe * simd], bits)


@pytest.mark.parametrize(("mw", "mh", "pe", "simd"), FOLDINGS)
def test_round_trip(mw, mh, pe, simd):
    matrix = random_matrix(mw, mh)
    back = unpack_weights(pack_weights(matrix, pe, simd), mw, mh, pe, simd)
    np.testing.assert_array_equal(back, matrix)


def test_refuses_segments_of_another_shape_or_type():
    packed = pack_weights(random_matrix(12, 6), 2, 4)
    with pytest.raises(ValueError, match="expected uint32"):
        unpack_weights(packed[:-1], 12, 6, 2, 4)
    with pytest.raises(ValueError, match="expected uint32"):
        unpack_weights(packed.astype(np.int64), 12, 6, 2, 4)


@pytest.mark.parametrize(
    ("width", "segments", "stride"),
    [(1, 1, 4), (32, 1, 4), (33, 2, 8), (96, 3, 16), (1568, 49, 256), (2048, 64, 256)],
)
def test_segments_and_stride(width, segments, stride):
    assert (segments_of(width), stride_of(width)) == (segments, stride)
