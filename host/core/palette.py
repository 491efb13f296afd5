"""The colours, markers and lines of all pictures."""

from __future__ import annotations

from typing import NamedTuple

COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
"""Okabe and Ito's palette, which colour-blind readers can tell apart."""

GREY = "#8c8c8c"
"""A colour for what only stands in the background."""

MARKERS = "osD^vPX*<>"
LINES = ("-", "--", ":", "-.")


class Style(NamedTuple):
    """How a curve is drawn, in matplotlib's words."""

    colour: str
    marker: str
    line: str


def style(number: int) -> Style:
    """Return the style of the curve of this number, from 0; 140 of them are all different."""
    line = LINES[number // len(COLOURS) % len(LINES)]
    return Style(COLOURS[number % len(COLOURS)], MARKERS[number % len(MARKERS)], line)
