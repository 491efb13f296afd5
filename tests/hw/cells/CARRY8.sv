// Model of the UltraScale carry cell (AMD UG574, UG974), for simulation of what synthesis takes.
//
// As a single chain of eight bits, or as two of four, the second of which begins at CI_TOP. Each bit
// hands on the carry that comes in if S is 1, else DI. O is S with the carry that comes in XORed to it.
// Purely combinational.

module CARRY8 #(
  // SINGLE_CY8 or DUAL_CY4.
  parameter CARRY_TYPE = "SINGLE_CY8"
) (
  // Carry out and sum of each bit, carry in of both halves, generate and propagate.
  output logic [7:0] CO,
  output logic [7:0] O,
  input  logic       CI,
  input  logic       CI_TOP,
  input  logic [7:0] DI,
  input  logic [7:0] S
);

  for (genvar i = 0; i < 8; i++) begin : gen_bit
    logic carry;
    if (i == 0) begin : gen_first
      assign carry = CI;
    end else if (i == 4 && CARRY_TYPE == "DUAL_CY4") begin : gen_half
      assign carry = CI_TOP;
    end else begin : gen_rest
      assign carry = CO[i-1];
    end
    assign CO[i] = S[i] ? carry : DI[i];
    assign O[i]  = S[i] ^ carry;
  end

endmodule
