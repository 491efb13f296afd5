// Draws ahead for one buffer: for every bit that will be written, whether it errs if it is a 1 and
// whether it errs if it is a 0.
//
// Word n after a restart carries the draws of positions n*Width .. n*Width + Width - 1. `Lanes` draws
// are made a cycle, so a word takes Width/Lanes cycles; up to `RunAhead` words wait in a FIFO, which
// covers bursts. With mode off nothing is drawn.
//
// Latency: 8 + Width/Lanes + 1 cycles after a restart; then Lanes/Width words a cycle.

module error_maker
  import spinflow_pkg::*;
#(
  parameter int unsigned Width    = 2,
  parameter int unsigned Lanes    = 2,
  parameter int unsigned RunAhead = 16
) (
  input  logic             clk_i,
  input  logic             rst_ni,
  input  error_cfg_t       cfg_i,
  input  logic             restart_i,
  output logic [Width-1:0] hit1_o,   // bit errs if a 1 is written
  output logic [Width-1:0] hit0_o,   // bit errs if a 0 is written
  output logic             valid_o,
  input  logic             pop_i
);

  localparam int unsigned Steps = Width / Lanes;
  localparam int unsigned Pipes = (Lanes + 1) / 2;
  localparam int unsigned StepWidth = Steps > 1 ? $clog2(Steps) : 1;
  localparam int unsigned CreditWidth = $clog2(RunAhead + 1);
  // Positions count to 2^33, the period of the stream: 32 bits of block and the bit inside it.
  localparam int unsigned PosWidth = 33;

  if (Width % Lanes != 0 || (Lanes != 1 && Lanes % 2 != 0)) begin : gen_bad_lanes
    $error("error_maker: Lanes %0d must divide Width %0d and be 1 or even", Lanes, Width);
  end

  logic enable, flush_n;
  assign enable  = cfg_i.mode != ModeOff;
  assign flush_n = rst_ni && !restart_i;

  // A credit stands for a free word of the FIFO; it is taken when the first draw of a word starts.
  logic [CreditWidth-1:0] credit_q;
  logic [PosWidth-1:0]    pos_q;
  logic [StepWidth-1:0]   issue_step_q;
  logic issue, issue_first, issue_last;

  assign issue_first = issue_step_q == '0;
  assign issue_last  = issue_step_q == StepWidth'(Steps - 1);
  assign issue       = enable && !(issue_first && credit_q == '0);

  always_ff @(posedge clk_i) begin
    if (!flush_n) begin
      credit_q     <= CreditWidth'(RunAhead);
      pos_q        <= '0;
      issue_step_q <= '0;
    end else begin
      credit_q <= credit_q - CreditWidth'(issue && issue_first) + CreditWidth'(pop_i);
      if (issue) begin
        pos_q        <= pos_q + PosWidth'(Lanes);
        issue_step_q <= issue_last ? '0 : issue_step_q + 1'b1;
      end
    end
  end

  // With one lane a block is made twice and gives one draw each time, by the position's lowest bit.
  logic [2*Pipes-1:0][31:0] draw;
  logic [Pipes-1:0] pipe_valid;   // all alike
  logic draw_valid;
  assign draw_valid = &pipe_valid;
  for (genvar p = 0; p < int'(Pipes); p++) begin : gen_pipe
    draw_pipe u_draw_pipe (
      .clk_i,
      .rst_ni  (flush_n),
      .seed_i  (cfg_i.seed),
      .block_i (pos_q[PosWidth-1:1] + 32'(p)),
      .valid_i (issue),
      .draw0_o (draw[2*p]),
      .draw1_o (draw[2*p+1]),
      .valid_o (pipe_valid[p])
    );
  end

  logic [Lanes-1:0] lane_hit1, lane_hit0;
  if (Lanes == 1) begin : gen_one_lane
    logic odd_q;  // parity of the position that leaves the pipe
    always_ff @(posedge clk_i) begin
      if (!flush_n) odd_q <= 1'b0;
      else if (draw_valid) odd_q <= !odd_q;
    end
    assign lane_hit1 = draw_errs(odd_q ? draw[1] : draw[0], cfg_i.rate1);
    assign lane_hit0 = draw_errs(odd_q ? draw[1] : draw[0], cfg_i.rate0);
  end else begin : gen_lanes
    for (genvar l = 0; l < int'(Lanes); l++) begin : gen_lane
      assign lane_hit1[l] = draw_errs(draw[l], cfg_i.rate1);
      assign lane_hit0[l] = draw_errs(draw[l], cfg_i.rate0);
    end
  end

  // Collect Steps groups of lanes, lowest positions first.
  logic [Width-1:0] word1, word0;
  logic word_push;
  if (Steps == 1) begin : gen_direct
    assign word1 = lane_hit1;
    assign word0 = lane_hit0;
    assign word_push = draw_valid;
  end else begin : gen_collect
    logic [Width-Lanes-1:0] part1_q, part0_q;
    logic [StepWidth-1:0]   step_q;
    always_ff @(posedge clk_i) begin
      if (draw_valid) begin
        part1_q <= (Width-Lanes)'({lane_hit1, part1_q} >> Lanes);
        part0_q <= (Width-Lanes)'({lane_hit0, part0_q} >> Lanes);
      end
      if (!flush_n) step_q <= '0;
      else if (draw_valid) step_q <= word_push ? '0 : step_q + 1'b1;
    end
    assign word1 = {lane_hit1, part1_q};
    assign word0 = {lane_hit0, part0_q};
    assign word_push = draw_valid && step_q == StepWidth'(Steps - 1);
  end

  logic [$clog2(RunAhead+1)-1:0] unused_level;
  stream_fifo #(
    .Width (2 * Width),
    .Depth (RunAhead)
  ) u_run_ahead (
    .clk_i,
    .rst_ni  (flush_n),
    .push_i  (word_push),
    .data_i  ({word1, word0}),
    .data_o  ({hit1_o, hit0_o}),
    .valid_o (valid_o),
    .pop_i   (pop_i),
    .level_o (unused_level)
  );

endmodule
