// Model of the 7-series carry cell (AMD UG474, UG953), for simulation of what synthesis takes.
//
// The carry into the first of four bits is CI or CYINIT, of which a design drives one; each bit hands
// on the carry that comes in if S is 1, else DI. O is S with the carry that comes in XORed to it.
// Purely combinational.

module CARRY4 (
  // Carry out and sum of each bit, carry in from below or from the fabric, generate and propagate.
  output logic [3:0] CO,
  output logic [3:0] O,
  input  logic       CI,
  input  logic       CYINIT,
  input  logic [3:0] DI,
  input  logic [3:0] S
);

  logic [4:0] carry;
  assign carry[0] = CI | CYINIT;
  for (genvar i = 0; i < 4; i++) begin : gen_bit
    assign carry[i+1] = S[i] ? carry[i] : DI[i];
    assign O[i]       = S[i] ^ carry[i];
    assign CO[i]      = carry[i+1];
  end

endmodule
