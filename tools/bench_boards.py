"""Images per second of a sweep on the RTL with one virtual board and with two.

`python -m tools.bench_boards BUNDLE` prints JSON: for a sweep of the weights and one of the
buffers, images x trials per second of wall clock and of processor time with 1 and 2 boards, start
of the worker processes included, and the ratio by the wall clock.
"""

import json
import resource
import statistics
import sys
import time
from pathlib import Path

from spinflow.host.core.bundle import Bundle, load
from spinflow.host.core.test_sets import TestSet, images_for
from spinflow.host.sweep.operating_point import point_of_rate
from spinflow.host.sweep.trials import Trial, grid
from spinflow.model.zoo import ENTRIES
from spinflow.sim.sweeps.boards import on_boards

IMAGES = 2_000
"""Of a perceptron; a convolutional network takes as many as a sweep of it on the RTL."""
TRIALS = 6
ROUNDS = 2
BOARDS = (1, 2)


def processor_s() -> float:
    """Return the processor time of this process and of those that it has waited for, in s."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(each.ru_utime + each.ru_stime for each in used)


def measured(bundle: Bundle, tests: TestSet, trials: list[Trial]) -> dict[str, float]:
    """Return the figures of one sweep; the numbers of boards take turns."""
    wall: dict[int, list[float]] = {boards: [] for boards in BOARDS}
    processor: dict[int, list[float]] = {boards: [] for boards in BOARDS}
    seen = []
    for _ in range(ROUNDS):
        for boards in BOARDS:
            start, before = time.perf_counter(), processor_s()
            seen.append([row for row, _ in on_boards(bundle, tests, boards)(trials)])
            wall[boards].append(time.perf_counter() - start)
            processor[boards].append(processor_s() - before)
    assert all(rows == seen[0] for rows in seen), "another number of boards gives other rows"
    images = len(trials) * len(tests.images)
    figures = {}
    for boards in BOARDS:
        figures[f"images_per_s_{boards}"] = images / statistics.median(wall[boards])
        figures[f"images_per_processor_s_{boards}"] = images / statistics.median(processor[boards])
    ratios = [one / two for one, two in zip(wall[1], wall[2], strict=True)]
    return {**figures, "ratio": statistics.median(ratios)}


def main() -> None:
    """Measure one bundle."""
    bundle = load(Path(sys.argv[1]))
    entry = ENTRIES.get(bundle.network)
    count = entry.images if entry is not None and len(entry.spec.shape) == 3 else IMAGES
    tests = images_for(bundle, count)
    figures: dict[str, object] = {"images": count, "trials": TRIALS}
    for memories in ("weights", "buffers"):
        trials = grid(
            bundle,
            selections=[memories],
            modes=["flip"],
            points=[point_of_rate(0.01)],
            backgrounds=["random:1"],
            repeats=TRIALS,
            seed=1,
        )
        figures[memories] = measured(bundle, tests, trials)
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
