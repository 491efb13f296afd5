"""counter_bank: snapshots and clears at random moments under traffic lose and repeat nothing."""

from __future__ import annotations

from typing import Any

import cocotb

from tests.hw.benches.base import Bench, parameter


class CounterBench(Bench):
    """The bank with random increments; `totals[c]` is what came in before cycle c."""

    def __init__(self, dut: Any) -> None:
        super().__init__(dut)
        self.counters = 4 * parameter("NumMems")
        self.most = parameter("MaxIncrement")
        self.density = 1.0
        self.totals: list[list[int]] = [[0] * self.counters]
        dut.clear_i.value = dut.snapshot_i.value = 0
        dut.count_i.value = 0

    async def cycle(self, **inputs: int) -> None:
        """One cycle with increments of which a good part are the largest that are allowed."""
        increments = [
            self.rng.choice([0, self.most, self.rng.randint(0, self.most)])
            if self.rng.random() < self.density else 0
            for _ in range(self.counters)
        ]  # fmt: skip
        # In count_t the first counter is the highest byte.
        packed = sum(n << 32 * (i // 4) + 8 * (3 - i % 4) for i, n in enumerate(increments))
        await super().cycle(**{"clear_i": 0, "snapshot_i": 0, "count_i": packed, **inputs})
        self.totals.append([a + b for a, b in zip(self.totals[-1], increments, strict=True)])

    async def command(self, **inputs: int) -> range:
        """Gives a command and waits for it; the cycles in which it may have taken effect."""
        first = len(self.totals) - 1
        await self.cycle(**inputs)
        await self.cycle()
        passes = 2 if len(inputs) > 1 else 1
        limit = (passes + 1) * self.counters + 4
        await self.until(lambda: not int(self.dut.busy_o.value), "the pass to end", limit)
        return range(first, len(self.totals))

    async def read(self) -> list[int]:
        """All counters as they are shown."""
        shown = []
        for address in range(self.counters):
            await self.cycle(read_addr_i=address)
            shown.append(int(self.dut.read_data_o.value))
        return shown

    async def start(self) -> None:
        """Reset, which clears too."""
        await self.reset()
        self.totals = [[0] * self.counters]
        density, self.density = self.density, 0.0
        await self.cycle()
        await self.until(lambda: not int(self.dut.busy_o.value), "the clear to end", 500)
        assert await self.read() == [0] * self.counters
        self.density = density


def moments(bench: CounterBench, counter: int, value: int, window: range) -> set[int]:
    """The cycles of the window at which a counter stood at this value."""
    return {cycle for cycle in window if bench.totals[cycle][counter] == value}


@cocotb.test()
async def test_snapshots(dut: Any) -> None:
    """Each counter is shown as it stood at one moment of its snapshot."""
    bench = CounterBench(dut)
    await bench.start()
    for _ in range(12):
        bench.density = bench.rng.choice([1.0, 0.3])
        await bench.cycles(bench.rng.randrange(3 * bench.counters))
        before = len(bench.totals)
        window = await bench.command(snapshot_i=1)
        assert window.stop > before
        shown = await bench.read()
        for counter, value in enumerate(shown):
            assert moments(bench, counter, value, window), f"counter {counter} shows {value}"
    bench.density = 0.0
    await bench.command(snapshot_i=1)
    assert await bench.read() == bench.totals[-1], "the final totals"


@cocotb.test()
async def test_clears(dut: Any) -> None:
    """All counters restart at one moment of the clear, and lose nothing that comes after it."""
    bench = CounterBench(dut)
    await bench.start()
    for _ in range(12):
        bench.density = 1.0
        await bench.cycles(bench.rng.randrange(2 * bench.counters))
        if bench.rng.random() < 0.5:
            # A snapshot under way is finished first.
            await bench.cycle(snapshot_i=1)
            await bench.cycles(bench.rng.randrange(bench.counters))
        window = await bench.command(clear_i=1)
        await bench.cycles(bench.rng.randrange(2 * bench.counters))
        bench.density = 0.0
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
    bench.density = 0.0
    await bench.cycles(3)
    await bench.command(clear_i=1, snapshot_i=1)
    assert await bench.read() == [0] * bench.counters


@cocotb.test()
async def test_no_overflow(dut: Any) -> None:
    """Counters that wait longest, nearly two passes, still hold the largest increments."""
    bench = CounterBench(dut)
    await bench.start()
    largest = sum(bench.most << 8 * i for i in range(bench.counters))
    # A snapshot that interrupts a pass right before its end makes the last counter wait for another
    # whole one; where in the pass the bench stands is not visible, so all delays are tried.
    for delay in range(bench.counters):
        bench.density = 0.0
        await bench.command(clear_i=1)
        for cycle in range(delay + 3 * bench.counters):
            await bench.cycle(count_i=largest, snapshot_i=int(cycle == delay))
        await bench.command(snapshot_i=1)
        total = (delay + 3 * bench.counters) * bench.most
        assert await bench.read() == [total] * bench.counters, f"snapshot after {delay} cycles"


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
