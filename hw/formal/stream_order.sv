// A stream that gives out exactly the words it should, each once and in order: word_watch, and that the
// word watched is given out as it came. Promises too that no word waits for more than Latency cycles
// without being offered.

module stream_order #(
  // Bits of a word.
  parameter int unsigned Width   = 8,
  // Most words that wait.
  parameter int unsigned Room    = 1,
  // Cycles from a word's coming until it is valid, when none is in front; 0 in the same cycle.
  parameter int unsigned Latency = 1,
  // Whether a word may leave in the cycle in which it comes.
  parameter bit          Through = 1'b0
) (
  // Clock, and reset (active low): no word waits.
  input logic             clk_i,
  input logic             rst_ni,

  // Free: the word that comes in this cycle is the one to watch.
  input logic             mark_i,

  // A word that is to be given out.
  input logic             push_i,
  input logic [Width-1:0] word_i,

  // The stream.
  input logic [Width-1:0] data_i,
  input logic             valid_i,
  input logic             ready_i
);

  localparam int unsigned CountWidth = $clog2(Room + 2);
  localparam int unsigned RestWidth  = $clog2(Latency + 2);

  logic [CountWidth-1:0] waiting;
  logic [Width-1:0]      word;
  logic                  here;
  logic [RestWidth-1:0]  rest_q;   // cycles for which a word has waited and none was given

  word_watch #(
    .Width   (Width),
    .Room    (Room),
    .Through (Through)
  ) u_word_watch (
    .clk_i,
    .rst_ni,
    .mark_i,
    .push_i,
    .word_i,
    .pop_i     (valid_i && ready_i),
    .waiting_o (waiting),
    .here_o    (here),
    .word_o    (word)
  );

  always_ff @(posedge clk_i) begin
    if (!rst_ni || valid_i)           rest_q <= '0;
    else if (push_i || waiting != '0) rest_q <= rest_q + 1'b1;
    if (rst_ni) begin
      if (here && valid_i) assert (data_i == word);
      if (!valid_i && (push_i || waiting != '0)) assert (32'(rest_q) < Latency);
      cover (here && valid_i && ready_i);
    end
  end

endmodule
