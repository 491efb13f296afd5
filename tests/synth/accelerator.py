"""A bundle of an accelerator that is small enough to be synthesised in seconds."""

import copy
from pathlib import Path
from typing import Any

from tests import described

# One instance of each thing whose size is known, and one that is there only with errors.
SOURCE = """\
module held (input logic clk_i, input logic [7:0] d_i, output logic [7:0] q_o);
  always_ff @(posedge clk_i) q_o <= d_i;
endmodule

module lut_ram (
  input  logic       clk_i, we_i,
  input  logic [5:0] waddr_i, raddr_i,
  input  logic [2:0] d_i,
  output logic [2:0] q_o
);
`default_nettype none
  (* ram_style = "distributed" *) logic [2:0] mem [64];
  always_ff @(posedge clk_i) if (we_i) mem[waddr_i] <= d_i;
  always_ff @(posedge clk_i) q_o <= mem[raddr_i];
endmodule

module block_ram #(parameter int unsigned Width = 72) (
  input  logic             clk_i, we_i,
  input  logic [8:0]       waddr_i, raddr_i,
  input  logic [Width-1:0] d_i,
  output logic [Width-1:0] q_o
);
  logic [Width-1:0] mem [512];
  always_ff @(posedge clk_i) if (we_i) mem[waddr_i] <= d_i;
  always_ff @(posedge clk_i) q_o <= mem[raddr_i];
endmodule

// A register, 16 bits of sum, a register: two levels of carry cells behind one of LUTs at least.
module summed (input logic clk_i, input logic [15:0] a_i, b_i, output logic [15:0] q_o);
  logic [15:0] a_q, b_q;
  always_ff @(posedge clk_i) begin
    a_q <= a_i;
    b_q <= b_i;
    q_o <= a_q + b_q;
  end
endmodule

module counter_bank (input logic clk_i, rst_ni, output logic [11:0] q_o);
  always_ff @(posedge clk_i) q_o <= !rst_ni ? '0 : q_o + 1'b1;
endmodule

module accel #(parameter bit WithErrors = 1'b1) (
  input  logic        clk_i, rst_ni, we_i,
  input  logic [8:0]  waddr_i, raddr_i,
  input  logic [71:0] d_i,
  output logic [71:0] block_o,
  output logic [7:0]  held_o,
  output logic [2:0]  lut_o,
  output logic [15:0] sum_o,
  output logic [11:0] count_o
);
  held u_held (.clk_i, .d_i(d_i[7:0]), .q_o(held_o));
  lut_ram u_lut_ram (
    .clk_i, .we_i, .waddr_i(waddr_i[5:0]), .raddr_i(raddr_i[5:0]), .d_i(d_i[2:0]), .q_o(lut_o)
  );
  block_ram u_block_ram (.clk_i, .we_i, .waddr_i, .raddr_i, .d_i, .q_o(block_o));
  summed u_sum (.clk_i, .a_i(d_i[31:16]), .b_i(d_i[47:32]), .q_o(sum_o));
  if (WithErrors) begin : gen_errors
    counter_bank u_counter_bank (.clk_i, .rst_ni, .q_o(count_o));
  end else begin : gen_none
    assign count_o = '0;
  end
endmodule
"""

LAYERS: list[dict[str, Any]] = [
    {
        **{"name": "conv0", "op": "mvu", "mw": 27, "mh": 4, "pe": 1, "simd": 27},
        **{"input": "pixels", "threshold": True, "shape": [5, 6, 4], "buffer": False},
        "window": {
            "input": [7, 8, 3], "kernel": [3, 3], "stride": [1, 1], "padding": [0, 0, 0, 0],
        },
    },
    {
        **{"name": "fc0", "op": "mvu", "mw": 120, "mh": 10, "pe": 1, "simd": 120},
        **{"input": "bits", "threshold": False, "shape": [1, 1, 10], "buffer": False},
        "window": None,
    },
    {"name": "label", "op": "label_select", "classes": 10},
]  # fmt: skip


def write(folder: Path, source: str = SOURCE) -> Path:
    """A bundle as far as the report needs one; returns its folder."""
    (folder / "rtl").mkdir(parents=True, exist_ok=True)
    (folder / "rtl/accel.sv").write_text(source)
    (folder / "rtl/files.f").write_text("accel.sv\n")
    (folder / "arrays.npz").write_bytes(b"")
    description = described.complete("small", [7, 8, 3], copy.deepcopy(LAYERS), {})
    return described.write(folder, {**description, "cycles_per_frame": 1000})
