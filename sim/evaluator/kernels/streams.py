"""Which written bits err: the hardware's random stream, and a fast one of the same distribution.

Hits are packed bits, little-endian in uint32 words: a set bit is an error against a threshold.
"""

# Compiled functions take everything by position.
# ruff: noqa: PLR0917

from __future__ import annotations

import math
from typing import Any

import numpy as np
from llvmlite import ir
from numba import types

from spinflow.sim.evaluator.kernels.vectors import (
    HALF,
    I16,
    I64,
    V16,
    compiled,
    constant,
    splat,
    vector_code,
)

SPARSE_LEVELS = 4  # the fast stream draws errors below a rate of 2**-4 one by one
STREAM_BLOCK_BITS = 16  # log2 of the positions that share a generator of the fast stream
STREAM_BLOCK = 1 << STREAM_BLOCK_BITS
GOLDEN = np.uint64(0x9E3779B97F4A7C15)  # of SplitMix64
ROUND_CONSTANTS = [0x9E3779B9 * (number + 1) & 0xFFFFFFFF for number in range(8)]


@vector_code
def _hits(typing: Any, seed: Any, block: Any, threshold1: Any, threshold0: Any) -> Any:
    """The draws below two thresholds at 32 positions from 2 * block on: bits 0-31 and 32-63."""
    signature = types.uint64(seed, block, threshold1, threshold0)

    def generate(context: Any, b: Any, signature: Any, args: Any) -> Any:
        def rotated(value: Any, count: int) -> Any:
            left = b.shl(value, constant(V16, count))
            return b.or_(left, b.lshr(value, constant(V16, 32 - count)))

        x = b.add(splat(b, args[1], V16), ir.Constant(V16, list(range(HALF))))
        y = splat(b, args[0], V16)
        for key in ROUND_CONSTANTS:
            x = b.xor(b.add(rotated(x, 24), y), constant(V16, key))
            y = b.xor(rotated(y, 3), x)
        result: Any = I64(0)
        for part in range(2):  # the even position of a block is x, the odd one y
            order = [lane + part * HALF // 2 for lane in range(HALF // 2)]
            lanes = [number for lane in order for number in (lane, lane + HALF)]
            draws = b.shuffle_vector(x, y, ir.Constant(V16, lanes))
            for number, threshold in enumerate(args[2:]):
                below = b.icmp_unsigned("<", draws, splat(b, threshold, V16))
                bits = b.zext(b.bitcast(below, I16), I64)
                result = b.or_(result, b.shl(bits, I64(32 * number + 16 * part)))
        return result

    return signature, generate


@compiled
def hits_of_hardware(
    seed: Any,
    start: Any,
    threshold1: Any,
    threshold0: Any,
    hits1: Any,
    hits0: Any,
    lo: Any,
    hi: Any,
) -> None:
    """Words lo..hi of the hits against each threshold; bit 0 of word 0 is position `start`.

    `start` is a multiple of 32, hits1 and hits0 uint32. If the thresholds are equal, only hits1
    is written: the caller gives the same array twice.
    """
    one = threshold1 == threshold0
    for word in range(lo, hi):
        block = np.uint32((start >> 1) + (word << 4) & 0xFFFFFFFF)
        both = _hits(np.uint32(seed), block, np.uint32(threshold1), np.uint32(threshold0))
        hits1[word] = np.uint32(both)
        if not one:
            hits0[word] = np.uint32(both >> np.uint64(32))
    for threshold, hits in ((threshold1, hits1), (threshold0, hits0)):
        if threshold == 0xFFFFFFFF:
            for word in range(lo, hi):
                hits[word] = np.uint32(0xFFFFFFFF)


@compiled
def _mixed(state: Any) -> Any:
    """The output function of SplitMix64."""
    z = state
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return z ^ (z >> np.uint64(31))


@compiled
def _draw_dense(
    key: Any,
    start: Any,
    threshold1: Any,
    threshold0: Any,
    hits1: Any,
    hits0: Any,
    lo: Any,
    hi: Any,
) -> None:
    """Sets words lo..hi to what thresholds above 2**-4 leave to a draw for each position.

    It is the rest of the probability, among the positions that no level takes.
    """
    dense = 1 << (32 - SPARSE_LEVELS)
    if max(threshold1, threshold0) > dense:
        rest1 = max(threshold1 - dense, 0) * 2**32 // (2**32 - dense)
        rest0 = max(threshold0 - dense, 0) * 2**32 // (2**32 - dense)
        stream = np.uint32(key >> np.uint64(32))
        hits_of_hardware(
            stream, start, min(rest1, 0xFFFFFFFE), min(rest0, 0xFFFFFFFE), hits1, hits0, lo, hi
        )
    else:
        hits1[lo:hi] = 0
        if threshold1 != threshold0:
            hits0[lo:hi] = 0


@compiled
def _draw_level(
    level: Any,
    of_block: Any,
    origin: Any,
    start: Any,
    begin: Any,
    end: Any,
    threshold1: Any,
    threshold0: Any,
    hits1: Any,
    hits0: Any,
) -> None:
    """Adds the hits of a level in the block from position `origin` on, of positions begin..end."""
    one = threshold1 == threshold0
    least = 1 << (31 - level) if level < 32 else 0
    width = max(least, 1)
    if level < 32:
        scale = 1.0 / math.log1p(-1.0 / (2.0 ** (level + 1) - 1.0))
    else:
        scale = 1.0 / math.log1p(-(2.0**-32))
    partly1 = threshold1 < least + width
    partly0 = threshold0 < least + width
    state = _mixed(of_block + np.uint64(level) * GOLDEN)
    place = -1
    while True:
        state += GOLDEN
        drawn = _mixed(state)
        uniform = (float(drawn >> np.uint64(11)) + 1.0) * 2.0**-53
        gap = math.log(uniform) * scale
        if gap >= STREAM_BLOCK - 1 - place:
            break
        place += 1 + int(gap)
        u = least
        if partly1 or partly0:
            # Of the same number, so that the gaps do not depend on the thresholds.
            u += int(_mixed(drawn + GOLDEN) >> np.uint64(32)) & (width - 1)
        position = origin + place
        if position < begin:
            continue
        if position >= end:
            break
        word = (position - start) >> 5
        bit = np.uint32(1) << np.uint32((position - start) & 31)
        if u < threshold1:
            hits1[word] |= bit
        if not one and u < threshold0:
            hits0[word] |= bit


@compiled
def hits_of_fast(
    seed: Any,
    memory: Any,
    start: Any,
    threshold1: Any,
    threshold0: Any,
    hits1: Any,
    hits0: Any,
    lo: Any,
    hi: Any,
) -> None:
    """As hits_of_hardware, with the fast stream; its work goes with the number of hits.

    Each position has a uniform 32-bit number u, and errs against T where u < T, but u is found
    only where it is small. Level n holds 2^(31-n) <= u < 2^(32-n), and level 32 u = 0. Going up
    from the rarest, each level is entered by every position with the probability that u lies in
    it and not in one below, independently, so the entries are found by geometric gaps; a position
    that was in a rarer level already keeps that. Above 2**-4 a draw a position is cheaper.
    """
    key = _mixed((np.uint64(memory) << np.uint64(32) | np.uint64(seed)) + GOLDEN)
    highest = max(threshold1, threshold0)
    _draw_dense(key, start, threshold1, threshold0, hits1, hits0, lo, hi)
    begin, end = start + 32 * lo, start + 32 * hi
    for number in range(begin >> STREAM_BLOCK_BITS, (end + STREAM_BLOCK - 1) >> STREAM_BLOCK_BITS):
        origin = number << STREAM_BLOCK_BITS
        of_block = _mixed(key ^ _mixed(np.uint64(number) + GOLDEN))
        for level in range(SPARSE_LEVELS, 33):
            least = 1 << (31 - level) if level < 32 else 0
            if highest > least:
                _draw_level(
                    level, of_block, origin, start, begin, end, threshold1, threshold0, hits1, hits0
                )
    for threshold, hits in ((threshold1, hits1), (threshold0, hits0)):
        if threshold == 0xFFFFFFFF:
            for word in range(lo, hi):
                hits[word] = np.uint32(0xFFFFFFFF)
