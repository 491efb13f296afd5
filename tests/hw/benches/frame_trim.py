"""frame_trim: the words of each frame in order without its padding, random timing, resets."""

from __future__ import annotations

from typing import Any

import cocotb

from tests.hw.benches.base import Bench, Sink, Source, equal, parameter

BEAT = 32


class TrimBench(Bench):
    """The module with a stream at both ends."""

    def __init__(self, dut: Any) -> None:
        super().__init__(dut)
        self.source = Source(self, dut.in_data_i, dut.in_valid_i, dut.in_ready_o)
        self.sink = Sink(self, dut.out_data_o, dut.out_valid_o, dut.out_ready_i)
        self.expected: list[int] = []

    def send(self, frames: int) -> None:
        """Queues some frames; what fills their last beat is noise."""
        bits, words = parameter("OutBits"), parameter("Words")
        for _ in range(frames):
            beats = [self.rng.getrandbits(BEAT) for _ in range(-(-words * bits // BEAT))]
            self.source.queue.extend(beats)
            frame = sum(beat << BEAT * number for number, beat in enumerate(beats))
            self.expected += [frame >> bits * word & (1 << bits) - 1 for word in range(words)]

    async def finish(self) -> None:
        """Waits for the words of all frames and compares them."""
        await self.until(lambda: len(self.sink.words) >= len(self.expected), "the last word")
        await self.cycles(8)
        equal(self.sink.words, self.expected, "word")


@cocotb.test()
async def test_random_timing(dut: Any) -> None:
    """Random valid and ready, with a reset inside a frame."""
    bench = TrimBench(dut)
    await bench.reset()
    for source, sink in (0.5, 0.5), (1.0, 0.2), (0.3, 1.0):
        bench.source.rate, bench.sink.rate = source, sink
        bench.send(20)
        await bench.finish()
        bench.send(4)
        await bench.cycles(bench.rng.randrange(3, 20))
        await bench.reset()
        bench.expected.clear()


@cocotb.test()
async def test_full_throughput(dut: Any) -> None:
    """A word in every cycle, the first one cycle after its beat came."""
    bench = TrimBench(dut)
    await bench.reset()
    bench.send(20)
    begin = bench.cycle_number
    await bench.finish()
    assert bench.sink.cycles == [begin + 1 + word for word in range(len(bench.expected))]
