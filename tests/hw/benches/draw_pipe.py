"""draw_pipe: random seeds and blocks, with gaps and resets, give the contract's draws."""

from __future__ import annotations

from collections import deque
from typing import Any

import cocotb

from tests.hw.benches.base import Bench, parameter
from tests.hw.models import MASK32, draw

LATENCY = 9


@cocotb.test()
async def test_random_blocks(dut: Any) -> None:
    """A block comes out LATENCY cycles later and stays for Interval; a reset empties the pipe."""
    bench = Bench(dut)
    rng = bench.rng
    interval = parameter("Interval")
    dut.valid_i.value = 0
    await bench.reset()
    pipe: deque[int | None] = deque([None] * LATENCY)
    shown: int | None = None
    valid_seen = 0
    seed = rng.getrandbits(32)
    for number in range(800 * interval):
        block = rng.choice([0, MASK32, number, rng.getrandbits(32)])
        # Outside of phase 0 nobody looks at valid_i.
        valid = rng.random() < 0.7
        enters = valid and number % interval == 0
        await bench.cycle(seed_i=seed, block_i=block, valid_i=int(valid),
                          phase_i=number % interval)  # fmt: skip
        pipe.append(block if enters else None)
        left = pipe.popleft()
        if left is not None or number % interval == LATENCY % interval:
            shown = left
        assert bool(int(dut.valid_o.value)) == (shown is not None), f"valid_o in cycle {number}"
        if shown is not None:
            assert int(dut.draw0_o.value) == draw(seed, 2 * shown)
            assert int(dut.draw1_o.value) == draw(seed, 2 * shown + 1)
            valid_seen += 1
        if number % (100 * interval) == 0:
            # Another seed, which no block may see that is under way.
            seed = rng.choice([0, MASK32, rng.getrandbits(32)])
            await bench.cycle(valid_i=0, phase_i=1 % interval)
            await bench.reset()
            pipe = deque([None] * LATENCY)
            shown = None
    assert valid_seen > 400 * interval
