"""buffer_mem: every word comes out as the contract stores it, whatever the streams' timing."""

from __future__ import annotations

import math
from typing import Any

import cocotb

from tests.hw.benches.base import parameter
from tests.hw.benches.buffers import WITH_ERRORS, BufferBench
from tests.hw.models import FLIP, OFF, SWITCH, Config

WIDTH, PORTS = parameter("Width"), parameter("Ports")
# Blocks of a slot of draws that each port asks for, and words of a slot.
SHARE = math.lcm(WIDTH, 8, 8 * PORTS if WIDTH // math.gcd(WIDTH, 8) % PORTS else 8) // 8 // PORTS
SLOT_WORDS = SHARE * PORTS * 8 // WIDTH
WARM_UP = (parameter("RunAhead") + 1) * SHARE + 64  # in which the run-ahead fills


class MemBench(BufferBench):
    """The module, of which a word that waits for its draws, and no other one, is a stall."""

    def __init__(self, dut: Any) -> None:
        super().__init__(dut, WIDTH)

    def pass_on(self, word: int) -> int:
        """The model writes it; the padding of the bus is not looked at."""
        return self.model.write(word & ((1 << WIDTH) - 1))

    async def cycle(self, **inputs: int) -> None:
        """One cycle, in which a stall has its reason."""
        await super().cycle(**inputs)
        if int(self.dut.stall_o.value):
            assert int(self.dut.in_valid_i.value), "a stall without a word that waits"
            assert not int(self.dut.in_ready_o.value), "a stall while the word is taken"


@cocotb.test()
async def test_modes_and_timing(dut: Any) -> None:
    """All modes one after the other over several wraps, with every mix of source and sink rates."""
    bench = MemBench(dut)
    await bench.start()
    for mode in OFF, FLIP, SWITCH, SWITCH, FLIP, OFF:
        for source, sink in (1.0, 1.0), (0.3, 0.9), (0.9, 0.3):
            await bench.configure(bench.random_config(mode))
            bench.source.rate, bench.sink.rate = source, sink
            bench.send(2 * parameter("Depth") + bench.rng.randrange(9))
            await bench.finish()


@cocotb.test()
async def test_reset_in_the_middle(dut: Any) -> None:
    """A reset with words under way: first address, old values 0, stream and configuration anew."""
    bench = MemBench(dut)
    await bench.start()
    for mode in SWITCH, FLIP, SWITCH:
        await bench.configure(Config(mode, 3 << 30, 3 << 30, bench.rng.getrandbits(32)))
        bench.source.rate = bench.sink.rate = 0.7
        bench.send(3 * parameter("Depth"))
        await bench.cycles(bench.rng.randrange(20, 60))
        await bench.start()
        bench.send(2 * parameter("Depth") + 1)
        await bench.finish()


@cocotb.test()
async def test_backpressure_fills_it(dut: Any) -> None:
    """With nobody reading, exactly Depth words go in; afterwards the same words come out."""
    bench = MemBench(dut)
    await bench.start()
    await bench.configure(Config(FLIP, 1 << 31, 1 << 30, 5))
    bench.sink.rate = 0.0
    depth = parameter("Depth")
    bench.send(depth + 5)
    await bench.cycles(WARM_UP + (SHARE + 1) * depth)
    assert bench.source.taken == depth
    stalls = bench.stalls
    await bench.cycles(50)
    assert bench.stalls == stalls, "a full buffer counted as a stall"
    bench.sink.rate = 1.0
    await bench.finish()


@cocotb.test()
async def test_full_throughput(dut: Any) -> None:
    """Off: a word a cycle. With errors: as the draws come, stalls only while waiting for them."""
    bench = MemBench(dut)
    await bench.start()
    bench.server.latency = (5, 5)
    # As many words as are drawn ahead; where a word a cycle can be drawn, many.
    ahead = parameter("RunAhead") * SLOT_WORDS
    words = 200 if SHARE <= SLOT_WORDS or not WITH_ERRORS else ahead
    for config in Config(), Config(FLIP, 1 << 31, 1 << 31, 3), Config(SWITCH, 1 << 31, 1 << 31, 4):
        await bench.configure(config)
        await bench.cycles(WARM_UP)
        first = len(bench.sink.words)
        stalls = bench.stalls
        bench.send(words)
        await bench.finish()
        times = bench.sink.cycles[first:]
        assert times[-1] - times[0] == words - 1, "a bubble"
        assert bench.stalls == stalls, "a stall though draws were ahead"


@cocotb.test()
async def test_stalls(dut: Any) -> None:
    """Every cycle in which the next word waits for its draws is a stall, and no other one."""
    bench = MemBench(dut)
    await bench.start()
    if not WITH_ERRORS:
        return
    await bench.configure(Config(FLIP, 1 << 31, 1 << 31, 3))
    await bench.cycles(WARM_UP)
    bench.server.rate = 0.0
    words = (parameter("RunAhead") + 4) * SLOT_WORDS
    bench.send(words)
    await bench.cycles(words + 100)
    assert bench.source.taken in range(words - 4 * SLOT_WORDS - SLOT_WORDS, words)
    stalls = bench.stalls
    await bench.cycles(10)
    assert bench.stalls == stalls + 10
    bench.server.rate = 1.0
    await bench.finish()
    times = bench.sink.cycles
    assert bench.stalls == times[-1] - times[0] - (words - 1) > 100
