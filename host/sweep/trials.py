"""Trials and sweeps: accuracy and write energy of a network against the errors of its memories.

A trial programs errors into the selected memories, writes the weights if they are among them, runs
the images and reads the counters. All repeats of all rates use the same images, and the seeds of a
repeat do not depend on the rate, so that comparisons are paired.

What a trial is does not depend on what measures it: a board, the virtual board, or software that
offers the same operations (``Device``). So a grid gives the same rows on each but for the columns
of time.
"""

from __future__ import annotations

import statistics
import sys
import time
from collections import deque
from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass, replace
from itertools import product
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
from tqdm import tqdm

from spinflow.host.board.driver import (
    Accelerator,
    Snapshot,
    background_words,
    check_background,
)
from spinflow.host.core import start, stream
from spinflow.host.core.bundle import Bundle, MemoryInfo
from spinflow.host.core.errors import DeviceError, InputError, RateError
from spinflow.host.core.memory import Counts, check_mode
from spinflow.host.core.packing import Words, count_ones
from spinflow.host.core.test_sets import TestSet
from spinflow.host.sweep.aging import NONE, Aging, aged
from spinflow.host.sweep.energy import WriteCounts, write_counts_of_buffer, write_counts_of_weights
from spinflow.host.sweep.operating_point import OperatingPoint
from spinflow.host.sweep.results import Identity, Key, ResultsFile, Row

MOST_TRIALS = 1_000_000
"""Trials of a sweep: all its rows are held in memory, some 3 kB each."""


class Device(Protocol):
    """What measures trials: the operations of ``host.board.driver.Accelerator`` that they need."""

    @property
    def bundle(self) -> Bundle:
        """The bundle that is loaded."""

    @property
    def backend(self) -> str:
        """The name of this kind of device in the results."""

    def set_thresholds(
        self, memory: str, mode: str, threshold1: int = 0, threshold0: int = 0, seed: int = 0
    ) -> None:
        """Set how the writes of one memory err, as its registers hold it."""

    def write_weights(
        self,
        arrays: Mapping[str, Words] | None = None,
        memories: Sequence[str] | None = None,
        background: str = "previous",
    ) -> dict[str, Counts]:
        """Write weights over a background, return what was counted, and reset."""

    def read_weights(self, memory: str) -> Words:
        """Read a weight memory back."""

    def run(self, images: npt.NDArray[Any]) -> npt.NDArray[np.uint8]:
        """Classify images."""

    def snapshot(self) -> Snapshot:
        """Read all counters."""

    def soft_reset(self) -> None:
        """Clear stream positions, buffers and counters."""


@dataclass(frozen=True)
class Trial:
    """One row to measure."""

    selection: str
    mode: str
    point: OperatingPoint
    background: str
    repeat: int
    seed: int
    aging: Aging = NONE


def grid(
    bundle: Bundle,
    *,
    selections: Sequence[str],
    modes: Sequence[str],
    points: Sequence[OperatingPoint],
    backgrounds: Sequence[str],
    repeats: int,
    seed: int,
    agings: Callable[[OperatingPoint], Sequence[Aging]] = lambda point: (NONE,),
) -> list[Trial]:
    """Return the trials of a sweep, repeat by repeat, so that whole curves come first.

    A selection without weights has no background and does not age: its trials are there once,
    with ``none``.

    Raises:
        InputError: no such memory, mode or background, no repeat, more than MOST_TRIALS, or
            aging without weights.
        RateError: a seed beyond 32 bits, or a rate other than 0 with mode off.
    """
    if repeats < 1:
        raise InputError(f"{repeats} repeats: at least 1 is needed")
    for mode in modes:
        check_mode(mode)
    for background in backgrounds:
        check_background(background)
    writes = {name: any(m.is_weights for m in bundle.select(name)) for name in selections}
    ages = {point: tuple(agings(point)) for point in points}
    if not any(writes.values()) and any(any(choice) for choice in ages.values()):
        raise InputError(
            f"retention and reads are of weights, which {', '.join(selections)} has none of"
        )
    points_once = dict.fromkeys(
        Trial(
            selection,
            mode,
            point,
            background if writes[selection] else "none",
            0,
            seed,
            aging if writes[selection] else NONE,
        )
        for selection, mode, background, point in product(selections, modes, backgrounds, points)
        for aging in ages[point]
    )
    for trial in points_once:
        if trial.mode == "off" and trial.point.has_errors:
            raise RateError(
                f"bit-error rate {trial.point.rate1} with mode off: choose flip, switch or rate 0"
            )
    check_number(len(points_once), repeats)
    stream.memory_seed(seed, repeats - 1, 0)
    return [replace(trial, repeat=repeat) for repeat in range(repeats) for trial in points_once]


def check_number(points: int, repeats: int) -> None:
    """Check that all repeats of so many points are no more than MOST_TRIALS.

    Raises:
        InputError: they are.
    """
    if points * repeats > MOST_TRIALS:
        raise InputError(
            f"{points * repeats} trials ({points} points, {repeats} repeats): at most "
            f"{MOST_TRIALS} are possible, so take fewer, or several sweeps with other seeds"
        )


class Bench:
    """A device, its weights and the images: measures one trial after another.

    A row depends on its trial alone, not on the trials before it.

    Args:
        device: loaded; its weights are written, and read back to be sure of them.
        tests: the images of every trial.
    """

    def __init__(self, device: Device, tests: TestSet) -> None:
        self.device = device
        self.tests = tests
        self._bundle = device.bundle
        self._inexact = {m.name for m in self._bundle.memories if m.is_weights}
        self._image_set = tests.fingerprint
        self._errors_off()
        self._restore(set())
        for memory in self._bundle.memories:
            if memory.is_weights:
                self._compare(memory)

    def _compare(self, memory: MemoryInfo) -> None:
        found, written = self.device.read_weights(memory.name), self._bundle.weights[memory.name]
        if not np.array_equal(found, written):
            word = int(np.argwhere((found != written).any(axis=1))[0, 0])
            raise DeviceError(f"{memory.name} reads back another word {word} than was written")

    def row(self, trial: Trial) -> Row:
        """Measure one trial."""
        chosen = self._bundle.select(trial.selection)
        self._prepare(trial, chosen)
        counts, kinds, upsets = self._write(trial, chosen)
        labels = self.device.run(self.tests.images)
        after = self.device.snapshot()
        if after.frames != len(labels):
            raise DeviceError(f"{after.frames} frames were counted, {len(labels)} images were run")
        for memory in chosen:
            counts += after.memories[memory.name]
            if not memory.is_weights:
                kinds += write_counts_of_buffer(memory, after.memories[memory.name])
        point = trial.point
        energy_j, bound_j = kinds.energy(point.costs)
        return Row(
            network=self._bundle.network,
            memory=trial.selection,
            mode=trial.mode,
            rate=point.rate1,
            background=trial.background,
            repeat=trial.repeat,
            seed=trial.seed,
            images=len(self.tests.images),
            accuracy=float(np.mean(labels == self.tests.labels)),
            bits_written=counts.written,
            errors=counts.errors,
            energy_j=energy_j,
            cycles=after.cycles,
            build_id=self._bundle.build_id,
            rate0=point.rate0,
            pulse_s=point.pulse_s,
            energy_per_bit_j=energy_j / counts.written,
            switched=counts.switched,
            err1=counts.err1,
            err0=counts.err0,
            stalls=after.stalls,
            clock_mhz=self._bundle.clock_mhz,
            image_set=self._image_set,
            backend=self.device.backend,
            model=point.model,
            drive=point.drive,
            drive_unit=point.drive_unit,
            switched1_low=kinds.switched1[0],
            switched1_high=kinds.switched1[1],
            same1_low=kinds.same1[0],
            same1_high=kinds.same1[1],
            energy_switched1_j=point.costs.switched1_j,
            energy_switched0_j=point.costs.switched0_j,
            energy_same1_j=point.costs.same1_j,
            energy_same0_j=point.costs.same0_j,
            energy_bound_j=bound_j,
            conventional_j=kinds.energy(point.conventional)[0],
            **asdict(trial.aging),
            upsets=upsets,
        )

    def _prepare(self, trial: Trial, chosen: Sequence[MemoryInfo]) -> None:
        """Make all memories exact but those that this trial writes anew."""
        self._errors_off()
        rewritten = {memory.name for memory in chosen if memory.is_weights}
        # What the trial before left is nothing that a resumed sweep could know, so a chain of
        # rewrites starts from exact weights too.
        self._restore(set() if trial.background == "previous" else rewritten)

    def _write(self, trial: Trial, chosen: Sequence[MemoryInfo]) -> tuple[Counts, WriteCounts, int]:
        """Set the errors of a trial, write its weights and let them age.

        Returns:
            Counts of the writing, its bits by kind, and the bits that aging turned over.
        """
        weights = [memory for memory in chosen if memory.is_weights]
        names = [memory.name for memory in weights]
        first = 0 if trial.background == "previous" else trial.repeat
        counts, kinds, upsets = Counts(), WriteCounts(), 0
        # Rate 0 makes no error in any mode, and mode off writes at the speed of the bus.
        mode = trial.mode if trial.point.has_errors else "off"
        # Over the background `previous`, repeat n rewrites what repeat n - 1 left.
        for repeat in range(first, trial.repeat + 1):
            for memory in chosen:
                self.device.set_thresholds(
                    memory.name,
                    mode,
                    trial.point.threshold1,
                    trial.point.threshold0,
                    stream.memory_seed(trial.seed, repeat, memory.index),
                )
            if not weights:
                break
            self._inexact.update(names)
            last = repeat == trial.repeat
            old = {m.name: self._old(m, trial.background) for m in weights} if last else {}
            written = self.device.write_weights(memories=names, background=trial.background)
            if last:
                counts = sum(written.values(), Counts())
                for m in weights:
                    target = self._bundle.weights[m.name]
                    kinds += write_counts_of_weights(m, target, old[m.name], written[m.name])
            upsets = self._age(trial, weights, repeat)
        self.device.soft_reset()
        return counts, kinds, upsets

    def _old(self, memory: MemoryInfo, background: str) -> Words:
        """Return what the weights are about to be written over."""
        words = background_words(memory, background)
        return self.device.read_weights(memory.name) if words is None else words

    def _age(self, trial: Trial, weights: Sequence[MemoryInfo], repeat: int) -> int:
        """Turn over stored bits as retention and reads do; return how many."""
        if not trial.aging:
            return 0
        upsets = 0
        for memory in weights:
            stored = self.device.read_weights(memory.name)
            words = aged(memory, stored, trial.aging, trial.seed, repeat)
            changed = count_ones(stored ^ words)
            if changed:
                self.device.set_thresholds(memory.name, "off")
                self.device.write_weights({memory.name: words}, memories=[])
            upsets += changed
        return upsets

    def _errors_off(self) -> None:
        for memory in self._bundle.memories:
            self.device.set_thresholds(memory.name, "off")

    def _restore(self, spared: set[str]) -> None:
        """Write the exact weights into every memory that lacks them, but those spared."""
        stale = sorted(self._inexact - spared)
        if stale:
            self.device.write_weights(memories=stale)
            self._inexact -= set(stale)


def identity(bundle: Bundle, tests: TestSet, backend: str) -> Identity:
    """Return what all rows of one results file share."""
    return Identity(bundle.network, bundle.build_id, len(tests.images), tests.fingerprint, backend)


def key(of: Identity, trial: Trial) -> Key:
    """Return the key that the row of a trial will have."""
    return Key(
        *of,
        memory=trial.selection,
        mode=trial.mode,
        rate=trial.point.rate1,
        rate0=trial.point.rate0,
        model=trial.point.model,
        drive=trial.point.drive,
        pulse_s=trial.point.pulse_s,
        retention_s=trial.aging.retention_s,
        reads=trial.aging.reads,
        delta=trial.aging.delta,
        read_voltage_v=trial.aging.read_voltage_v,
        read_pulse_s=trial.aging.read_pulse_s,
        background=trial.background,
        repeat=trial.repeat,
        seed=trial.seed,
    )


def in_grid(of: Identity, trials: Sequence[Trial]) -> Callable[[Key], bool]:
    """Return the function that says whether a key is of this grid, whatever its repeat."""
    points = {key(of, trial)._replace(repeat=0) for trial in trials}
    return lambda found: found._replace(repeat=0) in points


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
        """Note that a trial is finished, and what it took on whatever ran it."""
        kind, units = self._kind(trial)
        self._units[kind] -= units
        self._costs.setdefault(kind, deque(maxlen=31)).append(seconds / units)
        if self._started is None:
            self._started = self._now()  # the start-up of workers is no part of the pace
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


@dataclass(frozen=True)
class UntilWidth:
    """Adaptive repeats: go on where the 95 % interval is wider than asked for.

    Attributes:
        width: width of the interval that is asked for, as a fraction.
        most: repeats at which a point is given up.
    """

    width: float
    most: int

    def more(self, of: Identity, trials: Sequence[Trial], rows: Mapping[Key, Row]) -> list[Trial]:
        """Return the trials of the next round, repeat by repeat; none when all are narrow enough.

        Args:
            of: the identity of the rows.
            trials: all trials so far, whose rows are there.
            rows: the rows by key.

        Raises:
            InputError: all repeats together are more than MOST_TRIALS.
        """
        from spinflow.host.sweep.statistics import (
            repeats_for_width,
        )  # scipy: the board need not have it

        points: dict[Trial, list[float]] = {}
        for trial in trials:
            points.setdefault(replace(trial, repeat=0), []).append(rows[key(of, trial)].accuracy)
        wanted = {
            point: repeats_for_width(seen, self.width, self.most) for point, seen in points.items()
        }
        if sum(wanted.values()) > MOST_TRIALS:
            raise InputError(
                f"intervals of {self.width:g} need {sum(wanted.values())} trials: at most "
                f"{MOST_TRIALS} are possible, so ask for wider ones or for fewer max_repeats"
            )
        return [
            replace(point, repeat=repeat)
            for repeat in range(max(wanted.values(), default=0))
            for point, seen in points.items()
            if len(seen) <= repeat < wanted[point]
        ]


Measured = Generator[tuple[Row, float], None, None]
"""Rows, each with the seconds that measuring it took."""

Measure = Callable[[Sequence[Trial]], Measured]
"""Yields the rows of trials, in their order."""


def sweep(
    of: Identity,
    trials: Sequence[Trial],
    path: Path,
    measure: Measure,
    until: UntilWidth | None = None,
    *,
    aside: bool = False,
) -> list[Row]:
    """Measure the trials that a results file lacks, and append each as it is finished.

    Args:
        of: what the rows share.
        trials: the grid.
        path: the results file.
        measure: what measures them.
        until: asks for more repeats where intervals are wide.
        aside: rename results of another sweep instead of refusing them.

    Returns:
        All rows of the file.

    Raises:
        HostError: any of this package's errors; finished rows stay.
    """
    with ResultsFile(path, of, in_grid(of, trials), aside) as results:
        return fill(results, of, trials, measure, until)


def fill(
    results: ResultsFile,
    of: Identity,
    trials: Sequence[Trial],
    measure: Measure,
    until: UntilWidth | None = None,
) -> list[Row]:
    """Do what :func:`sweep` does, in a results file that is open.

    Rows are appended in the order of the grid, then in that of each round of further repeats.
    """
    rows = {row.key: row for row in results.rows}
    planned = list(trials)
    latest = planned
    while latest:
        missing = [trial for trial in latest if key(of, trial) not in rows]
        if missing:
            left = TimeLeft(missing)
            bar = tqdm(
                desc=of.network,
                total=len(planned),
                initial=len(planned) - len(missing),
                file=sys.stderr,
                dynamic_ncols=True,
                bar_format="{desc}: {percentage:3.0f}%|{bar}| {n_fmt}/{total_fmt} trials "
                "[{elapsed}{postfix}]",
            )
            with bar, closing(measure(missing)) as measured:
                for trial, (row, seconds) in zip(missing, measured, strict=True):
                    results.append(row)
                    start.check_signals()
                    rows[row.key] = row
                    left.done(trial, seconds)
                    rest = left.seconds()
                    if rest is not None:
                        word = "about" if until is None else "at least"
                        bar.set_postfix_str(f"{word} {duration(rest)} left", refresh=False)
                    bar.update()
        latest = until.more(of, planned, rows) if until is not None else []
        planned += latest
    results.check()
    return results.rows


def on_accelerator(bundle: Bundle, tests: TestSet) -> Measure:
    """Return the ``measure`` of :func:`sweep` that uses the board, or the virtual board."""

    def measure(trials: Sequence[Trial]) -> Measured:
        with Accelerator(bundle) as accelerator:
            bench = Bench(accelerator, tests)
            for trial in trials:
                start = time.monotonic()
                row = bench.row(trial)
                yield row, time.monotonic() - start

    return measure
