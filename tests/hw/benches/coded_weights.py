"""coded_weights: reads at random, of words with errors; what comes, when, and what is counted."""

from __future__ import annotations

from collections import deque
from typing import Any

import cocotb

from tests.hw.benches.base import Bench, parameter
from tests.hw.coded import coded, read, width
from tests.hw.models import Counts

CODE = DATA, WORD = parameter("Data"), parameter("Word")
WEIGHT_LATENCY, DECODE_LATENCY = 3, 2  # spinflow_pkg


class WeightsBench(Bench):
    """The decoder behind a memory of random words."""

    def __init__(self, dut: Any) -> None:
        super().__init__(dut)
        self.memory: deque[int | None] = deque([None] * WEIGHT_LATENCY)
        self.due: deque[int | None] = deque([None] * DECODE_LATENCY)
        self.counts, self.expected = Counts(), Counts()
        dut.rd_en_i.value = 0

    def stored(self) -> int:
        """A word with some errors."""
        word = coded(*CODE, self.rng.getrandbits(DATA))
        for _ in range(self.rng.choice([0, 0, 1, 1, 2, 3])):
            word ^= 1 << self.rng.randrange(width(*CODE))
        return word

    async def step(self, rate: float) -> None:
        """A cycle in which a word is perhaps read, and its data, if there are some, compared."""
        taken = self.stored() if self.rng.random() < rate else None
        comes = self.memory.popleft()
        self.memory.append(taken)
        noise = self.stored() if comes is None else comes
        await self.cycle(rd_en_i=int(taken is not None), coded_i=noise)
        self.counts.add(Counts.unpacked(int(self.dut.count_o.value)))
        out = self.due.popleft()
        self.due.append(comes)
        if out is not None:
            data, corrected, detected = read(*CODE, out)
            assert int(self.dut.data_o.value) == data, f"of {out:#x}"
            words = -(-DATA // WORD)
            self.expected.add(Counts(words, corrected.bit_count(), detected.bit_count()))


@cocotb.test()
async def test_random_reads(dut: Any) -> None:
    """Some reads, then one in each cycle."""
    bench = WeightsBench(dut)
    await bench.reset()
    for rate in 0.3, 1.0, 0.7:
        for _ in range(300):
            await bench.step(rate)
    for _ in range(8):
        await bench.step(0.0)
    assert bench.counts == bench.expected
    assert bench.counts.switched and bench.counts.err1


@cocotb.test()
async def test_reset(dut: Any) -> None:
    """A reset forgets reads under way: nothing is counted."""
    bench = WeightsBench(dut)
    await bench.reset()
    for _ in range(20):
        await bench.step(1.0)
    await bench.step(0.0)
    await bench.reset(cycles=1)
    assert not int(dut.count_o.value), "a count during a reset"
    for _ in range(8):
        await bench.cycle(rd_en_i=0)
        assert not int(dut.count_o.value)
