"""Measures the settings of the search: losses on one half of the images, and on the other.

What a choice rests on is measured by ordinary trials, whose rows go to a results file: a run that
was stopped goes on where it was. Settings share the seeds of their repeats, so that they are
compared on the same errors. The half that results are reported on takes no part in any choice.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from spinflow.host.core import start
from spinflow.host.core.bundle import Bundle
from spinflow.host.core.errors import InputError
from spinflow.host.core.test_sets import TestSet
from spinflow.host.sweep.bench import Bench
from spinflow.host.sweep.energy import WriteCounts
from spinflow.host.sweep.operating_point import OperatingPoint, point_of_each, point_of_rate
from spinflow.host.sweep.results import ResultsFile
from spinflow.host.sweep.row import Identity, Key, Row
from spinflow.host.sweep.trials import Trial, identity, key
from spinflow.papers.optimise.choices import Choice, Choices
from spinflow.papers.optimise.curves import Measured, curve
from spinflow.papers.optimise.search import Setting
from spinflow.sim.sweeps.jobs import Job
from spinflow.sim.sweeps.workers import groups

BACKGROUND = "random:1"
"""What weights are written over."""

COARSE = 6
"""Levels from one point of a memory's curve to the next."""

CURVE_FROM = 1e-4
"""Lowest rate of the curves; below, a loss is taken in proportion to the rate."""

HELD_OUT = 10_000
"""First repeat on the half that is reported: no choice has seen the seeds from there on."""


def halves(tests: TestSet) -> tuple[TestSet, TestSet]:
    """Return the images at even and at odd places.

    Raises:
        InputError: there are fewer than four, two for the interval of either half.
    """
    if len(tests.images) < 4:
        raise InputError(f"{len(tests.images)} images: at least 4 are needed for two halves")
    first, second = (
        TestSet(
            tests.images[place::2],
            tests.labels[place::2],
            f"{tests.choice}, those at {word} places",
            tests.data,
        )
        for place, word in enumerate(("even", "odd"))
    )
    return first, second


@dataclass(frozen=True)
class Repeats:
    """How many repeats each kind of measurement has."""

    search: int
    confirm: int
    report: int


class Half:
    """One half of the images, on which trials are measured.

    Args:
        job: of the network.
        tests: the images.
        mode: error mode of all memories.
        seed: base seed.
    """

    def __init__(self, job: Job, tests: TestSet, mode: str, seed: int) -> None:
        self.job = replace(job, tests=tests)
        self.bench: Bench = self.job.bench(None)
        self.bundle: Bundle = self.bench.device.bundle
        self.mode = mode
        self.seed = seed
        self.of: Identity = identity(self.bundle, tests, job.backend)

    def trial(self, point: OperatingPoint, repeat: int, memory: str = "all") -> Trial:
        """Return a trial of a point in one memory or all."""
        writes = any(each.is_weights for each in self.bundle.select(memory))
        background = BACKGROUND if writes else "none"
        mode = self.mode if point.has_errors else "off"
        return Trial(memory, mode, point, background, repeat, self.seed)

    def exact(self) -> Trial:
        """Return the trial without errors."""
        return self.trial(point_of_rate(0.0), 0)

    def writes(self) -> dict[str, WriteCounts]:
        """Return the bits that are written into each memory: weights once, maps for all images."""
        return self.bench.samples([self.exact()])[0].writes

    def correct(self, trials: Sequence[Trial]) -> npt.NDArray[np.bool_]:
        """Return which images each trial classifies correctly, bool, shape (trials, images)."""
        found = []
        for group in groups(self.job, trials, 1):
            found += [
                sample.labels == self.bench.tests.labels for sample in self.bench.samples(group)
            ]
            start.check_signals()
        return np.array(found)


class Journal:
    """Rows of the half that choices rest on, each measured once and kept in a results file."""

    def __init__(self, half: Half, results: ResultsFile) -> None:
        self.half = half
        self.results = results
        self.rows: dict[Key, Row] = {row.key: row for row in results.rows}

    def accuracies(self, trials: Sequence[Trial]) -> list[float]:
        """Return the accuracies of trials; those that the file lacks are measured."""
        keys = [key(self.half.of, trial) for trial in trials]
        missing = {k: t for k, t in zip(keys, trials, strict=True) if k not in self.rows}
        for group in groups(self.half.job, list(missing.values()), 1):
            for row in self.half.bench.rows(group):
                self.results.append(row)
                self.rows[row.key] = row
            start.check_signals()
        return [self.rows[k].accuracy for k in keys]


@dataclass(frozen=True)
class Scheme:
    """Which memories share a condition.

    Attributes:
        name: in the tables.
        groups: names of the memories, by condition.
    """

    name: str
    groups: tuple[tuple[str, ...], ...]


def schemes(bundle: Bundle) -> list[Scheme]:
    """Return the schemes: one condition for all, one for each kind, one for each memory."""
    names = tuple(memory.name for memory in bundle.memories)
    kinds = tuple(
        tuple(memory.name for memory in bundle.memories if memory.is_weights == wanted)
        for wanted in (True, False)
    )
    return [
        Scheme("one for all", (names,)),
        Scheme("one a kind", tuple(kind for kind in kinds if kind)),
        Scheme("one a memory", tuple((name,) for name in names)),
    ]


def measured_curves(
    journal: Journal, choices: Choices, repeats: int, say: Callable[[str], None]
) -> dict[str, list[float]]:
    """Measure what each memory loses alone; return its loss at every level."""
    half = journal.half
    exact = journal.accuracies([half.exact()])[0]
    last = len(choices.rates) - 1
    places = [p for p in range(last, 0, -COARSE) if choices.rates[p] >= CURVE_FROM][::-1]
    found = {}
    for memory in half.bundle.memories:
        say(f"{memory.name}: {len(places)} rates alone, {repeats} repeats")
        trials = [
            half.trial(choices.choice(memory.name, place).point, repeat, memory.name)
            for repeat in range(repeats)
            for place in places
        ]
        losses = exact - np.array(journal.accuracies(trials)).reshape(repeats, -1)
        errors = losses.std(axis=0, ddof=1) / np.sqrt(repeats)
        points = [
            Measured(choices.rates[place], float(loss), float(error))
            for place, loss, error in zip(places, losses.mean(axis=0), errors, strict=True)
        ]
        found[memory.name] = curve(points, choices.rates)
    return found


class Together:
    """A scheme of a network as the search sees it: all errors together, on one half.

    Args:
        journal: measures.
        choices: conditions and energies.
        curves: losses of the memories alone, by level.
        scheme: which memories share a level.
        repeats: of the search and of confirmations, which have seeds of their own.
    """

    def __init__(
        self,
        journal: Journal,
        choices: Choices,
        curves: Mapping[str, Sequence[float]],
        scheme: Scheme,
        repeats: Repeats,
    ) -> None:
        self._journal = journal
        self._choices = choices
        self._curves = curves
        self._scheme = scheme
        self._repeats = repeats
        self._exact = journal.accuracies([journal.half.exact()])[0]
        self._energies: dict[tuple[int, int], float] = {}

    @property
    def places(self) -> int:
        """How many conditions there are."""
        return len(self._scheme.groups)

    @property
    def levels(self) -> int:
        """How many rates there are."""
        return len(self._choices.rates)

    def choice(self, place: int, level: int) -> Choice:
        """Return the condition that a group of memories shares at a level."""
        return self._choices.shared(self._scheme.groups[place], level)

    def energy(self, place: int, level: int) -> float:
        """Return the write energy of a group for a frame, joules."""
        if (place, level) not in self._energies:
            point = self.choice(place, level).point
            self._energies[place, level] = sum(
                self._choices.energy_at(name, point) for name in self._scheme.groups[place]
            )
        return self._energies[place, level]

    def alone(self, place: int, level: int) -> float:
        """Return the sum of what the memories of a group lose alone."""
        return sum(self._curves[name][level] for name in self._scheme.groups[place])

    def losses(self, settings: Sequence[Setting]) -> list[float]:
        """Measure the losses of settings."""
        return self._losses(settings, range(self._repeats.search))

    def confirmed(self, setting: Setting) -> float:
        """Measure the loss of a setting with seeds of its own."""
        first = self._repeats.search
        return self._losses([setting], range(first, first + self._repeats.confirm))[0]

    def by_memory(self, setting: Setting) -> dict[str, int]:
        """Return the levels of a setting by memory."""
        return {
            name: setting[place]
            for place, group in enumerate(self._scheme.groups)
            for name in group
        }

    def setting(self, levels: Mapping[str, int]) -> Setting:
        """Return levels by memory as a setting: of each group the lowest."""
        return tuple(min(levels[name] for name in group) for group in self._scheme.groups)

    def conditions(self, setting: Setting) -> dict[str, Choice]:
        """Return the condition of each memory, by its name, in the order of the memories."""
        found = {
            name: self.choice(place, setting[place])
            for place, group in enumerate(self._scheme.groups)
            for name in group
        }
        return {m.name: found[m.name] for m in self._journal.half.bundle.memories}

    def point(self, setting: Setting) -> OperatingPoint:
        """Return a setting as an operating point."""
        return point_of_each({n: c.point for n, c in self.conditions(setting).items()})

    def _losses(self, settings: Sequence[Setting], repeats: range) -> list[float]:
        points = [self.point(setting) for setting in settings]
        trials = [self._journal.half.trial(p, repeat) for p in points for repeat in repeats]
        found = np.array(self._journal.accuracies(trials)).reshape(len(points), len(repeats))
        return [float(loss) for loss in self._exact - found.mean(axis=1)]


def say(text: str) -> None:
    """Tell a user how far the work has come."""
    print(text, file=sys.stderr, flush=True)
