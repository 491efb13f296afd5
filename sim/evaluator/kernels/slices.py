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
    I64,
    added,
    compiled,
    load,
    loop,
    lowest_bit,
    pointers,
    splat,
    store,
    vector,
    vector_code,
)

VECTORS = (2, 8, 16)  # words that are computed at once
GROUP = 8  # rows that are added at once
FEWEST = 4  # planes of a counter
MOST = 20
ONE, ALL = np.uint64(1), np.uint64(0xFFFFFFFFFFFFFFFF)


def _counter(words: int) -> Callable[..., Any]:
    """Adds rows of a table up: `planes` planes of a counter that begins at `start`.

    A row is `words` words from table[index[n] + column] on, n from first to last in whole groups.
    """
    lanes = vector(words)

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
                return splat(b, b.sub(I64(0), bit), lanes)

            def begin(number: Any, _: Any) -> list[Any]:
                store(b, digit(number), plane(number), 8)
                return []

            loop(b, I64(FEWEST), args[6], 1, [], begin)

            def up(carry: Any) -> None:
                def half(number: Any, carried: list[Any]) -> list[Any]:
                    place = plane(number)
                    before = load(b, place, lanes, 8)
                    store(b, b.xor(before, carried[0]), place, 8)
                    return [b.and_(before, carried[0])]

                loop(b, I64(FEWEST), args[6], 1, [carry], half)

            def eight(number: Any, first: int, low: list[Any]) -> tuple[list[Any], Any]:
                taken = [
                    load(b, b.gep(rows, [b.load(b.gep(places, [b.add(number, I64(n))]))]), lanes, 8)
                    for n in range(first, first + GROUP)
                ]
                ones, twos, fours = low
                carries = []
                for n in range(0, GROUP, 2):
                    ones, carry = added(b, ones, taken[n], taken[n + 1])
                    carries.append(carry)
                twos, four = added(b, twos, carries[0], carries[1])
                twos, other = added(b, twos, carries[2], carries[3])
                fours, carry = added(b, fours, four, other)
                return [ones, twos, fours], carry

            def sixteen(number: Any, low: list[Any]) -> list[Any]:
                three, carry = eight(number, 0, low[:3])
                three, other = eight(number, GROUP, three)
                eights, carry = added(b, low[3], carry, other)
                up(carry)
                return [*three, eights]

            def rest(number: Any, low: list[Any]) -> list[Any]:
                three, carry = eight(number, 0, low[:3])
                up(b.and_(low[3], carry))
                return [*three, b.xor(low[3], carry)]

            low = [digit(I64(n)) for n in range(FEWEST)]
            whole = b.and_(b.sub(args[4], args[3]), I64(-2 * GROUP))
            edge = b.add(args[3], whole)
            low = loop(b, args[3], edge, 2 * GROUP, low, sixteen)
            low = loop(b, edge, args[4], GROUP, low, rest)
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
    lanes = vector(words)

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
                found = [load(b, b.gep(known, [place]), lanes, 8)]
                place = b.mul(chosen(number, args[6]), I64(words))
                found.append(load(b, b.gep(count, [place]), lanes, 8))
                if moved:
                    place = b.mul(chosen(number, args[10]), args[9])
                    found.append(load(b, b.gep(moved_by, [place]), lanes, 8))
                return found

            lowest, odd = load(b, known, lanes, 8), splat(b, args[4], lanes)
            if moved:
                own = load(b, b.gep(odds, [args[14]]), lanes, 8)
                carries = [added(b, lowest, own, odd)[1], ir.Constant(lanes, [0] * words)]
            else:
                carries = [b.and_(lowest, odd)]

            def digit(number: Any, carries: list[Any]) -> list[Any]:
                margin, counted, *change = operands(number)
                total, carry = added(b, margin, counted, carries[0])
                if not moved:
                    return [carry]
                return [carry, added(b, total, change[0], carries[1])[1]]

            half = b.sub(args[3], I64(1))
            carries = loop(b, I64(0), half, 1, carries, digit)
            # One digit more has the sign, even where the margins are clipped.
            sign, *others = operands(b.sub(half, I64(1)))
            for value in (*others, *carries):
                sign = b.xor(sign, value)
            sign = b.xor(sign, load(b, b.gep(flips, [args[14]]), lanes, 8))
            sign = b.and_(sign, load(b, b.gep(valid, [args[14]]), lanes, 8))
            store(b, sign, b.gep(result, [args[16]]), 8)
            return context.get_dummy_value()

        return signature, generate

    return compare


_count_2, _count_8, _count_16 = (_counter(words) for words in VECTORS)
_compare_2, _compare_8, _compare_16 = (_comparison(w, False) for w in VECTORS)
_compare_moved_2, _compare_moved_8, _compare_moved_16 = (_comparison(w, True) for w in VECTORS)


@vector_code
def _changes_of_8(typing: Any, now: Any, before: Any, at: Any, out: Any) -> Any:
    """Which of 8 words from `at` on differ, as bits; out gets the differences."""
    signature = types.uint64(now, before, at, out)

    def generate(context: Any, b: Any, signature: Any, args: Any) -> Any:
        new, old, found = pointers(context, b, signature, args, (0, 1, 3))
        pair = (load(b, b.gep(words, [args[2]]), vector(8), 8) for words in (new, old))
        differ = b.xor(*pair)
        store(b, differ, found, 8)
        mask = b.icmp_unsigned("!=", differ, ir.Constant(vector(8), [0] * 8))
        return b.zext(b.bitcast(mask, ir.IntType(8)), I64)

    return signature, generate


@compiled
def _digits(number: Any) -> Any:
    """How many planes a count up to `number` takes."""
    planes = FEWEST
    while number >> planes:
        planes += 1
    return planes


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
    scratch, signs = np.empty(16 * MOST, np.uint64), np.empty(words, np.uint64)
    bits = signs.view(np.uint32)
    all_margins, near_margins, moving = margins.reshape(-1), near.reshape(-1), moves.reshape(-1)
    moved, image_stride = moves.shape[0], moves.shape[1] * words
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
                word = lowest_bit(words_left)
                words_left &= words_left - ONE
                left, now = differ[word], new[image * inputs + first + word]
                while left:
                    bit = lowest_bit(left)
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
        planes, odd, start = _digits(count), -(count & 1), -((count + 1) >> 1)
        if count + flips <= near_most:
            flat, digits = near_margins, near.shape[1]
        else:
            flat, digits = all_margins, margins.shape[1]
        at, moves_at = image * digits * words, image * words
        out_at = image * words if straight else 0
        # In place: a call with so many arrays costs more than the work.
        for first in range(0, words, vector):
            m, v, o = at + first, moves_at + first, out_at + first
            if vector == 16:
                _count_16(table, first, index, 0, last, start, planes, scratch)
                if moved:
                    _compare_moved_16(
                        flat, m, words, digits, odd, scratch, planes, moving, v, image_stride,
                        moved, parity, flip, valid, first, direct, o,
                    )  # fmt: skip
                else:
                    _compare_16(
                        flat, m, words, digits, odd, scratch, planes, moving, v, image_stride,
                        moved, parity, flip, valid, first, direct, o,
                    )  # fmt: skip
            elif vector == 8:
                _count_8(table, first, index, 0, last, start, planes, scratch)
                if moved:
                    _compare_moved_8(
                        flat, m, words, digits, odd, scratch, planes, moving, v, image_stride,
                        moved, parity, flip, valid, first, direct, o,
                    )  # fmt: skip
                else:
                    _compare_8(
                        flat, m, words, digits, odd, scratch, planes, moving, v, image_stride,
                        moved, parity, flip, valid, first, direct, o,
                    )  # fmt: skip
            else:
                _count_2(table, first, index, 0, last, start, planes, scratch)
                if moved:
                    _compare_moved_2(
                        flat, m, words, digits, odd, scratch, planes, moving, v, image_stride,
                        moved, parity, flip, valid, first, direct, o,
                    )  # fmt: skip
                else:
                    _compare_2(
                        flat, m, words, digits, odd, scratch, planes, moving, v, image_stride,
                        moved, parity, flip, valid, first, direct, o,
                    )  # fmt: skip
        if not straight:
            for word in range(out.shape[1]):
                out[image, word] = bits[word]
