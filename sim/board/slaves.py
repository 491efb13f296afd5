"""What else answers on the bus: the accelerator, the clocks' registers, logic that is not there."""

from __future__ import annotations

import errno

import numpy as np

from spinflow.host.core.description import Description
from spinflow.hw.boards.facts import Clocks
from spinflow.sim.board.bus import Words, bus_error
from spinflow.sim.board.dma import Dma
from spinflow.sim.library import ACCESS_LIMIT, Library

WHILE_ELSEWHERE = 1_000  # cycles that a transfer goes on for while another register is accessed

SLCR_BASE = 0xF800_0000
SLCR_SIZE = 0x200


class Storage:
    """Plain registers: they read as they were written."""

    def __init__(self, size: int, contents: dict[int, int]) -> None:
        self._words = np.zeros(size // 4, dtype=np.uint32)
        for offset, value in contents.items():
            self._words[offset // 4] = value

    def read(self, offset: int, count: int, stride: int) -> Words:
        """As of Slave."""
        return self._words[(offset + stride * np.arange(count)) // 4]

    def write_part(self, offset: int, word: int, strobe: int) -> None:
        """As of Slave. Raises OSError."""
        raise bus_error(f"less than a word written to the register at offset {offset:#x}")

    def write(self, offset: int, values: Words, stride: int) -> None:
        """As of Slave."""
        self._words[(offset + stride * np.arange(len(values))) // 4] = values


class Unconfigured:
    """Programmable logic before the first bitstream: on a board the processor waits for ever.

    Args:
        base: address at which the logic begins.
    """

    def __init__(self, base: int) -> None:
        self._base = base

    def read(self, offset: int, count: int, stride: int) -> Words:
        """As of Slave. Raises TimeoutError."""
        raise self._hang(offset)

    def write(self, offset: int, values: Words, stride: int) -> None:
        """As of Slave. Raises TimeoutError."""
        raise self._hang(offset)

    def write_part(self, offset: int, word: int, strobe: int) -> None:
        """As of Slave. Raises TimeoutError."""
        raise self._hang(offset)

    def _hang(self, offset: int) -> TimeoutError:
        where = self._base + offset
        return TimeoutError(
            errno.ETIMEDOUT, f"nothing is loaded that could answer at {where:#x}: a board hangs"
        )


def clock_registers(clocks: Clocks) -> Storage:
    """Return the part of the Zynq's SLCR that pynq's Clocks uses, as after the board's start.

    FDIV stands at bit 12, dividers at bits 8 and 20.
    """
    pll = {
        offset: round(mhz / clocks.reference) << 12
        for offset, mhz in (
            (0x100, clocks.arm_pll),
            (0x104, clocks.ddr_pll),
            (0x108, clocks.io_pll),
        )
    }
    arm = {0x120: 2 << 8}
    divisor = round(clocks.io_pll / clocks.fabric)
    fabric = {0x170 + 0x10 * number: 1 << 20 | divisor << 8 for number in range(4)}
    return Storage(SLCR_SIZE, {**pll, **arm, **fabric})


class AcceleratorSlave:
    """The accelerator's AXI-Lite slave. Transfers of the DMA go on while it is accessed."""

    def __init__(self, library: Library, dma: Dma) -> None:
        self._library = library
        self._dma = dma
        self._end = _address_space(library.description)
        self.access_limit = ACCESS_LIMIT

    def read(self, offset: int, count: int, stride: int) -> Words:
        """As of Slave. Raises OSError and TimeoutError as Library.read does."""
        self._check_end(offset, count, stride)
        self._dma.advance(WHILE_ELSEWHERE)
        return self._library.read(offset, count, stride, self.access_limit)

    def write(self, offset: int, values: Words, stride: int) -> None:
        """As of Slave. Raises OSError and TimeoutError as Library.write does."""
        self._check_end(offset, len(values), stride)
        self._dma.advance(WHILE_ELSEWHERE)
        self._library.write(offset, values, stride, self.access_limit)

    def write_part(self, offset: int, word: int, strobe: int) -> None:
        """As of Slave. Raises OSError and TimeoutError as Library.write does."""
        self._check_end(offset, 1, 0)
        self._dma.advance(WHILE_ELSEWHERE)
        try:
            self._library.write(offset, word, 4, self.access_limit, strobe)
        except OSError as error:
            if error.errno != errno.EIO:
                raise
            raise bus_error(
                f"{error.strerror}: it was less than a word, as all that numpy stores by slices"
            ) from None

    def _check_end(self, offset: int, count: int, stride: int) -> None:
        last = max(offset, offset + stride * (count - 1))
        if last >= self._end:
            raise bus_error(
                f"accelerator address {last:#x} is beyond its {self._end:#x} bytes: on a board"
                " another one answers"
            )


def _address_space(described: Description) -> int:
    """Return how many bytes the accelerator's address bits reach, by the last window's end."""
    ends = [
        memory.base + (1 << (memory.stride * memory.depth - 1).bit_length())
        for memory in described.memories
        if memory.is_weights
    ]
    return 1 << (max(ends) - 1).bit_length()
