// The label of a frame: the index of the largest of `Labels` unsigned scores, the lowest one on a tie.
//
// Scores arrive Pe to a word, lowest index first. Latency: one cycle from the last word. Throughput:
// one word a cycle, no bubble between frames.

module label_select #(
  // Scores of a frame, at most 65536.
  parameter int unsigned Labels = 10,
  // Scores in a word, a divisor of Labels, and bits of each.
  parameter int unsigned Pe     = 1,
  parameter int unsigned InBits = 11,
  localparam int unsigned InWidth = 8 * ((Pe * InBits + 7) / 8)
) (
  // Clock, and reset (active low): the next word is the first of a frame.
  input  logic               clk_i,
  input  logic               rst_ni,

  // Scores of a frame, that of label 0 first and in the lowest bits; padding is not read.
  input  logic [InWidth-1:0] in_data_i,
  input  logic               in_valid_i,
  output logic               in_ready_o,

  // Label of a frame, from 0.
  output logic [15:0]        out_data_o,
  output logic               out_valid_o,
  input  logic               out_ready_i
);

  if (Labels % Pe != 0 || Labels > 2**16) begin : gen_bad_labels
    $error("label_select: Pe %0d must divide Labels %0d, which must be at most %0d",
           Pe, Labels, 2**16);
  end

  localparam int unsigned IndexWidth = Labels > 1 ? $clog2(Labels) : 1;

  logic [IndexWidth-1:0] index_q;   // of the first score in the word at the input
  logic [IndexWidth-1:0] best_q, best_d;
  logic [InBits-1:0] score_q, score_d;
  logic first, last, take;

  assign first = index_q == '0;
  assign last  = index_q == IndexWidth'(Labels - Pe);
  assign in_ready_o = rst_ni && !(last && out_valid_o && !out_ready_i);
  assign take = in_valid_i && in_ready_o;

  always_comb begin
    best_d  = best_q;
    score_d = score_q;
    for (int unsigned p = 0; p < Pe; p++) begin
      if ((first && p == 0) || in_data_i[p*InBits+:InBits] > score_d) begin
        best_d  = index_q + IndexWidth'(p);
        score_d = in_data_i[p*InBits+:InBits];
      end
    end
  end

  always_ff @(posedge clk_i) begin
    if (!rst_ni) begin
      index_q     <= '0;
      out_valid_o <= 1'b0;
    end else begin
      if (take) index_q <= last ? '0 : index_q + IndexWidth'(Pe);
      if (take && last) out_valid_o <= 1'b1;
      else if (out_ready_i) out_valid_o <= 1'b0;
    end
    if (take) begin
      best_q  <= best_d;
      score_q <= score_d;
      if (last) out_data_o <= 16'(best_d);
    end
  end

endmodule
