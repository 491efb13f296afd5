"""The module that is routed: an accelerator between scan registers, with three pins.

A part has fewer pins than the accelerator has ports, and a path that ends at a pin says nothing of
the design. So every port has a register beside it: those of the inputs are shifted in from one pin,
those of the outputs are folded into a chain that ends at another one. No logic can be taken away,
and every path from register to register is timed.
"""

from __future__ import annotations

from collections.abc import Sequence

from spinflow.hw.boards.prepare import Port

TOP = "route_harness"
CORE = "u_accel"
"""Name of the accelerator in it."""
PINS = "clk_i", "scan_i", "scan_o"

_TEXT = """\
// An accelerator between scan registers (spinflow.hw.route.harness).
module route_harness (
  input  logic clk_i,
  input  logic scan_i,
  output logic scan_o
);
  logic [{last_in}:0] in_q;
  logic [{last_out}:0] out, out_q, chain_q;
  always_ff @(posedge clk_i) begin
    in_q    <= {{in_q[{last_in}-1:0], scan_i}};
    out_q   <= out;
    chain_q <= {{chain_q[{last_out}-1:0], 1'b0}} ^ out_q;
  end
  assign scan_o = chain_q[{last_out}];

  accel u_accel (
    .aclk (clk_i),
{pins}
  );
endmodule
"""


def verilog(ports: Sequence[Port]) -> str:
    """Return the module around an accelerator with these ports; the clock is aclk."""
    pins, at = [], {"input": 0, "output": 0}
    for port in ports:
        if port.name != "aclk":
            net = "in_q" if port.direction == "input" else "out"
            pins.append(f"    .{port.name} ({net}[{at[port.direction]}+:{port.bits}])")
            at[port.direction] += port.bits
    return _TEXT.format(last_in=at["input"] - 1, last_out=at["output"] - 1, pins=",\n".join(pins))
