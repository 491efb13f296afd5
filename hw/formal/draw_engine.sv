// What draw_engine promises: a request that is granted gets one answer, with its tag, at its own port,
// 13 cycles later and 12 more for each pair of draws with a tie. A draw whose lead and tail are those of
// its position errs as a 1 exactly if it is below rate1 or rate1 is all ones, and as a 0 in the same way.
// Blocks are counted as asked: from `start` with `first`, else on by `advance`. Only one is granted at a
// time, only who asks.
//
// In place of draw_pipe are words of any value, 8 cycles after their block has entered, but for two blocks:
// the one with the leads of a request, any one, that is watched, and the one with the tail of one of
// its draws; these are always the same, if seed and number are those that the contract of the random
// stream gives.
//
// Assumed: seed and rates are written before anything is asked for, and stay; a stream begins with `first`;
// no tag is used again before its answer.

module draw_engine_formal
  import spinflow_pkg::*;
#(
  // Other memories that ask: one, number 1; number 0 is a weight memory.
  localparam int unsigned NumAsks = 1
) (
  // Ports of draw_engine that others drive, but for the configuration.
  input logic                        clk_i,
  input draw_request_t               weight_request_i,
  input draw_request_t [NumAsks-1:0] request_i,

  // Free: this request is the one to watch; which of its draws; leads and tail; its tag; seed
  // and rates.
  input logic                        mark_i,
  input logic [2:0]                  draw_i,
  input logic [63:0]                 leads_i,
  input logic [23:0]                 tail_i,
  input logic [DrawTagWidth-1:0]     tag_i,
  input logic [31:0]                 seed_i,
  input logic [31:0]                 rate1_i,
  input logic [31:0]                 rate0_i
);

  logic                weight_grant_o, weight_valid_o;
  logic [0:0]          weight_index_i;
  logic [NumAsks-1:0]  grant_o, valid_o;
  draw_answer_t        answer_o;
  cfg_write_t          cfg_write_i;
  assign weight_index_i = '0;

  draw_engine #(
    .NumWeights (1),
    .NumMems    (2),
    .NumAsks    (NumAsks),
    .Memory     (32'd1)
  ) dut (.*);

  // Constants, and the configuration in the first three cycles.
  logic        first_q = 1'b1;
  logic [1:0]  step_q = '0;
  logic [2:0]  draw_q;
  logic [63:0] leads_q;
  logic [23:0] tail_q;
  logic [31:0] seed_q, rate1_q, rate0_q;
  always_ff @(posedge clk_i) begin
    first_q <= 1'b0;
    if (first_q) begin
      {draw_q, leads_q, tail_q, tag_q} <= {draw_i, leads_i, tail_i, tag_i};
      {seed_q, rate1_q, rate0_q} <= {seed_i, rate1_i, rate0_i};
    end else if (step_q != 2'd3) step_q <= step_q + 1'b1;
  end
  always_comb begin
    cfg_write_i       = '0;
    cfg_write_i.index = 1;
    cfg_write_i.seed  = !first_q && step_q == 2'd0;
    cfg_write_i.rate1 = !first_q && step_q == 2'd1;
    cfg_write_i.rate0 = !first_q && step_q == 2'd2;
    cfg_write_i.data  = step_q == 2'd0 ? seed_q : step_q == 2'd1 ? rate1_q : rate0_q;
  end

  // What has entered the permutation; the words that come out.
  logic [7:0][31:0] in_seed_q, in_block_q;
  logic [7:0]       in_valid_q = '0;

  // The request that is watched: its block, its tag, how long ago it was.
  logic        known_q = 1'b0;
  logic        watched_q = 1'b0;
  logic        past_q = 1'b0;      // there was one
  logic        pending_q = 1'b0;   // an answer with its tag is to come
  logic [30:0] place_q, block_q, block;
  logic [DrawTagWidth-1:0] tag_q;
  logic [6:0]  ago_q;
  logic        answered;
  assign block    = request_i[0].first ? 31'(request_i[0].start) : place_q;
  assign answered = watched_q && valid_o[0] && answer_o.tag == tag_q;

  // Pairs with a tie, and the draw.
  logic [2:0]  ties;
  logic [31:0] value;
  always_comb begin
    ties = '0;
    for (int unsigned p = 0; p < 4; p++) begin
      automatic logic tie = 1'b0;
      for (int unsigned d = 2 * p; d < 2 * p + 2; d++) begin
        if (leads_q[8*d+:8] == rate1_q[31:24] || leads_q[8*d+:8] == rate0_q[31:24]) tie = 1'b1;
      end
      ties += 3'(tie);
    end
    value = {8'(leads_q >> (32'(draw_q) * 8)), tail_q};
  end

  always_ff @(posedge clk_i) begin
    in_seed_q  <= (8*32)'({in_seed_q, dut.seed_q});
    in_block_q <= (8*32)'({in_block_q, dut.round_q[0].tail, dut.round_q[0].block});
    in_valid_q <= 8'({in_valid_q, dut.start_q});
    assume (dut.valid == {in_valid_q, dut.start_q});
    if (watched_q && in_seed_q[7] == seed_q) begin
      if (in_block_q[7] == {1'b0, block_q}) begin
        assume ({dut.word1, dut.word0} == leads_q);
      end
      if (in_block_q[7] == {1'b1, block_q[28:0], draw_q[2:1]}) begin
        assume ((draw_q[0] ? dut.word1[31:8] : dut.word0[31:8]) == tail_q);
      end
    end

    assume (step_q == 2'd3 || (!request_i[0].valid && !weight_request_i.valid));
    assume (!request_i[0].valid || request_i[0].first || known_q);
    assume (!request_i[0].valid || !pending_q || request_i[0].tag != tag_q);
    if (grant_o[0] && request_i[0].tag == tag_q)      pending_q <= 1'b1;
    else if (valid_o[0] && answer_o.tag == tag_q) pending_q <= 1'b0;
    if (valid_o[0] && answer_o.tag == tag_q) assert (pending_q);
    if (grant_o[0]) begin
      known_q <= 1'b1;
      place_q <= block + 31'(request_i[0].advance);
    end
    ago_q <= ago_q + 1'b1;
    if (grant_o[0] && mark_i && !past_q && request_i[0].tag == tag_q) begin
      watched_q <= 1'b1;
      past_q    <= 1'b1;
      block_q   <= block;
      ago_q     <= 7'd1;
    end else if (answered) begin
      watched_q <= 1'b0;
    end

    assert (!grant_o[0] || request_i[0].valid);
    assert (!weight_grant_o || (weight_request_i.valid && !grant_o[0]));
    if (watched_q) assert (32'(ago_q) <= 13 + 12 * 32'(ties));
    if (answered) begin
      assert (32'(ago_q) == 13 + 12 * 32'(ties));
      assert (answer_o.hit1[draw_q] == (value < rate1_q || rate1_q == '1));
      assert (answer_o.hit0[draw_q] == (value < rate0_q || rate0_q == '1));
    end
    cover (answered && ties == 3'd0 && block_q != '0);
  end

endmodule
