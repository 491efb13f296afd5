"""Sweeps: the trials that a results file lacks are measured and appended, one after another."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path

from tqdm import tqdm

from spinflow.host.board.driver import Accelerator
from spinflow.host.core import start
from spinflow.host.core.bundle import Bundle
from spinflow.host.core.errors import InputError
from spinflow.host.core.test_sets import TestSet
from spinflow.host.sweep.bench import Bench
from spinflow.host.sweep.progress import TimeLeft, duration
from spinflow.host.sweep.results import ResultsFile
from spinflow.host.sweep.row import Identity, Key, Row
from spinflow.host.sweep.trials import MOST_TRIALS, Trial, in_grid, key
from spinflow.host.sweep.under_way import Note, UnderWay


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
        # scipy, which the board need not have
        from spinflow.host.sweep.statistics import repeats_for_width

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

Measuring = Callable[[Bundle, TestSet], Measure]
"""Makes what measures the trials of a bundle on images."""


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
    note = Note(results.path)
    try:
        _fill(results, of, trials, measure, until, note=note)
    finally:
        note.close()
    results.check()
    return results.rows


def _fill(
    results: ResultsFile,
    of: Identity,
    trials: Sequence[Trial],
    measure: Measure,
    until: UntilWidth | None,
    *,
    note: Note,
) -> None:
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
            note(UnderWay(bar.n, len(planned), None, until is not None))
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
                    note(UnderWay(bar.n, len(planned), rest, until is not None))
        latest = until.more(of, planned, rows) if until is not None else []
        planned += latest


def on_accelerator(bundle: Bundle, tests: TestSet) -> Measure:
    """Return the ``measure`` of :func:`sweep` that uses the board, or the virtual board."""

    def measure(trials: Sequence[Trial]) -> Measured:
        with Accelerator(bundle) as accelerator:
            bench = Bench(accelerator, tests)
            for trial in trials:
                begin = time.monotonic()
                row = bench.row(trial)
                yield row, time.monotonic() - begin

    return measure
