"""How measured values are written on the page."""

from __future__ import annotations

from collections.abc import Sequence

from spinflow.papers.item import Line, Role, Table
from spinflow.papers.measure import Point, exact


def percent(value: float, digits: int = 2) -> str:
    """Return a fraction in percent."""
    return f"{100 * value:.{digits}f} %"


def interval(point: Point) -> str:
    """Return a point's 95 % interval in percent, and of what it is."""
    low, high, kind = point.interval
    return f"{100 * low:.2f} to {100 * high:.2f} ({kind})"


def accuracy(what: str, published: str, point: Point) -> Line:
    """Return the line of an accuracy."""
    return Line(
        what, published, percent(point.mean), interval(point), str(len(point.values)),
        str(point.images),
    )  # fmt: skip


def loss(curve: Sequence[Point], point: Point) -> tuple[float, float, float]:
    """Return the loss against no errors in points: mean, and the ends of its 95 % interval.

    The accuracy without errors is exact on these images, so the interval is that of the repeats.
    """
    low, high, _ = point.interval
    first = exact(curve)
    return 100 * (first - point.mean), 100 * (first - high), 100 * (first - low)


def skipped(role: Role, table: Table, published: str) -> list[Line]:
    """Return the line of a network that was not measured; none if it was."""
    reason = table.skipped(role.network)
    return [Line(role.label, published, f"skipped: {reason}")] if reason else []
