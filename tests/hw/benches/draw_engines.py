"""draw_engines: each port has its blocks from its own engine, which no other port takes from."""

from __future__ import annotations

from typing import Any

import cocotb

from tests.hw.benches.draw_engine import ASKS, ENGINE, ENGINES, MEMORIES, EngineBench, ask_at_random
from tests.hw.benches.draws import ANSWER_WIDTH
from tests.hw.models import FLIP, Config


class EnginesBench(EngineBench):
    """Engines whose answers have a place for each that asks."""

    def answer(self, who: int) -> int:
        """The answer for one of those that ask."""
        if who < 0:
            return int(self.dut.weight_answer_o.value)
        return int(self.dut.answer_o.value) >> ANSWER_WIDTH * who & (1 << ANSWER_WIDTH) - 1


@cocotb.test()
async def test_answers(dut: Any) -> None:
    """Each port is answered by its own engine, whatever the others ask."""
    await ask_at_random(EnginesBench(dut), 12)


@cocotb.test()
async def test_throughput(dut: Any) -> None:
    """Each engine that is asked makes a block in every cycle but those of ties."""
    bench = EnginesBench(dut)
    for memory in range(MEMORIES):
        await bench.configure(memory, Config(FLIP, 1 << 31, 1 << 30, bench.rng.getrandbits(32)))
    bench.rates = [1.0] * MEMORIES
    await bench.cycles(300)
    await bench.drain()
    assert {ENGINE[ask] for ask in range(ASKS)} | {0} == set(range(ENGINES))
    assert bench.answers + bench.idle == 300 * ENGINES
    assert 0 <= bench.late - bench.idle < 5 * ENGINES  # ties of the last blocks
