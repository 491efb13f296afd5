"""popcount_tree: the same bench as its twin for simulation, xnor_popcount."""

from __future__ import annotations

from typing import Any

import cocotb

from tests.hw.benches.xnor_popcount import check_random_words


@cocotb.test()
async def test_random_words(dut: Any) -> None:
    """Random words with pauses."""
    await check_random_words(dut)
