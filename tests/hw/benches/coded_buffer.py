"""coded_buffer: words come out as the code reads what the contract stores of them."""

from __future__ import annotations

from typing import Any

import cocotb

from tests.hw.benches.base import Bench, Sink, Source, equal, parameter
from tests.hw.benches.draws import DrawServer
from tests.hw.coded import coded, read, width
from tests.hw.models import FLIP, OFF, SWITCH, Buffer, Config, Counts

CODE = DATA, WORD = parameter("Data"), parameter("Word")
WORDS = -(-DATA // WORD)
WIDTH = width(*CODE)
WITH_ERRORS = bool(parameter("WithErrors"))


class CodedBench(Bench):
    """The module with a stream at both ends, its counts added up and the model beside it."""

    def __init__(self, dut: Any) -> None:
        super().__init__(dut)
        self.source = Source(self, dut.in_data_i, dut.in_valid_i, dut.in_ready_o)
        self.sink = Sink(self, dut.out_data_o, dut.out_valid_o, dut.out_ready_i)
        self.model = Buffer(WIDTH, parameter("Depth"))
        self.server = DrawServer(self)
        self.forget()
        dut.mode_i.value = dut.restart_i.value = 0

    def forget(self) -> None:
        """Nothing has been written or counted."""
        self.expected: list[int] = []
        self.counts, self.codes, self.expected_codes = Counts(), Counts(), Counts()

    async def cycle(self, **inputs: int) -> None:
        """One cycle, with the module's increments added up."""
        await super().cycle(**inputs)
        for total, port in (self.counts, "count_o"), (self.codes, "code_count_o"):
            count = int(getattr(self.dut, port).value)
            total.add(Counts(count >> 24, count >> 16 & 255, count >> 8 & 255, count & 255))

    async def start(self) -> None:
        """Soft reset of module and model."""
        await self.reset()
        self.model.reset()
        self.forget()

    async def configure(self, config: Config) -> None:
        """A write to the configuration registers, which restarts the stream."""
        self.server.rate = 0.0
        await self.cycle(mode_i=config.mode, restart_i=1)
        self.server.rate, self.server.config = 1.0, config
        await self.cycle(restart_i=0)
        self.model.stream.restart(config if WITH_ERRORS else Config())

    def send(self, words: int) -> None:
        """Queues random words and has the model write and read them."""
        for _ in range(words):
            word = self.rng.getrandbits(len(self.dut.in_data_i))
            self.source.queue.append(word)
            stored = self.model.write(coded(*CODE, word & ((1 << DATA) - 1)))
            data, corrected, detected = read(*CODE, stored)
            self.expected.append(data)
            self.expected_codes.add(Counts(WORDS, corrected.bit_count(), detected.bit_count()))

    async def finish(self) -> None:
        """Waits for the words that were sent and compares words and counts."""
        await self.until(lambda: len(self.sink.words) >= len(self.expected), "the last word")
        await self.cycles(4)
        equal(self.sink.words, self.expected, "word")
        assert self.codes == self.expected_codes
        assert self.counts == (self.model.counts if WITH_ERRORS else Counts())


@cocotb.test()
async def test_modes_and_timing(dut: Any) -> None:
    """All modes, at rates of a single error and of many, with every mix of source and sink."""
    bench = CodedBench(dut)
    await bench.start()
    for mode in OFF, FLIP, SWITCH, FLIP, OFF:
        for source, sink in (1.0, 1.0), (0.3, 0.9), (0.9, 0.3):
            rate = bench.rng.choice([1 << 28, 1 << 27, 1 << 30])
            await bench.configure(Config(mode, rate, rate // 2, bench.rng.getrandbits(32)))
            bench.source.rate, bench.sink.rate = source, sink
            bench.send(2 * parameter("Depth") + bench.rng.randrange(9))
            await bench.finish()


@cocotb.test()
async def test_reset_in_the_middle(dut: Any) -> None:
    """A reset with words under way forgets them, and what they would have counted."""
    bench = CodedBench(dut)
    await bench.start()
    for mode in SWITCH, FLIP, OFF, OFF, OFF:
        await bench.configure(Config(mode, 1 << 29, 1 << 29, bench.rng.getrandbits(32)))
        bench.source.rate = bench.sink.rate = 0.7
        bench.send(200)
        await bench.cycles(bench.rng.randrange(80, 150))
        await bench.until(lambda: bool(int(dut.out_valid_o.value)), "a word at the output")
        await bench.start()
        bench.send(2 * parameter("Depth") + 1)
        await bench.finish()


@cocotb.test()
async def test_full_throughput(dut: Any) -> None:
    """A word a cycle without errors, and as many as its stages hold wait for a reader."""
    bench = CodedBench(dut)
    await bench.start()
    bench.send(100)
    await bench.finish()
    times = bench.sink.cycles
    assert times[-1] - times[0] == 99, "a bubble"
    bench.sink.rate = 0.0
    bench.send(parameter("Depth") + 9)
    taken = bench.source.taken
    await bench.cycles(parameter("Depth") + 20)
    # One behind the encoder's register, two in the decoder.
    assert bench.source.taken == taken + parameter("Depth") + 3
    bench.sink.rate = 1.0
    await bench.finish()
