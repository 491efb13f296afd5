// Follows one word, any one, from where it comes in to where it leaves: so that it is compared alone
// stands for comparing all, as the solver chooses by `mark_i` which one it is.
//
// A word comes in with `push_i` and leaves with `pop_i`. Promised are that none leaves that has not
// come, and that at most Room wait. `here_o` says that the word in front, which would leave next, is the
// one watched; `word_o` is what it was.

module word_watch #(
  // Bits of a word.
  parameter int unsigned Width = 8,
  // Most words that wait between two cycles.
  parameter int unsigned Room  = 1,
  // Whether a word may leave in the cycle in which it comes.
  parameter bit          Through = 1'b0,
  localparam int unsigned CountWidth = $clog2(Room + 2)
) (
  // Clock, and reset (active low): no word waits.
  input  logic                  clk_i,
  input  logic                  rst_ni,

  // Free: the word that comes in this cycle is the one to watch.
  input  logic                  mark_i,

  // A word comes.
  input  logic                  push_i,
  input  logic [Width-1:0]      word_i,

  // A word leaves.
  input  logic                  pop_i,

  // How many wait, not counting one that comes in this cycle.
  output logic [CountWidth-1:0] waiting_o,

  // The word watched is in front; and what it was.
  output logic                  here_o,
  output logic [Width-1:0]      word_o
);

  logic                  watched_q;   // one is being watched
  logic [CountWidth-1:0] ahead_q;     // words in front of it
  logic [Width-1:0]      word_q;
  logic                  mark;

  assign mark   = mark_i && push_i && !watched_q;
  assign here_o = watched_q ? ahead_q == '0 : Through && mark && waiting_o == '0;
  assign word_o = watched_q ? word_q : word_i;

  always_ff @(posedge clk_i) begin
    if (!rst_ni) begin
      waiting_o <= '0;
      watched_q <= 1'b0;
    end else begin
      waiting_o <= waiting_o + CountWidth'(push_i) - CountWidth'(pop_i);
      if (here_o && pop_i) watched_q <= 1'b0;
      else if (mark)       watched_q <= 1'b1;
      if (mark)                               ahead_q <= waiting_o - CountWidth'(pop_i);
      else if (pop_i && watched_q && !here_o) ahead_q <= ahead_q - 1'b1;
      // Nothing is given out that has not come in, nothing is kept for ever.
      assert (!pop_i || waiting_o != '0 || (Through && push_i));
      assert (32'(waiting_o) + 32'(push_i) - 32'(pop_i) <= Room);
    end
    if (mark) word_q <= word_i;
  end

endmodule
