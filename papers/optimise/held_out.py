"""What is reported: losses and savings on the half of the images that no choice has seen.

Two things make a loss uncertain: which errors were drawn, and which images were taken. Both are in
the intervals here: the matrix of differences, a row for each repeat and a column for each image,
gives a variance of its rows' means and one of its columns', and their standard errors are added
as squares (crossed random effects; a little too wide, since each contains some of the other).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy import stats

from spinflow.host.sweep.statistics import LEVEL
from spinflow.papers.optimise.measuring import HELD_OUT, Half, Together
from spinflow.papers.optimise.search import Setting, total

Differences = npt.NDArray[np.int8]
"""Right without and wrong with errors is 1, the opposite -1: shape (repeats, images)."""


class Interval(NamedTuple):
    """A mean and the ends of its 95 % interval."""

    mean: float
    low: float
    high: float


def interval(differences: npt.NDArray[np.signedinteger]) -> Interval:
    """Return the mean of differences over repeats and images, with its interval."""
    repeats, images = differences.shape
    mean = float(differences.mean())
    error = math.hypot(
        float(differences.mean(axis=1).std(ddof=1)) / math.sqrt(repeats),
        float(differences.mean(axis=0).std(ddof=1)) / math.sqrt(images),
    )
    half = float(stats.t.ppf((1 + LEVEL) / 2, repeats - 1)) * error
    return Interval(mean, mean - half, mean + half)


class HeldOut:
    """Measures settings on the half that is reported.

    Args:
        half: that half.
        repeats: of every setting; all have the same seeds.
    """

    def __init__(self, half: Half, repeats: int) -> None:
        self.half = half
        self.repeats = repeats
        self.exact = half.correct([half.exact()])[0]
        self._known: dict[str, Differences] = {}

    def none(self) -> Differences:
        """Return the differences of a write without errors."""
        return np.zeros((self.repeats, len(self.exact)), np.int8)

    def differences(self, problem: Together, setting: Setting) -> Differences:
        """Return what a setting gets wrong, int8, shape (repeats, images)."""
        point = problem.point(setting)
        if point.model not in self._known:
            trials = [self.half.trial(point, HELD_OUT + repeat) for repeat in range(self.repeats)]
            correct = self.half.correct(trials)
            self._known[point.model] = self.exact.astype(np.int8) - correct.astype(np.int8)
        return self._known[point.model]


@dataclass(frozen=True)
class Saving:
    """What a setting saves against single conditions for all memories, as shares of those.

    Attributes:
        equal: against the single condition that loses as much, between two levels if need be.
        clear: against the cheapest single condition that is not clearly worse: the highest rate
            whose paired difference to the setting has 0 in its interval, or is below it; never
            more than ``equal``.
        level: of the latter.
    """

    equal: float
    clear: float
    level: int


def saving(held: HeldOut, problem: Together, setting: Setting, single: Together) -> Saving:
    """Return what a setting saves at the same loss, and outside the intervals."""
    own = held.differences(problem, setting)

    def worse(level: int) -> Interval:
        return interval(held.differences(single, (level,)) - own)

    level, top = _level_of_loss(single, float(own.mean())), single.levels - 1
    while level < top and worse(level + 1).mean <= 0:
        level += 1
    while level > 0 and worse(level).mean > 0:
        level -= 1
    equal = single.energy(0, level)
    if level < top:
        below, above = worse(level).mean, worse(level + 1).mean
        share = -below / (above - below) if above > below else 0.0
        equal += min(max(share, 0.0), 1.0) * (single.energy(0, level + 1) - equal)
    while level < top and worse(level + 1).low <= 0:
        level += 1
    energy, clear = total(problem, setting), min(equal, single.energy(0, level))
    return Saving(1 - energy / equal, 1 - energy / clear, level)


def _level_of_loss(single: Together, loss: float) -> int:
    """Return about the level at which one condition for all has a loss."""
    below = [level for level in range(single.levels) if single.alone(0, level) <= loss]
    return below[-1] if below else 0
