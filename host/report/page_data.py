"""What the scripts of a page are given of a network's points: all columns, and how curves look."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from spinflow.host.core.palette import style
from spinflow.host.report.headline import loss_of
from spinflow.host.report.summary import Group, basis_of, curves, share_of

_EXACT = 2**53
"""Whole numbers from here on are texts: a script's numbers do not hold all of them."""


def data_of(members: Sequence[Group]) -> dict[str, Any]:
    """Return a network's points and curves.

    Args:
        members: all points of one network, in the order of the table.

    Returns:
        ``columns``, the fields of a point as ``summary.json`` has them; ``points``, their values;
        ``drawn``, what pictures need besides, for each point: ``mean_rate``, the energy of its
        basis with its bound, and the loss with its interval (None where it is not known); and
        ``curves`` with the numbers of their points.
    """
    places = {id(group): place for place, group in enumerate(members)}
    values = [asdict(group) for group in members]
    return {
        "network": members[0].network,
        "columns": list(values[0]),
        "points": [[_plain(value) for value in point.values()] for point in values],
        "drawn": [_drawn(group, members) for group in members],
        "curves": [
            {
                "label": label,
                "basis": basis_of(points[0]),
                **style(number)._asdict(),
                "points": [places[id(group)] for group in points],
            }
            for number, (label, points) in enumerate(curves(members).items())
        ],
    }


def _drawn(group: Group, members: Sequence[Group]) -> dict[str, Any]:
    loss = loss_of(group, members)
    return {
        "mean_rate": group.mean_rate,
        "basis_energy_j": group.energy_j * share_of(group),
        "basis_bound_j": group.energy_bound_j * share_of(group),
        "loss": None if loss is None else [loss.mean, loss.low, loss.high],
    }


def _plain(value: Any) -> Any:
    if isinstance(value, tuple):
        return list(value)
    return str(value) if isinstance(value, int) and abs(value) >= _EXACT else value


def embedded(content: Any) -> str:
    """Return JSON that can stand in a ``script`` element, whatever texts it holds."""
    return json.dumps(content, separators=(",", ":")).replace("<", "\\u003c")
