"""error_write: stored word and counter increments of random writes equal the contract's table."""

from __future__ import annotations

import random
from typing import Any

import cocotb
from cocotb.triggers import Timer

from tests.hw.benches.base import parameter
from tests.hw.models import FLIP, OFF, SWITCH, write_word

UNUSED_MODE = 3


@cocotb.test()
async def test_random_writes(dut: Any) -> None:
    """All modes, with words of all densities; masked bits store 0 and count nothing."""
    rng = random.Random(cocotb.RANDOM_SEED)
    width = parameter("Width")
    ones = (1 << width) - 1

    def word() -> int:
        return rng.choice([0, ones, rng.getrandbits(width), rng.getrandbits(width)])

    for _ in range(1500):
        mode = rng.choice([OFF, FLIP, SWITCH, UNUSED_MODE])
        exist = rng.choice([width, rng.randint(1, width)])
        mask = (1 << exist) - 1
        old, target, hit1, hit0 = word() & mask, word(), word(), word()
        dut.mode_i.value, dut.mask_i.value, dut.old_i.value = mode, mask, old
        dut.target_i.value, dut.hit1_i.value, dut.hit0_i.value = target, hit1, hit0
        await Timer(1, "ns")
        stored, counts = write_word(mode, exist, old, target & mask, (hit1, hit0))
        assert int(dut.stored_o.value) == stored
        assert int(dut.count_o.value) == counts.packed(), f"{counts} for mode {mode}"
