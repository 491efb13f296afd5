"""Writes the table of cores in hw/README.md: `spinflow cores-page`.

Purpose, latency, throughput, parameters and ports are read from the modules' own headers; sizes are
those of `spinflow synth-block` at the parameters of cores.toml, kept in docs/results/cores.json and
made anew by `--measure`; results of proofs are those that hw/formal keeps.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import tomllib

from spinflow.host.core import start
from spinflow.host.core.files import replace_text
from spinflow.host.core.tables import markdown
from spinflow.hw.formal import cores as formal
from spinflow.hw.synth.headers import Core, cores
from spinflow.hw.synth.yosys import (
    REPOSITORY,
    RTL,
    SynthesisError,
    packages,
    synthesise,
    version,
)

README = REPOSITORY / "hw/README.md"
PARAMETERS = Path(__file__).with_name("cores.toml")
SIZES = REPOSITORY / "docs/results/cores.json"
BEGIN, END = "<!-- cores: spinflow cores-page -->", "<!-- end of cores -->"
MOST_DIGITS = 16
"""A parameter with more is not shown: a table."""
MOST_PORTS = 16
"""A core with more ports is shown with their number."""


def given() -> dict[str, dict[str, str]]:
    """Return of each core the parameters that its size is measured at."""
    read = tomllib.loads(PARAMETERS.read_text(encoding="utf-8"))
    return {core: {name: str(value) for name, value in of.items()} for core, of in read.items()}


def measure(parameters: Mapping[str, Mapping[str, str]]) -> dict[str, Any]:
    """Return the size of every core, by name.

    Raises:
        SynthesisError: yosys fails, or a core has no such parameter.
    """
    sizes = {}
    for core in cores():
        of = dict(parameters.get(core.name, {}))
        files = [*packages(), RTL / f"{core.name}.sv"]
        made = synthesise(files, core.name, of, primitives="xilinx7", library=RTL)
        area, slowest = made.netlist.area(), made.netlist.slowest()
        sizes[core.name] = {
            "parameters": of,
            "LUT": area.LUT,
            "FF": area.FF,
            "RAMB36": area.RAMB36,
            "slowest_ns": round(slowest.delay_ns, 1),
        }
    return {"tool": f"yosys ({version()}), synth_xilinx, one module alone", "cores": sizes}


def _row(core: Core, sizes: Mapping[str, Any], proofs: Mapping[str, str]) -> list[str]:
    size = sizes.get(core.name, {})
    given = size.get("parameters", {}).items()
    at = ", ".join(f"{name} {value}" for name, value in given if len(value) <= MOST_DIGITS)
    ports = ", ".join(f"`{port}`" for port in core.ports)
    return [
        f"[`{core.name}`](rtl/{core.name}.sv)",
        core.purpose,
        ", ".join(f"`{name}`" for name in core.parameters),
        ports if len(core.ports) <= MOST_PORTS else f"{len(core.ports)} ports",
        core.latency,
        core.throughput,
        f"{size['LUT']:,} / {size['FF']:,} / {size['RAMB36']:g}" if size else "",
        at,
        proofs.get(core.name, ""),
    ]


def table(sizes: Mapping[str, Any], proofs: Mapping[str, str]) -> str:
    """Return the table as Markdown.

    Args:
        sizes: as `measure` returns them.
        proofs: what is proven of a core, by name.
    """
    head = ["core", "what it is", "parameters", "ports", "latency", "throughput"]
    head += ["LUT / FF / RAMB36", "at", "proven"]
    body = [_row(core, sizes["cores"], proofs) for core in cores()]
    return f"Sizes by {sizes['tool']}.\n\n" + markdown(head, body, [False] * len(head))


def proofs() -> dict[str, str]:
    """Return what is proven of each core that hw/formal has, in a few words."""
    how = {
        "pdr": "for all time",
        "induction": "for all time, by induction at {depth}",
        "bounded": "the first {depth} cycles",
    }
    return {
        core.module: f"{how[core.prover].format(depth=core.depth)}: {core.promise}"
        for core in reversed(formal.cores().values())  # of several of one module the first
    }


def text(sizes: Mapping[str, Any]) -> str:
    """Return hw/README.md with the table made anew.

    Raises:
        SynthesisError: the page has no place for it.
    """
    page = README.read_text(encoding="utf-8")
    before, begin, rest = page.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not (begin and end):
        raise SynthesisError(f"{README} lacks the lines {BEGIN} and {END}")
    return f"{before}{BEGIN}\n\n{table(sizes, proofs())}\n\n{END}{after}"


def main(arguments: Sequence[str] | None = None) -> int:
    """Write the table; return the exit status."""
    parser = start.Parser(
        prog="spinflow cores-page",
        description="Write the table of cores in hw/README.md.",
        epilog="example: spinflow cores-page --measure",
    )
    parser.add_argument(
        "--measure", action="store_true", help="synthesise every core first (some minutes)"
    )
    options = parser.parse_args(arguments)

    def make() -> None:
        if options.measure:
            replace_text(SIZES, json.dumps(measure(given()), indent=2) + "\n")
        if not SIZES.is_file():
            raise SynthesisError(f"{SIZES} is missing: run spinflow cores-page --measure")
        replace_text(README, text(json.loads(SIZES.read_text(encoding="utf-8"))))

    return start.finish(make)


if __name__ == "__main__":
    sys.exit(main())
