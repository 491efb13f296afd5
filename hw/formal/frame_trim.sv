// What frame_trim promises: of each frame, ceil(Words/Ratio) beats of Ratio words each, it gives the
// first Words words, in order and each once, and nothing of the padding behind them. The first word of
// a beat is offered in the cycle after the beat has come, the next ones without a gap; a word stays
// until it is taken. A beat is taken in every cycle in which none is being given, or its last word goes.
// After a reset the next beat is the first of a frame.
//
// Assumed: beats stay until they are taken.

module frame_trim_formal #(
  // As of frame_trim.
  parameter int unsigned OutBits = 8,
  parameter int unsigned Words   = 5,
  localparam int unsigned OutWidth = 8 * ((OutBits + 7) / 8)
) (
  // Ports of frame_trim that others drive.
  input logic        clk_i,
  input logic        rst_ni,
  input logic [31:0] in_data_i,
  input logic        in_valid_i,
  input logic        out_ready_i,

  // Free: the beat that comes in this cycle is the one to watch.
  input logic        mark_i
);

  localparam int unsigned Ratio = 32 / OutBits;

  logic                in_ready_o, out_valid_o;
  logic [OutWidth-1:0] out_data_o;

  frame_trim #(.OutBits (OutBits), .Words (Words)) dut (.*);
  begins_in_reset u_begins (.clk_i, .rst_ni);
  stream_rule #(.Width (32), .Assumed (1'b1)) u_in (
    .clk_i, .rst_ni, .data_i (in_data_i), .valid_i (in_valid_i), .ready_i (in_ready_o)
  );
  stream_rule #(.Width (OutWidth)) u_out (
    .clk_i, .rst_ni, .data_i (out_data_o), .valid_i (out_valid_o), .ready_i (out_ready_i)
  );

  logic [$clog2(Words+1)-1:0] frame_word_q;   // number in its frame of the word that goes next
  logic [$clog2(Ratio)-1:0]   part_q;         // and in its beat
  logic [31:0]                beat;
  logic [1:0]                 waiting;
  logic take, give, frame_end, last, here;
  assign take      = in_valid_i && in_ready_o;
  assign give      = out_valid_o && out_ready_i;
  assign frame_end = 32'(frame_word_q) == Words - 1;
  assign last      = frame_end || 32'(part_q) == Ratio - 1;

  word_watch #(.Width (32), .Room (1)) u_watch (
    .clk_i,
    .rst_ni,
    .mark_i,
    .push_i    (take),
    .word_i    (in_data_i),
    .pop_i     (give && last),
    .waiting_o (waiting),
    .here_o    (here),
    .word_o    (beat)
  );

  always_ff @(posedge clk_i) begin
    if (!rst_ni) begin
      frame_word_q <= '0;
      part_q       <= '0;
    end else if (give) begin
      frame_word_q <= frame_end ? '0 : frame_word_q + 1'b1;
      part_q       <= last ? '0 : part_q + 1'b1;
    end
    if (rst_ni) begin
      assert (out_valid_o == (waiting != '0));
      if (here) assert (out_data_o == OutWidth'(OutBits'(beat >> (32'(part_q) * OutBits))));
      assert (in_ready_o == (waiting == '0 || (give && last)));
      cover (here && give && frame_end && take);
    end
  end

endmodule
