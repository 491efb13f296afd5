"""draw_engine: each block that is granted is answered once, to whom it is for, with its hits."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cocotb

from tests.hw.benches.base import Bench, far_blocks, parameter
from tests.hw.benches.draws import REQUEST_WIDTH, TAG_WIDTH, request
from tests.hw.benches.memories import fields
from tests.hw.models import ALWAYS, FLIP, Config, block_hits, draw, lead

WEIGHTS, MEMORIES, ASKS = parameter("NumWeights"), parameter("NumMems"), parameter("NumAsks")
MEMORY = fields(parameter("Memory"), ASKS)  # of each that asks
ENGINES = parameter("NumEngines", 1)
ENGINE = fields(parameter("Engine", 0), ASKS)  # of each that asks; the weights ask the first one
LATENCY = 13  # cycles from that of the grant to that of the answer
LAP = 12  # and more for each pair of draws with a tie
BLOCKS = 2**31


@dataclass
class Ask:
    """What was granted."""

    memory: int
    who: int
    block: int
    cycle: int


class EngineBench(Bench):
    """The engine, or several, who ask them, and where the streams of each are."""

    def __init__(self, dut: Any) -> None:
        super().__init__(dut, reset=None)
        self.configs = [Config(FLIP) for _ in range(MEMORIES)]
        self.blocks = [[0] * MEMORIES for _ in range(ENGINES)]
        self.first = [[True] * MEMORIES for _ in range(ENGINES)]
        self.rates = [0.0] * MEMORIES  # chance of a request
        self.weight = 0  # the weight memory that asks
        self.asked: dict[int, tuple[int, int, int, int]] = {}  # who: first, start, advance, tag
        self.under_way: dict[int, Ask] = {}  # by tag
        self.tag = 0
        self.answers = self.late = 0
        self.idle = 0  # cycles of an engine without a grant though somebody asked
        dut.cfg_write_i.value = dut.weight_request_i.value = dut.request_i.value = 0
        self.agents.append(self)

    def drive(self) -> None:
        """Ask, each time with a tag of its own. Requests may be withdrawn."""
        if not self.under_way and not self.asked:
            self.weight = self.rng.randrange(WEIGHTS)
        self.asked = {}
        packed = 0
        for ask, memory in ((-1, self.weight), *enumerate(MEMORY)):
            self.tag = (self.tag + 1) % (1 << TAG_WIDTH)
            valid = int(self.rng.random() < self.rates[memory])
            first, start = int(self.first[engine_of(ask)][memory]), self.rng.randrange(8)
            advance = self.rng.choice([0, 1, 1, 1, 2, 7])
            if valid:
                self.asked[ask] = first, start, advance, self.tag
            value = request(self.tag, first=first, start=start, advance=advance, valid=valid)
            if ask < 0:
                self.dut.weight_request_i.value = value
            else:
                packed |= value << REQUEST_WIDTH * ask
        self.dut.weight_index_i.value = self.weight
        self.dut.request_i.value = packed

    def sample(self) -> None:
        """See what is granted, and look at the answers."""
        for engine in range(ENGINES):
            self.see_grant(engine)
        for who in range(-1, ASKS):
            if self.answered(who):
                self.see_answer(who)

    def see_grant(self, engine: int) -> None:
        """Of those that ask an engine the last one may be granted."""
        every = int(self.dut.grant_o.value) << 1 | int(self.dut.weight_grant_o.value)
        granted = [w for w in range(-1, ASKS) if engine_of(w) == engine and every >> w + 1 & 1]
        asked = [who for who in self.asked if engine_of(who) == engine]
        assert len(granted) <= 1, "two grants in a cycle"
        self.idle += bool(asked) and not granted
        if not granted:
            return
        who = granted[0]
        assert who == max(asked), "not the one of the highest number"
        memory = self.weight if who < 0 else MEMORY[who]
        first, start, advance, tag = self.asked[who]
        block = start if first else self.blocks[engine][memory]
        self.under_way[tag] = Ask(memory, who, block, self.cycle_number)
        self.blocks[engine][memory] = (block + advance) % BLOCKS
        self.first[engine][memory] = False

    def answered(self, who: int) -> bool:
        """Whether there is an answer for one of those that ask; the weights have -1."""
        valid = int(self.dut.valid_o.value) << 1 | int(self.dut.weight_valid_o.value)
        return bool(valid >> who + 1 & 1)

    def answer(self, _who: int) -> int:
        """The answer for one of those that ask."""
        return int(self.dut.answer_o.value)

    def see_answer(self, who: int) -> None:
        """It is of what was granted, and comes when it must."""
        answer = self.answer(who)
        ask = self.under_way.pop(answer >> 16)
        assert ask.who == who, f"answer to {who} instead of {ask.who}"
        config = self.configs[ask.memory]
        found = answer >> 8 & 255, answer & 255
        assert found == block_hits(config, ask.block), f"block {ask.block:#x} of {config}"
        laps = len({i // 2 for i in range(8) if tie(config, 8 * ask.block + i)})
        assert self.cycle_number - ask.cycle == LATENCY + LAP * laps, f"{laps} pairs with ties"
        self.answers += 1
        self.late += laps

    def withdraw(self) -> None:
        """There is no reset."""

    async def drain(self) -> None:
        """Let all answers come."""
        self.rates = [0.0] * MEMORIES
        await self.until(lambda: not self.under_way, "the last answer", 200)

    async def configure(self, memory: int, config: Config) -> None:
        """Write a memory's words, one after the other, with nothing under way."""
        for bit, value in (2, config.rate1), (1, config.rate0), (0, config.seed):
            await self.cycle(cfg_write_i=1 << bit + 38 | memory << 32 | value)
        await self.cycle(cfg_write_i=0)
        self.configs[memory] = config

    def start_anew(self, memory: int) -> None:
        """Let what is asked for next be the beginning of a memory's stream."""
        for first in self.first:
            first[memory] = True

    async def place(self, memory: int, block: int) -> None:
        """Put a memory's stream at a block."""
        await self.clock.falling_edge
        self.dut.place[memory].value = block
        await self.cycle()
        self.blocks[0][memory], self.first[0][memory] = block, False


def engine_of(who: int) -> int:
    """The engine that one of those that ask has its draws from."""
    return ENGINE[who] if who >= 0 else 0


def tie(config: Config, position: int) -> bool:
    """Whether the lead of a draw does not decide."""
    return lead(config.seed, position) in (config.rate1 >> 24, config.rate0 >> 24)


def tie_config(bench: Bench) -> Config:
    """A way to err on whose rates the first draws of its stream come very close."""
    seed = bench.rng.getrandbits(32)
    near = [draw(seed, position) + bench.rng.randint(0, 1) for position in range(16)]
    edges = [0, 1, ALWAYS, ALWAYS - 1, 0xFF00_0000, 0xFFFFFF, 1 << 24, *near]
    edges += [(1 << 31) + bench.rng.randint(-1, 1)]
    rate1, rate0 = (min(bench.rng.choice(edges), ALWAYS) for _ in range(2))
    return Config(FLIP, rate1, rate0, seed)


async def ask_at_random(bench: EngineBench, turns: int) -> None:
    """All memories at once at random rates, with ties on purpose, and streams that start anew."""
    for turn in range(turns):
        for memory in range(MEMORIES):
            if turn % 2 == 0 or bench.rng.random() < 0.5:
                await bench.configure(memory, tie_config(bench))
                bench.start_anew(memory)
        bench.rates = [bench.rng.choice([0.0, 0.1, 0.5, 1.0]) for _ in range(MEMORIES)]
        await bench.cycles(60)
        await bench.drain()
    assert bench.answers > 250 and bench.late > 20
    assert bench.idle <= bench.late, "nobody waits but for ties"


@cocotb.test()
async def test_answers(dut: Any) -> None:
    """Each block that is granted is answered as it must be, and nobody waits for long."""
    await ask_at_random(EngineBench(dut), 16)


@cocotb.test()
async def test_ties_of_a_block(dut: Any) -> None:
    """Blocks of which several pairs tie go round once for each."""
    bench = EngineBench(dut)
    most = 0
    while most < 2:
        config = Config(FLIP, 0, 0, bench.rng.getrandbits(32))
        leads = [lead(config.seed, position) for position in range(8)]
        config.rate1 = leads[0] << 24 | bench.rng.getrandbits(24)
        config.rate0 = leads[7] << 24 | bench.rng.getrandbits(24)
        most = len({i // 2 for i in range(8) if tie(config, i)})
        for memory in range(MEMORIES):
            await bench.configure(memory, config)
            bench.start_anew(memory)
        bench.rates = [0.3] * MEMORIES
        await bench.cycles(8)
        await bench.drain()


@cocotb.test()
async def test_far_positions(dut: Any) -> None:
    """Where blocks outgrow their bits, and against a draw of all ones."""
    bench = EngineBench(dut)
    for config, block in far_blocks(bench.rng, FLIP):
        for memory in range(MEMORIES):
            await bench.configure(memory, config)
            await bench.place(memory, block)
        bench.rates = [0.5] * MEMORIES
        await bench.cycles(20)
        await bench.drain()


@cocotb.test()
async def test_throughput(dut: Any) -> None:
    """One that always asks gets a block in every cycle but those of ties."""
    bench = EngineBench(dut)
    for memory in range(MEMORIES):
        await bench.configure(memory, Config(FLIP, 1 << 31, 1 << 30, bench.rng.getrandbits(32)))
    bench.rates = [1.0] * MEMORIES
    await bench.cycles(500)
    await bench.drain()
    assert bench.answers + bench.idle == 500
    assert bench.idle == bench.late > 0 or bench.late - bench.idle < 5  # ties of the last blocks
