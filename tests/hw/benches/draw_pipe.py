"""draw_pipe: draws of random seeds and blocks, with gaps, equal the contract's function."""

from __future__ import annotations

from collections import deque
from typing import Any

import cocotb

from tests.hw.benches.base import Bench
from tests.hw.models import MASK32, draw

LATENCY = 8
# Published values keep the model honest: they were worked out apart from it, from docs/contracts.md.


@cocotb.test()
async def test_random_blocks(dut: Any) -> None:
    """Every valid block comes out LATENCY cycles later, both draws right, and nothing else does."""
    bench = Bench(dut)
    rng = bench.rng
    dut.valid_i.value = 0
    await bench.reset()
    pipe: deque[tuple[int, int] | None] = deque([None] * LATENCY)
    for number in range(600):
        await bench.edge()
        seed = rng.choice([0, MASK32, rng.getrandbits(32)])
        block = rng.choice([0, MASK32, number, rng.getrandbits(32)])
        valid = rng.random() < 0.7
        dut.seed_i.value, dut.block_i.value, dut.valid_i.value = seed, block, int(valid)
        await bench.cycle()
