"""bin_threshold: out bit = number >= threshold, for random words and timing."""

from __future__ import annotations

from typing import Any

import cocotb

from tests.hw.benches.base import Bench, Sink, Source, equal, parameter
from tests.hw.models import word_of


class ThresholdBench(Bench):
    """The module with a stream at both ends."""

    def __init__(self, dut: Any) -> None:
        super().__init__(dut)
        self.source = Source(self, dut.in_data_i, dut.in_valid_i, dut.in_ready_o)
        self.sink = Sink(self, dut.out_data_o, dut.out_valid_o, dut.out_ready_i)
        self.expected: list[int] = []

    def send(self, words: int) -> None:
        """Queues words, half of their numbers close to the threshold."""
        pe, width, threshold = parameter("Pe"), parameter("InBits"), parameter("Threshold")
        top = (1 << width) - 1
        for _ in range(words):
            numbers = [
                min(max(threshold + self.rng.choice([-1, 0, 1]), 0), top)
                if self.rng.random() < 0.5 else self.rng.randint(0, top)
                for _ in range(pe)
            ]  # fmt: skip
            self.source.queue.append(sum(n << width * i for i, n in enumerate(numbers)))
            self.expected.append(word_of([int(n >= threshold) for n in numbers]))

    async def finish(self) -> None:
        """Waits for the words that were sent and compares them."""
        await self.until(lambda: len(self.sink.words) >= len(self.expected), "the last word")
        await self.cycles(4)
        equal(self.sink.words, self.expected, "word")


@cocotb.test()
async def test_random_timing(dut: Any) -> None:
    """Random valid and ready, with a reset in the middle."""
    bench = ThresholdBench(dut)
    await bench.reset()
    for source, sink in (0.5, 0.5), (1.0, 0.3), (0.3, 1.0):
        bench.source.rate, bench.sink.rate = source, sink
        bench.send(150)
        await bench.finish()
        bench.send(20)
        await bench.cycles(10)
        await bench.reset()
        bench.expected.clear()


@cocotb.test()
async def test_full_throughput(dut: Any) -> None:
    """A word a cycle."""
    bench = ThresholdBench(dut)
    await bench.reset()
    bench.send(200)
    await bench.finish()
    assert bench.sink.cycles[-1] - bench.sink.cycles[0] == 199
