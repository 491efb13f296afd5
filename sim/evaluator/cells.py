"""The cells of a memory as the evaluator's writes go through them: lines of bits and thresholds."""

from __future__ import annotations

import functools

import numpy as np
from numpy.typing import NDArray

from spinflow.host.core import stream
from spinflow.host.core.cells import FREE, STUCK_AT_1, CellRates, Thresholds


class CellLines:
    """Thresholds in the order of the positions that a memory's bits take, and what is stuck.

    Args:
        cells: of the memory.
        segmented: whether each 32 bits of a word take 32 positions, as weights do in the
            hardware's stream; positions that no cell takes never err.

    Attributes:
        lines: of written ones and of written zeros; the same array twice where both are alike.
        highest: the largest threshold in each that does not err always.
        errs: whether any cell may err.
    """

    def __init__(self, cells: CellRates, segmented: bool) -> None:
        one, zero = (_line(limits, segmented) for limits in cells.limits)
        if np.array_equal(one, zero):
            zero = one
        self.lines = one, zero
        self.highest = _highest(one), _highest(zero)
        self.errs = bool(one.any() or zero.any())
        self._stuck = cells.stuck.reshape(-1) if (cells.stuck != FREE).any() else None
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


def _line(limits: Thresholds, segmented: bool) -> Thresholds:
    if segmented and limits.shape[1] % 32:
        limits = np.pad(limits, ((0, 0), (0, -limits.shape[1] % 32)))
    return np.ascontiguousarray(limits).reshape(-1)


def _highest(line: Thresholds) -> int:
    return int(np.where(line == stream.ALWAYS, np.uint32(0), line).max())


def _packed(flags: NDArray[np.bool_]) -> NDArray[np.uint64]:
    found = np.zeros(-(-flags.size // 64), np.uint64)
    packed = np.packbits(flags, bitorder="little")
    found.view(np.uint8)[: packed.size] = packed
    return found


@functools.lru_cache(maxsize=64)
def lines_of(cells: CellRates, segmented: bool) -> CellLines:
    """Return the lines of cells, which trials with the same map share."""
    return CellLines(cells, segmented)
