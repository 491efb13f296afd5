// Makes Pe unsigned numbers binary by one threshold: out bit = in >= Threshold.
//
// Latency: one cycle. Throughput: one word a cycle.

module bin_threshold #(
  // Numbers in a word, and bits of each.
  parameter int unsigned Pe     = 4,
  parameter int unsigned InBits = 8,
  // Least input that gives a 1; 2^InBits gives none.
  parameter logic [InBits:0] Threshold = 2 ** (InBits - 1),
  localparam int unsigned InWidth  = 8 * ((Pe * InBits + 7) / 8),
  localparam int unsigned OutWidth = 8 * ((Pe + 7) / 8)
) (
  // Clock, and reset (active low), which withdraws a word that waits at the output.
  input  logic                clk_i,
  input  logic                rst_ni,

  // Numbers, unsigned, the first in the lowest bits; padding to whole bytes is not read.
  input  logic [InWidth-1:0]  in_data_i,
  input  logic                in_valid_i,
  output logic                in_ready_o,

  // One bit of each, the first in bit 0; the padding is 0.
  output logic [OutWidth-1:0] out_data_o,
  output logic                out_valid_o,
  input  logic                out_ready_i
);

  logic [Pe-1:0] bits_d, bits_q;
  for (genvar p = 0; p < int'(Pe); p++) begin : gen_pe
    assign bits_d[p] = {1'b0, in_data_i[p*InBits+:InBits]} >= Threshold;
  end

  assign in_ready_o = !out_valid_o || out_ready_i;

  always_ff @(posedge clk_i) begin
    if (!rst_ni) out_valid_o <= 1'b0;
    else if (in_ready_o) out_valid_o <= in_valid_i;
    if (in_valid_i && in_ready_o) bits_q <= bits_d;
  end

  assign out_data_o = OutWidth'(bits_q);

endmodule
