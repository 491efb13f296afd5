"""Which bits of a memory or a map differ, and the order in which layers take flipped weights."""

# Compiled functions take everything by position.
# ruff: noqa: PLR0917

from __future__ import annotations

from typing import Any

import numpy as np

from spinflow.sim.evaluator.kernels.vectors import (
    compiled,
    lowest_bit,
    ones,
)

ONE = np.uint64(1)


@compiled
def count_changes(now: Any, before: Any) -> Any:
    """Return in how many bits two flat arrays of uint32 differ."""
    count = 0
    for word in range(now.size):
        count += ones(np.uint64(now[word] ^ before[word]))
    return count


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
            bit = lowest_bit(left)
            left &= left - ONE
            value = np.int64(now[word]) >> bit & 1
            found[count] = places[32 * word + bit] * 2 + value
            count += 1
    return count


@compiled
def sort_flips(
    found: Any, inputs: Any, zeros: Any, group: Any, counts: Any, index: Any, ends: Any
) -> Any:
    """Bring flips into the order of their outputs, for count_columns.

    found: output * inputs * 2 + the row of the table. counts (outputs,) gets how many each has,
    index the rows, whole groups of `group` for each output, filled with the row `zeros`, ends where
    each output ends (one more, from 0). Returns how many entries of index there are.
    """
    counts[:] = 0
    for flip in found:
        counts[flip // (2 * inputs)] += 1
    last = 0
    for output in range(counts.size):
        ends[output] = last
        last += (counts[output] + group - 1) // group * group
    for flip in found:
        output = flip // (2 * inputs)
        index[ends[output]] = flip - output * 2 * inputs
        ends[output] += 1
    last = 0
    for output in range(counts.size):
        begin = last
        last += (counts[output] + group - 1) // group * group
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
