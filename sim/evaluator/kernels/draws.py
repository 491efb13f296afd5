"""The hardware's random stream against many thresholds at once: its leads are made once for all.

Hits are packed bits as in streams.py.
"""

# Compiled functions take everything by position.
# ruff: noqa: PLR0917

from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import ir
from numba import types

from spinflow.sim.evaluator.kernels import streams
from spinflow.sim.evaluator.kernels.logic import lowest_bit
from spinflow.sim.evaluator.kernels.vectors import (
    B64,
    HALF,
    I8,
    I16,
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

WORDS = 256  # 64-bit words of hits that are made at once
ALWAYS, TAIL_BITS, TAIL_MASK = streams.ALWAYS, streams.TAIL_BITS, streams.TAIL_MASK
LAST_LEAD_BLOCK = streams.LAST_LEAD_BLOCK
EIGHT = ir.VectorType(I64, 8)


@vector_code
def _leads(typing: Any, seed: Any, block: Any, out: Any, step: Any) -> Any:
    """The 128 leads of 16 blocks from `block` on, bytes."""
    signature = types.void(seed, block, out, step)

    def generate(context: Any, b: Any, signature: Any, args: Any) -> Any:
        (first,) = pointers(context, b, signature, args, [2])
        x = b.add(splat(b, args[1], V16), ir.Constant(V16, list(range(HALF))))
        x = b.and_(x, constant(V16, LAST_LEAD_BLOCK))
        x, y = streams.rounds(b, x, splat(b, args[0], V16))
        for half in range(2):
            place = b.add(b.shl(args[3], I64(7)), I64(64 * half))
            store(b, b.bitcast(streams.in_order(b, x, y, half), B64), b.gep(first, [place]), 1)
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


@vector_code
def _tails_below(typing: Any, seed: Any, origin: Any, places: Any, number: Any, edge: Any) -> Any:
    """Which tails at positions origin + places[number + lane] are below `edge`: 16 bits."""
    signature = types.uint64(seed, origin, places, number, edge)

    def generate(context: Any, b: Any, signature: Any, args: Any) -> Any:
        (first,) = pointers(context, b, signature, args, [2])
        position = b.add(splat(b, args[1], V16), load(b, b.gep(first, [args[3]]), V16))
        block = b.or_(b.lshr(position, constant(V16, 1)), constant(V16, LAST_LEAD_BLOCK + 1))
        x, y = streams.rounds(b, block, splat(b, args[0], V16))
        odd = b.icmp_unsigned("!=", b.and_(position, constant(V16, 1)), constant(V16, 0))
        tails = b.lshr(b.select(odd, y, x), constant(V16, 32 - TAIL_BITS))
        below = b.icmp_unsigned("<", tails, splat(b, args[4], V16))
        return b.zext(b.bitcast(below, I16), I64)

    return signature, generate


@compiled
def hits_of_many(seed: Any, start: Any, thresholds: Any, hits: Any, lo: Any, hi: Any) -> None:
    """Blocks lo..hi of WORDS words of the hits (thresholds, words), uint64, against each threshold.

    Bit 0 of word 0 is position `start`, a multiple of 32. The words are whole blocks.
    """
    one = np.uint64(1)
    leads, tied = np.empty(64 * WORDS, np.uint8), np.empty(8, np.uint64)
    places = np.empty(64 * WORDS + HALF, np.uint32)
    for part in range(lo, hi):
        origin = start + part * WORDS * 64
        for step in range(WORDS // 2):
            block = np.uint32((origin >> 3) + (step << 4) & LAST_LEAD_BLOCK)
            _leads(np.uint32(seed), block, leads, step)
        position = np.uint32(origin & 0xFFFFFFFF)
        for number in range(thresholds.size):
            threshold, own = thresholds[number], hits[number]
            first = part * WORDS
            if threshold in (0, ALWAYS):
                own[first : first + WORDS] = np.uint64(0) - np.uint64(threshold != 0)
                continue
            lead, edge = np.uint8(threshold >> TAIL_BITS), np.uint32(threshold & TAIL_MASK)
            count = 0
            for word in range(0, WORDS, 8):
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
                mask = _tails_below(np.uint32(seed), position, places, tie, edge)
                for lane in range(min(HALF, count - tie)):
                    place = np.int64(places[tie + lane])
                    bit = (mask >> np.uint64(lane)) & one
                    own[first + (place >> 6)] |= bit << np.uint64(place & 63)
