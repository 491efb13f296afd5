"""The report of sweeps: a table with 95 % intervals, ``summary.json`` and ``report.html``.

It takes the rows of any set of results files: what was measured on a board, on the RTL and by the
evaluator stands side by side, one section for each network. The same rows give the same bytes.

- :mod:`spinflow.host.report.summary`: repeats taken together, and what curves can afford,
- :mod:`spinflow.host.report.table`: the table and its notes,
- :mod:`spinflow.host.report.figures`, :mod:`spinflow.host.report.page`: the pictures and the page.
"""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from spinflow.host.core.files import replace_text
from spinflow.host.mtj.exponential import CONVENTIONAL_RATE
from spinflow.host.report.figures import energy_figure, rate_figure
from spinflow.host.report.page import page
from spinflow.host.report.summary import Group, Kept, kept, kept_lines, networks, summarise
from spinflow.host.report.table import notes_of, table
from spinflow.host.sweep.statistics import LEVEL

__all__ = [
    "Group",
    "Kept",
    "energy_figure",
    "kept",
    "kept_lines",
    "page",
    "rate_figure",
    "summarise",
    "summary",
    "table",
    "write",
]


def write(groups: Sequence[Group], folder: Path, found: Sequence[Kept] = ()) -> list[Path]:
    """Write ``summary.json`` and ``report.html`` into a folder, each in one step.

    Returns:
        What was written: the summary alone where there is no matplotlib, as on a board. A page of
        earlier rows goes away then.
    """
    written = {"summary.json": json.dumps(summary(groups, found), indent=2) + "\n"}
    if importlib.util.find_spec("matplotlib") is not None:
        written["report.html"] = page(groups, found)
    else:
        (folder / "report.html").unlink(missing_ok=True)
    for name, content in written.items():
        replace_text(folder / name, content)
    return [folder / name for name in written]


def summary(groups: Sequence[Group], found: Sequence[Kept] = ()) -> dict[str, Any]:
    """Return the content of ``summary.json``."""
    return {
        "format": 1,
        "level": LEVEL,
        "conventional_rate": CONVENTIONAL_RATE,
        "notes": [note for members in networks(groups) for note in notes_of(members)],
        "points": [asdict(group) for group in groups],
        "kept": [asdict(each) for each in found],
    }
