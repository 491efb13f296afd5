// Draws ahead for one buffer: for every bit that will be written, whether it errs if it is a 1 and
// whether it errs if it is a 0.
//
// Word n after a restart carries the draws of positions n*Width .. n*Width + Width - 1. `Lanes` draws
// are started every `Interval` cycles, so a word takes Interval*Width/Lanes cycles; up to `RunAhead`
// words wait in a FIFO, which covers bursts. With mode off nothing is drawn. An interval of two cycles
// saves comparators, a longer one adders too, which are then used several times.
//
// Latency: from the start of a word's last draws, 10 cycles, and C - 1 more where a comparator makes C
// comparisons. Throughput: Lanes/(Width*Interval) words a cycle.

module error_maker
  import spinflow_pkg::*;
#(
  // Bits of a word.
  parameter int unsigned Width    = 2,
  // Draws that are started at once, a divisor of Width; cycles from these to the next: 1, 2, 4 or 8.
  parameter int unsigned Lanes    = 2,
  parameter int unsigned Interval = 1,
  // Words that wait at most, a power of two.
  parameter int unsigned RunAhead = 16
) (
  // Clock, and reset (active low): the random stream restarts.
  input  logic             clk_i,
  input  logic             rst_ni,

  // Mode, rates and seed of the buffer; a new configuration comes with `restart_i`, a pulse that throws
  // away all draws and restarts the stream.
  input  error_cfg_t       cfg_i,
  input  logic             restart_i,

  // Of each bit of the next word: whether it errs if a 1, and if a 0, is written. The word goes with
  // `pop_i`, which may be high only while `valid_o` is. With mode off nothing is drawn.
  output logic [Width-1:0] hit1_o,
  output logic [Width-1:0] hit0_o,
  output logic             valid_o,
  input  logic             pop_i
);

  localparam int unsigned Steps = Width / Lanes;
  localparam int unsigned Pipes = (Lanes + 1) / 2;
  localparam int unsigned StepWidth = Steps > 1 ? $clog2(Steps) : 1;
  localparam int unsigned PhaseWidth = Interval > 1 ? $clog2(Interval) : 1;
  localparam int unsigned CreditWidth = $clog2(RunAhead + 1);
  // Positions count to 2^33, the period of the stream: 32 bits of block and the bit inside it.
  localparam int unsigned PosWidth = 33;

  if (Width % Lanes != 0 || (Lanes != 1 && Lanes % 2 != 0)) begin : gen_bad_lanes
    $error("error_maker: Lanes %0d must divide Width %0d and be 1 or even", Lanes, Width);
  end

  logic enable, flush_n;
  assign enable  = cfg_i.mode != ModeOff;
  assign flush_n = rst_ni && !restart_i;

  logic [PhaseWidth-1:0] phase_q;
  if (Interval > 1) begin : gen_phase
    always_ff @(posedge clk_i) begin
      if (!flush_n)    phase_q <= '0;
      else if (enable) phase_q <= phase_q + 1'b1;
    end
  end else begin : gen_no_phase
    assign phase_q = '0;
  end

  // A credit stands for a free word of the FIFO; it is taken when the first draw of a word starts.
  logic [CreditWidth-1:0] credit_q;
  logic [PosWidth-1:0]    pos_q;
  logic [StepWidth-1:0]   issue_step_q;
  logic issue, issue_first, issue_last;

  assign issue_first = issue_step_q == '0;
  assign issue_last  = issue_step_q == StepWidth'(Steps - 1);
  assign issue       = enable && phase_q == '0 && !(issue_first && credit_q == '0);

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
  logic draws_valid;
  assign draws_valid = &pipe_valid;
  for (genvar p = 0; p < int'(Pipes); p++) begin : gen_pipe
    draw_pipe #(
      .Interval (Interval)
    ) u_draw_pipe (
      .clk_i,
      .rst_ni  (flush_n),
      .phase_i (phase_q),
      .seed_i  (cfg_i.seed),
      .block_i (pos_q[PosWidth-1:1] + 32'(p)),
      .valid_i (issue),
      .draw0_o (draw[2*p]),
      .draw1_o (draw[2*p+1]),
      .valid_o (pipe_valid[p])
    );
  end

  // Each draw is compared with both rates. The draws stay for Interval cycles, so one comparator can
  // take both rates one after the other, or both draws of a block, or all four comparisons. What it
  // found is kept until the last one, whose result is used at once.
  localparam bit ShareDraws = Lanes > 1 && Interval >= 2;
  localparam bit ShareRates = Interval >= (Lanes > 1 ? 4 : 2);
  localparam int unsigned Compares = (ShareDraws ? 2 : 1) * (ShareRates ? 2 : 1);
  localparam logic [PhaseWidth-1:0] LastPhase = PhaseWidth'(Interval > 1 ? Compares % Interval : 0);

  logic [Lanes-1:0] lane_hit1, lane_hit0;
  logic step_done, second_draw;
  assign step_done = draws_valid && phase_q == LastPhase;

  // The draws come in phase 1. Even phases compare with rate0, the others with rate1.
  logic [31:0] thr1, thr0;
  if (ShareRates) begin : gen_shared_rates
    logic [31:0] thr_q;
    always_ff @(posedge clk_i) if (enable) thr_q <= phase_q[0] ? cfg_i.rate0 : cfg_i.rate1;
    assign thr1 = thr_q;
    assign thr0 = thr_q;
  end else begin : gen_rates
    assign thr1 = cfg_i.rate1;
    assign thr0 = cfg_i.rate0;
  end

  if (Lanes == 1) begin : gen_second_by_position
    always_ff @(posedge clk_i) begin
      if (!flush_n) second_draw <= 1'b0;
      else if (step_done) second_draw <= !second_draw;
    end
  end else if (ShareDraws) begin : gen_second_by_phase
    assign second_draw = ShareRates ? phase_q != PhaseWidth'(1) && phase_q != PhaseWidth'(2)
                                    : phase_q != PhaseWidth'(1);
  end else begin : gen_both_draws
    logic unused_second_draw;
    assign second_draw = 1'b0;
    assign unused_second_draw = second_draw;
  end

  for (genvar p = 0; p < int'(Pipes); p++) begin : gen_compare
    if (Lanes > 1 && !ShareDraws) begin : gen_apart
      for (genvar h = 0; h < 2; h++) begin : gen_half
        assign lane_hit1[2*p+h] = draw_errs(draw[2*p+h], thr1);
        assign lane_hit0[2*p+h] = draw_errs(draw[2*p+h], thr0);
      end
    end else begin : gen_shared
      logic [31:0] one_draw;
      logic hit1, hit0, first_hit1;
      assign one_draw = second_draw ? draw[2*p+1] : draw[2*p];
      assign hit1     = draw_errs(one_draw, thr1);
      assign hit0     = ShareRates ? hit1 : draw_errs(one_draw, thr0);

      if (ShareRates) begin : gen_first_rate
        logic hit1_q;
        always_ff @(posedge clk_i) hit1_q <= hit1;
        assign first_hit1 = hit1_q;
      end else begin : gen_one_rate
        assign first_hit1 = hit1;
      end

      if (ShareDraws) begin : gen_first_draw
        logic draw0_hit1_q, draw0_hit0_q;
        always_ff @(posedge clk_i) begin
          if (!second_draw) begin
            draw0_hit1_q <= first_hit1;
            draw0_hit0_q <= hit0;
          end
        end
        assign lane_hit1[2*p+:2] = {first_hit1, draw0_hit1_q};
        assign lane_hit0[2*p+:2] = {hit0, draw0_hit0_q};
      end else begin : gen_one_draw
        assign lane_hit1 = first_hit1;
        assign lane_hit0 = hit0;
      end
    end
  end

  // Collect Steps groups of lanes, lowest positions first.
  logic [Width-1:0] word1, word0;
  logic word_push;
  if (Steps == 1) begin : gen_direct
    assign word1 = lane_hit1;
    assign word0 = lane_hit0;
    assign word_push = step_done;
  end else begin : gen_collect
    logic [Width-Lanes-1:0] part1_q, part0_q;
    logic [StepWidth-1:0]   step_q;
    always_ff @(posedge clk_i) begin
      if (step_done) begin
        part1_q <= (Width-Lanes)'({lane_hit1, part1_q} >> Lanes);
        part0_q <= (Width-Lanes)'({lane_hit0, part0_q} >> Lanes);
      end
      if (!flush_n) step_q <= '0;
      else if (step_done) step_q <= word_push ? '0 : step_q + 1'b1;
    end
    assign word1 = {lane_hit1, part1_q};
    assign word0 = {lane_hit0, part0_q};
    assign word_push = step_done && step_q == StepWidth'(Steps - 1);
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
