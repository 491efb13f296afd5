"""Tables of the reports on routed designs, for the screen and as Markdown."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from spinflow.host.core.tables import markdown
from spinflow.hw.route.tools import ASKED_MHZ, LARGE

SECTION = """\
## Routed

`make route NETWORK=…` synthesises the same RTL without any part's primitives, places and routes it
and packs a bitstream ([how](routing.md)); the report is `out/route/<network>.json`.

**Routed on {part} ({grade}): another family than the board's, 40 nm, LUTs of four inputs.** By
{tool}.

- The accelerator lies between scan registers: each of its inputs comes from a register of a shift
  chain, each of its outputs goes to one that is folded into a second chain. So three pins are
  enough, nothing can be optimised away, and every path is one from register to register. *Fmax* is
  of all of them; the harness's registers and its LUTs, one for each output, are in the counts.
- The clock is on a global net, and without skew. {asked} MHz are asked for; nextpnr goes on beyond
  that.
- Seeds are 1, 2 and so on; *Fmax* is the best one's, *least* that of the worst, and each seed's is
  in the report. The same sources, tools and seed give the same result, bit for bit.
- LUT4 are cells that hold a LUT: those of carry chains (two bits a CCU2C) and of LUT RAM are
  counted.
- Synthesis is `synth_ecp5` as it is. Placer and router are nextpnr's own choice, `heap` and
  `router1`; of more than {large:,} LUTs, `static` and `router2` ([why](routing.md#on-an-ecp5)).

"""
SHOWN = 12
"""Blocks of which the latest arrival is shown."""
RIGHT = [False, False, False, True]
NOTE = """
The slowest path of each:

"""


def section(reports: Sequence[dict[str, Any]]) -> str:
    """Return the section of the page on designs routed for one part; none without a report."""
    if not reports:
        return ""
    first = reports[0]
    tool = " and ".join(sorted({report["tool"] for report in reports}))
    head = SECTION.format(
        part=first["part"], grade=first["grade"], tool=tool, asked=ASKED_MHZ, large=LARGE
    )
    lines = "".join(f"{path(report)}\n" for report in reports)
    return f"{head}{comparison(reports)}{NOTE}{lines}\n"


def one(report: dict[str, Any]) -> str:
    """Return what is to be said of one routed design."""
    path, image = report["slowest"], report["image"]
    use = ", ".join(
        f"{entry['used']:,} of {entry['available']:,} {name}"
        for name, entry in report["use"].items()
    )
    steps = [
        [
            part["block"],
            part["module"],
            f"{part['logic_ns']:.2f}",
            f"{part['wires_ns']:.2f}",
        ]
        for part in path["through"]
    ]
    latest = [
        [end["block"], end["module"], end["signal"], f"{end['arrival_ns']:.2f}"]
        for end in report["latest_by_block"][:SHOWN]
    ]
    return "\n".join(
        [
            f"{report['network']}, build {report['build_id']:08x}, routed on {report['part']} "
            f"({report['grade']}): {report['fmax_mhz']:.2f} MHz{_seeds(report)}.",
            "",
            f"{report['note']}",
            "",
            f"Takes {use}.",
            "",
            f"Slowest path: {path['delay_ns']:.2f} ns, {path['logic_ns']:.2f} logic and "
            f"{path['wires_ns']:.2f} wires, {path['levels']} cells in between, from "
            f"{_end(path['from'])} to {_end(path['to'])}:",
            "",
            markdown(
                ["block", "module", "logic, ns", "wires, ns"], steps, [False] * 2 + [True] * 2
            ),
            "",
            *(["Where signals arrive last, block by block, without set-up:", ""] if latest else []),
            *([markdown(["block", "module", "signal", "ns"], latest, RIGHT), ""] if latest else []),
            f"{image['file']}: {image['bytes']:,} bytes, SHA-256 {image['sha256']}",
            "",
        ]
    )


def comparison(reports: Sequence[dict[str, Any]]) -> str:
    """Return one row a routed design as Markdown: all of them for one part."""
    resources = list(reports[0]["use"])
    there = reports[0]["use"]
    head = ["design", "cycles a frame", "Fmax, MHz", "least of seeds", "slowest, ns", "of it wires"]
    head += [f"{name} of {there[name]['available']:,}" for name in resources]
    body = []
    for report in reports:
        path, seeds = report["slowest"], len(report["seeds"])
        body.append(
            [
                report["network"],
                f"{report['cycles_per_frame']:,}",
                f"{report['fmax_mhz']:.1f}",
                f"{report['least_mhz']:.1f} of {seeds}",
                f"{path['delay_ns']:.1f}",
                f"{path['wires_ns']:.1f}",
                *(f"{report['use'][name]['used']:,}" for name in resources),
            ]
        )
    return markdown(head, body, [False, *[True] * (len(head) - 1)]) + "\n"


def path(report: dict[str, Any]) -> str:
    """Return a line on the slowest path of a design."""
    found = report["slowest"]
    return (
        f"- {report['network']}, {report['cycles_per_frame']:,} cycles: from "
        f"{_end(found['from'])} to {_end(found['to'])}, {found['levels']} cells"
    )


def _seeds(report: dict[str, Any]) -> str:
    seeds = report["seeds"]
    if len(seeds) == 1:
        return f" with seed {report['best_seed']}"
    return (
        f" with seed {report['best_seed']}, the best of {len(seeds)}; the least is "
        f"{report['least_mhz']:.2f}, the median {report['median_mhz']:.2f}"
    )


def _end(place: dict[str, str]) -> str:
    """Return an end of a path: module and signal, and where the module is."""
    return f"`{place['block']}` ({place['module'] or 'harness'}) `{place['signal']}`"
