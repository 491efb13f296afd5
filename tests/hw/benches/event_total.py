"""event_total: a snapshot is the count of one cycle, also where the lower half overflows."""

from __future__ import annotations

from typing import Any

import cocotb
from cocotb.triggers import FallingEdge

from tests.hw.benches.base import Bench
from tests.hw.models import MASK32


@cocotb.test()
async def test_snapshots(dut: Any) -> None:
    """Random events, snapshots at random moments and clears, near overflows and far from them."""
    bench = Bench(dut, reset=None)
    await bench.cycle(clear_i=1, event_i=0, snapshot_i=0)
    await bench.cycle(clear_i=0)
    overflows = 0
    for turn in range(60):
        total, shown = 0, 0
        if turn % 2:
            # Counting to there would take too long.
            total = bench.rng.getrandbits(32) << 32 | MASK32 - bench.rng.randrange(30)
            await FallingEdge(bench.clock)
            dut.low_q.value, dut.high_q.value = total & MASK32, total >> 32
        before = total
        for _ in range(bench.rng.randrange(5, 60)):
            event, snapshot = int(bench.rng.random() < 0.7), int(bench.rng.random() < 0.2)
            await bench.cycle(event_i=event, snapshot_i=snapshot)
            shown = total if snapshot else shown
            total += event
        await bench.cycle(event_i=0, snapshot_i=0)
        await bench.cycle()
        assert int(dut.shown_o.value) == shown
        overflows += total >> 32 != before >> 32
        await bench.cycle(clear_i=1, event_i=1, snapshot_i=bench.rng.randrange(2))
        await bench.cycle(clear_i=0, event_i=0, snapshot_i=0)
        assert int(dut.shown_o.value) == 0
        await bench.cycle(snapshot_i=1)
        await bench.cycle(snapshot_i=0)
        await bench.cycle()
        assert int(dut.shown_o.value) == 0, "counted during a clear"
    assert overflows > 5
