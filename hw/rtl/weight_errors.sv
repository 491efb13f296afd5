// The write errors of the weight memories: which bits of one 32-bit segment err when it is written, and
// what the write counts. One engine serves all weight memories, since one segment is written at a time;
// each memory's position in its random stream is in LUT RAM.
//
// Draws and comparisons are made one after the other: a bit's target is known, so one comparison with its
// rate is enough. They start before the old value is known, while `working_i` is high, and a new block of
// two draws is started every four cycles. `drawn_o` rises when all 32 bits are decided.

module weight_errors
  import spinflow_pkg::*;
#(
  // Number of weight memories.
  parameter int unsigned NumWeights = 3,
  localparam int unsigned IndexWidth = NumWeights > 1 ? $clog2(NumWeights) : 1
) (
  // Clock, and reset (active low): all streams start anew.
  input  logic                  clk_i,
  input  logic                  rst_ni,

  // All streams start anew, and the stream of one memory does; each for a cycle.
  input  logic                  soft_reset_i,
  input  logic [NumWeights-1:0] restart_i,

  // The memory that is written, by its number and as one bit of all; and how its writes err. Both hold
  // from the cycle of `begin_i`, the configuration from the cycle after it.
  input  logic [IndexWidth-1:0] index_i,
  input  logic [NumWeights-1:0] memory_i,
  input  error_cfg_t            cfg_i,

  // The steps of a write, high in the cycles of each.
  input  logic                  begin_i,     // the position in the stream is read
  input  logic                  working_i,   // draws are made and compared
  input  logic                  gather_i,    // the old value comes, whole in the last cycle
  input  logic                  write_i,     // the segment is written
  input  logic                  commit_i,    // the last cycle of it: the stream moves on

  // The segment: its target, its old value (from the last `gather_i` on), a 1 for each bit that exists,
  // and how many these are.
  input  logic [31:0]           wdata_i,
  input  logic [31:0]           old_i,
  input  logic [31:0]           mask_i,
  input  logic [5:0]            bits_i,

  // Bits that err, valid from `drawn_o` to the next `begin_i`; 0 if no draws were made.
  output logic [31:0]           error_o,
  output logic                  drawn_o,

  // What the write adds to the memory's counters; valid with `write_i`.
  output count_t                count_o
);

  localparam int unsigned PosWidth = 33;
  // A new block of draws every so many cycles: half of them for each of its two comparisons.
  localparam int unsigned Interval = 4;

  // Position of the memory in its stream: the bits written since its restart.
  (* ram_style = "distributed" *) logic [PosWidth-1:0] place [NumWeights];
  logic [PosWidth-1:0]   pos_q, pos_plus;
  logic [NumWeights-1:0] started_q;
  logic [4:0]            issued_q;
  assign pos_plus = pos_q + (write_i ? PosWidth'(bits_i) : PosWidth'({issued_q, 1'b0}));

  always_ff @(posedge clk_i) begin
    if (begin_i) pos_q <= started_q[index_i] ? place[index_i] : '0;
    if (commit_i) place[index_i] <= pos_plus;
    if (!rst_ni || soft_reset_i) started_q <= '0;
    else begin
      for (int unsigned m = 0; m < NumWeights; m++) begin
        if (restart_i[m]) started_q[m] <= 1'b0;
        else if (commit_i && memory_i[m]) started_q[m] <= 1'b1;
      end
    end
  end

  // Draws for 32 bits, from the block that holds the first position. They start while the old value is
  // being read and come after it, four cycles a block: in phases 2 and 0 they are compared.
  logic [$clog2(Interval)-1:0] phase_q;
  logic [31:0] draw0, draw1, thr_q, one_draw;
  logic [5:0]  bit_q;
  logic        issue, draw_valid, skip_q, compare, hit, may_err, bit_error;
  logic        target_q, old_bit_q, in_segment_q;
  logic [5:0]  err1_q, err0_q;
  logic [7:0]  switched_q;

  assign issue = working_i && phase_q == '0 && issued_q != 5'd17;

  draw_pipe #(
    .Interval (Interval)
  ) u_draw_pipe (
    .clk_i,
    .rst_ni  (rst_ni && working_i),
    .phase_i (phase_q),
    .seed_i  (cfg_i.seed),
    .block_i (pos_plus[PosWidth-1:1]),
    .valid_i (issue),
    .draw0_o (draw0),
    .draw1_o (draw1),
    .valid_o (draw_valid)
  );

  // An odd position starts in the second half of its block.
  assign one_draw  = phase_q[1] ? draw0 : draw1;
  assign compare   = draw_valid && !phase_q[0] && !(skip_q && phase_q[1]) && !bit_q[5];
  assign hit       = draw_errs(one_draw, thr_q);
  assign may_err   = cfg_i.mode == ModeFlip ||
                     (cfg_i.mode == ModeSwitch && target_q != old_bit_q);
  assign bit_error = hit && may_err && in_segment_q;
  assign drawn_o   = bit_q[5];

  always_ff @(posedge clk_i) begin
    if (!working_i) begin
      phase_q  <= '0;
      issued_q <= '0;
      skip_q   <= 1'b1;
      if (begin_i) begin
        bit_q   <= '0;
        err1_q  <= '0;
        err0_q  <= '0;
        error_o <= '0;
      end
    end else begin
      phase_q <= phase_q + 1'b1;
      if (issue) issued_q <= issued_q + 1'b1;
      if (draw_valid && phase_q == '0) skip_q <= 1'b0;
      else if (!pos_q[0])              skip_q <= 1'b0;
      if (compare) begin
        bit_q   <= bit_q + 1'b1;
        error_o <= {bit_error, error_o[31:1]};
        err1_q  <= err1_q + 6'(bit_error && target_q);
        err0_q  <= err0_q + 6'(bit_error && !target_q);
      end
      target_q     <= wdata_i[bit_q[4:0]];
      old_bit_q    <= old_i[bit_q[4:0]];
      in_segment_q <= {1'b0, bit_q[4:0]} < bits_i;
      thr_q        <= wdata_i[bit_q[4:0]] ? cfg_i.rate1 : cfg_i.rate0;
    end
  end

  // The old value is there at least a cycle before the last `gather_i` ends.
  always_ff @(posedge clk_i) begin
    if (gather_i) switched_q <= 8'($countones((wdata_i ^ old_i) & mask_i));
  end

  assign count_o = '{
    written:  8'(bits_i),
    switched: switched_q,
    err1:     8'(err1_q),
    err0:     8'(err0_q)
  };

endmodule
