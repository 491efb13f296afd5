"""stream_narrow: the parts of each word in order, random timing, resets, no gap between words."""

from __future__ import annotations

from typing import Any

import cocotb

from tests.hw.benches.base import Bench, Sink, Source, equal, parameter


class NarrowBench(Bench):
    """The module with a stream at both ends."""

    def __init__(self, dut: Any) -> None:
        super().__init__(dut)
        self.source = Source(self, dut.in_data_i, dut.in_valid_i, dut.in_ready_o)
        self.sink = Sink(self, dut.out_data_o, dut.out_valid_o, dut.out_ready_i)
        self.expected: list[int] = []

    def send(self, words: int) -> None:
        """Queues some wide words; their padding is noise."""
        bits, ratio = parameter("OutBits"), parameter("Ratio")
        mask = (1 << bits) - 1
        for _ in range(words):
            word = self.rng.getrandbits(len(self.source.data))
            self.source.queue.append(word)
            self.expected.extend(word >> bits * part & mask for part in range(ratio))

    async def finish(self) -> None:
        """Waits for the parts of the words that were sent and compares them."""
        await self.until(lambda: len(self.sink.words) >= len(self.expected), "the last part")
        await self.cycles(4)
        equal(self.sink.words, self.expected, "part")


@cocotb.test()
async def test_random_timing(dut: Any) -> None:
    """Random valid and ready, with a reset inside a word."""
    bench = NarrowBench(dut)
    await bench.reset()
    for source, sink in (0.5, 0.5), (1.0, 0.2), (0.3, 1.0):
        bench.source.rate, bench.sink.rate = source, sink
        bench.send(60)
        await bench.finish()
        bench.send(9)
        await bench.cycles(bench.rng.randrange(3, 20))
        await bench.reset()
        bench.expected.clear()


@cocotb.test()
async def test_full_throughput(dut: Any) -> None:
    """A part in every cycle, the first one cycle after its word came."""
    bench = NarrowBench(dut)
    await bench.reset()
    bench.send(50)
    begin = bench.cycle_number
    await bench.finish()
    parts = 50 * parameter("Ratio")
    assert bench.sink.cycles == [begin + 1 + part for part in range(parts)]
