"""weight_mem: columns written by the host, read by both sides, against a list of words."""

from __future__ import annotations

from typing import Any

import cocotb

from tests.hw.benches.base import Bench, parameter
from tests.hw.benches.memories import COLUMN_WIDTH, WEIGHT_LATENCY, column_bits, column_place
from tests.hw.models import MASK32


@cocotb.test()
async def test_random_accesses(dut: Any) -> None:
    """One access a cycle, either side's; the unit's words stay, the host's come in three parts."""
    bench = Bench(dut, reset=None)
    dut.rd_en_i.value = dut.host_en_i.value = 0
    rng = bench.rng
    width, depth = parameter("Width"), parameter("Depth")
    exist = column_bits(width)
    words = [[0] * len(exist) for _ in range(depth)]

    def whole(columns: list[int]) -> int:
        places = [column_place(width, bit) for bit in range(width)]
        return sum(
            (columns[column] >> place & 1) << bit for bit, (column, place) in enumerate(places)
        )

    wide: int | None = None  # what the unit should see, if it read last
    words_to_come: dict[int, int | None] = {}  # by cycle
    # What the host should see, by cycle; None where the unit's read is in the way, else 0.
    parts: dict[int, int | None] = {}
    free = 0  # the first cycle in which the host may access again
    await bench.cycles(6)
    for number in range(1200):
        side = rng.choice(["unit", "read", "write", "none"] if number >= free else ["unit", "none"])
        address = number % depth if number < depth else rng.randrange(depth)
        column = rng.randrange(len(exist))
        data = rng.getrandbits(COLUMN_WIDTH)
        request = address << COLUMN_WIDTH + 8 | column << COLUMN_WIDTH | data
        if side == "write":
            request |= 1 << COLUMN_WIDTH + 24
        await bench.cycle(
            rd_en_i=int(side == "unit"), rd_addr_i=address if side == "unit" else 0,
            host_en_i=int(side in ("read", "write")), host_i=request,
        )  # fmt: skip
        wide = words_to_come.pop(number, wide)
        if wide is not None:
            assert int(dut.rd_data_o.value) == wide
        expected = parts.pop(number, 0)
        if expected is not None:
            assert int(dut.host_rdata_o.value) == expected, f"part in cycle {number}"
        there = number + WEIGHT_LATENCY
        if side == "unit":
            words_to_come[there] = whole(words[address])
            parts |= {cycle: None for cycle in parts if cycle > there}
        elif side == "read":
            word = words[address][column]
            words_to_come[there] = None
            for part, value in enumerate((word & MASK32, word >> 32 & MASK32, word >> 64)):
                parts[there + 1 + part] = value
            free = number + 3
        elif side == "write":
            words[address][column] = data & exist[column]
            free = number + 3
    for address, columns in enumerate(words):
        await bench.cycle(rd_en_i=1, rd_addr_i=address, host_en_i=0)
        for _ in range(WEIGHT_LATENCY):
            await bench.cycle(rd_en_i=0)
        assert int(dut.rd_data_o.value) == whole(columns), f"word {address}"
