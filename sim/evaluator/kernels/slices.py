"""Bit-sliced sums: what a few changed bits do to sums that are known.

A bit-sliced number has a word of packed bits for each binary digit, its planes, lowest first, in
two's complement; bit n of the words belongs to lane n. Lanes are the outputs of a layer, for one
image, or images, for one output. Rows of bits are added up by carry-save adders, logic on whole
vectors, which every processor does well.

A margin is how many more bits agree than an output of 1 needs, so that the output is 1 where it is
not negative. Where n inputs of a sum changed, and p of them agree with their weights, it grows by
2 p - n. Half margins are margins without their lowest digit.
"""

# Compiled functions take everything by position.
# ruff: noqa: PLR0917

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from llvmlite import ir
from numba import types

from spinflow.sim.evaluator.kernels.vectors import (
    I1,
    I32,
    I64,
    compiled,
    load,
    pointers,
    splat,
    store,
    vector_code,
)

VECTORS = (2, 4, 8, 16)  # words that are computed at once
GROUP = 8  # rows that are added at once
FEWEST = 4  # planes of a counter
MOST = 20
ONE, ALL = np.uint64(1), np.uint64(0xFFFFFFFFFFFFFFFF)

Pair = tuple[Any, Any]


def _vector(words: int) -> ir.VectorType:
    return ir.VectorType(I64, words)


def _added(b: Any, x: Any, y: Any, z: Any) -> Pair:
    """A full adder: sum and carry."""
    differ = b.xor(x, y)
    carry = b.or_(b.and_(differ, z), b.and_(x, b.not_(differ)))
    return b.xor(differ, z), carry


def _loop(b: Any, first: Any, last: Any, step: int, values: list[Any], body: Any) -> list[Any]:
    """Values after body(number, values) for numbers from first to last; none if that is first."""
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


def _counter(words: int) -> Callable[..., Any]:
    """Adds rows of a table up: `planes` planes of a counter that begins at `start`.

    A row is `words` words from table[index[n] + column] on, n from first to last in whole groups.
    """
    vector = _vector(words)

    @vector_code
    def count(
        typing: Any,
        table: Any,
        column: Any,
        index: Any,
        first: Any,
        last: Any,
        start: Any,
        planes: Any,
        out: Any,
    ) -> Any:
        signature = types.void(table, column, index, first, last, start, planes, out)

        def generate(context: Any, b: Any, signature: Any, args: Any) -> Any:
            rows, places, counter = pointers(context, b, signature, args, (0, 2, 7))
            rows = b.gep(rows, [args[1]])

            def plane(number: Any) -> Any:
                return b.gep(counter, [b.mul(number, I64(words))])

            def digit(number: Any) -> Any:
                bit = b.and_(b.ashr(args[5], number), I64(1))
                return splat(b, b.sub(I64(0), bit), vector)

            def begin(number: Any, _: Any) -> list[Any]:
                store(b, digit(number), plane(number), 8)
                return []

            _loop(b, I64(FEWEST), args[6], 1, [], begin)

            def up(carry: Any) -> None:
                def half(number: Any, carried: list[Any]) -> list[Any]:
                    place = plane(number)
                    before = load(b, place, vector, 8)
                    store(b, b.xor(before, carried[0]), place, 8)
                    return [b.and_(before, carried[0])]

                _loop(b, I64(FEWEST), args[6], 1, [carry], half)

            def eight(number: Any, first: int, low: list[Any]) -> tuple[list[Any], Any]:
                taken = [
                    load(
                        b, b.gep(rows, [b.load(b.gep(places, [b.add(number, I64(n))]))]), vector, 8
                    )
                    for n in range(first, first + GROUP)
                ]
                ones, twos, fours = low
                carries = []
                for n in range(0, GROUP, 2):
                    ones, carry = _added(b, ones, taken[n], taken[n + 1])
                    carries.append(carry)
                twos, four = _added(b, twos, carries[0], carries[1])
                twos, other = _added(b, twos, carries[2], carries[3])
                fours, carry = _added(b, fours, four, other)
                return [ones, twos, fours], carry

            def sixteen(number: Any, low: list[Any]) -> list[Any]:
                three, carry = eight(number, 0, low[:3])
                three, other = eight(number, GROUP, three)
                eights, carry = _added(b, low[3], carry, other)
                up(carry)
                return [*three, eights]

            def rest(number: Any, low: list[Any]) -> list[Any]:
                three, carry = eight(number, 0, low[:3])
                up(b.and_(low[3], carry))
                return [*three, b.xor(low[3], carry)]

            low = [digit(I64(n)) for n in range(FEWEST)]
            whole = b.and_(b.sub(args[4], args[3]), I64(-2 * GROUP))
            edge = b.add(args[3], whole)
            low = _loop(b, args[3], edge, 2 * GROUP, low, sixteen)
            low = _loop(b, edge, args[4], GROUP, low, rest)
            for number, value in enumerate(low):
                store(b, value, plane(I64(number)), 8)
            return context.get_dummy_value()

        return signature, generate

    return count


def _comparison(words: int, moved: bool) -> Callable[..., Any]:
    """Where a margin, with a counter and, with `moved`, half a change, is negative: flip's bits.

    Elsewhere the other ones; 0 outside of `valid`.
    half margins: `digits` planes from margins[at] on, `stride` words apart, the lowest digit first
    (which belongs to the whole margin). odd: all bits set where the number of changed inputs is.
    """
    vector = _vector(words)

    @vector_code
    def compare(
        typing: Any,
        margins: Any,
        at: Any,
        stride: Any,
        digits: Any,
        odd: Any,
        counter: Any,
        planes: Any,
        moves: Any,
        moves_at: Any,
        moves_stride: Any,
        moves_planes: Any,
        parity: Any,
        flip: Any,
        valid: Any,
        column: Any,
        out: Any,
        out_at: Any,
    ) -> Any:
        signature = types.void(
            margins, at, stride, digits, odd, counter, planes, moves, moves_at, moves_stride,
            moves_planes, parity, flip, valid, column, out, out_at,
        )  # fmt: skip

        def generate(context: Any, b: Any, signature: Any, args: Any) -> Any:
            known, count, moved_by, odds, flips, valid, result = pointers(
                context, b, signature, args, (0, 5, 7, 11, 12, 13, 15)
            )
            known, moved_by = b.gep(known, [args[1]]), b.gep(moved_by, [args[8]])

            def chosen(number: Any, most: Any) -> Any:
                last = b.sub(most, I64(1))
                return b.select(b.icmp_signed("<", number, last), number, last)

            def operands(number: Any) -> list[Any]:
                place = b.mul(b.add(number, I64(1)), args[2])
                found = [load(b, b.gep(known, [place]), vector, 8)]
                place = b.mul(chosen(number, args[6]), I64(words))
                found.append(load(b, b.gep(count, [place]), vector, 8))
                if moved:
                    place = b.mul(chosen(number, args[10]), args[9])
                    found.append(load(b, b.gep(moved_by, [place]), vector, 8))
                return found

            lowest, odd = load(b, known, vector, 8), splat(b, args[4], vector)
            if moved:
                own = load(b, b.gep(odds, [args[14]]), vector, 8)
                carries = [_added(b, lowest, own, odd)[1], ir.Constant(vector, [0] * words)]
            else:
                carries = [b.and_(lowest, odd)]

            def digit(number: Any, carries: list[Any]) -> list[Any]:
                margin, counted, *change = operands(number)
                total, carry = _added(b, margin, counted, carries[0])
                if not moved:
                    return [carry]
                return [carry, _added(b, total, change[0], carries[1])[1]]

            half = b.sub(args[3], I64(1))
            carries = _loop(b, I64(0), half, 1, carries, digit)
            # One digit more has the sign, even where the margins are clipped.
            sign, *others = operands(b.sub(half, I64(1)))
            for value in (*others, *carries):
                sign = b.xor(sign, value)
            sign = b.xor(sign, load(b, b.gep(flips, [args[14]]), vector, 8))
            sign = b.and_(sign, load(b, b.gep(valid, [args[14]]), vector, 8))
            store(b, sign, b.gep(result, [args[16]]), 8)
            return context.get_dummy_value()

        return signature, generate

    return compare


_count_2, _count_4, _count_8, _count_16 = (_counter(words) for words in VECTORS)
_compare_2, _compare_4, _compare_8, _compare_16 = (_comparison(w, False) for w in VECTORS)
_compare_moved_2, _compare_moved_4, _compare_moved_8, _compare_moved_16 = (
    _comparison(words, True) for words in VECTORS
)


@vector_code
def _changes_of_8(typing: Any, now: Any, before: Any, at: Any, out: Any) -> Any:
    """Which of 8 words from `at` on differ, as bits; out gets the differences."""
    signature = types.uint64(now, before, at, out)

    def generate(context: Any, b: Any, signature: Any, args: Any) -> Any:
        new, old, found = pointers(context, b, signature, args, (0, 1, 3))
        pair = (load(b, b.gep(words, [args[2]]), _vector(8), 8) for words in (new, old))
        differ = b.xor(*pair)
        store(b, differ, found, 8)
        mask = b.icmp_unsigned("!=", differ, ir.Constant(_vector(8), [0] * 8))
        return b.zext(b.bitcast(mask, ir.IntType(8)), I64)

    return signature, generate


@vector_code
def _lowest_bit(typing: Any, word: Any) -> Any:
    """The number of the lowest set bit of a 64-bit word, 64 if there is none."""
    signature = types.int64(word)

    def generate(context: Any, b: Any, signature: Any, args: Any) -> Any:
        return b.cttz(args[0], ir.Constant(I1, 0))

    return signature, generate


@vector_code
def _ones(typing: Any, word: Any) -> Any:
    """The set bits of a 64-bit word."""
    signature = types.int64(word)

    def generate(context: Any, b: Any, signature: Any, args: Any) -> Any:
        return b.ctpop(args[0])

    return signature, generate


@compiled
def count_changes(now: Any, before: Any) -> Any:
    """Return in how many bits two flat arrays of uint32 differ."""
    count = 0
    for word in range(now.size):
        count += _ones(np.uint64(now[word] ^ before[word]))
    return count


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

        _loop(b, I64(0), args[5], 1, [], digit)
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


def _exchange(distances: tuple[int, ...], step: int) -> Callable[..., Any]:
    """Steps of the transposition of 64 x 64 bits, eight at once, on 8 rows `step` apart."""
    vector = _vector(8)

    @vector_code
    def exchange(typing: Any, block: Any, first: Any) -> Any:
        signature = types.void(block, first)

        def generate(context: Any, b: Any, signature: Any, args: Any) -> Any:
            (rows,) = pointers(context, b, signature, args, (0,))
            places = [b.gep(rows, [b.mul(b.add(args[1], I64(n * step)), I64(8))]) for n in range(8)]
            taken = [load(b, place, vector, 8) for place in places]
            for distance in distances:
                mask = sum(((1 << distance) - 1) << at for at in range(0, 64, 2 * distance))
                mask = ir.Constant(vector, [mask] * 8)
                shift = ir.Constant(vector, [distance] * 8)
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
            row = load(b, b.gep(rows, [b.mul(number, args[2])]), _vector(8), 8)
            store(b, row, b.gep(own, [b.mul(number, I64(8))]), 8)
            return []

        _loop(b, I64(0), I64(64), 1, [], copy)
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
        taken = [load(b, b.gep(rows, [I64(512 * n)]), _vector(8), 8) for n in range(8)]
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


@compiled
def _digits(number: Any) -> Any:
    """How many planes a count up to `number` takes."""
    planes = FEWEST
    while number >> planes:
        planes += 1
    return planes


@compiled
def find_flips(now: Any, before: Any, size: Any, places: Any, found: Any) -> Any:
    """Set found to places[b] * 2 + bit, for the bits b below size that differ; return how many.

    now, before: uint32, with no word to spare.
    """
    count = 0
    for word in range((size + 31) >> 5):
        left = np.uint64(now[word] ^ before[word])
        if size - 32 * word < 32:
            left &= (ONE << np.uint64(size - 32 * word)) - ONE
        while left:
            bit = _lowest_bit(left)
            left &= left - ONE
            value = np.int64(now[word]) >> bit & 1
            found[count] = places[32 * word + bit] * 2 + value
            count += 1
    return count


@compiled
def sort_flips(found: Any, inputs: Any, zeros: Any, counts: Any, index: Any, ends: Any) -> Any:
    """Bring flips into the order of their outputs, for count_columns.

    found: output * inputs * 2 + the row of the table. counts (outputs,) gets how many each has,
    index the rows, whole groups for each output, filled with the row `zeros`, ends where each
    output ends (one more, from 0). Returns how many entries of index there are.
    """
    counts[:] = 0
    for flip in found:
        counts[flip // (2 * inputs)] += 1
    last = 0
    for output in range(counts.size):
        ends[output] = last
        last += (counts[output] + GROUP - 1) // GROUP * GROUP
    for flip in found:
        output = flip // (2 * inputs)
        index[ends[output]] = flip - output * 2 * inputs
        ends[output] += 1
    last = 0
    for output in range(counts.size):
        begin = last
        last += (counts[output] + GROUP - 1) // GROUP * GROUP
        for place in range(ends[output], last):
            index[place] = zeros
        ends[output] = begin
    ends[counts.size] = last
    return last


@compiled
def flip_table(found: Any, inputs: Any, table: Any, words: Any) -> None:
    """Set the bits of flips, as sort_flips takes them, in a table as update_rows takes it."""
    for flip in found:
        output = flip // (2 * inputs)
        row = flip - output * 2 * inputs
        bit = ONE << np.uint64(output & 63)
        place = row * words + (output >> 6)
        table[place] |= bit
        table[place + (1 - 2 * (row & 1)) * words] &= ~bit


@compiled
def count_columns(
    table: Any, index: Any, ends: Any, counts: Any, out: Any, lo: Any, hi: Any
) -> None:
    """The half changes, p - (n + 1) // 2, of sums over all images that flipped weights make.

    table: uint64 (rows, words), flat: the images for which an input agrees with a value. Of output
    n, from lo to hi, the rows index[ends[n] : ends[n + 1]], a whole number of groups, counts[n] of
    them real ones and the rest zeros, go into row n of out (planes, outputs, words).
    """
    planes, words = out.shape[0], out.shape[2]
    scratch = np.empty(8 * MOST, np.uint64)
    most = 0
    for output in range(lo, hi):
        most = max(most, ends[output + 1] - ends[output])
    offsets = np.empty(most, np.int64)
    for output in range(lo, hi):
        count, entries = counts[output], ends[output + 1] - ends[output]
        if count == 0:
            for plane in range(planes):
                out[plane, output, :] = 0
            continue
        for number in range(entries):
            offsets[number] = index[ends[output] + number] * words
        digits = _digits(count)
        start = -((count + 1) >> 1)
        for word in range(0, words, 8):
            _count_8(table, word, offsets, 0, entries, start, digits, scratch)
            for plane in range(planes):
                taken = 8 * min(plane, digits - 1)
                for lane in range(8):
                    out[plane, output, word + lane] = scratch[taken + lane]


@compiled
def update_columns(
    table: Any,
    index: Any,
    ends: Any,
    counts: Any,
    near: Any,
    margins: Any,
    flip: Any,
    known: Any,
    out: Any,
    lo: Any,
    hi: Any,
) -> None:
    """Outputs lo..hi of a layer whose input is as it was, for all images at once.

    As count_columns takes table, index, ends and counts. margins: uint64 (outputs, digits, words),
    near is the same with fewer digits, clipped; out and the clean output, known: uint64 (outputs,
    words). An output is its bit of flip where its margin is negative, else the other one.
    """
    words = out.shape[1]
    scratch = np.empty(8 * MOST, np.uint64)
    turned, ones = np.empty(words, np.uint64), np.full(words, ALL)
    lines = out.reshape(-1)
    all_margins, near_margins = margins.reshape(-1), near.reshape(-1)
    near_most = (1 << (near.shape[1] - 1)) - 1
    most = 0
    for output in range(lo, hi):
        most = max(most, ends[output + 1] - ends[output])
    offsets = np.empty(most, np.int64)
    for output in range(lo, hi):
        count, entries = counts[output], ends[output + 1] - ends[output]
        if count == 0:
            for word in range(words):
                out[output, word] = known[output, word]
            continue
        for number in range(entries):
            offsets[number] = index[ends[output] + number] * words
        planes, odd, start = _digits(count), -(count & 1), -((count + 1) >> 1)
        if count <= near_most:
            flat, digits = near_margins, near.shape[1]
        else:
            flat, digits = all_margins, margins.shape[1]
        at = output * digits * words
        turned[:] = np.uint64(0) - (flip[output >> 6] >> np.uint64(output & 63) & ONE)
        for word in range(0, words, 8):
            _count_8(table, word, offsets, 0, entries, start, planes, scratch)
            _compare_8(
                flat, at + word, words, digits, odd, scratch, planes, flat, 0, 0, 1, ones, turned,
                ones, word, lines, output * words + word,
            )  # fmt: skip


@compiled
def update_rows(
    changed: Any,
    clean: Any,
    table: Any,
    near: Any,
    margins: Any,
    moves: Any,
    flips: Any,
    parity: Any,
    flip: Any,
    valid: Any,
    vector: Any,
    known: Any,
    out: Any,
    lo: Any,
    hi: Any,
) -> None:
    """Images lo..hi of a fully connected layer: out (images, words), uint32.

    changed, clean: the layer's input now and as it was, uint64 (images, words), with 7 words to
    spare.
    table: uint64 (2 * inputs + 1, words), flat: where an input of 0, and of 1, agrees; then zeros.
    margins: uint64 (images, digits, words); near is the same with fewer digits, clipped.
    moves: half changes for all images, uint64 (planes, images, words), or none, of at most `flips`
    weights of an output, an odd number in the outputs of `parity`.
    An output is the bit of flip where its margin is negative, else the other one; outside of
    `valid` it is 0. vector: words computed at once. known: the clean output, uint32 as out.
    """
    words, inputs = margins.shape[2], changed.shape[1]
    index = np.empty(64 * inputs + GROUP, np.int64)
    zeros = (table.size // words - 1) * words
    scratch = np.empty(16 * MOST, np.uint64)
    signs = np.empty(words, np.uint64)
    bits = signs.view(np.uint32)
    all_margins, near_margins, moving = margins.reshape(-1), near.reshape(-1), moves.reshape(-1)
    moved = moves.shape[0]
    image_stride = moves.shape[1] * words
    near_most = (1 << (near.shape[1] - 1)) - 1
    new, old, differ = changed.reshape(-1), clean.reshape(-1), np.empty(8, np.uint64)
    straight = out.shape[1] == 2 * words
    direct = out.reshape(-1).view(np.uint64) if straight else signs
    for image in range(lo, hi):
        count = 0
        for first in range(0, inputs, 8):
            words_left = _changes_of_8(new, old, image * inputs + first, differ)
            if first + 8 > inputs:
                words_left &= (ONE << np.uint64(inputs - first)) - ONE
            while words_left:
                word = _lowest_bit(words_left)
                words_left &= words_left - ONE
                left, now = differ[word], new[image * inputs + first + word]
                while left:
                    bit = _lowest_bit(left)
                    left &= left - ONE
                    place = 2 * (64 * (first + word) + bit) + np.int64(now >> np.uint64(bit) & ONE)
                    index[count] = place * words
                    count += 1
        if count == 0 and moved == 0:
            for word in range(out.shape[1]):
                out[image, word] = known[image, word]
            continue
        last = count
        while last % GROUP:
            index[last] = zeros
            last += 1
        planes = _digits(count)
        odd = -(count & 1)
        start = -((count + 1) >> 1)
        moved_at = image * words
        out_at = image * words if straight else 0
        if count + flips <= near_most:
            flat, digits = near_margins, near.shape[1]
        else:
            flat, digits = all_margins, margins.shape[1]
        at = image * digits * words
        for column in range(0, words, vector):
            if vector == 16:
                _count_16(table, column, index, 0, last, start, planes, scratch)
                if moved:
                    _compare_moved_16(
                        flat, at + column, words, digits, odd, scratch, planes, moving,
                        moved_at + column, image_stride, moved, parity, flip, valid, column, direct,
                        out_at + column,
                    )  # fmt: skip
                else:
                    _compare_16(
                        flat, at + column, words, digits, odd, scratch, planes, moving,
                        0, 0, 1, parity, flip, valid, column, direct,
                        out_at + column,
                    )  # fmt: skip
            elif vector == 8:
                _count_8(table, column, index, 0, last, start, planes, scratch)
                if moved:
                    _compare_moved_8(
                        flat, at + column, words, digits, odd, scratch, planes, moving,
                        moved_at + column, image_stride, moved, parity, flip, valid, column, direct,
                        out_at + column,
                    )  # fmt: skip
                else:
                    _compare_8(
                        flat, at + column, words, digits, odd, scratch, planes, moving,
                        0, 0, 1, parity, flip, valid, column, direct,
                        out_at + column,
                    )  # fmt: skip
            elif vector == 4:
                _count_4(table, column, index, 0, last, start, planes, scratch)
                if moved:
                    _compare_moved_4(
                        flat, at + column, words, digits, odd, scratch, planes, moving,
                        moved_at + column, image_stride, moved, parity, flip, valid, column, direct,
                        out_at + column,
                    )  # fmt: skip
                else:
                    _compare_4(
                        flat, at + column, words, digits, odd, scratch, planes, moving,
                        0, 0, 1, parity, flip, valid, column, direct,
                        out_at + column,
                    )  # fmt: skip
            else:
                _count_2(table, column, index, 0, last, start, planes, scratch)
                if moved:
                    _compare_moved_2(
                        flat, at + column, words, digits, odd, scratch, planes, moving,
                        moved_at + column, image_stride, moved, parity, flip, valid, column, direct,
                        out_at + column,
                    )  # fmt: skip
                else:
                    _compare_2(
                        flat, at + column, words, digits, odd, scratch, planes, moving,
                        0, 0, 1, parity, flip, valid, column, direct,
                        out_at + column,
                    )  # fmt: skip
        if not straight:
            for word in range(out.shape[1]):
                out[image, word] = bits[word]
