"""weight_mem: segments written by the host, read by both sides, against a list of words."""

from __future__ import annotations

from typing import Any

import cocotb

from tests.hw.benches.base import Bench, parameter
from tests.hw.models import MASK32


@cocotb.test()
async def test_random_accesses(dut: Any) -> None:
    """One access a cycle, either side's; a read shows what was there before, and stays."""
    bench = Bench(dut, reset=None)
    dut.rd_en_i.value = dut.host_en_i.value = 0
    rng = bench.rng
    width, depth = parameter("Width"), parameter("Depth")
    segments = -(-width // 32)
    words = [0] * depth
    wide: int | None = None  # what each side should show, if it read last
    narrow: int | None = None
    for number in range(900):
        side = rng.choice(["unit", "host read", "host write", "none"])
        address = number % depth if number < depth else rng.randrange(depth)
        segment = rng.randrange(segments)
        exist = (1 << min(32, width - 32 * segment)) - 1
        data = rng.getrandbits(32) & exist
        # The address is 16 bits for any memory; the upper ones are the port's to check.
        request = address << 48 | segment << 32 | data
        if side == "host write":
            request |= 1 << 64
        await bench.cycle(
            rd_en_i=int(side == "unit"), rd_addr_i=address if side == "unit" else 0,
            host_en_i=int(side.startswith("host")), host_i=request,
        )  # fmt: skip
        if wide is not None:
            assert int(dut.rd_data_o.value) == wide
        if narrow is not None:
            assert int(dut.host_rdata_o.value) == narrow
        if side == "unit":
            wide, narrow = words[address], None
        elif side != "none":
            wide, narrow = words[address], words[address] >> 32 * segment & MASK32
        if side == "host write":
            words[address] &= ~(MASK32 << 32 * segment)
            words[address] |= data << 32 * segment
    for address, word in enumerate(words):
        await bench.cycle(rd_en_i=1, rd_addr_i=address, host_en_i=0)
        await bench.cycle(rd_en_i=0)
        assert int(dut.rd_data_o.value) == word, f"word {address}"
