"""Which written bits err, by the hardware's random stream.

Hits are packed bits, little-endian in uint32 words: a set bit is an error against a threshold.
"""

# Compiled functions take everything by position.
# ruff: noqa: PLR0917

from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import ir
from numba import types

from spinflow.sim.evaluator.kernels.vectors import (
    B64,
    HALF,
    I8,
    I16,
    I64,
    MARGIN,
    STEP,
    V16,
    compiled,
    constant,
    in_order,
    load,
    lowest_bit,
    make_blocks,
    pointers,
    rounds,
    splat,
    store,
    vector_code,
)

MASK_WORDS = 256  # 64-bit words of comparisons that are made before their ties are settled
ALWAYS = 0xFFFFFFFF
TAIL_BITS = 24
TAIL_MASK = (1 << TAIL_BITS) - 1
LAST_LEAD_BLOCK = 0x7FFFFFFF  # the blocks of tails follow
EIGHT = ir.VectorType(I64, 8)


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
            x, y = rounds(b, x, splat(b, args[0], V16))
            for half in range(2):
                leads = b.bitcast(in_order(b, x, y, half), B64)
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
        x, y = rounds(b, block, splat(b, args[0], V16))
        odd = b.icmp_unsigned("!=", b.and_(position, constant(V16, 1)), constant(V16, 0))
        tails = b.lshr(b.select(odd, y, x), constant(V16, 32 - TAIL_BITS))
        below = b.icmp_unsigned("<", tails, splat(b, args[4], V16))
        return b.zext(b.bitcast(below, I16), I64)

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
        places[count] = np.uint32(word << np.uint64(6)) + lowest_bit(ties)
        count += np.uint64(ties != 0)
        ties &= ties - one
        while ties:
            places[count] = np.uint32(word << np.uint64(6)) + lowest_bit(ties)
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
def make_leads(typing: Any, seed: Any, block: Any, out: Any, step: Any) -> Any:
    """The 128 leads of 16 blocks from `block` on, bytes."""
    signature = types.void(seed, block, out, step)

    def generate(context: Any, b: Any, signature: Any, args: Any) -> Any:
        (first,) = pointers(context, b, signature, args, [2])
        x = b.add(splat(b, args[1], V16), ir.Constant(V16, list(range(HALF))))
        x = b.and_(x, constant(V16, LAST_LEAD_BLOCK))
        x, y = rounds(b, x, splat(b, args[0], V16))
        for half in range(2):
            place = b.add(b.shl(args[3], I64(7)), I64(64 * half))
            store(b, b.bitcast(in_order(b, x, y, half), B64), b.gep(first, [place]), 1)
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
            make_leads(np.uint32(seed), block, leads, step)
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
                    lane = lowest_bit(left)
                    left &= left - one
                    ties = tied[lane]
                    while ties:
                        places[count] = np.uint32(64 * (word + lane) + lowest_bit(ties))
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
def _tail_is_below(seed: Any, position: Any, edge: Any, block: Any) -> Any:
    """Whether the tail of the draw at a position is below an edge; `block` is room, (1, 2)."""
    low = position & 0xFFFFFFFF
    make_blocks(seed, LAST_LEAD_BLOCK + 1 | low >> 1, 0xFFFFFFFF, block)
    return (block[0, low & 1] >> np.uint32(32 - TAIL_BITS)) < edge


@vector_code
def _compare_cells(typing: Any, leads: Any, at: Any, edges: Any, cell: Any, masks: Any) -> Any:
    """Which of 64 leads from `at` on are below and equal to edges, from `cell` on: two masks."""
    signature = types.void(leads, at, edges, cell, masks)

    def generate(context: Any, b: Any, signature: Any, args: Any) -> Any:
        drawn, limits, found = pointers(context, b, signature, args, (0, 2, 4))
        lead = load(b, b.gep(drawn, [args[1]]), B64, 1)
        edge = load(b, b.gep(limits, [args[3]]), B64, 1)
        for number, relation in enumerate(("<", "==")):
            mask = b.bitcast(b.icmp_unsigned(relation, lead, edge), I64)
            b.store(mask, b.gep(found, [I64(number)]), align=8)
        return context.get_dummy_value()

    return signature, generate


@compiled
def hits_of_cells(
    seed: Any, start: Any, line: Any, leading: Any, phase: Any, hits: Any, lo: Any, hi: Any
) -> None:
    """As hits_of_hardware, each cell with a threshold of its own.

    `start` is a multiple of 32, and has the thresholds at `phase` of the line. `leading` are the
    leading 8 bits of the line, which both go on from the front for MARGIN more.
    """
    size = line.size - MARGIN
    leads, block = np.empty(32 * STEP + 64, np.uint8), np.empty((1, 2), np.uint32)
    masks, one = np.empty(2, np.uint64), np.uint64(1)
    cell = (phase + 32 * lo) % size
    for first in range(lo, hi, STEP):
        words = min(STEP, hi - first)
        origin = start + 32 * first
        for step in range((words + 3) >> 2):
            at = np.uint32((origin >> 3) + 16 * step & LAST_LEAD_BLOCK)
            make_leads(np.uint32(seed), at, leads, step)
        for word in range(0, words, 2):
            _compare_cells(leads, 32 * word, leading, cell, masks)
            found, tied = masks[0], masks[1]
            while tied:
                bit = np.int64(lowest_bit(tied))
                tied &= tied - one
                threshold = np.int64(line[cell + bit])
                edge = threshold & TAIL_MASK
                if threshold == ALWAYS or (
                    edge and _tail_is_below(seed, origin + 32 * word + bit, edge, block)
                ):
                    found |= one << np.uint64(bit)
            hits[first + word] = np.uint32(found & np.uint64(0xFFFFFFFF))
            if word + 1 < words:
                hits[first + word + 1] = np.uint32(found >> np.uint64(32))
            cell = (cell + 64) % size
