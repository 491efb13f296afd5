// Number of agreeing bits of two words: popcount(xnor(a_i, b_i)).
//
// Synthesis, which defines SYNTHESIS (Vivado and yosys-slang both do by themselves), takes the
// compressor tree of popcount_tree, whatever the primitives are; simulation takes $countones, which is
// much faster there. Both have the same ports, the same latency and, as tests/hw proves, the same value.
//
// The datapath has no reset; validity travels with the caller. Latency: 2 cycles. Throughput: one pair
// of words a cycle.

module xnor_popcount #(
  // Bits of a word.
  parameter int unsigned Width = 64,
  localparam int unsigned CountWidth = $clog2(Width + 1)
) (
  // Clock. There is no reset.
  input  logic                  clk_i,

  // The words are new; and, one cycle later, the same again for the second register.
  input  logic                  en1_i,
  input  logic                  en2_i,

  // The two words, looked at with `en1_i`.
  input  logic [Width-1:0]      a_i,
  input  logic [Width-1:0]      b_i,

  // Bits in which they agree, from two cycles after `en1_i` to the next result.
  output logic [CountWidth-1:0] count_o
);

`ifdef SYNTHESIS
  popcount_tree #(
    .Width (Width)
  ) u_tree (
    .clk_i,
    .en1_i,
    .en2_i,
    .a_i,
    .b_i,
    .count_o
  );
`else
  logic [CountWidth-1:0] count_q;
  always_ff @(posedge clk_i) begin
    if (en1_i) count_q <= CountWidth'($countones(~(a_i ^ b_i)));
    if (en2_i) count_o <= count_q;
  end
`endif

endmodule
