"""draw_pipe: random seeds and blocks, one a cycle, with gaps, give the contract's words."""

from __future__ import annotations

from collections import deque
from typing import Any

import cocotb

from tests.hw.benches.base import Bench
from tests.hw.models import MASK32, word

LATENCY = 8


@cocotb.test()
async def test_random_blocks(dut: Any) -> None:
    """A block of any seed comes out LATENCY cycles later, whatever is before it and behind it."""
    bench = Bench(dut, reset=None)
    rng = bench.rng
    dut.valid_i.value = 0
    # Nothing is under way as configured.
    for _ in range(LATENCY + 1):
        await bench.cycle()
        assert not int(dut.valid_o.value)
    pipe: deque[tuple[int, int] | None] = deque([None] * LATENCY)
    seen = 0
    for number in range(2000):
        block = rng.choice([0, MASK32, number, rng.getrandbits(32)])
        seed = rng.choice([0, MASK32, 1 << rng.randrange(32), rng.getrandbits(32)])
        valid = rng.random() < (0.5 if number < 1000 else 0.98)
        await bench.cycle(seed_i=seed, block_i=block, valid_i=int(valid))
        pipe.append((seed, block) if valid else None)
        stages = sum(1 << i for i, entry in enumerate(reversed(pipe)) if entry)
        assert int(dut.valid_o.value) == stages, f"valid_o in cycle {number}"
        left = pipe.popleft()
        if left:
            assert int(dut.word0_o.value) == word(left[0], 2 * left[1])
            assert int(dut.word1_o.value) == word(left[0], 2 * left[1] + 1)
            seen += 1
    assert seen > 1000
