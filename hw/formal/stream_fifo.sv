// What stream_fifo promises: every word that is pushed comes out once, unchanged and in order, one cycle
// after it was pushed at the latest when none is in front; the level is the number of words that wait.
// A reset empties it.
//
// Assumed: no push into a full FIFO unless a word goes, no pop from an empty one.

module stream_fifo_formal #(
  // As of stream_fifo.
  parameter int unsigned Width = 2,
  parameter int unsigned Depth = 4,
  localparam int unsigned LevelWidth = $clog2(Depth + 1)
) (
  // Ports of stream_fifo that others drive.
  input logic             clk_i,
  input logic             rst_ni,
  input logic             push_i,
  input logic [Width-1:0] data_i,
  input logic             pop_i,

  // Free: the word that comes in this cycle is the one to watch.
  input logic             mark_i
);

  logic [Width-1:0]      data_o;
  logic                  valid_o;
  logic [LevelWidth-1:0] level_o;

  stream_fifo #(.Width (Width), .Depth (Depth)) dut (.*);
  begins_in_reset u_begins (.clk_i, .rst_ni);

  stream_order #(
    .Width   (Width),
    .Room    (Depth),
    .Latency (1)
  ) u_order (
    .clk_i,
    .rst_ni,
    .mark_i,
    .push_i,
    .word_i  (data_i),
    .data_i  (data_o),
    .valid_i (valid_o),
    .ready_i (pop_i)
  );

  logic [LevelWidth-1:0] level_q;   // words that wait
  always_ff @(posedge clk_i) begin
    if (!rst_ni) begin
      level_q <= '0;
    end else begin
      level_q <= level_q + LevelWidth'(push_i) - LevelWidth'(pop_i);
      assume (!(push_i && !pop_i && level_q == LevelWidth'(Depth)));
      assume (!(pop_i && level_q == '0));
      assert (level_o == level_q);
      assert (valid_o == (level_q != '0));
      cover (level_q == LevelWidth'(Depth) && push_i && pop_i);
    end
  end

endmodule
