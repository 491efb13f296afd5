// The inputs of a binary_mvu: words of a frame come in, and each pass over the frame reads all of them.
//
// With one pass, or one word a frame, a word passes straight through registers. Else the words are kept in
// a buffer of two frames, so the next frame comes in while this one is worked on; in the first pass over a
// frame its words may still be coming in.
//
// Latency: a word is there Wait cycles after the step that uses it, and may be used in the cycle in which it
// comes or, with the buffer, the next one. Throughput: a step a cycle.

module fold_input #(
  // Bits of a word, words of a frame, and passes over a frame.
  parameter int unsigned Width = 8,
  parameter int unsigned Sf    = 4,
  parameter int unsigned Nf    = 4,
  // Cycles from a step to its word, at least 2.
  parameter int unsigned Wait  = 3,
  localparam int unsigned SfWidth = Sf > 1 ? $clog2(Sf) : 1
) (
  // Clock, and reset (active low): no word is there, the next one is the first of a frame.
  input  logic               clk_i,
  input  logic               rst_ni,

  // Words of frames.
  input  logic [Width-1:0]   in_data_i,
  input  logic               in_valid_i,
  output logic               in_ready_o,

  // The next step: the number of its word, whether it is one of the first pass and the frame's last one.
  input  logic [SfWidth-1:0] word_i,
  input  logic               first_pass_i,
  input  logic               last_i,

  // Its word is there, which of a later pass goes without saying; there is room for a step; and it is
  // made, which in a first pass needs both.
  output logic               there_o,
  input  logic               room_i,
  input  logic               step_i,

  // The step was made so many cycles ago; and its word, to the next one's.
  input  logic [Wait-1:1]    stepped_i,
  output logic [Width-1:0]   word_o
);

  if (Sf == 1 || Nf == 1) begin : gen_register
    logic [Width-1:0] word_q [1:Wait];
    logic unused_place;
    assign unused_place = ^{rst_ni, word_i, last_i};
    assign there_o    = in_valid_i;
    assign in_ready_o = room_i && first_pass_i;
    assign word_o     = word_q[Wait];
    always_ff @(posedge clk_i) begin
      if (step_i && first_pass_i) word_q[1] <= in_data_i;
      for (int unsigned k = 2; k <= Wait; k++) if (stepped_i[k-1]) word_q[k] <= word_q[k-1];
    end
  end else begin : gen_buffer
    // Two halves of a frame each. A word is read Wait - 1 cycles after its step, in which the next frame but
    // one, whose place it is then, has written at most the words before it.
    (* ram_style = "distributed" *) logic [Width-1:0] kept [2**(SfWidth+1)];
    logic [SfWidth:0] read_q [1:Wait-1];
    logic [SfWidth-1:0] write_q;   // words in the half that is being written
    logic write_half_q, read_half_q;
    logic full_q;                  // both are
    logic take, write_last, read_last, unused_place;

    assign unused_place = room_i ^ first_pass_i;
    assign in_ready_o = !full_q;
    assign take       = in_valid_i && in_ready_o;
    assign there_o    = full_q || write_half_q != read_half_q || write_q != word_i;
    assign write_last = take && write_q == SfWidth'(Sf - 1);
    assign read_last  = step_i && last_i;

    always_ff @(posedge clk_i) begin
      if (!rst_ni) begin
        write_q      <= '0;
        write_half_q <= 1'b0;
        read_half_q  <= 1'b0;
        full_q       <= 1'b0;
      end else begin
        if (take) write_q <= write_last ? '0 : write_q + 1'b1;
        if (write_last) write_half_q <= !write_half_q;
        if (read_last) read_half_q <= !read_half_q;
        if (read_last) full_q <= 1'b0;
        else if (write_last) full_q <= write_half_q != read_half_q;
      end
      if (take) kept[{write_half_q, write_q}] <= in_data_i;
      read_q[1] <= {read_half_q, word_i};
      for (int unsigned k = 2; k < Wait; k++) read_q[k] <= read_q[k-1];
      if (stepped_i[Wait-1]) word_o <= kept[read_q[Wait-1]];
    end

    // With two words the second one is written no sooner than it is read for the last time.
    if (Wait > Sf + 1) begin : gen_overtaken
      $error("fold_input: a frame of %0d words is written over within a wait of %0d", Sf, Wait);
    end
  end

endmodule
