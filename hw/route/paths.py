"""The slowest path of a routed design, as nextpnr reports it, by the instances it goes through."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from itertools import groupby
from typing import Any, NamedTuple

from spinflow.host.core.errors import SpinflowError
from spinflow.hw.route.harness import CORE

WIRE = "routing"
CELLS = "lut_pair", "carry_chain"

# What yosys appends to a net's name to name a cell beside it, and those to each other.
_BESIDE = re.compile(
    r"(_(?:TRELLIS_[A-Z0-9]+|DP16KD|CCU2C|LUT\d|PFUMX|L6MUX21|MULT18X18D|FD[RSCP]E|CARRY4|MUXF\d"
    r"|RAM[A-Z]*\d+[A-Z0-9]*|DSP48E1|INV|SRL[A-Z0-9]+)_.*)$"
)
_LOG = re.compile(
    r"Info: +(?P<delay>\d+\.\d+) +\d+\.\d+ +(?P<kind>Source|Net|Setup) (?P<name>\S+)|"
    r"Info: +Sink (?P<sink>\S+)"
)
_LOG_HEAD = re.compile(r"Info: Critical path report for clock '[^']*' \(posedge -> posedge\):")


class RouteError(SpinflowError):
    """A tool is missing or did not get through, or a design does not fit its part."""


class Step(NamedTuple):
    """A part of a path: through a cell, out of or into a register, or along a wire.

    Attributes:
        kind: clk-to-q, logic, routing or setup, as nextpnr calls them.
        delay_ns: that it takes.
        cell: where it ends, the cell's name in the netlist.
        port: pin of that cell.
    """

    kind: str
    delay_ns: float
    cell: str
    port: str


def from_report(report: Mapping[str, Any]) -> list[Step]:
    """Return the slowest path from register to register of nextpnr's report in JSON.

    Raises:
        RouteError: there is none.
    """
    within = [
        path
        for path in report.get("critical_paths", [])
        if path["from"].startswith("posedge ") and path["from"] == path["to"]
    ]
    if not within:
        raise RouteError("nextpnr reports no path from register to register")
    slowest = max(within, key=lambda path: sum(step["delay"] for step in path["path"]))
    return [
        Step(step["type"], step["delay"], step["to"]["cell"], step["to"]["port"])
        for step in slowest["path"]
    ]


def ends(report: Mapping[str, Any]) -> list[Step]:
    """Return where paths end at registers and memories, each with its latest arrival, by nextpnr.

    Args:
        report: of nextpnr, with the option for detailed timing.
    """
    found = []
    for net in report.get("detailed_net_timings", []):
        for end in net["endpoints"]:
            if net["event"].startswith("posedge ") and end["event"] == net["event"]:
                delay = end["delay"]  # least and most in newer versions
                latest = max(delay) if isinstance(delay, list) else delay
                found.append(Step("end", float(latest), end["cell"], end["port"]))
    return found


def from_log(log: str) -> list[Step]:
    """Return the slowest path from register to register of the log of an older nextpnr.

    Raises:
        RouteError: there is none.
    """
    heads = [found.end() for found in _LOG_HEAD.finditer(log)]
    steps: list[Step] = []
    # The last report is of the routed design; it ends with a line that begins otherwise.
    for line in log[heads[-1] :].split("\n")[1:] if heads else []:
        found = _LOG.match(line)
        if found is None:
            if steps and "ns logic" in line:
                break
        elif found["sink"]:
            wire = steps.pop()
            steps.append(_step(WIRE, wire.delay_ns, found["sink"]))
        else:
            kinds = {"Source": "logic" if steps else "clk-to-q", "Net": WIRE, "Setup": "setup"}
            steps.append(_step(kinds[found["kind"]], float(found["delay"]), found["name"]))
    if not steps:
        raise RouteError("nextpnr reports no path from register to register")
    return steps


def _step(kind: str, delay: float, name: str) -> Step:
    cell, _, port = name.rpartition(".")
    return Step(kind, delay, cell, port)


def describe(steps: Sequence[Step], instances: Mapping[str, str]) -> dict[str, Any]:
    """Return a path for the report: its delays, its ends, and the blocks that it goes through.

    Args:
        steps: of the path.
        instances: paths of the instances in the harness, and the names of their modules.
    """
    wires = sum(step.delay_ns for step in steps if step.kind == WIRE)
    whole = sum(step.delay_ns for step in steps)
    through = []
    for block, part in groupby(steps, key=lambda step: _block(step.cell, instances)):
        parts = list(part)
        along = sum(step.delay_ns for step in parts if step.kind == WIRE)
        through.append(
            {
                "block": _short(block),
                "module": instances.get(block, ""),
                "logic_ns": round(sum(step.delay_ns for step in parts) - along, 2),
                "wires_ns": round(along, 2),
            }
        )
    return {
        "delay_ns": round(whole, 2),
        "logic_ns": round(whole - wires, 2),
        "wires_ns": round(wires, 2),
        "levels": sum(step.kind == "logic" for step in steps),
        "from": _place(steps[0], instances),
        "to": _place(steps[-1], instances),
        "through": through,
    }


def by_block(ends: Sequence[Step], instances: Mapping[str, str]) -> list[dict[str, Any]]:
    """Return of each block the end of a path at which a signal arrives last, the latest first.

    Args:
        ends: from `ends`.
        instances: paths of the instances in the harness, and the names of their modules.
    """
    latest: dict[str, Step] = {}
    for end in ends:
        block = _short(_block(end.cell, instances))
        if block not in latest or end.delay_ns > latest[block].delay_ns:
            latest[block] = end
    found = sorted(latest.items(), key=lambda item: (-item[1].delay_ns, item[0]))
    return [{"arrival_ns": round(end.delay_ns, 2), **_place(end, instances)} for _, end in found]


def _place(step: Step, instances: Mapping[str, str]) -> dict[str, str]:
    """Return block, module and signal of an end of a path."""
    block = _block(step.cell, instances)
    name = step.cell[len(block) :].lstrip(".")
    signal = _BESIDE.sub("", name)
    return {
        "block": _short(block),
        "module": instances.get(block, ""),
        "signal": signal if signal != name else f"{name}.{step.port}",
    }


def _block(cell: str, instances: Mapping[str, str]) -> str:
    """Return the innermost instance that a cell's name lies in; empty for the harness itself.

    An instance that stands for one cell is no block: what counts is where it is placed.
    """
    name = _BESIDE.sub("", cell)
    while name and instances.get(name, CELLS[0]) in CELLS:
        name = name.rpartition(".")[0]
    return name


def _short(block: str) -> str:
    """Return an instance without the harness around it, and without the prefixes of names."""
    inside = block.removeprefix(CORE).lstrip(".")
    return ".".join(part.removeprefix("u_") for part in inside.split(".")) if inside else "(top)"
