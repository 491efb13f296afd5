// a + (b[0] ^ b[1] ^ b[2] ^ b[3]), each side with a constant XORed to it, in one LUT a bit.
//
// A LUT with two outputs makes the XOR of all and, for the carry, a with its constant; written as an
// addition these would be two LUTs. Purely combinational. With a part's primitives (spinflow_pkg) it is
// built of them, without an expression; tests/hw/test_adder.py proves all forms equal.

module xor_adder
  import spinflow_pkg::*;
#(
  // Bits of a word.
  parameter int unsigned      Width = 32,
  // Constants that are XORed to each side.
  parameter logic [Width-1:0] AKey  = '0,
  parameter logic [Width-1:0] BKey  = '0
) (
  // One summand, and the words whose XOR is the other one.
  input  logic [Width-1:0]      a_i,
  input  logic [3:0][Width-1:0] b_i,

  // The sum modulo 2^Width.
  output logic [Width-1:0]      sum_o
);

  // For inputs {1, a, b}: above, the XOR of all with both constants; below, a with its constant.
  function automatic logic [63:0] init(logic a_key, logic b_key);
    for (int unsigned i = 0; i < 32; i++) begin
      init[32+i] = (^5'(i)) ^ a_key ^ b_key;
      init[i]    = i[4] ^ a_key;
    end
  endfunction

  if (Primitives == Generic) begin : gen_generic
    assign sum_o = (a_i ^ AKey) + (b_i[0] ^ b_i[1] ^ b_i[2] ^ b_i[3] ^ BKey);
  end else begin : gen_lut_pairs
    logic [Width-1:0] differs, a;
    for (genvar i = 0; i < int'(Width); i++) begin : gen_bit
      lut_pair #(
        .Init (init(AKey[i], BKey[i]))
      ) u_lut (
        .in_i ({1'b1, a_i[i], b_i[3][i], b_i[2][i], b_i[1][i], b_i[0][i]}),
        .o6_o (differs[i]),
        .o5_o (a[i])
      );
    end
    carry_chain #(
      .Width (Width)
    ) u_carry_chain (
      .propagate_i (differs),
      .generate_i  (a),
      .sum_o       (sum_o)
    );
  end

endmodule
