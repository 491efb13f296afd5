"""frame_times: latency of sampled frames and distances of labels, against lists of all cycles."""

from __future__ import annotations

from collections import deque
from typing import Any

import cocotb

from tests.hw.benches.base import Bench, parameter

NAMES = ("latency_last", "latency_min", "latency_max", "distance_min", "distance_max")


class TimesBench(Bench):
    """Frames that begin and end at random moments, in order, and the times that they took."""

    def __init__(self, dut: Any) -> None:
        super().__init__(dut, reset=None)
        self.most = (1 << parameter("Width")) - 1
        self.begin_rate, self.end_rate = 0.5, 0.5
        self.open: deque[tuple[int, bool]] = deque()  # when it began, and whether it is timed
        self.is_timed = False  # one of the open frames
        self.latencies: list[int] = []
        self.distances: list[int] = []
        self.label: int | None = None  # when the last one left
        dut.clear_i.value = 1
        dut.first_i.value = dut.done_i.value = dut.open_i.value = 0

    async def step(self, clear: int = 0) -> None:
        """A cycle, in which a frame may begin and one may end that began before."""
        done = bool(self.open) and self.rng.random() < self.end_rate
        first = len(self.open) < 50 and self.rng.random() < self.begin_rate
        await self.cycle(clear_i=clear, first_i=int(first), done_i=int(done), open_i=len(self.open))
        now = self.cycle_number
        if done:
            began, timed = self.open.popleft()
            if timed and not clear:
                self.latencies.append(min(now - began, self.most))
            self.is_timed = self.is_timed and not timed
            if self.label is not None and not clear:
                self.distances.append(min(now - self.label, self.most))
            self.label = now
        if clear:
            self.forget()
        if first:
            timed = not self.is_timed and not clear
            self.is_timed = self.is_timed or timed
            self.open.append((now, timed))

    def forget(self) -> None:
        """A clear: nothing is known, the frames under way are not timed."""
        self.open = deque((began, False) for began, _ in self.open)
        self.is_timed = False
        self.latencies.clear()
        self.distances.clear()
        self.label = None

    async def compare(self) -> None:
        """The times that are shown once the last of them is there."""
        rates = self.begin_rate, self.end_rate
        self.begin_rate = self.end_rate = 0.0
        for _ in range(3):
            await self.step()
        self.begin_rate, self.end_rate = rates
        known, apart = self.latencies, self.distances
        expected = (
            known[-1] if known else 0,
            min(known, default=self.most),
            max(known, default=0),
            min(apart, default=self.most),
            max(apart, default=0),
        )
        for name, value in zip(NAMES, expected, strict=True):
            found = int(getattr(self.dut, f"{name}_o").value)
            assert found == value, f"{name} {found}, expected {value}"


@cocotb.test()
async def test_times(dut: Any) -> None:
    """Random beginnings and ends, from many frames under way to one at a time, and clears."""
    bench = TimesBench(dut)
    await bench.cycle()
    timed = 0
    for turn in range(40):
        bench.begin_rate = bench.rng.choice([0.02, 0.2, 1.0])
        bench.end_rate = bench.rng.choice([0.02, 0.2, 1.0])
        for _ in range(6):
            for _ in range(bench.rng.randrange(1, 150)):
                await bench.step()
            await bench.compare()
        timed += len(bench.latencies)
        if turn % 3:
            await bench.step(clear=1)
            await bench.compare()
    assert timed > 200


@cocotb.test()
async def test_longest(dut: Any) -> None:
    """Times that do not fit stay at all ones, and one that just fits is right."""
    bench = TimesBench(dut)
    await bench.cycle()
    for wait in (bench.most - 1, bench.most, bench.most + 1, 2 * bench.most + 7):
        bench.begin_rate = bench.end_rate = 0.0
        await bench.step(clear=1)
        bench.begin_rate, bench.end_rate = 1.0, 0.0
        await bench.step()
        bench.begin_rate = 0.0
        for _ in range(wait - 1):
            await bench.step()
        bench.end_rate = 1.0
        await bench.step()
        bench.begin_rate, bench.end_rate = 1.0, 0.0
        await bench.step()
        bench.begin_rate = 0.0
        for _ in range(wait - 2):
            await bench.step()
        bench.end_rate = 1.0
        await bench.step()
        assert bench.latencies[0] == bench.distances[0] == min(wait, bench.most)
        await bench.compare()
