// Model of the 7-series LUT with two outputs (AMD UG474, UG953), for simulation of what synthesis takes.
//
// O6 is the table's bit at all six inputs, O5 the bit of its lower half at the first five.
// Purely combinational.

module LUT6_2 #(
  // Truth table.
  parameter logic [63:0] INIT = '0
) (
  // Both outputs and the six inputs.
  output logic O6,
  output logic O5,
  input  logic I0,
  input  logic I1,
  input  logic I2,
  input  logic I3,
  input  logic I4,
  input  logic I5
);

  logic [31:0] upper, lower;
  logic [4:0]  address;
  assign upper   = INIT[63:32];
  assign lower   = INIT[31:0];
  assign address = {I4, I3, I2, I1, I0};
  assign O5      = lower[address];
  assign O6      = I5 ? upper[address] : lower[address];

endmodule
