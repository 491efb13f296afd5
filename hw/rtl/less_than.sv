// a < b, and a = b, of unsigned numbers, in half a LUT a bit.
//
// A LUT with two outputs compares two bits of each number and a carry chain joins them. Purely
// combinational. With a part's primitives (spinflow_pkg) it is built of them, without an expression;
// tests/hw/test_less_than.py proves all forms equal.

module less_than
  import spinflow_pkg::*;
#(
  // Bits of a number, an even count.
  parameter int unsigned Width = 8
) (
  // The numbers.
  input  logic [Width-1:0] a_i,
  input  logic [Width-1:0] b_i,

  // Makes `less_o` true of equal numbers, too.
  input  logic             or_equal_i,

  // Whether a < b, and whether a = b.
  output logic             less_o,
  output logic             equal_o
);

  if (Width % 2 != 0) begin : gen_odd
    $error("less_than: Width %0d must be even", Width);
  end

  // Of inputs {1, 0, b, a}, two bits each: above, whether they are equal; below, whether a is less.
  function automatic logic [63:0] init();
    for (int unsigned i = 0; i < 32; i++) begin
      init[32+i] = i[1:0] == i[3:2];
      init[i]    = i[1:0] < i[3:2];
    end
  endfunction

  if (Primitives == Generic) begin : gen_generic
    assign less_o  = or_equal_i ? a_i <= b_i : a_i < b_i;
    assign equal_o = a_i == b_i;
  end else begin : gen_lut_pairs
    // The lowest cell makes the carry that enters, the highest one shows the carry that leaves.
    localparam int unsigned Pairs = Width / 2;
    logic [Pairs+1:0] same, less, sum;
    assign {same[Pairs+1], same[0]} = '0;
    assign {less[Pairs+1], less[0]} = {1'b0, or_equal_i};
    for (genvar i = 0; i < int'(Pairs); i++) begin : gen_pair
      lut_pair #(
        .Init (init())
      ) u_lut (
        .in_i ({2'b10, b_i[2*i+:2], a_i[2*i+:2]}),
        .o6_o (same[i+1]),
        .o5_o (less[i+1])
      );
    end
    carry_chain #(
      .Width (Pairs + 2)
    ) u_carry_chain (
      .propagate_i (same),
      .generate_i  (less),
      .sum_o       (sum)
    );
    assign less_o  = sum[Pairs+1];
    assign equal_o = &same[Pairs:1];
  end

endmodule
