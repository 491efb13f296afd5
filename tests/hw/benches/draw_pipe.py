"""draw_pipe: random seeds and blocks, with gaps and a reset, give the contract's draws."""

from __future__ import annotations

from collections import deque
from typing import Any

import cocotb

from tests.hw.benches.base import Bench
from tests.hw.models import MASK32, draw

LATENCY = 8


@cocotb.test()
async def test_random_blocks(dut: Any) -> None:
    """A block comes out LATENCY cycles later with both its draws; a reset empties the pipe."""
    bench = Bench(dut)
    rng = bench.rng
    dut.valid_i.value = 0
    await bench.reset()
    pipe: deque[tuple[int, int] | None] = deque([None] * LATENCY)
    valid_seen = 0
    for number in range(800):
        seed = rng.choice([0, MASK32, rng.getrandbits(32)])
        block = rng.choice([0, MASK32, number, rng.getrandbits(32)])
        valid = rng.random() < 0.7
        seed_in, block_in = seed, block
        await bench.cycle(seed_i=seed, block_i=block, valid_i=int(valid))
        pipe.append((seed, block) if valid else None)
        expected = pipe.popleft()
        assert bool(int(dut.valid_o.value)) == (expected is not None), f"valid_o in cycle {number}"
        if expected is not None:
            seed, block = expected
            assert int(dut.draw0_o.value) == draw(seed, 2 * block)
            assert int(dut.draw1_o.value) == draw(seed, 2 * block + 1)
            valid_seen += 1
        if number == 400:
            await bench.reset()
            # The first edge after the reset takes the inputs that are still there.
            pipe = deque([None] * (LATENCY - 1))
            pipe.append((seed_in, block_in) if valid else None)
    assert valid_seen > 400
