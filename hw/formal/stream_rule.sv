// The rule of every stream: once valid, a word stays as it is until it is taken, and only a reset
// withdraws it. Proofs promise it of what a core gives out and assume it of what comes in; the benches
// bind one of these to each stream of each of our modules, where both must hold.

module stream_rule #(
  // Bits of a word.
  parameter int unsigned Width   = 8,
  // Whether the rule is assumed, of who is outside, instead of promised.
  parameter bit          Assumed = 1'b0
) (
  // Clock, and the reset (active low) that withdraws words.
  input logic             clk_i,
  input logic             rst_ni,

  // The stream.
  input logic [Width-1:0] data_i,
  input logic             valid_i,
  input logic             ready_i
);

  // Not noise at the start of a simulation, when no reset has been yet.
  logic             waits_q = 1'b0;
  logic [Width-1:0] data_q;

  always_ff @(posedge clk_i) begin
    waits_q <= rst_ni && valid_i && !ready_i;
    data_q  <= data_i;
    if (waits_q && rst_ni) begin
      if (Assumed) begin
        assume (valid_i && data_i == data_q);
      end else begin
        assert (valid_i && data_i == data_q)
          else $error("%m: a word that waits was withdrawn or changed");
      end
    end
  end

endmodule
