// Number of agreeing bits of two words: popcount(xnor(a_i, b_i)).
//
// Synthesis, which defines SYNTHESIS (Vivado and yosys-slang both do by themselves), takes the
// compressor tree of popcount_tree, whatever the primitives are; simulation takes $countones, which is
// much faster there. Both have the same ports, the same latency and, as tests/hw proves, the same value.
//
// The datapath has no reset; validity travels with the caller. Latency: Stages cycles (spinflow_pkg).
// Throughput: one pair of words a cycle.

module xnor_popcount #(
  // Bits of a word.
  parameter int unsigned Width = 64,
  localparam int unsigned CountWidth = $clog2(Width + 1),
  localparam int unsigned Stages = spinflow_pkg::popcount_stages(Width)
) (
  // Clock. There is no reset.
  input  logic                  clk_i,

  // Stage k takes new values in this cycle: bit 0 goes with the words, each other bit a cycle later.
  input  logic [Stages-1:0]     en_i,

  // The two words, looked at with bit 0 of `en_i`.
  input  logic [Width-1:0]      a_i,
  input  logic [Width-1:0]      b_i,

  // Bits in which they agree, from Stages cycles after their enable to the next result.
  output logic [CountWidth-1:0] count_o
);

`ifdef SYNTHESIS
  popcount_tree #(
    .Width (Width)
  ) u_tree (
    .clk_i,
    .en_i,
    .a_i,
    .b_i,
    .count_o
  );
`else
  logic [CountWidth-1:0] count_q [Stages];
  always_ff @(posedge clk_i) begin
    if (en_i[0]) count_q[0] <= CountWidth'($countones(~(a_i ^ b_i)));
    for (int unsigned k = 1; k < Stages; k++) begin
      if (en_i[k]) count_q[k] <= count_q[k-1];
    end
  end
  assign count_o = count_q[Stages-1];
`endif

endmodule
