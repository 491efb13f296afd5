"""scratchpad, an example of a user's own design: random reads and writes of its RAM and FIFO.

What is stored, what is refused and what is counted is that of the model, whatever the pauses of
AXI-Lite, in all modes and across restarts of the streams.
"""

from __future__ import annotations

import random
from collections import deque
from typing import Any

import cocotb
from cocotb.clock import Clock
from cocotb.triggers import ClockCycles

from tests.hw.benches.axi import Registers
from tests.hw.models import ALWAYS, FLIP, OFF, SWITCH, Buffer, Config, Counts, Stream, write_word

WIDTH, WORDS, PLACES = 32, 256, 16
RAM, FIFO = 0, 1
RATES = (0, 1 << 20, 0x00FFFFFF, 0x10000000, 1 << 31, ALWAYS)


class Ram:
    """A RAM whose writes err."""

    def __init__(self) -> None:
        self.words = [0] * WORDS
        self.stream = Stream(Config())
        self.counts = Counts()

    def write(self, place: int, target: int) -> None:
        hits = self.stream.hits(WIDTH)
        stored, counts = write_word(self.stream.config.mode, WIDTH, self.words[place], target, hits)
        self.words[place] = stored
        self.counts.add(counts)


async def begin(dut: Any) -> Registers:
    """Clock and reset; the master of AXI-Lite."""
    rng = random.Random(cocotb.RANDOM_SEED)
    dut.aresetn.value = 0
    dut.s_axi_awprot.value = dut.s_axi_arprot.value = 0
    Clock(dut.aclk, 10, "ns").start(start_high=False)
    registers = Registers(dut, rng)
    await ClockCycles(dut.aclk, 20)
    dut.aresetn.value = 1
    await ClockCycles(dut.aclk, 2)
    return registers


async def configure(bus: Registers, memory: int, config: Config) -> None:
    """Program how a memory errs, mode last."""
    words = (config.mode, config.rate1, config.rate0, config.seed)
    for number in (3, 2, 1, 0):
        assert await bus.write_at(16 * memory + 4 * number, words[number])
    assert await bus.read_at(16 * memory) == config.mode


def chosen(rng: random.Random) -> Config:
    """A random configuration."""
    mode = rng.choice((OFF, FLIP, FLIP, SWITCH, SWITCH))
    return Config(mode, rng.choice(RATES), rng.choice(RATES), rng.getrandbits(32))


@cocotb.test()
async def memories_are_those_of_the_model(dut: Any) -> None:
    """Words, refusals and counts."""
    bus = await begin(dut)
    rng = bus.rng
    ram, fifo, waiting = Ram(), Buffer(WIDTH, PLACES), deque[int]()
    fifo.stream.restart(Config())
    for round_ in range(12):
        bus.pause(rng.choice((0.0, 0.3)))
        for memory, model in (RAM, ram), (FIFO, fifo):
            config = chosen(rng) if round_ else Config(FLIP, 1 << 31, 1 << 31, 7)
            await configure(bus, memory, config)
            model.stream.restart(config)
        for _ in range(60):
            word, place = rng.getrandbits(32), rng.randrange(0, WORDS, 8)
            kind = rng.randrange(4)
            if kind == 0:
                assert await bus.write_at(0x400 + 4 * place, word)
                ram.write(place, word)
            elif kind == 1:
                assert await bus.read_at(0x400 + 4 * place) == ram.words[place]
            elif kind == 2:
                fits = len(waiting) < PLACES
                assert await bus.write_at(0x030, word) == fits
                if fits:
                    waiting.append(fifo.write(word))
            else:
                assert await bus.read_at(0x030) == (waiting.popleft() if waiting else None)
        for memory, model in (RAM, ram), (FIFO, fifo):
            found = await bus.read_at(0x020 + 4 * memory)
            assert found == model.counts.err1 + model.counts.err0, memory
    assert ram.counts.err1 and fifo.counts.err0


@cocotb.test()
async def a_reset_keeps_the_words_of_the_ram(dut: Any) -> None:
    """Only its stream starts anew, and the FIFO is empty."""
    bus = await begin(dut)
    assert await bus.write_at(0x404, 0x12345678)
    assert await bus.write_at(0x030, 1)
    dut.aresetn.value = 0
    await ClockCycles(dut.aclk, 3)
    dut.aresetn.value = 1
    await ClockCycles(dut.aclk, 3)
    assert await bus.read_at(0x404) == 0x12345678
    assert await bus.read_at(0x030) is None


@cocotb.test()
async def other_accesses_are_refused(dut: Any) -> None:
    """What is nothing, what is read only, what is write only, and parts of words."""
    bus = await begin(dut)
    for address in (0x028, 0x034, 0x100, 0x800, 0xFFC):
        assert await bus.read_at(address) is None
        assert not await bus.write_at(address, 1)
    for address in (0x020, 0x024):
        assert not await bus.write_at(address, 1)
    for address in (0x004, 0x018, 0x01C):
        assert await bus.read_at(address) is None
    before = await bus.read_at(0x400)
    assert not await bus.write_at(0x400, 1, size=2)
    assert await bus.read_at(0x400) == before
