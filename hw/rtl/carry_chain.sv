// A chain of 7-series carry cells, bit i of which passes the carry on if propagate_i[i] is 1 and
// otherwise sends generate_i[i]; sum_o[i] is propagate_i[i] XOR the carry into bit i.
//
// With propagate a ^ b and generate a it adds a and b. It is for sums whose two gates are put into one
// LUT by hand (see lut_pair). In synthesis (SYNTHESIS is defined) these are the primitives CARRY4.
// Purely combinational.

module carry_chain #(
  // Bits of the sum.
  parameter int unsigned Width = 32
) (
  // Of each bit: whether it passes the carry on, and the carry that it makes if it does not.
  input  logic [Width-1:0] propagate_i,
  input  logic [Width-1:0] generate_i,

  // The sum modulo 2^Width; there is no carry into bit 0 and none out.
  output logic [Width-1:0] sum_o
);

`ifdef SYNTHESIS
  localparam int unsigned Cells = (Width + 3) / 4;
  logic [4*Cells-1:0] propagate, gen, sum, carry;
  assign propagate = (4*Cells)'(propagate_i);
  assign gen       = (4*Cells)'(generate_i);
  assign sum_o     = sum[Width-1:0];
  for (genvar c = 0; c < int'(Cells); c++) begin : gen_cell
    CARRY4 u_carry (
      .CO     (carry[4*c+:4]),
      .O      (sum[4*c+:4]),
      .CI     (c == 0 ? 1'b0 : carry[(c == 0 ? 0 : 4*c-1)]),
      .CYINIT (1'b0),
      .DI     (gen[4*c+:4]),
      .S      (propagate[4*c+:4])
    );
  end
`else
  assign sum_o = generate_i + (propagate_i ^ generate_i);
`endif

endmodule

// yosys's own library has the primitive too, but its SystemVerilog front end does not look there.
`ifdef SYNTHESIS
`ifdef __slang__
(* blackbox *)
module CARRY4 (
  // Four cells, the lowest first (UG474): carry out and sum of each; carry in; generate and propagate.
  output logic [3:0] CO,
  output logic [3:0] O,
  input  logic       CI,
  input  logic       CYINIT,
  input  logic [3:0] DI,
  input  logic [3:0] S
);
endmodule
`endif
`endif
