"""Writes docs/size.md from the reports in docs/results: of synthesis, and of routed designs.

`spinflow synth-page` makes the page anew; `spinflow synth-page out/synth/*.json out/route/*.json`
takes new reports over first.
"""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from spinflow.host.core import start
from spinflow.hw.route import tables as routed_tables
from spinflow.hw.route.report import KIND
from spinflow.hw.route.tools import ECP5
from spinflow.hw.synth import tables
from spinflow.hw.synth.yosys import REPOSITORY, SynthesisError

PAGE = REPOSITORY / "docs/size.md"
REPORTS = REPOSITORY / "docs/results/synth"
VIVADO = REPOSITORY / "docs/results/vivado"
ROUTED = REPOSITORY / "docs/results/route"

ABOUT = """\
# Size of the accelerators

`make synth NETWORK=…` synthesises a bundle's whole accelerator with yosys and prints these tables;
the report is `out/synth/<network>.json`, and `spinflow synth-page out/synth/*.json` takes
reports over into this page.

**These are yosys's figures, not Vivado's**, for {part} before placement, by {tool}.

- *LUT* counts cells: LUT1 to LUT6, inverters, LUT RAM (a RAM64M is four) and shift registers.
  Vivado puts two small LUTs into one where their inputs allow it; *shared* is yosys's own estimate
  with that. *RAMB36* counts an 18-kbit block as a half.
- The design is flattened, then optimised. Registers, carry chains and memories are counted to the
  block that they come from; a LUT goes to the block of most of its neighbours. The blocks add up to
  the total exactly, the border between two of them is a matter of judgement.
- *Wrappers* are what the write errors cost: with `WithErrors = 0` the same top has memories without
  draws, counters and error registers. The difference is shown part by part.
- A level of logic is a LUT, a carry cell, a wide multiplexer or a read of LUT RAM between two
  registers. The delay in ns is a yardstick between designs, from rounded cell delays and a guess
  for each wire.
- The board's shell (AXI DMA, interconnect, reset) is not in. Cycles a frame are the folding's
  bound.
- An XNOR is a product of a weight and a bit, or, in a first layer on pixels, of a weight and a
  pixel.

"""
PUBLISHED_NOTE = """\

The last two rows are as published: Vivado's LUTs after placement, where two small ones share a LUT,
without fault injection.

"""


def page(reports: Sequence[dict[str, Any]], routed: Sequence[dict[str, Any]] = ()) -> str:
    """Return the page as Markdown: one table for all designs, then one section each.

    Args:
        reports: of synthesis.
        routed: of designs that were routed, all for one part.
    """
    tools = sorted({report["tool"] for report in reports})
    parts = sorted({report["part"] for report in reports})
    text = ABOUT.format(tool=" and ".join(tools), part=" and ".join(parts))
    text += tables.comparison(reports) + PUBLISHED_NOTE + routed_tables.section(routed)
    return text + "\n".join(_design(report) for report in reports)


def _design(report: dict[str, Any]) -> str:
    """Return the section of a design, with Vivado's sizes where they were taken over."""
    place = VIVADO / f"{report['network']}-{report['work']['cycles_per_frame']}.json"
    text = f"## {tables.title(report)}\n\n{tables.one(report)}"
    if place.is_file():
        text += "\n" + tables.by_vivado(report, json.loads(place.read_text(encoding="utf-8")))
    return text


def reports() -> list[dict[str, Any]]:
    """Return the reports that the page is made of, by network, the fastest first."""
    found = [json.loads(path.read_text()) for path in REPORTS.glob("*.json")]
    return sorted(found, key=lambda it: (it["network"], it["work"]["cycles_per_frame"]))


def routed() -> list[dict[str, Any]]:
    """Return the reports on routed designs that the page is made of, in the same order."""
    found = [json.loads(path.read_text()) for path in ROUTED.glob("*.json")]
    return sorted(found, key=lambda it: (it["network"], it["cycles_per_frame"]))


def take_over(given: Path) -> None:
    """Copy a report to those that the page is made of.

    Raises:
        SynthesisError: the file is no report.
    """
    try:
        report = json.loads(given.read_text(encoding="utf-8"))
        is_routed = report.get("kind") == KIND
        is_vivado = "accelerator" in report
        if is_routed and report["part"] != ECP5.name:
            raise SynthesisError(f"{given} is for {report['part']}: the page has {ECP5.name}")
        at = report if is_routed or is_vivado else report["work"]
        cycles = at["cycles_per_frame"]
        name = f"{report['network']}-{cycles}.json"
    except (ValueError, KeyError, TypeError, AttributeError):
        raise SynthesisError(
            f"{given} is no report of spinflow synth, route or bitstream: make it anew"
        ) from None
    folder = ROUTED if is_routed else VIVADO if is_vivado else REPORTS
    folder.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(given, folder / name)


def main(arguments: Sequence[str] | None = None) -> int:
    """Take reports over and write the page; return the exit status."""
    parser = start.Parser(
        prog="spinflow synth-page",
        description="Write docs/size.md from the reports in docs/results.",
        epilog="example: spinflow synth-page out/synth/tfc-mnist.json",
    )
    parser.add_argument(
        "reports",
        nargs="*",
        type=Path,
        help="new: out/synth/*.json, out/route/*.json, vivado/sizes.json",
    )
    options = parser.parse_args(arguments)

    def make() -> None:
        for given in options.reports:
            take_over(given)
        made = reports()
        if not made:
            raise SynthesisError(f"there is no report in {REPORTS}: run make synth")
        PAGE.write_text(page(made, routed()), encoding="utf-8")

    return start.finish(make)


if __name__ == "__main__":
    sys.exit(main())
