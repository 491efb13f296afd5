"""memory_regs: random reads and writes of every memory's registers against plain dictionaries."""

from __future__ import annotations

import json
from typing import Any

import cocotb

from tests.hw.benches.base import Bench, parameter
from tests.hw.benches.memories import fields
from tests.hw.models import MASK32
from tests.hw.runner import REGS

MEMORY = json.loads((REGS / "regmap.json").read_text(encoding="utf-8"))["memory"]
OFFSETS = {name: register["offset"] for name, register in MEMORY["registers"].items()}
CONFIG = "MODE", "RATE1", "RATE0", "SEED"
COUNTERS = "WRITTEN", "SWITCHED", "ERR1", "ERR0"


READ, WRITE = 3, 2  # cycles from the request to the acknowledge of an access that needs not wait
PASSED = "RATE1", "RATE0", "SEED"  # from the highest bit of cfg_write_t on


class RegsBench(Bench):
    """The registers, their bus, counters that are shown at random moments, and dictionaries."""

    def __init__(self, dut: Any) -> None:
        super().__init__(dut)
        self.weights = parameter("NumWeights")
        self.memories = self.weights + parameter("NumBuffers")
        self.constants = {
            name: fields(parameter(name), self.memories) for name in ("Layer", "Width", "Depth")
        }
        self.config = [dict.fromkeys(CONFIG, 0) for _ in range(self.memories)]
        self.passed: list[dict[str, int]] = [{} for _ in range(self.memories)]  # to the engines
        self.idle = 1
        self.restarts = [0] * self.memories
        self.counters = [0] * (8 * self.memories)  # halves, as they are shown
        self.to_show = [*range(len(self.counters))]  # all once: nothing else makes them known
        self.show_rate = 0.0
        self.fresh = True  # since a reset nothing was accessed
        dut.req_i.value = dut.show_valid_i.value = 0
        self.agents.append(self)

    def drive(self) -> None:
        """Halves of counters come at random moments."""
        self.dut.idle_i.value = self.idle
        shows = bool(self.to_show) or self.rng.random() < self.show_rate
        self.dut.show_valid_i.value = int(shows)
        address = self.to_show.pop() if self.to_show else self.rng.randrange(len(self.counters))
        self.dut.show_addr_i.value = address
        self.dut.show_data_i.value = half = self.rng.getrandbits(32)
        if shows:
            self.counters[address] = half

    def sample(self) -> None:
        """Restarts are pulses: they are counted. What is passed on is kept, as engines do."""
        write = int(self.dut.cfg_write_o.value)
        for bit, name in enumerate(PASSED):
            if write >> 40 - bit & 1:
                memory = write >> 32 & 0x3F
                if memory < self.memories:
                    self.passed[memory][name] = write & MASK32
        restart = int(self.dut.restart_o.value)
        for memory in range(self.memories):
            self.restarts[memory] += restart >> memory & 1

    def withdraw(self) -> None:
        """A reset: nothing is under way between two accesses."""
        self.fresh = True

    async def access(self, address: int, data: int | None = None) -> int:
        """A read or, with data, a write, as the register block does it; the read data."""
        write = data is not None
        limit = 12 * self.memories + 20 if self.fresh or self.show_rate else 0
        await self.cycle(req_i=1, we_i=int(write), addr_i=address, wdata_i=data or 0)
        for _ in range(WRITE if write else READ):
            assert not self.acknowledged(), "acknowledged too early"
            await self.cycle(req_i=0)
        if limit:
            # The RAM is being cleared, or counters are shown.
            await self.until(self.acknowledged, "the acknowledge", limit)
            self.fresh = False
        assert bool(int(self.dut.wr_ack_o.value)) == write
        assert bool(int(self.dut.rd_ack_o.value)) != write
        self.refused = bool(int(self.dut.refused_o.value))
        value = int(self.dut.rdata_o.value)
        await self.cycle()
        assert not self.acknowledged()
        return value

    def acknowledged(self) -> bool:
        """Whether there is an acknowledge."""
        return bool(int(self.dut.wr_ack_o.value)) or bool(int(self.dut.rd_ack_o.value))

    def expected(self, memory: int, name: str) -> int:
        """What a register of an existing memory reads."""
        if name in self.config[memory]:
            return self.config[memory][name]
        if name == "INFO":
            return self.constants["Layer"][memory] << 8 | int(memory >= self.weights)
        if name in ("WIDTH", "DEPTH"):
            return self.constants[name.capitalize()][memory]
        what, half = name.split("_")
        return self.counters[8 * memory + 2 * COUNTERS.index(what) + (half == "HI")]

    async def compare(self) -> None:
        """Reads every register of every memory, and what lies beside them."""
        for memory in range(self.memories):
            for offset in range(0, MEMORY["stride"], 4):
                names = [name for name, place in OFFSETS.items() if place == offset]
                expected = self.expected(memory, names[0]) if names else 0
                found = await self.access(MEMORY["stride"] * memory + offset)
                assert found == expected, f"memory {memory} {names} reads {found:#x}"
            self.compare_config(memory)
        # The next one, the next one whose number needs another bit, the last one.
        beyond = {self.memories, 1 << (self.memories - 1).bit_length(), MEMORY["count"] - 1}
        for memory in beyond & {*range(self.memories, MEMORY["count"])}:
            for offset in OFFSETS.values():
                assert await self.access(MEMORY["stride"] * memory + offset) == 0

    def compare_config(self, memory: int) -> None:
        """Compares a memory's mode, and what was passed on of the rest."""
        config = self.config[memory]
        modes = int(self.dut.mode_o.value)
        assert modes >> 2 * memory & 3 == config["MODE"], f"mode of memory {memory}"
        assert self.passed[memory] == {name: config[name] for name in PASSED}, f"memory {memory}"

    async def write(self, memory: int, name: str, data: int) -> None:
        """Writes a register and keeps the dictionary; only configuration is writable, when idle."""
        exists = memory < self.memories
        taken = exists and name in CONFIG and bool(self.idle)
        before = sum(self.restarts)
        await self.access(MEMORY["stride"] * memory + OFFSETS[name], data)
        assert self.refused == (exists and name in CONFIG and not self.idle)
        assert sum(self.restarts) - before == int(taken), "restarts"
        if taken:
            self.config[memory][name] = data & (3 if name == "MODE" else MASK32)
            self.compare_config(memory)


@cocotb.test()
async def test_random_accesses(dut: Any) -> None:
    """Writes of all registers, idle and not, to memories that exist and not."""
    bench = RegsBench(dut)
    await bench.reset()
    await bench.until(lambda: not bench.to_show, "all counters to be shown")
    await bench.compare()
    for _ in range(3):
        for _ in range(150):
            bench.idle = int(bench.rng.random() < 0.7)
            beyond = range(bench.memories, MEMORY["count"])[:1]
            memory = bench.rng.choice([*range(bench.memories), *beyond, MEMORY["count"] - 1])
            name = bench.rng.choice(CONFIG * 4 + tuple(OFFSETS))
            bench.show_rate = bench.rng.choice([0.0, 0.7])
            restarts = list(bench.restarts)
            await bench.write(memory, name, bench.rng.getrandbits(32))
            others = [m for m in range(bench.memories) if m != memory]
            assert all(bench.restarts[m] == restarts[m] for m in others), "another one restarted"
        bench.show_rate = 0.0
        await bench.compare()


@cocotb.test()
async def test_reset(dut: Any) -> None:
    """After a reset all configuration is zero, also if it is looked at or written at once."""
    bench = RegsBench(dut)
    await bench.reset()
    for turn in range(4):
        for memory in range(bench.memories):
            for name in CONFIG:
                await bench.write(memory, name, bench.rng.getrandbits(32))
        await bench.reset()
        bench.config = [dict.fromkeys(CONFIG, 0) for _ in range(bench.memories)]
        last = bench.memories - 1
        if turn % 2:
            assert await bench.access(MEMORY["stride"] * last + OFFSETS["MODE"]) == 0
        await bench.write(last, "SEED", 0x12345678)
        assert await bench.access(MEMORY["stride"] * last + OFFSETS["RATE1"]) == 0
        await bench.compare()
