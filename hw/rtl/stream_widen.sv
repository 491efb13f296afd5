// Width converter: collects `Ratio` words into one, the first in the lowest bits.
//
// Latency: one cycle from the last word. Throughput: one input word a cycle, without a gap between
// output words.

module stream_widen #(
  // Bits of a word that comes in, and how many make one that goes out, at least 2.
  parameter int unsigned InBits = 2,
  parameter int unsigned Ratio  = 512,
  localparam int unsigned InWidth  = 8 * ((InBits + 7) / 8),
  localparam int unsigned OutWidth = 8 * ((InBits * Ratio + 7) / 8)
) (
  // Clock, and reset (active low), which forgets the words that were collected.
  input  logic                clk_i,
  input  logic                rst_ni,

  // Words to collect; padding to whole bytes is not read.
  input  logic [InWidth-1:0]  in_data_i,
  input  logic                in_valid_i,
  output logic                in_ready_o,

  // Ratio words in one, the first in the lowest bits; the padding is 0.
  output logic [OutWidth-1:0] out_data_o,
  output logic                out_valid_o,
  input  logic                out_ready_i
);

  localparam int unsigned CountWidth = $clog2(Ratio);

  if (Ratio < 2) begin : gen_bad_ratio
    $error("stream_widen: Ratio %0d is below 2", Ratio);
  end

  logic [InBits*Ratio-1:0] word_q;
  logic [CountWidth-1:0]   count_q;   // words collected of the next one that goes out
  logic last_q, take;                 // the word that comes is its last

  assign in_ready_o = !out_valid_o || out_ready_i;
  assign take       = in_valid_i && in_ready_o;

  always_ff @(posedge clk_i) begin
    if (!rst_ni) begin
      count_q     <= '0;
      last_q      <= 1'b0;
      out_valid_o <= 1'b0;
    end else begin
      if (take) begin
        count_q <= last_q ? '0 : count_q + 1'b1;
        last_q  <= count_q == CountWidth'(Ratio - 2);
      end
      if (in_ready_o) out_valid_o <= in_valid_i && last_q;
    end
    if (take) word_q <= {in_data_i[InBits-1:0], word_q[InBits*Ratio-1:InBits]};
  end

  assign out_data_o = OutWidth'(word_q);

endmodule
