"""Logic on vectors of 64-bit words, for the files of compiled functions that need it."""

# ruff: noqa: PLR0917

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba import types

from spinflow.sim.evaluator.kernels.vectors import I1, I64, vector_code

Pair = tuple[Any, Any]


def vector(words: int) -> ir.VectorType:
    """Return the type of so many words of 64 bits."""
    return ir.VectorType(I64, words)


def added(b: Any, x: Any, y: Any, z: Any) -> Pair:
    """Return the sum and the carry of a full adder."""
    differ = b.xor(x, y)
    carry = b.or_(b.and_(differ, z), b.and_(x, b.not_(differ)))
    return b.xor(differ, z), carry


def loop(b: Any, first: Any, last: Any, step: int, values: list[Any], body: Any) -> list[Any]:
    """Return values after body(number, values) for numbers from first to last, if there are any."""
    entry, loop = b.basic_block, b.append_basic_block()
    end = b.append_basic_block()
    b.cbranch(b.icmp_signed("<", first, last), loop, end)
    b.position_at_end(loop)
    number = b.phi(I64)
    before = [b.phi(value.type) for value in values]
    after = body(number, before)
    following = b.add(number, I64(step))
    number.add_incoming(first, entry)
    number.add_incoming(following, b.basic_block)
    for phi, start, value in zip(before, values, after, strict=True):
        phi.add_incoming(start, entry)
        phi.add_incoming(value, b.basic_block)
    b.cbranch(b.icmp_signed("<", following, last), loop, end)
    from_loop = b.basic_block
    b.position_at_end(end)
    found = [b.phi(value.type) for value in values]
    for phi, start, value in zip(found, values, after, strict=True):
        phi.add_incoming(start, entry)
        phi.add_incoming(value, from_loop)
    return found


@vector_code
def lowest_bit(typing: Any, word: Any) -> Any:
    """Return the number of the lowest set bit of a 64-bit word, 64 if there is none."""
    signature = types.int64(word)

    def generate(context: Any, b: Any, signature: Any, args: Any) -> Any:
        return b.cttz(args[0], ir.Constant(I1, 0))

    return signature, generate


@vector_code
def ones(typing: Any, word: Any) -> Any:
    """Return the set bits of a 64-bit word."""
    signature = types.int64(word)

    def generate(context: Any, b: Any, signature: Any, args: Any) -> Any:
        return b.ctpop(args[0])

    return signature, generate
