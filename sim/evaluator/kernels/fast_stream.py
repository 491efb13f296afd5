"""Which written bits err, by a fast stream of the hardware's distribution.

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
    MARGIN,
    STEP,
    V16,
    compiled,
    constant,
    in_order,
    loop,
    make_blocks,
    pointers,
    rounds,
    splat,
    store,
    vector_code,
)

SPARSE_LEVELS = 4  # the fast stream draws errors below a rate of 2**-4 one by one
DENSE = 1 << (32 - SPARSE_LEVELS)  # above it the fast stream draws for each position
STREAM_BLOCK_BITS = 16  # log2 of the positions that share a generator of the fast stream
STREAM_BLOCK = 1 << STREAM_BLOCK_BITS
BATCH, LAST_BATCHED = 64, 9  # numbers of it that are made at once, for levels that need as many
GOLDEN = np.uint64(0x9E3779B97F4A7C15)  # of SplitMix64
ALWAYS = 0xFFFFFFFF
LOG = (
    0.6666666666666735130, 0.3999999999940941908, 0.2857142874366239149, 0.2222219843214978396,
    0.1818357216161805012, 0.1531383769920937332, 0.1479819860511658591,
)  # fmt: skip
LN2_HIGH, LN2_LOW = 6.93147180369123816490e-01, 1.90821492927058770002e-10
ROOT_OF_2 = 0x6A09C << 32  # the mantissa's bits, about
EIGHT, REALS = ir.VectorType(I64, 8), ir.VectorType(ir.DoubleType(), 8)


@compiled
def _mixed(state: Any) -> Any:
    """The output function of SplitMix64."""
    z = state
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return z ^ (z >> np.uint64(31))


@compiled
def key_of(seed: Any, memory: Any) -> Any:
    """What stands for a memory's seed."""
    return _mixed((np.uint64(memory) << np.uint64(32) | np.uint64(seed)) + GOLDEN)


@compiled
def block_of(key: Any, block: Any) -> Any:
    """What the generators of a block of positions begin with."""
    return _mixed(key ^ _mixed(np.uint64(block) + GOLDEN))


@vector_code
def _compare_words(typing: Any, seed: Any, block: Any, threshold1: Any, threshold0: Any) -> Any:
    """The words of 16 blocks that are below two thresholds: bits 0-31 and 32-63."""
    signature = types.uint64(seed, block, threshold1, threshold0)

    def generate(context: Any, b: Any, signature: Any, args: Any) -> Any:
        x = b.add(splat(b, args[1], V16), ir.Constant(V16, list(range(HALF))))
        x, y = rounds(b, x, splat(b, args[0], V16))
        result: Any = I64(0)
        for part in range(2):
            words = in_order(b, x, y, part)
            for number, threshold in enumerate(args[2:]):
                below = b.icmp_unsigned("<", words, splat(b, threshold, V16))
                bits = b.zext(b.bitcast(below, I16), I64)
                result = b.or_(result, b.shl(bits, I64(32 * number + 16 * part)))
        return result

    return signature, generate


@compiled
def hits_of_words(
    seed: Any,
    start: Any,
    threshold1: Any,
    threshold0: Any,
    hits1: Any,
    hits0: Any,
    lo: Any,
    hi: Any,
) -> None:
    """As hits_of_hardware, with a word of 32 bits for each position in the place of a draw.

    No threshold errs always.
    """
    one = threshold1 == threshold0
    for word in range(lo, hi):
        block = np.uint32((start >> 1) + (word << 4) & 0xFFFFFFFF)
        both = _compare_words(np.uint32(seed), block, np.uint32(threshold1), np.uint32(threshold0))
        hits1[word] = np.uint32(both)
        if not one:
            hits0[word] = np.uint32(both >> np.uint64(32))


@compiled
def _draw_dense(key: Any, start: Any, threshold: Any, hits: Any, lo: Any, hi: Any) -> None:
    """Sets words lo..hi to what a threshold above 2**-4 leaves to a draw for each position.

    It is the rest of the probability, among the positions that no level takes.
    """
    dense = 1 << (32 - SPARSE_LEVELS)
    if threshold > dense:
        rest = min((threshold - dense) * 2**32 // (2**32 - dense), ALWAYS - 1)
        hits_of_words(np.uint32(key >> np.uint64(32)), start, rest, rest, hits, hits, lo, hi)
    else:
        hits[lo:hi] = 0


def _mixed_vector(b: Any, z: Any) -> Any:
    """_mixed of EIGHT."""
    for shift, factor in (30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB):
        z = b.mul(b.xor(z, b.lshr(z, constant(EIGHT, shift))), constant(EIGHT, factor))
    return b.xor(z, b.lshr(z, constant(EIGHT, 31)))


def _logarithm(b: Any, x: Any) -> Any:
    """The logarithm of positive numbers, as fdlibm has it: x = 2**power * factor, near 1."""

    def real(value: float) -> Any:
        return ir.Constant(REALS, [value] * 8)

    def series(numbers: tuple[float, ...]) -> Any:
        found = real(numbers[-1])
        for number in reversed(numbers[:-1]):
            found = b.fadd(real(number), b.fmul(w, found))
        return found

    bits = b.bitcast(x, EIGHT)
    mantissa = b.and_(bits, constant(EIGHT, (1 << 52) - 1))
    above = b.zext(b.icmp_unsigned(">=", mantissa, constant(EIGHT, ROOT_OF_2)), EIGHT)
    exponent = b.sub(b.lshr(bits, constant(EIGHT, 52)), constant(EIGHT, 1023))
    power = b.sitofp(b.add(exponent, above), REALS)
    around = b.shl(b.sub(constant(EIGHT, 1023), above), constant(EIGHT, 52))
    f = b.fsub(b.bitcast(b.or_(mantissa, around), REALS), real(1.0))
    s = b.fdiv(f, b.fadd(real(2.0), f))
    z = b.fmul(s, s)
    w = b.fmul(z, z)
    rest = b.fadd(b.fmul(z, series(LOG[::2])), b.fmul(w, series(LOG[1::2])))
    half = b.fmul(real(0.5), b.fmul(f, f))
    low = b.fadd(b.fmul(s, b.fadd(half, rest)), b.fmul(power, real(LN2_LOW)))
    return b.fsub(b.fmul(power, real(LN2_HIGH)), b.fsub(b.fsub(half, low), f))


@vector_code
def _draw_gaps(typing: Any, state: Any, scale: Any, others: Any, gaps: Any) -> Any:
    """The next BATCH numbers of a generator as gaps, log(uniform) * scale, and others from them."""
    signature = types.void(state, scale, others, gaps)

    def generate(context: Any, b: Any, signature: Any, args: Any) -> Any:
        more, found = pointers(context, b, signature, args, (2, 3))
        step = int(GOLDEN)

        def eight(number: Any, _: Any) -> list[Any]:
            first = splat(b, b.add(args[0], b.mul(number, I64(step))), EIGHT)
            steps = [step * (n + 1) & (1 << 64) - 1 for n in range(8)]
            drawn = _mixed_vector(b, b.add(first, ir.Constant(EIGHT, steps)))
            other = _mixed_vector(b, b.add(drawn, constant(EIGHT, step)))
            store(b, b.lshr(other, constant(EIGHT, 32)), b.gep(more, [number]), 8)
            high = b.uitofp(b.lshr(drawn, constant(EIGHT, 11)), REALS)
            uniform = b.fmul(b.fadd(high, ir.Constant(REALS, [1.0] * 8)),
                             ir.Constant(REALS, [2.0**-53] * 8))  # fmt: skip
            scales = splat(b, args[1], REALS)
            store(b, b.fmul(_logarithm(b, uniform), scales), b.gep(found, [number]), 8)
            return []

        loop(b, I64(0), I64(BATCH), 8, [], eight)
        return context.get_dummy_value()

    return signature, generate


@compiled
def draw_level(level: Any, of_block: Any, places: Any, others: Any, gaps: Any) -> Any:
    """The positions in a block that a level takes, ascending, and how many.

    Its rows: places, and a 32-bit number for each, which does not depend on the thresholds.
    """
    if level < 32:
        scale = 1.0 / math.log1p(-1.0 / (2.0 ** (level + 1) - 1.0))
    else:
        scale = 1.0 / math.log1p(-(2.0**-32))
    state = _mixed(of_block + np.uint64(level) * GOLDEN)
    place, count = -1, 0
    while level <= LAST_BATCHED:
        _draw_gaps(state, scale, others, gaps)
        state += np.uint64(BATCH) * GOLDEN
        for n in range(BATCH):
            gap = gaps[n]
            if gap >= STREAM_BLOCK - 1 - place:
                return count
            place += 1 + int(gap)
            places[0, count] = place
            places[1, count] = others[n]
            count += 1
    while True:
        state += GOLDEN
        number = _mixed(state)
        uniform = (float(number >> np.uint64(11)) + 1.0) * 2.0**-53
        gap = math.log(uniform) * scale
        if gap >= STREAM_BLOCK - 1 - place:
            return count
        place += 1 + int(gap)
        places[0, count] = place
        places[1, count] = _mixed(number + GOLDEN) >> np.uint64(32)
        count += 1


@compiled
def hits_of_fast(
    seed: Any, memory: Any, start: Any, thresholds: Any, hits: Any, lo: Any, hi: Any
) -> None:
    """Words lo..hi of hits (thresholds, words), uint32, against each one, of the fast stream.

    Bit 0 of word 0 is position `start`. Its work goes with the number of hits.
    Each position has a uniform 32-bit number u, and errs against T where u < T, but u is found
    only where it is small. Level n holds 2^(31-n) <= u < 2^(32-n), and level 32 u = 0. Going up
    from the rarest, each level is entered by every position with the probability that u lies in
    it and not in one below, independently, so the entries are found by geometric gaps; a position
    that was in a rarer level already keeps that. Above 2**-4 a draw a position is cheaper.
    """
    key = key_of(seed, memory)
    highest = 0
    for number in range(thresholds.size):
        highest = max(highest, thresholds[number])
        _draw_dense(key, start, thresholds[number], hits[number], lo, hi)
    places = np.empty((2, STREAM_BLOCK), np.int64)
    others, gaps = np.empty(BATCH, np.uint64), np.empty(BATCH, np.float64)
    begin, end = start + 32 * lo, start + 32 * hi
    for block in range(begin >> STREAM_BLOCK_BITS, (end + STREAM_BLOCK - 1) >> STREAM_BLOCK_BITS):
        origin = block << STREAM_BLOCK_BITS
        of_block = block_of(key, block)
        for level in range(SPARSE_LEVELS, 33):
            least = 1 << (31 - level) if level < 32 else 0
            if highest <= least:
                continue
            count = draw_level(level, of_block, places, others, gaps)
            first, last = 0, count
            while first < last and origin + places[0, first] < begin:
                first += 1
            while first < last and origin + places[0, last - 1] >= end:
                last -= 1
            width = max(least, 1)
            for number in range(thresholds.size):
                threshold, own = thresholds[number], hits[number]
                if threshold <= least:
                    continue
                whole = threshold >= least + width
                for n in range(first, last):
                    if whole or least + (places[1, n] & (width - 1)) < threshold:
                        bit = origin + places[0, n] - start
                        own[bit >> 5] |= np.uint32(1) << np.uint32(bit & 31)
    for number in range(thresholds.size):
        if thresholds[number] == ALWAYS:
            hits[number, lo:hi] = np.uint32(ALWAYS)


@compiled
def _draw_dense_cells(
    key: Any, start: Any, line: Any, phase: Any, hits: Any, lo: Any, hi: Any
) -> None:
    """What thresholds above DENSE leave to a draw for each position."""
    size = line.size - MARGIN
    seed = np.uint32(key >> np.uint64(32))
    blocks = np.empty((16 * STEP, 2), np.uint32)
    drawn = blocks.reshape(-1)
    cell = (phase + 32 * lo) % size
    for first in range(lo, hi, STEP):
        words = min(STEP, hi - first)
        make_blocks(seed, (start >> 1) + 16 * first, 0xFFFFFFFF, blocks[: 16 * words])
        for word in range(words):
            found = np.uint32(0)
            for bit in range(32):
                threshold = np.int64(line[cell])
                cell += 1
                if cell == size:
                    cell = 0
                if threshold == ALWAYS:
                    found |= np.uint32(1) << np.uint32(bit)
                elif threshold > DENSE:
                    rest: Any = min((threshold - DENSE) * 2**32 // (2**32 - DENSE), ALWAYS - 1)
                    hit = np.int64(drawn[32 * word + bit]) < rest
                    found |= np.uint32(hit) << np.uint32(bit)
            hits[first + word] = found


@compiled
def hits_of_cells(
    seed: Any,
    memory: Any,
    start: Any,
    line: Any,
    phase: Any,
    highest: Any,
    dense: Any,
    hits: Any,
    lo: Any,
    hi: Any,
) -> None:
    """As hits_of_fast, each cell with a threshold of its own.

    The thresholds stand in a line, in the order of the positions; `start` has that at `phase`, and
    they go on from the front for MARGIN more.

    `highest` is the largest threshold of the line that does not err always; `dense` says whether
    any is above DENSE.
    """
    key = key_of(seed, memory)
    if dense:
        _draw_dense_cells(key, start, line, phase, hits, lo, hi)
    else:
        hits[lo:hi] = 0
    places = np.empty((2, STREAM_BLOCK), np.int64)
    others = np.empty(BATCH, np.uint64)
    gaps = np.empty(BATCH, np.float64)
    begin, end = start + 32 * lo, start + 32 * hi
    bits = STREAM_BLOCK_BITS
    for block in range(begin >> bits, (end + STREAM_BLOCK - 1) >> bits):
        origin = block << bits
        of_block = block_of(key, block)
        for level in range(SPARSE_LEVELS, 33):
            least = 1 << (31 - level) if level < 32 else 0
            if highest <= least:
                continue
            width = max(least, 1)
            count = draw_level(level, of_block, places, others, gaps)
            for n in range(count):
                place = origin + places[0, n]
                if begin <= place < end:
                    threshold = np.int64(line[(phase + place - start) % (line.size - MARGIN)])
                    if least + (places[1, n] & (width - 1)) < threshold:
                        bit = place - start
                        hits[bit >> 5] |= np.uint32(1) << np.uint32(bit & 31)
