// What buffer_mem promises: it is a FIFO of Depth words, each of which comes out once, in order, as it was
// stored, one cycle after it was written at the latest when none is in front. What is stored is the word
// but for its errors: with mode off none, in flip mode every bit whose draw hits, in switch mode those
// of them whose target differs from the word before at that place. Word n since the reset is written to
// place n mod Depth, and what was there counts as 0 the first time round. Two cycles
// after a write the counts are those of the write, else 0. A word waits only while Depth words do, in the
// first cycle after a reset or, if words err, while there is no draw for it; then `stall_o` tells.
//
// Assumed: words in stay until they are taken; the mode changes only while nothing is there and nothing is
// offered. In place of run_ahead are draws
// of any value at any time, which stay until a word takes them.

module buffer_mem_formal
  import spinflow_pkg::*;
#(
  // As of buffer_mem.
  parameter int unsigned Width = 2,
  parameter int unsigned Depth = 3,
  parameter int unsigned Ports = 1,
  localparam int unsigned BusWidth = 8 * ((Width + 7) / 8)
) (
  // Ports of buffer_mem that others drive.
  input logic                      clk_i,
  input logic                      rst_ni,
  input logic [1:0]                mode_i,
  input logic                      restart_i,
  input logic [Ports-1:0]          grant_i,
  input draw_answer_t [Ports-1:0]  answer_i,
  input logic [Ports-1:0]          answer_valid_i,
  input logic [BusWidth-1:0]       in_data_i,
  input logic                      in_valid_i,
  input logic                      out_ready_i,

  // Free: the word that is written in this cycle is the one to watch.
  input logic                      mark_i
);

  draw_request_t [Ports-1:0] request_o;
  logic                      in_ready_o, out_valid_o, stall_o;
  logic [BusWidth-1:0]       out_data_o;
  count_t                    count_o;

  buffer_mem #(.Width (Width), .Depth (Depth), .RunAhead (2)) dut (.*);
  begins_in_reset u_begins (.clk_i, .rst_ni);
  stream_rule #(.Width (BusWidth), .Assumed (1'b1)) u_in (
    .clk_i, .rst_ni, .data_i (in_data_i), .valid_i (in_valid_i), .ready_i (in_ready_o)
  );
  stream_rule #(.Width (BusWidth)) u_out (
    .clk_i, .rst_ni, .data_i (out_data_o), .valid_i (out_valid_o), .ready_i (out_ready_i)
  );

  // Draws keep the rule of streams.
  stream_rule #(.Width (2 * Width), .Assumed (1'b1)) u_draws (
    .clk_i,
    .rst_ni  (rst_ni && !restart_i),
    .data_i  ({dut.gen_errors.hit1, dut.gen_errors.hit0}),
    .valid_i (dut.gen_errors.hits_valid),
    .ready_i (write && mode_i != 2'd0)
  );

  // The places, what is in them, and how often all have been written: not yet, or at least once.
  logic [Depth-1:0][Width-1:0] place_q;
  logic [$clog2(Depth)-1:0]    next_q;
  logic [$clog2(Depth+1)-1:0]  level_q;
  logic                        round_q;
  logic [1:0]                  mode_q;
  count_t                      count_q, count_before_q;
  logic                        started_q;   // no reset in the cycle before
  logic [Width-1:0] target, old, hit, error, stored;
  logic write, read;
  assign write  = in_valid_i && in_ready_o;
  assign read   = out_valid_o && out_ready_i;
  assign target = in_data_i[Width-1:0];
  always_comb begin
    old = '0;
    for (int unsigned d = 0; d < Depth; d++) if (round_q && 32'(next_q) == d) old = place_q[d];
    for (int unsigned b = 0; b < Width; b++) begin
      hit[b] = target[b] ? dut.gen_errors.hit1[b] : dut.gen_errors.hit0[b];
      error[b] = hit[b] && (mode_i == 2'd1 || (mode_i == 2'd2 && target[b] != old[b]));
      stored[b] = error[b] ? !target[b] : target[b];
    end
  end

  stream_order #(.Width (BusWidth), .Room (Depth), .Latency (1)) u_order (
    .clk_i,
    .rst_ni,
    .mark_i,
    .push_i  (write),
    .word_i  (BusWidth'(stored)),
    .data_i  (out_data_o),
    .valid_i (out_valid_o),
    .ready_i (out_ready_i)
  );

  always_ff @(posedge clk_i) begin
    mode_q    <= mode_i;
    started_q <= rst_ni;
    if (!rst_ni) begin
      next_q  <= '0;
      round_q <= 1'b0;
      level_q <= '0;
      count_q        <= '0;
      count_before_q <= '0;
    end else begin
      count_before_q <= count_q;
      if (level_q != '0 || in_valid_i) assume (mode_i == mode_q && !restart_i);
      level_q <= level_q + ($clog2(Depth+1))'(write) - ($clog2(Depth+1))'(read);
      if (write) begin
        next_q <= 32'(next_q) == Depth - 1 ? '0 : next_q + 1'b1;
        if (32'(next_q) == Depth - 1) round_q <= 1'b1;
        for (int unsigned d = 0; d < Depth; d++) if (32'(next_q) == d) place_q[d] <= stored;
      end
      count_q <= '0;
      if (write) begin
        count_q.written  <= 8'(Width);
        count_q.switched <= 8'($countones(target ^ old));
        count_q.err1     <= 8'($countones(error & target));
        count_q.err0     <= 8'($countones(error & ~target));
      end
      if (write && mode_i != 2'd0) assert (dut.gen_errors.hits_valid);
      assert (count_o == count_before_q);
      assert (stall_o == (in_valid_i && !in_ready_o && 32'(level_q) < Depth && started_q));
      if (mode_i == 2'd0 && mode_q == 2'd0 && 32'(level_q) < Depth && started_q) assert (in_ready_o);
      if (32'(level_q) == Depth) assert (!in_ready_o);
      cover (round_q && mode_i == 2'd2 && write && error != '0);
      cover (round_q && mode_i == 2'd2 && write && hit != '0 && error == '0);
      cover (mode_i == 2'd1 && write && error == '1);
      cover (stall_o);
    end
  end

endmodule
