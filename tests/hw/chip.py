"""Accelerators in the form that a chip gets, as bundles that are simulated like any other.

Either the RTL with its primitives in place, or the netlist that yosys makes of it. What a primitive
does say models: for the RTL ours of LUTs and carry cells (`cells/`), for a netlist yosys's own, and
ours of the block RAM, of which yosys has no more than the ports.
"""

from __future__ import annotations

import os
import re
import shutil
from pathlib import Path

from pyosys import libyosys

from spinflow.host.core import description as descriptions
from spinflow.host.core.sources import source_files
from spinflow.hw.boards import facts
from spinflow.hw.synth.yosys import packages, synthesise
from spinflow.sim.verilate import FAST, TOP, build
from tests.hw import runner
from tests.hw.catalogue import Case

CELLS = Path(__file__).with_name("cells")
BLOCK_RAM = CELLS / "ramb.sv"
LIBRARY = Path(libyosys.__file__).parent / "share" / "xilinx" / "cells_sim.v"
NETLIST = "accel_netlist"
# What is built of a bundle, and does not go from one to the other.
BUILT = "obj_*", "*.so", "build.log"
# Kinds of block RAM: bits of data, of the address of one, and of data at the pins of a port.
BLOCK_RAMS = {"RAMB18E1": (16384, 14, 16), "RAMB36E1": (32768, 15, 32)}
# What our model of it does not do, by the parameter and the value that leaves it out.
LEFT_OUT = {
    "DOA_REG": "0", "DOB_REG": "0", "RAM_EXTENSION_A": '"NONE"', "RAM_EXTENSION_B": '"NONE"',
    "EN_ECC_READ": '"FALSE"', "EN_ECC_WRITE": '"FALSE"',
}  # fmt: skip


def with_primitives(bundle: Path, primitives: str) -> Path:
    """Return a copy of a bundle whose simulator runs the RTL as synthesis reads it.

    Args:
        bundle: the bundle.
        primitives: those that it places, as a board's facts name them.
    """
    copy = _copy(bundle, primitives)
    defined = ["-DSYNTHESIS", f"-D{facts.MACRO}={facts.PRIMITIVES[primitives]}"]
    models = sorted(str(path) for path in CELLS.glob("[A-Z]*.sv"))
    build(copy, FAST._replace(flags=[*FAST.flags, *defined, *models]))
    return copy


def as_netlist(bundle: Path) -> Path:
    """Return a copy of a bundle whose simulator runs the netlist of 7-series cells.

    What flows between its layers has no names any more, so the taps record nothing.
    """
    copy = _copy(bundle, "netlist", "rtl")
    (copy / "rtl").mkdir(exist_ok=True)
    sources = source_files(bundle)
    made = copy / "rtl" / f"{NETLIST}.v"
    mark = made.with_name(runner.fingerprint(TOP, {}, [*sources, BLOCK_RAM, Path(__file__)], ()))
    if not mark.exists():
        written = [f"rename {TOP} {NETLIST}", f"write_verilog -noattr {made}"]
        synthesise(sources, TOP, primitives="xilinx7", also=written)
        netlist = made.read_text(encoding="utf-8")
        taps = [(tap.signal, tap.word_bytes) for tap in descriptions.read(bundle).taps]
        texts = {"cells.sv": models_of(netlist), f"{TOP}.sv": around(netlist, taps)}
        for name, text in texts.items():
            (copy / "rtl" / name).write_text(text, encoding="utf-8")
        shutil.copy(BLOCK_RAM, copy / "rtl")
        mark.touch()
    names = [BLOCK_RAM.name, "cells.sv", made.name, f"{TOP}.sv"]
    (copy / "rtl" / "files.f").write_text("\n".join(names) + "\n", encoding="ascii")
    # So many cells take longer to compile than the few frames to run.
    build(copy, FAST._replace(flags=[*FAST.flags, "-MAKEFLAGS", "OPT_FAST=-O1"]))
    return copy


def cells_of(case: Case) -> list[Path]:
    """Return files that make the module of a case out of 7-series cells, by yosys."""
    folder = runner.BUILDS / f"cells-{case.name}"
    folder.mkdir(parents=True, exist_ok=True)
    made, models = folder / f"{case.bench}.v", folder / "cells.sv"
    parameters = {name: str(value) for name, value in case.parameters.items()}
    source = runner.RTL / f"{case.bench}.sv"
    synthesise(
        [*packages(), source], case.bench, parameters, primitives="xilinx7", library=runner.RTL,
        also=[f"write_verilog -noattr {made}"],
    )  # fmt: skip
    models.write_text(models_of(made.read_text(encoding="utf-8")), encoding="utf-8")
    return [BLOCK_RAM, models, made]


def kinds_of(netlist: str) -> dict[str, int]:
    """Return the kinds of cells that a netlist in Verilog is made of, and how many of each."""
    kinds: dict[str, int] = {}
    for kind in re.findall(r"^  ([A-Z]\w*) (?:#\(|\\?\S+ +\()", netlist, re.MULTILINE):
        kinds[kind] = kinds.get(kind, 0) + 1
    return kinds


def models_of(netlist: str) -> str:
    """Return the models of all cells of a netlist, from yosys's library."""
    library = LIBRARY.read_text(encoding="utf-8")
    models = []
    for kind in sorted(kinds_of(netlist)):
        found = re.search(rf"^module {kind}\s*\(.*?^endmodule", library, re.MULTILINE | re.DOTALL)
        assert found is not None, f"yosys's library has no {kind}"
        # Delays, which a simulation by cycles has no use for.
        model = re.sub(r"^\s*specify\b.*?endspecify", "", found[0], flags=re.MULTILINE | re.DOTALL)
        if kind in BLOCK_RAMS:
            model = model.replace("endmodule", block_ram(kind, model) + "endmodule")
        models.append(model)
    return "\n\n".join(models) + "\n"


def block_ram(kind: str, ports: str) -> str:
    """Return the body of a block RAM: our model at the ports and parameters of yosys's module."""
    bits, address, half = BLOCK_RAMS[kind]
    data, parity = (
        ", ".join(reversed(re.findall(rf"parameter ({name}_[0-9A-F]{{2}})\b", ports)))
        for name in ("INIT", "INITP")
    )
    refused = " || ".join(
        f"{name} != {value}" for name, value in LEFT_OUT.items() if f" {name} =" in ports
    )
    return f"""
  if ({refused}) $error("this kind of block RAM is not modelled");
  // A word of the pins of both ports, A's below; a simple dual port reads with A and writes with B.
  localparam Half  = {half};  // bits of data of a port
  localparam Wide  = RAM_MODE == "SDP" && (READ_WIDTH_A > 9*Half/8 || WRITE_WIDTH_B > 9*Half/8);
  wire [71:0] read_a, read_b, write_a, write_b;
  assign write_a = {{8'(DIPADIP), 64'(DIADI)}};
  assign write_b = Wide ? {{8'({{DIPBDIP, DIPADIP}}), 64'({{DIBDI, DIADI}})}}
                        : {{8'(DIPBDIP), 64'(DIBDI)}};
  assign {{DOPADOP, DOADO}} = {{read_a[64+:Half/8], read_a[0+:Half]}};
  assign {{DOPBDOP, DOBDO}} = Wide ? {{read_a[64+Half/8+:Half/8], read_a[Half+:Half]}}
                                   : {{read_b[64+:Half/8], read_b[0+:Half]}};
  ramb #(
    .Bits   ({bits}),
    .Data   ({{{data}}}),
    .Parity ({{{parity}}}),
    .ReadA  (READ_WIDTH_A),
    .ReadB  (READ_WIDTH_B),
    .WriteA (WRITE_WIDTH_A),
    .WriteB (WRITE_WIDTH_B),
    .ModeA  (WRITE_MODE_A),
    .ModeB  (WRITE_MODE_B),
    .ResetA (72'(SRVAL_A)),
    .ResetB (72'(SRVAL_B))
  ) u_ram (
    .clk_i  (CLKARDCLK | CLKBWRCLK),
    .en_i   ({{ENBWREN, ENARDEN}}),
    .rst_i  ({{RSTRAMB, RSTRAMARSTRAM}}),
    .addr_i ({{ADDRBWRADDR[{address - 1}:0], ADDRARDADDR[{address - 1}:0]}}),
    .we_i   ({{8'(WEBWE), 8'(WEA)}}),
    .data_i ({{write_b, write_a}}),
    .data_o ({{read_b, read_a}})
  );
"""


def around(netlist: str, taps: list[tuple[str, int]]) -> str:
    """Return the top module around a netlist, with the signals that the harness wants to see.

    Args:
        netlist: the module below, in Verilog.
        taps: name of each stream that is recorded, and bytes of its words.
    """
    ports = re.findall(r"^  (input|output) (\[\d+:0\] )?(\w+);$", netlist, re.MULTILINE)
    header = ",\n".join(f"  {way} logic {width}{name}" for way, width, name in ports)
    watched = "".join(
        f"  logic {f'[{8 * size - 1}:0] ' if part == 'data' else ''}{name}_{part}"
        " /* verilator public_flat_rd */ = '0;\n"
        for name, size in taps
        for part in ("data", "valid", "ready")
    )
    return f"module {TOP} (\n{header}\n);\n{watched}  {NETLIST} u_netlist (.*);\nendmodule\n"


def _copy(bundle: Path, kind: str, *without: str) -> Path:
    """Copy a bundle, but for what is built of it, to a folder of a kind; return the copy.

    Each of several processes that test has its own: the copy is described anew once it is built.
    """
    worker = os.environ.get("PYTEST_XDIST_WORKER", "alone")
    copy = runner.BUILDS / f"chip-{kind}" / worker / bundle.name
    ignored = shutil.ignore_patterns(*BUILT, *without)
    shutil.copytree(bundle, copy, dirs_exist_ok=True, ignore=ignored)
    return copy
