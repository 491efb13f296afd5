"""Pictures of the papers' figures, in one style, the same bytes every time."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from spinflow.papers.item import Item, Table
from spinflow.papers.measure import RATES, Point

if TYPE_CHECKING:
    from matplotlib.axes import Axes

COLOURS = (
    "#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000", "#8c8c8c",
)  # fmt: skip
"""Okabe and Ito's palette, which the colour-blind can tell apart, and grey."""
_MARKERS = "osD^vPX*"
_DPI = 110
_PANEL = (7.6, 4.6)
_WIDE = (6.0, 4.6)
_TITLE_LETTERS = 75
"""As many fit above one panel."""


def picture(item: Item, table: Table, *paths: Path) -> None:
    """Draw an item into files, SVG or PNG.

    Raises:
        OSError: a file cannot be written.
    """
    import matplotlib
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    if item.draw is None:
        return
    # Without these, an SVG carries the date and random ids.
    style = {
        "svg.hashsalt": "spinflow", "svg.fonttype": "path", "font.size": 11,
        "legend.fontsize": 9, "legend.framealpha": 0.9, "figure.facecolor": "white",
    }  # fmt: skip
    titles = item.panels(table)
    count = len(titles)
    size = _PANEL if count == 1 else (_WIDE[0] * count, _WIDE[1])
    with matplotlib.rc_context(style):
        figure = Figure(figsize=size, layout="constrained")
        FigureCanvasAgg(figure)
        panels = list(figure.subplots(1, count, squeeze=False).flat)
        for axes, title in zip(panels, titles, strict=True):
            axes.set_axisbelow(True)
            axes.grid(True, color="#dddddd", linewidth=0.6)
            axes.set_title(title, fontsize=11)
        item.draw(table, panels)
        title, letters = f"{item.title} ({item.source})", _TITLE_LETTERS * count
        if len(title) > letters:
            title = f"{textwrap.fill(item.title, letters)}\n({item.source})"
        figure.suptitle(title, fontsize=11)
        for path in paths:
            path.parent.mkdir(parents=True, exist_ok=True)
            metadata = {"Date": None} if path.suffix == ".svg" else None
            figure.savefig(path, dpi=_DPI, metadata=metadata)


def plot(axes: Axes, number: int, x: Sequence[float], points: Sequence[Point], label: str) -> None:
    """Draw one curve in percent: means of the repeats with their 95 % intervals.

    Args:
        axes: to draw into.
        number: of the curve, for its colour and marker.
        x: place of each point.
        points: the points; intervals over a single repeat (of the images) are left out.
        label: for the legend.
    """
    means = [100 * point.mean for point in points]
    bars = [100 * half_width(point) if len(point.values) > 1 else 0.0 for point in points]
    axes.errorbar(
        x, means, bars, color=COLOURS[number % len(COLOURS)],
        marker=_MARKERS[number % len(_MARKERS)],
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
