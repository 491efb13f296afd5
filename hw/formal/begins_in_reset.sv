// Assumes that a core is reset in the first cycle; after that a reset may come in any.

module begins_in_reset (
  // Clock, and reset (active low).
  input logic clk_i,
  input logic rst_ni
);

  logic first_q = 1'b1;
  always_ff @(posedge clk_i) begin
    first_q <= 1'b0;
    if (first_q) assume (!rst_ni);
  end

endmodule
