"""Which written bits err where each cell has its own thresholds, by either stream.

The thresholds of cells stand in lines, uint32, one for written ones and one for zeros, in the order
of the positions, and go on from the front for MARGIN more. Hits are packed bits, little-endian in
uint32 words: a set bit is an error.
"""

# Compiled functions take everything by position.
# ruff: noqa: PLR0917

from __future__ import annotations

from typing import Any

import numpy as np
from numba import types

from spinflow.sim.evaluator.kernels import fast_stream
from spinflow.sim.evaluator.kernels.streams import (
    ALWAYS,
    LAST_LEAD_BLOCK,
    TAIL_BITS,
    TAIL_MASK,
    lowest_bit,
    make_leads,
)
from spinflow.sim.evaluator.kernels.vectors import (
    B64,
    I64,
    ROUND_CONSTANTS,
    compiled,
    load,
    pointers,
    vector_code,
)

MARGIN = 64  # thresholds that lines repeat at their end
STEP = 64  # words of hits for which draws are made at once
CONSTANTS = np.array(ROUND_CONSTANTS, np.uint32)
DENSE = 1 << (32 - fast_stream.SPARSE_LEVELS)  # above it the fast stream draws for each position


@compiled
def _make_blocks(seed: Any, first: Any, mask: Any, out: Any) -> None:
    """Both words of consecutive blocks of the permutation, modulo mask + 1, into out (n, 2)."""
    for n in range(len(out)):
        x, y = np.uint32((first + n) & mask), np.uint32(seed)
        for constant in CONSTANTS:
            turned = np.uint32(np.uint32(x >> np.uint32(8)) | np.uint32(x << np.uint32(24)))
            x = np.uint32(np.uint32(turned + y) ^ constant)
            y = np.uint32(
                np.uint32(np.uint32(y << np.uint32(3)) | np.uint32(y >> np.uint32(29))) ^ x
            )
        out[n, 0], out[n, 1] = x, y


@compiled
def _tail_is_below(seed: Any, position: Any, edge: Any, block: Any) -> Any:
    """Whether the tail of the draw at a position is below an edge; `block` is room, (1, 2)."""
    low = position & 0xFFFFFFFF
    _make_blocks(seed, LAST_LEAD_BLOCK + 1 | low >> 1, 0xFFFFFFFF, block)
    return (block[0, low & 1] >> np.uint32(32 - TAIL_BITS)) < edge


@vector_code
def _compare(typing: Any, leads: Any, at: Any, edges: Any, cell: Any, masks: Any) -> Any:
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
def hits_of_hardware(
    seed: Any, start: Any, line: Any, leading: Any, phase: Any, hits: Any, lo: Any, hi: Any
) -> None:
    """Words lo..hi of hits, of the hardware's stream; bit 0 of word 0 is position `start`.

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
            _compare(leads, 32 * word, leading, cell, masks)
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


@compiled
def _dense_hits(key: Any, start: Any, line: Any, phase: Any, hits: Any, lo: Any, hi: Any) -> None:
    """What thresholds above DENSE leave to a draw for each position, as fast_stream has it."""
    size = line.size - MARGIN
    seed = np.uint32(key >> np.uint64(32))
    blocks = np.empty((16 * STEP, 2), np.uint32)
    drawn = blocks.reshape(-1)
    cell = (phase + 32 * lo) % size
    for first in range(lo, hi, STEP):
        words = min(STEP, hi - first)
        _make_blocks(seed, (start >> 1) + 16 * first, 0xFFFFFFFF, blocks[: 16 * words])
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
def hits_of_fast(
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
    """As hits_of_hardware, of the fast stream of a memory.

    `highest` is the largest threshold of the line that does not err always; `dense` says whether
    any is above DENSE.
    """
    key = fast_stream.key_of(seed, memory)
    if dense:
        _dense_hits(key, start, line, phase, hits, lo, hi)
    else:
        hits[lo:hi] = 0
    places = np.empty((2, fast_stream.STREAM_BLOCK), np.int64)
    others = np.empty(fast_stream.BATCH, np.uint64)
    gaps = np.empty(fast_stream.BATCH, np.float64)
    begin, end = start + 32 * lo, start + 32 * hi
    bits = fast_stream.STREAM_BLOCK_BITS
    for block in range(begin >> bits, (end + fast_stream.STREAM_BLOCK - 1) >> bits):
        origin = block << bits
        of_block = fast_stream.block_of(key, block)
        for level in range(fast_stream.SPARSE_LEVELS, 33):
            least = 1 << (31 - level) if level < 32 else 0
            if highest <= least:
                continue
            width = max(least, 1)
            count = fast_stream.draw_level(level, of_block, places, others, gaps)
            for n in range(count):
                place = origin + places[0, n]
                if begin <= place < end:
                    threshold = np.int64(line[(phase + place - start) % (line.size - MARGIN)])
                    if least + (places[1, n] & (width - 1)) < threshold:
                        bit = place - start
                        hits[bit >> 5] |= np.uint32(1) << np.uint32(bit & 31)
