"""Sizes by module from Vivado's hierarchical utilisation report, for the page beside yosys's.

`make bitstream` leaves them in the bundle as `vivado/sizes.json`; `spinflow synth-page` takes them
over.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from spinflow.host.core.description import Description
from spinflow.host.core.files import replace_text

ACCELERATOR = "u_accel"
"""Instance of the accelerator in the module that the block design sees (`prepare.verilog`)."""

SIZES = "sizes.json"

COLUMNS = {"LUT": "Total LUTs", "FF": "FFs", "RAMB36": "RAMB36", "RAMB18": "RAMB18"}
DSP_COLUMNS = "DSP Blocks", "DSP48 Blocks"
"""Columns of the report; that of the DSPs has another name from version to version."""

OPENED = {"shell"}
"""Blocks of which the parts are listed, too."""


class Row(NamedTuple):
    """A row of the report."""

    depth: int
    instance: str
    used: dict[str, float]


def rows(report: str) -> list[Row]:
    """Return the rows of a hierarchical utilisation report, in its order; none if it has no table.

    A row `(name)` is what an instance uses outside its parts. RAMB36 counts a RAMB18 as a half.
    """
    found: list[Row] = []
    head: list[str] = []
    for line in report.splitlines():
        if not line.startswith("|"):
            continue
        cells = line.strip().strip("|").split("|")
        words = [cell.strip() for cell in cells]
        if words[0] == "Instance":
            head = words
        elif head and len(words) == len(head):
            depth = (len(cells[0]) - len(cells[0].lstrip()) - 1) // 2
            found.append(Row(depth, words[0], _used(dict(zip(head, words, strict=True)))))
    return found


def _used(row: Mapping[str, str]) -> dict[str, float]:
    """Return what a row counts, by resource; a column that is missing or no number counts 0."""

    def count(*names: str) -> int:
        for name in names:
            # With -hierarchical_percentages a number is followed by its share.
            match = re.match(r"([\d,]{1,12})(?:\(|$)", row.get(name, ""))
            if match:
                return int(match[1].replace(",", ""))
        return 0

    used = {resource: count(column) for resource, column in COLUMNS.items()}
    halves = used.pop("RAMB18")
    return {**used, "RAMB36": used["RAMB36"] + halves / 2, "DSP48": count(*DSP_COLUMNS)}


def blocks(report: str) -> tuple[dict[str, float], list[dict[str, Any]]]:
    """Return what the accelerator uses, and its blocks with the parts of the shell.

    Blocks are named as `spinflow synth` names them: without `u_`. Both are empty where the report
    does not have the accelerator.
    """
    listed = rows(report)
    at = next((n for n, row in enumerate(listed) if row.instance == ACCELERATOR), None)
    if at is None:
        return {}, []
    top, inside = listed[at], []
    opened = ""
    for row in listed[at + 1 :]:
        level = row.depth - top.depth
        if level < 1:
            break
        name = row.instance.removeprefix("u_")
        if level == 1:
            opened = name if name in OPENED else ""
        between = row.instance.startswith("(")
        if level == 1 or (level == 2 and opened and not between):
            inside.append({"name": "(between)" if between else name, "level": level, **row.used})
    return top.used, inside


def write(described: Description, work: Path, entry: Mapping[str, Any]) -> Path | None:
    """Write the sizes of a bundle's accelerator; return the file, or None if the report has none.

    Args:
        described: the bundle.
        work: the folder that Vivado ran in.
        entry: the entry `bitstream` of the board's accel.json.

    Raises:
        OSError: the file cannot be written.
    """
    report = work / "out/utilization-hierarchical.txt"
    text = report.read_text(encoding="utf-8", errors="replace") if report.is_file() else ""
    total, inside = blocks(text)
    if not inside:
        return None
    found = {
        "network": described.network,
        "build_id": described.build_id,
        "part": described.part,
        "tool": f"Vivado {entry['vivado']}",
        "clock_mhz": described.clock_mhz,
        "cycles_per_frame": described.cycles_per_frame,
        "wns_ns": entry["wns_ns"],
        "accelerator": total,
        "design": dict(entry["utilization"]),
        "blocks": inside,
    }
    out = work / SIZES
    replace_text(out, json.dumps(found, indent=2) + "\n")
    return out
