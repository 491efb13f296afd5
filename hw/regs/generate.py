"""Makes everything that follows from spinflow.rdl, the one description of the registers.

`python -m spinflow.hw.regs.generate OUT` writes to OUT:

    spinflow_regs_pkg.sv, spinflow_regs.sv   the register block (PeakRDL-regblock, passthrough bus)
    spinflow_map_pkg.sv                      offsets of the memories' registers, for our own RTL
    regmap.json                              the `registers` object of a bundle's accel.json
    registers.md                             the documentation page (PeakRDL-markdown)
    spinflow_regs.xml                        the block as an IP-XACT component (PeakRDL-ipxact)
    spinflow_regs.core                       the block as a FuseSoC core
"""

import json
import sys
from pathlib import Path
from typing import Any

from peakrdl_ipxact import IPXACTExporter, Standard
from peakrdl_markdown import MarkdownExporter
from peakrdl_regblock import RegblockExporter
from peakrdl_regblock.cpuif.passthrough import PassthroughCpuif
from peakrdl_regblock.udps import ALL_UDPS
from systemrdl.compiler import RDLCompiler
from systemrdl.node import AddrmapNode, RegfileNode, RegNode

from spinflow.host.core import start
from spinflow.host.core.errors import SpinflowError
from spinflow.host.core.files import replace_text
from spinflow.hw.cores import fusesoc, ipxact

RDL = Path(__file__).with_name("spinflow.rdl")
GLOBAL_BYTES = 128  # where control_block looks for registers that are not of memories


def compile_rdl(memories: int | None = None) -> AddrmapNode:
    """Return the register description, elaborated.

    Args:
        memories: how many it is for; its own number if None.
    """
    compiler = RDLCompiler()
    for udp in ALL_UDPS:
        compiler.register_udp(udp)
    compiler.compile_file(str(RDL))
    parameters: dict[str, Any] = {} if memories is None else {"MEMORIES": memories}
    return compiler.elaborate(parameters=parameters).top


def registers_of(node: AddrmapNode | RegfileNode) -> dict[str, dict[str, Any]]:
    """Return offsets in bytes and fields of the registers directly under ``node``."""
    return {
        reg.inst_name: {
            "offset": reg.raw_address_offset,
            "fields": {f.inst_name: {"lsb": f.lsb, "width": f.width} for f in reg.fields()},
        }
        for reg in node.children(unroll=False)
        if isinstance(reg, RegNode)
    }


def regmap(top: AddrmapNode) -> dict[str, Any]:
    """Return the register map as it stands in accel.json."""
    memories = top.get_child_by_name("memories")
    assert isinstance(memories, RegfileNode)
    memory = memories.get_child_by_name("memory")
    assert isinstance(memory, RegfileNode)
    identity, version = (top.find_by_path(f"{name}.value") for name in ("ID", "MAP_VERSION"))
    assert identity is not None and version is not None
    return {
        "id": identity.get_property("reset"),
        "version": version.get_property("reset"),
        "size": top.size,
        "global": registers_of(top),
        "memory": {
            "base": memories.raw_address_offset + memory.raw_address_offset,
            "stride": memory.array_stride,
            "count": memory.array_dimensions[0] if memory.array_dimensions else 1,
            "registers": registers_of(memory),
        },
    }


def map_package(registers: dict[str, Any]) -> str:
    """Return the SystemVerilog constants of what memory_regs.sv decodes itself."""
    memory = registers["memory"]
    lines = [
        "// Offsets of the memories' registers, made from spinflow.rdl.",
        "",
        "package spinflow_map_pkg;",
        "",
        f"  parameter int unsigned MapMemCount = {memory['count']};",
    ]
    for name, register in memory["registers"].items():
        camel = "".join(part.capitalize() for part in name.split("_"))
        lines.append(f"  parameter logic [5:0] MapMem{camel} = 6'h{register['offset']:02X};")
    return "\n".join([*lines, "", "endpackage", ""])


def shorten(block: Path) -> None:
    """Read at the address of the bus alone: ours holds until it is answered.

    PeakRDL keeps a copy of the address, and to choose between the two is half of the longest path.
    """
    text = block.read_text(encoding="utf-8")
    chosen = "decoded_req ? decoded_addr : pending_rd_addr;"
    if text.count(chosen) != 1:
        raise SpinflowError(f"{block}: PeakRDL does not choose its read address as expected")
    replace_text(block, text.replace(chosen, "decoded_addr;"))


def write(out: Path) -> None:
    """Write all products to a folder, which is made if need be."""
    out.mkdir(parents=True, exist_ok=True)
    top = compile_rdl()
    registers = regmap(top)
    if max(register["offset"] for register in registers["global"].values()) >= GLOBAL_BYTES:
        raise SpinflowError(f"{RDL}: control_block decodes global registers below {GLOBAL_BYTES}")
    RegblockExporter().export(
        top,
        str(out),
        cpuif_cls=PassthroughCpuif,
        default_reset_activelow=True,
        retime_read_fanin=True,
        retime_read_response=True,
    )
    shorten(out / "spinflow_regs.sv")
    replace_text(out / "spinflow_map_pkg.sv", map_package(registers))
    # The page shows one memory's registers instead of the same ones for each.
    page = compile_rdl(memories=1)
    MarkdownExporter().export(page, str(out / "registers.md"), rename="spinflow_regs")
    exporter = IPXACTExporter(vendor="spinflow", library="hw", standard=Standard.IEEE_1685_2014)
    exporter.export(top, str(out / ipxact.REGISTERS), component_name="spinflow_regs")
    replace_text(out / fusesoc.REGISTERS, fusesoc.registers(sorted(out.glob("*.sv"))))
    replace_text(out / "regmap.json", json.dumps(registers, indent=2) + "\n")


def main() -> None:
    """Write all products to the folder named on the command line."""
    parser = start.Parser(
        prog="python -m spinflow.hw.regs.generate",
        description="Make the register block.",
        epilog="example: python -m spinflow.hw.regs.generate build/regs",
    )
    parser.add_argument("out", type=Path, help="folder to write to")
    write(parser.parse_args().out)


if __name__ == "__main__":
    sys.exit(start.finish(main))
