"""What a write with errors must store and count: docs/contracts.md, section "Memories", in numpy.

Every error is a function of a seed and of a place in the stream, so a host that knows what was
there and what it writes knows each stored bit and each counter beforehand.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from spinflow.host.core import stream
from spinflow.host.core.errors import InputError
from spinflow.host.core.packing import Bits
from spinflow.host.core.text import shown

_BITS_AT_ONCE = 1 << 17  # bounds the memory that the draws take on the board


MODES = ("off", "flip", "switch")
"""Error modes; the place of each is its code in the MODE register."""


def check_mode(mode: str) -> None:
    """Raise InputError unless there is such an error mode."""
    if not isinstance(mode, str) or mode not in MODES:
        raise InputError(f"error mode {shown(mode)}: must be one of {', '.join(MODES)}")


@dataclass(frozen=True)
class Counts:
    """Counters of one memory: bits written, bits that differed from the old, errors by target."""

    written: int = 0
    switched: int = 0
    err1: int = 0
    err0: int = 0

    @property
    def errors(self) -> int:
        """All errors, on written ones and zeros."""
        return self.err1 + self.err0

    def __add__(self, other: Counts) -> Counts:
        return Counts(
            self.written + other.written,
            self.switched + other.switched,
            self.err1 + other.err1,
            self.err0 + other.err0,
        )


@dataclass(frozen=True)
class Errors:
    """How the writes of a memory err.

    Attributes:
        mode: ``off``, ``flip`` or ``switch``.
        threshold1: what its register RATE1 holds.
        threshold0: what its register RATE0 holds.
        seed: what its register SEED holds.
    """

    mode: str
    threshold1: int
    threshold0: int
    seed: int

    def hits(self, target: Bits, position: int = 0) -> npt.NDArray[np.bool_]:
        """Return which bits err, in the order of ``target``, from a position of the stream on."""
        found = np.zeros(target.size, np.bool_)
        if self.mode == "off":
            return found.reshape(target.shape)
        flat = target.reshape(-1)
        one, zero = np.uint32(self.threshold1), np.uint32(self.threshold0)
        for start in range(0, flat.size, _BITS_AT_ONCE):
            part = slice(start, start + _BITS_AT_ONCE)
            limits = np.where(flat[part] == 1, one, zero)
            found[part] = stream.hits(self.seed, position + start, limits)
        return found.reshape(target.shape)

    def weight_hits(self, target: Bits, position: int = 0) -> npt.NDArray[np.bool_]:
        """Return which bits of weight words (n, width) err, from a position of the stream on.

        Each segment takes 32 positions, as many of its bits as there are.
        """
        width = target.shape[1]
        filled = np.pad(target, ((0, 0), (0, -width % 32)))
        return self.hits(filled, position)[:, :width]

    def stored(self, target: Bits, old: Bits, hits: npt.NDArray[np.bool_]) -> Bits:
        """Return what cells hold after ``target`` was written over ``old``."""
        if self.mode == "flip":
            return target ^ hits
        return np.where(hits, old, target)  # switch keeps the old bit; off has no hits


def counts_of(target: Bits, old: Bits, stored: Bits) -> Counts:
    """Return what a write counts; an error is a stored bit that is not its target, in every mode.

    Args:
        target: what was to be written.
        old: what was there.
        stored: what is there now. All three have the same shape.
    """
    wrong = stored != target
    return Counts(
        target.size,
        int(np.count_nonzero(target != old)),
        int(np.count_nonzero(wrong & (target == 1))),
        int(np.count_nonzero(wrong & (target == 0))),
    )


def weights(errors: Errors, target: Bits, old: Bits) -> tuple[Bits, Counts]:
    """Return what is stored and counted when words are written right after a restart.

    Args:
        errors: how they err.
        target: what is written, shape (words, width), in the order of writing.
        old: what was there, the same shape.
    """
    stored = errors.stored(target, old, errors.weight_hits(target))
    return stored, counts_of(target, old, stored)


def buffer(errors: Errors, target: Bits, depth: int) -> tuple[Bits, Counts]:
    """Return what a buffer passes on and counts, from a soft reset on.

    Args:
        errors: how its writes err.
        target: the words that come in, shape (words, width).
        depth: words of the buffer.
    """
    hits = errors.hits(target)
    passed = np.empty_like(target)
    old, counts = np.zeros((depth, target.shape[1]), np.uint8), Counts()
    for start in range(0, len(target), depth):
        # No address comes twice within a turn, so all its old words are known.
        turn = slice(start, start + depth)
        before = old[: len(target[turn])]
        passed[turn] = errors.stored(target[turn], before, hits[turn])
        counts += counts_of(target[turn], before, passed[turn])
        before[:] = passed[turn]
    return passed, counts
