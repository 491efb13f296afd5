"""The pictures of a report: accuracy against the bit-error rate and against the write energy."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from spinflow.host.core.palette import style
from spinflow.host.core.text import prefix_of
from spinflow.host.report.summary import Group, basis_of, curves, energy_of, share_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


def _new_figure(width: float, height: float, panels: int) -> tuple[Figure, list[Axes]]:
    from matplotlib.figure import Figure

    columns = min(panels, 2)
    lines = -(-panels // columns)
    figure = Figure(figsize=(width, height * lines), layout="constrained")
    grid = figure.subplots(lines, columns, squeeze=False, sharey=True)
    axes = list(grid.flat)
    for spare in axes[panels:]:
        spare.remove()
    for axis in axes[:panels]:
        axis.grid(True, color="#dddddd", linewidth=0.7)
        axis.set_axisbelow(True)
        axis.spines[["top", "right"]].set_visible(False)
        axis.tick_params(labelsize=11, labelleft=True)
    return figure, axes[:panels]


def _plain(text: str) -> str:
    """Return a text in which the dollar signs stand for themselves, not for formulas."""
    return text.replace("$", r"\$")


def _draw(axis: Axes, points: list[Group], x: list[float], number: int, label: str) -> None:
    colour, marker, line = style(number)
    mean = [100 * group.accuracy for group in points]
    spread = [
        [100 * (group.accuracy - group.low) for group in points],
        [100 * (group.high - group.accuracy) for group in points],
    ]
    axis.errorbar(
        x, mean, np.maximum(spread, 0), color=colour, marker=marker, markersize=6, linewidth=1.8,
        linestyle=line,
        capsize=4, label=_plain(label),
    )  # fmt: skip
    axis.fill_between(
        x, [100 * group.images_low for group in points],
        [100 * group.images_high for group in points], color=colour, alpha=0.1, linewidth=0,
    )  # fmt: skip
    for place, group in zip(x, points, strict=True):
        axis.plot(
            [place] * group.repeats, [100 * accuracy for accuracy in group.accuracies],
            linestyle="", marker=".", markersize=5, color=colour, alpha=0.45,
        )  # fmt: skip


def rate_figure(members: Sequence[Group]) -> Figure:
    """Return accuracy against bit-error rate, all curves in one picture."""
    figure, (axis,) = _new_figure(9.0, 5.2, 1)
    lines = curves(members)
    rates = sorted({group.mean_rate for group in members if group.mean_rate > 0})
    # Rate 0 stands a good half decade left of the smallest rate.
    zero = rates[0] / 5 if rates else 1.0
    axis.set_xscale("log")
    axis.set_xlim(zero / 1.6, (rates[-1] if rates else zero) * 1.6)
    for number, (label, points) in enumerate(lines.items()):
        # A few hundredths of a decade between curves, so that bars do not hide each other.
        aside = 10 ** (0.03 * (number - (len(lines) - 1) / 2))
        x = [(group.mean_rate or zero) * aside for group in points]
        _draw(axis, points, x, number, label)
    decades = [
        10.0**power
        for power in range(math.ceil(math.log10(rates[0]) - 0.01), 1)
        if power <= math.ceil(math.log10(rates[-1]) - 0.01)
    ] if rates else []  # fmt: skip
    ticks, names = list(decades), [f"$10^{{{round(math.log10(t))}}}$" for t in decades]
    if any(group.mean_rate == 0 for group in members):
        ticks, names = [zero, *ticks], ["0", *names]
        if rates:
            axis.axvline(rates[0] / 5**0.5, color="#999999", linewidth=1, linestyle=(0, (2, 3)))
    axis.set_xticks(ticks, names)
    axis.set_xticks([d * m for d in decades[:-1] for m in range(2, 10)], minor=True)
    both = any(group.rate != group.rate0 for group in members)
    of = (
        "bit-error rate of a write, mean of ones and zeros" if both else "bit-error rate of a write"
    )
    axis.set_xlabel(of, fontsize=12)
    axis.set_ylabel("accuracy [%]", fontsize=12)
    small = 9 if len(lines) > 6 else 11
    axis.legend(fontsize=small, frameon=False, loc="lower left", title="errors in")
    return figure


def _is_free(numbered: list[tuple[float, float]], x: float, percent: float, width: float) -> bool:
    """Note a place for a number, unless one stands so near that they would hide each other."""
    for other_x, other in numbered:
        if abs(x - other_x) < 0.08 * width and abs(percent - other) < 4:
            return False
    numbered.append((x, percent))
    return True


def energy_figure(members: Sequence[Group]) -> Figure:
    """Return accuracy against write energy, one panel for what the energy is of."""
    lines = curves(members)
    panels = list(dict.fromkeys(points[0].memory for points in lines.values()))
    figure, axes = _new_figure(10.5, 4.6, len(panels))
    for memory, axis in zip(panels, axes, strict=True):
        shown = {label: points for label, points in lines.items() if points[0].memory == memory}
        drawn = [group for points in shown.values() for group in points]
        scale, prefix = prefix_of(max(group.conventional_j * share_of(group) for group in drawn))
        for number, model in enumerate(dict.fromkeys(group.model for group in drawn)):
            reference = max(g.conventional_j * share_of(g) for g in drawn if g.model == model)
            axis.axvline(
                reference / scale, color="#777777", linewidth=1.2,
                linestyle=("--", ":", "-.")[number % 3],
            )  # fmt: skip
        width = max(group.conventional_j * share_of(group) for group in drawn) / scale
        numbered: list[tuple[float, float]] = []
        for label, points in shown.items():
            number = list(lines).index(label)
            x = [energy_of(group)[0] / scale for group in points]
            _draw(axis, points, x, number, label)
            for place, group in zip(x, points, strict=True):
                if not _is_free(numbered, place, 100 * group.accuracy, width):
                    continue
                axis.annotate(
                    f"{group.mean_rate:.3g}", (place, 100 * group.accuracy), fontsize=9,
                    xytext=(6, -13), textcoords="offset points", color="#333333",
                )  # fmt: skip
        axis.set_xlim(left=0)
        axis.margins(x=0.1)
        axis.set_xlabel(f"write energy of {basis_of(drawn[0])} [{prefix}J]", fontsize=12)
        axis.set_ylabel("accuracy [%]", fontsize=12)
        axis.set_title(_plain(f"errors in {memory}"), fontsize=12)
        if len(shown) > 1:
            small = 9 if len(shown) > 4 else 11
            axis.legend(fontsize=small, frameon=False, loc="lower right")
    return figure
