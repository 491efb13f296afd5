"""FuseSoC cores: of the register block, and of a bundle's accelerator (`rtl/accel.core`).

The third one, of all modules of hw/rtl, is a file of its own beside them, `hw/rtl/spinflow.core`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from spinflow import __version__
from spinflow.host.core.description import Description
from spinflow.hw.boards.facts import MACRO, PRIMITIVES
from spinflow.hw.cores import ipxact

NAME = "accel.core"
TOP = "accel"
REGISTERS = "spinflow_regs.core"
VERSION = __version__
RTL_CORE, REGISTERS_CORE = f"spinflow:hw:rtl:{VERSION}", f"spinflow:hw:regs:{VERSION}"

# Style is what `make lint` looks at, and how PeakRDL writes is its own; other warnings are errors.
_MORE = """\
  lint:
    default_tool: verilator
    filesets: [rtl]
    toplevel: {top}
    tools:
      verilator:
        mode: lint-only
        verilator_options: [-Wno-lint, -Wno-MULTIDRIVEN, --timing]

parameters:
  {macro}:
    datatype: str
    default: {primitives}
    paramtype: vlogdefine
    description: primitives that the RTL places by hand, those of the board that it was built for
"""


def _core(
    name: str, description: str, files: Iterable[str], depend: Sequence[str], top: str = ""
) -> str:
    """Return a core with one set of files and the target `default`; `top` is what a part gets."""
    lines = ["CAPI=2:", f"name: {name}", f"description: {description}", "", "filesets:", "  rtl:"]
    if depend:
        lines.append(f"    depend: [{', '.join(depend)}]")
    lines += ["    file_type: systemVerilogSource", "    files:"]
    lines += [f"      - {file}" for file in files]
    lines += ["", "targets:", "  default:", "    filesets: [rtl]"]
    if top:
        lines += [f"    toplevel: {top}", f"    parameters: [{MACRO}]"]
    return "\n".join([*lines, ""])


def registers(files: Sequence[Path]) -> str:
    """Return the core of the register block; packages come first.

    Args:
        files: of the block, in one folder with the core.
    """
    names = sorted((path.name for path in files), key=lambda name: not name.endswith("_pkg.sv"))
    return _core(REGISTERS_CORE, "Registers of a Spinflow accelerator", names, [])


def accelerator(described: Description, sources: Sequence[str], primitives: str) -> str:
    """Return the core of a bundle's accelerator; its target `lint` takes it without primitives.

    Args:
        described: the bundle.
        sources: as in rtl/files.f.
        primitives: of the board that it was built for, a key of PRIMITIVES.
    """
    name = f"spinflow:network:{ipxact.name_of(described.network)}:{VERSION}"
    text = f"Accelerator of the binary neural network {described.network}"
    own = [source for source in sources if "/" not in source]
    core = _core(name, text, own, [RTL_CORE, REGISTERS_CORE], TOP)
    return core + _MORE.format(top=TOP, macro=MACRO, primitives=PRIMITIVES[primitives])
