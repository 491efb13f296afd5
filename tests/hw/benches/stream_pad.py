"""stream_pad: zeros around each map, in order, and none before the map is there."""

from __future__ import annotations

from typing import Any

import cocotb

from tests.hw.benches.base import Bench, Sink, Source, equal, parameter


class PadBench(Bench):
    """The module with a stream at both ends."""

    def __init__(self, dut: Any) -> None:
        super().__init__(dut)
        self.source = Source(self, dut.in_data_i, dut.in_valid_i, dut.in_ready_o)
        self.sink = Sink(self, dut.out_data_o, dut.out_valid_o, dut.out_ready_i)
        self.expected: list[int] = []
        self.rows, self.columns = parameter("Rows"), parameter("Columns")
        self.top, self.left = parameter("Top"), parameter("Left")
        self.bottom, self.right = parameter("Bottom"), parameter("Right")

    def send(self, frames: int) -> None:
        """Queues some maps."""
        folds = parameter("Folds")
        for _ in range(frames):
            for row in range(-self.top, self.rows + self.bottom):
                for column in range(-self.left, self.columns + self.right):
                    inside = 0 <= row < self.rows and 0 <= column < self.columns
                    for _ in range(folds):
                        word = self.rng.getrandbits(len(self.source.data)) if inside else 0
                        self.expected.append(word)
                        if inside:
                            self.source.queue.append(word)

    async def finish(self) -> None:
        """Waits for the words of all maps and compares them."""
        await self.until(lambda: len(self.sink.words) >= len(self.expected), "the last word")
        await self.cycles(2 * (self.columns + self.left + self.right))
        equal(self.sink.words, self.expected, "word")


@cocotb.test()
async def test_random_timing(dut: Any) -> None:
    """Random valid and ready, with a reset inside a map; nothing comes before a map."""
    bench = PadBench(dut)
    await bench.reset()
    await bench.cycles(20)
    assert not bench.sink.words
    for source, sink in (0.5, 0.5), (1.0, 0.2), (0.3, 1.0):
        bench.source.rate, bench.sink.rate = source, sink
        bench.send(3)
        await bench.finish()
        bench.send(2)
        await bench.cycles(bench.rng.randrange(3, 20))
        await bench.reset()
        bench.expected.clear()


@cocotb.test()
async def test_full_throughput(dut: Any) -> None:
    """A word out in every cycle."""
    bench = PadBench(dut)
    await bench.reset()
    bench.send(4)
    begin = bench.cycle_number
    await bench.finish()
    assert bench.sink.cycles == [begin + word for word in range(len(bench.expected))]
