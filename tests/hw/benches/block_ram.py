"""block_ram: writes, reads and the output register, in any order, against a list of words."""

from __future__ import annotations

from typing import Any

import cocotb

from tests.hw.benches.base import Bench, parameter


@cocotb.test()
async def test_random_accesses(dut: Any) -> None:
    """The memory's output holds through a write, the register until it takes or is cleared."""
    bench = Bench(dut, reset=None)
    rng = bench.rng
    width, depth = parameter("Width"), parameter("Depth")
    init = parameter("Init", 0)
    words = [init >> n * width & (1 << width) - 1 for n in range(depth)]
    for name in "we_i", "re_i", "take_i", "clear_i":
        getattr(dut, name).value = 0
    read: int | None = None
    out: int | None = None
    for number in range(3 * depth + 600):
        write, reads, take, clear = (rng.random() < rate for rate in (0.3, 0.7, 0.7, 0.1))
        write = write and number >= depth  # all that was there at first is read before
        address = number if number < depth else rng.randrange(depth)
        target, data = rng.randrange(depth), rng.getrandbits(width)
        await bench.cycle(
            we_i=int(write), waddr_i=target, wdata_i=data, re_i=int(reads or number < depth),
            raddr_i=address, take_i=int(take or number < depth), clear_i=int(clear),
        )  # fmt: skip
        if out is not None:
            assert int(dut.rdata_o.value) == out, f"cycle {number}"
        if clear:
            out = 0
        elif take or number < depth:
            out = read
        if write:
            words[target] = data
        elif reads or number < depth:
            read = words[address]
