"""LLVM vector code for compiled functions: what numba's own loops do not become.

numba's own loops keep neither the accumulators of a matrix product in registers nor pack
comparisons into bits. LLVM lowers this code to whatever the processor has (`vpopcntd` on
AVX512-VPOPCNTDQ).
"""

# ruff: noqa: PLR0917

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar, cast

import numpy as np
from llvmlite import ir
from numba import njit, types
from numba.core import cgutils
from numba.extending import intrinsic

LANES = 32  # outputs that a block computes at once: one word of packed results
HALF = 16  # 32-bit lanes of a vector

I1, I8, I16 = ir.IntType(1), ir.IntType(8), ir.IntType(16)
I32, I64 = ir.IntType(32), ir.IntType(64)
V16 = ir.VectorType(I32, HALF)
B64 = ir.VectorType(I8, 64)
V32 = ir.VectorType(I32, LANES)
S32 = ir.VectorType(I16, LANES)

ROUND_CONSTANTS = [
    0x9E3779B9 * (number + 1) & 0xFFFFFFFF for number in range(8)
]  # of the hardware's stream
_CONSTANTS = np.array(ROUND_CONSTANTS, np.uint32)

MARGIN = 64  # thresholds that a line of cells repeats at its end
STEP = 64  # words of hits for whose cells draws are made at once

Pair = tuple[Any, Any]
Function = TypeVar("Function", bound=Callable[..., Any])


def compiled(function: Function) -> Function:
    """Return a function that is compiled at its first call, kept on disk, and frees the GIL."""
    return cast(Function, njit(nogil=True, cache=True)(function))


def vector_code(generator: Callable[..., Any]) -> Callable[..., Any]:
    """Return what a compiled function calls where LLVM code of ours stands.

    Args:
        generator: as of `numba.extending.intrinsic`; takes the typing context first, which the
            caller does not give.
    """
    return cast(Callable[..., Any], intrinsic(generator))


def splat(b: Any, value: Any, vector: ir.VectorType) -> Any:
    """Return a vector of a computed `value` in every lane."""
    undefined = ir.Constant(vector, ir.Undefined)
    first = b.insert_element(undefined, value, I32(0))
    lanes = ir.Constant(ir.VectorType(I32, vector.count), [0] * vector.count)
    return b.shuffle_vector(first, undefined, lanes)


def constant(vector: ir.VectorType, value: int) -> Any:
    """Return a vector with `value` in every lane."""
    return ir.Constant(vector, [value] * vector.count)


def load(b: Any, pointer: Any, vector: ir.VectorType, align: int = 4) -> Any:
    """Return the vector that lies at `pointer`."""
    return b.load(b.bitcast(pointer, vector.as_pointer()), align=align)


def store(b: Any, value: Any, pointer: Any, align: int = 4) -> None:
    """Put a vector where `pointer` points."""
    b.store(value, b.bitcast(pointer, value.type.as_pointer()), align=align)


def popcount(b: Any, value: Any) -> Any:
    """Return the number of set bits in each lane."""
    vector = value.type
    name = f"llvm.ctpop.v{vector.count}i{vector.element.width}"
    insert: Any = cgutils.get_or_insert_function
    function = insert(b.module, ir.FunctionType(vector, [vector]), name)
    return b.call(function, [value])


def pointers(context: Any, b: Any, signature: Any, args: Any, numbers: Sequence[int]) -> list[Any]:
    """Return where the data of the array arguments with these numbers begins."""
    return [context.make_array(signature.args[i])(context, b, args[i]).data for i in numbers]


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


def rounds(b: Any, x: Any, y: Any) -> tuple[Any, Any]:
    """Return the even and the odd words of 16 blocks `x`, from seeds `y`."""

    def rotated(value: Any, count: int) -> Any:
        left = b.shl(value, constant(V16, count))
        return b.or_(left, b.lshr(value, constant(V16, 32 - count)))

    for key in ROUND_CONSTANTS:
        x = b.xor(b.add(rotated(x, 24), y), constant(V16, key))
        y = b.xor(rotated(y, 3), x)
    return x, y


def in_order(b: Any, x: Any, y: Any, half: int) -> Any:
    """Return the words of the lower (0) or upper (1) 8 of 16 blocks, each one's even word first."""
    order = [lane + half * HALF // 2 for lane in range(HALF // 2)]
    lanes = [number for lane in order for number in (lane, lane + HALF)]
    return b.shuffle_vector(x, y, ir.Constant(V16, lanes))


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


@compiled
def make_blocks(seed: Any, first: Any, mask: Any, out: Any) -> None:
    """Both words of consecutive blocks of the permutation, modulo mask + 1, into out (n, 2)."""
    for n in range(len(out)):
        x, y = np.uint32((first + n) & mask), np.uint32(seed)
        for constant in _CONSTANTS:
            turned = np.uint32(np.uint32(x >> np.uint32(8)) | np.uint32(x << np.uint32(24)))
            x = np.uint32(np.uint32(turned + y) ^ constant)
            y = np.uint32(
                np.uint32(np.uint32(y << np.uint32(3)) | np.uint32(y >> np.uint32(29))) ^ x
            )
        out[n, 0], out[n, 1] = x, y
