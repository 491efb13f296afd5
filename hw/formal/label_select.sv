// What label_select promises: for each frame of Labels scores the index of the largest, of equal ones the
// lowest, ceil(log2(Pe)) + 1 cycles after the frame's last word; labels come out once each, in order, and
// stay until they are taken. A word is taken in every cycle in which no label waits, or it goes. After a
// reset the next word is the first of a frame.
//
// Assumed: words in stay until they are taken.

module label_select_formal #(
  // As of label_select.
  parameter int unsigned Labels = 6,
  parameter int unsigned Pe     = 2,
  parameter int unsigned InBits = 3,
  localparam int unsigned InWidth = 8 * ((Pe * InBits + 7) / 8)
) (
  // Ports of label_select that others drive.
  input logic               clk_i,
  input logic               rst_ni,
  input logic [InWidth-1:0] in_data_i,
  input logic               in_valid_i,
  input logic               out_ready_i,

  // Free: the label that is found in this cycle is the one to watch.
  input logic               mark_i
);

  localparam int unsigned Words  = Labels / Pe;
  localparam int unsigned Stages = $clog2(Pe) + 1;

  logic        in_ready_o, out_valid_o;
  logic [15:0] out_data_o;

  label_select #(.Labels (Labels), .Pe (Pe), .InBits (InBits)) dut (.*);
  begins_in_reset u_begins (.clk_i, .rst_ni);
  stream_rule #(.Width (InWidth), .Assumed (1'b1)) u_in (
    .clk_i, .rst_ni, .data_i (in_data_i), .valid_i (in_valid_i), .ready_i (in_ready_o)
  );
  stream_rule #(.Width (16)) u_out (
    .clk_i, .rst_ni, .data_i (out_data_o), .valid_i (out_valid_o), .ready_i (out_ready_i)
  );

  // All scores of the frame, those that have not come yet being 0.
  logic [Labels-1:0][InBits-1:0] scores, scores_q;
  logic [$clog2(Words+1)-1:0]    word_q;   // number of the next one in its frame
  logic [15:0] label;
  logic take, last;
  assign take = in_valid_i && in_ready_o;
  assign last = 32'(word_q) == Words - 1;
  always_comb begin
    scores = scores_q;
    for (int unsigned l = 0; l < Labels; l++) begin
      if (l / Pe == 32'(word_q)) scores[l] = in_data_i[(l%Pe)*InBits+:InBits];
    end
    // The label whose score no lower index reaches and no higher one exceeds.
    label = '0;
    for (int unsigned l = 0; l < Labels; l++) begin
      automatic logic best = 1'b1;
      for (int unsigned other = 0; other < Labels; other++) begin
        if (other < l && scores[other] >= scores[l]) best = 1'b0;
        if (other > l && scores[other] > scores[l])  best = 1'b0;
      end
      if (best) label = 16'(l);
    end
  end

  stream_order #(.Width (16), .Room (Stages), .Latency (Stages)) u_order (
    .clk_i,
    .rst_ni,
    .mark_i,
    .push_i  (take && last),
    .word_i  (label),
    .data_i  (out_data_o),
    .valid_i (out_valid_o),
    .ready_i (out_ready_i)
  );

  always_ff @(posedge clk_i) begin
    if (!rst_ni)   word_q <= '0;
    else if (take) word_q <= last ? '0 : word_q + 1'b1;
    if (take) scores_q <= scores;
    if (rst_ni) begin
      assert (in_ready_o || (out_valid_o && !out_ready_i));
      cover (out_valid_o && out_ready_i && take && last);
      cover (take && last && 32'(label) == Labels - 1);
    end
  end

endmodule
