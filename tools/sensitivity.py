"""Draw which memories of a network mind errors most, from the rows of a sweep over them.

    python -m tools.sensitivity out/sensitivity/results.csv

writes docs/results/sensitivity-NETWORK.csv, the mean accuracy of each memory at each rate with half
of its 95 % interval, and docs/pictures/sensitivity-NETWORK.svg, the weights beside the buffers.
"""

from __future__ import annotations

import argparse
import csv
import statistics
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from scipy.stats import t

from spinflow.host.sweep.results import read
from spinflow.papers import style

if TYPE_CHECKING:
    from matplotlib.axes import Axes

ROOT = Path(__file__).resolve().parents[1]
CONFIDENCE = 0.95


class Point(NamedTuple):
    """The accuracy of a memory at a rate, with half of its interval, and the repeats."""

    memory: str
    rate: float
    accuracy: float
    half: float
    repeats: int


def points(rows: Iterable[tuple[str, float, float]]) -> list[Point]:
    """Return the points of rows of memory, rate and accuracy, in their order."""
    found: dict[tuple[str, float], list[float]] = {}
    for memory, rate, accuracy in rows:
        found.setdefault((memory, rate), []).append(accuracy)
    return [
        Point(memory, rate, statistics.mean(each), _half(each), len(each))
        for (memory, rate), each in found.items()
    ]


def _half(values: Sequence[float]) -> float:
    if len(values) < 2:
        return float("nan")
    factor = float(t.ppf((1 + CONFIDENCE) / 2, len(values) - 1))
    return factor * statistics.stdev(values) / len(values) ** 0.5


def write(found: Sequence[Point], path: Path) -> None:
    """Write points as CSV."""
    with path.open("w", newline="", encoding="utf-8") as file:
        out = csv.writer(file, lineterminator="\n")
        out.writerow(Point._fields)
        for point in found:
            half = f"{point.half:.6f}"
            out.writerow(
                [point.memory, f"{point.rate:.4g}", f"{point.accuracy:.6f}", half, point.repeats]
            )


def draw(found: Sequence[Point], path: Path, heading: str) -> None:
    """Draw accuracy against rate, a curve for each memory, weights beside buffers."""
    kinds = ("weights", "buffer")

    def paint(panels: Sequence[Axes]) -> None:
        for axes, kind in zip(panels, kinds, strict=True):
            names = dict.fromkeys(p.memory for p in found if p.memory.endswith(f".{kind}"))
            for number, name in enumerate(names):
                own = [p for p in found if p.memory == name and p.rate > 0]
                axes.errorbar(
                    [p.rate for p in own], [100 * p.accuracy for p in own],
                    [100 * p.half for p in own], label=name.partition(".")[0], capsize=2,
                    color=style.colour(number), marker=style.marker(number), markersize=4,
                    linestyle="-" if number < len(style.COLOURS) else "--",
                )  # fmt: skip
            exact = [p.accuracy for p in found if p.rate == 0]
            if exact:
                axes.axhline(100 * exact[0], color="#444444", linewidth=0.8, linestyle=":")
            axes.set_xscale("log")
            axes.set_xlabel("bit-error rate of this memory alone")
            axes.set_ylabel("accuracy, %")
            axes.legend(loc="lower left")

    style.draw(("weights", "buffers"), paint, [path], heading)


def main(arguments: list[str] | None = None) -> None:
    """Command line of the tool."""
    parser = argparse.ArgumentParser(prog="python -m tools.sensitivity", description=__doc__)
    parser.add_argument("results", type=Path, help="results.csv of a sweep over memories")
    parser.add_argument("--out", type=Path, default=ROOT / "docs", help="default: docs")
    options = parser.parse_args(arguments)
    rows = read(options.results)
    network, images = rows[0].network, rows[0].images
    found = points((row.memory, row.rate, row.accuracy) for row in rows)
    name = f"sensitivity-{network}"
    for folder in ("results", "pictures"):
        (options.out / folder).mkdir(parents=True, exist_ok=True)
    write(found, options.out / "results" / f"{name}.csv")
    heading = f"{network}, {images:,} images, {max(point.repeats for point in found)} repeats"
    draw(found, options.out / "pictures" / f"{name}.svg", heading)
    print(f"wrote {name}.csv and {name}.svg")


if __name__ == "__main__":
    main()
