"""The map of a sweep over single memories: parts of the network against rates, by lost accuracy.

It is a table, whose cells have a colour besides their number, so it needs no script and no picture.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

from spinflow.host.report.headline import Loss, loss_of, short_rate
from spinflow.host.report.summary import Group, accuracy_of, curves

_WHOLE = ("weights", "buffers", "all")
"""Selections that are no part of the network."""
_DEEPEST = 0.85
"""Opacity of the colour of the largest loss: the number must stay readable."""


@dataclass(frozen=True)
class LayerMap:
    """Losses of the parts of a network, of curves that differ in nothing else.

    Attributes:
        of: what else the curves are of, empty where there is only one such set.
        parts: the memories, in the order of the layers.
        rates: mean rates of ones and zeros, ascending.
        cells: point and loss by memory and rate; of several points the one that loses most.
    """

    of: str
    parts: tuple[str, ...]
    rates: tuple[float, ...]
    cells: dict[tuple[str, float], tuple[Group, Loss]]


def layer_maps(members: Sequence[Group]) -> list[LayerMap]:
    """Return the maps of a network's points; none where fewer than two parts have a loss.

    Args:
        members: all points of one network.
    """
    found: dict[str, dict[tuple[str, float], tuple[Group, Loss]]] = {}
    for label, points in curves(members).items():
        memory = points[0].memory
        for point in points if memory not in _WHOLE else ():
            loss = loss_of(point, members)
            if loss is None or point.mean_rate == 0:
                continue
            cells = found.setdefault(label[len(memory) + 2 :], {})
            place = (memory, point.mean_rate)
            if place not in cells or cells[place][1].mean < loss.mean:
                cells[place] = (point, loss)
    maps = [
        LayerMap(
            of,
            tuple(sorted({memory for memory, _ in cells}, key=_order)),
            tuple(sorted({rate for _, rate in cells})),
            cells,
        )
        for of, cells in found.items()
    ]
    return [each for each in maps if len(each.parts) > 1]


def _order(memory: str) -> tuple[bool, int, str, bool, str]:
    """Sort memories as layers lie: convolutions with their pools by number, then dense layers."""
    found = re.match(r"([a-z]*)(\d*)", memory)
    kind, number = found.groups() if found else ("", "")
    # A layer's weights come before the buffer behind it.
    return kind == "fc", int(number or -1), kind, not memory.endswith("weights"), memory


def html(found: LayerMap) -> str:
    """Return a map as a table."""
    most = max(loss.mean for _, loss in found.cells.values())
    head = "".join(f'<th scope="col">{short_rate(rate)}</th>' for rate in found.rates)
    lines = "".join(
        f'<tr><th scope="row">{escape(part)}</th>'
        + "".join(_cell(found.cells.get((part, rate)), most) for rate in found.rates)
        + "</tr>\n"
        for part in found.parts
    )
    of = f" ({found.of})" if found.of else ""
    return (
        f'<div class="map"><h3>Lost accuracy by part and error rate{escape(of)}</h3>\n'
        f'<div class="wide"><table class="map"><thead><tr><th scope="col">errors in</th>{head}</tr>'
        f"</thead>\n<tbody>{lines}</tbody></table></div>\n"
        f'<p class="notes">Percentage points lost against no errors, with errors in one part '
        "alone; the deeper the colour, the more (by the square root, so that small losses show). "
        "Intervals appear where the pointer rests.</p></div>\n"
    )


def _cell(found: tuple[Group, Loss] | None, most: float) -> str:
    if found is None:
        return "<td>–</td>"
    point, loss = found
    depth = _DEEPEST * math.sqrt(max(loss.mean, 0.0) / most) if most > 0 else 0.0
    lost = f"{round(100 * loss.mean, 2) + 0.0:.2f}"  # a zero has no sign
    words = f"{point.memory}: accuracy {accuracy_of(point)}, {100 * point.saving:.1f} % saved"
    return f'<td style="--depth: {depth:.3f}" title="{escape(words)}">{lost}</td>'
