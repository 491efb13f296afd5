"""secded_encode: the check bits of random words."""

from __future__ import annotations

import random
from typing import Any

import cocotb
from cocotb.triggers import Timer

from tests.hw.benches.base import parameter
from tests.hw.coded import coded

DATA = parameter("Data")


@cocotb.test()
async def test_random_words(dut: Any) -> None:
    """Each single bit, and words of all densities."""
    rng = random.Random(cocotb.RANDOM_SEED)
    words = [1 << bit for bit in range(DATA)] + [rng.getrandbits(DATA) for _ in range(300)]
    for word in (0, (1 << DATA) - 1, *words):
        dut.data_i.value = word
        await Timer(1, "ns")
        assert int(dut.check_o.value) == coded(DATA, parameter("Word"), word) >> DATA
