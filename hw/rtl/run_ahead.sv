// Draws ahead for one buffer: for every bit that will be written, whether it errs if it is a 1 and
// whether it errs if it is a 0.
//
// Word n after a restart carries the draws of positions n*Width .. n*Width + Width - 1 of the buffer's
// random stream. A draw engine makes them, block by block of eight, into the slots of a store in LUT RAM,
// whatever their order: all that is written into a slot has a bit that changes from one time round the
// store to the next, and a slot is read once all of it has it.
//
// A slot holds a word, or as many as a block has draws for. Where Width and 8 do not divide each other, a
// block is asked for once for each part of it that a word takes; so a word takes ceil(Width / 8) blocks
// at best, and Width of them if Width is odd and above 1.
//
// After a restart or a reset the slots asked for until then are emptied before the stream starts anew,
// which takes at most RunAhead cycles and what the engine takes. Neither clears anything else: the store
// and its pointers begin as configured.
//
// Latency: two cycles from the last answer to the word. Throughput: a word a cycle, as far as draws have
// been made ahead.

module run_ahead
  import spinflow_pkg::*;
#(
  // Bits of a word.
  parameter int unsigned Width    = 2,
  // Slots of the store, a power of two from 2 to 64.
  parameter int unsigned RunAhead = 32
) (
  // Clock, and reset (active low): the random stream restarts.
  input  logic             clk_i,
  input  logic             rst_ni,

  // Draws are wanted. A pulse that restarts the random stream, for new rates or a new seed.
  input  logic             enable_i,
  input  logic             restart_i,

  // To the engine and back.
  output draw_request_t    request_o,
  input  logic             grant_i,
  input  draw_answer_t     answer_i,
  input  logic             answer_valid_i,

  // Of each bit of the next word: whether it errs if a 1, and if a 0, is written. The word goes with
  // `pop_i`, which may be high only while `valid_o` is.
  output logic [Width-1:0] hit1_o,
  output logic [Width-1:0] hit0_o,
  output logic             valid_o,
  input  logic             pop_i
);

  // Draws of a block that one request takes: all, if these are some whole words or part of one.
  localparam bit Narrow = Width < BlockDraws && BlockDraws % Width == 0;
  localparam int unsigned Lanes = Narrow || Width % 8 == 0 ? 8
                                : Width % 4 == 0 ? 4 : Width % 2 == 0 ? 2 : 1;
  localparam int unsigned Chunks = BlockDraws / Lanes;          // requests that a block is made for
  localparam int unsigned Steps = Narrow ? 1 : Width / Lanes;   // requests that fill a slot
  localparam int unsigned Words = Narrow ? BlockDraws / Width : 1;   // words of a slot

  localparam int unsigned ChunkWidth = Chunks > 1 ? $clog2(Chunks) : 1;
  localparam int unsigned StepWidth = Steps > 1 ? $clog2(Steps) : 1;
  localparam int unsigned PartWidth = Words > 1 ? $clog2(Words) : 1;
  localparam int unsigned SlotWidth = $clog2(RunAhead);

  if (RunAhead < 2 || RunAhead > 64 || (RunAhead & (RunAhead - 1)) != 0) begin : gen_bad_run_ahead
    $error("run_ahead: RunAhead %0d must be a power of two from 2 to 64", RunAhead);
  end

  typedef struct packed {
    logic                 turn;   // changes from one time round the store to the next
    logic [SlotWidth-1:0] slot;
  } pointer_t;

  typedef struct packed {
    pointer_t              at;
    logic [StepWidth-1:0]  step;
    logic [ChunkWidth-1:0] chunk;
  } place_t;

  // What is asked for next. The store begins with turns of 0.
  place_t   ask_q;
  pointer_t head_q;   // what is read next
  logic     flush_q, first_q;
  logic     full, last_step, last_chunk, drained;
  initial begin
    ask_q   = '{at: '{turn: 1'b1, default: '0}, default: '0};
    head_q  = '{turn: 1'b1, default: '0};
    flush_q = 1'b1;
  end

  assign full       = ask_q.at == {~head_q.turn, head_q.slot};
  assign last_step  = ask_q.step == StepWidth'(Steps - 1);
  assign last_chunk = ask_q.chunk == ChunkWidth'(Chunks - 1);
  assign drained    = ask_q.at == head_q && ask_q.step == '0;

  // A slot that was begun is filled in any case.
  assign request_o = '{
    valid:   ask_q.step != '0 || (enable_i && !flush_q && !full),
    first:   first_q,
    advance: last_chunk && !flush_q,
    tag:     DrawTagWidth'(ask_q)
  };

  always_ff @(posedge clk_i) begin
    if (!rst_ni || restart_i) flush_q <= 1'b1;
    else if (drained)         flush_q <= 1'b0;
    if (flush_q)      first_q <= 1'b1;
    else if (grant_i) first_q <= 1'b0;
    if (grant_i) begin
      ask_q.step <= last_step ? '0 : ask_q.step + 1'b1;
      if (last_step) ask_q.at <= ask_q.at + 1'b1;
    end
    if (flush_q)      ask_q.chunk <= '0;
    else if (grant_i) ask_q.chunk <= last_chunk ? '0 : ask_q.chunk + 1'b1;
  end

  // The store, a RAM for each step.
  place_t to;
  logic [Lanes-1:0] new1, new0;
  logic [Steps-1:0][Lanes-1:0] all1, all0;
  logic [Steps-1:0] present;
  assign to   = place_t'(answer_i.tag[$bits(place_t)-1:0]);
  assign new1 = answer_i.hit1[Lanes*to.chunk+:Lanes];
  assign new0 = answer_i.hit0[Lanes*to.chunk+:Lanes];
  for (genvar s = 0; s < int'(Steps); s++) begin : gen_step
    (* ram_style = "distributed" *) logic [2*Lanes:0] store [RunAhead];
    initial for (int unsigned i = 0; i < RunAhead; i++) store[i] = '0;
    always_ff @(posedge clk_i) begin
      if (answer_valid_i && to.step == StepWidth'(s)) store[to.at.slot] <= {to.at.turn, new1, new0};
    end
    logic turn;
    assign {turn, all1[s], all0[s]} = store[head_q.slot];
    assign present[s] = turn == head_q.turn;
  end

  if (DrawTagWidth > $bits(place_t)) begin : gen_unused_tag
    logic unused_tag;
    assign unused_tag = ^answer_i.tag[DrawTagWidth-1:$bits(place_t)];
  end

  // The next word, in registers.
  logic [PartWidth-1:0] part_q;
  initial part_q = '0;
  logic take, last_part;
  logic [Words-1:0][Width-1:0] words1, words0;
  assign words1    = all1;
  assign words0    = all0;
  assign take      = &present && (flush_q || !valid_o || pop_i);
  assign last_part = flush_q || part_q == PartWidth'(Words - 1);

  always_ff @(posedge clk_i) begin
    if (take) begin
      hit1_o <= words1[part_q];
      hit0_o <= words0[part_q];
      part_q <= last_part ? '0 : part_q + 1'b1;
      if (last_part) head_q <= head_q + 1'b1;
    end
    if (!rst_ni || restart_i || flush_q) valid_o <= 1'b0;
    else if (take)                       valid_o <= 1'b1;
    else if (pop_i)                      valid_o <= 1'b0;
  end

endmodule
