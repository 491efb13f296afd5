// The label of a frame: the index of the largest of `Labels` unsigned scores, the lowest one on a tie.
//
// Scores arrive Pe to a word, lowest index first. A tree of registered comparisons finds the best score of a
// word, which then is compared with the best one so far.
// Latency: one cycle from the last word and one for each level of the tree. Throughput: one word a cycle,
// no bubble between frames; while a label waits, words go on as far as there is room.

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
  localparam int unsigned Levels = $clog2(Pe);
  localparam int unsigned PlaceWidth = Levels > 0 ? Levels : 1;

  // Of each level the scores that are left, and their places in their word. All levels go on together.
  logic [InBits-1:0]     score [Levels+1][Pe];
  logic [PlaceWidth-1:0] place [Levels+1][Pe];
  logic [Levels:0] valid;
  logic go;

  assign valid[0] = in_valid_i;
  for (genvar n = 0; n < int'(Pe); n++) begin : gen_in
    assign score[0][n] = in_data_i[n*InBits+:InBits];
    assign place[0][n] = PlaceWidth'(n);
  end
  for (genvar l = 1; l <= int'(Levels); l++) begin : gen_level
    localparam int unsigned Before = (Pe + 2 ** (l - 1) - 1) / 2 ** (l - 1);
    always_ff @(posedge clk_i) begin
      if (!rst_ni) valid[l] <= 1'b0;
      else if (go) valid[l] <= valid[l-1];
    end
    for (genvar n = 0; n < int'(Pe); n++) begin : gen_node
      if (2 * n + 1 < int'(Before)) begin : gen_two
        logic right;
        assign right = score[l-1][2*n+1] > score[l-1][2*n];
        always_ff @(posedge clk_i) begin
          if (go) begin
            score[l][n] <= right ? score[l-1][2*n+1] : score[l-1][2*n];
            place[l][n] <= right ? place[l-1][2*n+1] : place[l-1][2*n];
          end
        end
      end else if (2 * n < int'(Before)) begin : gen_one
        always_ff @(posedge clk_i) begin
          if (go) begin
            score[l][n] <= score[l-1][2*n];
            place[l][n] <= place[l-1][2*n];
          end
        end
      end else begin : gen_none
        assign score[l][n] = '0;
        assign place[l][n] = '0;
      end
    end
  end

  logic [IndexWidth-1:0] index_q;   // of the first score in the word that is left
  logic [IndexWidth-1:0] best_q, best;
  logic [InBits-1:0] score_q;
  logic last, take, better;

  assign last       = index_q == IndexWidth'(Labels - Pe);
  assign go         = !(last && out_valid_o && !out_ready_i);
  assign in_ready_o = go;
  assign take       = valid[Levels] && go;
  assign better     = index_q == '0 || score[Levels][0] > score_q;
  assign best       = better ? index_q + IndexWidth'(place[Levels][0]) : best_q;

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
      best_q <= best;
      if (better) score_q <= score[Levels][0];
      if (last) out_data_o <= 16'(best);
    end
  end

endmodule
