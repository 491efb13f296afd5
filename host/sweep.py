"""Trials and sweeps: accuracy and write energy of a network against the errors of its memories.

A trial programs errors into the selected memories, writes the weights if they are among them, runs
the images and reads the counters. All repeats of all rates use the same images, and the seeds of a
repeat do not depend on the rate, so that comparisons are paired.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path

import numpy as np
from tqdm import tqdm

from host import rates
from host.bundle import Bundle, Memory
from host.driver import Accelerator, Counts, check_background, check_mode
from host.errors import DeviceError, InputError, RateError
from host.images import TestSet
from host.results import Key, ResultsFile, Row
from model.mtj import exponential
from model.mtj.condition import WriteCondition


@dataclass(frozen=True)
class Point:
    """How bits are written: rates as the registers hold them, and what a write costs.

    Attributes:
        rate1: bit-error rate of a written 1.
        rate0: bit-error rate of a written 0.
        pulse_s: pulse width, seconds.
        energy_per_bit_j: energy of one written bit, joules.
    """

    rate1: float
    rate0: float
    pulse_s: float
    energy_per_bit_j: float


def point_of_rate(rate1: float, rate0: float | None = None) -> Point:
    """Return the point of a bare rate: the write condition that has this rate.

    Rate 0 is costed at the conventional write, whose rate no image set of this size can tell from
    0. Where the two targets differ, each bit is costed at the longer of the two pulses, since a
    word is written with one pulse.

    Raises:
        RateError: a rate that the registers cannot hold.
    """
    held1 = rates.rate(rates.threshold(rate1))
    held0 = held1 if rate0 is None else rates.rate(rates.threshold(rate0))
    lower = min(held1, held0)
    condition = exponential.from_rate(lower if lower > 0.0 else exponential.CONVENTIONAL_RATE)
    return Point(held1, held0, condition.pulse_s, _energy(condition))


def point_of_target(rate: float) -> Point:
    """Return the point of the write condition that reaches a target rate, above 0.

    Raises:
        RateError: no pulse has that rate, or the registers cannot hold it.
    """
    try:
        return point_of_condition(exponential.from_rate(rate))
    except RateError:
        raise
    except ValueError as error:
        raise RateError(f"target rate {rate}: {error}") from None


def point_of_pulse(pulse_s: float) -> Point:
    """Return the point of a pulse width in seconds.

    Raises:
        RateError: not a pulse width, or its rate is too small for the registers.
    """
    try:
        return point_of_condition(exponential.from_pulse(pulse_s))
    except RateError as error:
        raise RateError(f"pulse of {pulse_s} s: {error}") from None
    except ValueError as error:
        raise RateError(f"pulse of {pulse_s} s: {error}") from None


def point_of_condition(condition: WriteCondition) -> Point:
    """Return the point of a write condition; errors as :func:`host.rates.threshold`."""
    return Point(
        rates.rate(rates.threshold(condition.rate1)),
        rates.rate(rates.threshold(condition.rate0)),
        condition.pulse_s,
        _energy(condition),
    )


def _energy(condition: WriteCondition) -> float:
    # The counters do not tell written ones from written zeros, so only a device whose two
    # energies are equal can be costed from them.
    if condition.energy1_j != condition.energy0_j:
        raise RateError(
            f"write condition of {condition.model}: its energy depends on the bit that is written, "
            "which the counters do not tell"
        )
    return condition.energy1_j


@dataclass(frozen=True)
class Trial:
    """One row to measure."""

    selection: str
    mode: str
    point: Point
    background: str
    repeat: int
    seed: int


def grid(
    bundle: Bundle,
    *,
    selections: Sequence[str],
    modes: Sequence[str],
    points: Sequence[Point],
    backgrounds: Sequence[str],
    repeats: int,
    seed: int,
) -> list[Trial]:
    """Return the trials of a sweep, repeat by repeat, so that whole curves come first.

    A selection without weights has no background: its trials are there once, with ``none``.

    Raises:
        InputError: no such memory, mode or background, or no repeat.
        RateError: a seed beyond 32 bits, or a rate other than 0 with mode off.
    """
    if repeats < 1:
        raise InputError(f"{repeats} repeats: at least 1 is needed")
    rates.memory_seed(seed, repeats - 1, 0)
    for mode in modes:
        check_mode(mode)
    for background in backgrounds:
        check_background(background)
    writes = {name: any(m.is_weights for m in bundle.select(name)) for name in selections}
    trials = [
        Trial(selection, mode, point, background if writes[selection] else "none", repeat, seed)
        for repeat, selection, mode, background, point in product(
            range(repeats), selections, modes, backgrounds, points
        )
    ]
    for trial in trials:
        if trial.mode == "off" and (trial.point.rate1 or trial.point.rate0):
            raise RateError(
                f"bit-error rate {trial.point.rate1} with mode off: choose flip, switch or rate 0"
            )
    return list(dict.fromkeys(trials))


class Bench:
    """An accelerator, its weights and the images: measures one trial after another.

    Args:
        accelerator: loaded; its weights are written, and read back to be sure of them.
        tests: the images of every trial.
    """

    def __init__(self, accelerator: Accelerator, tests: TestSet) -> None:
        self.accelerator = accelerator
        self.tests = tests
        self._bundle = accelerator.bundle
        self._inexact = {m.name for m in self._bundle.memories if m.is_weights}
        self._image_set = tests.fingerprint
        self._errors_off()
        self._restore(set())
        for memory in self._bundle.memories:
            if memory.is_weights:
                self._compare(memory)

    def _compare(self, memory: Memory) -> None:
        found, written = (
            self.accelerator.read_weights(memory.name),
            self._bundle.weights[memory.name],
        )
        if not np.array_equal(found, written):
            word = int(np.argwhere((found != written).any(axis=1))[0, 0])
            raise DeviceError(f"{memory.name} reads back another word {word} than was written")

    def row(self, trial: Trial) -> Row:
        """Measure one trial."""
        chosen = self._bundle.select(trial.selection)
        self._prepare(trial, chosen)
        counts = self._write(trial, chosen)
        labels = self.accelerator.run(self.tests.images)
        after = self.accelerator.snapshot()
        if after.frames != len(labels):
            raise DeviceError(f"{after.frames} frames were counted, {len(labels)} images were run")
        for memory in chosen:
            counts += after.memories[memory.name]
        point = trial.point
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
            energy_j=counts.written * point.energy_per_bit_j,
            cycles=after.cycles,
            build_id=self._bundle.build_id,
            rate0=point.rate0,
            pulse_s=point.pulse_s,
            energy_per_bit_j=point.energy_per_bit_j,
            switched=counts.switched,
            err1=counts.err1,
            err0=counts.err0,
            stalls=after.stalls,
            clock_mhz=self._bundle.clock_mhz,
            image_set=self._image_set,
        )

    def _prepare(self, trial: Trial, chosen: Sequence[Memory]) -> None:
        """Make all memories exact but those that this trial writes anew."""
        self._errors_off()
        rewritten = {memory.name for memory in chosen if memory.is_weights}
        # What the trial before left is nothing that a resumed sweep could know, so a chain of
        # rewrites starts from exact weights too.
        self._restore(set() if trial.background == "previous" else rewritten)

    def _write(self, trial: Trial, chosen: Sequence[Memory]) -> Counts:
        """Set the errors of a trial and write its weights; counts of the writing."""
        names = [memory.name for memory in chosen if memory.is_weights]
        first = 0 if trial.background == "previous" else trial.repeat
        counts = Counts()
        # Rate 0 makes no error in any mode, and mode off writes at the speed of the bus.
        mode = trial.mode if trial.point.rate1 or trial.point.rate0 else "off"
        # Over the background `previous`, repeat n rewrites what repeat n - 1 left.
        for repeat in range(first, trial.repeat + 1):
            for memory in chosen:
                self.accelerator.set_errors(
                    memory.name,
                    mode,
                    trial.point.rate1,
                    trial.point.rate0,
                    rates.memory_seed(trial.seed, repeat, memory.index),
                )
            if names:
                self._inexact.update(names)
                written = self.accelerator.write_weights(
                    memories=names, background=trial.background
                )
                counts = sum(written.values(), Counts())
        self.accelerator.soft_reset()
        return counts

    def _errors_off(self) -> None:
        for memory in self._bundle.memories:
            self.accelerator.set_errors(memory.name, "off")

    def _restore(self, spared: set[str]) -> None:
        """Write the exact weights into every memory that lacks them, but those spared."""
        stale = sorted(self._inexact - spared)
        if stale:
            self.accelerator.write_weights(memories=stale)
            self._inexact -= set(stale)


def key(bundle: Bundle, tests: TestSet, trial: Trial) -> Key:
    """Return the key that the row of a trial will have."""
    return Key(
        network=bundle.network,
        build_id=bundle.build_id,
        images=len(tests.images),
        image_set=tests.fingerprint,
        memory=trial.selection,
        mode=trial.mode,
        rate=trial.point.rate1,
        rate0=trial.point.rate0,
        pulse_s=trial.point.pulse_s,
        background=trial.background,
        repeat=trial.repeat,
        seed=trial.seed,
    )


def identity(bundle: Bundle, tests: TestSet) -> tuple[str, int, int, str]:
    """Return what all rows of one results file share: network, build, images and their set."""
    return bundle.network, bundle.build_id, len(tests.images), tests.fingerprint


def sweep(bundle: Bundle, tests: TestSet, trials: Sequence[Trial], path: Path) -> list[Row]:
    """Measure the trials that a results file lacks, and append each as it is finished.

    Returns:
        All rows of the file.

    Raises:
        HostError: any of this package's errors; finished rows stay.
    """
    with ResultsFile(path, identity(bundle, tests)) as results:
        missing = [trial for trial in trials if key(bundle, tests, trial) not in results]
        if missing:
            with Accelerator(bundle) as accelerator:
                bench = Bench(accelerator, tests)
                progress = tqdm(
                    missing,
                    desc=bundle.network,
                    unit="trial",
                    total=len(trials),
                    initial=len(trials) - len(missing),
                    file=sys.stderr,
                    dynamic_ncols=True,
                )
                for trial in progress:
                    results.append(bench.row(trial))
        return results.rows
