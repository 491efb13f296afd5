"""Convolutions whose sums are known: what changed inputs and flipped weights do to whole maps.

As in slices.py, sums are bit-sliced margins; the lanes are all outputs of all windows of an image.
A changed input adds its row of the weights to a counter of each window that holds it.
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
    lowest_bit,
    ones,
    pointers,
    splat,
    store,
    vector_code,
)

EIGHT = ir.VectorType(I64, 8)
ONE = np.uint64(1)


def _signs(flipped: bool) -> Callable[..., Any]:
    """Where m + 2 p - n, and with `flipped` less the flips, is negative: flip's bits, 8 words.

    m is `digits` planes from margins[at] on, p `planes` of counter and one of zeros, n the numbers
    of counts, the flips `owned` planes of own and one of zeros; planes lie `stride` words apart.
    """

    @vector_code
    def signs(
        typing: Any,
        margins: Any,
        at: Any,
        digits: Any,
        stride: Any,
        counter: Any,
        planes: Any,
        counts: Any,
        own: Any,
        owned: Any,
        flip: Any,
        valid: Any,
        word: Any,
        out: Any,
    ) -> Any:
        signature = types.void(
            margins, at, digits, stride, counter, planes, counts, own, owned, flip, valid, word, out
        )
        full, zeros = ir.Constant(EIGHT, [-1] * 8), ir.Constant(EIGHT, [0] * 8)

        def generate(context: Any, b: Any, signature: Any, args: Any) -> Any:
            numbers = (0, 4, 6, 7, 9, 10, 12)
            known, counted, count, odds, flips, valids, result = pointers(
                context, b, signature, args, numbers
            )
            word = args[11]
            known = b.gep(known, [b.add(args[1], word)])
            counted, odds = b.gep(counted, [word]), b.gep(odds, [word])
            number_of = load(b, b.gep(count, [word]), EIGHT, 8)

            def plane(planes: Any, number: Any, most: Any) -> Any:
                taken = b.select(b.icmp_signed("<", number, most), number, most)
                return load(b, b.gep(planes, [b.mul(taken, args[3])]), EIGHT, 8)

            entry, loop = b.basic_block, b.append_basic_block()
            end = b.append_basic_block()
            b.branch(loop)
            b.position_at_end(loop)
            digit = b.phi(I64)
            digit.add_incoming(I64(0), entry)
            carries = [b.phi(EIGHT) for _ in range(3 if flipped else 2)]
            starts = [full, zeros, full]
            for phi, start in zip(carries, starts, strict=False):
                phi.add_incoming(start, entry)
            total = plane(known, digit, b.sub(args[2], I64(1)))
            after = []
            if flipped:
                total, carry = added(b, total, b.not_(plane(odds, digit, args[8])), carries[2])
                after = [carry]
            bit = b.and_(b.lshr(number_of, splat(b, digit, EIGHT)), ir.Constant(EIGHT, [1] * 8))
            total, first = added(b, total, b.add(bit, full), carries[0])
            below = b.sub(digit, I64(1))
            below = b.select(b.icmp_signed("<", below, I64(0)), args[5], below)
            total, second = added(b, total, plane(counted, below, args[5]), carries[1])
            for phi, value in zip(carries, [first, second, *after], strict=True):
                phi.add_incoming(value, loop)
            following = b.add(digit, I64(1))
            digit.add_incoming(following, loop)
            last = b.add(args[2], I64(2))  # digits more, so that nothing overflows
            b.cbranch(b.icmp_signed("<", following, last), loop, end)
            b.position_at_end(end)
            total = b.xor(total, load(b, b.gep(flips, [word]), EIGHT, 8))
            total = b.and_(total, load(b, b.gep(valids, [word]), EIGHT, 8))
            store(b, total, b.gep(result, [word]), 8)
            return context.get_dummy_value()

        return signature, generate

    return signs


_signs_of_changes, _signs_of_flips = _signs(False), _signs(True)


def _adder(words: int) -> Callable[..., Any]:
    """Adds `words` words of bits from source[first] on to `planes` planes of counters at `at`."""
    vector = ir.VectorType(I64, words) if words > 1 else I64

    @vector_code
    def add(
        typing: Any, counter: Any, planes: Any, stride: Any, at: Any, source: Any, first: Any
    ) -> Any:
        signature = types.void(counter, planes, stride, at, source, first)

        def generate(context: Any, b: Any, signature: Any, args: Any) -> Any:
            counters, rows = pointers(context, b, signature, args, (0, 4))
            carry = b.load(b.bitcast(b.gep(rows, [args[5]]), vector.as_pointer()), align=8)
            place = b.gep(counters, [args[3]])
            entry, loop = b.basic_block, b.append_basic_block()
            end = b.append_basic_block()
            b.branch(loop)
            b.position_at_end(loop)
            plane, carried, at = b.phi(I64), b.phi(vector), b.phi(place.type)
            target = b.bitcast(at, vector.as_pointer())
            before = b.load(target, align=8)
            b.store(b.xor(before, carried), target, align=8)
            following = b.add(plane, I64(1))
            for phi, start, value in (
                (plane, I64(0), following),
                (carried, carry, b.and_(before, carried)),
                (at, place, b.gep(at, [args[2]])),
            ):
                phi.add_incoming(start, entry)
                phi.add_incoming(value, loop)
            b.cbranch(b.icmp_signed("<", following, args[1]), loop, end)
            b.position_at_end(end)
            return context.get_dummy_value()

        return signature, generate

    return add


_add_1, _add_2, _add_4, _add_8 = (_adder(words) for words in (1, 2, 4, 8))


@vector_code
def _differ_in_8(typing: Any, new: Any, old: Any, first: Any) -> Any:
    """Which of 8 words of 32 bits from number `first` on differ: 8 bits."""
    signature = types.uint64(new, old, first)
    vector = ir.VectorType(ir.IntType(32), 8)

    def generate(context: Any, b: Any, signature: Any, args: Any) -> Any:
        now, before = pointers(context, b, signature, args, (0, 1))
        pair = (load(b, b.gep(words, [args[2]]), vector) for words in (now, before))
        return b.zext(b.bitcast(b.icmp_unsigned("!=", *pair), ir.IntType(8)), I64)

    return signature, generate


@compiled
def _changed_words(
    new: Any, old: Any, first: Any, cell: Any, ends: Any, windows: Any, found: Any, counts: Any
) -> Any:
    """Sets found to the changed words of an image, counts to the changed inputs of each window."""
    changed, size = 0, (ends.size - 1) * cell
    for word in range(0, size, 8):
        if word + 8 <= size:
            left = _differ_in_8(new, old, first + word)
        else:
            left = np.uint64(0)
            for lane in range(size - word):
                if new[first + word + lane] != old[first + word + lane]:
                    left |= ONE << np.uint64(lane)
        while left:
            place = word + lowest_bit(left)
            left &= left - ONE
            count = ones(np.uint64(new[first + place] ^ old[first + place]))
            found[changed] = place
            changed += 1
            pixel = place // cell
            for entry in range(ends[pixel], ends[pixel + 1]):
                counts[windows[entry]] += count
    return changed


@compiled
def _count_flips(
    framed: Any,
    first: Any,
    places: Any,
    columns: Any,
    step: Any,
    flips: Any,
    slots: Any,
    words: Any,
    counter: Any,
    planes: Any,
    row: Any,
) -> None:
    """Adds to counters, for each window, the flipped weights that agree with its clean inputs.

    framed: uint64. A flip is the output, the word from a window's place on, the bit and the new
    weight; slots are where each run of flips of different outputs ends.
    """
    begin = 0
    for slot in range(slots.size):
        row[:] = 0
        for number in range(begin, slots[slot]):
            output, offset, bit, value = flips[number]
            lane, shift, away = output >> 6, np.uint64(output & 63), np.uint64(bit)
            differ = np.uint64(1 - value)
            for line in range(0, places.size, columns):
                place = first + places[line] + offset
                at = line * words + lane
                if step == 1 and words == 1:
                    taken, target = framed[place : place + columns], row[at : at + columns]
                    for column in range(columns):
                        target[column] |= ((taken[column] >> away ^ differ) & ONE) << shift
                else:
                    for column in range(columns):
                        agrees = (framed[place + column * step] >> away ^ differ) & ONE
                        row[at + column * words] |= agrees << shift
        for word in range(0, row.size, 8):
            _add_8(counter, planes, row.size, word, row, word)
        begin = slots[slot]


@compiled
def _add_changes(
    new: Any, old: Any, first: Any, cell: Any, ends: Any, windows: Any, taps: Any, table: Any,
    words: Any, found: Any, counter: Any, planes: Any, size: Any,
) -> None:  # fmt: skip
    """Adds to counters the rows of weights that go with the changed words of an image."""
    for word in found:
        pixel, now = word // cell, np.uint64(new[first + word])
        base = 64 * (word - pixel * cell)
        left = now ^ np.uint64(old[first + word])
        while left:
            bit = lowest_bit(left)
            left &= left - ONE
            source = (base + 2 * bit + np.int64(now >> np.uint64(bit) & ONE)) * words
            for entry in range(ends[pixel], ends[pixel + 1]):
                at, taken = windows[entry] * words, source + 2 * taps[entry] * words
                lane = 0
                while lane + 4 <= words:
                    _add_4(counter, planes, size, at + lane, table, taken + lane)
                    lane += 4
                if lane + 2 <= words:
                    _add_2(counter, planes, size, at + lane, table, taken + lane)
                    lane += 2
                if lane < words:
                    _add_1(counter, planes, size, at + lane, table, taken + lane)


@compiled
def _put_rows(bits: Any, words: Any, pixels: Any, run: Any, out: Any, at: Any) -> None:
    """Copies the words of all windows, of which `run` of 32 bits are used, to out[at:]."""
    if run == 2 * words:
        for word in range(pixels * run):
            out[at + word] = bits[word]
    else:
        for window in range(pixels):
            for word in range(run):
                out[at + window * run + word] = bits[2 * words * window + word]


@compiled
def update_maps(
    new: Any,
    old: Any,
    cell: Any,
    ends: Any,
    windows: Any,
    taps: Any,
    table: Any,
    margins: Any,
    framed: Any,
    frame_words: Any,
    places: Any,
    columns: Any,
    step: Any,
    flips: Any,
    slots: Any,
    own: Any,
    flip: Any,
    valid: Any,
    words: Any,
    known: Any,
    out: Any,
    left_out: Any,
    lo: Any,
    hi: Any,
) -> None:
    """Images lo..hi of a convolution: out (images, windows, words), uint32.

    new, old: its input now and as it was, uint32, flat, `cell` words a pixel. Pixel p is in the
    windows windows[ends[p] : ends[p + 1]], where its first weight is input taps[...].
    table: uint64 rows of `words` words, flat: where an input of 0, and of 1, agrees.
    margins: uint64 (images, digits, lanes / 64), clipped. Images where more changes than they can
    tell are left out, and marked in left_out.
    framed, places, columns, step, flips, slots: the clean input in its frame, as _count_flips takes
    it; an image has frame_words. own: how many flips each lane has, planes and one of zeros.
    """
    digits, size = margins.shape[1], margins.shape[2]
    pixels, count_of = places.size, np.zeros(size, np.int64)
    image_words = (ends.size - 1) * cell
    found = np.empty(image_words, np.int64)
    numbers = count_of if words == 1 else np.zeros(size, np.int64)
    counter = np.zeros((digits + 2) * size, np.uint64)
    row, signs = np.zeros(size, np.uint64), np.zeros(size, np.uint64)
    flat, own_flat, line = margins.reshape(-1), own.reshape(-1), out.reshape(-1)
    bits = signs.view(np.uint32)
    most = (1 << (digits - 1)) - 1 - slots.size
    run = out.shape[2]
    for image in range(lo, hi):
        count_of[:] = 0
        first = image * image_words
        changed = _changed_words(new, old, first, cell, ends, windows, found, count_of)
        if changed == 0 and slots.size == 0:
            out[image] = known[image]
            continue
        largest = count_of.max()
        if largest > most:
            left_out[image] = True
            continue
        planes = 1
        while (largest + slots.size) >> planes:
            planes += 1
        counter[: (planes + 1) * size] = 0
        if slots.size:
            _count_flips(
                framed, image * frame_words, places, columns, step, flips, slots, words, counter,
                planes, row,
            )  # fmt: skip
        _add_changes(
            new, old, first, cell, ends, windows, taps, table, words, found[:changed], counter,
            planes, size,
        )  # fmt: skip
        for number in range(pixels * words if words > 1 else 0):
            numbers[number] = count_of[number // words]
        at = image * digits * size
        for word in range(0, size, 8):
            if slots.size:
                _signs_of_flips(flat, at, digits, size, counter, planes, numbers, own_flat,
                                own.shape[0] - 1, flip, valid, word, signs)  # fmt: skip
            else:
                _signs_of_changes(flat, at, digits, size, counter, planes, numbers, own_flat,
                                  own.shape[0] - 1, flip, valid, word, signs)  # fmt: skip
        _put_rows(bits, words, pixels, run, line, image * pixels * run)
