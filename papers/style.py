"""The one style of all pictures of the papers: colours, dashes, size, and how files are written.

A picture has the same bytes every time.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, TypedDict

from spinflow.host.core import palette

if TYPE_CHECKING:
    from matplotlib.axes import Axes

BLUE, RED, GREEN, PURPLE, ORANGE, SKY, BLACK = palette.COLOURS
GREY = palette.GREY
COLOURS = (*palette.COLOURS, GREY)
"""Of the curves of a picture, in this order."""

_SHEET_COLOURS = (BLACK, BLUE, ORANGE, GREEN, RED, PURPLE, GREY)
_DASHES = ("-", "--", "-.", ":", (0, (5, 1, 1, 1, 1, 1)), (0, (1, 1)), (0, (8, 2)))
_DPI = 110
_PANEL = (7.6, 4.6)
_WIDE = (6.0, 4.6)

# Without the first two, an SVG carries random ids and depends on the fonts that are there.
_STYLE = {
    "svg.hashsalt": "spinflow", "svg.fonttype": "path", "font.size": 11,
    "legend.fontsize": 9, "legend.framealpha": 0.9, "figure.facecolor": "white",
}  # fmt: skip

Dash = str | tuple[int, tuple[int, ...]]


class Curve(TypedDict):
    """How a curve without markers is drawn, in matplotlib's words."""

    color: str
    linestyle: Dash


def curve(number: int) -> Curve:
    """Return how the curve of this number, from 0 to 6, is drawn; also without colours."""
    return {"color": _SHEET_COLOURS[number], "linestyle": _DASHES[number]}


def marker(number: int) -> str:
    """Return the marker of the curve of this number, from 0."""
    return palette.MARKERS[number % len(palette.MARKERS)]


def colour(number: int) -> str:
    """Return the colour of the curve of this number, from 0."""
    return COLOURS[number % len(COLOURS)]


def draw(
    titles: Sequence[str],
    paint: Callable[[Sequence[Axes]], None],
    paths: Sequence[Path],
    heading: str = "",
) -> None:
    """Draw a picture into files.

    Args:
        titles: of the panels, from left to right; more than three are in rows of two.
        paint: draws into as many axes as there are titles.
        paths: the files, SVG or PNG; their folder is made if there is none.
        heading: above all panels.

    Raises:
        OSError: a file cannot be written.
    """
    import matplotlib
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    count = len(titles)
    columns = count if count <= 3 else 2
    rows = -(-count // columns)
    size = _PANEL if count == 1 else (_WIDE[0] * columns, _WIDE[1] * rows)
    with matplotlib.rc_context(_STYLE):
        figure = Figure(figsize=size, layout="constrained")
        FigureCanvasAgg(figure)
        panels = list(figure.subplots(rows, columns, squeeze=False).flat)
        for unused in panels[count:]:
            unused.remove()
        panels = panels[:count]
        for axes, title in zip(panels, titles, strict=True):
            axes.set_axisbelow(True)
            axes.grid(True, color="#dddddd", linewidth=0.6)
            axes.set_title(title, fontsize=11)
        paint(panels)
        if heading:
            figure.suptitle(heading, fontsize=11)
        for path in paths:
            path.parent.mkdir(parents=True, exist_ok=True)
            # An SVG carries the date otherwise.
            metadata = {"Date": None} if path.suffix == ".svg" else None
            figure.savefig(path, dpi=_DPI, metadata=metadata)
