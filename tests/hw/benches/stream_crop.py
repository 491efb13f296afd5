"""stream_crop: the part of each map that is kept, its last word only when the map has come in."""

from __future__ import annotations

from typing import Any

import cocotb

from tests.hw.benches.base import Bench, Sink, Source, equal, parameter


class CropBench(Bench):
    """The module with a stream at both ends."""

    def __init__(self, dut: Any) -> None:
        super().__init__(dut)
        self.source = Source(self, dut.in_data_i, dut.in_valid_i, dut.in_ready_o)
        self.sink = Sink(self, dut.out_data_o, dut.out_valid_o, dut.out_ready_i)
        self.rows, self.columns, self.folds = (
            parameter(name) for name in ("Rows", "Columns", "Folds")
        )
        self.kept = parameter("OutRows") * parameter("OutColumns") * self.folds
        self.expected: list[int] = []

    @property
    def words(self) -> int:
        """Words of a whole map."""
        return self.rows * self.columns * self.folds

    def send(self, maps: int) -> None:
        """Queues some maps."""
        for _ in range(maps):
            for place in range(self.words):
                row, column = divmod(place // self.folds, self.columns)
                word = self.rng.getrandbits(len(self.source.data))
                self.source.queue.append(word)
                if row < parameter("OutRows") and column < parameter("OutColumns"):
                    self.expected.append(word)

    async def cycle(self, **inputs: int) -> None:
        """One cycle, after which no map is through that has not come in whole."""
        taken = self.source.taken  # the word that ends a map is taken before its last one leaves
        await super().cycle(**inputs)
        assert len(self.sink.words) // self.kept <= (taken - self.before) // self.words

    async def start(self) -> None:
        """Reset."""
        await self.reset()
        self.before = self.source.taken
        self.expected.clear()

    before = 0

    async def finish(self) -> None:
        """Waits for the words of all maps and compares them."""
        await self.until(lambda: len(self.sink.words) >= len(self.expected), "the last word")
        await self.cycles(2 * self.columns)
        equal(self.sink.words, self.expected, "word")
        assert not self.source.queue


@cocotb.test()
async def test_random_timing(dut: Any) -> None:
    """Random valid and ready, with a reset inside a map."""
    bench = CropBench(dut)
    await bench.start()
    for source, sink in (0.5, 0.5), (1.0, 0.2), (0.3, 1.0):
        bench.source.rate, bench.sink.rate = source, sink
        bench.send(4)
        await bench.finish()
        bench.send(2)
        await bench.cycles(bench.rng.randrange(3, 20))
        await bench.start()


@cocotb.test()
async def test_full_throughput(dut: Any) -> None:
    """A word a cycle, and one cycle a map in which none is taken."""
    bench = CropBench(dut)
    await bench.start()
    bench.send(6)
    begin = bench.cycle_number
    await bench.finish()
    assert bench.sink.cycles[-1] - begin == 6 * (bench.words + 1) - 1
