"""Packed bits transposed: rows of images to rows of outputs, and back."""

# Compiled functions take everything by position.
# ruff: noqa: PLR0917

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from llvmlite import ir
from numba import types

from spinflow.sim.evaluator.kernels.vectors import (
    I32,
    I64,
    compiled,
    load,
    loop,
    pointers,
    store,
    vector,
    vector_code,
)


def _exchange(distances: tuple[int, ...], step: int) -> Callable[..., Any]:
    """Steps of the transposition of 64 x 64 bits, eight at once, on 8 rows `step` apart."""
    eight = vector(8)

    @vector_code
    def exchange(typing: Any, block: Any, first: Any) -> Any:
        signature = types.void(block, first)

        def generate(context: Any, b: Any, signature: Any, args: Any) -> Any:
            (rows,) = pointers(context, b, signature, args, (0,))
            places = [b.gep(rows, [b.mul(b.add(args[1], I64(n * step)), I64(8))]) for n in range(8)]
            taken = [load(b, place, eight, 8) for place in places]
            for distance in distances:
                mask = sum(((1 << distance) - 1) << at for at in range(0, 64, 2 * distance))
                mask = ir.Constant(eight, [mask] * 8)
                shift = ir.Constant(eight, [distance] * 8)
                apart = distance // step
                for n in range(8):
                    if n & apart:
                        continue
                    low, high = taken[n], taken[n + apart]
                    moved = b.and_(b.xor(b.lshr(low, shift), high), mask)
                    taken[n] = b.xor(low, b.shl(moved, shift))
                    taken[n + apart] = b.xor(high, moved)
            for place, row in zip(places, taken, strict=True):
                store(b, row, place, 8)
            return context.get_dummy_value()

        return signature, generate

    return exchange


_exchange_far, _exchange_near = _exchange((32, 16, 8), 8), _exchange((4, 2, 1), 1)


@vector_code
def _take_rows(typing: Any, source: Any, at: Any, stride: Any, block: Any) -> Any:
    """Copy 64 rows of 8 words that lie `stride` words apart."""
    signature = types.void(source, at, stride, block)

    def generate(context: Any, b: Any, signature: Any, args: Any) -> Any:
        rows, own = pointers(context, b, signature, args, (0, 3))
        rows = b.gep(rows, [args[1]])

        def copy(number: Any, _: Any) -> list[Any]:
            row = load(b, b.gep(rows, [b.mul(number, args[2])]), vector(8), 8)
            store(b, row, b.gep(own, [b.mul(number, I64(8))]), 8)
            return []

        loop(b, I64(0), I64(64), 1, [], copy)
        return context.get_dummy_value()

    return signature, generate


@vector_code
def _put_columns(typing: Any, blocks: Any, row: Any, target: Any, at: Any, stride: Any) -> Any:
    """Row `row` of 8 blocks to 8 places `stride` words apart, lane by lane."""
    signature = types.void(blocks, row, target, at, stride)

    def generate(context: Any, b: Any, signature: Any, args: Any) -> Any:
        rows, out = pointers(context, b, signature, args, (0, 2))
        rows = b.gep(rows, [b.mul(args[1], I64(8))])
        out = b.gep(out, [args[3]])
        taken = [load(b, b.gep(rows, [I64(512 * n)]), vector(8), 8) for n in range(8)]
        for apart in (1, 2, 4):
            low = [n + 8 - apart if n & apart else n for n in range(8)]
            high = [n + 8 if n & apart else n + apart for n in range(8)]
            for n in range(8):
                if n & apart == 0:
                    pair = taken[n], taken[n + apart]
                    taken[n], taken[n + apart] = (
                        b.shuffle_vector(*pair, ir.Constant(ir.VectorType(I32, 8), lanes))
                        for lanes in (low, high)
                    )
        for n, value in enumerate(taken):
            store(b, value, b.gep(out, [b.mul(args[4], I64(n))]), 8)
        return context.get_dummy_value()

    return signature, generate


@compiled
def transpose_bits(source: Any, target: Any, lo: Any, hi: Any) -> None:
    """Set target (columns, words) to the transpose of source (rows, words), uint64.

    Rows are multiples of 64, words of the source of 8. Column blocks lo..hi, 512 columns each; the
    target may have fewer columns than the source.
    """
    blocks = np.empty((8, 64, 8), np.uint64)
    flat, columns, words = source.reshape(-1), target.shape[0], target.shape[1]
    out = target.reshape(-1)
    for eight in range(lo, hi):
        for first in range(0, source.shape[0] >> 6, 8):
            count = min(8, (source.shape[0] >> 6) - first)
            for number in range(count):
                block = blocks[number]
                at = 64 * (first + number) * source.shape[1] + 8 * eight
                _take_rows(flat, at, source.shape[1], block)
                for row in range(8):
                    _exchange_far(block, row)
                for row in range(0, 64, 8):
                    _exchange_near(block, row)
            if count == 8 and 512 * (eight + 1) <= columns:
                for row in range(64):
                    at = (512 * eight + row) * words + first
                    _put_columns(blocks, row, out, at, 64 * words)
                continue
            for lane in range(8):
                column = (8 * eight + lane) * 64
                for row in range(min(64, columns - column)):
                    for number in range(count):
                        target[column + row, first + number] = blocks[number, row, lane]
