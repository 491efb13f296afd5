"""A bundle with the ports of an accelerator and hardly anything in it, and a tool played."""

from __future__ import annotations

import sys
from pathlib import Path

from spinflow.hw.boards.prepare import Port, ports
from tests.synth import accelerator

ADDRESS_BITS = 16
BODY = """\
  logic [31:0] sum_q, kept_q;
  u_adder_type u_adder (.clk_i(aclk), .a_i(s_axis_tdata), .b_i(s_axi_wdata), .sum_o(sum_q));
  always_ff @(posedge aclk) if (aresetn) kept_q <= sum_q ^ 32'(s_axi_awaddr) ^ 32'(s_axi_araddr);
  assign m_axis_tdata  = kept_q;
  assign s_axi_rdata   = sum_q;
  assign m_axis_tkeep  = s_axi_wstrb;
  assign s_axi_bresp   = s_axi_awprot[1:0];
  assign s_axi_rresp   = s_axi_arprot[1:0];
  assign m_axis_tlast  = ^s_axi_awprot ^ ^s_axi_arprot;
  assign s_axi_awready = s_axi_awvalid;
  assign s_axi_wready  = s_axi_wvalid;
  assign s_axi_bvalid  = s_axi_bready;
  assign s_axi_arready = s_axi_arvalid;
  assign s_axi_rvalid  = s_axi_rready;
  assign s_axis_tready = s_axis_tvalid;
  assign m_axis_tvalid = m_axis_tready;
endmodule

module u_adder_type (
  input logic clk_i, input logic [31:0] a_i, b_i, output logic [31:0] sum_o
);
  always_ff @(posedge clk_i) sum_o <= a_i + b_i;
endmodule
"""


def write(folder: Path, body: str = BODY) -> Path:
    """The bundle; returns its folder."""

    def width(port: Port) -> str:
        bits = "AddrWidth" if port.name.endswith("addr") else str(port.bits)
        return f"[{bits}-1:0] " if port.bits > 1 else ""

    pins = ",\n".join(
        f"  {port.direction} logic {width(port)}{port.name}" for port in ports(ADDRESS_BITS)
    )
    head = (
        "module accel #(\n  parameter bit WithErrors = 1'b1,\n"
        f"  localparam int unsigned AddrWidth = {ADDRESS_BITS}\n) (\n{pins}\n);\n"
    )
    return accelerator.write(folder, head + body)


# Plays nextpnr-xilinx: looks at what it is given as that program's main.cc and command.cc do, and
# answers with a log as its timing.cc writes them.
PLAYED = '''\
#!{python}
import json, os, sys, time
words = sys.argv[1:]
if words == ["--version"]:
    print('"nextpnr-xilinx" -- Next Generation Place and Route (Version 0.8.2)')
    sys.exit(0)
flags = {{"--timing-allow-fail"}}
values = {{"--chipdb", "--json", "--xdc", "--freq", "--seed", "--fasm"}}
given = {{}}
while words:
    word = words.pop(0)
    assert word in flags | values, word
    given[word] = True if word in flags else words.pop(0)
assert set(given) == flags | values
assert open(given["--chipdb"], "rb").read() == b"chips"
(top,) = [
    module for module in json.load(open(given["--json"]))["modules"].values()
    if int(module["attributes"].get("top", "0"), 2)
]
kinds = {{cell["type"] for cell in top["cells"].values()}}
assert "LUT6_2" not in kinds and "RAM64X1S" not in kinds, kinds
lines = [line.split() for line in open(given["--xdc"]) if "PACKAGE_PIN" in line]
placed = {{words[-1].strip("]{{}}") for words in lines}}
assert placed == set(top["ports"]), placed
if {failing!r} == "sleep":
    open(given["--chipdb"] + ".pid", "w").write(str(os.getpid()))
    time.sleep(600)
if {failing!r}:
    print({failing!r})
    sys.exit(255)
open(given["--fasm"], "w").write("CLBLL_L_X2Y0.SLICEL_X0.AFF.ZINI seed " + given["--seed"] + "\\n")
print("""{log}""".replace("SPEED", {{"1": "66.75", "2": "71.25"}}.get(given["--seed"], "50.00")))
'''
LOG = """\
Info: Device utilisation:
Info: \t         SLICE_LUTX:  3010/106400     2%
Info: \t          SLICE_FFX:  4000/106400     3%
Info: \t RAMB36E1_RAMB36E1:     0/   140     0%

Info: Critical path report for clock 'clk' (posedge -> posedge):
Info: curr total
Info:  9.9  9.9  Source estimate.Q
Info:  1.0 10.9    Net estimate budget 10.000000 ns (1,2) -> (3,4)
Info:                Sink estimate2.D
Info:  0.1 11.0  Setup estimate2.D
Info: 10.0 ns logic, 1.0 ns routing

Info: Critical path report for clock 'clk' (posedge -> posedge):
Info: curr total
Info:  0.1  0.1  Source u_accel.u_adder.a_q_FDRE_Q_3.Q
Info:  1.2  1.3    Net u_accel.u_adder.a_q[3] budget 10.000000 ns (1,2) -> (3,4)
Info:                Sink u_accel.u_adder.sum_o_LUT2_O.A1
Info:                Defined in:
Info:                  accel.sv:3
Info:  0.2  1.5  Source u_accel.u_adder.sum_o_LUT2_O.O6
Info:  2.0  3.5    Net u_accel.sum_q[3] budget 10.000000 ns (1,2) -> (3,4)
Info:                Sink u_accel.kept_q_FDRE_Q.D
Info:  0.1  3.6  Setup u_accel.kept_q_FDRE_Q.D
Info: 0.4 ns logic, 3.2 ns routing

Info: Critical path report for cross-domain path '<async>' -> 'posedge clk':
Info: curr total
Info:  0.0  0.0  Source scan_i.O
Info: 99.0 99.0    Net scan_i budget 10.000000 ns (1,2) -> (3,4)
Info:                Sink in_q.D

Info: Max frequency for clock 'clk': 50.00 MHz (FAIL at 100.00 MHz)
Warning: Max frequency for clock 'clk': SPEED MHz (FAIL at 100.00 MHz)
"""


def play_xilinx(folder: Path, failing: str = "") -> Path:
    """A nextpnr-xilinx in a folder, for PATH; with `failing` it says this and fails, or sleeps."""
    program = folder / "nextpnr-xilinx"
    text = PLAYED.format(python=sys.executable, log=LOG, failing=failing)
    program.write_text(text, encoding="utf-8")
    program.chmod(0o755)
    (folder / "xc7z020.bin").write_bytes(b"chips")
    return folder / "xc7z020.bin"
