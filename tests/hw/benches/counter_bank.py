"""counter_bank: snapshots and clears at random moments under traffic lose and repeat nothing."""

from __future__ import annotations

from typing import Any

import cocotb
from cocotb.triggers import FallingEdge

from tests.hw.benches.base import Bench, parameter
from tests.hw.benches.memories import fields
from tests.hw.models import MASK32

CYCLES = 2  # that a counter is visited for, as many as it has halves


class CounterBench(Bench):
    """The bank with random increments; `totals[c]` is what came in before cycle c.

    Buffers count in any cycle, or else weight memories as often as the bank takes it.
    """

    def __init__(self, dut: Any) -> None:
        super().__init__(dut)
        self.weights = parameter("NumWeights")
        self.widths = fields(parameter("BufferWidth"), parameter("NumBuffers"))
        self.counters = 4 * (self.weights + len(self.widths))
        self.density = 1.0
        self.weight_density = 0.0
        self.totals: list[list[int]] = [[0] * self.counters]
        self.weight_writes = 0
        self.weight_held = False  # counts that were taken stay at the input
        self.largest = False  # increments of buffers
        dut.clear_i.value = dut.snapshot_i.value = dut.weight_valid_i.value = 0
        dut.buffer_count_i.value = 0
        self.agents.append(self)

    def increments(self, width: int, density: float) -> list[int]:
        """What the write of a word, if any, adds to its memory's four counters."""
        if self.rng.random() >= density:
            return [0] * 4
        return [width, *(self.rng.choice([width, self.rng.randint(0, width)]) for _ in range(3))]

    def drive(self) -> None:
        """Increments, of which a good part are the largest that are allowed."""
        added = [0] * (4 * self.weights)
        valid = self.rng.random() < self.weight_density
        index = self.rng.randrange(self.weights)
        self.dut.weight_valid_i.value = int(valid)
        self.dut.weight_index_i.value = index
        if int(self.dut.weight_ready_o.value) or not self.weight_held:
            # What was taken has been added.
            counts = self.increments(32, 1.0)
            self.dut.weight_count_i.value = packed(counts)
            self.weight_held = False
        if valid and int(self.dut.weight_ready_o.value):
            added[4 * index : 4 * index + 4] = counts
            self.weight_writes += 1
            self.weight_held = True
        buffers = 0
        for number, width in enumerate(self.widths):
            counts = [width] * 4 if self.largest else self.increments(width, self.density)
            added += counts
            buffers |= packed(counts) << 32 * number
        self.dut.buffer_count_i.value = buffers
        self.totals.append([a + b for a, b in zip(self.totals[-1], added, strict=True)])

    def sample(self) -> None:
        """Increments are noted when they are driven."""

    def withdraw(self) -> None:
        """Nothing is under way between two cycles."""

    async def cycle(self, **inputs: int) -> None:
        """One cycle, without a command unless there is one."""
        await super().cycle(**{"clear_i": 0, "snapshot_i": 0, **inputs})

    def traffic(self, *, weights: bool) -> None:
        """Lets buffers count or, as often as they are taken, weight memories."""
        self.density = 0.0 if weights else self.rng.choice([1.0, 0.3])
        self.weight_density = self.rng.choice([1.0, 0.1]) if weights else 0.0

    def silence(self) -> None:
        """Lets nobody count."""
        self.density = self.weight_density = 0.0

    async def command(self, **inputs: int) -> range:
        """Gives a command and waits for it; the cycles in which it may have taken effect."""
        first = len(self.totals) - 1
        await self.cycle(**inputs)
        await self.cycle()
        passes = 2 if len(inputs) > 1 else 1
        # The counts of a weight memory go first.
        limit = (passes + 1) * CYCLES * self.counters + CYCLES * 6
        await self.until(lambda: not int(self.dut.busy_o.value), "the pass to end", limit)
        return range(first, len(self.totals))

    async def read(self) -> list[int]:
        """All counters as they are shown."""
        shown = []
        for counter in range(self.counters):
            value = 0
            for half in range(CYCLES):
                await self.cycle(read_addr_i=CYCLES * counter + half)
                value |= int(self.dut.read_data_o.value) << 32 * half
            shown.append(value)
        return shown

    async def start(self) -> None:
        """Reset, which clears too."""
        await self.reset()
        self.totals = [[0] * self.counters]
        self.silence()
        await self.cycle()
        await self.until(lambda: not int(self.dut.busy_o.value), "the clear to end", 500)
        assert await self.read() == [0] * self.counters
        self.traffic(weights=False)


def packed(counts: list[int]) -> int:
    """Four increments as count_t, of which the first one is the highest byte."""
    return sum(count << 8 * (3 - place) for place, count in enumerate(counts))


def moments(bench: CounterBench, counter: int, value: int, window: range) -> set[int]:
    """The cycles of the window at which a counter stood at this value."""
    return {cycle for cycle in window if bench.totals[cycle][counter] == value}


@cocotb.test()
async def test_snapshots(dut: Any) -> None:
    """Each counter is shown as it stood at one moment of its snapshot."""
    bench = CounterBench(dut)
    await bench.start()
    for turn in range(14):
        bench.traffic(weights=turn % 2 == 1)
        await bench.cycles(bench.rng.randrange(3 * bench.counters))
        before = len(bench.totals)
        window = await bench.command(snapshot_i=1)
        assert window.stop > before
        shown = await bench.read()
        for counter, value in enumerate(shown):
            assert moments(bench, counter, value, window), f"counter {counter} shows {value}"
    bench.silence()
    await bench.command(snapshot_i=1)
    assert await bench.read() == bench.totals[-1], "the final totals"
    assert bench.weight_writes > 5


@cocotb.test()
async def test_clears(dut: Any) -> None:
    """All counters restart at one moment of the clear, and lose nothing that comes after it."""
    bench = CounterBench(dut)
    await bench.start()
    for turn in range(14):
        bench.traffic(weights=turn % 2 == 1)
        await bench.cycles(bench.rng.randrange(2 * bench.counters))
        if bench.rng.random() < 0.5:
            # A snapshot under way is finished first.
            await bench.cycle(snapshot_i=1)
            await bench.cycles(bench.rng.randrange(CYCLES * bench.counters))
        window = await bench.command(clear_i=1)
        await bench.cycles(bench.rng.randrange(2 * bench.counters))
        bench.silence()
        await bench.command(snapshot_i=1)
        shown = await bench.read()
        restart = set(window)
        for counter, value in enumerate(shown):
            restart &= moments(bench, counter, bench.totals[-1][counter] - value, window)
        assert restart, "no single moment explains what the counters show"


@cocotb.test()
async def test_clear_with_snapshot(dut: Any) -> None:
    """Both at once: afterwards nothing of before is left in what is read."""
    bench = CounterBench(dut)
    await bench.start()
    await bench.cycles(70)
    bench.silence()
    await bench.cycles(3)
    await bench.command(clear_i=1, snapshot_i=1)
    assert await bench.read() == [0] * bench.counters


@cocotb.test()
async def test_no_overflow(dut: Any) -> None:
    """Counters that wait longest, nearly two passes, still hold the largest increments."""
    bench = CounterBench(dut)
    await bench.start()
    bench.silence()
    # A snapshot that interrupts a pass right before its end makes the last counter wait for another
    # whole one; where in the pass the bench stands is not visible, so all delays are tried.
    for delay in range(0, CYCLES * bench.counters, CYCLES):
        await bench.command(clear_i=1)
        before = bench.totals[-1]
        bench.largest = True
        for cycle in range(delay + 3 * CYCLES * bench.counters):
            await bench.cycle(snapshot_i=int(cycle == delay))
        bench.largest = False
        await bench.command(snapshot_i=1)
        expected = [a - b for a, b in zip(bench.totals[-1], before, strict=True)]
        assert await bench.read() == expected, f"snapshot after {delay} cycles"


@cocotb.test()
async def test_carry(dut: Any) -> None:
    """Totals go on beyond 32 bits; they are put close to that, for it takes long to count."""
    bench = CounterBench(dut)
    await bench.start()
    bench.silence()
    await bench.cycles(2)
    # Totals of weight memories are at rest while nothing is written.
    weights = range(4 * bench.weights)
    await FallingEdge(dut.clk_i)
    for counter in weights:
        dut.total[CYCLES * counter].value = MASK32 - counter
        bench.totals[-1][counter] += MASK32 - counter
    bench.weight_density = 1.0
    await bench.cycles(150 * bench.weights)
    bench.silence()
    await bench.command(snapshot_i=1)
    assert all(bench.totals[-1][counter] > MASK32 for counter in weights)
    assert await bench.read() == bench.totals[-1]


@cocotb.test()
async def test_reset_in_the_middle(dut: Any) -> None:
    """A reset during a pass starts from zero."""
    bench = CounterBench(dut)
    await bench.start()
    for _ in range(4):
        await bench.cycles(20)
        await bench.cycle(snapshot_i=1)
        await bench.cycles(bench.rng.randrange(bench.counters))
        await bench.start()
