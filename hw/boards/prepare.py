"""Prepares a bundle for Vivado: `python -m spinflow.hw.boards.prepare build/<network>`.

Makes `build/<network>/vivado/`, which has all that build.tcl reads:

    facts.tcl     part, clock, ports, addresses, DMA and registers, from board.toml and the bundle
    ps7.tcl       the board's processing system
    src/          the RTL of rtl/files.f, and accel_ip.v, a Verilog module around `accel`

A packaged IP does not keep macros that a project sets, so the package that asks for the primitives
of a part has the board's written above it.

Vivado's block designs take no SystemVerilog module; accel_ip.v is the one they see, with the
attributes by which Vivado knows its interfaces.
"""

from __future__ import annotations

import os
import re
import shutil
import sys
from pathlib import Path
from typing import NamedTuple

from spinflow.host.core import description, handover, start
from spinflow.host.core import sources as listing
from spinflow.host.core.description import Description
from spinflow.host.core.errors import BundleError
from spinflow.host.core.plain import MIB, read_plain
from spinflow.hw.boards import common
from spinflow.hw.boards.facts import (
    MACRO,
    PRIMITIVES,
    PROCESSOR,
    Board,
    BoardError,
    board_named,
)

TOP = "accel_ip"
CHOICE = "spinflow_pkg.sv"
WORK = "vivado"
MAX_JOBS = 8

# Width of a word of the accelerator's streams, and of the DMA's.
STREAM_BITS = 32


class Port(NamedTuple):
    """A port of the accelerator, and what it is to Vivado."""

    name: str
    direction: str
    bits: int
    interface: str
    signal: str


class Interface(NamedTuple):
    """A bus of the accelerator as Vivado knows it: its kind, and its parameters."""

    library: str
    bus: str
    parameters: dict[str, object]


def interfaces(clock_mhz: float) -> dict[str, Interface]:
    """Return the accelerator's interfaces by name.

    Args:
        clock_mhz: of `aclk`.
    """
    stream: dict[str, object] = {"TDATA_NUM_BYTES": STREAM_BITS // 8}
    clock: dict[str, object] = {
        "ASSOCIATED_BUSIF": "s_axi:s_axis:m_axis",
        "ASSOCIATED_RESET": "aresetn",
        "FREQ_HZ": round(clock_mhz * 1e6),
    }
    return {
        "s_axi": Interface("interface", "aximm", {"PROTOCOL": "AXI4LITE"}),
        "s_axis": Interface("interface", "axis", stream),
        "m_axis": Interface("interface", "axis", stream),
        "aclk": Interface("signal", "clock", clock),
        "aresetn": Interface("signal", "reset", {"POLARITY": "ACTIVE_LOW"}),
    }


def ports(address_bits: int) -> list[Port]:
    """Return the accelerator's ports (docs/contracts.md) with a given width of addresses."""
    axi = [
        *(("awaddr", "input", address_bits), ("awprot", "input", 3)),
        *(("awvalid", "input", 1), ("awready", "output", 1)),
        *(("wdata", "input", 32), ("wstrb", "input", 4)),
        *(("wvalid", "input", 1), ("wready", "output", 1)),
        *(("bresp", "output", 2), ("bvalid", "output", 1), ("bready", "input", 1)),
        *(("araddr", "input", address_bits), ("arprot", "input", 3)),
        *(("arvalid", "input", 1), ("arready", "output", 1)),
        *(("rdata", "output", 32), ("rresp", "output", 2)),
        *(("rvalid", "output", 1), ("rready", "input", 1)),
    ]
    pixels = [("tdata", "input", STREAM_BITS), ("tvalid", "input", 1), ("tready", "output", 1)]
    labels = [
        *(("tdata", "output", STREAM_BITS), ("tkeep", "output", STREAM_BITS // 8)),
        *(("tvalid", "output", 1), ("tready", "input", 1), ("tlast", "output", 1)),
    ]
    signals = {"s_axi": axi, "s_axis": pixels, "m_axis": labels}
    return [
        Port("aclk", "input", 1, "aclk", "CLK"),
        Port("aresetn", "input", 1, "aresetn", "RST"),
        *(
            Port(f"{interface}_{signal}", direction, bits, interface, signal.upper())
            for interface, members in signals.items()
            for signal, direction, bits in members
        ),
    ]


def prepare(bundle: Path) -> Path:
    """Make the folder for Vivado in a bundle, anew; return it.

    Raises:
        BoardError: the bundle is not whole, is for another board, or its RTL does not fit the
            board design; nothing is made then.
    """
    described = description.read(bundle)
    board = board_named(described.board)
    check_board(bundle, described, board)
    described.check_files()
    registers = common.read_handover(described, board)
    sources = source_files(bundle)
    range_bits = (board.address_map["accel"].size - 1).bit_length()
    address_bits = check_ports(bundle / "rtl" / "accel.sv", range_bits)
    work = bundle / WORK
    shutil.rmtree(work, ignore_errors=True)
    (work / "src").mkdir(parents=True)
    for source in sources:
        copy(source, work / "src", board)
    wrapper = verilog(described.network, range_bits, address_bits, described.clock_mhz)
    (work / "src" / f"{TOP}.v").write_text(wrapper, encoding="utf-8")
    names = [*(source.name for source in sources), f"{TOP}.v"]
    (work / "facts.tcl").write_text(facts(described, board, registers, names), encoding="utf-8")
    shutil.copyfile(board.folder / PROCESSOR, work / PROCESSOR)
    return work


def copy(source: Path, folder: Path, board: Board) -> None:
    """Copy a source file; our package gets a line that names the primitives of the board's part."""
    chosen = f"`define {MACRO} {PRIMITIVES[board.primitives]}\n" if source.name == CHOICE else ""
    (folder / source.name).write_bytes(chosen.encode() + source.read_bytes())


def check_board(bundle: Path, described: Description, board: Board) -> None:
    """Check that a bundle was built for a board as its board.toml is now.

    Raises:
        BoardError: it was built for another board, part, clock, address map or DMA.
    """
    found = described.document
    for key, wanted in board.entries().items():
        if found[key] != wanted:
            raise BoardError(
                f"{bundle} was built for {key} {found[key]}, board.toml of {board.kind} says "
                f"{wanted}: build it again"
            )


def source_files(bundle: Path) -> list[Path]:
    """Return the files that a bundle's files.f lists, in order.

    Raises:
        BundleError: the list is missing or lists anything but files that are there.
        BoardError: one has the name of the module that is made here.
    """
    files = listing.source_files(bundle)
    if any(path.name == f"{TOP}.v" for path in files):
        raise BoardError(f"{bundle / 'rtl' / listing.LISTING} lists a file {TOP}.v of its own")
    return files


def check_ports(top: Path, range_bits: int) -> int:
    """Check that the accelerator's ports are as accel_ip.v connects them.

    Args:
        top: accel.sv.
        range_bits: width of an address in the accelerator's range.

    Returns:
        Width of the accelerator's own addresses.

    Raises:
        BoardError: a port is missing, is one too many, or has another direction or width.
    """
    try:
        text = read_plain(top, 16 * MIB).decode("utf-8")
    except UnicodeDecodeError as error:
        raise BundleError(f"{top} is damaged: not UTF-8 at byte {error.start}") from None
    header = re.search(r"^module accel\b(.*?)\);", text, re.M | re.S)
    width = header and re.search(r"\bAddrWidth\s*=\s*(\d{1,2})\b", header[1])
    if not header or not width:
        raise BoardError(f"{top} has no module accel with an AddrWidth: build the bundle again")
    address_bits = int(width[1])
    if address_bits > range_bits:
        raise BoardError(
            f"{top} has addresses of {address_bits} bits, its range in board.toml only {range_bits}"
        )
    found = {
        name: (direction, _bits(upper, address_bits, top))
        for direction, upper, name in re.findall(
            r"\b(input|output)\s+(?:logic|wire)\s*(?:\[([^:\]]+):0\])?\s*(\w+)", header[1]
        )
    }
    expected = {port.name: (port.direction, port.bits) for port in ports(address_bits)}
    for name in [*expected, *found]:
        if found.get(name) != expected.get(name):
            raise BoardError(
                f"{top}: port {name} is {_describe(found.get(name))}, "
                f"the board design connects {_describe(expected.get(name))}"
            )
    return address_bits


def _bits(upper: str, address_bits: int, top: Path) -> int:
    text = upper.replace(" ", "").replace("AddrWidth", str(address_bits)) or "0"
    match = re.fullmatch(r"(\d{1,6})(?:-(\d{1,6}))?", text)
    if not match:
        raise BoardError(f"{top}: the width [{upper[:40]}:0] of a port is not understood")
    return int(match[1]) - int(match[2] or 0) + 1


def _describe(port: tuple[str, int] | None) -> str:
    return "none" if port is None else f"an {port[0]} of {port[1]} bits"


def verilog(network: str, range_bits: int, address_bits: int, clock_mhz: float) -> str:
    """Return the Verilog module around `accel`.

    Args:
        network: name for the header comment.
        range_bits: width of an address in the range that the processor maps; Vivado wants the
            slave's addresses as wide.
        address_bits: how many of them the accelerator has; all its windows end below.
        clock_mhz: of `aclk`.
    """
    known = interfaces(clock_mhz)
    declared, connected, seen = [], [], set()
    for port in ports(range_bits):
        library, bus, parameters = known[port.interface]
        kind = f"xilinx.com:{library}:{bus}:1.0"
        parameter = ", ".join(f"{name} {value}" for name, value in parameters.items())
        attributes = [f'X_INTERFACE_INFO = "{kind} {port.interface} {port.signal}"']
        if port.interface not in seen:
            seen.add(port.interface)
            named = f"XIL_INTERFACENAME {port.interface}, {parameter}"
            attributes.append(f'X_INTERFACE_PARAMETER = "{named}"')
        width = f"[{port.bits - 1}:0] " if port.bits > 1 else ""
        declared += [f"  (* {attribute} *)" for attribute in attributes]
        declared.append(f"  {port.direction:<6} wire {width}{port.name},")
        low = f"[{address_bits - 1}:0]" if port.signal in ("AWADDR", "ARADDR") else ""
        connected.append(f"    .{port.name:<14} ({port.name}{low}),")
    declared[-1], connected[-1] = declared[-1][:-1], connected[-1][:-1]
    unused = ""
    if range_bits > address_bits:
        bits = f"[{range_bits - 1}:{address_bits}]"
        unused = f"""
  // The range that the processor maps is wider than the accelerator, which shows in it repeatedly.
  wire unused_address = &{{1'b0, s_axi_awaddr{bits}, s_axi_araddr{bits}}};
"""
    ports_text, connections = "\n".join(declared), "\n".join(connected)
    return f"""\
// The accelerator of {network} as Vivado's block design sees it, generated by
// spinflow.hw.boards.prepare.

module {TOP} (
{ports_text}
);
{unused}
  accel u_accel (
{connections}
  );

endmodule
"""


def facts(
    described: Description, board: Board, registers: handover.Handover, sources: list[str]
) -> str:
    """Return the Tcl dictionary that build.tcl reads.

    Args:
        described: the bundle.
        board: that it was built for.
        registers: the bundle's handover file.
        sources: names of the files in src/, in the order of compilation.
    """
    accel, dma = board.address_map["accel"], board.address_map["dma"]
    control, memory = board.control_port, board.memory_port
    listed = []
    for name, (offset, fields) in registers.registers.items():
        of = " ".join(f"{field} {lsb} {bits}" for field, (lsb, bits) in fields.items())
        listed.append(f"    {{{name} {offset} {{{of}}}}}")
    lines = "\n".join(listed)
    files = "\n".join(f"    {source}" for source in sources)
    return f"""\
# Facts of the board design of {described.network}, generated from board.toml and the bundle by
# spinflow.hw.boards.prepare. A register is {{name offset {{field lowest-bit width ...}}}}.
set facts {{
  network        {described.network}
  build_id       {described.build_id}
  part           {board.part}
  clock_mhz      {board.clock_mhz}
  jobs           {min(MAX_JOBS, os.cpu_count() or 1)}
  top            {TOP}
  accel_base     0x{accel.base:08X}
  accel_range    0x{accel.size:08X}
  dma_base       0x{dma.base:08X}
  dma_range      0x{dma.size:08X}
  data_bits      {board.dma.data_bits}
  length_bits    {board.dma.length_bits}
  control_port   {control.name}
  memory_port    {memory.name}
  memory_segment {memory.segment}
  memory_base    0x{memory.range.base:08X}
  memory_range   0x{memory.range.size:08X}
  sources {{
{files}
  }}
  registers {{
{lines}
  }}
}}
"""


def main(arguments: list[str] | None = None) -> int:
    """Run the command line; return the exit status."""
    parser = start.Parser(
        prog="python -m spinflow.hw.boards.prepare", description=__doc__.split("\n")[0]
    )
    parser.add_argument("bundle", type=Path, help="the folder build/<network>")
    bundle = parser.parse_args(arguments).bundle
    return common.run(lambda: print(f"prepared {prepare(bundle)}"))


if __name__ == "__main__":
    sys.exit(main())
