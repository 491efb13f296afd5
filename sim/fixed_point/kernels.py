"""Products of 8-bit codes, summed in 32 bits: exact as long as no sum leaves them.

Inputs are bytes of 0 to 255, four to a word; weights are codes of -128 to 127. Where the processor
has AVX512-VNNI, an instruction adds the products of four bytes to each of 16 sums, else pairs of
16-bit numbers are multiplied and added. Neither saturates: of four products none is beyond 2^15, of
two none of their sums beyond 2^31.
"""

# Compiled functions take everything by position.
# ruff: noqa: PLR0917

from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.core.registry import cpu_target

from spinflow.sim.evaluator.kernels.vectors import (
    HALF,
    I32,
    I64,
    LANES,
    S32,
    V16,
    V32,
    compiled,
    constant,
    load,
    loop,
    pointers,
    splat,
    store,
    vector_code,
)

_FEATURES = cpu_target.target_context.codegen().magic_tuple()[2].split(",")

HAS_BYTE_SUMS = "+avx512vnni" in _FEATURES
"""Whether an instruction adds the products of bytes: as far as numba is told."""

WIDE = "+avx512bw" in _FEATURES
ROWS = 6 if WIDE else 2  # inputs that a block computes at once: they share the weights
PARTS = 4 if WIDE else 2  # vectors of outputs of a block
OUTPUTS = HALF * PARTS  # of a block
WORDS_A_STEP = 1 if HAS_BYTE_SUMS else 2  # 32-bit words of weights of an output, for four inputs
MASK = 0x00FF00FF  # every second byte

ROUNDER = 1.5 * 2.0**52  # added and taken away, it leaves a whole number: the nearest, ties to even


def pack_weights(codes: Any, words: int) -> Any:
    """Return the weights of outputs as `layer_sums` takes them.

    Args:
        codes: int8 (outputs, 4 * words), in the order of the inputs' bytes.
        words: of an input.

    Returns:
        uint32, flat: (blocks, words, WORDS_A_STEP, OUTPUTS); outputs that fill a block are 0.
    """
    blocks = -(-len(codes) // OUTPUTS)
    whole = np.zeros((blocks * OUTPUTS, words, 4), np.int8)
    whole[: len(codes)] = codes.reshape(len(codes), words, 4)
    placed = whole.reshape(blocks, OUTPUTS, words, 4).transpose(0, 2, 1, 3)
    if HAS_BYTE_SUMS:
        return np.ascontiguousarray(placed).view(np.uint32).reshape(-1)
    pairs = placed.astype(np.int16)
    both = np.stack([pairs[..., 0::2], pairs[..., 1::2]], axis=2)
    return np.ascontiguousarray(both).view(np.uint32).reshape(-1)


def _by_bytes(b: Any, total: Any, word: Any, weights: list[Any]) -> Any:
    """A vector of sums, grown by the products of a word's four bytes."""
    name = "llvm.x86.avx512.vpdpbusd.512"
    insert: Any = cgutils.get_or_insert_function
    bytes64 = ir.VectorType(ir.IntType(8), 64)
    function = insert(b.module, ir.FunctionType(V16, [V16, bytes64, bytes64]), name)
    return b.call(
        function, [total, b.bitcast(splat(b, word, V16), bytes64), b.bitcast(weights[0], bytes64)]
    )


def _by_pairs(b: Any, total: Any, word: Any, weights: list[Any]) -> Any:
    """The same by 16-bit numbers: bytes 0 and 2, then 1 and 3."""
    even, odd = (ir.Constant(V16, list(range(part, LANES, 2))) for part in (0, 1))
    for shift, weight in enumerate(weights):
        two = b.and_(b.lshr(word, I32(8 * shift)), I32(MASK))
        inputs = b.sext(b.bitcast(splat(b, two, V16), S32), V32)
        product = b.mul(inputs, b.sext(b.bitcast(weight, S32), V32))
        halves = (b.shuffle_vector(product, product, part) for part in (even, odd))
        total = b.add(total, b.add(*halves))
    return total


@vector_code
def _block_sums(
    typing: Any,
    x: Any,
    bases: Any,
    first: Any,
    offsets: Any,
    w: Any,
    w_first: Any,
    out: Any,
    out_first: Any,
    out_row: Any,
) -> Any:
    """Sums of OUTPUTS outputs for ROWS inputs, to out[out_first + r * out_row ...].

    Row r's word j is x[bases[first + r] + offsets[j]]; its weights begin at
    w[w_first + j * WORDS_A_STEP * OUTPUTS].
    """
    signature = types.void(x, bases, first, offsets, w, w_first, out, out_first, out_row)
    grow = _by_bytes if HAS_BYTE_SUMS else _by_pairs

    def generate(context: Any, b: Any, signature: Any, args: Any) -> Any:
        xp, bp, op, wp, outp = pointers(context, b, signature, args, (0, 1, 3, 4, 6))
        k = context.make_array(signature.args[3])(context, b, args[3]).nitems
        bp, wp = b.gep(bp, [args[2]]), b.gep(wp, [args[5]])
        rows = [b.gep(xp, [b.load(b.gep(bp, [I64(r)]))]) for r in range(ROWS)]

        def step(j: Any, sums: list[Any]) -> list[Any]:
            offset = b.load(b.gep(op, [j]))
            place = b.mul(j, I64(WORDS_A_STEP * OUTPUTS))
            weights = [
                [
                    load(b, b.gep(wp, [b.add(place, I64(OUTPUTS * n + HALF * part))]), V16)
                    for n in range(WORDS_A_STEP)
                ]
                for part in range(PARTS)
            ]
            words = [b.load(b.gep(row, [offset])) for row in rows]
            return [
                grow(b, sums[PARTS * r + part], word, weights[part])
                for r, word in enumerate(words)
                for part in range(PARTS)
            ]

        sums = loop(b, I64(0), k, 1, [constant(V16, 0)] * (ROWS * PARTS), step)
        for r in range(ROWS):
            row = b.add(args[7], b.mul(args[8], I64(r)))
            for part in range(PARTS):
                place = b.gep(outp, [b.add(row, I64(HALF * part))])
                store(b, sums[PARTS * r + part], place)
        return context.get_dummy_value()

    return signature, generate


@compiled
def layer_sums(
    x: Any, frame_words: Any, places: Any, offsets: Any, w: Any, sums: Any, lo: Any, hi: Any
) -> None:
    """The sums of frames lo..hi, to the front of `sums`.

    x: uint32; a frame is `frame_words`; output pixel p reads words places[p] + offsets[j].
    w: as of `pack_weights`. sums: int32 (at least the pixels of these frames and ROWS, outputs
    of whole blocks).
    """
    outputs = sums.shape[1]
    size = offsets.size * WORDS_A_STEP * OUTPUTS
    rows = (hi - lo) * places.size
    bases = np.empty(rows + ROWS, np.int64)
    for row in range(rows + ROWS):
        frame = min(row, rows - 1) // places.size
        bases[row] = (lo + frame) * frame_words + places[min(row, rows - 1) - frame * places.size]
    flat = sums.reshape(-1)
    for block in range(outputs // OUTPUTS):
        for row in range(0, rows, ROWS):
            _block_sums(
                x, bases, row, offsets, w, block * size, flat, row * outputs + block * OUTPUTS,
                outputs,
            )  # fmt: skip


@compiled
def code_sums(
    sums: Any, rows: Any, columns: Any, pool: Any, single: Any, less: Any, gain: Any, shift: Any,
    least: Any, most: Any, found: Any,
) -> None:  # fmt: skip
    """The codes of a frame's sums (rows * columns, outputs), behind a max-pool.

    Code of output o: (largest - less[o]) * gain[o] + shift[o], held within least[o] and most[o], to
    the nearest, ties to even; through float32 if `single`. found: int8 (pooled pixels, outputs).
    """
    outputs = less.size
    high, wide = rows // pool, columns // pool
    largest = np.empty(outputs, np.int32)
    for i in range(high):
        for j in range(wide):
            place = i * pool * columns + j * pool
            for o in range(outputs):
                largest[o] = sums[place, o]
            for n in range(1, pool * pool):
                other = place + (n // pool) * columns + n % pool
                for o in range(outputs):
                    largest[o] = max(largest[o], sums[other, o])
            target = i * wide + j
            for o in range(outputs):
                value = np.float64(largest[o] - less[o]) * gain[o] + shift[o]
                if single:
                    value = np.float64(np.float32(value))
                value = min(max(value, least[o]), most[o])
                found[target, o] = np.int8(np.int32((value + ROUNDER) - ROUNDER))


@compiled
def turn_bytes(source: Any, target: Any, places: Any) -> None:
    """target[places[o]] gets column o of source: (pixels, outputs) to (channels, pixels)."""
    pixels, outputs = source.shape
    for first in range(0, outputs, 16):
        for p in range(pixels):
            for o in range(first, min(first + 16, outputs)):
                target[places[o], p] = source[p, o]


@compiled
def code_layer(
    x: Any, frame_words: Any, places: Any, offsets: Any, w: Any, shape: Any, pool: Any,
    single: Any, less: Any, gain: Any, shift: Any, least: Any, most: Any, channels: Any,
    at_once: Any, out: Any, lo: Any, hi: Any,
) -> None:  # fmt: skip
    """The codes of some output channels of frames lo..hi: out int8 (frames, channels, pixels).

    shape: rows and columns of the map before the pool; channels: which these outputs are; at_once:
    frames whose sums are in memory at once. The rest as of `layer_sums` and `code_sums`.
    """
    pixels = places.size
    blocks = -(-less.size // OUTPUTS)
    sums = np.empty((at_once * pixels + ROWS, blocks * OUTPUTS), np.int32)
    found = np.empty((out.shape[2], less.size), np.int8)
    for first in range(lo, hi, at_once):
        last = min(first + at_once, hi)
        layer_sums(x, frame_words, places, offsets, w, sums, first, last)
        for frame in range(first, last):
            start = (frame - first) * pixels
            code_sums(
                sums[start : start + pixels], shape[0], shape[1], pool, single, less, gain, shift,
                least, most, found,
            )  # fmt: skip
            turn_bytes(found, out[frame], channels)


@compiled
def spread_map(codes: Any, places: Any, out: Any, lo: Any, hi: Any) -> None:
    """Codes as bytes from 0 on, channels side by side: out uint8 (frames, padded pixels, bytes).

    codes: int8 (frames, channels, pixels); places: the padded pixel of each pixel.
    """
    channels, pixels = codes.shape[1], codes.shape[2]
    for frame in range(lo, hi):
        for first in range(0, pixels, 16):
            for c in range(channels):
                for p in range(first, min(first + 16, pixels)):
                    out[frame, places[p], c] = np.uint8(codes[frame, c, p]) ^ np.uint8(128)
