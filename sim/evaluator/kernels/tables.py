"""Weight layers on bits by tables, for processors that cannot count the bits of vectors.

Four bits of an input choose a table of 16 bytes: how many of them differ from each four weights.
One instruction looks it up for the weights of 32 outputs (AVX2) or 64 (AVX512BW), 128 or 256
products, and one adds. Bytes hold the sums of CHUNK words before they are widened. On AVX2 that is
1.4 times as fast as counting the bits of bytes after an XOR, and 2.4 times what LLVM makes of
counting those of words.
"""

# Compiled functions take everything by position.
# ruff: noqa: PLR0917

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils

from spinflow.sim.evaluator.kernels.vectors import (
    I8,
    I32,
    I64,
    LANES,
    V32,
    compiled,
    load,
    loop,
    pointers,
    store,
    vector_code,
)
from spinflow.sim.evaluator.processor import LOOKED_UP

OUTPUTS = LOOKED_UP or LANES
"""Outputs of a block: a byte of a vector for each."""

NIBBLES = 8  # of a word
CHUNK = 7  # words whose sums bytes hold: 224 at most
TILE = 64  # rows that stay in the first-level cache while all weights pass
WIDE, NARROW = (4, 2), (8, 1)  # rows and blocks at once: what the registers hold
MOST_ROWS = 8

BYTES = ir.VectorType(I8, OUTPUTS)
TABLE = ir.VectorType(I8, 16)
SUMS = ir.VectorType(I32, OUTPUTS)
LOOK_UP = {32: "llvm.x86.avx2.pshuf.b", 64: "llvm.x86.avx512.pshuf.b.512"}


def _differing() -> bytearray:
    """For each byte of an input, the tables of its lower and of its upper four bits."""
    return bytearray(
        (nibble ^ weights).bit_count()
        for value in range(256)
        for nibble in (value & 15, value >> 4)
        for weights in range(16)
    )


def _tables(b: Any) -> Any:
    """Where the tables lie."""
    constant = ir.Constant(ir.ArrayType(I8, 256 * 32), _differing())
    insert: Any = cgutils.global_constant
    place = insert(b, "differing", constant)
    place.align = 64
    return b.bitcast(place, I8.as_pointer())


def _table(b: Any, tables: Any, value: Any, half: int) -> Any:
    """The table of a half of a byte of an input."""
    return load(b, b.gep(tables, [b.add(b.shl(value, I64(5)), I64(16 * half))]), TABLE, 16)


def _grow(b: Any, total: Any, place: Any) -> None:
    """Add bytes to the sums at a place."""
    store(b, b.add(load(b, place, SUMS), b.zext(total, SUMS)), place)


def _chosen(b: Any, table: Any, weights: Any) -> Any:
    """Look weights, below 16, up in a table."""
    insert: Any = cgutils.get_or_insert_function
    function = insert(b.module, ir.FunctionType(BYTES, [BYTES, BYTES]), LOOK_UP[OUTPUTS])
    places = ir.Constant(ir.VectorType(I32, OUTPUTS), [n % 16 for n in range(OUTPUTS)])
    spread = b.shuffle_vector(table, ir.Constant(TABLE, ir.Undefined), places)
    return b.call(function, [spread, weights])


def _adder(rows: int, blocks: int) -> Callable[..., Any]:
    """Adds to sums how many bits of words j0..j1, at most CHUNK, differ from the weights.

    Row r's word j is x[bases[first + r] + offsets[j]]; block n's weights lie n * stride on; the
    sums of row r begin at sums[at + r * blocks * OUTPUTS].
    """

    @vector_code
    def add(
        typing: Any,
        x: Any,
        bases: Any,
        first: Any,
        offsets: Any,
        j0: Any,
        j1: Any,
        w: Any,
        w_at: Any,
        stride: Any,
        sums: Any,
        at: Any,
    ) -> Any:
        signature = types.void(x, bases, first, offsets, j0, j1, w, w_at, stride, sums, at)

        def generate(context: Any, b: Any, signature: Any, args: Any) -> Any:
            xp, bp, op, wp, sp = pointers(context, b, signature, args, (0, 1, 3, 6, 9))
            bp, wp, tables = b.gep(bp, [args[2]]), b.gep(wp, [args[7]]), _tables(b)
            begins = [b.gep(xp, [b.load(b.gep(bp, [I64(r)]))]) for r in range(rows)]

            def word(j: Any, totals: list[Any]) -> list[Any]:
                offset, place = b.load(b.gep(op, [j])), b.mul(j, I64(NIBBLES * OUTPUTS))
                inputs = [b.bitcast(b.gep(p, [offset]), I8.as_pointer()) for p in begins]

                # A loop of its own keeps LLVM from adding in an order that takes more registers.
                def byte(number: Any, totals: list[Any]) -> list[Any]:
                    values = [b.zext(b.load(b.gep(p, [number])), I64) for p in inputs]
                    found = list(totals)
                    for half in range(2):
                        nibble = b.add(b.shl(number, I64(1)), I64(half))
                        begin = b.add(place, b.mul(nibble, I64(OUTPUTS)))
                        weights = [
                            load(b, b.gep(wp, [b.add(begin, b.mul(args[8], I64(n)))]), BYTES, 1)
                            for n in range(blocks)
                        ]
                        for r, value in enumerate(values):
                            table = _table(b, tables, value, half)
                            for n, weight in enumerate(weights):
                                lane = r * blocks + n
                                found[lane] = b.add(found[lane], _chosen(b, table, weight))
                    return found

                return loop(b, I64(0), I64(4), 1, totals, byte)

            none = [ir.Constant(BYTES, [0] * OUTPUTS)] * (rows * blocks)
            for number, total in enumerate(loop(b, args[4], args[5], 1, none, word)):
                _grow(b, total, b.gep(sp, [b.add(args[10], I64(number * OUTPUTS))]))
            return context.get_dummy_value()

        return signature, generate

    return add


_add_wide, _add_narrow = _adder(*WIDE), _adder(*NARROW)


@vector_code
def _not_above(typing: Any, sums: Any, at: Any, limits: Any, first: Any) -> Any:
    """Which of LANES sums are at most their limits, a bit each."""
    signature = types.uint32(sums, at, limits, first)

    def generate(context: Any, b: Any, signature: Any, args: Any) -> Any:
        found, bounds = pointers(context, b, signature, args, (0, 2))
        total = load(b, b.gep(found, [args[1]]), V32)
        bound = load(b, b.gep(bounds, [args[3]]), V32)
        return b.bitcast(b.icmp_signed("<=", total, bound), I32)

    return signature, generate


@compiled
def spread_weights(weights: Any, out: Any) -> None:
    """Weights as binary_layer reads them, (words, k, LANES), four to a byte.

    out: uint8 (blocks, k, NIBBLES, OUTPUTS); what is beyond the words stays.
    """
    words_a_block = OUTPUTS // LANES
    for word in range(weights.shape[0]):
        begin = word % words_a_block * LANES
        for j in range(weights.shape[1]):
            for nibble in range(NIBBLES):
                target = out[word // words_a_block, j, nibble, begin : begin + LANES]
                for lane in range(LANES):
                    target[lane] = weights[word, j, lane] >> np.uint32(4 * nibble) & np.uint32(15)


@compiled
def _add_up(
    x: Any, bases: Any, count: Any, offsets: Any, w: Any, block: Any, blocks: Any, sums: Any
) -> None:
    """Sets sums (rows, blocks * OUTPUTS), flat: how many bits of `count` rows differ.

    Rows are rounded up to MOST_ROWS.
    """
    k = offsets.size
    chunks = (k + CHUNK - 1) // CHUNK
    stride = k * NIBBLES * OUTPUTS
    sums[: (count + MOST_ROWS) * blocks * OUTPUTS] = 0
    for chunk in range(chunks):
        j0, j1 = chunk * k // chunks, (chunk + 1) * k // chunks
        if blocks == 2:
            for row in range(0, count, 4):
                at = row * 2 * OUTPUTS
                _add_wide(x, bases, row, offsets, j0, j1, w, block * stride, stride, sums, at)
        else:
            for row in range(0, count, 8):
                at = row * OUTPUTS
                _add_narrow(x, bases, row, offsets, j0, j1, w, block * stride, stride, sums, at)


@compiled
def table_layer(
    x: Any,
    frame_words: Any,
    places: Any,
    offsets: Any,
    w: Any,
    terms: Any,
    limits: Any,
    invert: Any,
    order: Any,
    ends: Any,
    out: Any,
    sums: Any,
    lo: Any,
    hi: Any,
) -> None:
    """Binary layer on frames lo..hi, as binary_layer, binary_layer_in_groups and binary_sums.

    With limits (groups, lanes; not empty) out (rows, words) gets bits, else sums (rows, outputs)
    how many of `terms` bits agree. The output pixels of group g are order[ends[g - 1] : ends[g]].
    w: as spread_weights makes it, flat.
    """
    words = invert.size if limits.size else (sums.shape[1] + LANES - 1) // LANES
    words_a_block = OUTPUTS // LANES
    all_blocks = (words + words_a_block - 1) // words_a_block
    found = np.empty((TILE + MOST_ROWS) * 2 * OUTPUTS, np.int32)
    bases, rows = np.empty(TILE + MOST_ROWS, np.int64), np.empty(TILE, np.int64)
    begin = 0
    for group in range(ends.size):
        pixels = ends[group] - begin
        for first in range(lo * pixels, hi * pixels, TILE):
            count = min(TILE, hi * pixels - first)
            frame, pixel = first // pixels, first % pixels
            for r in range(count):
                place = order[begin + pixel]
                bases[r] = frame * frame_words + places[place]
                rows[r] = frame * places.size + place
                pixel += 1
                if pixel == pixels:
                    frame, pixel = frame + 1, 0
            bases[count : count + MOST_ROWS] = bases[count - 1]
            block = 0
            while block < all_blocks:
                blocks = min(2, all_blocks - block)
                _add_up(x, bases, count, offsets, w, block, blocks, found)
                lanes, word = blocks * OUTPUTS, block * words_a_block
                if limits.size:
                    for r in range(count):
                        for n in range(min(blocks * words_a_block, words - word)):
                            at = r * lanes + n * LANES
                            bits = _not_above(found, at, limits[group], (word + n) * LANES)
                            out[rows[r], word + n] = bits ^ invert[word + n]
                else:
                    for r in range(count):
                        for lane in range(min(lanes, sums.shape[1] - word * LANES)):
                            sums[rows[r], word * LANES + lane] = terms - found[r * lanes + lane]
                block += blocks
        begin = ends[group]
