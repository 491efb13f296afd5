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
    B64,
    HALF,
    I1,
    I8,
    I16,
    I32,
    I64,
    V16,
    compiled,
    constant,
    load,
    pointers,
    splat,
    store,
    vector_code,
)

SPARSE_LEVELS = 4  # the fast stream draws errors below a rate of 2**-4 one by one
STREAM_BLOCK_BITS = 16  # log2 of the positions that share a generator of the fast stream
STREAM_BLOCK = 1 << STREAM_BLOCK_BITS
GOLDEN = np.uint64(0x9E3779B97F4A7C15)  # of SplitMix64
MASK_WORDS = 256  # 64-bit words of comparisons that are made before their ties are settled
ALWAYS = 0xFFFFFFFF
TAIL_BITS = 24
TAIL_MASK = (1 << TAIL_BITS) - 1
LAST_LEAD_BLOCK = 0x7FFFFFFF  # the blocks of tails follow
EIGHT = ir.VectorType(I64, 8)
ROUND_CONSTANTS = [0x9E3779B9 * (number + 1) & 0xFFFFFFFF for number in range(8)]


def _rounds(b: Any, x: Any, y: Any) -> tuple[Any, Any]:
    """The even and the odd words of 16 blocks `x`, from seeds `y`."""

    def rotated(value: Any, count: int) -> Any:
        left = b.shl(value, constant(V16, count))
        return b.or_(left, b.lshr(value, constant(V16, 32 - count)))

    for key in ROUND_CONSTANTS:
        x = b.xor(b.add(rotated(x, 24), y), constant(V16, key))
        y = b.xor(rotated(y, 3), x)
    return x, y


def _in_order(b: Any, x: Any, y: Any, half: int) -> Any:
    """The words of the lower (0) or the upper (1) 8 of 16 blocks, the even word of each first."""
    order = [lane + half * HALF // 2 for lane in range(HALF // 2)]
    lanes = [number for lane in order for number in (lane, lane + HALF)]
    return b.shuffle_vector(x, y, ir.Constant(V16, lanes))


def _lead_comparison(others: int) -> Any:
    """The 128 leads of 16 blocks from `block` on beside one or two others: masks, (4, words).

    Words 2 * step and 2 * step + 1 of its rows, uint64, become: below lead1, equal to lead1, and
    with two others below lead0, equal to lead0.
    """

    @vector_code
    def compare(
        typing: Any, seed: Any, block: Any, lead1: Any, lead0: Any, masks: Any, step: Any
    ) -> Any:
        signature = types.void(seed, block, lead1, lead0, masks, step)

        def generate(context: Any, b: Any, signature: Any, args: Any) -> Any:
            (first,) = pointers(context, b, signature, args, [4])
            x = b.add(splat(b, args[1], V16), ir.Constant(V16, list(range(HALF))))
            x = b.and_(x, constant(V16, LAST_LEAD_BLOCK))
            x, y = _rounds(b, x, splat(b, args[0], V16))
            for half in range(2):
                leads = b.bitcast(_in_order(b, x, y, half), B64)
                word = b.add(b.shl(args[5], I64(1)), I64(half))
                for other in args[2 : 2 + others]:
                    edge = splat(b, other, B64)
                    for relation in ("<", "=="):
                        found = b.bitcast(b.icmp_unsigned(relation, leads, edge), I64)
                        b.store(found, b.gep(first, [word]), align=8)
                        word = b.add(word, I64(MASK_WORDS))
            return context.get_dummy_value()

        return signature, generate

    return compare


_compare_leads_with_one = _lead_comparison(1)
_compare_leads_with_two = _lead_comparison(2)


@vector_code
def _compare_tails(typing: Any, seed: Any, origin: Any, places: Any, number: Any, edge: Any) -> Any:
    """Which tails at positions origin + places[number + lane] are below `edge`: 16 bits."""
    signature = types.uint64(seed, origin, places, number, edge)

    def generate(context: Any, b: Any, signature: Any, args: Any) -> Any:
        (first,) = pointers(context, b, signature, args, [2])
        position = b.add(splat(b, args[1], V16), load(b, b.gep(first, [args[3]]), V16))
        block = b.or_(b.lshr(position, constant(V16, 1)), constant(V16, LAST_LEAD_BLOCK + 1))
        x, y = _rounds(b, block, splat(b, args[0], V16))
        odd = b.icmp_unsigned("!=", b.and_(position, constant(V16, 1)), constant(V16, 0))
        tails = b.lshr(b.select(odd, y, x), constant(V16, 32 - TAIL_BITS))
        below = b.icmp_unsigned("<", tails, splat(b, args[4], V16))
        return b.zext(b.bitcast(below, I16), I64)

    return signature, generate


@vector_code
def _lowest_bit(typing: Any, word: Any) -> Any:
    """The number of the lowest set bit of a 64-bit word, 64 if there is none."""
    signature = types.uint32(word)

    def generate(context: Any, b: Any, signature: Any, args: Any) -> Any:
        return b.trunc(b.cttz(args[0], ir.Constant(I1, 0)), I32)

    return signature, generate


@compiled
def _settle_ties(
    seed: Any, origin: Any, threshold: Any, below: Any, tied: Any, places: Any, hits: Any
) -> None:
    """Put into hits, uint32, the bits of `below`, and those of `tied` whose tails are below.

    Bit 0 of each is position `origin`; `places` has room for as many numbers as there are bits.
    """
    words = below.view(np.uint32)
    for word in range(len(hits)):
        hits[word] = words[word]
    edge = threshold & TAIL_MASK
    if edge == 0 or threshold == ALWAYS:
        return
    if len(hits) & 1:
        tied[len(hits) >> 1] &= np.uint64(0xFFFFFFFF)
    # Unsigned numbers are indices that need no look whether they are negative.
    one, count = np.uint64(1), np.uint64(0)
    for word in range(np.uint64((len(hits) + 1) >> 1)):
        ties = tied[word]
        # Mostly there is none or one, which a branch could not foresee.
        places[count] = np.uint32(word << np.uint64(6)) + _lowest_bit(ties)
        count += np.uint64(ties != 0)
        ties &= ties - one
        while ties:
            places[count] = np.uint32(word << np.uint64(6)) + _lowest_bit(ties)
            ties &= ties - one
            count += one
    for number in range(np.uint64(0), count, np.uint64(HALF)):
        mask = _compare_tails(seed, origin, places, number, np.uint32(edge))
        for lane in range(min(np.uint64(HALF), count - number)):
            place = np.uint64(places[number + lane])
            bit = np.uint32(mask >> lane) & np.uint32(1)
            hits[place >> np.uint64(5)] |= bit << np.uint32(place & np.uint64(31))


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
    masks = np.empty((4, MASK_WORDS), np.uint64)
    places = np.empty(32 * min(2 * MASK_WORDS, hi - lo + 1) + HALF, np.uint32)
    lead1, lead0 = np.uint8(threshold1 >> TAIL_BITS), np.uint8(threshold0 >> TAIL_BITS)
    for first in range(lo, hi, 2 * MASK_WORDS):
        words = min(2 * MASK_WORDS, hi - first)
        origin = start + (first << 5)
        for step in range((words + 3) >> 2):
            block = np.uint32((origin >> 3) + (step << 4) & LAST_LEAD_BLOCK)
            if one:
                _compare_leads_with_one(np.uint32(seed), block, lead1, lead0, masks, step)
            else:
                _compare_leads_with_two(np.uint32(seed), block, lead1, lead0, masks, step)
        position = np.uint32(origin & 0xFFFFFFFF)
        hits = hits1[first : first + words]
        _settle_ties(np.uint32(seed), position, threshold1, masks[0], masks[1], places, hits)
        if not one:
            hits = hits0[first : first + words]
            _settle_ties(np.uint32(seed), position, threshold0, masks[2], masks[3], places, hits)
    for threshold, hits in ((threshold1, hits1), (threshold0, hits0)):
        if threshold == ALWAYS:
            for word in range(lo, hi):
                hits[word] = np.uint32(0xFFFFFFFF)


@vector_code
def _leads(typing: Any, seed: Any, block: Any, out: Any, step: Any) -> Any:
    """The 128 leads of 16 blocks from `block` on, bytes."""
    signature = types.void(seed, block, out, step)

    def generate(context: Any, b: Any, signature: Any, args: Any) -> Any:
        (first,) = pointers(context, b, signature, args, [2])
        x = b.add(splat(b, args[1], V16), ir.Constant(V16, list(range(HALF))))
        x = b.and_(x, constant(V16, LAST_LEAD_BLOCK))
        x, y = _rounds(b, x, splat(b, args[0], V16))
        for half in range(2):
            place = b.add(b.shl(args[3], I64(7)), I64(64 * half))
            store(b, b.bitcast(_in_order(b, x, y, half), B64), b.gep(first, [place]), 1)
        return context.get_dummy_value()

    return signature, generate


@vector_code
def _compared(typing: Any, leads: Any, word: Any, lead: Any, hits: Any, at: Any, tied: Any) -> Any:
    """Which of 8 x 64 leads are below one, into hits, and equal to it, into tied; words with any.

    hits: uint64, word `at` on.
    """
    signature = types.uint64(leads, word, lead, hits, at, tied)

    def generate(context: Any, b: Any, signature: Any, args: Any) -> Any:
        first, below, equal = pointers(context, b, signature, args, (0, 3, 5))
        edge = splat(b, args[2], B64)
        for n in range(8):
            place = b.shl(b.add(args[1], I64(n)), I64(6))
            taken = load(b, b.gep(first, [place]), B64, 1)
            found = b.bitcast(b.icmp_unsigned("<", taken, edge), I64)
            b.store(found, b.gep(below, [b.add(args[4], I64(n))]), align=8)
            found = b.bitcast(b.icmp_unsigned("==", taken, edge), I64)
            b.store(found, b.gep(equal, [I64(n)]), align=8)
        any_tied = b.icmp_unsigned("!=", load(b, equal, EIGHT, 8), ir.Constant(EIGHT, [0] * 8))
        return b.zext(b.bitcast(any_tied, I8), I64)

    return signature, generate


@compiled
def hits_of_many(seed: Any, start: Any, thresholds: Any, hits: Any, lo: Any, hi: Any) -> None:
    """Blocks lo..hi of MASK_WORDS words of hits (thresholds, words), uint64, against each one.

    Bit 0 of word 0 is position `start`, a multiple of 32. The words are whole blocks.
    """
    one = np.uint64(1)
    leads, tied = np.empty(64 * MASK_WORDS, np.uint8), np.empty(8, np.uint64)
    places = np.empty(64 * MASK_WORDS + HALF, np.uint32)
    for part in range(lo, hi):
        origin = start + part * MASK_WORDS * 64
        for step in range(MASK_WORDS // 2):
            block = np.uint32((origin >> 3) + (step << 4) & LAST_LEAD_BLOCK)
            _leads(np.uint32(seed), block, leads, step)
        position = np.uint32(origin & 0xFFFFFFFF)
        for number in range(thresholds.size):
            threshold, own = thresholds[number], hits[number]
            first = part * MASK_WORDS
            if threshold in (0, ALWAYS):
                own[first : first + MASK_WORDS] = np.uint64(0) - np.uint64(threshold != 0)
                continue
            lead, edge = np.uint8(threshold >> TAIL_BITS), np.uint32(threshold & TAIL_MASK)
            count = 0
            for word in range(0, MASK_WORDS, 8):
                left = _compared(leads, word, lead, own, first + word, tied)
                while left:
                    lane = _lowest_bit(left)
                    left &= left - one
                    ties = tied[lane]
                    while ties:
                        places[count] = np.uint32(64 * (word + lane) + _lowest_bit(ties))
                        ties &= ties - one
                        count += 1
            if edge == 0:
                continue
            for tie in range(0, count, HALF):
                mask = _compare_tails(np.uint32(seed), position, places, tie, edge)
                for lane in range(min(HALF, count - tie)):
                    place = np.int64(places[tie + lane])
                    bit = (mask >> np.uint64(lane)) & one
                    own[first + (place >> 6)] |= bit << np.uint64(place & 63)


@compiled
def _mixed(state: Any) -> Any:
    """The output function of SplitMix64."""
    z = state
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return z ^ (z >> np.uint64(31))


@vector_code
def _compare_words(typing: Any, seed: Any, block: Any, threshold1: Any, threshold0: Any) -> Any:
    """The words of 16 blocks that are below two thresholds: bits 0-31 and 32-63."""
    signature = types.uint64(seed, block, threshold1, threshold0)

    def generate(context: Any, b: Any, signature: Any, args: Any) -> Any:
        x = b.add(splat(b, args[1], V16), ir.Constant(V16, list(range(HALF))))
        x, y = _rounds(b, x, splat(b, args[0], V16))
        result: Any = I64(0)
        for part in range(2):
            words = _in_order(b, x, y, part)
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
        rest1 = min(max(threshold1 - dense, 0) * 2**32 // (2**32 - dense), ALWAYS - 1)
        rest0 = min(max(threshold0 - dense, 0) * 2**32 // (2**32 - dense), ALWAYS - 1)
        stream = np.uint32(key >> np.uint64(32))
        hits_of_words(stream, start, rest1, rest0, hits1, hits0, lo, hi)
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
