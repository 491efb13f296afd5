"""What happens to written weights before they are used: retention and read disturb.

Both turn over bits that are already stored, whether these are right or wrong: they come after the
write errors and may even undo one. So they are not write errors, and their rates are not those of
the rate registers. The host reads the weights back, turns bits over by draws of its own, and writes
the result in mode off: the same draws for the same seed on every backend.

- Retention: thermal agitation turns a cell over at the junction's Neel-Arrhenius rate.
- Read disturb: a read sends a small current in one direction, which can only push the free layer
  towards one of its states.

Both are of the weights alone, which stay; a feature map is read once, right after it was written.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from spinflow.host.core import stream
from spinflow.host.core.bundle import MemoryInfo
from spinflow.host.core.packing import Bits, Words, bits_of, words_of

_RETENTION_DOMAIN = 0x8E7E0000
_DISTURB_DOMAIN = 0xD1570000
_WORDS_AT_ONCE = 4096  # bounds the memory that the draws take on the board


@dataclass(frozen=True)
class Aging:
    """How written weights age before the images are run.

    Attributes:
        retention_s: time since the writing, seconds.
        reads: reads of every weight.
        delta: thermal stability of the cells; 0 where nothing ages.
        read_voltage_v: voltage of a read, volts; above 0 it drives towards a 1.
        read_pulse_s: width of a read, seconds.
        turned: probability that a cell is in its other state after ``retention_s``.
        disturbed1: probability that the reads turned over a stored 1.
        disturbed0: probability that the reads turned over a stored 0.
    """

    retention_s: float = 0.0
    reads: int = 0
    delta: float = 0.0
    read_voltage_v: float = 0.0
    read_pulse_s: float = 0.0
    turned: float = 0.0
    disturbed1: float = 0.0
    disturbed0: float = 0.0

    def __bool__(self) -> bool:
        return self.retention_s > 0 or self.reads > 0


def aged(memory: MemoryInfo, words: Words, aging: Aging, base_seed: int, repeat: int) -> Words:
    """Return what a weight memory holds after aging.

    Bit b of word n takes words 2 p and 2 p + 1 of its stream, p = n * width + b, as the high and
    the low half of 64 bits, once for the retention and then once for the reads. 64 bits, since
    these probabilities are far below what the 32 of a write error can hold.

    Args:
        memory: the weight memory.
        words: what it holds, uint32, shape (depth, segments).
        aging: how it ages.
        base_seed: base seed of the trial.
        repeat: repeat of the trial.

    Returns:
        uint32, shape (depth, segments).
    """
    retention = stream.memory_seed(base_seed, repeat, memory.index, _RETENTION_DOMAIN)
    disturb = stream.memory_seed(base_seed, repeat, memory.index, _DISTURB_DOMAIN)
    parts = []
    for start in range(0, memory.depth, _WORDS_AT_ONCE):
        bits = bits_of(words[start : start + _WORDS_AT_ONCE], memory.width)
        first = start * memory.width
        bits ^= _hits(retention, first, bits, aging.turned, aging.turned)
        bits ^= _hits(disturb, first, bits, aging.disturbed1, aging.disturbed0)
        parts.append(words_of(bits))
    return np.concatenate(parts)


def _hits(seed: int, first: int, bits: Bits, rate1: float, rate0: float) -> npt.NDArray[np.bool_]:
    """Return which bits are turned over, bool of the shape of ``bits``."""
    if max(rate1, rate0) * 2.0**64 < 1.0:
        return np.zeros(bits.shape, np.bool_)
    positions = 2 * (first + np.arange(bits.size, dtype=np.uint64))
    high = stream.words(seed, positions).astype(np.uint64)
    low = stream.words(seed, positions + np.uint64(1)).astype(np.uint64)
    drawn = (high << np.uint64(32) | low).reshape(bits.shape)
    one, zero = (np.uint64(min(int(rate * 2**64), 2**64 - 1)) for rate in (rate1, rate0))
    hits: npt.NDArray[np.bool_] = drawn < np.where(bits == 1, one, zero)
    return hits


NONE = Aging()
"""Weights that are used at once and keep what was written."""
