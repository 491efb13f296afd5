"""AXI-Lite for benches of whole accelerators: cocotbext-axi's master, with names for addresses."""

from __future__ import annotations

import json
import random
from collections.abc import Coroutine, Iterator
from typing import Any

from cocotb.triggers import with_timeout
from cocotbext.axi import AxiLiteBus, AxiLiteMaster, AxiResp

from tests.hw.benches.base import LIMIT, PERIOD_NS
from tests.hw.runner import REGS

REGISTERS = json.loads((REGS / "regmap.json").read_text(encoding="utf-8"))
SOFT_RESET, CLEAR, SNAPSHOT = 1, 2, 4  # bits of CONTROL
IDLE, BUSY, REFUSED, PARTIAL = 1, 2, 4, 8  # bits of STATUS


class Registers:
    """The AXI-Lite side of an accelerator whose ports are named s_axi_*, aclk and aresetn."""

    def __init__(self, dut: Any, rng: random.Random) -> None:
        self.rng = rng
        bus = AxiLiteBus.from_prefix(dut, "s_axi")
        self.master = AxiLiteMaster(bus, dut.aclk, dut.aresetn, reset_active_level=False)
        self.pause(0.0)

    def pause(self, rate: float) -> None:
        """Makes every channel pause in this part of its cycles."""
        write, read = self.master.write_if, self.master.read_if
        for channel in (write.aw_channel, write.w_channel, write.b_channel,
                        read.ar_channel, read.r_channel):  # fmt: skip
            channel.clear_pause_generator()
            channel.pause = False
            if rate:
                channel.set_pause_generator(self._pauses(rate))

    def _pauses(self, rate: float) -> Iterator[bool]:
        rng = random.Random(self.rng.getrandbits(32))
        while True:
            yield rng.random() < rate

    async def _in_time(self, access: Coroutine[Any, Any, Any]) -> Any:
        """The answer to an access, which an accelerator that stands still would never give."""
        return await with_timeout(access, LIMIT * PERIOD_NS, "ns")

    async def write_at(self, address: int, data: int, size: int = 4) -> bool:
        """Writes `size` bytes; whether they were accepted."""
        done = await self._in_time(self.master.write(address, data.to_bytes(size, "little")))
        assert done.resp in (AxiResp.OKAY, AxiResp.SLVERR)
        return bool(done.resp == AxiResp.OKAY)

    async def read_at(self, address: int) -> int | None:
        """Reads a word; None if it was refused."""
        done = await self._in_time(self.master.read(address, 4))
        if done.resp == AxiResp.SLVERR:
            assert done.data == bytes(4)
            return None
        return int.from_bytes(done.data, "little")

    async def read(self, name: str, memory: int | None = None) -> int:
        """Reads a register by its name, of a memory or of all; two halves make 64 bits."""
        registers = REGISTERS["memory"]["registers"] if memory is not None else REGISTERS["global"]
        if name not in registers:
            low = await self.read(f"{name}_LO", memory)
            return low | await self.read(f"{name}_HI", memory) << 32
        value = await self.read_at(address_of(name, memory))
        assert value is not None, f"{name} was refused"
        return value

    async def write(self, name: str, data: int, memory: int | None = None) -> None:
        """Writes a register by its name."""
        assert await self.write_at(address_of(name, memory), data), f"{name} was refused"

    async def command(self, bits: int) -> None:
        """Gives a command and waits until it is done."""
        await self.write("CONTROL", bits)
        for _ in range(200):
            if not await self.read("STATUS") & BUSY:
                return
        raise AssertionError(f"busy for ever after command {bits}")

    async def configure(self, memory: int, mode: int, rate1: int, rate0: int, seed: int) -> None:
        """Programs how a memory errs, mode last."""
        await self.write("RATE1", rate1, memory)
        await self.write("RATE0", rate0, memory)
        await self.write("SEED", seed, memory)
        await self.write("MODE", mode, memory)


def address_of(name: str, memory: int | None = None) -> int:
    """The address of a register."""
    if memory is None:
        return int(REGISTERS["global"][name]["offset"])
    block = REGISTERS["memory"]
    return int(block["base"] + block["stride"] * memory + block["registers"][name]["offset"])
