"""Packed bits: copied between arrays, brought into the order that the layers read, and coded.

Packed bits are little-endian in uint32 words; a set bit is +1, a clear one -1. A line is the bits
of words one after the other, with a word to spare. Tables of a code are those of
`spinflow.host.core.secded`.
"""

# ruff: noqa: PLR0917

from __future__ import annotations

from typing import Any

import numpy as np

from spinflow.sim.evaluator.kernels.vectors import LANES, compiled


@compiled
def copy_bits(target: Any, target_bit: Any, source: Any, source_bit: Any, count: Any) -> None:
    """Copies `count` bits between uint32 arrays, ascending; the source has a word to spare."""
    if (target_bit | source_bit) & 31 == 0:
        words = count >> 5
        for j in range(words):
            target[(target_bit >> 5) + j] = source[(source_bit >> 5) + j]
        target_bit += words << 5
        source_bit += words << 5
        count -= words << 5
    while count > 0:
        inside = target_bit & 31
        taken = min(32 - inside, count)
        place = source_bit >> 5
        pair = np.uint64(source[place]) | np.uint64(source[place + 1]) << np.uint64(32)
        mask = np.uint32((np.uint64(1) << np.uint64(taken)) - np.uint64(1))
        bits = np.uint32(pair >> np.uint64(source_bit & 31)) & mask
        place = target_bit >> 5
        kept = target[place] & ~(mask << np.uint32(inside))
        target[place] = kept | bits << np.uint32(inside)
        target_bit += taken
        source_bit += taken
        count -= taken


@compiled
def pack_rows(rows: Any, bits: Any, linear: Any, lo: Any, hi: Any) -> None:
    """Rows lo..hi of (rows, words) uint32, `bits` used in each, one after the other in `linear`."""
    spare = np.zeros(rows.shape[1] + 1, np.uint32)
    for row in range(lo, hi):
        spare[:-1] = rows[row]
        copy_bits(linear, row * bits, spare, 0, bits)


@compiled
def unpack_rows(linear: Any, first: Any, bits: Any, rows: Any) -> None:
    """Undoes pack_rows from bit `first` of `linear` on; the unused bits of a row become 0."""
    rows[:] = 0
    for row in range(rows.shape[0]):
        copy_bits(rows[row], 0, linear, first + row * bits, bits)


@compiled
def unfold_weights(memory: Any, mw: Any, pe: Any, simd: Any, rows: Any) -> None:
    """The weights of a folded memory (packed, linear) as one packed row an output, uint32."""
    folds = mw // simd
    for output in range(rows.shape[0]):
        for fold in range(folds):
            word = output // pe * folds + fold
            source = (word * pe + output % pe) * simd
            copy_bits(rows[output], fold * simd, memory, source, simd)


@compiled
def interleave_weights(rows: Any, taps: Any, bits: Any, out: Any) -> None:
    """Packed rows (outputs, words) as binary_layer reads them: out (words, k, LANES).

    A row is `taps` runs of `bits` bits; in `out` each run begins a word.
    """
    run = (bits + 31) // 32
    aligned = np.zeros(taps * run + 1, np.uint32)
    spare = np.zeros(rows.shape[1] + 1, np.uint32)
    for output in range(rows.shape[0]):
        spare[:-1] = rows[output]
        for tap in range(taps):
            copy_bits(aligned, tap * run * 32, spare, tap * bits, bits)
        for j in range(taps * run):
            out[output // LANES, j, output % LANES] = aligned[j]


@compiled
def transpose_weights(rows: Any, runs: Any, taps: Any, out: Any) -> None:
    """Packed rows (outputs, words) as pixel_layer reads them: (words / 2, pairs, 2 * LANES, 2).

    `out` is int16. A row is `runs` runs of `taps` taps; an odd one ends in a weight of 0.
    """
    out[:] = 0
    pairs = (taps + 1) // 2
    for output in range(rows.shape[0]):
        for tap in range(runs * taps):
            bit = np.int16(rows[output, tap >> 5] >> np.uint32(tap & 31) & np.uint32(1))
            inside = tap % taps
            pair = tap // taps * pairs + inside // 2
            lane = output % (2 * LANES)
            out[output // (2 * LANES), pair, lane, inside & 1] = 2 * bit - 1


@compiled
def get(line: Any, bit: Any, count: Any) -> Any:
    """Return up to 32 bits of a line, from a bit on."""
    place = bit >> 5
    pair = np.uint64(line[place]) | np.uint64(line[place + 1]) << np.uint64(32)
    mask = (np.uint64(1) << np.uint64(count)) - np.uint64(1)
    return np.int64(pair >> np.uint64(bit & 31) & mask)


@compiled
def checks_of(line: Any, bit: Any, count: Any, tables: Any) -> Any:
    """Return the check bits of a code word of `count` data bits from a bit of a line on."""
    found = np.int64(0)
    for byte in range((count + 7) // 8):
        found ^= np.int64(tables[byte, get(line, bit + 8 * byte, min(8, count - 8 * byte))])
    return found


@compiled
def encode(
    line: Any, data: Any, word: Any, check: Any, tables: Any, out: Any, lo: Any, hi: Any
) -> None:
    """Sets words lo..hi of `out` to those of `line` with their check bits."""
    words = (data + word - 1) // word
    width = data + words * check
    small = np.zeros(2, np.uint32)
    for row in range(lo, hi):
        copy_bits(out, row * width, line, row * data, data)
        for number in range(words):
            first = number * word
            small[0] = checks_of(line, row * data + first, min(word, data - first), tables)
            copy_bits(out, row * width + data + number * check, small, 0, check)


@compiled
def decode(
    line: Any, data: Any, word: Any, check: Any, tables: Any, places: Any, out: Any,
    counts: Any, lo: Any, hi: Any,
) -> None:  # fmt: skip
    """Sets words lo..hi of `out` to what is read of `line`; adds corrected, detected to counts.

    `places` says by syndrome which data bit is wrong, or that none (-1) or more (-2) are.
    """
    words = (data + word - 1) // word
    width = data + words * check
    for row in range(lo, hi):
        source, target = row * width, row * data
        copy_bits(out, target, line, source, data)
        for number in range(words):
            first = number * word
            bits = min(word, data - first)
            syndrome = checks_of(line, source + first, bits, tables)
            syndrome ^= get(line, source + data + number * check, check)
            if syndrome == 0:
                continue
            place = np.int64(places[syndrome])
            if place < -1 or place >= bits:
                counts[1] += 1
                continue
            counts[0] += 1
            if place >= 0:
                bit = target + first + place
                out[bit >> 5] ^= np.uint32(1) << np.uint32(bit & 31)
