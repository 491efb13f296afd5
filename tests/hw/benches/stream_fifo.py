"""stream_fifo: random pushes and pops against a deque, full, empty and reset in the middle."""

from __future__ import annotations

from collections import deque
from typing import Any

import cocotb

from tests.hw.benches.base import Bench, parameter


@cocotb.test()
async def test_random_traffic(dut: Any) -> None:
    """Words, validity and level are a queue's, whatever the mix of pushes and pops."""
    bench = Bench(dut)
    rng = bench.rng
    depth, width = parameter("Depth"), parameter("Width")
    levels = set()
    for push_rate, pop_rate in (0.9, 0.2), (0.2, 0.9), (1.0, 1.0), (0.5, 0.5):
        await bench.cycle(push_i=0, pop_i=0)
        await bench.reset()
        queue: deque[int] = deque()
        for _ in range(300):
            # The writer counts credits: a full FIFO takes a word only while it gives one.
            pop = bool(queue) and rng.random() < pop_rate
            push = (len(queue) < depth or pop) and rng.random() < push_rate
            word = rng.getrandbits(width)
            await bench.cycle(push_i=int(push), pop_i=int(pop), data_i=word)
            levels.add(len(queue))
            assert int(dut.level_o.value) == len(queue)
            assert bool(int(dut.valid_o.value)) == bool(queue)
            if queue:
                assert int(dut.data_o.value) == queue[0]
            if pop:
                queue.popleft()
            if push:
                queue.append(word)
    assert levels == set(range(depth + 1))
