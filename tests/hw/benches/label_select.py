"""label_select: index of the largest score, the lowest on a tie, for random scores and timing."""

from __future__ import annotations

from typing import Any

import cocotb

from tests.hw.benches.base import Bench, Sink, Source, equal, parameter


class LabelBench(Bench):
    """The module with a stream at both ends."""

    def __init__(self, dut: Any) -> None:
        super().__init__(dut)
        self.source = Source(self, dut.in_data_i, dut.in_valid_i, dut.in_ready_o)
        self.sink = Sink(self, dut.out_data_o, dut.out_valid_o, dut.out_ready_i)
        self.expected: list[int] = []

    def send(self, frames: int) -> None:
        """Queues frames of scores; of few values, so that ties are the rule."""
        labels, pe, width = parameter("Labels"), parameter("Pe"), parameter("InBits")
        top = (1 << width) - 1
        for _ in range(frames):
            values = self.rng.choice([[0], [0, top], [top - 1, top], range(top + 1)])
            scores = [self.rng.choice(values) for _ in range(labels)]
            for start in range(0, labels, pe):
                word = sum(s << width * i for i, s in enumerate(scores[start : start + pe]))
                self.source.queue.append(word)
            self.expected.append(scores.index(max(scores)))

    async def finish(self) -> None:
        """Waits for the labels and compares them."""
        await self.until(lambda: len(self.sink.words) >= len(self.expected), "the last label")
        await self.cycles(4)
        equal(self.sink.words, self.expected, "label")


@cocotb.test()
async def test_random_timing(dut: Any) -> None:
    """Back-to-back frames with random valid and ready."""
    bench = LabelBench(dut)
    await bench.reset()
    for source, sink in (0.7, 0.7), (1.0, 0.1), (0.3, 1.0):
        bench.source.rate, bench.sink.rate = source, sink
        bench.send(60)
        await bench.finish()


@cocotb.test()
async def test_reset_in_the_middle(dut: Any) -> None:
    """A reset inside a frame: the next score is the first of a frame again."""
    bench = LabelBench(dut)
    await bench.reset()
    for _ in range(5):
        bench.source.rate = 0.8
        bench.send(3)
        await bench.cycles(bench.rng.randrange(1, 2 * parameter("Labels")))
        await bench.reset()
        bench.expected.clear()
        bench.send(6)
        await bench.finish()


@cocotb.test()
async def test_full_throughput(dut: Any) -> None:
    """A word a cycle, no bubble between frames."""
    bench = LabelBench(dut)
    await bench.reset()
    bench.send(30)
    await bench.finish()
    words = parameter("Labels") // parameter("Pe")
    assert bench.sink.cycles[-1] - bench.sink.cycles[0] == 29 * words
