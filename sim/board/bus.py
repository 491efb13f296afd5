"""The processor's side of the buses: what answers there, and what is said where nothing does."""

from __future__ import annotations

import errno
from collections.abc import Callable
from typing import Protocol

import numpy as np
import numpy.typing as npt

Words = npt.NDArray[np.uint32]


class Slave(Protocol):
    """What answers on the processor's bus. Offsets are in bytes from the slave's base."""

    def read(self, offset: int, count: int, stride: int) -> Words:
        """Read the words (uint32) in which `count` offsets lie, `stride` bytes apart, in order."""

    def write(self, offset: int, values: Words, stride: int) -> None:
        """Write words, `stride` bytes apart, in order."""

    def write_part(self, offset: int, word: int, strobe: int) -> None:
        """Write those bytes of a word that `strobe` says, bit 0 the lowest."""


def bus_error(message: str) -> OSError:
    """Return what stands for the signal that ends a program on a board."""
    return OSError(errno.EIO, message)


class Bus:
    """The processor's side of the buses: every access goes to the slave that is there by then."""

    def __init__(self, slaves: Callable[[], list[tuple[int, int, Slave]]]) -> None:
        self._slaves = slaves

    def read(self, address: int, count: int, stride: int) -> Words:
        """Read words from physical addresses; OSError where no slave answers."""
        slave, offset = self._at(address, count, stride)
        return slave.read(offset, count, stride)

    def write(self, address: int, values: Words, stride: int) -> None:
        """Write words to physical addresses; OSError where no slave answers."""
        slave, offset = self._at(address, len(values), stride)
        slave.write(offset, values, stride)

    def write_part(self, address: int, word: int, strobe: int) -> None:
        """Write some bytes of a word; OSError where no slave answers or takes them."""
        slave, offset = self._at(address, 1, 0)
        slave.write_part(offset, word, strobe)

    def _at(self, address: int, count: int, stride: int) -> tuple[Slave, int]:
        first, last = sorted((address, address + stride * (count - 1)))
        for base, size, slave in self._slaves():
            if base <= first and last < base + size:
                return slave, address - base
        raise bus_error(f"no slave answers at {first:#x} to {last:#x}")
