"""weight_port: segments written with errors and read back, against models of weight memories."""

from __future__ import annotations

from typing import Any

import cocotb

from tests.hw.benches.base import Bench, parameter
from tests.hw.benches.draws import DrawServer
from tests.hw.benches.memories import COLUMN_WIDTH, WEIGHT_LATENCY, WeightMemories, fields
from tests.hw.models import FLIP, MASK32, OFF, SWITCH, Config, Counts, Weights

DRAWN = 22  # cycles from the first request for draws to the last draw's result
REFUSED = 3  # cycles from the request to the acknowledge, both counted


def access_cycles(model: Weights, segment: int, *, write: bool) -> int:
    """Cycles from the request of an access to its acknowledge, both counted."""
    columns = -(-model.width // COLUMN_WIDTH)
    spread = segment >= 2 * columns
    passes = -(-min(32, model.width - 32 * segment) // 8) if spread else 1
    fetched = 2 + (4 + WEIGHT_LATENCY) * passes
    if not write:
        return 2 + fetched - (0 if spread else 2 - segment % 2)
    if model.stream.config.mode != OFF:
        fetched = DRAWN + (fetched - 2 if spread else 0)
    return 2 + fetched + ((5 + WEIGHT_LATENCY) * passes if spread else 1)


class PortBench(Bench):
    """The port with its memories, and the model beside them."""

    def __init__(self, dut: Any) -> None:
        super().__init__(dut)
        count = parameter("NumWeights")
        self.widths = fields(parameter("Width"), count)
        self.bases = fields(parameter("Base"), count)
        depths = fields(parameter("Depth"), count)
        self.models = [Weights(w, d) for w, d in zip(self.widths, depths, strict=True)]
        self.memories = WeightMemories(self, self.widths, depths)
        self.counts = [Counts() for _ in self.models]
        self.idle = 1
        self.ready = 1.0  # chance that counts are taken, and that a configuration is there
        self.held: int | None = None  # counts that were taken, until others could be
        self.taken = False  # counts, in the cycle before; they are whole in this one
        self.index = 0  # of the memory that is accessed
        self.agents.append(self)  # before the engine, which it tells what memory asks
        self.server = DrawServer(self, latency=(13, 13))
        for name in "soft_reset_i", "req_i", "restart_i", "mode_i":
            getattr(dut, name).value = 0

    def drive(self) -> None:
        """The registers answer the memory's number, if it is wanted, sooner or later."""
        self.index = int(self.dut.index_o.value)
        # The number is noise until the first access, and of memories that there are not.
        known = self.index < len(self.models)
        config = self.models[self.index].stream.config if known else Config()
        self.dut.mode_i.value = config.mode
        self.server.config = config
        self.server.stream = self.index

    def sample(self) -> None:
        """Nothing: the registers see but the number."""

    def withdraw(self) -> None:
        """Nothing: the registers survive a reset here."""

    async def cycle(self, **inputs: int) -> None:
        """One cycle, with the increments added up."""
        ready = int(self.rng.random() < self.ready)
        await super().cycle(idle_i=self.idle, count_ready_i=ready, **inputs)
        if self.taken:
            word = self.held = int(self.dut.count_o.value)
            self.counts[self.index].add(
                Counts(word >> 24, word >> 16 & 255, word >> 8 & 255, word & 255)
            )
        if self.held is not None:
            assert int(self.dut.count_o.value) == self.held, "counts changed while being added"
            if ready:
                self.held = None
        self.taken = bool(int(self.dut.count_valid_o.value)) and bool(ready)

    async def access(self, address: int, data: int | None = None) -> tuple[bool, int, int]:
        """A read or, with data, a write, as axil_slave does it: error, read data, cycles taken."""
        cycles = 1
        await self.cycle(req_i=1, we_i=int(data is not None), addr_i=address, wdata_i=data or 0)
        while not int(self.dut.ack_o.value):
            assert cycles == 1 or int(self.dut.busy_o.value), "not busy with an access under way"
            assert cycles < 200, "no acknowledge"
            before = self.memories.writes
            await self.cycle(req_i=0)
            cycles += 1
        assert self.memories.writes == before, "acknowledged before the commit"
        result = bool(int(self.dut.err_o.value)), int(self.dut.rdata_o.value), cycles
        if self.rng.random() < 0.5:
            await self.cycle(req_i=0)
            assert not int(self.dut.busy_o.value)
        return result

    def address(self, memory: int, word: int, segment: int) -> int:
        """Where a segment is in the address space."""
        return self.bases[memory] + self.models[memory].stride * word + 4 * segment

    async def configure(self, configs: list[Config], restarted: int) -> None:
        """Programs the memories and restarts the streams of some."""
        await self.cycle(req_i=0, restart_i=restarted)
        await self.cycle(restart_i=0)
        for index, (model, config) in enumerate(zip(self.models, configs, strict=True)):
            model.stream.config = config
            if restarted >> index & 1:
                model.stream.restart()

    async def write_random(self, writes: int) -> None:
        """Writes random segments of random memories and checks how long each takes."""
        for _ in range(writes):
            memory = self.rng.randrange(len(self.models))
            model = self.models[memory]
            word, segment = self.rng.randrange(model.depth), self.rng.randrange(model.segments)
            data = self.rng.choice([0, MASK32, self.rng.getrandbits(32)])
            error, _, cycles = await self.access(self.address(memory, word, segment), data)
            assert not error
            expected = access_cycles(model, segment, write=True)
            assert cycles == expected or (self.ready < 1 and cycles > expected)
            model.write(word, segment, data)

    async def compare(self) -> None:
        """Reads everything back and compares contents and counts."""
        for memory, model in enumerate(self.models):
            held = {word: value for word, value in enumerate(model.words) if value}
            assert self.memories.words(memory) == held, f"contents of memory {memory}"
            # Of a deep memory only some are read.
            some = sorted({*held, 0, model.depth - 1})[-30:]
            for word in range(model.depth) if model.depth < 100 else some:
                for segment in range(model.segments):
                    error, data, cycles = await self.access(self.address(memory, word, segment))
                    assert not error and cycles == access_cycles(model, segment, write=False)
                    expected = model.read(word, segment)
                    assert data == expected, f"memory {memory} word {word} segment {segment}"
            assert self.counts[memory] == model.counts, f"counts of memory {memory}"


@cocotb.test()
async def test_writes_and_reads(dut: Any) -> None:
    """Interleaved writes to all memories, in every mode, with restarts of some streams."""
    bench = PortBench(dut)
    await bench.reset()
    for turn in range(6):
        bench.ready = 1.0 if turn % 2 else 0.3
        configs = [bench.random_config() for _ in bench.models]
        # A stream that is not restarted goes on with its new configuration.
        await bench.configure(configs, bench.rng.randrange(1 << len(configs)))
        await bench.write_random(25)
        bench.ready = 1.0
        await bench.compare()


@cocotb.test()
async def test_soft_reset(dut: Any) -> None:
    """A soft reset restarts all streams; contents stay."""
    bench = PortBench(dut)
    await bench.reset()
    config = Config(FLIP, 1 << 30, 3 << 30, 77)
    await bench.configure([config] * len(bench.models), (1 << len(bench.models)) - 1)
    for _ in range(3):
        await bench.write_random(9)
        await bench.cycle(req_i=0, soft_reset_i=1)
        await bench.cycle(soft_reset_i=0)
        for model in bench.models:
            model.stream.restart()
        await bench.compare()


@cocotb.test()
async def test_hard_reset(dut: Any) -> None:
    """A reset in the middle of a write: the port is free again, and streams start anew."""
    bench = PortBench(dut)
    await bench.reset()
    config = Config(SWITCH, 1 << 31, 1 << 31, 3)
    await bench.configure([config] * len(bench.models), (1 << len(bench.models)) - 1)
    await bench.write_random(5)
    for cycles in range(1, 20, 2):
        # Nothing is committed this early: the draws are still being made.
        await bench.cycle(req_i=1, we_i=1, addr_i=bench.address(0, 0, 0), wdata_i=5)
        for _ in range(cycles):
            await bench.cycle(req_i=0)
        await bench.reset(1)
        for model in bench.models:
            model.stream.restart()
        await bench.write_random(3)
    await bench.compare()


@cocotb.test()
async def test_refusals(dut: Any) -> None:
    """What is not allowed answers with an error, writes nothing and takes no draws."""
    bench = PortBench(dut)
    await bench.reset()
    config = Config(FLIP, 1 << 31, 1 << 31, 11)
    await bench.configure([config] * len(bench.models), (1 << len(bench.models)) - 1)
    await bench.write_random(10)
    outside = [bench.bases[0] - 4, (1 << len(dut.addr_i)) - 4]
    for memory, model in enumerate(bench.models):
        outside.append(bench.address(memory, model.depth, 0))
        holes = range(model.segments, model.stride // 4)
        outside += [bench.address(memory, model.depth - 1, segment) for segment in holes]
    before = bench.memories.writes
    for address in outside:
        for data in None, 0x1234:
            assert await bench.access(address, data) == (True, 0, REFUSED), f"{address:#x}"
    good = bench.address(0, 1, 0)
    bench.idle = 0
    for data in None, 0x1234:
        assert await bench.access(good, data) == (True, 0, REFUSED), "not idle"
    bench.idle = 1
    assert bench.memories.writes == before
    await bench.write_random(10)
    await bench.compare()
