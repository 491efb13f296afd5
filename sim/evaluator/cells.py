"""The cells of a memory as the evaluator's writes go through them: lines of bits and thresholds."""

from __future__ import annotations

import functools

import numpy as np
from numpy.typing import NDArray

from spinflow.host.core import stream
from spinflow.host.core.cells import FREE, STUCK_AT_1, CellRates, Thresholds
from spinflow.sim.evaluator.kernels.fast_stream import DENSE
from spinflow.sim.evaluator.kernels.vectors import MARGIN


class CellLine:
    """Thresholds in the order of the positions, as the kernels take them.

    Args:
        limits: of the cells, shape (depth, width).
        segmented: whether each 32 bits of a word take 32 positions; those that no cell takes never
            err.

    Attributes:
        size: positions of a turn.
        thresholds: of a turn, and a margin.
        leading: their leading 8 bits.
        highest: the largest that does not err always.
        is_dense: whether any is one for which the fast stream draws at each position.
    """

    def __init__(self, limits: Thresholds, segmented: bool) -> None:
        if segmented and limits.shape[1] % 32:
            limits = np.pad(limits, ((0, 0), (0, -limits.shape[1] % 32)))
        self.size = limits.size
        self.thresholds: Thresholds = np.resize(limits, limits.size + MARGIN)
        self.leading = (self.thresholds >> np.uint32(stream.TAIL_BITS)).astype(np.uint8)
        always = limits == stream.ALWAYS
        self.highest = int(np.where(always, np.uint32(0), limits).max())
        self.is_dense = bool(limits.max() > DENSE)


class CellLines:
    """The cells of a memory: their thresholds, and what is stuck.

    Args:
        rates: of the cells.
        segmented: as weights lie in the hardware's stream.

    Attributes:
        lines: of written ones and of written zeros; the same twice where both are alike.
        errs: whether any cell may err.
    """

    def __init__(self, rates: CellRates, segmented: bool) -> None:
        one, zero = rates.limits
        first = CellLine(one, segmented)
        self.lines = first, first if np.array_equal(one, zero) else CellLine(zero, segmented)
        self.errs = bool(one.any() or zero.any())
        self._stuck = rates.stuck.reshape(-1) if (rates.stuck != FREE).any() else None
        self._held: tuple[int, NDArray[np.uint64], NDArray[np.uint64]] | None = None

    def hold(self, stored: NDArray[np.uint64], phase: int) -> None:
        """Set stuck cells in packed bits, the first of which is number `phase` of the memory."""
        if self._stuck is None:
            return
        if self._held is None or self._held[0] != phase:
            turned = np.roll(self._stuck, -phase)
            self._held = phase, _packed(turned != FREE), _packed(turned == STUCK_AT_1)
        _, mask, value = self._held
        words = stored[: len(mask)]
        words &= ~mask
        words |= value


def _packed(flags: NDArray[np.bool_]) -> NDArray[np.uint64]:
    found = np.zeros(-(-flags.size // 64), np.uint64)
    packed = np.packbits(flags, bitorder="little")
    found.view(np.uint8)[: packed.size] = packed
    return found


@functools.lru_cache(maxsize=64)
def lines_of(rates: CellRates, segmented: bool) -> CellLines:
    """Return the lines of cells, which trials with the same map share."""
    return CellLines(rates, segmented)
