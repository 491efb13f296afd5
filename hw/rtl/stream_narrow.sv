// Width converter: gives one word in `Ratio` parts, the lowest bits first.
//
// Latency: one cycle to the first part. Throughput: one part a cycle, without a gap between input
// words.

module stream_narrow #(
  // Bits of a part, and parts of a word, at least 2.
  parameter int unsigned OutBits = 24,
  parameter int unsigned Ratio   = 4,
  localparam int unsigned InWidth  = 8 * ((OutBits * Ratio + 7) / 8),
  localparam int unsigned OutWidth = 8 * ((OutBits + 7) / 8)
) (
  // Clock, and reset (active low), which forgets the word that is being given out.
  input  logic                clk_i,
  input  logic                rst_ni,

  // Words; padding to whole bytes is not read.
  input  logic [InWidth-1:0]  in_data_i,
  input  logic                in_valid_i,
  output logic                in_ready_o,

  // Parts of them, the lowest bits first; the padding is 0.
  output logic [OutWidth-1:0] out_data_o,
  output logic                out_valid_o,
  input  logic                out_ready_i
);

  localparam int unsigned CountWidth = $clog2(Ratio);

  if (Ratio < 2) begin : gen_bad_ratio
    $error("stream_narrow: Ratio %0d is below 2", Ratio);
  end

  logic [OutBits*Ratio-1:0] word_q;
  logic [CountWidth-1:0]    part_q;   // number of the part that goes out
  logic last_q, take, give;           // it is the last of its word

  assign in_ready_o = !out_valid_o || (out_ready_i && last_q);
  assign take       = in_valid_i && in_ready_o;
  assign give       = out_valid_o && out_ready_i;

  always_ff @(posedge clk_i) begin
    if (!rst_ni) begin
      part_q      <= '0;
      last_q      <= 1'b0;
      out_valid_o <= 1'b0;
    end else begin
      if (give) begin
        part_q <= last_q ? '0 : part_q + 1'b1;
        last_q <= part_q == CountWidth'(Ratio - 2);
      end
      if (in_ready_o) out_valid_o <= in_valid_i;
    end
    if (take)      word_q <= in_data_i[OutBits*Ratio-1:0];
    else if (give) word_q <= word_q >> OutBits;
  end

  assign out_data_o = OutWidth'(word_q[OutBits-1:0]);

endmodule
