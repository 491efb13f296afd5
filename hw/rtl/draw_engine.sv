// Draws for several memories: whether each bit that will be written errs as a 1, and as a 0.
//
// A draw of 32 bits errs below its rate's threshold T, and always if T is all ones. Its upper 8 bits, the
// lead, nearly always decide that; a block holds those of eight draws. Where a lead equals that of T, a
// tie, the lower 24 bits decide, the tail. It is in another block, which holds two tails, one of each
// pair of draws. Blocks go round: one that comes out with ties goes in again for the tails of one pair,
// before any other, with what is known of its draws, until all are decided. So answers may overtake each
// other, even of one memory.
//
// Who asks with a request has been heard in a cycle of its grant; of several the one of the highest number
// goes first, and the weights after all others. What is asked for must be taken.
//
// Latency: 13 cycles from grant to answer, 12 more for each pair of draws with a tie. Throughput: a block,
// eight draws, a cycle without ties; one block in 16 has one at random rates. There is no reset: what is
// under way comes out.

module draw_engine
  import spinflow_pkg::*;
#(
  // Numbers of weight memories, of all memories, weight memories first, and of the others that ask.
  parameter int unsigned NumWeights = 3,
  parameter int unsigned NumMems    = 5,
  parameter int unsigned NumAsks    = 2,
  // Of each that asks: for which memory.
  parameter logic [NumAsks-1:0][31:0] Memory = {32'd4, 32'd3},
  localparam int unsigned MemWidth = NumMems > 1 ? $clog2(NumMems) : 1,
  localparam int unsigned IndexWidth = NumWeights > 1 ? $clog2(NumWeights) : 1
) (
  // Clock.
  input  logic                        clk_i,

  // Seeds and rates, as they are written. Draws under way may be of the old ones or of the new ones.
  input  cfg_write_t                  cfg_write_i,

  // Requests of the weight memory of this number, and of the others; and which of them is granted.
  input  logic [IndexWidth-1:0]       weight_index_i,
  input  draw_request_t               weight_request_i,
  output logic                        weight_grant_o,
  input  draw_request_t [NumAsks-1:0] request_i,
  output logic [NumAsks-1:0]          grant_o,

  // The answer, and whose it is; none if all of these are low.
  output draw_answer_t                answer_o,
  output logic                        weight_valid_o,
  output logic [NumAsks-1:0]          valid_o
);

  localparam int unsigned Rounds = 8;
  localparam int unsigned PosWidth = 31;   // of a block's number
  localparam int unsigned LeadWidth = 8;
  localparam int unsigned TailWidth = 24;

  // What goes round with a block. `block` is what the permutation gets: a block of leads, or (tail) one of
  // tails, then its number is the lead block's, shortened, and the pair of draws.
  typedef struct packed {
    logic [MemWidth-1:0]     memory;
    logic [DrawTagWidth-1:0] tag;
    logic                    tail;
    logic [PosWidth-1:0]     block;
    logic [BlockDraws-1:0]   hit1, hit0;     // tails only: what is decided
    logic [BlockDraws-1:0]   tie1, tie0;     // and what is not
  } round_t;

  // Seed, rates and next block of each memory. A rate comes with whether it is always.
  (* ram_style = "distributed" *) logic [31:0]         seed  [NumMems];
  (* ram_style = "distributed" *) logic [32:0]         rate1 [NumMems];
  (* ram_style = "distributed" *) logic [32:0]         rate0 [NumMems];
  (* ram_style = "distributed" *) logic [PosWidth-1:0] place [NumMems];

  logic [MemWidth-1:0] cfg_index;
  assign cfg_index = cfg_write_i.index[MemWidth-1:0];
  always_ff @(posedge clk_i) begin
    if (cfg_write_i.seed)  seed[cfg_index]  <= cfg_write_i.data;
    if (cfg_write_i.rate1) rate1[cfg_index] <= {&cfg_write_i.data, cfg_write_i.data};
    if (cfg_write_i.rate0) rate0[cfg_index] <= {&cfg_write_i.data, cfg_write_i.data};
  end

  // A block that has come out: ties send it round again.
  logic       out_valid_q, again;
  round_t     out_q;
  logic [2:0] tied;          // pairs of draws; the last one is if none of these
  logic [1:0] first_tied;
  for (genvar p = 0; p < 3; p++) begin : gen_tied
    assign tied[p] = |{out_q.tie1[2*p+:2], out_q.tie0[2*p+:2]};
  end
  assign first_tied = tied[0] ? 2'd0 : tied[1] ? 2'd1 : tied[2] ? 2'd2 : 2'd3;

  logic answer_valid_q;
  logic [MemWidth-1:0] answer_memory_q;
  always_ff @(posedge clk_i) begin
    answer_valid_q  <= out_valid_q && !again;
    answer_memory_q <= out_q.memory;
    answer_o        <= '{tag: out_q.tag, hit1: out_q.hit1, hit0: out_q.hit0};
  end
  assign weight_valid_o = answer_valid_q && 32'(answer_memory_q) < NumWeights;
  for (genvar a = 0; a < int'(NumAsks); a++) begin : gen_valid
    assign valid_o[a] = answer_valid_q && 32'(answer_memory_q) == Memory[a];
  end

  // Who is next, if no ties go round; these are looked at last.
  draw_request_t       request;
  logic [MemWidth-1:0] memory;
  logic [NumAsks:0]    blocked;   // blocked[a]: by one from a on
  logic [NumAsks-1:0]  chosen;
  logic                weight_chosen;
  assign blocked[NumAsks] = 1'b0;
  for (genvar a = 0; a < int'(NumAsks); a++) begin : gen_grant
    assign blocked[a] = blocked[a+1] || request_i[a].valid;
    assign chosen[a]  = request_i[a].valid && !blocked[a+1];
    assign grant_o[a] = chosen[a] && !again;
  end
  assign weight_chosen  = weight_request_i.valid && !blocked[0];
  assign weight_grant_o = weight_chosen && !again;

  always_comb begin
    request = weight_chosen ? weight_request_i : '0;
    memory  = weight_chosen ? MemWidth'(weight_index_i) : '0;
    for (int unsigned a = 0; a < NumAsks; a++) begin
      if (chosen[a]) begin
        request |= request_i[a];
        memory  |= MemWidth'(Memory[a]);
      end
    end
  end

  // It enters: first its memory is known, then its block and its seed.
  logic       lead_q;   // leads enter; tails do if enter_q.tail
  logic       tail_before_q;   // the tails that enter come from a block of tails
  logic       first_q;
  logic [2:0] start_at_q, advance_q;
  logic [1:0] pair_q;
  round_t     enter_q;
  always_ff @(posedge clk_i) begin
    lead_q         <= request.valid && !again;
    first_q        <= request.first;
    start_at_q     <= request.start;
    advance_q      <= request.advance;
    enter_q.memory <= again ? out_q.memory : memory;
    enter_q.tag    <= again ? out_q.tag : request.tag;
    enter_q.tail   <= again;
    if (again) begin
      tail_before_q <= out_q.tail;
      pair_q        <= first_tied;
      enter_q.block <= out_q.block;
      enter_q.hit1  <= out_q.hit1;
      enter_q.hit0  <= out_q.hit0;
      enter_q.tie1  <= out_q.tie1;
      enter_q.tie0  <= out_q.tie0;
    end else begin
      enter_q.hit1  <= '0;
      enter_q.hit0  <= '0;
      enter_q.tie1  <= '0;
      enter_q.tie0  <= '0;
    end
  end

  logic [PosWidth-1:0] next_place;
  assign next_place = first_q ? PosWidth'(start_at_q) : place[enter_q.memory];
  always_ff @(posedge clk_i) begin
    if (lead_q) place[enter_q.memory] <= next_place + PosWidth'(advance_q);
  end

  // Round by round: round_q[r] goes with the block in round r, round_q[Rounds] with its words.
  logic            start_q;
  logic [31:0]     seed_q, word0, word1;
  logic [Rounds:0] valid;
  round_t          round_q [Rounds+1];
  always_ff @(posedge clk_i) begin
    start_q    <= lead_q || enter_q.tail;
    seed_q     <= seed[enter_q.memory];
    round_q[0] <= enter_q;
    if (!enter_q.tail)      round_q[0].block <= next_place;
    else if (tail_before_q) round_q[0].block <= {enter_q.block[PosWidth-1:2], pair_q};
    else                    round_q[0].block <= {enter_q.block[PosWidth-3:0], pair_q};
    for (int unsigned r = 0; r < Rounds; r++) if (valid[r]) round_q[r+1] <= round_q[r];
  end

  draw_pipe u_draw_pipe (
    .clk_i,
    .seed_i  (seed_q),
    .block_i ({round_q[0].tail, round_q[0].block}),
    .valid_i (start_q),
    .valid_o (valid),
    .word0_o (word0),
    .word1_o (word1)
  );

  // Comparisons of leads, and of tails, with both rates; of leads nothing is kept if these are tails.
  logic [32:0] rate1_q, rate0_q;
  logic [BlockDraws-1:0] less1, less0, same1, same0;
  logic [1:0]            below1, below0;
  always_ff @(posedge clk_i) begin
    rate1_q <= rate1[round_q[Rounds-1].memory];
    rate0_q <= rate0[round_q[Rounds-1].memory];
  end

  for (genvar d = 0; d < int'(BlockDraws); d++) begin : gen_lead
    logic [LeadWidth-1:0] lead;
    assign lead = d < 4 ? word0[8*(d%4)+:8] : word1[8*(d%4)+:8];
    less_than #(
      .Width (LeadWidth)
    ) u_less1 (
      .a_i        (lead),
      .b_i        (rate1_q[31:24]),
      .or_equal_i (1'b0),
      .less_o     (less1[d]),
      .equal_o    (same1[d])
    );
    less_than #(
      .Width (LeadWidth)
    ) u_less0 (
      .a_i        (lead),
      .b_i        (rate0_q[31:24]),
      .or_equal_i (1'b0),
      .less_o     (less0[d]),
      .equal_o    (same0[d])
    );
  end

  logic [3:0] unused_equal;
  for (genvar w = 0; w < 2; w++) begin : gen_tail
    logic [TailWidth-1:0] tail;
    assign tail = w == 0 ? word0[31:8] : word1[31:8];
    less_than #(
      .Width (TailWidth)
    ) u_less1 (
      .a_i        (tail),
      .b_i        (rate1_q[23:0]),
      .or_equal_i (rate1_q[32]),
      .less_o     (below1[w]),
      .equal_o    (unused_equal[2*w])
    );
    less_than #(
      .Width (TailWidth)
    ) u_less0 (
      .a_i        (tail),
      .b_i        (rate0_q[23:0]),
      .or_equal_i (rate0_q[32]),
      .less_o     (below0[w]),
      .equal_o    (unused_equal[2*w+1])
    );
  end

  logic compared_q;
  logic [BlockDraws-1:0] less1_q, less0_q, same1_q, same0_q;
  logic [1:0]            below1_q, below0_q;
  round_t compare_q;
  always_ff @(posedge clk_i) begin
    compared_q <= valid[Rounds];
    if (valid[Rounds]) compare_q <= round_q[Rounds];
    below1_q <= below1;
    below0_q <= below0;
    if (round_q[Rounds].tail) begin
      {less1_q, less0_q, same1_q, same0_q} <= '0;
    end else begin
      {less1_q, less0_q, same1_q, same0_q} <= {less1, less0, same1, same0};
    end
  end

  // Nothing is under way as configured.
  initial begin
    {lead_q, enter_q.tail, start_q, compared_q, out_valid_q, again, answer_valid_q} = '0;
  end

  // The tails of a pair decide its ties.
  logic [BlockDraws-1:0] of_pair;
  for (genvar d = 0; d < int'(BlockDraws); d++) begin : gen_of_pair
    assign of_pair[d] = compare_q.block[1:0] == 2'(d / 2);
  end

  // Whether there are ties is known with the block: from there to who is next is the longest way.
  logic [BlockDraws-1:0] tie1, tie0;
  assign tie1 = same1_q | (compare_q.tie1 & ~of_pair);
  assign tie0 = same0_q | (compare_q.tie0 & ~of_pair);
  always_ff @(posedge clk_i) begin
    out_valid_q <= compared_q;
    again       <= compared_q && {tie1, tie0} != '0;
    if (compared_q) begin
      out_q      <= compare_q;
      out_q.hit1 <= less1_q | compare_q.hit1 | (compare_q.tie1 & of_pair & {4{below1_q}});
      out_q.hit0 <= less0_q | compare_q.hit0 | (compare_q.tie0 & of_pair & {4{below0_q}});
      out_q.tie1 <= tie1;
      out_q.tie0 <= tie0;
    end
  end

endmodule
