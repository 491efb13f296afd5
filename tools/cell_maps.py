"""Does a cell map matter beside the same mean rate? Accuracies of many chips, written many times.

    python -m tools.cell_maps measure mlp-mnist
    python -m tools.cell_maps draw
    python -m tools.cell_maps table

The first measures a network with errors in its weights or its feature maps, at several mean rates
and for several laws of its cells: MAPS chips of a law, each with a map of its own, and REPEATS
loads or runs of each. It writes docs/results/cell-maps/NETWORK-chips.csv, one line a chip, and
NETWORK.csv, what follows of them. The second draws cell-maps-mean.svg and cell-maps-chips.svg in
docs/pictures, of all networks, and the third writes the table of docs/cell-maps.md.
"""

from __future__ import annotations

import argparse
import csv
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.stats import f, t

from spinflow.host.core import stream
from spinflow.host.core.cells import CellRates
from spinflow.host.core.test_sets import TestSet, images_of
from spinflow.host.mtj.base import condition_for_rate
from spinflow.host.mtj.sun_gamma import PAPER_SPREADS, SunGamma
from spinflow.host.sweep.cell_laws import Law, cells_of
from spinflow.papers import style
from spinflow.sim.evaluator import Evaluator
from tools import marks

if TYPE_CHECKING:
    from matplotlib.axes import Axes

ROOT = Path(__file__).resolve().parents[1]
RESULTS = ROOT / "docs" / "results" / "cell-maps"
PICTURES = ROOT / "docs" / "pictures"
PAGE = ROOT / "docs" / "cell-maps.md"

IMAGES = {"mlp-mnist": 2000, "lenet-mnist": 2000, "cnv-cifar10": 2000}
DATA = {"mlp-mnist": "mnist", "lenet-mnist": "mnist", "cnv-cifar10": "cifar10"}
RATES = (1e-2, 3e-2, 1e-1, 2e-1)
KINDS = ("weights", "buffer")
MAPS, REPEATS = 12, 6
SEED = 1
LEVEL = 0.95

ALIKE, JUNCTION_ALIKE = "alike", "junctions' mean"
JUNCTION = "junctions"
LAWS = (
    ALIKE, "beta 0.5", "beta 0.05", "stuck", "words, beta 0.5", JUNCTION_ALIKE, JUNCTION,
)  # fmt: skip
BESIDE = {JUNCTION: JUNCTION_ALIKE}
"""The law of equal cells that a law stands beside; ALIKE for all others."""

TABLE_RATE = 0.1
COLUMNS = {
    "beta 0.5": "beta 0.5", "beta 0.05": "beta 0.05", "junctions": JUNCTION,
    "words": "words, beta 0.5", "stuck": "stuck",
}  # fmt: skip
"""The page's table: its mean rate, and laws by the names of the columns."""


@dataclass(frozen=True)
class Chip:
    """One map, and what it gave: accuracies of its loads or runs."""

    network: str
    kind: str
    law: str
    rate: float
    chip: int
    images: int
    accuracies: tuple[float, ...]


@dataclass(frozen=True)
class Point:
    """The chips of a law at a mean rate.

    Attributes:
        accuracy: mean over all chips.
        half: of its 95 % interval, over chips.
        change: mean accuracy less that of equal cells with the same mean rates.
        change_half: of its 95 % interval, over pairs of chips with the same draws.
        chip_deviation: standard deviation between chips, what repeats of one chip do not show.
        draw_deviation: standard deviation between the repeats of a chip.
        share, share_low, share_high: of the variance, what is the chip's own; 95 % interval of F.
        worst: mean accuracy of the worst chip.
        held: of the chips' own 95 % intervals over their repeats, the share that holds the mean.
    """

    network: str
    kind: str
    law: str
    rate: float
    images: int
    chips: int
    repeats: int
    accuracy: float
    half: float
    change: float
    change_half: float
    chip_deviation: float
    draw_deviation: float
    share: float
    share_low: float
    share_high: float
    worst: float
    held: float


def law_of(name: str, rate: float) -> Law:
    """Return a law of this tool at a mean rate.

    Stuck cells err half the time if ones and zeros are written alike often, so twice as many are
    stuck. Junctions are those of Hirtzlin 2019 with the spreads of its figure 4, at the pulse whose
    mean rate of a written 1 or 0, the worse of both, is asked for.
    """
    beta = Law("beta", rate, rate)
    junction = SunGamma(**PAPER_SPREADS)
    written = condition_for_rate(junction, rate)
    laws = {
        ALIKE: Law("uniform", rate, rate),
        "beta 0.5": replace(beta, shape=0.5),
        "beta 0.05": replace(beta, shape=0.05),
        "stuck": Law("uniform", stuck0=rate, stuck1=rate),
        "words, beta 0.5": replace(beta, shape=0.5, by_word=True),
        JUNCTION_ALIKE: Law("uniform", written.rate1, written.rate0),
        JUNCTION: Law("spread", junction=junction, pulse_s=written.pulse_s),
    }
    return laws[name]


def measure(network: str, kind: str, images: int) -> Iterator[Chip]:
    """Yield the chips of a network with errors in one kind of memories, law by law."""
    tests = images_of(DATA[network], images, None, None)
    evaluator = Evaluator.from_network(network, stream="hardware", threads=1)
    for rate in RATES:
        for name in LAWS:
            # A buffer's words are single bits here.
            if kind == "weights" or not name.startswith("words"):
                law = law_of(name, rate)
                for chip in range(MAPS):
                    found = _chip(evaluator, tests, kind, law, chip)
                    yield Chip(network, kind, name, rate, chip, images, found)


def _chip(
    evaluator: Evaluator, tests: TestSet, kind: str, law: Law, chip: int
) -> tuple[float, ...]:
    cells: dict[int, CellRates] = {
        memory.index: cells_of(law, memory.info, SEED, chip)
        for memory in evaluator.memories
        if memory.kind == kind
    }
    held = []
    for repeat in range(REPEATS):
        evaluator.soft_reset()
        for memory in evaluator.memories:
            mode = "flip" if memory.index in cells else "off"
            seed = stream.memory_seed(SEED, chip * REPEATS + repeat, memory.index)
            evaluator.set_errors(memory.index, mode, 0, 0, seed)
            evaluator.set_cells(memory.index, cells.get(memory.index))
            if memory.kind == "weights":
                evaluator.write_weights(memory.index, evaluator.weights(memory.layer))
        evaluator.soft_reset()
        held.append(evaluator.hold())
    evaluator.run_held(held, tests.images)
    return tuple(float(np.mean(np.concatenate(trial.labels) == tests.labels)) for trial in held)


def point_of(chips: Sequence[Chip], beside: Sequence[Chip]) -> Point:
    """Return what the chips of a law say, beside those of equal cells with the same draws."""
    each = np.array([chip.accuracies for chip in chips])
    number, repeats = each.shape
    means = each.mean(axis=1)
    between, within = repeats * means.var(ddof=1), float(each.var(axis=1, ddof=1).mean())
    own = max(between - within, 0.0) / repeats
    share, low, high = _share(float(between), within, number, repeats)
    changes = means - np.array([chip.accuracies for chip in beside]).mean(axis=1)
    halves = [_half(accuracies) for accuracies in each]
    first = chips[0]
    return Point(
        first.network, first.kind, first.law, first.rate, first.images, number, repeats,
        accuracy=float(means.mean()),
        half=_half(means),
        change=float(changes.mean()),
        change_half=_half(changes),
        chip_deviation=math.sqrt(own),
        draw_deviation=math.sqrt(within),
        share=share, share_low=low, share_high=high,
        worst=float(means.min()),
        held=float(np.mean(np.abs(means - means.mean()) <= halves)),
    )  # fmt: skip


def _half(values: Any) -> float:
    """Half of the 95 % interval of a mean."""
    factor = float(t.ppf((1 + LEVEL) / 2, len(values) - 1))
    return factor * float(np.std(values, ddof=1)) / math.sqrt(len(values))


def _share(between: float, within: float, chips: int, repeats: int) -> tuple[float, float, float]:
    """The share of the variance that is between chips, and its interval (of the F law)."""
    if within == 0.0:
        return (0.0, 0.0, 0.0) if between == 0.0 else (1.0, 1.0, 1.0)
    ratio = between / within
    degrees = chips - 1, chips * (repeats - 1)
    low, high = (float(f.ppf((1 + side * LEVEL) / 2, *degrees)) for side in (1, -1))
    found, least, most = (max(r - 1, 0.0) for r in (ratio, ratio / low, ratio / high))
    return found / (found + repeats), least / (least + repeats), most / (most + repeats)


def points_of(chips: Sequence[Chip]) -> list[Point]:
    """Return the points of chips, each beside its equal cells."""
    grouped: dict[tuple[str, float, str], list[Chip]] = {}
    for chip in chips:
        grouped.setdefault((chip.kind, chip.rate, chip.law), []).append(chip)
    return [
        point_of(found, grouped[kind, rate, BESIDE.get(law, ALIKE)])
        for (kind, rate, law), found in grouped.items()
    ]


def write_chips(chips: Sequence[Chip], path: Path) -> None:
    """Write one line a chip."""
    names = [field.name for field in fields(Chip)]
    with path.open("w", newline="", encoding="utf-8") as file:
        out = csv.writer(file, lineterminator="\n")
        out.writerow(names)
        for chip in chips:
            cells = [getattr(chip, name) for name in names[:-1]]
            out.writerow([*cells, " ".join(f"{each:.6g}" for each in chip.accuracies)])


def read_chips(path: Path) -> list[Chip]:
    """Read what :func:`write_chips` wrote."""
    with path.open(newline="", encoding="utf-8") as file:
        return [
            Chip(
                line["network"],
                line["kind"],
                line["law"],
                float(line["rate"]),
                int(line["chip"]),
                int(line["images"]),
                tuple(map(float, line["accuracies"].split())),
            )
            for line in csv.DictReader(file)
        ]


def write_points(points: Sequence[Point], path: Path) -> None:
    """Write one line a point."""
    names = [field.name for field in fields(Point)]
    with path.open("w", newline="", encoding="utf-8") as file:
        out = csv.writer(file, lineterminator="\n")
        out.writerow(names)
        for point in points:
            values = [getattr(point, name) for name in names]
            out.writerow([f"{v:.6g}" if isinstance(v, float) else v for v in values])


def with_table(text: str) -> str:
    """Return the page with the table of chips as the results have it."""
    points = [p for n in IMAGES for p in points_of(read_chips(RESULTS / f"{n}-chips.csv"))]
    found = {(p.network, p.kind, p.law): p for p in points if p.rate == TABLE_RATE}
    lines = [
        f"| errors at {TABLE_RATE:g} in | equal cells | between writings | {' | '.join(COLUMNS)} |",
        "|---" * (3 + len(COLUMNS)) + "|",
    ]
    for network in IMAGES:
        for kind in KINDS:
            equal = found[network, kind, ALIKE]
            cells = [
                f"{network}, {'weights' if kind == 'weights' else 'feature maps'}",
                f"{100 * equal.accuracy:.1f} ± {100 * equal.half:.1f}",
                f"{100 * equal.draw_deviation:.1f}",
                *(_cell(found.get((network, kind, law))) for law in COLUMNS.values()),
            ]
            lines.append(f"| {' | '.join(cells)} |")
    made = "\n".join(lines)
    return marks.filled(text, lambda name: made if name == "chips" else None)


def _cell(point: Point | None) -> str:
    if point is None:
        return "-"
    own = f"{100 * point.chip_deviation:.1f}"
    if not point.draw_deviation > 1e-12:  # all writings of a chip give the same
        return own
    low, high = 100 * point.share_low, 100 * point.share_high
    return f"{own} ({100 * point.share:.0f} %, {low:.0f} to {high:.0f})"


def draw(points: Sequence[Point], path: Path, shown: str) -> None:
    """Draw what the laws change of the mean, or how far the chips of a law lie apart.

    Args:
        points: of all networks.
        path: of the picture.
        shown: an attribute of Point, `change` or `chip_deviation`.
    """
    networks = list(dict.fromkeys(point.network for point in points))
    is_change = shown == "change"
    laws = [law for law in LAWS if not is_change or law not in {ALIKE, JUNCTION_ALIKE}]

    def paint(panels: Sequence[Axes]) -> None:
        for axes, kind in zip(panels, KINDS, strict=True):
            for place, law in enumerate(laws):
                own = [p for p in points if p.law == law and p.kind == kind]
                across = [_place(p.network, p.rate, networks) + 0.13 * (place - 2) for p in own]
                axes.errorbar(
                    across, [100 * getattr(p, shown) for p in own],
                    [100 * p.change_half for p in own] if is_change else None, capsize=2,
                    label=law if own else None, color=style.colour(LAWS.index(law)),
                    marker=style.marker(LAWS.index(law)), markersize=4, linestyle="",
                )  # fmt: skip
            if is_change:
                axes.axhline(0, color="#444444", linewidth=0.8, linestyle=":")
            axes.set_xticks(
                [_place(n, r, networks) for n in networks for r in RATES],
                [f"{r:g}" + (f"\n{n.partition('-')[0]}" if r == RATES[1] else "")
                 for n in networks for r in RATES],
            )  # fmt: skip
            axes.set_xlabel("mean bit-error rate")
            what = "change of the mean" if is_change else "deviation between chips"
            axes.set_ylabel(f"{what}, points of accuracy")
            axes.legend(loc="best", fontsize=7)

    chips = max(point.chips for point in points)
    heading = (
        f"mean over {chips} chips less that of equal cells of the same mean rate"
        if is_change
        else f"standard deviation between {chips} chips, without that between writings of one"
    )
    style.draw(("weights", "feature maps"), paint, [path], heading)


def _place(network: str, rate: float, networks: Sequence[str]) -> float:
    return networks.index(network) * (len(RATES) + 0.6) + RATES.index(rate)


def main(arguments: list[str] | None = None) -> None:
    """Command line of the tool."""
    parser = argparse.ArgumentParser(prog="python -m tools.cell_maps", description=__doc__)
    parser.add_argument("what", choices=("measure", "draw", "table"))
    parser.add_argument("networks", nargs="*", help=f"of {', '.join(IMAGES)} (default: all)")
    parser.add_argument("--kind", nargs="+", choices=KINDS, default=KINDS, help="default: both")
    parser.add_argument("--images", type=int, help="of the test set")
    parser.add_argument("--out", type=Path, default=RESULTS, help="default: docs/results/cell-maps")
    parser.add_argument("--pictures", type=Path, default=PICTURES, help="default: docs/pictures")
    options = parser.parse_args(arguments)
    networks = options.networks or list(IMAGES)
    if unknown := sorted({*networks} - {*IMAGES}):
        parser.error(f"network {unknown[0]}: must be one of {', '.join(IMAGES)}")
    if options.what == "table":
        PAGE.write_text(with_table(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
        return
    options.out.mkdir(parents=True, exist_ok=True)
    if options.what == "measure":
        for network in networks:
            path = options.out / f"{network}-chips.csv"
            for kind in options.kind:
                rest = read_chips(path) if path.is_file() else []
                chips = [chip for chip in rest if chip.kind != kind]
                chips += measure(network, kind, options.images or IMAGES[network])
                write_chips(chips, path)
                write_points(points_of(chips), options.out / f"{network}.csv")
                print(f"wrote the {kind} of {network} to {path}", flush=True)
    else:
        there = [options.out / f"{network}-chips.csv" for network in networks]
        points = [p for path in there if path.is_file() for p in points_of(read_chips(path))]
        for name, shown in (("mean", "change"), ("chips", "chip_deviation")):
            picture = options.pictures / f"cell-maps-{name}.svg"
            draw(points, picture, shown)
            print(f"wrote {picture}")


if __name__ == "__main__":
    main()
