"""The weight memories beside weight_port: lists of columns that answer as weight_mem does."""

from __future__ import annotations

from collections import deque

from tests.hw.benches.base import Bench
from tests.hw.models import MASK32

COLUMN_WIDTH = 72
WEIGHT_LATENCY = 3
"""Cycles from the request of a word of weights to the word."""


class WeightMemories:
    """Storage of all weight memories, by memory, word and column."""

    def __init__(self, bench: Bench, widths: list[int], depths: list[int]) -> None:
        dut = bench.dut
        self.enable, self.request, self.rdata = (
            dut.weight_en_o, dut.weight_req_o, dut.weight_rdata_i)  # fmt: skip
        self.bits = [column_bits(width) for width in widths]
        self.stored = [
            [[0] * len(bits) for _ in range(depth)]
            for bits, depth in zip(self.bits, depths, strict=True)
        ]
        # Of each memory what it answers in the cycles to come.
        self.answers: list[deque[int]] = [deque() for _ in depths]
        self.writes = 0
        bench.agents.append(self)

    def drive(self) -> None:
        """An answer is there for a cycle."""
        words = [answers.popleft() if answers else 0 for answers in self.answers]
        self.rdata.value = sum(word << 32 * i for i, word in enumerate(words))

    def sample(self) -> None:
        """A read is answered in three parts, the first a cycle after its column."""
        enable = int(self.enable.value)
        if not enable:
            return
        assert enable.bit_count() == 1, "two memories at once"
        memory = enable.bit_length() - 1
        request = int(self.request.value)
        column, address = request >> COLUMN_WIDTH & 0xFF, request >> COLUMN_WIDTH + 8 & 0xFFFF
        columns = self.stored[memory][address]
        assert column < len(columns), f"memory {memory} has no column {column}"
        if request >> COLUMN_WIDTH + 24:
            columns[column] = request & self.bits[memory][column]
            self.writes += 1
        else:
            word = columns[column]
            self.answers[memory] = deque(
                [*[0] * WEIGHT_LATENCY, word & MASK32, word >> 32 & MASK32, word >> 64]
            )

    def words(self, memory: int) -> dict[int, int]:
        """What a memory holds, by address, but for words of 0."""
        width = sum(bits.bit_count() for bits in self.bits[memory])
        places = [column_place(width, bit) for bit in range(width)]
        return {
            address: sum((columns[c] >> place & 1) << bit for bit, (c, place) in enumerate(places))
            for address, columns in enumerate(self.stored[memory])
            if any(columns)
        }

    def withdraw(self) -> None:
        """Memories have no reset."""


def column_bits(width: int) -> list[int]:
    """Which bits the columns of a word have."""
    columns = -(-width // COLUMN_WIDTH)
    bits = [0] * columns
    for bit in range(width):
        column, place = column_place(width, bit)
        bits[column] |= 1 << place
    return bits


def column_place(width: int, bit: int) -> tuple[int, int]:
    """The column that a bit of a word lies in, and its place there."""
    columns = -(-width // COLUMN_WIDTH)
    left_over = bit - 64 * columns
    return (bit // 64, bit % 64) if left_over < 0 else (left_over // 8, 64 + left_over % 8)


def fields(packed: int, count: int) -> list[int]:
    """The 32-bit numbers of a packed array."""
    return [packed >> 32 * i & MASK32 for i in range(count)]
