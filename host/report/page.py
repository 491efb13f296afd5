"""The page ``report.html``: one file that opens without a network, its pictures inline SVG."""

from __future__ import annotations

import io
from collections.abc import Sequence
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING

from spinflow.host.report.figures import energy_figure, rate_figure
from spinflow.host.report.headline import headline
from spinflow.host.report.summary import Group, Kept, kept_lines, networks
from spinflow.host.report.table import HEADINGS, cells, notes_of, title

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_WEB = Path(__file__).with_name("web")
"""What the page is made of besides its text: its style and its scripts, which become part of it."""


def page(groups: Sequence[Group], found: Sequence[Kept] = ()) -> str:
    """Return the content of ``report.html``."""
    names = " and ".join(dict.fromkeys(group.network for group in groups))
    sections = "".join(
        _section(number, members, [each for each in found if each.network == members[0].network])
        for number, members in enumerate(networks(groups))
    )
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>Spinflow: {escape(names)}</title>\n<style>\n{_asset('report.css')}</style>\n"
        "</head>\n<body>\n"
        f"<h1>Accuracy and write energy of {escape(names)}</h1>\n{sections}</body>\n</html>\n"
    )


def _asset(name: str) -> str:
    return (_WEB / name).read_text(encoding="utf-8")


def _section(number: int, members: list[Group], found: Sequence[Kept]) -> str:
    head = "".join(f"<th>{escape(heading)}</th>" for heading in HEADINGS)
    body = "".join(
        "<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in cells(group)) + "</tr>\n"
        for group in members
    )
    notes = "".join(f"<p>{escape(note)}</p>\n" for note in notes_of(members))
    lines = "".join(f"<li>{escape(line)}</li>\n" for line in kept_lines(found))
    return (
        f"<section>\n{_said(members)}<h2>{escape(title(members))}</h2>\n"
        f"{f'<ul>{lines}</ul>' if lines else ''}"
        f'<div class="still"><figure>{_svg(rate_figure(members), f"rate{number}")}'
        "<figcaption>Accuracy against the bit-error rate. Lines join the means, bars are 95 % "
        "intervals over repeats, small dots the single repeats, the pale band is the 95 % "
        "interval for the choice of images. 0 has a place of its own, left of the logarithmic "
        "axis.</figcaption></figure>\n"
        f"<figure>{_svg(energy_figure(members), f'energy{number}')}"
        "<figcaption>The same accuracy against the energy of writing: a shorter pulse costs less "
        "and errs more often. The number at a point is its bit-error rate; the dashed line is the "
        "conventional write.</figcaption></figure></div>\n"
        f'<div class="wide"><table class="points"><thead><tr>{head}</tr></thead>\n'
        f"<tbody>{body}</tbody></table></div>\n"
        f'<div class="notes">{notes}</div>\n</section>\n'
    )


def _said(members: list[Group]) -> str:
    """Return what the rows say, the result first."""
    first, *others = headline(members)
    more = "".join(f'<p class="more">{escape(sentence)}</p>\n' for sentence in others)
    return f'<p class="headline">{escape(first)}</p>\n{more}'


def _svg(figure: Figure, name: str) -> str:
    """Return a figure as an SVG element: text as paths, no date, ids that depend on `name` only."""
    import matplotlib  # Only reports draw: the board need not have it.

    out = io.StringIO()
    with matplotlib.rc_context({"svg.hashsalt": name, "svg.fonttype": "path"}):
        figure.savefig(out, format="svg", metadata={"Date": None, "Creator": None})
    text = out.getvalue()
    return text[text.index("<svg") :]
