"""class_scores: gain times sum plus offset of each class, for random numbers and timing."""

from __future__ import annotations

from typing import Any

import cocotb

from tests.hw.benches.base import Bench, Sink, Source, equal, parameter


def table(name: str, bits: int) -> list[int]:
    """A packed parameter as the number of each class."""
    packed = parameter(name)
    return [packed >> bits * n & (1 << bits) - 1 for n in range(parameter("Labels"))]


class ScoresBench(Bench):
    """The module with a stream at both ends."""

    def __init__(self, dut: Any) -> None:
        super().__init__(dut)
        self.source = Source(self, dut.in_data_i, dut.in_valid_i, dut.in_ready_o)
        self.sink = Sink(self, dut.out_data_o, dut.out_valid_o, dut.out_ready_i)
        self.expected: list[int] = []
        labels, bits = parameter("Labels"), parameter("GainBits")
        self.gains = table("Gains", bits) if bits else [1 << parameter("Shift")] * labels
        self.offsets = table("Offsets", parameter("OffsetBits"))

    def send(self, frames: int) -> None:
        """Queues frames of sums, the least and the largest among them."""
        labels, pe, width = parameter("Labels"), parameter("Pe"), parameter("InBits")
        top, score = (1 << width) - 1, parameter("ScoreBits")
        padding = 8 * (-(-pe * width // 8)) - pe * width
        for _ in range(frames):
            values = self.rng.choice([[0], [0, top], range(top + 1)])
            sums = [self.rng.choice(values) for _ in range(labels)]
            scores = [g * s + o for g, s, o in zip(self.gains, sums, self.offsets, strict=True)]
            assert max(scores) < 1 << score, "the case's ScoreBits are too few"
            for start in range(0, labels, pe):
                word = sum(s << width * i for i, s in enumerate(sums[start : start + pe]))
                # What lies in the padding is nobody's.
                self.source.queue.append(word | self.rng.getrandbits(8) % (1 << padding)
                                         << pe * width)  # fmt: skip
                self.expected.append(
                    sum(s << score * i for i, s in enumerate(scores[start : start + pe]))
                )

    async def finish(self) -> None:
        """Waits for the scores and compares them."""
        await self.until(lambda: len(self.sink.words) >= len(self.expected), "the last score")
        await self.cycles(4)
        equal(self.sink.words, self.expected, "scores")


@cocotb.test()
async def test_random_timing(dut: Any) -> None:
    """Back-to-back frames with random valid and ready."""
    bench = ScoresBench(dut)
    await bench.reset()
    for source, sink in (0.7, 0.7), (1.0, 0.1), (0.3, 1.0):
        bench.source.rate, bench.sink.rate = source, sink
        bench.send(-(-300 // (parameter("Labels") // parameter("Pe"))))
        await bench.finish()


@cocotb.test()
async def test_reset_in_the_middle(dut: Any) -> None:
    """A reset inside a frame: the next sum is of class 0 again."""
    bench = ScoresBench(dut)
    await bench.reset()
    for _ in range(5):
        bench.source.rate = 0.8
        bench.send(3)
        words = parameter("Labels") // parameter("Pe")
        await bench.cycles(bench.rng.randrange(1, 2 * words + 2))
        await bench.reset()
        bench.expected.clear()
        bench.send(3)
        await bench.finish()


@cocotb.test()
async def test_full_throughput(dut: Any) -> None:
    """A word a cycle, no bubble between frames."""
    bench = ScoresBench(dut)
    await bench.reset()
    bench.send(-(-300 // (parameter("Labels") // parameter("Pe"))))
    await bench.finish()
    words = len(bench.expected)
    assert bench.sink.cycles[-1] - bench.sink.cycles[0] == words - 1
