// The random stream: blocks of a keyless ARX permutation (eight Speck64 rounds), one every `Interval`
// cycles.
//
// A block holds the draws of positions 2*block (draw0_o) and 2*block + 1 (draw1_o) of the stream that
// `seed_i` names. Being a pure function of (seed, block), it can be entered anywhere, in any order, by
// any number of pipes.
//
// There are 8/Interval adders, each of which makes Interval rounds of a block before it passes it on.
// `phase_i` counts 0 .. Interval-1 without a pause; a block enters in a cycle of phase 0.
//
// Latency: 9 cycles; the draws then stay for Interval cycles. Throughput: one block, two draws, every
// Interval cycles. Reset only clears the valid bits.

module draw_pipe #(
  parameter int unsigned Interval = 1,   // 1, 2, 4 or 8
  localparam int unsigned PhaseWidth = Interval > 1 ? $clog2(Interval) : 1
) (
  input  logic                  clk_i,
  input  logic                  rst_ni,
  input  logic [PhaseWidth-1:0] phase_i,
  input  logic [31:0]           seed_i,
  input  logic [31:0]           block_i,
  input  logic                  valid_i,
  output logic [31:0]           draw0_o,
  output logic [31:0]           draw1_o,
  output logic                  valid_o
);

  localparam int unsigned Rounds = 8;
  localparam int unsigned Stages = Rounds / Interval;
  localparam logic [31:0] Golden = 32'h9E3779B9;

  if (Interval != 1 && Interval != 2 && Interval != 4 && Interval != 8) begin : gen_bad_interval
    $error("draw_pipe: Interval %0d must be 1, 2, 4 or 8", Interval);
  end

  logic load;
  assign load = Interval == 1 || phase_i == '0;

  // What stage s has made of its block: sum[s] is x without the key of the round, turned[s] the other
  // half before x is added to it. A key is a constant, so that it costs nothing where x is used.
  logic [31:0] sum    [Stages];
  logic [31:0] turned [Stages];
  logic [Stages:0] valid_q;

  for (genvar s = 0; s < int'(Stages); s++) begin : gen_stage
    // Keys of the round that ended the stage before, and of the round of this phase. A stage's last
    // round falls in phase 0 and is keyed by whom it goes to.
    localparam logic [31:0] EntryKey = Golden * 32'(s * Interval);
    logic [31:0] key;
    always_comb begin
      key = '0;
      for (int unsigned p = 0; p < Interval; p++) begin
        if (phase_i == PhaseWidth'(p)) key = Golden * 32'(s * Interval + p);
      end
    end

    logic [31:0] x_q, y_q;   // x_q without EntryKey
    logic [31:0] x, entry_x, entry_y;
    assign x         = x_q ^ EntryKey;
    assign sum[s]    = y_q + {x[7:0], x[31:8]};
    assign turned[s] = {y_q[28:0], y_q[31:29]};

    if (s == 0) begin : gen_first
      assign entry_x = block_i;
      assign entry_y = seed_i;
    end else begin : gen_later
      assign entry_x = sum[s-1];
      assign entry_y = turned[s-1] ^ sum[s-1] ^ EntryKey;
    end

    always_ff @(posedge clk_i) begin
      if (load) begin
        if (s == 0 ? valid_i : valid_q[s-1]) begin
          x_q <= entry_x;
          y_q <= entry_y;
        end
      end else if (valid_q[s]) begin
        x_q <= sum[s] ^ key ^ EntryKey;
        y_q <= turned[s] ^ sum[s] ^ key;
      end
    end
  end

  always_ff @(posedge clk_i) begin
    if (!rst_ni)   valid_q <= '0;
    else if (load) valid_q <= {valid_q[Stages-1:0], valid_i};
  end

  localparam logic [31:0] LastKey = Golden * 32'(Rounds);
  logic [31:0] sum_q, turned_q;
  always_ff @(posedge clk_i) begin
    if (load && valid_q[Stages-1]) begin
      sum_q    <= sum[Stages-1];
      turned_q <= turned[Stages-1];
    end
  end

  assign draw0_o = sum_q ^ LastKey;
  assign draw1_o = turned_q ^ sum_q ^ LastKey;
  assign valid_o = valid_q[Stages];

endmodule
