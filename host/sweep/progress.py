"""How long the rest of a sweep will take."""

from __future__ import annotations

import statistics
import time
from collections import deque
from collections.abc import Callable, Iterable
from typing import Any

from spinflow.host.sweep.trials import Trial


class TimeLeft:
    """How long the rest of a sweep will take, from what trials of the same kind took.

    Trials differ: buffers take draws for every image, weights once, and over the background
    ``previous`` repeat n takes n + 1 writings. So each kind has a cost of its own, the median of
    its last trials. A kind that none has been seen of is taken for the mean of the others.

    Args:
        now: the clock, seconds.
    """

    def __init__(self, trials: Iterable[Trial], now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._units: dict[tuple[Any, ...], int] = {}
        self._costs: dict[tuple[Any, ...], deque[float]] = {}
        for trial in trials:
            kind, units = self._kind(trial)
            self._units[kind] = self._units.get(kind, 0) + units
        self._started: float | None = None
        self._busy_s = 0.0

    @staticmethod
    def _kind(trial: Trial) -> tuple[tuple[Any, ...], int]:
        exact = not trial.point.has_errors
        units = trial.repeat + 1 if trial.background == "previous" else 1
        return (trial.selection, trial.mode, trial.background, exact, bool(trial.aging)), units

    def done(self, trial: Trial, seconds: float) -> None:
        """Note that a trial is finished, and how many seconds its worker took for it."""
        kind, units = self._kind(trial)
        self._units[kind] -= units
        self._costs.setdefault(kind, deque(maxlen=31)).append(seconds / units)
        if self._started is None:
            self._started = self._now()  # the start-up of workers is not part of the pace
        else:
            self._busy_s += seconds

    def seconds(self) -> float | None:
        """Return the seconds left, None while nothing is known."""
        if not self._costs or self._started is None:
            return None
        costs = {kind: statistics.median(seen) for kind, seen in self._costs.items()}
        unseen = statistics.fmean(costs.values())
        work_s = sum(units * costs.get(kind, unseen) for kind, units in self._units.items())
        elapsed = self._now() - self._started
        # Seconds of work that are done in a second: near the number of workers.
        pace = self._busy_s / elapsed if self._busy_s > 0 and elapsed > 0 else 1.0
        return work_s / pace


def duration(seconds: float) -> str:
    """Return a duration in the unit that a person would choose."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
