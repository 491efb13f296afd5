"""Weight layers: XNOR and popcount on packed bits, signed sums on pixels.

Packed bits are little-endian in uint32 words; a set bit is +1, a clear one -1.
"""

# Compiled functions take everything by position.
# ruff: noqa: PLR0917

from __future__ import annotations

from itertools import chain
from typing import Any

import numpy as np
from llvmlite import ir
from numba import types

from spinflow.sim.evaluator.kernels.vectors import (
    HALF,
    I16,
    I32,
    I64,
    LANES,
    S32,
    V16,
    V32,
    compiled,
    constant,
    load,
    pointers,
    popcount,
    splat,
    store,
    vector_code,
)
from spinflow.sim.evaluator.processor import LOOKED_UP

ROWS = 4  # input rows (pixels or frames) that a block computes at once: they share the weights
# Input rows and vectors of outputs on pixels at once, as many as there are registers for.
PIXEL_ROWS, PIXEL_VECTORS = (4, 4) if LOOKED_UP == 64 else (2, 2)
TILE = 64  # input rows that stay in the first-level cache while all weights pass


def _xnor_sums(b: Any, x: Any, bases: Any, offsets: Any, k: Any, w: Any) -> list[list[Any]]:
    """The popcounts of x ^ w, as two vectors of HALF outputs for each of ROWS inputs.

    Row r's word j is x[bases[r] + offsets[j]]; the weights of word j are w[j * LANES ...].
    """
    rows = [b.gep(x, [b.load(b.gep(bases, [I64(r)]))]) for r in range(ROWS)]
    entry, loop = b.basic_block, b.append_basic_block()
    end = b.append_basic_block()
    b.branch(loop)
    b.position_at_end(loop)
    j = b.phi(I64)
    j.add_incoming(I64(0), entry)
    sums = [[b.phi(V16) for _ in range(2)] for _ in range(ROWS)]
    offset = b.load(b.gep(offsets, [j]))
    place = b.mul(j, I64(LANES))
    weights = [load(b, b.gep(w, [b.add(place, I64(HALF * g))]), V16) for g in range(2)]
    added = []
    for row, pair in zip(rows, sums, strict=True):
        word = splat(b, b.load(b.gep(row, [offset])), V16)
        for total, weight in zip(pair, weights, strict=True):
            total.add_incoming(constant(V16, 0), entry)
            result = b.add(total, popcount(b, b.xor(weight, word)))
            total.add_incoming(result, loop)
            added.append(result)
    following = b.add(j, I64(1))
    j.add_incoming(following, loop)
    b.cbranch(b.icmp_signed("<", following, k), loop, end)
    b.position_at_end(end)
    return [added[2 * r : 2 * r + 2] for r in range(ROWS)]


@vector_code
def _xnor_bits(
    typing: Any,
    x: Any,
    bases: Any,
    first: Any,
    offsets: Any,
    w: Any,
    w_first: Any,
    limits: Any,
    limits_first: Any,
    out: Any,
) -> Any:
    """out[r] gets one bit an output: popcount(x ^ w) <= limit."""
    signature = types.void(x, bases, first, offsets, w, w_first, limits, limits_first, out)

    def generate(context: Any, b: Any, signature: Any, args: Any) -> Any:
        xp, bp, op, wp, lp, outp = pointers(context, b, signature, args, (0, 1, 3, 4, 6, 8))
        k = context.make_array(signature.args[3])(context, b, args[3]).nitems
        sums = _xnor_sums(b, xp, b.gep(bp, [args[2]]), op, k, b.gep(wp, [args[5]]))
        bounds = [load(b, b.gep(lp, [b.add(args[7], I64(HALF * g))]), V16) for g in range(2)]
        for r, pair in enumerate(sums):
            low, high = (
                b.zext(b.bitcast(b.icmp_signed("<=", total, bound), I16), I32)
                for total, bound in zip(pair, bounds, strict=True)
            )
            b.store(b.or_(low, b.shl(high, I32(16))), b.gep(outp, [I64(r)]))
        return context.get_dummy_value()

    return signature, generate


@vector_code
def _xnor_counts(
    typing: Any, x: Any, bases: Any, first: Any, offsets: Any, w: Any, w_first: Any, out: Any
) -> Any:
    """out[r, :] gets popcount(x ^ w), LANES outputs."""
    signature = types.void(x, bases, first, offsets, w, w_first, out)

    def generate(context: Any, b: Any, signature: Any, args: Any) -> Any:
        xp, bp, op, wp, outp = pointers(context, b, signature, args, (0, 1, 3, 4, 6))
        k = context.make_array(signature.args[3])(context, b, args[3]).nitems
        sums = _xnor_sums(b, xp, b.gep(bp, [args[2]]), op, k, b.gep(wp, [args[5]]))
        for r, pair in enumerate(sums):
            for g, total in enumerate(pair):
                store(b, total, b.gep(outp, [I64(LANES * r + HALF * g)]))
        return context.get_dummy_value()

    return signature, generate


def _pixel_part(
    b: Any, begins: list[Any], offsets: Any, k: Any, w: Any, parts: range
) -> list[list[Any]]:
    """_pixel_totals of some inputs, which begin at `begins`, and some vectors of outputs."""
    entry, loop = b.basic_block, b.append_basic_block()
    end = b.append_basic_block()
    b.branch(loop)
    b.position_at_end(loop)
    j = b.phi(I64)
    j.add_incoming(I64(0), entry)
    sums = [[b.phi(V16) for _ in parts] for _ in begins]
    offset = b.load(b.gep(offsets, [j]))
    place = b.mul(j, I64(4 * LANES))
    weights = [load(b, b.gep(w, [b.add(place, I64(LANES * g))]), S32, align=2) for g in parts]
    even, odd = (ir.Constant(V16, list(range(part, LANES, 2))) for part in (0, 1))
    totals = []
    for row, phis in zip(begins, sums, strict=True):
        pair = b.load(b.bitcast(b.gep(row, [offset]), I32.as_pointer()), align=2)
        pixels = b.sext(b.bitcast(splat(b, pair, V16), S32), V32)
        grown = []
        for total, weight in zip(phis, weights, strict=True):
            # LLVM makes one instruction of this, such as vpdpwssd, or two.
            product = b.mul(pixels, b.sext(weight, V32))
            two = (b.shuffle_vector(product, product, part) for part in (even, odd))
            total.add_incoming(constant(V16, 0), entry)
            grown.append(b.add(total, b.add(*two)))
            total.add_incoming(grown[-1], loop)
        totals.append(grown)
    following = b.add(j, I64(1))
    j.add_incoming(following, loop)
    b.cbranch(b.icmp_signed("<", following, k), loop, end)
    b.position_at_end(end)
    return totals


def _pixel_totals(b: Any, x: Any, bases: Any, offsets: Any, k: Any, w: Any) -> list[list[Any]]:
    """The products of x and w summed, as four vectors of HALF outputs for each of ROWS inputs.

    Taps come in pairs, x[bases[r] + offsets[j]] and the value behind it, both uint16 below 256;
    their weights are w[j * 4 * LANES ...], int16, pairs of each output side by side.
    """
    begins = [b.gep(x, [b.load(b.gep(bases, [I64(r)]))]) for r in range(ROWS)]
    found: list[list[Any]] = []
    for first in range(0, ROWS, PIXEL_ROWS):
        some = begins[first : first + PIXEL_ROWS], offsets, k, w
        parts = [
            _pixel_part(b, *some, range(part, part + PIXEL_VECTORS))
            for part in range(0, 4, PIXEL_VECTORS)
        ]
        found += [list(chain.from_iterable(sums)) for sums in zip(*parts, strict=True)]
    return found


@vector_code
def _pixel_sums(
    typing: Any, x: Any, bases: Any, first: Any, offsets: Any, w: Any, w_first: Any, out: Any
) -> Any:
    """out[r, :] gets the sums, 2 * LANES outputs, int32."""
    signature = types.void(x, bases, first, offsets, w, w_first, out)

    def generate(context: Any, b: Any, signature: Any, args: Any) -> Any:
        xp, bp, op, wp, outp = pointers(context, b, signature, args, (0, 1, 3, 4, 6))
        k = context.make_array(signature.args[3])(context, b, args[3]).nitems
        bp, wp = b.gep(bp, [args[2]]), b.gep(wp, [args[5]])
        for r, four in enumerate(_pixel_totals(b, xp, bp, op, k, wp)):
            for g, total in enumerate(four):
                store(b, total, b.gep(outp, [I64(2 * LANES * r + HALF * g)]))
        return context.get_dummy_value()

    return signature, generate


@vector_code
def _pixel_bits(
    typing: Any,
    x: Any,
    bases: Any,
    first: Any,
    offsets: Any,
    w: Any,
    w_first: Any,
    limits: Any,
    limits_first: Any,
    out: Any,
) -> Any:
    """out[r, :] gets two words, one bit an output: sum >= limit."""
    signature = types.void(x, bases, first, offsets, w, w_first, limits, limits_first, out)

    def generate(context: Any, b: Any, signature: Any, args: Any) -> Any:
        xp, bp, op, wp, lp, outp = pointers(context, b, signature, args, (0, 1, 3, 4, 6, 8))
        k = context.make_array(signature.args[3])(context, b, args[3]).nitems
        bp, wp = b.gep(bp, [args[2]]), b.gep(wp, [args[5]])
        totals = _pixel_totals(b, xp, bp, op, k, wp)
        bounds = [load(b, b.gep(lp, [b.add(args[7], I64(HALF * g))]), V16) for g in range(4)]
        for r, four in enumerate(totals):
            parts = [
                b.zext(b.bitcast(b.icmp_signed(">=", total, bound), I16), I32)
                for total, bound in zip(four, bounds, strict=True)
            ]
            for half in range(2):
                word = b.or_(parts[2 * half], b.shl(parts[2 * half + 1], I32(16)))
                b.store(word, b.gep(outp, [I64(2 * r + half)]))
        return context.get_dummy_value()

    return signature, generate


@compiled
def _row_bases(bases: Any, frame_size: Any, places: Any, first: Any, last: Any) -> None:
    """Where the rows first..last begin; rows past the last repeat it. A row is (frame, pixel)."""
    frame = first // places.size
    pixel = first - frame * places.size
    for r in range(bases.size):
        bases[r] = frame * frame_size + places[pixel]
        if first + r < last - 1:
            pixel += 1
            if pixel == places.size:
                frame, pixel = frame + 1, 0


@compiled
def binary_layer(
    x: Any,
    frame_words: Any,
    places: Any,
    offsets: Any,
    w: Any,
    limits: Any,
    invert: Any,
    out: Any,
    lo: Any,
    hi: Any,
) -> None:
    """Binary layer with thresholds on frames lo..hi: out (rows, words) packed bits, uint32.

    x: uint32 words; a frame is `frame_words`; output pixel p reads words places[p] + offsets[j].
    w: uint32 (words, len(offsets), LANES), flat. Output o is popcount(x ^ w) <= limits[o], and
    inverted where its bit of invert (words,) is set.
    """
    words = invert.size
    result = np.empty(ROWS, np.uint32)
    bases = np.empty(TILE + ROWS, np.int64)
    size = offsets.size * LANES
    stop = hi * places.size
    for first in range(lo * places.size, stop, TILE):
        last = min(first + TILE, stop)
        _row_bases(bases, frame_words, places, first, last)
        for word in range(words):
            for row in range(first, last, ROWS):
                _xnor_bits(
                    x, bases, row - first, offsets, w, word * size, limits, word * LANES, result
                )
                for r in range(min(ROWS, last - row)):
                    out[row + r, word] = result[r] ^ invert[word]


@compiled
def binary_layer_in_groups(
    x: Any,
    frame_words: Any,
    places: Any,
    offsets: Any,
    w: Any,
    limits: Any,
    invert: Any,
    out: Any,
    order: Any,
    ends: Any,
    lo: Any,
    hi: Any,
) -> None:
    """As binary_layer, with limits (groups, lanes) of their own for groups of output pixels.

    Those of group g are order[ends[g - 1] : ends[g]]; what is computed at once is of one group.
    """
    words = invert.size
    result = np.empty(ROWS, np.uint32)
    bases = np.empty(TILE + ROWS, np.int64)
    rows = np.empty(TILE, np.int64)
    size = offsets.size * LANES
    begin = 0
    for group in range(ends.size):
        pixels = ends[group] - begin
        for first in range(lo * pixels, hi * pixels, TILE):
            count = min(TILE, hi * pixels - first)
            for r in range(count):
                frame = (first + r) // pixels
                pixel = order[begin + first + r - frame * pixels]
                bases[r] = frame * frame_words + places[pixel]
                rows[r] = frame * places.size + pixel
            bases[count : count + ROWS] = bases[count - 1]
            for word in range(words):
                for r in range(0, count, ROWS):
                    _xnor_bits(
                        x, bases, r, offsets, w, word * size, limits[group], word * LANES, result
                    )
                    for n in range(min(ROWS, count - r)):
                        out[rows[r + n], word] = result[n] ^ invert[word]
        begin = ends[group]


@compiled
def binary_sums(
    x: Any,
    frame_words: Any,
    places: Any,
    offsets: Any,
    w: Any,
    terms: Any,
    out: Any,
    lo: Any,
    hi: Any,
) -> None:
    """As binary_layer, without thresholds: out (rows, outputs) int32, popcounts of agreeing bits.

    `terms` is the number of bits that are compared.
    """
    outputs = out.shape[1]
    result = np.empty((ROWS, LANES), np.int32)
    bases = np.empty(TILE + ROWS, np.int64)
    size = offsets.size * LANES
    stop = hi * places.size
    for first in range(lo * places.size, stop, TILE):
        last = min(first + TILE, stop)
        _row_bases(bases, frame_words, places, first, last)
        for word in range((outputs + LANES - 1) // LANES):
            for row in range(first, last, ROWS):
                _xnor_counts(x, bases, row - first, offsets, w, word * size, result)
                for r in range(min(ROWS, last - row)):
                    for lane in range(min(LANES, outputs - word * LANES)):
                        out[row + r, word * LANES + lane] = terms - result[r, lane]


@compiled
def pixel_layer(
    x: Any,
    frame_size: Any,
    places: Any,
    offsets: Any,
    w: Any,
    limits: Any,
    invert: Any,
    out: Any,
    sums: Any,
    lo: Any,
    hi: Any,
) -> None:
    """Layer of binary weights on pixels, frames lo..hi.

    x: uint16 of values below 256, with one to spare; w as transpose_weights makes it, flat. With
    thresholds (limits not empty) out (rows, words) gets the bits sum >= limit, else sums (rows,
    outputs) gets the signed sums.
    """
    words = out.shape[1] if limits.size else (sums.shape[1] + LANES - 1) // LANES
    bits = np.empty((ROWS, 2), np.uint32)
    result = np.empty((ROWS, 2 * LANES), np.int32)
    bases = np.empty(TILE + ROWS, np.int64)
    size = offsets.size * 4 * LANES
    stop = hi * places.size
    for first in range(lo * places.size, stop, TILE):
        last = min(first + TILE, stop)
        _row_bases(bases, frame_size, places, first, last)
        for pair in range((words + 1) // 2):
            for row in range(first, last, ROWS):
                if limits.size:
                    lanes = pair * 2 * LANES
                    _pixel_bits(x, bases, row - first, offsets, w, pair * size, limits, lanes, bits)
                    for r in range(min(ROWS, last - row)):
                        for word in range(2 * pair, min(2 * pair + 2, words)):
                            out[row + r, word] = bits[r, word & 1] ^ invert[word]
                else:
                    _pixel_sums(x, bases, row - first, offsets, w, pair * size, result)
                    outputs = min(2 * LANES, sums.shape[1] - pair * 2 * LANES)
                    for r in range(min(ROWS, last - row)):
                        for lane in range(outputs):
                            sums[row + r, pair * 2 * LANES + lane] = result[r, lane]


@compiled
def pad_map(x: Any, top: Any, left: Any, out: Any, lo: Any, hi: Any) -> None:
    """Copies (frames, height, width, n) to row `top`, column `left` of `out`, which stays else."""
    for frame in range(lo, hi):
        for row in range(x.shape[1]):
            for column in range(x.shape[2]):
                for n in range(x.shape[3]):
                    out[frame, row + top, column + left, n] = x[frame, row, column, n]
