// One LUT of a Xilinx part: any function of six inputs, or two functions of the same five.
//
// o6_o is bit in_i of Init, o5_o is bit in_i[4:0] of it; for two functions of five inputs in_i[5] is 1.
// With the primitives of a Xilinx part (spinflow_pkg) this is LUT6_2, so that it stays one LUT; else an
// expression. Purely combinational.

module lut_pair
  import spinflow_pkg::*;
#(
  // Truth table, as the parameter INIT of LUT6_2.
  parameter logic [63:0] Init = '0
) (
  // Inputs; bit 5 is 1 for two functions of the others.
  input  logic [5:0] in_i,

  // Function of all six inputs, or the upper half of the table; and the lower half, of the first five.
  output logic       o6_o,
  output logic       o5_o
);

  if (Primitives == Generic) begin : gen_generic
    assign o6_o = Init[in_i];
    assign o5_o = Init[{1'b0, in_i[4:0]}];
  end else begin : gen_xilinx
    LUT6_2 #(
      .INIT (Init)
    ) u_lut (
      .O6 (o6_o),
      .O5 (o5_o),
      .I0 (in_i[0]),
      .I1 (in_i[1]),
      .I2 (in_i[2]),
      .I3 (in_i[3]),
      .I4 (in_i[4]),
      .I5 (in_i[5])
    );
  end

endmodule

// yosys's own library has the primitive too, but its SystemVerilog front end does not look there.
`ifdef __slang__
(* blackbox *)
module LUT6_2 #(
  // Truth table.
  parameter logic [63:0] INIT = '0
) (
  // Both outputs and the six inputs (UG474).
  output logic O6,
  output logic O5,
  input  logic I0,
  input  logic I1,
  input  logic I2,
  input  logic I3,
  input  logic I4,
  input  logic I5
);
endmodule
`endif
