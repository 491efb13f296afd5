"""The page ``report.html``: one file that opens without a network.

Its pictures are inline SVG. Where scripts run, those of ``web/``, which are part of the page, put
pictures to play with in their place, drawn from the points that the page holds. A policy in the
page lets no other script run and nothing be fetched.
"""

from __future__ import annotations

import base64
import hashlib
import io
from collections.abc import Sequence
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING

from spinflow.host.report import layer_map
from spinflow.host.report.figures import energy_figure, rate_figure
from spinflow.host.report.headline import headline
from spinflow.host.report.page_data import data_of, embedded
from spinflow.host.report.summary import Group, Kept, kept_lines, networks
from spinflow.host.report.table import HEADINGS, SORTED_BY, cells, notes_of, title

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_WEB = Path(__file__).with_name("web")
"""What the page is made of besides its text: its style and its scripts, which become part of it."""

SCRIPTS = ("chart.js", "report.js")


def page(groups: Sequence[Group], found: Sequence[Kept] = ()) -> str:
    """Return the content of ``report.html``."""
    return document(groups, body(groups, found))


def document(groups: Sequence[Group], content: str, more: Sequence[str] = ()) -> str:
    """Return a page with its style, its scripts and a policy that admits nothing else.

    Args:
        groups: the points, for the title.
        content: of its body.
        more: scripts of ``web/`` that run after those of a report; with one of them the page may
            fetch from where it came.
    """
    code = "\n".join(_asset(name) for name in (*SCRIPTS, *more))
    digest = base64.b64encode(hashlib.sha256(f"\n{code}".encode()).digest()).decode()
    policy = f"default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-{digest}'"
    if more:
        policy += "; connect-src 'self'"
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>Spinflow: {escape(_names(groups))}</title>\n"
        f"<style>\n{_asset('report.css')}</style>\n"
        f"</head>\n<body>\n{content}<script>\n{code}</script>\n</body>\n</html>\n"
    )


def body(groups: Sequence[Group], found: Sequence[Kept] = (), *, still: bool = True) -> str:
    """Return a report as the content of a page's body.

    Args:
        groups: the points.
        found: what their curves can afford.
        still: whether there are pictures for where no scripts run, which takes matplotlib.
    """
    parts = networks(groups)
    sections = "".join(
        _section(
            number,
            members,
            [each for each in found if each.network == members[0].network],
            _pictures(number, members) if still else "<noscript>Pictures need scripts.</noscript>",
        )
        for number, members in enumerate(parts)
    )
    points = embedded([data_of(members) for members in parts])
    return (
        f"<h1>Accuracy and write energy of {escape(_names(groups))}</h1>\n{sections}"
        f'<script type="application/json" id="points">{points}</script>\n'
    )


def _names(groups: Sequence[Group]) -> str:
    return " and ".join(dict.fromkeys(group.network for group in groups)) or "results"


def _asset(name: str) -> str:
    return (_WEB / name).read_text(encoding="utf-8")


def _section(number: int, members: list[Group], found: Sequence[Kept], pictures: str) -> str:
    lines = "".join(f"<li>{escape(line)}</li>\n" for line in kept_lines(found))
    notes = "".join(f"<p>{escape(note)}</p>\n" for note in notes_of(members))
    return (
        f'<section data-network="{number}">\n{_said(members)}<h2>{escape(title(members))}</h2>\n'
        f"{f'<ul>{lines}</ul>' if lines else ''}"
        f'<div class="pictures">{pictures}</div>\n'
        f"{''.join(map(layer_map.html, layer_map.layer_maps(members)))}"
        f"{_table(members)}"
        f'<div class="notes">{notes}</div>\n</section>\n'
    )


def _said(members: list[Group]) -> str:
    """Return what the rows say, the result first."""
    first, *others = headline(members)
    more = "".join(f'<p class="more">{escape(sentence)}</p>\n' for sentence in others)
    return f'<p class="headline">{escape(first)}</p>\n{more}'


def _table(members: list[Group]) -> str:
    head = "".join(
        f'<th scope="col" data-sort="{field}">{escape(heading)}</th>'
        for heading, field in zip(HEADINGS, SORTED_BY, strict=True)
    )
    lines = "".join(
        f'<tr data-point="{number}">'
        + "".join(f"<td>{escape(cell)}</td>" for cell in cells(group))
        + "</tr>\n"
        for number, group in enumerate(members)
    )
    return (
        f'<div class="wide"><table class="points"><thead><tr>{head}</tr></thead>\n'
        f"<tbody>{lines}</tbody></table></div>\n"
    )


def _pictures(number: int, members: list[Group]) -> str:
    return (
        f'<figure class="still">{_svg(rate_figure(members), f"rate{number}")}'
        "<figcaption>Accuracy against the bit-error rate. Lines join the means, bars are 95 % "
        "intervals over repeats, small dots the single repeats, the pale band is the 95 % "
        "interval for the choice of images. 0 has a place of its own, left of the logarithmic "
        "axis.</figcaption></figure>\n"
        f'<figure class="still">{_svg(energy_figure(members), f"energy{number}")}'
        "<figcaption>The same accuracy against the energy of writing: a shorter pulse costs less "
        "and errs more often. The number at a point is its bit-error rate; the dashed line is the "
        "conventional write.</figcaption></figure>\n"
    )


def _svg(figure: Figure, name: str) -> str:
    """Return a figure as an SVG element: text as paths, no date, ids that depend on `name` only."""
    import matplotlib  # Only reports draw: the board need not have it.

    out = io.StringIO()
    with matplotlib.rc_context({"svg.hashsalt": name, "svg.fonttype": "path"}):
        figure.savefig(out, format="svg", metadata={"Date": None, "Creator": None})
    text = out.getvalue()
    return text[text.index("<svg") :]
