"""Cell maps: what each single cell of a memory does when it is written.

Rate registers hold two numbers for a whole memory. A cell map holds two for each of its bits, and
which cells are stuck. A draw stays what it is, a function of seed and position; only what it is
held against is the cell's own. So a map with the same rates everywhere gives, bit for bit, what the
registers give.

A cell is a bit of a word. A weight memory's words are those of its window; word n that a buffer
takes since the reset lies at address n mod depth (docs/contracts.md). A map acts in the modes flip
and switch; mode off writes what it is told. A stuck cell holds its value before such a write, too,
so that in mode switch there is nothing else that it could keep.
"""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from spinflow.host.core import stream
from spinflow.host.core.description import MemoryInfo
from spinflow.host.core.errors import InputError
from spinflow.host.core.memory import Counts, counts_of
from spinflow.host.core.packing import Bits, Words, bits_of, words_of

FREE, STUCK_AT_0, STUCK_AT_1 = 0, 1, 2
"""What a map says of a cell: written with its rates, or always 0, or always 1."""

_WORDS_AT_ONCE = 4096  # bounds the memory that the draws take on the board

Thresholds = npt.NDArray[np.uint32]


def thresholds_of(rates: npt.NDArray[Any]) -> Thresholds:
    """Return the thresholds of rates from 0 to 1; those below 2^-33 become 0."""
    scaled = np.minimum(np.rint(np.asarray(rates, np.float64) * 2.0**32), float(stream.ALWAYS))
    return scaled.astype(np.uint32)


def rates_of(thresholds: Thresholds) -> npt.NDArray[np.float64]:
    """Return the rates of thresholds: T / 2^32, and 1 where T is all ones."""
    rates = thresholds / 2.0**32
    rates[thresholds == stream.ALWAYS] = 1.0
    return rates


@dataclass(frozen=True, eq=False)
class CellRates:
    """The cells of one memory; all arrays have the shape (depth, width), bit 0 of a word first.

    Attributes:
        threshold1: against which the draw of a written 1 is held, as RATE1 would be.
        threshold0: of a written 0.
        stuck: FREE, STUCK_AT_0 or STUCK_AT_1.
    """

    threshold1: Thresholds
    threshold0: Thresholds
    stuck: npt.NDArray[np.uint8]

    @property
    def shape(self) -> tuple[int, int]:
        """Words of the memory, and bits of a word."""
        depth, width = self.threshold1.shape
        return depth, width

    @functools.cached_property
    def limits(self) -> tuple[Thresholds, Thresholds]:
        """What draws of a written 1 and a written 0 are held against, stuck cells included.

        Over its own value, which it always holds, a stuck cell errs surely or never.
        """
        never, always = np.uint32(0), np.uint32(stream.ALWAYS)
        one = np.where(self.stuck == STUCK_AT_0, always, self.threshold1)
        zero = np.where(self.stuck == STUCK_AT_1, always, self.threshold0)
        one[self.stuck == STUCK_AT_1] = never
        zero[self.stuck == STUCK_AT_0] = never
        return one, zero

    @property
    def mean_rates(self) -> tuple[float, float]:
        """How often a written 1 and a written 0 err, over all cells, the stuck ones included."""
        one, zero = (float(rates_of(limits).mean()) for limits in self.limits)
        return one, zero

    def addresses(self, words: int, address: int) -> npt.NDArray[np.intp]:
        """Return where words lie that are written from an address on."""
        found: npt.NDArray[np.intp] = (address + np.arange(words)) % len(self.stuck)
        return found

    def held(self, bits: Bits, address: int = 0) -> Bits:
        """Return what cells hold before a write, when `bits` was stored from an address on."""
        stuck = self.stuck[self.addresses(len(bits), address)]
        found: Bits = np.where(stuck == FREE, bits, stuck == STUCK_AT_1).astype(np.uint8)
        return found

    def hits(
        self, seed: int, target: Bits, position: int, address: int, segmented: bool
    ) -> npt.NDArray[np.bool_]:
        """Return which bits of written words err, over what cells :meth:`held` before.

        Args:
            seed: of the memory's stream.
            target: words, shape (n, width).
            position: of the stream at which they begin.
            address: of the first one.
            segmented: whether each 32 bits of a word take 32 positions, as in weight memories.
        """
        one, zero = self.limits
        width = target.shape[1]
        span = width + (-width % 32 if segmented else 0)
        found = np.empty(target.shape, np.bool_)
        for first in range(0, len(target), _WORDS_AT_ONCE):
            part = target[first : first + _WORDS_AT_ONCE]
            rows = self.addresses(len(part), address + first)
            limits = np.zeros((len(part), span), np.uint32)
            limits[:, :width] = np.where(part == 1, one[rows], zero[rows])
            drawn = stream.hits(seed, position + first * span, limits.reshape(-1))
            found[first : first + len(part)] = drawn.reshape(limits.shape)[:, :width]
        return found


def written(
    cells: CellRates, mode: str, seed: int, target: Words, old: Words
) -> tuple[Words, Counts]:
    """Return what a weight memory stores and counts when it is written right after a restart.

    Args:
        cells: of the memory.
        mode: ``flip`` or ``switch``.
        seed: of its stream.
        target: what is written, uint32, shape (depth, segments).
        old: what was there.
    """
    width = cells.shape[1]
    wanted, before = bits_of(target, width), cells.held(bits_of(old, width))
    hits = cells.hits(seed, wanted, 0, 0, segmented=True)
    stored = wanted ^ hits if mode == "flip" else np.where(hits, before, wanted).astype(np.uint8)
    return words_of(stored), counts_of(wanted, before, stored)


def refuse_coded(memories: Iterable[MemoryInfo]) -> None:
    """Raise InputError if a memory has check bits: maps are of words without them."""
    for memory in memories:
        if memory.code is not None:
            raise InputError(f"{memory.name} has check bits (ecc), of which cell maps know nothing")


@dataclass(frozen=True, eq=False)
class CellMap:
    """The cells of some memories of a network.

    Attributes:
        network: its name.
        memories: cells by the name of the memory.
        about: how it was made, one line.
        condition: the write condition whose energy its writes take, as a grid has it; empty for
            the exponential model at the map's mean rates.
    """

    network: str
    memories: Mapping[str, CellRates]
    about: str = ""
    condition: str = ""

    @functools.cached_property
    def digest(self) -> str:
        """Sixteen hexadecimal digits that are the same for the same cells."""
        found = hashlib.sha256()
        for name in sorted(self.memories):
            cells = self.memories[name]
            found.update(f"{name} {cells.shape}".encode())
            for array in (cells.threshold1, cells.threshold0, cells.stuck):
                found.update(np.ascontiguousarray(array, array.dtype.newbyteorder("<")).tobytes())
        return found.hexdigest()[:16]

    def check(self, memories: Iterable[MemoryInfo], network: str) -> None:
        """Raise InputError unless the map has these memories of a network, in their sizes.

        So also where a memory has check bits.
        """
        memories = tuple(memories)
        refuse_coded(memories)
        if self.network != network:
            raise InputError(f"the cell map is of {self.network}, not of {network}")
        for memory in memories:
            cells = self.memories.get(memory.name)
            if cells is None:
                raise InputError(
                    f"the cell map has no {memory.name}, only {', '.join(self.memories)}"[:280]
                )
            if cells.shape != (memory.depth, memory.width):
                raise InputError(
                    f"the cell map has {cells.shape[0]} words of {cells.shape[1]} bits for "
                    f"{memory.name}, which has {memory.depth} of {memory.width}: it is of another "
                    "folding, or of the network without a bundle"
                )

    def mean_rates(self, names: Iterable[str]) -> tuple[float, float]:
        """How often a written 1 and a written 0 err, over all cells of some memories."""
        chosen = [self.memories[name] for name in names]
        sizes = [cells.stuck.size for cells in chosen]
        one, zero = np.average([cells.mean_rates for cells in chosen], axis=0, weights=sizes)
        return float(one), float(zero)
