// A small first-word-fall-through FIFO in LUT RAM, with its fill level.
//
// Latency: one cycle from a write to `valid_o`. Throughput: one word a cycle.
// The caller must not write when full: `push_i` has no ready, since the writers here count credits.

module stream_fifo #(
  // Bits of a word, and words, a power of two.
  parameter int unsigned Width = 8,
  parameter int unsigned Depth = 16,
  localparam int unsigned LevelWidth = $clog2(Depth + 1)
) (
  // Clock, and reset (active low): the FIFO is empty.
  input  logic                  clk_i,
  input  logic                  rst_ni,

  // A word to keep, in each cycle of `push_i`; never while Depth words wait and none of them goes.
  input  logic                  push_i,
  input  logic [Width-1:0]      data_i,

  // The word that has waited longest; it goes with `pop_i`, which may be high only while `valid_o` is.
  output logic [Width-1:0]      data_o,
  output logic                  valid_o,
  input  logic                  pop_i,

  // Words that wait, 0 to Depth.
  output logic [LevelWidth-1:0] level_o
);

  localparam int unsigned AddrWidth = $clog2(Depth);

  if (Depth < 2 || (Depth & (Depth - 1)) != 0) begin : gen_bad_depth
    $error("stream_fifo: Depth %0d is not a power of two of at least 2", Depth);
  end

  (* ram_style = "distributed" *) logic [Width-1:0] mem [Depth];
  logic [AddrWidth-1:0] head_q, tail_q;
  logic [LevelWidth-1:0] level_q;

  always_ff @(posedge clk_i) begin
    if (push_i) mem[tail_q] <= data_i;
  end

  always_ff @(posedge clk_i) begin
    if (!rst_ni) begin
      head_q  <= '0;
      tail_q  <= '0;
      level_q <= '0;
    end else begin
      if (push_i) tail_q <= tail_q + 1'b1;
      if (pop_i) head_q <= head_q + 1'b1;
      level_q <= level_q + LevelWidth'(push_i) - LevelWidth'(pop_i);
    end
  end

  assign data_o  = mem[head_q];
  assign valid_o = level_q != '0;
  assign level_o = level_q;

  // verilog_lint: waive-start line-length
  assert property (@(posedge clk_i) disable iff (!rst_ni) !(push_i && !pop_i && level_q == LevelWidth'(Depth)))
    else $error("stream_fifo: push into a full FIFO");
  assert property (@(posedge clk_i) disable iff (!rst_ni) !(pop_i && !valid_o))
    else $error("stream_fifo: pop from an empty FIFO");
  // verilog_lint: waive-stop line-length

endmodule
