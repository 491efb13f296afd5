"""xnor_popcount: agreeing bits of random words, two cycles later, also with pauses between."""

from __future__ import annotations

from collections import deque
from typing import Any

import cocotb

from tests.hw.benches.base import Bench, parameter

LATENCY = 2


async def check_random_words(dut: Any) -> None:
    """Random and nearly equal words; the enables follow them as binary_mvu drives them."""
    bench = Bench(dut, reset=None)
    width = parameter("Width")
    ones = (1 << width) - 1
    pipe: deque[int | None] = deque([None] * LATENCY)
    enabled = 0
    for _ in range(600):
        a = bench.rng.getrandbits(width)
        flips = bench.rng.choice([0, ones, 1 << bench.rng.randrange(width), None])
        if bench.rng.random() < 0.2:
            flips = ones >> bench.rng.randrange(width)  # a run of bits, for long carries
        b = bench.rng.getrandbits(width) if flips is None else a ^ flips
        valid = bench.rng.random() < 0.7
        await bench.cycle(a_i=a, b_i=b, en1_i=int(valid), en2_i=enabled)
        enabled = int(valid)
        expected = pipe.popleft()
        if expected is not None:
            assert int(dut.count_o.value) == expected
        pipe.append(width - (a ^ b).bit_count() if valid else None)


@cocotb.test()
async def test_random_words(dut: Any) -> None:
    """Random words with pauses."""
    await check_random_words(dut)
