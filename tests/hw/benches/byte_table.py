"""byte_table: each byte becomes its code, for random words and timing."""

from __future__ import annotations

from typing import Any

import cocotb

from tests.hw.benches.base import Bench, Sink, Source, equal, parameter


class TableBench(Bench):
    """The module with a stream at both ends."""

    def __init__(self, dut: Any) -> None:
        super().__init__(dut)
        self.source = Source(self, dut.in_data_i, dut.in_valid_i, dut.in_ready_o)
        self.sink = Sink(self, dut.out_data_o, dut.out_valid_o, dut.out_ready_i)
        self.codes = parameter("Codes").to_bytes(256, "little")
        self.expected: list[int] = []

    def send(self, words: int) -> None:
        """Queues random words."""
        for _ in range(words):
            word = self.rng.randbytes(parameter("Pe"))
            self.source.queue.append(int.from_bytes(word, "little"))
            self.expected.append(int.from_bytes(word.translate(self.codes), "little"))

    async def finish(self) -> None:
        """Waits for the words that were sent and compares them."""
        await self.until(lambda: len(self.sink.words) >= len(self.expected), "the last word")
        await self.cycles(4)
        equal(self.sink.words, self.expected, "word")


@cocotb.test()
async def test_random_timing(dut: Any) -> None:
    """Random valid and ready, with a reset in the middle."""
    bench = TableBench(dut)
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
    """A word a cycle, and every byte in every place."""
    bench = TableBench(dut)
    await bench.reset()
    for byte in range(256):
        bench.source.queue.append(int.from_bytes(bytes([byte]) * parameter("Pe"), "little"))
        code = bytes([bench.codes[byte]])
        bench.expected.append(int.from_bytes(code * parameter("Pe"), "little"))
    await bench.finish()
    assert bench.sink.cycles[-1] - bench.sink.cycles[0] == 255
