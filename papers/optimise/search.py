"""The search: the levels that take the least energy at a loss, among all settings of them.

A setting is a level for each of some places (memories, or groups of them that share a condition).
What a place loses alone gives a first guess: steps along the lower convex hulls of energy against
loss, the steepest first, are what Lagrange's multipliers would choose for every loss at once if
losses added up. They do not, so how far to go along that path is measured with all errors together,
and from there on every step is: raise a place, or raise one and lower another, and keep what saves
most of what keeps the loss. How much more or less a place loses beside the others than alone is
learned on the way from what was measured. At the end other error patterns have the last word: what
was chosen for the luck of its seeds is stepped back.
"""

from __future__ import annotations

import heapq
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

Setting = tuple[int, ...]
"""The level of each place."""

BATCH = 8
"""Settings that are measured between two decisions."""

ROUNDS = 10
"""Most decisions with steps of one size."""

FAILURES = 3
"""Batches in a row without a better setting after which steps become smaller."""

SIZES = (8, 4, 2, 1)
"""Levels of a step, from the first rounds to the last."""

RETREATS = 40
"""Steps back after which a setting is given up."""


class Problem(Protocol):
    """What is searched: places with levels from 0, whose energy falls as the level rises."""

    @property
    def places(self) -> int:
        """How many places there are."""

    @property
    def levels(self) -> int:
        """How many levels each has."""

    def energy(self, place: int, level: int) -> float:
        """Return what a place takes at a level."""

    def alone(self, place: int, level: int) -> float:
        """Return about what a place loses at a level where all others make no errors."""

    def losses(self, settings: Sequence[Setting]) -> list[float]:
        """Measure the losses of settings, all errors together, the same seeds for each."""

    def confirmed(self, setting: Setting) -> float:
        """Measure a loss once more, with seeds that no choice has seen."""


@dataclass(frozen=True)
class Found:
    """A setting and its loss, as confirmed."""

    setting: Setting
    loss: float


def search(problem: Problem, budget: float, starts: Sequence[Setting] = ()) -> Found:
    """Return the setting that takes least of those whose loss is at most ``budget``.

    Args:
        problem: what is searched.
        budget: loss that is asked for.
        starts: settings that are known to be good, as those found with fewer places.
    """
    setting, loss = _along(problem, path(problem), budget)
    for start, measured in zip(starts, problem.losses(starts), strict=True):
        if measured <= budget and total(problem, start) < total(problem, setting):
            setting, loss = start, measured
    local = Local(problem, budget, setting, loss)
    local.improve()
    ends = [local.confirm(), *(Found(start, problem.confirmed(start)) for start in starts)]
    kept = [found for found in ends if found.loss <= budget]
    return min(kept or ends[:1], key=lambda found: total(problem, found.setting))


def total(problem: Problem, setting: Setting) -> float:
    """Return what a setting takes."""
    return math.fsum(problem.energy(place, level) for place, level in enumerate(setting))


def path(problem: Problem) -> list[Setting]:
    """Return settings from the lowest levels to the highest, each the best one of its loss.

    That is, if what places lose alone added up.
    """
    heap: list[tuple[float, int, int]] = []  # the steepest step first
    for place in range(problem.places):
        for worth, level in _hull(problem, place):
            heapq.heappush(heap, (-worth, place, level))
    levels = [0] * problem.places
    found = [tuple(levels)]
    while heap:
        _, place, level = heapq.heappop(heap)
        levels[place] = max(levels[place], level)
        found.append(tuple(levels))
    return found


def _hull(problem: Problem, place: int) -> list[tuple[float, int]]:
    """Return the corners of a place's lower convex hull: energy saved for a loss, and level."""
    corners: list[tuple[float, int]] = []
    here = 0
    while here < problem.levels - 1:
        best = (-1.0, here)
        for level in range(here + 1, problem.levels):
            saved = problem.energy(place, here) - problem.energy(place, level)
            lost = problem.alone(place, level) - problem.alone(place, here)
            worth = saved / lost if lost > 0 else math.inf
            best = max(best, (worth, level))
        # Energy may rise where a model's cheapest drive changes: no step is worth that.
        if best[0] <= 0:
            break
        corners.append(best)
        here = best[1]
    return corners


def _along(problem: Problem, found: list[Setting], budget: float) -> tuple[Setting, float]:
    """Return the last setting of a path whose measured loss is within the budget, and the loss."""
    low, low_loss, high = 0, problem.losses([found[0]])[0], len(found)
    while high - low > 1:
        parts = min(BATCH // 2, high - low)
        between = sorted({low + (high - low) * part // parts for part in range(1, parts)} - {low})
        between = between or [low + 1]
        for place, loss in zip(
            between, problem.losses([found[place] for place in between]), strict=True
        ):
            if loss > budget:
                high = place
                break
            low, low_loss = place, loss
    return found[low], low_loss


class Local:
    """Steps around a setting, each measured.

    Args:
        problem: what is searched.
        budget: loss that is asked for.
        setting: where to begin.
        loss: its measured loss.
    """

    def __init__(self, problem: Problem, budget: float, setting: Setting, loss: float) -> None:
        self.problem = problem
        self.budget = budget
        self.setting = setting
        self.loss = loss
        self._known = {setting: loss}
        alone = sum(problem.alone(place, level) for place, level in enumerate(setting))
        # How much more a place loses beside the others than alone.
        self._factors = [min(max(loss / alone, 0.3), 3.0) if alone > 0 else 1.0] * problem.places

    def improve(self) -> None:
        """Step to settings that take less, as long as any that is tried keeps the loss."""
        for size in SIZES:
            failed = 0
            for _ in range(ROUNDS):
                tried = self._promising(size)[:BATCH]
                # What fails corrects what is expected, so the next ones are better chosen.
                failed = 0 if tried and self._step(tried) else failed + 1
                if not tried or failed == FAILURES:
                    break

    def _step(self, tried: Sequence[Setting]) -> bool:
        """Measure settings and go to the best that keeps the loss; return whether there is one."""
        start, before = self.setting, self.loss
        found = self.problem.losses(tried)
        best = total(self.problem, start)
        for setting, loss in zip(tried, found, strict=True):
            self._known[setting] = loss
            self._learn(start, setting, loss - before)
            energy = total(self.problem, setting)
            if loss <= self.budget and energy < best:
                best, self.setting, self.loss = energy, setting, loss
        return self.setting != start

    def _promising(self, size: int) -> list[Setting]:
        """Return steps that save energy and may keep the loss, the most promising first."""
        here = total(self.problem, self.setting)
        found = []
        for setting in self._around(size):
            saved = here - total(self.problem, setting)
            if saved > 0 and setting not in self._known:
                over = self.loss + self._change(setting) - self.budget
                if over <= 0.05 * self.budget:
                    found.append((over > 0, -saved, setting))
        return [setting for *_, setting in sorted(found)]

    def _around(self, size: int) -> set[Setting]:
        found = set()
        for up in range(self.problem.places):
            for down in range(self.problem.places):
                for less in (0,) if up == down else (size, max(1, size // 2), 2 * size):
                    levels = list(self.setting)
                    levels[up] = min(levels[up] + size, self.problem.levels - 1)
                    levels[down] = max(levels[down] - less, 0)
                    found.add(tuple(levels))
        return found - {self.setting}

    def _changes(self, start: Setting, setting: Setting) -> list[float]:
        """Return about how much more each place loses in a setting than in another."""
        alone = self.problem.alone
        return [
            factor * (alone(place, new) - alone(place, old)) if new != old else 0.0
            for place, (factor, old, new) in enumerate(
                zip(self._factors, start, setting, strict=True)
            )
        ]

    def _change(self, setting: Setting) -> float:
        """Return about how much more a setting loses than the one here."""
        return math.fsum(self._changes(self.setting, setting))

    def _learn(self, start: Setting, setting: Setting, change: float) -> None:
        """Correct what is expected of the place that was raised by what was measured."""
        changes = self._changes(start, setting)
        for place, rise in enumerate(changes):
            if rise > 0:
                ratio = (change - (math.fsum(changes) - rise)) / rise
                self._factors[place] *= math.sqrt(min(max(ratio, 0.25), 4.0))

    def confirm(self) -> Found:
        """Step back until seeds that no choice has seen find the loss within the budget."""
        loss = self.problem.confirmed(self.setting)
        for _ in range(RETREATS):
            if loss <= self.budget or not any(self.setting):
                break
            self._retreat(loss - self.budget)
            loss = self.problem.confirmed(self.setting)
        return Found(self.setting, loss)

    def _retreat(self, excess: float) -> None:
        """Lower places, those first that save most loss for their energy, until that should do."""
        gained = 0.0
        for _ in range(2 * self.problem.places):
            steps = []
            for place, level in enumerate(self.setting):
                if level:
                    lower = (*self.setting[:place], level - 1, *self.setting[place + 1 :])
                    spent = self.problem.energy(place, level - 1) - self.problem.energy(
                        place, level
                    )
                    saved = -self._change(lower)
                    steps.append((saved / spent if spent > 0 else math.inf, saved, lower))
            if not steps:
                break
            _, saved, self.setting = max(steps)
            gained += saved
            if gained >= excess:
                break
