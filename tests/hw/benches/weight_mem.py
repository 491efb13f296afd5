"""weight_mem: columns written by the host, read by both sides, against a list of words."""

from __future__ import annotations

from collections import deque
from typing import Any

import cocotb

from tests.hw.benches.base import Bench, parameter
from tests.hw.benches.memories import COLUMN_WIDTH, column_bits, column_place
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
    # What the host should see in the next cycles; None where the unit's read is in the way.
    parts: deque[int | None] = deque()
    await bench.cycles(4)
    for number in range(1200):
        # A column is accessed at most every three cycles.
        side = rng.choice(["unit", "none"] if len(parts) > 2 else ["unit", "read", "write", "none"])
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
        if wide is not None:
            assert int(dut.rd_data_o.value) == wide
        expected = parts.popleft() if parts else 0
        if expected is not None:
            assert int(dut.host_rdata_o.value) == expected, f"part in cycle {number}"
        last = parts[0] if parts else 0
        if side == "unit":
            wide = whole(words[address])
            parts = deque([last, *[None] * (len(parts) - 1)])
        elif side == "read":
            word = words[address][column]
            parts = deque([last, word & MASK32, word >> 32 & MASK32, word >> 64])
            wide = None
        elif side == "write":
            words[address][column] = data & exist[column]
            wide = None
    for address, columns in enumerate(words):
        await bench.cycle(rd_en_i=1, rd_addr_i=address, host_en_i=0)
        await bench.cycle(rd_en_i=0)
        assert int(dut.rd_data_o.value) == whole(columns), f"word {address}"
