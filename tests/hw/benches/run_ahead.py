"""run_ahead: the hits of every word are the contract's, in whatever order the answers come."""

from __future__ import annotations

import math
from typing import Any

import cocotb

from tests.hw.benches.base import Bench, parameter
from tests.hw.benches.draws import DrawServer
from tests.hw.models import FLIP, SWITCH, Config, Stream

WIDTH, RUN_AHEAD, PORTS = parameter("Width"), parameter("RunAhead"), parameter("Ports")
# Blocks of a slot that each port asks for, and words of a slot.
SHARE = math.lcm(WIDTH, 8, 8 * PORTS if WIDTH // math.gcd(WIDTH, 8) % PORTS else 8) // 8 // PORTS
WORDS = SHARE * PORTS * 8 // WIDTH


class AheadBench(Bench):
    """The store, whose words are popped at some rate, and the engine beside it."""

    def __init__(self, dut: Any) -> None:
        super().__init__(dut)
        self.server = DrawServer(self)
        self.rate = 0.0
        self.words: list[tuple[int, int]] = []
        self.times: list[int] = []
        dut.enable_i.value = dut.restart_i.value = dut.pop_i.value = 0
        self.agents.append(self)

    def drive(self) -> None:
        """Words come from registers, so the one that is there may go in this cycle."""
        pop = bool(int(self.dut.valid_o.value)) and self.rng.random() < self.rate
        self.dut.pop_i.value = int(pop)
        if pop:
            self.words.append((int(self.dut.hit1_o.value), int(self.dut.hit0_o.value)))
            self.times.append(self.cycle_number)

    def sample(self) -> None:
        """All is seen in drive()."""

    def withdraw(self) -> None:
        """Pop nothing during a reset."""
        self.rate = 0.0
        self.dut.pop_i.value = 0

    async def restart(self, config: Config) -> Stream:
        """A write of the configuration, after which no draw of before it may come."""
        self.rate = 0.0
        rate, self.server.rate = self.server.rate, 0.0
        await self.cycle(enable_i=int(config.mode != 0), restart_i=1)
        self.server.config = config
        self.server.rate = rate
        await self.cycle(restart_i=0)
        return Stream(config)

    async def take(self, stream: Stream, words: int, rate: float) -> None:
        """Pops words at some rate and compares each with the model."""
        self.words.clear()
        self.rate = rate
        await self.until(lambda: len(self.words) >= words, f"{words} words", 20000)
        self.rate = 0.0
        for number, hits in enumerate(self.words):
            assert hits == stream.hits(WIDTH), f"hits of word {number}"


@cocotb.test()
async def test_hits(dut: Any) -> None:
    """Hits equal the model's over restarts at random moments, with random pops."""
    bench = AheadBench(dut)
    await bench.reset()
    for mode in FLIP, SWITCH, FLIP:
        for words in 3, 2 * RUN_AHEAD * WORDS + 5, 25:
            stream = await bench.restart(bench.random_config(mode))
            await bench.cycles(bench.rng.choice([0, bench.rng.randrange(60)]))
            bench.server.rate = bench.rng.choice([0.3, 1.0])
            await bench.take(stream, words, bench.rng.choice([0.3, 1.0]))
            await bench.take(stream, words, 0.7)


@cocotb.test()
async def test_restarts_in_a_row(dut: Any) -> None:
    """The words of a configuration are written one after the other, and off and on in between."""
    bench = AheadBench(dut)
    await bench.reset()
    for _ in range(12):
        for _ in range(3):
            await bench.restart(bench.random_config())
            await bench.cycles(bench.rng.randrange(8))
        await bench.take(await bench.restart(bench.random_config(FLIP)), 6, 1.0)


@cocotb.test()
async def test_reset_restarts(dut: Any) -> None:
    """A reset brings the stream back to its first position, and keeps no draw."""
    bench = AheadBench(dut)
    config = Config(FLIP, 0x4000_0000, 0xC000_0000, 0x1234_5678)
    dut.enable_i.value = 1
    bench.server.config = config
    for words in 5, 21, 2, 1:
        await bench.reset()
        await bench.take(Stream(config), words, 1.0)
        await bench.cycles(bench.rng.randrange(9))


@cocotb.test()
async def test_off_asks_for_nothing(dut: Any) -> None:
    """Not enabled, it asks for no draws, and no word comes."""
    bench = AheadBench(dut)
    await bench.reset()
    await bench.restart(Config())
    await bench.cycles(8 * RUN_AHEAD * SHARE)
    grants = bench.server.grants
    for _ in range(100):
        await bench.cycle()
        assert not int(dut.valid_o.value)
    assert bench.server.grants == grants


@cocotb.test()
async def test_ahead_and_throughput(dut: Any) -> None:
    """The header's latency; RunAhead slots and a word wait; then the engine is never left idle."""
    bench = AheadBench(dut)
    bench.server.latency = (5, 5)
    await bench.reset()
    await bench.restart(Config(FLIP, 1 << 30, 1 << 31, 99))
    before = bench.server.grants
    bench.rate = 1.0
    await bench.until(lambda: bench.server.grants > before, "the first request", 200)
    begin = bench.cycle_number
    await bench.until(lambda: bool(bench.times), "the first word", 20 + SHARE)
    assert bench.times[0] - begin == SHARE - 1 + 5 + 1
    bench.rate = 0.0
    await bench.cycles(RUN_AHEAD * SHARE + 20)
    waiting = len(bench.times)
    bench.server.rate = 0.0
    bench.rate = 1.0
    await bench.cycles(WORDS * RUN_AHEAD + 20)
    assert len(bench.times) - waiting in range(WORDS * RUN_AHEAD + 1 - WORDS, WORDS * RUN_AHEAD + 2)
    bench.server.rate = 1.0
    await bench.cycles(40 * SHARE)
    bench.times.clear()
    await bench.cycles(16 * SHARE * WORDS)
    assert len(bench.times) == 16 * WORDS * min(SHARE, WORDS), "words were late"
