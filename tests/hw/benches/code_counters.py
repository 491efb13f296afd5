"""code_counters: what decoders count is shown by a snapshot, and gone after a clear."""

from __future__ import annotations

from typing import Any

import cocotb

from tests.hw.benches.base import Bench, parameter
from tests.hw.benches.memories import fields


class TotalsBench(Bench):
    """The totals with random increments, and what is shown of them."""

    def __init__(self, dut: Any) -> None:
        super().__init__(dut)
        self.codes = fields(parameter("Codes"), parameter("NumMems"))
        self.shown: dict[int, int] = {}
        self.totals = [[0] * 4 for _ in self.codes]
        names = "code_count_i", "hold_i", "clear_i", "snapshot_i", "show_valid_i"
        for name in (*names, "show_addr_i", "show_data_i"):
            getattr(dut, name).value = 0

    async def count(self, cycles: int, *, held: int = 0) -> None:
        """Some cycles with increments of coded memories."""
        for _ in range(cycles):
            packed = 0
            for number, words in enumerate(self.codes):
                if words and self.rng.random() < 0.7:
                    right = self.rng.randint(0, words)
                    counts = [words, right, self.rng.randint(0, words - right), 0]
                    for place, count in enumerate(counts):
                        self.totals[number][place] += count * (not held)
                        packed |= count << 32 * number + 24 - 8 * place
            await self.step(code_count_i=packed, hold_i=held)
        await self.step(code_count_i=0, hold_i=0)

    async def step(self, **inputs: int) -> None:
        """A cycle, in which a half is perhaps shown."""
        await self.cycle(**inputs)
        if int(self.dut.show_valid_o.value):
            self.shown[int(self.dut.show_addr_o.value)] = int(self.dut.show_data_o.value)

    async def command(self, name: str) -> dict[int, int]:
        """Gives a command, waits until it is done, and returns what was shown meanwhile."""
        self.shown = {}
        await self.step(**{name: 1})
        await self.step(**{name: 0})
        for _ in range(2000):
            if not int(self.dut.busy_o.value):
                return self.shown
            await self.step()
        raise AssertionError(f"{name} does not end")

    async def compare(self) -> None:
        """A snapshot shows the totals of all memories."""
        shown = await self.command("snapshot_i")
        if not any(self.codes):
            assert not shown
            return
        for number, counts in enumerate(self.totals):
            for place, count in enumerate(counts):
                address = 8 * number + 2 * place
                assert shown[address] | shown[address + 1] << 32 == count


@cocotb.test()
async def test_snapshots_and_clears(dut: Any) -> None:
    """Counting, snapshots and clears in turn; nothing counts while it is held."""
    bench = TotalsBench(dut)
    await bench.reset()
    assert not await bench.command("clear_i")
    for _ in range(3):
        await bench.count(400)
        await bench.compare()
        await bench.count(20, held=1)
        await bench.compare()
        assert not await bench.command("clear_i"), "a clear is shown"
        bench.totals = [[0] * 4 for _ in bench.codes]
        await bench.compare()


@cocotb.test()
async def test_what_others_show_passes(dut: Any) -> None:
    """Halves of other counters come out as they went in, one after the other."""
    bench = TotalsBench(dut)
    await bench.reset()
    await bench.command("clear_i")
    bench.shown = {}
    given = {address: bench.rng.getrandbits(32) for address in range(8 * len(bench.codes))}
    for address, data in given.items():
        await bench.step(show_valid_i=1, show_addr_i=address, show_data_i=data)
    await bench.step(show_valid_i=0)
    await bench.step()
    assert bench.shown == given
    assert not int(dut.busy_o.value)
