"""counter_bank: snapshots and clears at random moments under traffic lose and repeat nothing."""

from __future__ import annotations

from typing import Any

import cocotb
from cocotb.triggers import FallingEdge

from tests.hw.benches.base import Bench, parameter
from tests.hw.benches.memories import fields
from tests.hw.models import MASK32

HALVES = 2  # of a counter


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
        self.held = False
        self.waits = self.longest_wait = 0  # cycles in a row in which no weight counts are taken
        self.shown = [0] * (HALVES * self.counters)
        self.sweep = 4 * len(self.widths) + 8  # cycles
        self.passing = self.sweep * (self.counters // 4)  # cycles of a pass
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
        self.dut.hold_i.value = int(self.held)
        if self.held:
            added[4 * self.weights :] = [0] * 4 * len(self.widths)
        self.totals.append([a + b for a, b in zip(self.totals[-1], added, strict=True)])

    def sample(self) -> None:
        """Increments are noted when they are driven; what is shown comes while the bank is busy."""
        if int(self.dut.show_valid_o.value):
            assert int(self.dut.busy_o.value)
            self.shown[int(self.dut.show_addr_o.value)] = int(self.dut.show_data_o.value)
        self.waits = 0 if int(self.dut.weight_ready_o.value) else self.waits + 1
        self.longest_wait = max(self.longest_wait, self.waits)

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
        # A pass may be under way, and the counts of a weight memory go first.
        limit = (len(inputs) + 1) * self.passing + self.sweep + 8 + 5
        await self.until(lambda: not int(self.dut.busy_o.value), "the pass to end", limit)
        return range(first, len(self.totals))

    def read(self) -> list[int]:
        """All counters as they are shown."""
        return [
            self.shown[HALVES * counter] | self.shown[HALVES * counter + 1] << 32
            for counter in range(self.counters)
        ]

    async def place(self, counter: int, value: int) -> None:
        """Puts the lower half of a total, which is below 2^32, somewhere while nothing counts."""
        low = self.dut.u_totals.gen_part[0].mem[HALVES * counter]
        while int(low.value) != value:
            # A visit under way writes what the total was before.
            await FallingEdge(self.dut.clk_i)
            low.value = value
            await self.cycles(6)
        self.totals[-1][counter] = value

    async def start(self) -> None:
        """Reset, which clears too, and abandons a pass."""
        await self.reset()
        assert not int(self.dut.show_valid_o.value), "a total shown of a pass before the reset"
        self.totals = [[0] * self.counters]
        self.silence()
        await self.cycle()
        await self.until(lambda: not int(self.dut.busy_o.value), "the clear to end", 500)
        assert self.read() == [0] * self.counters
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
        await bench.cycles(bench.rng.randrange(2 * bench.passing))
        before = len(bench.totals)
        window = await bench.command(snapshot_i=1)
        assert window.stop > before
        shown = bench.read()
        for counter, value in enumerate(shown):
            assert moments(bench, counter, value, window), f"counter {counter} shows {value}"
    bench.silence()
    await bench.command(snapshot_i=1)
    assert bench.read() == bench.totals[-1], "the final totals"
    assert bench.weight_writes > 5


@cocotb.test()
async def test_clears(dut: Any) -> None:
    """All counters restart at one moment of the clear, and lose nothing that comes after it."""
    bench = CounterBench(dut)
    await bench.start()
    for turn in range(14):
        bench.traffic(weights=turn % 2 == 1)
        await bench.cycles(bench.rng.randrange(bench.passing))
        if bench.rng.random() < 0.5:
            # A snapshot under way is finished first.
            await bench.cycle(snapshot_i=1)
            await bench.cycles(bench.rng.randrange(bench.passing))
        window = await bench.command(clear_i=1)
        await bench.cycles(bench.rng.randrange(bench.passing))
        bench.silence()
        await bench.command(snapshot_i=1)
        shown = bench.read()
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
    assert bench.read() == [0] * bench.counters


@cocotb.test()
async def test_no_overflow(dut: Any) -> None:
    """Counters hold the largest increments of a sweep, and a pass makes no visit late."""
    bench = CounterBench(dut)
    await bench.start()
    bench.silence()
    for delay in range(0, 2 * bench.sweep, 3):
        await bench.command(clear_i=1)
        before = bench.totals[-1]
        bench.largest = True
        for cycle in range(delay + 2 * bench.passing):
            await bench.cycle(snapshot_i=int(cycle == delay))
        bench.largest = False
        await bench.command(snapshot_i=1)
        expected = [a - b for a, b in zip(bench.totals[-1], before, strict=True)]
        assert bench.read() == expected, f"snapshot after {delay} cycles"


@cocotb.test()
async def test_carry(dut: Any) -> None:
    """Totals go on beyond 32 bits; they are put close to that, for it takes long to count."""
    bench = CounterBench(dut)
    await bench.start()
    bench.silence()
    await bench.cycles(2)
    await bench.cycles(10)
    for counter in range(bench.counters):
        await bench.place(counter, MASK32 - counter)
    bench.density = 1.0
    await bench.cycles(40 * bench.counters)
    bench.silence()
    await bench.cycles(2)
    bench.weight_density = 1.0
    await bench.cycles(150 * bench.weights)
    bench.silence()
    await bench.command(snapshot_i=1)
    assert all(total > MASK32 for total in bench.totals[-1])
    assert bench.read() == bench.totals[-1]


@cocotb.test()
async def test_carry_between_weights(dut: Any) -> None:
    """A buffer's total overflows right before weights count: their counts do not come between."""
    bench = CounterBench(dut)
    for _ in range(30):
        await bench.start()
        bench.silence()
        await bench.cycles(2)
        buffer = bench.rng.randrange(4 * bench.weights, bench.counters, 4)
        for counter in range(buffer, buffer + 4):
            await bench.place(counter, MASK32)
        await bench.cycles(bench.rng.randrange(bench.sweep))
        bench.largest = True
        await bench.cycle()
        bench.largest = False
        await bench.cycles(bench.rng.randrange(bench.sweep))
        bench.weight_density = 1.0
        await bench.cycles(9 * bench.sweep)
        bench.silence()
        await bench.command(snapshot_i=1)
        assert bench.read() == bench.totals[-1]


@cocotb.test()
async def test_weights_wait_for_little(dut: Any) -> None:
    """Outside passes a cycle before counts are taken, and nine more after others were."""
    bench = CounterBench(dut)
    await bench.start()
    for density, waits in (0.0, {1}), (1.0, {9, 10}):
        bench.silence()
        bench.density = float(not density)  # buffers make nobody wait
        await bench.cycles(20)
        bench.weight_density = density
        bench.longest_wait = 0
        await bench.cycles(5 * bench.sweep)
        assert bench.longest_wait in waits


@cocotb.test()
async def test_hold(dut: Any) -> None:
    """While the layers are in reset nothing counts, and what was not yet drained is forgotten."""
    bench = CounterBench(dut)
    await bench.start()
    for _ in range(5):
        await bench.cycles(bench.rng.randrange(2 * bench.sweep))
        bench.held = True
        await bench.command(clear_i=1)
        await bench.cycles(3)
        bench.held = False
        before = bench.totals[-1]
        await bench.cycles(bench.rng.randrange(3 * bench.sweep))
        bench.silence()
        await bench.command(snapshot_i=1)
        expected = [a - b for a, b in zip(bench.totals[-1], before, strict=True)]
        assert bench.read() == expected
        bench.traffic(weights=False)


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
