"""error_maker: the hits of every word are the contract's, at the rate that the lanes allow."""

from __future__ import annotations

from typing import Any

import cocotb

from tests.hw.benches.base import Bench, far_places, parameter
from tests.hw.models import ALWAYS, FLIP, OFF, SWITCH, Config, Stream

PIPE = 9


class MakerBench(Bench):
    """The error maker, whose words are popped at some rate and noted with their cycles."""

    def __init__(self, dut: Any) -> None:
        super().__init__(dut)
        self.width, self.run_ahead = parameter("Width"), parameter("RunAhead")
        lanes, interval = parameter("Lanes"), parameter("Interval")
        # Cycles from one word's draws to the next one's, and from a word's first draws to its last.
        self.word_cycles = self.width // lanes * interval
        self.last_draws = self.word_cycles - interval
        # A comparator takes both rates, and both draws of a block, where the interval allows it.
        self.compares = min(interval, 4 if lanes > 1 else 2)
        self.rate = 0.0
        self.words: list[tuple[int, int]] = []
        self.times: list[int] = []
        dut.cfg_i.value = dut.restart_i.value = dut.pop_i.value = 0
        self.agents.append(self)

    def drive(self) -> None:
        """Words come from registers, so the one that is there now may go in this cycle."""
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

    async def restart(self, config: Config, position: int = 0) -> Stream:
        """Programs the error maker as memory_regs does: the restart comes with the new values.

        Another position than the first is put into the register before it is looked at.
        """
        self.rate = 0.0
        await self.cycle(cfg_i=config.packed(), restart_i=1)
        await self.cycle(restart_i=0, pos_q=position)
        return Stream(config, position)

    async def take(self, stream: Stream, words: int, rate: float) -> None:
        """Pops words at some rate and compares each with the model."""
        self.words.clear()
        self.rate = rate
        await self.until(lambda: len(self.words) >= words, f"{words} words", 5000)
        self.rate = 0.0
        for number, hits in enumerate(self.words):
            assert hits == stream.hits(self.width), f"hits of word {number}"


@cocotb.test()
async def test_hits(dut: Any) -> None:
    """Hits equal the model's over restarts at random moments, with random pops."""
    bench = MakerBench(dut)
    await bench.reset()
    for mode in FLIP, SWITCH, FLIP:
        for words in 3, 40, 25:
            stream = await bench.restart(bench.random_config(mode))
            await bench.cycles(bench.rng.randrange(3 * PIPE))
            await bench.take(stream, words, bench.rng.choice([0.3, 1.0]))
            await bench.take(stream, words, 0.7)


@cocotb.test()
async def test_threshold_is_exact(dut: Any) -> None:
    """A draw does not err against itself, and errs against the next number."""
    bench = MakerBench(dut)
    await bench.reset()
    for seed in range(6):
        config = Config(FLIP, 0, 0, seed)
        stream = Stream(config)
        draws = [stream.draw() for _ in range(bench.width)]
        config.rate1 = bench.rng.choice(draws)
        config.rate0 = config.rate1 + 1
        await bench.take(await bench.restart(config), 2, 1.0)


@cocotb.test()
async def test_far_positions(dut: Any) -> None:
    """Where positions outgrow 32 bits and 33, and against a draw of all ones."""
    bench = MakerBench(dut)
    await bench.reset()
    for config, position in far_places(bench.rng, FLIP):
        for before in range(0, bench.width, 2):
            stream = await bench.restart(config, (position - before) % 2**33)
            await bench.take(stream, 2 + 8 // bench.width, 1.0)


@cocotb.test()
async def test_reset_restarts(dut: Any) -> None:
    """A reset brings the stream back to its first position and keeps the configuration."""
    bench = MakerBench(dut)
    config = Config(FLIP, 0x4000_0000, 0xC000_0000, 0x1234_5678)
    dut.cfg_i.value = config.packed()
    for words in 5, 21, 2:
        await bench.reset()
        await bench.take(Stream(config), words, 1.0)
        await bench.cycles(bench.rng.randrange(PIPE))


@cocotb.test()
async def test_off_draws_nothing(dut: Any) -> None:
    """With mode off no word ever comes."""
    bench = MakerBench(dut)
    await bench.reset()
    await bench.restart(Config(OFF, ALWAYS, ALWAYS, 7))
    for _ in range(10 * PIPE):
        await bench.cycle()
        assert not int(dut.valid_o.value)


@cocotb.test()
async def test_latency_and_throughput(dut: Any) -> None:
    """The latency of the header, RunAhead words ahead, then no cycle of the lanes unused."""
    bench = MakerBench(dut)
    await bench.reset()
    await bench.restart(Config(FLIP, 1 << 30, 1 << 31, 99))
    # The cycle that dropped restart_i is the first one in which a draw starts.
    begin = bench.cycle_number - 1
    bench.rate = 1.0
    await bench.until(lambda: bool(bench.times), "the first word", 200)
    assert bench.times[0] - begin == bench.last_draws + PIPE + bench.compares
    bench.rate = 0.0
    await bench.cycles((bench.run_ahead + 1) * bench.word_cycles + 2 * PIPE)
    bench.times.clear()
    bench.rate = 1.0
    await bench.cycles((bench.run_ahead + 100) * bench.word_cycles)
    ahead = bench.times[: bench.run_ahead]
    assert ahead[-1] - ahead[0] == bench.run_ahead - 1, "the run-ahead was not full after a pause"
    settled = bench.times[bench.run_ahead + 2 * PIPE :]
    assert len(settled) > 50
    assert settled[-1] - settled[0] == bench.word_cycles * (len(settled) - 1), "lanes were idle"
