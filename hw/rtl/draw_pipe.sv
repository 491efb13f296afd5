// The random stream: blocks of a keyless ARX permutation (eight Speck64 rounds), one every cycle.
//
// A block is named by a seed and a number and holds two words of 32 bits, those of the numbers 2*block
// and 2*block + 1. Being a pure function of both, blocks can be made in any order, each with a seed of
// its own.
//
// Latency: 8 cycles. Throughput: one block a cycle. There is no reset: what is under way comes out.

module draw_pipe (
  // Clock; there is no reset.
  input  logic        clk_i,

  // Block that enters: seed and number.
  input  logic [31:0] seed_i,
  input  logic [31:0] block_i,
  input  logic        valid_i,

  // Where blocks are: bit r is set while one is in round r, bit 8 while one is at the output.
  output logic [8:0]  valid_o,

  // Words of the block: 2*block, and 2*block + 1.
  output logic [31:0] word0_o,
  output logic [31:0] word1_o
);

  localparam int unsigned Rounds = 8;
  localparam logic [31:0] Golden = 32'h9E3779B9;
  localparam logic [31:0] LastKey = Golden * 32'(Rounds);
  // y before a round is the XOR of what it was some rounds before, its base, and of all x since, each
  // rotated left by three places a round. So y is made anew only every fourth round, and between those
  // the adder's LUTs put it together. x is kept without the key of its round.
  localparam int unsigned Rebase = 4;

  function automatic logic [31:0] rol(logic [31:0] word, int unsigned places);
    return word << places | word >> (32 - places);
  endfunction

  // What the keys of so many rounds up to this one make of y.
  function automatic logic [31:0] y_key(int unsigned round, int unsigned rounds);
    y_key = '0;
    for (int unsigned j = 0; j < rounds; j++) y_key ^= rol(Golden * 32'(round - j), 3 * j);
  endfunction

  logic [Rounds-1:0] valid_q;   // valid_q[r]: a block is behind round r
  initial valid_q = '0;
  assign valid_o = {valid_q, valid_i};
  always_ff @(posedge clk_i) valid_q <= valid_o[Rounds-1:0];

  // Of each round: x of this round, of the round before, ..., as many as y is made of (0 beyond); the base;
  // the sum; and y behind the rounds after which it is made anew.
  logic [Rounds-1:0][Rebase-1:0][31:0] x;
  logic [Rounds-1:0][31:0]             base, sum, turned;

  for (genvar r = 0; r < int'(Rounds); r++) begin : gen_round
    localparam int unsigned Since = r % Rebase;           // rounds since the base
    localparam int unsigned Kept = Since > 0 ? Since : 1;
    localparam logic [31:0] Key = Golden * 32'(r);

    logic [3:0][31:0] y;   // the parts whose XOR with y_key it is
    for (genvar j = 0; j < int'(Rebase); j++) begin : gen_part
      if (j < int'(Since)) begin : gen_x
        assign y[j] = rol(x[r][j], 3 * j);
      end else if (j == int'(Since)) begin : gen_base
        assign y[j] = rol(base[r], 3 * j);
      end else begin : gen_none
        assign y[j] = '0;
      end
    end

    xor_adder #(
      .AKey ({Key[7:0], Key[31:8]}),
      .BKey (y_key(r, Since))
    ) u_adder (
      .a_i   ({x[r][0][7:0], x[r][0][31:8]}),
      .b_i   (y),
      .sum_o (sum[r])
    );

    if (Since == Rebase - 1) begin : gen_rebase
      logic [31:0] y_q;
      always_ff @(posedge clk_i) begin
        if (valid_o[r]) begin
          y_q <= rol(y[0] ^ y[1] ^ y[2] ^ y[3] ^ y_key(r, Since), 3)
               ^ sum[r] ^ (Golden * 32'(r + 1));
        end
      end
      assign turned[r] = y_q;
    end else begin : gen_no_rebase
      assign turned[r] = '0;
    end

    if (r == 0) begin : gen_first
      assign x[r]    = (32*Rebase)'(block_i);
      assign base[r] = seed_i;
    end else begin : gen_later
      logic [Kept-1:0][31:0] x_q;
      always_ff @(posedge clk_i) if (valid_o[r-1]) x_q <= (32*Kept)'({x[r-1], sum[r-1]});
      assign x[r] = (32*Rebase)'(x_q);
      if (Since == 0) begin : gen_new
        assign base[r] = turned[r-1];
      end else begin : gen_old
        logic [31:0] base_q;
        always_ff @(posedge clk_i) if (valid_o[r-1]) base_q <= base[r-1];
        assign base[r] = base_q;
      end
    end
  end

  logic [31:0] sum_q;
  always_ff @(posedge clk_i) if (valid_o[Rounds-1]) sum_q <= sum[Rounds-1];
  assign word0_o = sum_q ^ LastKey;
  assign word1_o = turned[Rounds-1];

endmodule
