"""The claim "without ECC", measured: `spinflow ecc`.

The same networks, images, rates and seeds with plain memories and with SECDED ones, whose check
bits are written and err, too. For each of them: at which write does the accuracy fall by so much,
and what does writing the same data take there? Rates are those of the exponential model's pulses,
so that the energy of a bit is known at each (`spinflow.host.sweep.operating_point`).
"""

from __future__ import annotations

import argparse
import csv
import math
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, get_type_hints

import numpy as np

from spinflow.host.core import start
from spinflow.host.core.coding import PLAIN, WORD, Coding
from spinflow.host.core.description.codes import LEAST_WORD, MOST_WORD
from spinflow.host.core.errors import InputError
from spinflow.host.core.files import replace_text
from spinflow.host.core.options import SEEDS, number, whole
from spinflow.host.sweep.bench import Bench
from spinflow.host.sweep.operating_point import point_of_rate
from spinflow.host.sweep.row import Row
from spinflow.host.sweep.trials import grid
from spinflow.model.networks.binary import BinaryNetwork
from spinflow.papers import style
from spinflow.papers.item import ReproduceError, SkippedError
from spinflow.papers.measure import BACKEND, BACKGROUND, MODE, half_width, images, trained
from spinflow.sim.evaluator import Evaluator
from spinflow.sim.sweeps.device import SoftwareAccelerator, bundle_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes

NETWORKS = ("mlp-mnist", "lenet-mnist", "cnv-cifar10")
MEMORIES = ("weights", "buffers", "all")
_WHERE = {"weights": "weights", "buffers": "feature maps", "all": "weights and feature maps"}

RATES = (
    *(1e-5, 1e-4, 3e-4, 1e-3, 2e-3, 3e-3, 5e-3, 7e-3, 1e-2, 1.5e-2, 2e-2, 3e-2, 5e-2, 7e-2),
    *(1e-1, 1.5e-1, 2e-1),
)
"""Bit-error rates of a stored bit."""

LOSSES = (0.001, 0.003, 0.01)
"""What accuracy may be lost, fractions."""

FEWEST = 5
"""Images that a loss is at least: of fewer, chance says where so much is lost."""


@dataclass(frozen=True)
class Point:
    """A trial: what was written, what it took, and how many labels were right.

    Attributes:
        word: most data bits of a code word, 0 where memories are plain.
        energy_j, conventional_j: of all writes, check bits included, and at the conventional write.
    """

    network: str
    memory: str
    word: int
    rate: float
    repeat: int
    images: int
    accuracy: float
    bits_written: int
    errors: int
    energy_j: float
    conventional_j: float


@dataclass(frozen=True)
class Found:
    """At a loss: the rate, and the energy relative to the plain conventional write, with ends.

    Attributes:
        loss: of accuracy, a fraction.
        repeats: of each rate.
    """

    network: str
    memory: str
    word: int
    loss: float
    rate: float
    rate_low: float
    rate_high: float
    energy: float
    energy_low: float
    energy_high: float
    repeats: int


def measure(
    name: str, word: int, repeats: int, count: int, *, seed: int = 1, rates: Sequence[float] = RATES
) -> list[Point]:
    """Return the trials of a network with plain memories (word 0), or with coded ones.

    Args:
        name: of the zoo.
        word: most data bits of a code word.
        repeats: of each rate above 0.
        count: test images.
        seed: repeat n has the same seeds at every rate and with every code.
        rates: of a stored bit, ascending; 0 is measured, too.

    Raises:
        SkippedError: weights or images are not there.
        ReproduceError: it is no binary network, or there are fewer images.
    """
    network = trained(name)
    if not isinstance(network, BinaryNetwork):
        raise ReproduceError(f"{name} is no binary network: only the memories of one can be coded")
    coding = Coding(word, word) if word else PLAIN
    engine = Evaluator.from_network(network, "fast", coding=coding)
    bundle = bundle_of(name, engine, BACKEND)
    bench = Bench(SoftwareAccelerator(bundle, engine, BACKEND), images(name, count))
    trials = grid(
        bundle,
        selections=MEMORIES,
        modes=[MODE],
        points=[point_of_rate(rate) for rate in (0.0, *rates)],
        backgrounds=[BACKGROUND],
        repeats=repeats,
        seed=seed,
    )
    return [
        _point(bench.row(trial), word, trial.repeat)
        for trial in trials
        if trial.point.rate1 or not trial.repeat
    ]


def _point(row: Row, word: int, repeat: int) -> Point:
    return Point(
        network=row.network,
        memory=row.memory,
        word=word,
        rate=row.rate,
        repeat=repeat,
        images=row.images,
        accuracy=row.accuracy,
        bits_written=row.bits_written,
        errors=row.errors,
        energy_j=row.energy_j,
        conventional_j=row.conventional_j,
    )


def crossing(curve: Sequence[Point], loss: float) -> tuple[float, float] | None:
    """Return the rate at which so much is lost, and the energy there in joules.

    Between two measured rates both are interpolated over the logarithm of the rate, in which the
    exponential model's energy is a straight line.

    Args:
        curve: points by rate, that of rate 0 first.
        loss: of accuracy, a fraction.

    Returns:
        None where the loss is larger at the lowest rate already, or nowhere.
    """
    exact, *erring = curve
    before: Point | None = None
    for point in erring:
        if exact.accuracy - point.accuracy > loss:
            if before is None:
                return None
            fall = before.accuracy - point.accuracy
            share = (before.accuracy - (exact.accuracy - loss)) / fall
            log_rate = math.log(before.rate) + share * math.log(point.rate / before.rate)
            energy_j = before.energy_j + share * (point.energy_j - before.energy_j)
            return math.exp(log_rate), energy_j
        before = point
    return None


def find(points: Iterable[Point], losses: Sequence[float] = LOSSES) -> list[Found]:
    """Return what each network, memory and code takes at each loss.

    A loss is that of the mean accuracy over the repeats; the intervals are those of the jackknife,
    each repeat left out in turn. Nothing is found where the loss is not between two rates, or is
    less than `FEWEST` of the images.
    """
    curves: dict[tuple[str, str, int], list[Point]] = {}
    for point in points:
        curves.setdefault((point.network, point.memory, point.word), []).append(point)
    found = []
    for loss in losses:
        for (network, memory, word), members in curves.items():
            (plain,) = (p for p in curves[network, memory, 0] if p.rate == 0.0)
            if loss * plain.images < FEWEST:
                continue
            numbers = sorted({point.repeat for point in members if point.rate})
            whole_place = crossing(_means(members, numbers), loss)
            places = [
                crossing(_means(members, [n for n in numbers if n != left]), loss)
                for left in numbers
                if len(numbers) > 1
            ]
            known = [place for place in places if place is not None]
            if whole_place is not None and len(known) == len(places):
                found.append(_found(plain, word, loss, whole_place, known))
    return found


def _means(members: Iterable[Point], repeats: Sequence[int]) -> list[Point]:
    """Return the points of a curve by rate, with means over some repeats; rate 0 has one trial."""
    by_rate: dict[float, list[Point]] = {}
    for point in members:
        if not point.rate or point.repeat in repeats:
            by_rate.setdefault(point.rate, []).append(point)
    return [
        replace(
            at[0],
            accuracy=float(np.mean([p.accuracy for p in at])),
            energy_j=float(np.mean([p.energy_j for p in at])),
        )
        for _, at in sorted(by_rate.items())
    ]


def _found(
    plain: Point,
    word: int,
    loss: float,
    place: tuple[float, float],
    left_out: Sequence[tuple[float, float]],
) -> Found:
    """Return rate and energy with their 95 % intervals, from what they are without each repeat."""
    count = len(left_out)

    def half(value: float, others: Sequence[float]) -> float:
        return half_width([count * value - (count - 1) * other for other in others])

    rate, energy = place[0], place[1] / plain.conventional_j
    width = half(math.log(rate), [math.log(other) for other, _ in left_out])
    height = half(energy, [other / plain.conventional_j for _, other in left_out])
    return Found(
        network=plain.network,
        memory=plain.memory,
        word=word,
        loss=loss,
        rate=rate,
        rate_low=rate * math.exp(-width),
        rate_high=rate * math.exp(width),
        energy=energy,
        energy_low=energy - height,
        energy_high=energy + height,
        repeats=max(count, 1),
    )


def write(entries: Sequence[Point] | Sequence[Found], path: Path) -> None:
    """Write points, or what was found of them, as CSV."""
    names = [field.name for field in fields(entries[0])]
    lines = [",".join(names)]
    for entry in entries:
        values = (getattr(entry, name) for name in names)
        lines.append(",".join(f"{v:.8g}" if isinstance(v, float) else str(v) for v in values))
    replace_text(path, "\n".join(lines) + "\n")


def read(path: Path) -> list[Point]:
    """Read points that :func:`write` wrote.

    Raises:
        InputError: the file holds something else.
    """
    types = get_type_hints(Point)
    try:
        with path.open(encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file))
        return [Point(**{name: types[name](text) for name, text in row.items()}) for row in rows]
    except (KeyError, TypeError, ValueError, csv.Error):
        raise InputError(
            f"{path} is no list of points of spinflow ecc: move it away or choose another --out"
        ) from None


def draw(points: Sequence[Point], path: Path, memory: str = "all") -> None:
    """Draw what is lost against what writing takes, a panel for each network.

    Args:
        points: measured.
        path: the picture.
        memory: which err.
    """
    networks = list(dict.fromkeys(point.network for point in points))

    def paint(panels: Sequence[Axes]) -> None:
        for axes, network in zip(panels, networks, strict=True):
            own = [p for p in points if (p.network, p.memory) == (network, memory)]
            for place, word in enumerate(sorted({point.word for point in own})):
                energies, means, halves = _losses(own, word)
                axes.errorbar(
                    energies, means, halves, label=f"SECDED of {word} bits" if word else "plain",
                    color=style.colour(place), marker=style.marker(place), capsize=2, markersize=4,
                )  # fmt: skip
            axes.set_xlim(10, 60)
            axes.set_ylim(0.02, 30)
            axes.set_yscale("log")
            axes.set_xlabel("write energy of the same data, % of the conventional write")
            axes.set_ylabel("accuracy lost, points")
            axes.legend(loc="upper right")

    style.draw(networks, paint, [path], f"Errors in {_WHERE[memory]}")


def _losses(own: Sequence[Point], word: int) -> tuple[list[float], list[float], list[float]]:
    """Return by rate the energy in per cent, and the mean loss in points with half its interval."""
    (plain,) = (p for p in own if p.word == 0 and p.rate == 0.0)
    (exact,) = (p for p in own if p.word == word and p.rate == 0.0)
    found: tuple[list[float], list[float], list[float]] = ([], [], [])
    for rate in sorted({p.rate for p in own if p.word == word and p.rate}):
        at = [p for p in own if (p.word, p.rate) == (word, rate)]
        losses = [100 * (exact.accuracy - p.accuracy) for p in at]
        energy = float(np.mean([p.energy_j for p in at])) / plain.conventional_j
        for values, value in zip(
            found, (100 * energy, float(np.mean(losses)), half_width(losses)), strict=True
        ):
            values.append(value)
    return found


def main(arguments: list[str] | None = None) -> int:
    """Run the command line; return the exit status."""
    parser = start.Parser(
        prog="spinflow ecc",
        description="Measure what error correction would change: accuracy against the error rate "
        "with plain and with SECDED memories, and the write energy at a point of loss.",
        epilog="example: spinflow ecc --network mlp-mnist --repeats 5",
    )
    parser.add_argument("--network", nargs="+", default=NETWORKS, help="of the zoo")
    parser.add_argument(
        "--ecc-word", type=whole(LEAST_WORD, MOST_WORD), nargs="+", default=[WORD],
        help=f"most data bits of a code word, each ({WORD})",
    )  # fmt: skip
    parser.add_argument("--images", type=whole(1, 10000), default=2000, help="test images (2000)")
    parser.add_argument(
        "--rates", type=number(1e-9, 1), nargs="+", default=RATES, help="of a stored bit"
    )
    parser.add_argument("--repeats", type=whole(1, 1000), default=5, help="of each rate (5)")
    parser.add_argument("--seed", type=whole(0, SEEDS), default=1, help="base seed (1)")
    parser.add_argument("--out", type=Path, default=Path("out/ecc"), help="folder (out/ecc)")
    options = parser.parse_args(arguments)
    return start.finish(lambda: _run(options), (SkippedError,))


def _run(options: argparse.Namespace) -> None:
    kept = options.out / "curves.csv"
    # A network stays as it was measured before until it has been measured with all codes.
    points = read(kept) if kept.is_file() else []
    rates = sorted(set(options.rates))
    for name in dict.fromkeys(options.network):
        mine = []
        for word in dict.fromkeys((0, *options.ecc_word)):
            mine += measure(
                name, word, options.repeats, options.images, seed=options.seed, rates=rates
            )
        points = [point for point in points if point.network != name] + mine
        write(points, kept)
    found = find(points)
    if found:
        write(found, options.out / "energy.csv")
    draw(points, options.out / "ecc.svg")
    for each in found:
        code = f"SECDED of {each.word} bits" if each.word else "plain"
        interval = f"{100 * each.energy_low:.1f} to {100 * each.energy_high:.1f}"
        print(
            f"{each.network} {each.memory}, {code}: {100 * each.loss:g} points are lost at "
            f"{each.rate:.2g}; writing takes {100 * each.energy:.1f} % of the conventional write "
            + (f"({interval}, {each.repeats} repeats)" if each.repeats > 1 else "(one repeat)")
        )


if __name__ == "__main__":
    sys.exit(main())
