"""Sums cut into the binary digits of margins; see slices.py."""

# Compiled functions take everything by position.
# ruff: noqa: PLR0917

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba import types

from spinflow.sim.evaluator.kernels.vectors import (
    I32,
    I64,
    compiled,
    load,
    loop,
    pointers,
    splat,
    vector_code,
)


@vector_code
def _digits_of_64(
    typing: Any,
    sums: Any,
    first: Any,
    limits: Any,
    lane: Any,
    most: Any,
    digits: Any,
    out: Any,
    at: Any,
    stride: Any,
) -> Any:
    """The digits of 64 sums, int32, and their limits, clipped to -most - 1 and most."""
    signature = types.void(sums, first, limits, lane, most, digits, out, at, stride)
    vector, zero = ir.VectorType(I32, 64), ir.Constant(ir.VectorType(I32, 64), [0] * 64)

    def generate(context: Any, b: Any, signature: Any, args: Any) -> Any:
        values, bounds, planes = pointers(context, b, signature, args, (0, 2, 6))
        margins = b.add(
            load(b, b.gep(values, [args[1]]), vector), load(b, b.gep(bounds, [args[3]]), vector)
        )
        most = b.trunc(args[4], I32)
        for order, edge in ("<", most), (">", b.not_(most)):
            limit = splat(b, edge, vector)
            margins = b.select(b.icmp_signed(order, margins, limit), margins, limit)
        planes = b.gep(planes, [args[7]])

        def digit(number: Any, _: Any) -> list[Any]:
            mask = splat(b, b.shl(I32(1), b.trunc(number, I32)), vector)
            found = b.bitcast(b.icmp_signed("!=", b.and_(margins, mask), zero), I64)
            b.store(found, b.gep(planes, [b.mul(number, args[8])]), align=8)
            return []

        loop(b, I64(0), args[5], 1, [], digit)
        return context.get_dummy_value()

    return signature, generate


@compiled
def slice_margins(sums: Any, limits: Any, most: Any, margins: Any, lo: Any, hi: Any) -> None:
    """Rows lo..hi: margins (rows, digits, words) of int32 sums (rows, lanes), flat.

    A margin is a sum plus the limit of its lane, at least -most - 1 and at most `most`; lanes are
    the bits of all words.
    """
    digits, words = margins.shape[1], margins.shape[2]
    out = margins.reshape(-1)
    for row in range(lo, hi):
        for word in range(words):
            first, at = 64 * (row * words + word), row * digits * words + word
            _digits_of_64(sums, first, limits, 64 * word, most, digits, out, at, words)
