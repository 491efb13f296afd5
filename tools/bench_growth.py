"""What a sweep costs as it grows: trials, images, workers; time, processor time and memory.

    python -m tools.bench_growth            writes docs/results/growth.csv, docs/pictures/growth.svg
    python -m tools.bench_growth --quick    a hundredth of the work, to the folder out/growth

Each line is a whole sweep in processes of its own, from the start of Python to its report: flip
errors in the weights or in the buffers of a network, at the default rates. Where other programs are
running, processor time is what grows with the work; the time on the clock is there too.
"""

from __future__ import annotations

import argparse
import csv
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from spinflow.papers import style
from tests.sim.clusters import Cluster

if TYPE_CHECKING:
    from matplotlib.axes import Axes

ROOT = Path(__file__).resolve().parents[1]
NETWORK = "mlp-mnist"
SETTINGS = ["--memory", "weights", "buffers", "--rates", "1e-4", "1e-3", "1e-2", "3e-2", "1e-1"]
A_REPEAT = 10  # trials: two kinds of memories at five rates
TICKS = os.sysconf("SC_CLK_TCK")


class Line(NamedTuple):
    """What a sweep took.

    Attributes:
        varied: which number the measurement is about.
        trials, images, workers: of the sweep.
        where: `local` or `dask`.
        wall_s, processor_s: seconds; of the processor, those of all processes together.
        peak_mib: resident size of the largest process.
    """

    varied: str
    trials: int
    images: int
    workers: int
    where: str
    wall_s: float
    processor_s: float
    peak_mib: float


class Plan(NamedTuple):
    """A sweep to be measured."""

    varied: str
    trials: int
    images: int
    workers: int
    where: str


def plans(part: int) -> list[Plan]:
    """The sweeps, of so small a part of the work."""
    trials = [Plan("trials", n // part, 100, 1, "local") for n in (10, 100, 1_000, 10_000)]
    images = [Plan("images", 100 // part, n // part, 1, "local") for n in (100, 1_000, 10_000)]
    workers = [
        Plan("workers", 4_000 // part, 10_000 // part, n, where)
        for where in ("local", "dask")
        for n in (1, 2)
    ]
    found = (*trials, *(plan._replace(trials=max(plan.trials, A_REPEAT)) for plan in images))
    return [plan for plan in (*found, *workers) if plan.trials >= A_REPEAT and plan.images]


def sweep(plan: Plan, out: Path, options: Sequence[str]) -> tuple[float, float, float]:
    """Run a sweep; seconds on the clock and of the processor, and MiB of its largest process.

    Raises:
        RuntimeError: it failed.
    """
    repeats = plan.trials // A_REPEAT
    command = [
        *(sys.executable, "-m", "spinflow", "sweep", "--on", "evaluator-fast"),
        *("--network", NETWORK, "--images", str(plan.images), "--repeats", str(repeats)),
        *(*SETTINGS, "--out", str(out), *options),
    ]
    start = time.perf_counter()
    with open(os.devnull, "wb") as nowhere:
        to = [(os.POSIX_SPAWN_DUP2, nowhere.fileno(), stream) for stream in (1, 2)]
        child = os.posix_spawn(command[0], command, os.environ, file_actions=to)
    _, status, usage = os.wait4(child, 0)
    if status:
        raise RuntimeError(f"a sweep ended with {status}: {' '.join(command)}")
    took = time.perf_counter() - start
    return took, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024


def of_process(number: int) -> tuple[float, float]:
    """Seconds of the processor of a process that is running, and its largest size in MiB."""
    stat = Path(f"/proc/{number}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    status = Path(f"/proc/{number}/status").read_text(encoding="utf-8")
    size = next(line for line in status.splitlines() if line.startswith("VmHWM"))
    return (int(stat[11]) + int(stat[12])) / TICKS, int(size.split()[1]) / 1024


@contextmanager
def cluster(workers: int, folder: Path) -> Iterator[Cluster]:
    """A Dask cluster of this machine, of workers with one thread each."""
    with Cluster(folder) as found:
        for _ in range(workers):
            found.add_worker()
        yield found


def measured(plan: Plan) -> Line:
    """Run one sweep of a plan; on a cluster after a small one that lets its workers import all."""
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        if plan.where == "local":
            options = ["--workers", str(plan.workers)]
            return Line(*plan, *sweep(plan, folder / "out", options))
        with cluster(plan.workers, folder / "cluster") as dask:
            options = ["--scheduler", dask.address, "--patience", "60"]
            first = plan._replace(trials=A_REPEAT * 4 * plan.workers, images=10)
            sweep(first, folder / "first", options)
            pids = [worker.pid for worker in dask.workers]
            before = [of_process(pid)[0] for pid in pids]
            wall, own, peak = sweep(plan, folder / "out", options)
            after = [of_process(pid) for pid in pids]
            used = sum(after[n][0] - before[n] for n in range(len(pids)))
            return Line(*plan, wall, own + used, max([peak, *(size for _, size in after)]))


def write(lines: Sequence[Line], path: Path) -> None:
    """Write lines as CSV."""
    with path.open("w", newline="", encoding="utf-8") as file:
        out = csv.writer(file, lineterminator="\n")
        out.writerow(Line._fields)
        for line in lines:
            out.writerow([f"{each:.2f}" if isinstance(each, float) else each for each in line])


def draw(lines: Sequence[Line], path: Path) -> None:
    """Draw time against trials and against images, and memory against both."""

    def of(varied: str) -> list[Line]:
        return [line for line in lines if line.varied == varied]

    def times(axes: Axes, varied: str, size: Callable[[Line], int]) -> None:
        own = of(varied)
        for number, (name, seconds) in enumerate(
            (
                ("processor time", [line.processor_s for line in own]),
                ("on the clock", [line.wall_s for line in own]),
            )
        ):
            axes.loglog(
                [size(line) for line in own], seconds, label=name, color=style.colour(number),
                marker=style.marker(number),
            )  # fmt: skip
        axes.set_xlabel(varied)
        axes.set_ylabel("s")
        axes.legend()

    def paint(panels: Sequence[Axes]) -> None:
        times(panels[0], "trials", lambda line: line.trials)
        times(panels[1], "images", lambda line: line.images)
        for number, varied in enumerate(("trials", "images")):
            own = of(varied)
            panels[2].semilogx(
                [line.trials if varied == "trials" else line.images for line in own],
                [line.peak_mib for line in own], label=f"as {varied} grow",
                color=style.colour(number), marker=style.marker(number),
            )  # fmt: skip
        panels[2].set_xlabel("trials or images")
        panels[2].set_ylabel("MiB of the largest process")
        panels[2].set_ylim(bottom=0)
        panels[2].legend()

    titles = ("100 images", "100 trials", "memory")
    style.draw(titles, paint, [path], f"a sweep of {NETWORK}, one worker")


def main(arguments: list[str] | None = None) -> None:
    """Command line of the bench."""
    parser = argparse.ArgumentParser(prog="python -m tools.bench_growth", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a hundredth, to out/growth")
    options = parser.parse_args(arguments)
    out = ROOT / ("out/growth" if options.quick else "docs")
    for folder in ("results", "pictures"):
        (out / folder).mkdir(parents=True, exist_ok=True)
    lines = []
    for plan in plans(100 if options.quick else 1):
        lines.append(measured(plan))
        print(*lines[-1], flush=True)
        write(lines, out / "results/growth.csv")  # what is there so far
    draw(lines, out / "pictures/growth.svg")


if __name__ == "__main__":
    main()
