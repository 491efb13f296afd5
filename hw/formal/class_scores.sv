// What class_scores promises: each sum of a frame, times the gain of its class plus its offset, one cycle
// after it was taken, in order and each once; 0 in the padding. With GainBits 0 the gain is 2^Shift. A
// score stays until it is taken. From the third cycle after a reset on, a word is taken in every cycle in
// which none waits, or it goes. After a reset the next word is that of class 0.
//
// Assumed: words in stay until they are taken.

module class_scores_formal #(
  // As of class_scores.
  parameter int unsigned Labels     = 6,
  parameter int unsigned Pe         = 2,
  parameter int unsigned InBits     = 2,
  parameter int unsigned ScoreBits  = 5,
  parameter int unsigned GainBits   = 2,
  parameter int unsigned Shift      = 0,
  parameter int unsigned OffsetBits = 3,
  localparam int unsigned GainWidth = GainBits > 0 ? GainBits : 1,
  parameter logic [Labels*GainWidth-1:0]  Gains   = '0,
  parameter logic [Labels*OffsetBits-1:0] Offsets = '0,
  localparam int unsigned InWidth  = 8 * ((Pe * InBits + 7) / 8),
  localparam int unsigned OutWidth = 8 * ((Pe * ScoreBits + 7) / 8)
) (
  // Ports of class_scores that others drive.
  input logic               clk_i,
  input logic               rst_ni,
  input logic [InWidth-1:0] in_data_i,
  input logic               in_valid_i,
  input logic               out_ready_i,

  // Free: the word that is taken in this cycle is the one to watch.
  input logic               mark_i
);

  logic                in_ready_o, out_valid_o;
  logic [OutWidth-1:0] out_data_o;

  class_scores #(
    .Labels (Labels), .Pe (Pe), .InBits (InBits), .ScoreBits (ScoreBits), .GainBits (GainBits),
    .Shift (Shift), .OffsetBits (OffsetBits), .Gains (Gains), .Offsets (Offsets)
  ) dut (.*);
  begins_in_reset u_begins (.clk_i, .rst_ni);
  stream_rule #(.Width (InWidth), .Assumed (1'b1)) u_in (
    .clk_i, .rst_ni, .data_i (in_data_i), .valid_i (in_valid_i), .ready_i (in_ready_o)
  );
  stream_rule #(.Width (OutWidth)) u_out (
    .clk_i, .rst_ni, .data_i (out_data_o), .valid_i (out_valid_o), .ready_i (out_ready_i)
  );

  // Class of the first sum of the word that comes next; cycles since a reset.
  logic [$clog2(Labels+1)-1:0] class_q;
  logic [1:0]                  ago_q;
  logic [OutWidth-1:0]         scores;
  logic take, frame_end;
  assign take      = in_valid_i && in_ready_o;
  assign frame_end = 32'(class_q) == Labels - Pe;
  always_comb begin
    scores = '0;
    for (int unsigned n = 0; n < Labels; n++) begin
      automatic int unsigned gain = GainBits > 0 ? 32'(Gains[n*GainWidth+:GainWidth]) : 1 << Shift;
      if (32'(class_q) == n / Pe * Pe) begin
        scores[n%Pe*ScoreBits+:ScoreBits] = ScoreBits'(
            32'(in_data_i[n%Pe*InBits+:InBits]) * gain + 32'(Offsets[n*OffsetBits+:OffsetBits]));
      end
    end
  end

  stream_order #(.Width (OutWidth), .Room (1), .Latency (1)) u_order (
    .clk_i,
    .rst_ni,
    .mark_i,
    .push_i  (take),
    .word_i  (scores),
    .data_i  (out_data_o),
    .valid_i (out_valid_o),
    .ready_i (out_ready_i)
  );

  always_ff @(posedge clk_i) begin
    if (!rst_ni) begin
      class_q <= '0;
      ago_q   <= '0;
    end else begin
      if (take) class_q <= frame_end ? '0 : class_q + ($bits(class_q))'(Pe);
      if (ago_q < 2'd2) ago_q <= ago_q + 1'b1;
      assert (in_ready_o == (ago_q == 2'd2 && (!out_valid_o || out_ready_i)));
      cover (take && frame_end && out_valid_o && out_ready_i);
      cover (take && class_q == '0 && out_valid_o);
    end
  end

endmodule
