"""What the benches of buffers share: streams at both ends, draws, counts, the model beside them."""

from __future__ import annotations

from typing import Any

from tests.hw.benches.base import Bench, Sink, Source, equal, parameter
from tests.hw.benches.draws import DrawServer
from tests.hw.models import Buffer, Config, Counts

WITH_ERRORS = bool(parameter("WithErrors"))


class BufferBench(Bench):
    """A buffer that stores words of `width` bits; a bench's own `pass_on` says which ones."""

    count_ports: tuple[str, ...] = ("count_o",)

    def __init__(self, dut: Any, width: int) -> None:
        super().__init__(dut)
        self.source = Source(self, dut.in_data_i, dut.in_valid_i, dut.in_ready_o)
        self.sink = Sink(self, dut.out_data_o, dut.out_valid_o, dut.out_ready_i)
        self.model = Buffer(width, parameter("Depth"))
        self.server = DrawServer(self)
        self.forget()
        dut.mode_i.value = dut.restart_i.value = 0

    def forget(self) -> None:
        """Nothing has been written or counted."""
        self.expected: list[int] = []
        self.counts = Counts()
        self.stalls = 0

    def pass_on(self, word: int) -> int:
        """Has the model write a word of the bus; returns what is read of it."""
        raise NotImplementedError

    async def cycle(self, **inputs: int) -> None:
        """One cycle, with the module's increments and stalls added up."""
        await super().cycle(**inputs)
        self.counts.add(Counts.unpacked(int(self.dut.count_o.value)))
        if int(self.dut.stall_o.value):
            self.stalls += 1

    async def start(self) -> None:
        """Soft reset of module and model, which drops the count of a write right before it."""
        await self.reset(cycles=1)
        for port in self.count_ports:
            assert not int(getattr(self.dut, port).value), f"{port} counts during a reset"
        await self.reset()
        self.model.reset()
        self.forget()

    async def configure(self, config: Config) -> None:
        """A write to the configuration registers, which restarts the stream and no address."""
        self.server.rate = 0.0
        await self.cycle(mode_i=config.mode, restart_i=1)
        self.server.rate, self.server.config = 1.0, config
        await self.cycle(restart_i=0)
        # Without error makers the configuration is of no effect.
        self.model.stream.restart(config if WITH_ERRORS else Config())

    def send(self, words: int) -> None:
        """Queues random words and has the model write and read them."""
        for _ in range(words):
            word = self.rng.getrandbits(len(self.dut.in_data_i))
            self.source.queue.append(word)
            self.expected.append(self.pass_on(word))

    async def finish(self) -> None:
        """Waits for the words that were sent and compares words and counts."""
        await self.until(lambda: len(self.sink.words) >= len(self.expected), "the last word")
        await self.cycles(4)
        equal(self.sink.words, self.expected, "word")
        assert self.counts == (self.model.counts if WITH_ERRORS else Counts())
