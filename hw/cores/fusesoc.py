"""FuseSoC cores: of the register block, and of a bundle's accelerator (`rtl/accel.core`).

The third one, of all modules of hw/rtl, is a file of its own beside them, `hw/rtl/spinflow.core`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from spinflow.host.core.description import Description

NAME = "accel.core"
REGISTERS = "spinflow_regs.core"
VERSION = "1.0.0"
RTL_CORE, REGISTERS_CORE = f"spinflow:hw:rtl:{VERSION}", f"spinflow:hw:regs:{VERSION}"

# Style is what `make lint` looks at, and how PeakRDL writes is its own; other warnings are errors.
_LINT = """\
  lint:
    default_tool: verilator
    filesets: [rtl]
    toplevel: {top}
    tools:
      verilator:
        mode: lint-only
        verilator_options: [-Wno-lint, -Wno-MULTIDRIVEN, --timing]
"""


def _core(name: str, description: str, files: Iterable[str], depend: Sequence[str]) -> str:
    """Return a core with one set of files and the target `default`."""
    lines = ["CAPI=2:", f"name: {name}", f"description: {description}", "", "filesets:", "  rtl:"]
    if depend:
        lines.append(f"    depend: [{', '.join(depend)}]")
    lines += ["    file_type: systemVerilogSource", "    files:"]
    lines += [f"      - {file}" for file in files]
    return "\n".join([*lines, "", "targets:", "  default:", "    filesets: [rtl]", ""])


def registers(files: Sequence[Path]) -> str:
    """Return the core of the register block; packages come first.

    Args:
        files: of the block, in one folder with the core.
    """
    names = sorted((path.name for path in files), key=lambda name: not name.endswith("_pkg.sv"))
    return _core(REGISTERS_CORE, "Registers of a Spinflow accelerator", names, [])


def accelerator(described: Description, sources: Sequence[str]) -> str:
    """Return the core of a bundle's accelerator, with the target `lint`.

    Args:
        described: the bundle.
        sources: as in rtl/files.f.
    """
    name = f"spinflow:network:{described.network}:{VERSION}"
    text = f"Accelerator of the binary neural network {described.network}"
    own = [source for source in sources if "/" not in source]
    return _core(name, text, own, [RTL_CORE, REGISTERS_CORE]) + _LINT.format(top="accel")
