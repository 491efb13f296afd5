// Makes other codes of bytes: each goes through a table of 256 codes, one copy of it for each byte of a
// word.
//
// Latency: one cycle. Throughput: one word a cycle.

module byte_table #(
  // Bytes in a word.
  parameter int unsigned Pe = 4,
  // Code of each byte, that of byte b at [b].
  parameter logic [255:0][7:0] Codes = '0,
  localparam int unsigned BusWidth = 8 * Pe
) (
  // Clock, and reset (active low), which withdraws a word that waits at the output.
  input  logic                clk_i,
  input  logic                rst_ni,

  // Bytes, the first in the lowest bits.
  input  logic [BusWidth-1:0] in_data_i,
  input  logic                in_valid_i,
  output logic                in_ready_o,

  // Their codes, in the same order.
  output logic [BusWidth-1:0] out_data_o,
  output logic                out_valid_o,
  input  logic                out_ready_i
);

  assign in_ready_o = !out_valid_o || out_ready_i;

  always_ff @(posedge clk_i) begin
    if (!rst_ni) out_valid_o <= 1'b0;
    else if (in_ready_o) out_valid_o <= in_valid_i;
  end

  for (genvar p = 0; p < int'(Pe); p++) begin : gen_pe
    always_ff @(posedge clk_i) begin
      if (in_valid_i && in_ready_o) out_data_o[8*p+:8] <= Codes[in_data_i[8*p+:8]];
    end
  end

endmodule
