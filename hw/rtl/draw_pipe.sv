// The random stream: blocks of a keyless ARX permutation (eight Speck64 rounds), one every `Interval`
// cycles.
//
// A block holds the draws of positions 2*block (draw0_o) and 2*block + 1 (draw1_o) of the stream that
// `seed_i` names. Being a pure function of (seed, block), it can be entered anywhere, in any order, by
// any number of pipes. `seed_i` must not change while a block is under way.
//
// With an interval of 4 or 8 there are 8/Interval adders, each of which makes Interval rounds of a block
// before it passes it on. With 1 or 2 there is an adder a round, and so much less around it that fewer
// adders would not be smaller. `phase_i` counts 0 .. Interval-1 without a pause; a block enters in a
// cycle of phase 0.
//
// Latency: 9 cycles; the draws then stay for Interval cycles. Throughput: one block, two draws, every
// Interval cycles. Reset only clears the valid bits.

module draw_pipe #(
  // Cycles from one block to the next: 1, 2, 4 or 8.
  parameter int unsigned Interval = 1,
  localparam int unsigned PhaseWidth = Interval > 1 ? $clog2(Interval) : 1
) (
  // Clock, and reset (active low), which makes blocks under way invalid.
  input  logic                  clk_i,
  input  logic                  rst_ni,

  // Counts 0 .. Interval - 1 over and over; a block enters in phase 0.
  input  logic [PhaseWidth-1:0] phase_i,

  // Block that enters: its number, and the seed of its stream, which holds while a block is under way.
  // Number and valid are looked at in phase 0 only.
  input  logic [31:0]           seed_i,
  input  logic [31:0]           block_i,
  input  logic                  valid_i,

  // Draws of positions 2*block and 2*block + 1, for Interval cycles.
  output logic [31:0]           draw0_o,
  output logic [31:0]           draw1_o,
  output logic                  valid_o
);

  localparam int unsigned Rounds = 8;
  localparam logic [31:0] Golden = 32'h9E3779B9;
  localparam logic [31:0] LastKey = Golden * 32'(Rounds);

  if (Interval != 1 && Interval != 2 && Interval != 4 && Interval != 8) begin : gen_bad_interval
    $error("draw_pipe: Interval %0d must be 1, 2, 4 or 8", Interval);
  end

  logic load;
  assign load = Interval == 1 || phase_i == '0;
  function automatic logic [31:0] rol(logic [31:0] word, int unsigned places);
    return word << places | word >> (32 - places);
  endfunction

  // What the keys of so many rounds up to this one make of y.
  function automatic logic [31:0] y_key(int unsigned round, int unsigned rounds);
    y_key = '0;
    for (int unsigned j = 0; j < rounds; j++) y_key ^= rol(Golden * 32'(round - j), 3 * j);
  endfunction

  if (Interval <= 2) begin : gen_unrolled
    // y before a round is the XOR of what it was some rounds before, its base, and of all x since, each
    // rotated left by three places a round. So y is made anew only every fourth round, and between
    // those the adder's LUTs put it together. x is kept without the key of its round.
    localparam int unsigned Rebase = 4;
    logic [Rounds:0] valid_q;   // valid_q[r]: a block stands before round r

    for (genvar r = 0; r < int'(Rounds); r++) begin : gen_round
      localparam int unsigned Since = r % Rebase;           // rounds since the base
      localparam int unsigned Kept = Since > 0 ? Since : 1;
      localparam logic [31:0] Key = Golden * 32'(r);

      logic [Kept-1:0][31:0] x_q;   // of this round, of the round before, ...
      logic [31:0]           base, sum;
      logic [3:0][31:0]      y;     // the parts whose XOR with y_key it is
      for (genvar j = 0; j < int'(Rebase); j++) begin : gen_part
        if (j < int'(Since)) begin : gen_x
          assign y[j] = rol(x_q[j], 3 * j);
        end else if (j == int'(Since)) begin : gen_base
          assign y[j] = rol(base, 3 * j);
        end else begin : gen_none
          assign y[j] = '0;
        end
      end

      xor_adder #(
        .AKey ({Key[7:0], Key[31:8]}),
        .BKey (y_key(r, Since))
      ) u_adder (
        .a_i   ({x_q[0][7:0], x_q[0][31:8]}),
        .b_i   (y),
        .sum_o (sum)
      );

      if (Since == Rebase - 1) begin : gen_rebase
        logic [31:0] y_q;
        always_ff @(posedge clk_i) begin
          if (valid_q[r]) begin
            y_q <= rol(y[0] ^ y[1] ^ y[2] ^ y[3] ^ y_key(r, Since), 3)
                 ^ sum ^ (Golden * 32'(r + 1));
          end
        end
      end

      if (r == 0) begin : gen_first
        always_ff @(posedge clk_i) if (load && valid_i) x_q <= block_i;
        assign base = seed_i;
      end else begin : gen_later
        always_ff @(posedge clk_i) begin
          if (valid_q[r-1]) x_q <= (32*Kept)'({gen_round[r-1].x_q, gen_round[r-1].sum});
        end
        if (r < Rebase) begin : gen_seed
          assign base = seed_i;
        end else if (Since == 0) begin : gen_new
          assign base = gen_round[r-1].gen_rebase.y_q;
        end else begin : gen_old
          logic [31:0] base_q;
          always_ff @(posedge clk_i) if (valid_q[r-1]) base_q <= gen_round[r-1].base;
          assign base = base_q;
        end
      end
    end

    logic [31:0] sum_q;
    always_ff @(posedge clk_i) if (valid_q[Rounds-1]) sum_q <= gen_round[Rounds-1].sum;
    assign draw0_o = sum_q ^ LastKey;
    assign draw1_o = gen_round[Rounds-1].gen_rebase.y_q;

    always_ff @(posedge clk_i) begin
      if (!rst_ni) valid_q <= '0;
      else         valid_q <= {valid_q[Rounds-1:0], load && valid_i};
    end
    if (Interval == 1) begin : gen_new_each_cycle
      assign valid_o = valid_q[Rounds];
    end else begin : gen_stay
      logic stay_q;
      always_ff @(posedge clk_i) stay_q <= rst_ni && valid_q[Rounds];
      assign valid_o = valid_q[Rounds] || stay_q;
    end
  end else begin : gen_loops
    localparam int unsigned Stages = Rounds / Interval;
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
      assign turned[s] = rol(y_q, 3);

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
  end

endmodule
