"""The compiled loops of the evaluator: XNOR-popcount layers, error draws, writes of packed bits.

The inner loops are LLVM vector code written out here, since numba's own loops keep neither the
accumulators of a matrix product in registers nor pack comparisons into bits. LLVM lowers them to
whatever the processor has (`vpopcntd` on AVX512-VPOPCNTDQ). Every function releases the GIL and
works on a range, so that Python threads share a job.

Packed bits are little-endian in uint32 or uint64 words; a set bit is +1, a clear one -1.
"""

# Compiled functions take everything by position.
# ruff: noqa: PLR0917
# mypy: disable-error-code="call-arg, var-annotated"

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from llvmlite import ir
from numba import njit, types
from numba.core import cgutils
from numba.extending import intrinsic

LANES = 32  # outputs that a block computes at once: one word of packed results
ROWS = 4  # input rows (pixels or frames) that a block computes at once: they share the weights
TILE = 64  # input rows that stay in the first-level cache while all weights pass
HALF = 16  # 32-bit lanes of a vector
SPARSE_LEVELS = 4  # the fast stream draws errors below a rate of 2**-4 one by one
STREAM_BLOCK_BITS = 16  # log2 of the positions that share a generator of the fast stream
STREAM_BLOCK = 1 << STREAM_BLOCK_BITS
ROUND_CONSTANTS = [0x9E3779B9 * (number + 1) & 0xFFFFFFFF for number in range(8)]

_I1, _I8, _I16 = ir.IntType(1), ir.IntType(8), ir.IntType(16)
_I32, _I64 = ir.IntType(32), ir.IntType(64)
_V16 = ir.VectorType(_I32, HALF)
_V32 = ir.VectorType(_I32, LANES)
_S32 = ir.VectorType(_I16, LANES)


def _splat(b: Any, value: Any, vector: ir.VectorType) -> Any:
    """A vector of `value` in every lane."""
    undefined = ir.Constant(vector, ir.Undefined)
    first = b.insert_element(undefined, value, _I32(0))
    lanes = ir.Constant(ir.VectorType(_I32, vector.count), [0] * vector.count)
    return b.shuffle_vector(first, undefined, lanes)


def _constant(vector: ir.VectorType, value: int) -> Any:
    return ir.Constant(vector, [value] * vector.count)


def _load(b: Any, pointer: Any, vector: ir.VectorType, align: int = 4) -> Any:
    return b.load(b.bitcast(pointer, vector.as_pointer()), align=align)


def _store(b: Any, value: Any, pointer: Any, align: int = 4) -> None:
    b.store(value, b.bitcast(pointer, value.type.as_pointer()), align=align)


def _popcount(b: Any, value: Any) -> Any:
    vector = value.type
    name = f"llvm.ctpop.v{vector.count}i{vector.element.width}"
    function = cgutils.get_or_insert_function(b.module, ir.FunctionType(vector, [vector]), name)
    return b.call(function, [value])


def _pointers(context: Any, b: Any, signature: Any, args: Any, numbers: Sequence[int]) -> list[Any]:
    return [context.make_array(signature.args[i])(context, b, args[i]).data for i in numbers]


def _xnor_sums(b: Any, x: Any, bases: Any, offsets: Any, k: Any, w: Any) -> list[list[Any]]:
    """The popcounts of x ^ w, as two vectors of HALF outputs for each of ROWS inputs.

    Row r's word j is x[bases[r] + offsets[j]]; the weights of word j are w[j * LANES ...].
    """
    rows = [b.gep(x, [b.load(b.gep(bases, [_I64(r)]))]) for r in range(ROWS)]
    entry, loop = b.basic_block, b.append_basic_block()
    end = b.append_basic_block()
    b.branch(loop)
    b.position_at_end(loop)
    j = b.phi(_I64)
    j.add_incoming(_I64(0), entry)
    sums = [[b.phi(_V16) for _ in range(2)] for _ in range(ROWS)]
    offset = b.load(b.gep(offsets, [j]))
    place = b.mul(j, _I64(LANES))
    weights = [_load(b, b.gep(w, [b.add(place, _I64(HALF * g))]), _V16) for g in range(2)]
    added = []
    for row, pair in zip(rows, sums, strict=True):
        word = _splat(b, b.load(b.gep(row, [offset])), _V16)
        for total, weight in zip(pair, weights, strict=True):
            total.add_incoming(_constant(_V16, 0), entry)
            result = b.add(total, _popcount(b, b.xor(weight, word)))
            total.add_incoming(result, loop)
            added.append(result)
    following = b.add(j, _I64(1))
    j.add_incoming(following, loop)
    b.cbranch(b.icmp_signed("<", following, k), loop, end)
    b.position_at_end(end)
    return [added[2 * r : 2 * r + 2] for r in range(ROWS)]


@intrinsic
def _xnor_bits(typing, x, bases, first, offsets, w, w_first, limits, limits_first, out):
    """out[r] gets one bit an output: popcount(x ^ w) <= limit."""
    signature = types.void(x, bases, first, offsets, w, w_first, limits, limits_first, out)

    def generate(context: Any, b: Any, signature: Any, args: Any) -> Any:
        xp, bp, op, wp, lp, outp = _pointers(context, b, signature, args, (0, 1, 3, 4, 6, 8))
        k = context.make_array(signature.args[3])(context, b, args[3]).nitems
        sums = _xnor_sums(b, xp, b.gep(bp, [args[2]]), op, k, b.gep(wp, [args[5]]))
        bounds = [_load(b, b.gep(lp, [b.add(args[7], _I64(HALF * g))]), _V16) for g in range(2)]
        for r, pair in enumerate(sums):
            low, high = (
                b.zext(b.bitcast(b.icmp_signed("<=", total, bound), _I16), _I32)
                for total, bound in zip(pair, bounds, strict=True)
            )
            b.store(b.or_(low, b.shl(high, _I32(16))), b.gep(outp, [_I64(r)]))
        return context.get_dummy_value()

    return signature, generate


@intrinsic
def _xnor_counts(typing, x, bases, first, offsets, w, w_first, out):
    """out[r, :] gets popcount(x ^ w), LANES outputs."""
    signature = types.void(x, bases, first, offsets, w, w_first, out)

    def generate(context: Any, b: Any, signature: Any, args: Any) -> Any:
        xp, bp, op, wp, outp = _pointers(context, b, signature, args, (0, 1, 3, 4, 6))
        k = context.make_array(signature.args[3])(context, b, args[3]).nitems
        sums = _xnor_sums(b, xp, b.gep(bp, [args[2]]), op, k, b.gep(wp, [args[5]]))
        for r, pair in enumerate(sums):
            for g, total in enumerate(pair):
                _store(b, total, b.gep(outp, [_I64(LANES * r + HALF * g)]))
        return context.get_dummy_value()

    return signature, generate


def _pixel_totals(b: Any, x: Any, bases: Any, offsets: Any, k: Any, w: Any) -> list[list[Any]]:
    """The products of x and w summed, as four vectors of HALF outputs for each of ROWS inputs.

    Taps come in pairs, x[bases[r] + offsets[j]] and the value behind it, both uint16 below 256;
    their weights are w[j * 4 * LANES ...], int16, pairs of each output side by side.
    """
    rows = [b.gep(x, [b.load(b.gep(bases, [_I64(r)]))]) for r in range(ROWS)]
    entry, loop = b.basic_block, b.append_basic_block()
    end = b.append_basic_block()
    b.branch(loop)
    b.position_at_end(loop)
    j = b.phi(_I64)
    j.add_incoming(_I64(0), entry)
    sums = [[b.phi(_V16) for _ in range(4)] for _ in range(ROWS)]
    offset = b.load(b.gep(offsets, [j]))
    place = b.mul(j, _I64(4 * LANES))
    weights = [_load(b, b.gep(w, [b.add(place, _I64(LANES * g))]), _S32, align=2) for g in range(4)]
    even, odd = (ir.Constant(_V16, list(range(part, LANES, 2))) for part in (0, 1))
    totals = []
    for row, four in zip(rows, sums, strict=True):
        pair = b.load(b.bitcast(b.gep(row, [offset]), _I32.as_pointer()), align=2)
        pixels = b.sext(b.bitcast(_splat(b, pair, _V16), _S32), _V32)
        grown = []
        for total, weight in zip(four, weights, strict=True):
            # LLVM makes one instruction of this, such as vpdpwssd.
            product = b.mul(pixels, b.sext(weight, _V32))
            two = (b.shuffle_vector(product, product, part) for part in (even, odd))
            total.add_incoming(_constant(_V16, 0), entry)
            grown.append(b.add(total, b.add(*two)))
            total.add_incoming(grown[-1], loop)
        totals.append(grown)
    following = b.add(j, _I64(1))
    j.add_incoming(following, loop)
    b.cbranch(b.icmp_signed("<", following, k), loop, end)
    b.position_at_end(end)
    return totals


@intrinsic
def _pixel_sums(typing, x, bases, first, offsets, w, w_first, out):
    """out[r, :] gets the sums, 2 * LANES outputs, int32."""
    signature = types.void(x, bases, first, offsets, w, w_first, out)

    def generate(context: Any, b: Any, signature: Any, args: Any) -> Any:
        xp, bp, op, wp, outp = _pointers(context, b, signature, args, (0, 1, 3, 4, 6))
        k = context.make_array(signature.args[3])(context, b, args[3]).nitems
        bp, wp = b.gep(bp, [args[2]]), b.gep(wp, [args[5]])
        for r, four in enumerate(_pixel_totals(b, xp, bp, op, k, wp)):
            for g, total in enumerate(four):
                _store(b, total, b.gep(outp, [_I64(2 * LANES * r + HALF * g)]))
        return context.get_dummy_value()

    return signature, generate


@intrinsic
def _pixel_bits(typing, x, bases, first, offsets, w, w_first, limits, limits_first, out):
    """out[r, :] gets two words, one bit an output: sum >= limit."""
    signature = types.void(x, bases, first, offsets, w, w_first, limits, limits_first, out)

    def generate(context: Any, b: Any, signature: Any, args: Any) -> Any:
        xp, bp, op, wp, lp, outp = _pointers(context, b, signature, args, (0, 1, 3, 4, 6, 8))
        k = context.make_array(signature.args[3])(context, b, args[3]).nitems
        bp, wp = b.gep(bp, [args[2]]), b.gep(wp, [args[5]])
        totals = _pixel_totals(b, xp, bp, op, k, wp)
        bounds = [_load(b, b.gep(lp, [b.add(args[7], _I64(HALF * g))]), _V16) for g in range(4)]
        for r, four in enumerate(totals):
            parts = [
                b.zext(b.bitcast(b.icmp_signed(">=", total, bound), _I16), _I32)
                for total, bound in zip(four, bounds, strict=True)
            ]
            for half in range(2):
                word = b.or_(parts[2 * half], b.shl(parts[2 * half + 1], _I32(16)))
                b.store(word, b.gep(outp, [_I64(2 * r + half)]))
        return context.get_dummy_value()

    return signature, generate


@intrinsic
def _pixels_at_least(typing, pixels, first, threshold):
    """One bit a pixel, LANES uint8 from `first`: pixel >= threshold (uint8)."""
    signature = types.uint32(pixels, first, threshold)

    def generate(context: Any, b: Any, signature: Any, args: Any) -> Any:
        (pp,) = _pointers(context, b, signature, args, (0,))
        vector = ir.VectorType(_I8, LANES)
        values = _load(b, b.gep(pp, [args[1]]), vector, align=1)
        return b.bitcast(b.icmp_unsigned(">=", values, _splat(b, args[2], vector)), _I32)

    return signature, generate


@intrinsic
def _hits(typing, seed, block, threshold1, threshold0):
    """The draws below two thresholds at 32 positions from 2 * block on: bits 0-31 and 32-63."""
    signature = types.uint64(seed, block, threshold1, threshold0)

    def generate(context: Any, b: Any, signature: Any, args: Any) -> Any:
        def rotated(value: Any, count: int) -> Any:
            left = b.shl(value, _constant(_V16, count))
            return b.or_(left, b.lshr(value, _constant(_V16, 32 - count)))

        x = b.add(_splat(b, args[1], _V16), ir.Constant(_V16, list(range(HALF))))
        y = _splat(b, args[0], _V16)
        for constant in ROUND_CONSTANTS:
            x = b.xor(b.add(rotated(x, 24), y), _constant(_V16, constant))
            y = b.xor(rotated(y, 3), x)
        result: Any = _I64(0)
        for part in range(2):  # the even position of a block is x, the odd one y
            order = [lane + part * HALF // 2 for lane in range(HALF // 2)]
            lanes = [number for lane in order for number in (lane, lane + HALF)]
            draws = b.shuffle_vector(x, y, ir.Constant(_V16, lanes))
            for number, threshold in enumerate(args[2:]):
                below = b.icmp_unsigned("<", draws, _splat(b, threshold, _V16))
                bits = b.zext(b.bitcast(below, _I16), _I64)
                result = b.or_(result, b.shl(bits, _I64(32 * number + 16 * part)))
        return result

    return signature, generate


@intrinsic
def _count_ones(typing, word):
    """The set bits of a 64-bit word."""
    signature = types.int64(word)

    def generate(context: Any, b: Any, signature: Any, args: Any) -> Any:
        return b.ctpop(args[0])

    return signature, generate


# --- layers ---------------------------------------------------------------------------------------


@njit(nogil=True, cache=True)
def _row_bases(bases, frame_size, places, first, last):
    """Where the rows first..last begin; rows past the last repeat it. A row is (frame, pixel)."""
    frame = first // places.size
    pixel = first - frame * places.size
    for r in range(bases.size):
        bases[r] = frame * frame_size + places[pixel]
        if first + r < last - 1:
            pixel += 1
            if pixel == places.size:
                frame, pixel = frame + 1, 0


@njit(nogil=True, cache=True)
def binary_layer(x, frame_words, places, offsets, w, limits, invert, out, lo, hi):
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


@njit(nogil=True, cache=True)
def binary_sums(x, frame_words, places, offsets, w, terms, out, lo, hi):
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


@njit(nogil=True, cache=True)
def pixel_layer(x, frame_size, places, offsets, w, limits, invert, out, sums, lo, hi):
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


@njit(nogil=True, cache=True)
def threshold_pixels(pixels, threshold, out, lo, hi):
    """out (frames, words) packed bits, uint32, of uint8 pixels (frames, n): pixel >= threshold."""
    count = pixels.shape[1]
    whole = count // LANES
    flat = pixels.reshape(-1)
    limit = np.uint8(min(max(threshold, 0), 255))
    for frame in range(lo, hi):
        for word in range(whole):
            out[frame, word] = _pixels_at_least(flat, frame * count + word * LANES, limit)
        if count > whole * LANES:
            bits = np.uint32(0)
            for lane in range(count - whole * LANES):
                hit = pixels[frame, whole * LANES + lane] >= limit
                bits |= np.uint32(hit) << np.uint32(lane)
            out[frame, whole] = bits
        if threshold > 255:
            out[frame, :] = 0


@njit(nogil=True, cache=True)
def pool_bits(x, size, out, lo, hi):
    """Max-pool of (frames, height, width, words): the OR of size x size; the rest is cut off."""
    for frame in range(lo, hi):
        for row in range(out.shape[1]):
            for column in range(out.shape[2]):
                for word in range(out.shape[3]):
                    bits = np.uint32(0)
                    for i in range(size):
                        for j in range(size):
                            bits |= x[frame, row * size + i, column * size + j, word]
                    out[frame, row, column, word] = bits


@njit(nogil=True, cache=True)
def pad_map(x, top, left, out, lo, hi):
    """Copies (frames, height, width, n) to row `top`, column `left` of `out`, which stays else."""
    for frame in range(lo, hi):
        for row in range(x.shape[1]):
            for column in range(x.shape[2]):
                for n in range(x.shape[3]):
                    out[frame, row + top, column + left, n] = x[frame, row, column, n]


@njit(nogil=True, cache=True)
def best_of(sums, labels, lo, hi):
    """The number of the largest of each row, the lowest of equals."""
    for frame in range(lo, hi):
        best = 0
        for output in range(1, sums.shape[1]):
            if sums[frame, output] > sums[frame, best]:
                best = output
        labels[frame, 0] = best


# --- packed bits ----------------------------------------------------------------------------------


@njit(nogil=True, cache=True)
def copy_bits(target, target_bit, source, source_bit, count):
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


@njit(nogil=True, cache=True)
def pack_rows(rows, bits, linear, lo, hi):
    """Rows lo..hi of (rows, words) uint32, `bits` used in each, one after the other in `linear`."""
    spare = np.zeros(rows.shape[1] + 1, np.uint32)
    for row in range(lo, hi):
        spare[:-1] = rows[row]
        copy_bits(linear, row * bits, spare, 0, bits)


@njit(nogil=True, cache=True)
def unpack_rows(linear, first, bits, rows):
    """Undoes pack_rows from bit `first` of `linear` on; the unused bits of a row become 0."""
    rows[:] = 0
    for row in range(rows.shape[0]):
        copy_bits(rows[row], 0, linear, first + row * bits, bits)


@njit(nogil=True, cache=True)
def unfold_weights(memory, mw, pe, simd, rows):
    """The weights of a folded memory (packed, linear) as one packed row an output, uint32."""
    folds = mw // simd
    for output in range(rows.shape[0]):
        for fold in range(folds):
            word = output // pe * folds + fold
            source = (word * pe + output % pe) * simd
            copy_bits(rows[output], fold * simd, memory, source, simd)


@njit(nogil=True, cache=True)
def interleave_weights(rows, taps, bits, out):
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


@njit(nogil=True, cache=True)
def transpose_weights(rows, runs, taps, out):
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


# --- errors ---------------------------------------------------------------------------------------


@njit(nogil=True, cache=True)
def hits_of_hardware(seed, start, threshold1, threshold0, hits1, hits0, lo, hi):
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


@njit(nogil=True, cache=True)
def _mixed(state):
    """The output function of SplitMix64."""
    z = state
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return z ^ (z >> np.uint64(31))


@njit(nogil=True, cache=True)
def hits_of_fast(seed, memory, start, threshold1, threshold0, hits1, hits0, lo, hi):
    """As hits_of_hardware, with the fast stream; its work goes with the number of hits.

    Each position has a uniform 32-bit number u, and errs against T where u < T, but u is found
    only where it is small. Level n holds 2^(31-n) <= u < 2^(32-n), and level 32 u = 0. Going up
    from the rarest, each level is entered by every position with the probability that u lies in
    it and not in one below, independently, so the entries are found by geometric gaps; a position
    that was in a rarer level already keeps that. Above 2**-4 a draw a position is cheaper.
    """
    golden = np.uint64(0x9E3779B97F4A7C15)
    key = _mixed((np.uint64(memory) << np.uint64(32) | np.uint64(seed)) + golden)
    highest = max(threshold1, threshold0)
    one = threshold1 == threshold0
    dense = 1 << (32 - SPARSE_LEVELS)
    if highest > dense:
        # The rest of the probability, among the positions that no level took.
        rest1 = max(threshold1 - dense, 0) * 2**32 // (2**32 - dense)
        rest0 = max(threshold0 - dense, 0) * 2**32 // (2**32 - dense)
        stream = np.uint32(key >> np.uint64(32))
        hits_of_hardware(
            stream, start, min(rest1, 0xFFFFFFFE), min(rest0, 0xFFFFFFFE), hits1, hits0, lo, hi
        )
    else:
        hits1[lo:hi] = 0
        if not one:
            hits0[lo:hi] = 0
    begin, end = start + 32 * lo, start + 32 * hi
    for number in range(begin >> STREAM_BLOCK_BITS, (end + STREAM_BLOCK - 1) >> STREAM_BLOCK_BITS):
        origin = number << STREAM_BLOCK_BITS
        of_block = _mixed(key ^ _mixed(np.uint64(number) + golden))
        for level in range(SPARSE_LEVELS, 33):
            least = 1 << (31 - level) if level < 32 else 0
            if highest <= least:
                continue
            width = max(least, 1)
            if level < 32:
                scale = 1.0 / math.log1p(-1.0 / (2.0 ** (level + 1) - 1.0))
            else:
                scale = 1.0 / math.log1p(-(2.0**-32))
            partly1 = threshold1 < least + width
            partly0 = threshold0 < least + width
            state = _mixed(of_block + np.uint64(level) * golden)
            place = -1
            while True:
                state += golden
                drawn = _mixed(state)
                uniform = (float(drawn >> np.uint64(11)) + 1.0) * 2.0**-53
                gap = math.log(uniform) * scale
                if gap >= STREAM_BLOCK - 1 - place:
                    break
                place += 1 + int(gap)
                u = least
                if partly1 or partly0:
                    # Of the same number, so that the gaps do not depend on the thresholds.
                    u += int(_mixed(drawn + golden) >> np.uint64(32)) & (width - 1)
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
    for threshold, hits in ((threshold1, hits1), (threshold0, hits0)):
        if threshold == 0xFFFFFFFF:
            for word in range(lo, hi):
                hits[word] = np.uint32(0xFFFFFFFF)


@njit(nogil=True, cache=True)
def store_exact(target, cells, depth, lo, hi):
    """Mode off, words lo..hi (uint64): what is stored is the target."""
    for word in range(lo, hi):
        cells[depth + word] = target[word]


@njit(nogil=True, cache=True)
def store_flipped(target, hits1, hits0, cells, depth, lo, hi):
    """Mode flip, words lo..hi (uint64): a hit inverts the target."""
    for word in range(lo, hi):
        wanted = target[word]
        cells[depth + word] = wanted ^ ((wanted & hits1[word]) | (~wanted & hits0[word]))


@njit(nogil=True, cache=True)
def store_switched(target, hits1, hits0, cells, depth, words, lo, hi):
    """Mode switch: a hit leaves the old word, `depth` words back. Columns lo..hi of depth."""
    for first in range(0, words, depth):
        for column in range(lo, min(hi, words - first)):
            word = first + column
            wanted, old = target[word], cells[word]
            hit = (wanted & hits1[word]) | (~wanted & hits0[word])
            cells[depth + word] = wanted ^ ((wanted ^ old) & hit)


@njit(nogil=True, cache=True)
def count_write(target, cells, depth, counts, lo, hi):
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


@njit(nogil=True, cache=True)
def _bits_at(words, bit):
    """The 32 bits from number `bit` of uint32 words on, as uint64; a word is to spare."""
    place = bit >> 5
    pair = np.uint64(words[place]) | np.uint64(words[place + 1]) << np.uint64(32)
    return pair >> np.uint64(bit & 31) & np.uint64(0xFFFFFFFF)


@njit(nogil=True, cache=True)
def write_unaligned(mode, target, hits1, hits0, first_hit, cells, depth, bits, counts):
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
