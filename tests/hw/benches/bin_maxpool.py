"""bin_maxpool: OR of the windows of random maps, with random timing, resets and no bubble."""

from __future__ import annotations

from typing import Any

import cocotb

from tests.hw.benches.base import Bench, Sink, Source, equal, parameter
from tests.hw.models import max_pool


class PoolBench(Bench):
    """The module with a stream at both ends."""

    def __init__(self, dut: Any) -> None:
        super().__init__(dut)
        self.rows, self.columns = parameter("Rows"), parameter("Columns")
        self.folds, self.pe, self.size = parameter("Folds"), parameter("Pe"), parameter("Size")
        self.source = Source(self, dut.in_data_i, dut.in_valid_i, dut.in_ready_o)
        self.sink = Sink(self, dut.out_data_o, dut.out_valid_o, dut.out_ready_i)
        self.expected: list[int] = []

    def send(self, maps: int) -> None:
        """Queues maps, most of their bits 0, so that single ones count; padding is noise."""
        for _ in range(maps):
            ones = self.rng.choice([0.05, 0.3])
            planes = [
                [[sum(int(self.rng.random() < ones) << p for p in range(self.pe))
                  for _ in range(self.columns)] for _ in range(self.rows)]
                for _ in range(self.folds)
            ]  # fmt: skip
            padding = (1 << len(self.source.data)) - (1 << self.pe)
            for y in range(self.rows):
                for x in range(self.columns):
                    for plane in planes:
                        noise = self.rng.getrandbits(len(self.source.data)) & padding
                        self.source.queue.append(plane[y][x] | noise)
            pooled = [max_pool(plane, self.size) for plane in planes]
            self.expected += [
                plane[y][x]
                for y in range(self.rows // self.size)
                for x in range(self.columns // self.size)
                for plane in pooled
            ]

    async def finish(self) -> None:
        """Waits for the words of all maps and compares them."""
        await self.until(
            lambda: len(self.sink.words) >= len(self.expected) and not self.source.queue,
            "the last word",
        )
        await self.cycles(4)
        equal(self.sink.words, self.expected, "word")


@cocotb.test()
async def test_random_timing(dut: Any) -> None:
    """Back-to-back maps with random valid and ready."""
    bench = PoolBench(dut)
    await bench.reset()
    for source, sink in (0.7, 0.7), (1.0, 0.1), (0.3, 1.0), (1.0, 1.0):
        bench.source.rate, bench.sink.rate = source, sink
        bench.send(8)
        await bench.finish()


@cocotb.test()
async def test_reset_in_the_middle(dut: Any) -> None:
    """A reset inside a map: the next word is the first of a map again."""
    bench = PoolBench(dut)
    await bench.reset()
    for _ in range(5):
        bench.source.rate, bench.sink.rate = 0.9, 0.5
        bench.send(3)
        await bench.cycles(bench.rng.randrange(1, 2 * bench.rows * bench.columns * bench.folds))
        await bench.reset()
        bench.expected.clear()
        bench.send(2)
        await bench.finish()


@cocotb.test()
async def test_full_throughput(dut: Any) -> None:
    """A word is taken in every cycle; a window's result is out in the cycle after its last word."""
    bench = PoolBench(dut)
    await bench.reset()
    bench.send(5)
    begin = bench.cycle_number
    words = len(bench.source.queue)
    await bench.finish()
    size, columns = bench.size, bench.columns
    ends = [
        ((frame * bench.rows + y * size + size - 1) * columns + x * size + size - 1) * bench.folds
        + f
        for frame in range(5)
        for y in range(bench.rows // size)
        for x in range(columns // size)
        for f in range(bench.folds)
    ]
    assert bench.source.taken == words
    assert bench.sink.cycles == [begin + end + 1 for end in ends], "a bubble"
