"""Pictures of the papers' items, and the curves of accuracies in them."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from spinflow.papers import style
from spinflow.papers.item import Item, Table
from spinflow.papers.measure import RATES, Point
from spinflow.papers.sheets import Sheet

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_TITLE_LETTERS = 75
"""As many fit above one panel."""


def picture(item: Item, table: Table, *paths: Path) -> None:
    """Draw an item into files, SVG or PNG.

    Raises:
        OSError: a file cannot be written.
    """
    paint = item.draw
    if paint is None:
        return
    titles = item.panels(table)
    heading, letters = f"{item.title} ({item.source})", _TITLE_LETTERS * len(titles)
    if len(heading) > letters:
        heading = f"{textwrap.fill(item.title, letters)}\n({item.source})"
    style.draw(titles, lambda panels: paint(table, panels), paths, heading)


def sheet(of: Sheet, *paths: Path) -> None:
    """Draw a sheet of the device models into files, SVG or PNG.

    Raises:
        OSError: a file cannot be written.
    """
    style.draw([of.title], lambda panels: of.draw(panels[0]), paths)


def plot(
    axes: Axes,
    number: int,
    x: Sequence[float],
    points: Sequence[Point],
    label: str,
    *,
    wrong: bool = False,
) -> None:
    """Draw one curve in percent: means of the repeats with their 95 % intervals.

    Args:
        axes: to draw into.
        number: of the curve, for its colour and marker; dashed where the colours begin again.
        x: place of each point.
        points: the points; intervals over a single repeat (of the images) are left out.
        label: for the legend.
        wrong: draw the share that is wrong, in place of the accuracy.
    """
    means = [100 * (1 - point.mean if wrong else point.mean) for point in points]
    bars = [100 * half_width(point) if len(point.values) > 1 else 0.0 for point in points]
    axes.errorbar(
        x, means, bars, color=style.colour(number), marker=style.marker(number),
        linestyle="-" if number < len(style.COLOURS) else "--",
        markersize=5, linewidth=1.6, capsize=3, label=label,
    )  # fmt: skip


def half_width(point: Point) -> float:
    """Return half the width of a point's interval, clipped as it is."""
    low, high, _ = point.interval
    return (high - low) / 2


def rate_axis(axes: Axes, least: float, label: str = "bit-error rate") -> None:
    """Make the x axis one of rates: logarithmic from ``least`` on, 0 at its left end."""
    axes.set_xscale("symlog", linthresh=least, linscale=0.6)
    axes.set_xlim(-least / 4, 1.6 * RATES[-1])
    axes.set_xlabel(label)
