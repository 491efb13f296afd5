"""Tables of ours: weights against feature maps, binary networks against fixed point."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from scipy import stats

from spinflow.host.sweep.statistics import LEVEL
from spinflow.papers import asano, draw, hirtzlin, measure, wording
from spinflow.papers.item import Item, Line, Role, Setting, Table

if TYPE_CHECKING:
    from matplotlib.axes import Axes

REPEATS = 5

LEAST_LOSS_POINTS = 0.2
"""What the MLP may lose at 1e-2 in weights, percentage points (Hirtzlin 2019, figure 2)."""

_LENET = Role("LeNet, MNIST", "lenet-mnist")
_VGG = Role("VGG, CIFAR-10", "vgg-cifar10")
_BINARY = (
    Role("MLP, MNIST", "mlp-mnist"),
    _LENET,
    Role("CNV, CIFAR-10", "cnv-cifar10"),
    _VGG,
    Role("LeNet-4 of Tzoufras, MNIST", "lenet4-mnist"),
)
_LENET_FIXED = tuple(
    Role(f"LeNet as Fxp{bits}, MNIST", f"lenet-fxp{bits}-mnist") for bits in (8, 16, 32)
)
_VGG_FIXED = tuple(
    Role(f"VGG as {role.label}, CIFAR-10", role.network)
    for role in asano.ROLES
    if role.label.startswith("Fxp")
)
_FIXED = (*_LENET_FIXED, *_VGG_FIXED)
_PAIRS = (
    *((_LENET, role) for role in _LENET_FIXED),
    *((_VGG, role) for role in _VGG_FIXED),
)
"""Binary networks and those of the same layers in fixed point."""

_MEMORIES = ("weights", "buffers")


def verdict(loss: tuple[float, float, float], most: float) -> str:
    """Return whether a loss keeps within a limit, by its 95 % interval.

    Args:
        loss: mean and interval ends, percentage points.
        most: the limit.
    """
    if loss[2] <= most:
        return "holds"
    return "does not hold" if loss[1] > most else "not decided by these repeats"


def _tolerance(setting: Setting) -> Table:
    command = setting.command("tolerance")
    rows = measure.curves((*_BINARY, *_FIXED), _MEMORIES, REPEATS, setting, command)
    return Table.of((*measure.COLUMNS, *measure.ENDING), rows)


def _loss_line(what: str, published: str, curve: Sequence[measure.Point], rate: float) -> Line:
    point = measure.at(curve, rate)
    mean, low, high = wording.loss(curve, point)
    return Line(
        what, published, f"loses {mean:.2f} points",
        f"{low:.2f} to {high:.2f} ({point.interval[2]})", str(len(point.values)),
        str(point.images),
    )  # fmt: skip


def difference(first: measure.Point, second: measure.Point) -> tuple[float, float]:
    """Return the 95 % interval of how much larger the first mean is; nothing is paired."""
    found = stats.ttest_ind(first.values, second.values, equal_var=False)
    low, high = found.confidence_interval(LEVEL)
    return float(low), float(high)


def said_of(ends: tuple[float, float], above: str, below: str) -> str:
    """Return which it is, by an interval."""
    if ends[0] > 0:
        return above
    return below if ends[1] < 0 else "no difference that these repeats show"


def interval_of(ends: tuple[float, float], repeats: int) -> str:
    """Return the interval of a difference in words, in points."""
    low, high = (100 * end for end in ends)
    return f"{low:.2f} to {high:.2f} (Welch's t over {repeats} repeats each)"


def _weights_against_maps(
    role: Role, rate: float, weights: Sequence[measure.Point], buffers: Sequence[measure.Point]
) -> Line:
    """Return the line of how much more errors cost in weights than in feature maps."""
    inside, outside = measure.at(weights, rate), measure.at(buffers, rate)
    # The two memories draw from different streams.
    ends = difference(outside, inside)
    said = said_of(ends, "feature maps lose less", "feature maps lose more")
    losses = [wording.loss(curve, measure.at(curve, rate))[0] for curve in (weights, buffers)]
    return Line(
        f"{role.label}, rate {rate:g}: loss with errors in weights less that in feature maps",
        "feature maps tolerate more (Asano fig. 7)",
        f"{losses[0]:.2f} - {losses[1]:.2f} = {losses[0] - losses[1]:.2f} points: {said}",
        interval_of(ends, len(inside.values)),
        str(len(inside.values)),
        str(inside.images),
    )


def _fixed_against_binary(
    role: Role,
    rate: float,
    memory: str,
    fixed: Sequence[measure.Point],
    binary: Sequence[measure.Point],
) -> Line:
    """Return the line of how much more a network degrades in fixed point than as a binary one."""
    points = [measure.at(measure.degradations(curve), rate) for curve in (fixed, binary)]
    ends = difference(*points)
    degraded = [100 * point.mean for point in points]
    said = said_of(ends, "the binary one tolerates more", "the binary one tolerates less")
    where = "weights" if memory == "weights" else "feature maps"
    return Line(
        f"{role.label}, rate {rate:g} in {where}: degradation less that of the binary network",
        "binary tolerates more at high rates (Asano fig. 8)",
        f"{degraded[0]:.1f} - {degraded[1]:.1f} = {degraded[0] - degraded[1]:.1f} %: {said}",
        interval_of(ends, len(points[0].values)),
        str(len(points[0].values)),
        str(points[0].images),
    )


def _lines_tolerance(table: Table) -> list[Line]:
    found = measure.points(table)
    lines: list[Line] = []
    for role in _BINARY:
        lines += wording.skipped(role, table, "see below")
        weights = found.get((role.network, "weights"))
        buffers = found.get((role.network, "buffers"))
        if not weights or not buffers:
            continue
        if role.network == hirtzlin.MLP.network:
            loss = wording.loss(weights, measure.at(weights, 1e-2))
            limit = f"at most {LEAST_LOSS_POINTS:g} points (98.3 % to 98.1 %)"
            line = _loss_line(f"{role.label}, 1e-2 in weights", limit, weights, 1e-2)
            lines.append(
                Line(
                    line.what, line.published,
                    f"{line.ours}: {verdict(loss, LEAST_LOSS_POINTS)}", line.interval,
                    line.repeats, line.images,
                )
            )  # fmt: skip
        for rate in (1e-2, 3e-2, 1e-1):
            lines.append(_weights_against_maps(role, rate, weights, buffers))
    for binary, role in _PAIRS:
        lines += wording.skipped(role, table, "binary tolerates more at high rates (Asano fig. 8)")
        for memory in _MEMORIES:
            curves = [found.get((name, memory)) for name in (role.network, binary.network)]
            if curves[0] and curves[1]:
                lines += [
                    _fixed_against_binary(role, rate, memory, curves[0], curves[1])
                    for rate in (1e-3, 1e-2, 1e-1)
                ]
    return lines


LEAST_DRAWN = 1e-4


def drawn(curve: Sequence[measure.Point]) -> list[measure.Point]:
    """Return the points of a picture: below its least rate nothing happens."""
    return [point for point in curve if not 0 < point.rate < LEAST_DRAWN]


def _draw_tolerance(table: Table, panels: Sequence[Axes]) -> None:
    found = measure.points(table)
    roles = [role for role in (*_BINARY, *_FIXED) if (role.network, "weights") in found]
    for axes, memory in zip(panels, _MEMORIES, strict=True):
        for number, role in enumerate(roles):
            shown = drawn(measure.degradations(found[role.network, memory]))
            draw.plot(axes, number, [p.rate for p in shown], shown, role.label)
        draw.rate_axis(axes, LEAST_DRAWN)
        axes.set_ylim(-3, 100)
        axes.set_ylabel("degradation of the accuracy [%]")
        axes.legend(loc="upper left")


ITEMS = (
    Item(
        "tolerance", "ours", "Weights against feature maps, binary against fixed point",
        _tolerance, _lines_tolerance,
        "A loss is that against the accuracy without errors on the same images, a degradation "
        "is the part of it that is lost. Two of them differ here if the 95 % interval of their "
        "difference leaves out 0.",
        _draw_tolerance,
        asano.two_panels,
    ),
)  # fmt: skip
"""The tables."""
