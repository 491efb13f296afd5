"""The weight memories beside weight_port: lists that answer a cycle later, as weight_mem does."""

from __future__ import annotations

from tests.hw.benches.base import Bench
from tests.hw.models import MASK32


class WeightMemories:
    """Storage of all weight memories, by memory, word and segment."""

    def __init__(self, bench: Bench, depths: list[int], segments: list[int]) -> None:
        dut = bench.dut
        self.enable, self.request, self.rdata = (
            dut.weight_en_o, dut.weight_req_o, dut.weight_rdata_i)  # fmt: skip
        self.stored = [
            [[0] * n for _ in range(depth)] for depth, n in zip(depths, segments, strict=True)
        ]
        self.answers: list[int] = [0] * len(depths)
        self.writes = 0
        bench.agents.append(self)

    def drive(self) -> None:
        """What was read last stays."""
        self.rdata.value = sum(word << 32 * i for i, word in enumerate(self.answers))

    def sample(self) -> None:
        """A read gives what was there before a write in the same cycle."""
        enable = int(self.enable.value)
        if not enable:
            return
        assert enable.bit_count() == 1, "two memories at once"
        memory = enable.bit_length() - 1
        request = int(self.request.value)
        address, segment = request >> 48 & 0xFFFF, request >> 32 & 0xFFFF
        word = self.stored[memory][address]
        self.answers[memory] = word[segment]
        if request >> 64:
            word[segment] = request & MASK32
            self.writes += 1

    def withdraw(self) -> None:
        """Memories have no reset."""


def fields(packed: int, count: int) -> list[int]:
    """The 32-bit numbers of a packed array."""
    return [packed >> 32 * i & MASK32 for i in range(count)]
