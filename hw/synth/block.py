"""Size and logic depth of one module of hw/rtl: `spinflow synth-block MODULE NAME=VALUE ...`.

Parameters are written as SystemVerilog does: `Width=32`, `Thresholds="160'h123"`. Inputs and
outputs are left free; what depends on nothing but constants goes away, so a table that is left at
its default of zeros costs nothing.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from spinflow.host.core import start
from spinflow.hw.synth.yosys import (
    PRIMITIVES,
    RTL,
    SynthesisError,
    packages,
    synthesise,
    version,
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; return the exit status."""
    parser = start.Parser(
        prog="spinflow synth-block",
        description="Synthesise one module of hw/rtl.",
        epilog="example: spinflow synth-block weight_mem Width=36 Depth=512",
    )
    parser.add_argument("module", help="name of a module of hw/rtl")
    parser.add_argument("parameters", nargs="*", metavar="NAME=VALUE", help="its parameters")
    parser.add_argument(
        "--primitives", choices=PRIMITIVES, default="xilinx7", help="placed by hand (xilinx7)"
    )
    options = parser.parse_args(arguments)
    return start.finish(lambda: run(options))


def run(options: argparse.Namespace) -> None:
    """Synthesise the module and print what it takes.

    Raises:
        SynthesisError: there is no such module or parameter, or yosys fails.
    """
    parameters = {}
    for given in options.parameters:
        name, equals, value = given.partition("=")
        if not (name and equals and value):
            raise SynthesisError(f"{given} is not of the form NAME=VALUE")
        parameters[name] = value
    source = RTL / f"{options.module}.sv"
    if not source.exists():
        raise SynthesisError(f"hw/rtl has no module {options.module}")
    sources, primitives = [*packages(), source], options.primitives
    result = synthesise(sources, options.module, parameters, primitives=primitives, library=RTL)
    area, deepest = result.netlist.area(), result.netlist.deepest()
    print(f"{options.module} {' '.join(options.parameters)}".rstrip() + f" ({version()}, xc7)")
    print(
        f"  LUT {area.LUT} ({area.LUT_memory} as memory)  FF {area.FF}  RAMB36 {area.RAMB36:g}"
        f"  DSP48 {area.DSP48}  CARRY4 {area.CARRY4}  MUXF {area.MUXF}"
    )
    print(f"  {deepest.levels} levels: {' '.join(deepest.steps)}")
    print(f"  from {deepest.start} to {deepest.end}, about {deepest.delay_ns:.1f} ns unplaced")


if __name__ == "__main__":
    sys.exit(main())
