"""The energy of writing, from the accelerator's counters.

A device model tells up to four kinds of writes apart: the bit is to be 1 or 0, and it switches or
it is what it was before. The counters tell how many bits were written and how many of them needed
switching, exactly; which of the two targets they had follows so:

- Weights: the host knows what it writes and what was there (the background, or what the rewrite
  before left), so all four counts are exact.
- Buffers: no counter tells the targets of written bits. But a cell that went from 0 to 1 must come
  back before it can go again, so ones and zeros that switched are equal in number but for the
  bits that stayed: with d the change of the number of ones that the buffer holds,

      S1 - S0 = d + ERR1 - ERR0,   0 <= d <= bits of the buffer, since it counts as 0 at the reset.

  (Each stored 0 -> 1 is a switched 1 without error or an unswitched 0 with one in mode flip, each
  stored 1 -> 0 the opposite; in mode switch only the first kind exists.) Of the bits that did not
  switch, any number may have been 1.

An energy is therefore an interval; its middle is reported with half its width. It is a point for
weights, and for buffers wherever the model costs both targets alike.
"""

from __future__ import annotations

from dataclasses import dataclass

from spinflow.host.core.bundle import MemoryInfo
from spinflow.host.core.errors import DeviceError
from spinflow.host.core.memory import Counts
from spinflow.host.core.packing import Words, count_ones


@dataclass(frozen=True)
class Costs:
    """What a write of each kind takes, joules: target 1 or 0, switched or the same as before."""

    switched1_j: float
    switched0_j: float
    same1_j: float
    same0_j: float


@dataclass(frozen=True)
class WriteCounts:
    """Written bits by kind. Of those with target 1 a range is known, exact where its ends meet.

    Attributes:
        switched: written bits that differed from the old.
        same: written bits that did not.
        switched1: least and most of the switched ones whose target was 1.
        same1: least and most of the others whose target was 1.
    """

    switched: int = 0
    same: int = 0
    switched1: tuple[int, int] = (0, 0)
    same1: tuple[int, int] = (0, 0)

    def __add__(self, other: WriteCounts) -> WriteCounts:
        return WriteCounts(
            self.switched + other.switched,
            self.same + other.same,
            (self.switched1[0] + other.switched1[0], self.switched1[1] + other.switched1[1]),
            (self.same1[0] + other.same1[0], self.same1[1] + other.same1[1]),
        )

    def energy(self, costs: Costs) -> tuple[float, float]:
        """Return the energy in joules and how far it can be off, half the width of its range."""
        if costs.switched1_j == costs.switched0_j == costs.same1_j == costs.same0_j:
            return (self.switched + self.same) * costs.same1_j, 0.0
        middle = bound = 0.0
        for ones, bits, one_j, zero_j in (
            (self.switched1, self.switched, costs.switched1_j, costs.switched0_j),
            (self.same1, self.same, costs.same1_j, costs.same0_j),
        ):
            middle += bits * zero_j + (ones[0] + ones[1]) / 2 * (one_j - zero_j)
            bound += (ones[1] - ones[0]) / 2 * abs(one_j - zero_j)
        return middle, bound


def write_counts_of_weights(
    memory: MemoryInfo, target: Words, old: Words, counts: Counts
) -> WriteCounts:
    """Return the bits of one writing of a weight memory by kind, exactly.

    Args:
        memory: the weight memory.
        target: the words that were written, uint32, shape (depth, segments).
        old: the words that were there before, the same shape.
        counts: what the accelerator counted.

    Raises:
        DeviceError: the counters say otherwise.
    """
    switched1, switched0 = count_ones(target & ~old), count_ones(old & ~target)
    switched = switched1 + switched0
    if (counts.written, counts.switched) != (memory.bits, switched):
        raise DeviceError(
            f"{memory.name}: {counts.written} bits written, {counts.switched} switched were "
            f"counted, but the weights give {memory.bits} and {switched}"
        )
    same1 = count_ones(target & old)
    return WriteCounts(switched, memory.bits - switched, (switched1, switched1), (same1, same1))


def write_counts_of_buffer(memory: MemoryInfo, counts: Counts) -> WriteCounts:
    """Return the bits written into a buffer since a soft reset by kind, as far as they are known.

    Args:
        memory: the buffer.
        counts: what it counted since the soft reset.
    """
    excess = counts.err1 - counts.err0
    stored = min(memory.bits, counts.written)
    low = max(0, -(-(counts.switched + excess) // 2))
    high = min(counts.switched, (counts.switched + excess + stored) // 2)
    same = counts.written - counts.switched
    return WriteCounts(counts.switched, same, (low, high), (0, same))
