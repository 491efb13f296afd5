"""xnor_popcount: agreeing bits of random words, some cycles later, also with pauses between."""

from __future__ import annotations

from collections import deque
from typing import Any

import cocotb

from tests.hw.benches.base import Bench, parameter
from tests.hw.models import popcount_stages


async def check_random_words(dut: Any) -> None:
    """Random and nearly equal words; the enables follow them as binary_mvu drives them."""
    bench = Bench(dut, reset=None)
    width = parameter("Width")
    ones = (1 << width) - 1
    stages = popcount_stages(width)
    assert len(dut.en_i) == stages
    pipe: deque[int | None] = deque([None] * stages)
    enabled = 0
    for _ in range(600):
        a = bench.rng.getrandbits(width)
        flips = bench.rng.choice([0, ones, 1 << bench.rng.randrange(width), None])
        if bench.rng.random() < 0.2:
            flips = ones >> bench.rng.randrange(width)  # a run of bits, for long carries
        b = bench.rng.getrandbits(width) if flips is None else a ^ flips
        valid = bench.rng.random() < 0.7
        enabled = (enabled << 1 | int(valid)) & (1 << stages) - 1
        await bench.cycle(a_i=a, b_i=b, en_i=enabled)
        expected = pipe.popleft()
        if expected is not None:
            assert int(dut.count_o.value) == expected
        pipe.append(width - (a ^ b).bit_count() if valid else None)


@cocotb.test()
async def test_random_words(dut: Any) -> None:
    """Random words with pauses."""
    await check_random_words(dut)
