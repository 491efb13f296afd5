// The random stream: one block of a keyless ARX permutation (eight Speck64 rounds) a cycle.
//
// A block holds the draws of positions 2*block (draw0_o) and 2*block + 1 (draw1_o) of the stream that
// `seed_i` names. Being a pure function of (seed, block), it can be entered anywhere, in any order, by
// any number of pipes.
//
// Latency: 8 cycles. Throughput: one block, two draws, a cycle. Reset only clears the valid bits.

module draw_pipe (
  input  logic        clk_i,
  input  logic        rst_ni,
  input  logic [31:0] seed_i,
  input  logic [31:0] block_i,
  input  logic        valid_i,
  output logic [31:0] draw0_o,
  output logic [31:0] draw1_o,
  output logic        valid_o
);

  localparam int unsigned Rounds = 8;
  localparam logic [31:0] Golden = 32'h9E3779B9;

  logic [31:0] x_q [Rounds+1];
  logic [31:0] y_q [Rounds+1];
  logic [Rounds:0] valid_q;

  assign x_q[0] = block_i;
  assign y_q[0] = seed_i;
  assign valid_q[0] = valid_i;

  for (genvar r = 0; r < int'(Rounds); r++) begin : gen_round
    localparam logic [31:0] Key = Golden * 32'(r + 1);
    logic [31:0] x_d, y_d;
    assign x_d = ({x_q[r][7:0], x_q[r][31:8]} + y_q[r]) ^ Key;
    assign y_d = {y_q[r][28:0], y_q[r][31:29]} ^ x_d;

    always_ff @(posedge clk_i) begin
      if (valid_q[r]) begin
        x_q[r+1] <= x_d;
        y_q[r+1] <= y_d;
      end
    end

    always_ff @(posedge clk_i) begin
      if (!rst_ni) valid_q[r+1] <= 1'b0;
      else         valid_q[r+1] <= valid_q[r];
    end
  end

  assign draw0_o = x_q[Rounds];
  assign draw1_o = y_q[Rounds];
  assign valid_o = valid_q[Rounds];

endmodule
