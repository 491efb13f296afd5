"""Writes of packed bits into MRAM: what is stored, and what is counted of it.

Packed bits are little-endian in uint32 or uint64 words; a set bit is +1, a clear one -1.
"""

# Compiled functions take everything by position.
# ruff: noqa: PLR0917

from __future__ import annotations

from typing import Any

import numpy as np
from numba import types

from spinflow.sim.evaluator.kernels.vectors import compiled, vector_code


@vector_code
def _count_ones(typing: Any, word: Any) -> Any:
    """The set bits of a 64-bit word."""
    signature = types.int64(word)

    def generate(context: Any, b: Any, signature: Any, args: Any) -> Any:
        return b.ctpop(args[0])

    return signature, generate


@compiled
def store_exact(target: Any, cells: Any, depth: Any, lo: Any, hi: Any) -> None:
    """Mode off, words lo..hi (uint64): what is stored is the target."""
    for word in range(lo, hi):
        cells[depth + word] = target[word]


@compiled
def store_flipped(
    target: Any, hits1: Any, hits0: Any, cells: Any, depth: Any, lo: Any, hi: Any
) -> None:
    """Mode flip, words lo..hi (uint64): a hit inverts the target."""
    for word in range(lo, hi):
        wanted = target[word]
        cells[depth + word] = wanted ^ ((wanted & hits1[word]) | (~wanted & hits0[word]))


@compiled
def store_switched(
    target: Any, hits1: Any, hits0: Any, cells: Any, depth: Any, words: Any, lo: Any, hi: Any
) -> None:
    """Mode switch: a hit leaves the old word, `depth` words back. Columns lo..hi of depth."""
    for first in range(0, words, depth):
        for column in range(lo, min(hi, words - first)):
            word = first + column
            wanted, old = target[word], cells[word]
            hit = (wanted & hits1[word]) | (~wanted & hits0[word])
            cells[depth + word] = wanted ^ ((wanted ^ old) & hit)


@compiled
def count_write(target: Any, cells: Any, depth: Any, counts: Any, lo: Any, hi: Any) -> None:
    """Adds switched, err1 and err0 of words lo..hi (uint64) to counts[0:3]."""
    switched, errors1, errors0 = 0, 0, 0
    for word in range(lo, hi):
        wanted = target[word]
        error = cells[depth + word] ^ wanted
        switched += _count_ones(wanted ^ cells[word])
        errors1 += _count_ones(error & wanted)
        errors0 += _count_ones(error & ~wanted)
    counts[0] += switched
    counts[1] += errors1
    counts[2] += errors0


@compiled
def count_switched(target: Any, cells: Any, depth: Any, words: Any, counts: Any) -> None:
    """Adds to counts[0] how many bits of an exact write, uint64, differ from the old ones."""
    switched = 0
    for word in range(depth):
        switched += _count_ones(target[word] ^ cells[word])
    for word in range(depth, words):
        switched += _count_ones(target[word] ^ target[word - depth])
    counts[0] += switched


@compiled
def pass_flipped(
    target: Any, hits1: Any, hits0: Any, cells: Any, depth: Any, out: Any, words: Any, counts: Any
) -> None:
    """Mode flip: out gets what is stored of target, uint64; counts as in count_write.

    The words before the first are those of cells, `depth` of them, at most `words`.
    """
    switched, errors1, errors0 = 0, 0, 0
    for first in range(0, words, depth):
        before = cells if first == 0 else out[first - depth :]
        for column in range(min(depth, words - first)):
            wanted = target[first + column]
            one, zero = wanted & hits1[first + column], ~wanted & hits0[first + column]
            switched += _count_ones(wanted ^ before[column])
            errors1 += _count_ones(one)
            errors0 += _count_ones(zero)
            out[first + column] = wanted ^ (one | zero)
    counts[0] += switched
    counts[1] += errors1
    counts[2] += errors0


@compiled
def pass_switched(
    target: Any, hits1: Any, hits0: Any, cells: Any, depth: Any, out: Any, words: Any, counts: Any
) -> None:
    """As pass_flipped, in mode switch."""
    switched, errors1, errors0 = 0, 0, 0
    for first in range(0, words, depth):
        before = cells if first == 0 else out[first - depth :]
        for column in range(min(depth, words - first)):
            wanted, old = target[first + column], before[column]
            change = wanted ^ old
            error = change & ((wanted & hits1[first + column]) | (~wanted & hits0[first + column]))
            switched += _count_ones(change)
            errors1 += _count_ones(error & wanted)
            errors0 += _count_ones(error & ~wanted)
            out[first + column] = wanted ^ error
    counts[0] += switched
    counts[1] += errors1
    counts[2] += errors0


@compiled
def _bits_at(words: Any, bit: Any) -> Any:
    """The 32 bits from number `bit` of uint32 words on, as uint64; a word is to spare."""
    place = bit >> 5
    pair = np.uint64(words[place]) | np.uint64(words[place + 1]) << np.uint64(32)
    return pair >> np.uint64(bit & 31) & np.uint64(0xFFFFFFFF)


@compiled
def write_unaligned(
    mode: Any,
    target: Any,
    hits1: Any,
    hits0: Any,
    first_hit: Any,
    cells: Any,
    depth: Any,
    bits: Any,
    counts: Any,
) -> None:
    """A write of any alignment: `bits` bits over those `depth` bits back (all arrays uint32).

    Hit number i is bit first_hit + i of hits1 and hits0; mode is 0 off, 1 flip, 2 switch. The
    result follows in `cells` from bit `depth` on; counts as in count_write.
    """
    step = min(32, depth)  # the bits that do not depend on each other
    switched, errors1, errors0 = 0, 0, 0
    for i in range(0, bits, step):
        mask = (np.uint64(1) << np.uint64(min(step, bits - i))) - np.uint64(1)
        wanted = _bits_at(target, i) & mask
        old = _bits_at(cells, i) & mask
        stored = wanted
        if mode != 0:
            hits = _bits_at(hits1, first_hit + i) & wanted
            hits |= _bits_at(hits0, first_hit + i) & ~wanted & mask
            stored ^= hits if mode == 1 else hits & (wanted ^ old)
        place = (depth + i) >> 5
        shift = np.uint64((depth + i) & 31)
        pair = np.uint64(cells[place]) | np.uint64(cells[place + 1]) << np.uint64(32)
        pair = (pair & ~(mask << shift)) | stored << shift
        cells[place] = np.uint32(pair)
        cells[place + 1] = np.uint32(pair >> np.uint64(32))
        error = stored ^ wanted
        switched += _count_ones(wanted ^ old)
        errors1 += _count_ones(error & wanted)
        errors0 += _count_ones(error & ~wanted)
    counts[0] += switched
    counts[1] += errors1
    counts[2] += errors0
