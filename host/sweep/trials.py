"""Trials: what a sweep measures, one row each, and the keys by which rows are known.

All repeats of all rates use the same images, and the seeds of a repeat do not depend on the rate,
so that comparisons are paired.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import product

from spinflow.host.board.driver import check_background
from spinflow.host.core import stream
from spinflow.host.core.bundle import Bundle
from spinflow.host.core.errors import InputError, RateError
from spinflow.host.core.memory import check_mode
from spinflow.host.core.test_sets import TestSet
from spinflow.host.core.text import one_line
from spinflow.host.sweep.aging import NONE, Aging
from spinflow.host.sweep.mapped import MapFile, point_of_map
from spinflow.host.sweep.operating_point import OperatingPoint
from spinflow.host.sweep.row import Identity, Key

MOST_TRIALS = 1_000_000
"""Trials of a sweep: all its rows are held in memory, some 3 kB each."""


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
    cells: MapFile | None = None


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
    maps: Sequence[MapFile] = (),
) -> list[Trial]:
    """Return the trials of a sweep, repeat by repeat, so that whole curves come first.

    A selection without weights has no background and does not age: its trials are there once,
    with ``none``. A cell map is a point, too, one that does not age.

    Raises:
        InputError: no such memory, mode or background, no repeat, more than MOST_TRIALS, aging
            without weights, or a cell map of other memories.
        RateError: a seed beyond 32 bits, or a rate other than 0 with mode off.
    """
    if repeats < 1:
        raise InputError(f"{repeats} repeats: at least 1 is needed")
    for mode in modes:
        check_mode(mode)
    for background in backgrounds:
        check_background(background)
    for point in points:
        if point.each:
            _check_each(bundle, point, selections)
    writes = {name: any(m.is_weights for m in bundle.select(name)) for name in selections}
    ages = {point: tuple(agings(point)) for point in points}
    if not any(writes.values()) and any(any(choice) for choice in ages.values()):
        raise InputError(
            f"retention and reads age weights only, and {', '.join(selections)} selects no weights"
        )
    choices = {
        name: [
            *((point, aging, None) for point in points for aging in ages[point]),
            *((point_of_map(file, bundle, name), NONE, file) for file in maps),
        ]
        for name in selections
    }
    points_once = _once(
        Trial(
            selection,
            mode,
            point,
            background if writes[selection] else "none",
            0,
            seed,
            aging if writes[selection] else NONE,
            cells,
        )
        for selection, mode, background in product(selections, modes, backgrounds)
        for point, aging, cells in choices[selection]
    )
    for trial in points_once:
        if trial.mode == "off" and trial.cells is not None:
            raise InputError("a cell map with mode off, which writes exactly: take flip or switch")
        if trial.mode == "off" and trial.point.has_errors:
            rate = trial.point.rate1 or trial.point.rate0
            raise RateError(f"bit-error rate {rate:g} with mode off: choose flip, switch or rate 0")
    check_number(len(points_once), repeats)
    stream.memory_seed(seed, repeats - 1, 0)
    return [replace(trial, repeat=repeat) for repeat in range(repeats) for trial in points_once]


def _once(trials: Iterable[Trial]) -> list[Trial]:
    """Return the first of all trials whose rows would have one key.

    Two files may hold the same cells, or the same conditions in another order.
    """
    nothing = Identity("", 0, 0, "", "")
    found: dict[Key, Trial] = {}
    for trial in trials:
        found.setdefault(key(nothing, trial), trial)
    return list(found.values())


def _check_each(bundle: Bundle, point: OperatingPoint, selections: Sequence[str]) -> None:
    """Check that a point with conditions of its own for each memory is one of this network.

    Raises:
        InputError: it is of another one, names another memory, or none of one that is selected.
    """
    point.check_network(bundle.network)
    names = {memory.name for memory in bundle.memories}
    for name, _ in point.each:
        if name not in names:
            raise InputError(
                f"the conditions name {one_line(name, 60)}, which {bundle.network} has not: it has "
                f"{one_line(', '.join(sorted(names)), 150)}"
            )
    for selection in selections:
        for memory in bundle.select(selection):
            point.of(memory.name)


def check_number(points: int, repeats: int) -> None:
    """Check that all repeats of this number of points are at most MOST_TRIALS.

    Raises:
        InputError: they are more.
    """
    if points * repeats > MOST_TRIALS:
        raise InputError(
            f"{points * repeats} trials ({points} points, {repeats} repeats): at most "
            f"{MOST_TRIALS} are possible, so take fewer, or several sweeps with other seeds"
        )


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
        cell_map="none" if trial.cells is None else trial.cells.digest,
    )


def in_grid(of: Identity, trials: Sequence[Trial]) -> Callable[[Key], bool]:
    """Return the function that says whether a key is of this grid, for any repeat."""
    points = {key(of, trial)._replace(repeat=0) for trial in trials}
    return lambda found: found._replace(repeat=0) in points
