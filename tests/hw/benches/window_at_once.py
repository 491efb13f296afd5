"""window_at_once: all windows in order, each in the cycle after its last pixel, no bubble."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import cocotb

from tests.hw.benches.sliding import WindowBench, Windows

FRAMES = 5


class AtOnceBench(WindowBench):
    """The bench of a module that gives whole windows."""

    def __init__(self, dut: Any) -> None:
        super().__init__(dut, Windows.of_parameters(1))

    def joined(self, words: list[int]) -> Iterator[int]:
        """The pixels of a window in one word."""
        yield sum(word << self.bits * place for place, word in enumerate(words))


@cocotb.test()
async def test_random_timing(dut: Any) -> None:
    """Back-to-back maps with random valid and ready, and resets in between."""
    await AtOnceBench(dut).random_timing()


@cocotb.test()
async def test_full_throughput(dut: Any) -> None:
    """A pixel is taken in every cycle, between rows and maps too."""
    bench = AtOnceBench(dut)
    await bench.start()
    bench.send(FRAMES)
    begin = bench.cycle_number
    await bench.finish()
    ends = bench.windows.numbers()[:, -1]
    expected = [
        begin + 1 + frame * bench.windows.words + int(end)
        for frame in range(FRAMES)
        for end in ends
    ]
    assert bench.sink.cycles == expected, "a bubble"
