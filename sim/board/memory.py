"""The memory that the DMA sees, apart from the arrays of the processor."""

from __future__ import annotations

import bisect

import numpy as np
import numpy.typing as npt

from spinflow.hw.boards.facts import Range

PAGE = 4096

Bytes = npt.NDArray[np.uint8]


class DmaMemory:
    """The memory that the DMA sees: one block of bytes per allocation, by physical address.

    Args:
        window: the contiguous memory that the board's image sets aside.
    """

    def __init__(self, window: Range) -> None:
        self.window = window
        self._starts: list[int] = []
        self._blocks: dict[int, Bytes] = {}

    def allocate(self, size: int, shared: Bytes | None = None) -> int:
        """Take bytes, page-aligned; return their address.

        Args:
            size: how many.
            shared: the processor's own array where the memory is not cached: both see one then.

        Raises:
            RuntimeError: there is no gap of this size; pynq's own devices raise it, too.
        """
        address = self.window.base
        for start in self._starts:
            if address + size <= start:
                break
            address = _page_above(start + self._blocks[start].size)
        if address + size > self.window.end:
            raise RuntimeError(f"BO allocation failed: no {size} bytes of DMA memory are left")
        # In this order, and freed in the other: an interrupt between leaves no start without block.
        self._blocks[address] = np.zeros(size, np.uint8) if shared is None else shared
        bisect.insort(self._starts, address)
        return address

    def free(self, address: int) -> None:
        """Give an allocation back."""
        self._starts.remove(address)
        del self._blocks[address]

    def at(self, address: int, size: int) -> Bytes | None:
        """Return the bytes at an address, as a view; None where not all of them are allocated."""
        block = self.block_at(address)
        if block is None:
            return None
        offset = address - self._starts[bisect.bisect_right(self._starts, address) - 1]
        return block[offset : offset + size] if offset + size <= block.size else None

    def block_at(self, address: int) -> Bytes | None:
        """Return the allocation that begins at an address or before it, the nearest one."""
        number = bisect.bisect_right(self._starts, address) - 1
        return None if number < 0 else self._blocks[self._starts[number]]


def _page_above(address: int) -> int:
    return -(-address // PAGE) * PAGE
