"""memory_regs: random reads and writes of every memory's registers against plain dictionaries."""

from __future__ import annotations

import json
from typing import Any

import cocotb

from tests.hw.benches.base import Bench, parameter
from tests.hw.benches.memories import fields
from tests.hw.models import MASK32, Config
from tests.hw.runner import REGS

MEMORY = json.loads((REGS / "regmap.json").read_text(encoding="utf-8"))["memory"]
OFFSETS = {name: register["offset"] for name, register in MEMORY["registers"].items()}
CONFIG = "MODE", "RATE1", "RATE0", "SEED"
COUNTERS = "WRITTEN", "SWITCHED", "ERR1", "ERR0"


def counter(address: int) -> int:
    """Some 64-bit number for each counter."""
    return (address + 1) * 0x9E37_79B9_7F4A_7C15 & (1 << 64) - 1


class RegsBench(Bench):
    """The registers, their bus, the counters behind them and a dictionary beside them."""

    def __init__(self, dut: Any) -> None:
        super().__init__(dut)
        self.weights = parameter("NumWeights")
        self.memories = self.weights + parameter("NumBuffers")
        self.constants = {
            name: fields(parameter(name), self.memories) for name in ("Layer", "Width", "Depth")
        }
        self.config = [dict.fromkeys(CONFIG, 0) for _ in range(self.memories)]
        self.idle = 1
        self.restarts = [0] * self.memories
        self.fresh = True  # since a reset nothing was accessed
        dut.req_i.value = 0
        self.agents.append(self)

    def drive(self) -> None:
        """Counters are read combinationally."""
        self.dut.idle_i.value = self.idle
        address, upper = divmod(int(self.dut.counter_addr_o.value), 2)
        self.dut.counter_data_i.value = counter(address) >> 32 * upper & MASK32

    def sample(self) -> None:
        """Restarts are pulses: they are counted."""
        restart = int(self.dut.restart_o.value)
        for memory in range(self.memories):
            self.restarts[memory] += restart >> memory & 1

    def withdraw(self) -> None:
        """A reset: nothing is under way between two accesses."""
        self.fresh = True

    async def access(self, address: int, data: int | None = None) -> int:
        """A read or, with data, a write, as the register block does it; the read data."""
        write = data is not None
        # The counter's address follows the bus address, so its data takes part of a cycle more.
        await self.cycle(req_i=0, addr_i=address)
        await self.cycle(req_i=1, we_i=int(write), addr_i=address, wdata_i=data or 0)
        await self.cycle(req_i=0)
        if self.fresh:
            # The RAM is being cleared.
            await self.until(self.acknowledged, "the first acknowledge", 2 * self.memories)
            self.fresh = False
        assert bool(int(self.dut.wr_ack_o.value)) == write
        assert bool(int(self.dut.rd_ack_o.value)) != write
        self.refused = bool(int(self.dut.refused_o.value))
        value = int(self.dut.rdata_o.value)
        await self.cycle()
        assert not int(self.dut.wr_ack_o.value) and not int(self.dut.rd_ack_o.value)
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
        value = counter(4 * memory + COUNTERS.index(what))
        return value >> 32 if half == "HI" else value & MASK32

    async def compare(self) -> None:
        """Reads every register of every memory, and what lies beside them."""
        for memory in range(self.memories):
            for offset in range(0, MEMORY["stride"], 4):
                names = [name for name, place in OFFSETS.items() if place == offset]
                expected = self.expected(memory, names[0]) if names else 0
                found = await self.access(MEMORY["stride"] * memory + offset)
                assert found == expected, f"memory {memory} {names} reads {found:#x}"
            await self.compare_config(memory)
        for memory in {*range(self.memories, MEMORY["count"])} & {
            self.memories,
            MEMORY["count"] - 1,
        }:
            for offset in OFFSETS.values():
                assert await self.access(MEMORY["stride"] * memory + offset) == 0

    async def compare_config(self, memory: int) -> None:
        """Compares what one memory is given: a buffer always, weights while they are asked for."""
        if memory < self.weights:
            await self.cycle(index_i=memory)
            packed = int(self.dut.weight_cfg_o.value)
        else:
            packed = int(self.dut.buffer_cfg_o.value) >> 98 * (memory - self.weights)
            packed &= (1 << 98) - 1
        assert packed == Config(*self.config[memory].values()).packed(), f"memory {memory}"

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
            await self.compare_config(memory)


@cocotb.test()
async def test_random_accesses(dut: Any) -> None:
    """Writes of all registers, idle and not, to memories that exist and not."""
    bench = RegsBench(dut)
    await bench.reset()
    await bench.compare()
    for _ in range(3):
        for _ in range(150):
            bench.idle = int(bench.rng.random() < 0.7)
            beyond = range(bench.memories, MEMORY["count"])[:1]
            memory = bench.rng.choice([*range(bench.memories), *beyond, MEMORY["count"] - 1])
            name = bench.rng.choice(CONFIG * 4 + tuple(OFFSETS))
            restarts = list(bench.restarts)
            await bench.write(memory, name, bench.rng.getrandbits(32))
            others = [m for m in range(bench.memories) if m != memory]
            assert all(bench.restarts[m] == restarts[m] for m in others), "another one restarted"
        await bench.compare()


@cocotb.test()
async def test_reset(dut: Any) -> None:
    """After a reset all configuration is zero, also if it is looked at or written at once."""
    bench = RegsBench(dut)
    await bench.reset()
    for _ in range(3):
        for memory in range(bench.memories):
            for name in CONFIG:
                await bench.write(memory, name, bench.rng.getrandbits(32))
        await bench.reset()
        bench.config = [dict.fromkeys(CONFIG, 0) for _ in range(bench.memories)]
        last = bench.memories - 1
        await bench.write(last, "SEED", 0x12345678)
        assert await bench.access(MEMORY["stride"] * last + OFFSETS["RATE1"]) == 0
        await bench.compare()
