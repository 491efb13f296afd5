"""Tables of the synthesis reports, for the screen and as Markdown."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from spinflow.host.core.tables import markdown
from spinflow.hw.synth.report import PUBLISHED, PUBLISHED_CLOCK_MHZ, RESOURCES, rates
from spinflow.hw.synth.yosys import RTL

GENERATED = {"spinflow_regs"}
"""Modules that hw/regs makes."""
OLDER = " †"
OLDER_NOTE = """
Designs with a dagger are of an older RTL, with modules that are not there any more: make them anew.
"""
MARK = "*"
SLOW_NOTE = """
Rates with a star are at a clock that the design's own slowest path, as estimated, does not allow.
"""


def rows(head: Sequence[str], body: Sequence[Sequence[str]]) -> str:
    """Return a Markdown table that lines up as plain text too, all but the first column right."""
    return markdown(head, body, [False, *[True] * (len(head) - 1)])


def title(report: dict[str, Any]) -> str:
    """Return what tells a design from another of the same network."""
    cycles = f"{report['work']['cycles_per_frame']:,} cycles a frame"
    return f"{report['network']}, {cycles}{', of older RTL' if of_older_rtl(report) else ''}"


def of_older_rtl(report: dict[str, Any]) -> bool:
    """Return whether a report names a module that hw/rtl does not have."""
    there = {path.stem for path in RTL.glob("*.sv")} | GENERATED
    return any(block["module"] not in there for block in report["blocks"])


def one(report: dict[str, Any]) -> str:
    """Return the tables of one design as Markdown."""
    fit, wrappers, total = report["fit"], report["wrappers"], report["total"]
    share = {name: 100 * total[name] / fit[name]["available"] for name in total}
    sums = [
        _area(report["network"], total),
        _area("of the part, %", share, 1),
        _area("without the MRAM wrappers", report["without_wrappers"]),
        _area("the wrappers", wrappers),
        _area("the wrappers, % of the design", wrappers["percent_of_design"], 1),
    ]
    blocks = [_area(_indented(block), block) for block in report["blocks"]]
    items = [_area(name, area) for name, area in wrappers["items"].items()]
    paths = [
        f"- {title}: {route['levels']} levels ({_through(route['through'])}), about "
        f"{route['delay_estimate_ns']:.1f} ns unplaced, from `{route['from']}` to `{route['to']}`"
        for title, route in (
            ("Most levels of logic", report["logic"]["deepest"]),
            ("Slowest by a rough estimate", report["logic"]["slowest"]),
        )
    ]
    parts = [
        rows(["", *RESOURCES], sums),
        _cells(report),
        _work(report["work"]),
        rows(["block", *RESOURCES], blocks),
        rows(["the wrappers add", *RESOURCES], items),
        "\n".join(paths),
    ]
    return "\n\n".join(parts) + "\n"


def _cells(report: dict[str, Any]) -> str:
    cells = report["cells"]
    return (
        f"{fits(report)} {cells['LUT_memory']:,} of the LUTs are memory; {cells['RAMB18']} block "
        f"RAMs of 18 kbit count as halves. With LUTs shared, yosys estimates "
        f"{cells['LC_estimate']:,} of them."
    )


def _work(work: dict[str, Any]) -> str:
    pixels = work["pixel_macs_per_frame"]
    return (
        f"A frame takes {work['xnor_per_frame']:,} XNOR"
        f"{f' and {pixels:,} products with a pixel' if pixels else ''} in "
        f"{work['cycles_per_frame']:,} cycles: {work['frames_per_s']:,.0f} frames/s at "
        f"{work['clock_mhz']:g} MHz, {work['macs_per_s'] / 1e9:,.0f} G XNOR/s, "
        f"{work['macs_per_s_per_LUT'] / 1e6:.1f} M a LUT."
    )


def _indented(block: dict[str, Any]) -> str:
    """Return the name of a block, in its parent's shadow if it is a part of one."""
    depth, name = int(block["level"]) - 1, str(block["name"])
    return "\u00a0\u00a0" * depth + (name.rpartition(".")[2] if depth else name)


def comparison(reports: Sequence[dict[str, Any]]) -> str:
    """Return one row a design, and the published ones, as Markdown.

    Rates at a clock that the estimate of the slowest path does not allow are marked.
    """
    head = ["design", "LUT", "shared", "RAMB36", "cycles a frame", "frames/s", "G XNOR/s"]
    head += ["M XNOR/s a LUT", "wrappers, % of LUTs", "of the part's LUTs, %", "slowest, ns"]
    head += ["its levels beside carries"]
    body = []
    for report in reports:
        work, fit, slowest = report["work"], report["fit"]["LUT"], report["logic"]["slowest"]
        speeds = _rates(work["cycles_per_frame"], work)
        if too_slow(report):
            speeds[1:] = [f"{rate} {MARK}" for rate in speeds[1:]]
        body.append(
            [
                report["network"] + (OLDER if of_older_rtl(report) else ""),
                f"{report['total']['LUT']:,}",
                f"{report['cells']['LC_estimate']:,}",
                f"{report['total']['RAMB36']:g}",
                *speeds,
                f"{report['wrappers']['percent_of_design']['LUT']:.1f}",
                f"{100 * report['total']['LUT'] / fit['available']:.1f}",
                f"{slowest['delay_estimate_ns']:.1f}",
                str(sum(kind != "CARRY4" for kind in slowest["through"])),
            ]
        )
    for name, facts in PUBLISHED.items():
        cycles = facts["cycles_per_frame"]
        made = rates(facts["macs"], cycles, PUBLISHED_CLOCK_MHZ, facts["LUT"])
        published = [name, "", f"{facts['LUT']:,}", str(facts["RAMB36"]), *_rates(cycles, made)]
        body.append([*published, "none", "", "", ""])
    marked = SLOW_NOTE if any(too_slow(report) for report in reports) else ""
    marked += OLDER_NOTE if any(of_older_rtl(report) for report in reports) else ""
    return rows(head, body) + "\n" + marked


def too_slow(report: dict[str, Any]) -> bool:
    """Return whether a design's estimate is beyond the period of its clock."""
    period_ns = 1e3 / report["work"]["clock_mhz"]
    return bool(report["logic"]["slowest"]["delay_estimate_ns"] > period_ns)


def by_vivado(report: dict[str, Any], sizes: dict[str, Any]) -> str:
    """Return a design's sizes as Vivado found them beside yosys's, block by block, as Markdown.

    Args:
        report: of synthesis by yosys.
        sizes: what `make bitstream` left of the same design (spinflow.hw.boards.sizes).
    """
    of_yosys = {str(block["name"]): block for block in report["blocks"]}
    head = ["block", *(f"{name}, {tool}" for name in RESOURCES for tool in ("Vivado", "yosys"))]
    body = [_beside(report["network"], sizes["accelerator"], report["total"])]
    for block in sizes["blocks"]:
        its = of_yosys.get(block["name"], {})
        body.append(_beside(_indented(block), block, its))
    slack = f"worst slack {sizes['wns_ns']:g} ns at {sizes['clock_mhz']:g} MHz"
    return f"By {sizes['tool']}, routed, {slack}:\n\n{rows(head, body)}\n"


def _beside(name: str, ours: dict[str, Any], its: dict[str, Any]) -> list[str]:
    pairs = ((ours.get(resource), its.get(resource)) for resource in RESOURCES)
    return [name, *("" if value is None else f"{value:,.10g}" for pair in pairs for value in pair)]


def fits(report: dict[str, Any]) -> str:
    """Return one sentence: whether the design fits the part, and by how much."""
    fit = report["fit"]
    over = {name: -room["left"] for name, room in fit.items() if room["left"] < 0}
    if over:
        lacking = ", ".join(f"{number:,g} {name}" for name, number in over.items())
        return f"Does not fit {report['part']}: {lacking} too many."
    left = ", ".join(f"{room['left']:,g} {name}" for name, room in fit.items())
    return f"Fits {report['part']}; left over: {left}."


def _rates(cycles: int, made: dict[str, Any]) -> list[str]:
    return [
        f"{cycles:,}",
        f"{made['frames_per_s']:,.0f}",
        f"{made['macs_per_s'] / 1e9:,.0f}",
        f"{made['macs_per_s_per_LUT'] / 1e6:.1f}",
    ]


def _area(name: str, area: dict[str, Any], digits: int | None = None) -> list[str]:
    def text(value: float) -> str:
        return f"{value:,.{digits}f}" if digits is not None else f"{value:,.10g}"

    return [name, *(text(area[resource]) for resource in RESOURCES)]


def _through(kinds: list[str]) -> str:
    """Return the kinds with runs of one kind together, as in 2 LUT6, 8 CARRY4."""
    runs: list[list[Any]] = []
    for kind in kinds:
        if runs and runs[-1][1] == kind:
            runs[-1][0] += 1
        else:
            runs.append([1, kind])
    return ", ".join(f"{number} {kind}" for number, kind in runs) or "none"
