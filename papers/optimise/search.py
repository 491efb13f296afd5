"""The search: the levels that take the least energy at a loss, among all settings of them.

A setting is a level for each of some places (memories, or groups of them that share a condition).
What a place loses alone gives a first guess: steps along the lower convex hulls of energy against
loss, the steepest first, are what Lagrange's multipliers would choose for every loss at once if
losses added up. They do not, so how far to go along that path is measured with all errors together.
To all that was measured so, a factor is fitted for each place: how much more it loses beside the
others than alone. With the factors the path is laid anew, and steps around the best setting so far
are ranked: raise a place, or raise one and lower another. The most promising are measured, and what
takes least of those that keep the loss is the next best setting. At the end other error patterns
have the last word: what was chosen for the luck of its seeds is stepped back.
"""

from __future__ import annotations

import heapq
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

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
    hulls = [_hull(problem, place) for place in range(problem.places)]
    known = _along(problem, path(hulls), budget)
    known |= dict(zip(starts, problem.losses(starts), strict=True))
    local = Local(problem, budget, hulls, known)
    local.improve()
    ends = [local.confirm(), *(Found(start, problem.confirmed(start)) for start in starts)]
    kept = [found for found in ends if found.loss <= budget]
    return min(kept or ends[:1], key=lambda found: total(problem, found.setting))


def total(problem: Problem, setting: Setting) -> float:
    """Return what a setting takes."""
    return math.fsum(problem.energy(place, level) for place, level in enumerate(setting))


Hull = list[tuple[float, int]]
"""The corners of a lower convex hull: energy saved for a loss on the way there, and level."""


def path(hulls: Sequence[Hull], factors: Sequence[float] | None = None) -> list[Setting]:
    """Return settings from the lowest levels to the highest, each the best one of its loss.

    That is, if what places lose alone added up.

    Args:
        hulls: of the places.
        factors: how many times more each loses than alone; 1 if not given.
    """
    heap: list[tuple[float, int, int]] = []  # the steepest step first
    for place, hull in enumerate(hulls):
        for worth, level in hull:
            heapq.heappush(heap, (-worth / (factors[place] if factors else 1.0), place, level))
    levels = [0] * len(hulls)
    found = [tuple(levels)]
    while heap:
        _, place, level = heapq.heappop(heap)
        levels[place] = max(levels[place], level)
        found.append(tuple(levels))
    return found


def _hull(problem: Problem, place: int) -> Hull:
    energies = [problem.energy(place, level) for level in range(problem.levels)]
    losses = [problem.alone(place, level) for level in range(problem.levels)]
    corners: Hull = []
    here = 0
    while here < problem.levels - 1:
        best = (-1.0, here)
        for level in range(here + 1, problem.levels):
            saved, lost = energies[here] - energies[level], losses[level] - losses[here]
            best = max(best, (saved / lost if lost > 0 else math.inf, level))
        # Energy may rise where a model's cheapest drive changes: no step is worth that.
        if best[0] <= 0:
            break
        corners.append(best)
        here = best[1]
    return corners


def _along(problem: Problem, found: list[Setting], budget: float) -> dict[Setting, float]:
    """Find how far a path keeps the budget; return the settings that were measured, and losses."""
    known = {found[0]: problem.losses([found[0]])[0]}
    low, high = 0, len(found)
    while high - low > 1:
        parts = min(BATCH // 2, high - low)
        between = sorted({low + (high - low) * part // parts for part in range(1, parts)} - {low})
        settings = [found[place] for place in between or [low + 1]]
        for setting, loss in zip(settings, problem.losses(settings), strict=True):
            known[setting] = loss
        for place in between or [low + 1]:
            if known[found[place]] > budget:
                high = place
                break
            low = place
    return known


class Local:
    """Steps around a setting, each measured.

    Args:
        problem: what is searched.
        budget: loss that is asked for.
        hulls: of the places.
        known: settings with their measured losses. The best of them is where to begin; if none
            keeps the budget, the one that loses least.
    """

    def __init__(
        self,
        problem: Problem,
        budget: float,
        hulls: Sequence[Hull],
        known: dict[Setting, float],
    ) -> None:
        self.problem = problem
        self.budget = budget
        self._hulls = hulls
        self._known = known
        kept = [setting for setting, loss in known.items() if loss <= budget]
        self.setting = (
            min(kept, key=lambda s: total(problem, s))
            if kept
            else min(known, key=lambda s: known[s])
        )
        self.loss = known[self.setting]
        self._factors = [1.0] * problem.places
        self._fit()

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
        start = self.setting
        found = self.problem.losses(tried)
        best = total(self.problem, start)
        for setting, loss in zip(tried, found, strict=True):
            self._known[setting] = loss
            energy = total(self.problem, setting)
            if loss <= self.budget and energy < best:
                best, self.setting, self.loss = energy, setting, loss
        self._fit()
        return self.setting != start

    def _promising(self, size: int) -> list[Setting]:
        """Return steps that save energy and may keep the loss, the most promising first."""
        here = total(self.problem, self.setting)
        found = []
        for setting in self._around(size) | self._planned():
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

    def _planned(self) -> set[Setting]:
        """Return the settings of the path, laid with the factors as known, about at the budget."""
        found = {}
        for setting in path(self._hulls, self._factors):
            expected = self.loss + self._change(setting)
            for share in (0.9, 0.95, 1.0, 1.05):
                if expected <= share * self.budget:
                    found[share] = setting
        return set(found.values())

    def _change(self, setting: Setting) -> float:
        """Return about how much more a setting loses than the one here."""
        alone = self.problem.alone
        return math.fsum(
            factor * (alone(place, new) - alone(place, old))
            for place, (factor, old, new) in enumerate(
                zip(self._factors, self.setting, setting, strict=True)
            )
            if new != old
        )

    def _fit(self) -> None:
        """Fit the factors of the places to what was measured not far from the budget.

        Least squares with a prior: all factors equal to what fits best together, to as much again.
        """
        near = [s for s, loss in self._known.items() if 0.25 < loss / self.budget < 3]
        if not near:
            return
        alone = np.array(
            [[self.problem.alone(p, level) for p, level in enumerate(s)] for s in near]
        )
        losses = np.array([self._known[s] for s in near])
        prior = float(losses.sum() / alone.sum())
        error = 0.1 * self.budget
        matrix = np.vstack([alone * prior / error, np.eye(self.problem.places)])
        wanted = np.concatenate([losses / error, np.ones(self.problem.places)])
        fitted = np.linalg.lstsq(matrix, wanted, rcond=None)[0]
        self._factors = [prior * min(max(float(f), 0.1), 10.0) for f in fitted]

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
