// Draws ahead for one buffer: for every bit that will be written, whether it errs if it is a 1 and
// whether it errs if it is a 0.
//
// Word n after a restart carries the draws of positions n*Width .. n*Width + Width - 1 of the buffer's
// random stream. A draw engine makes them, block by block of eight, into the slots of a store in LUT RAM,
// whatever their order: all that is written into a slot has a bit that changes from one time round the
// store to the next, and a slot is read once all of it has it.
//
// A slot holds whole words and whole blocks, the fewest that there can be. With more than one port, each
// asks an engine of its own for its share of a slot's blocks: for block 0, Ports, 2*Ports, ... the first.
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
  // Slots of the store, a power of two from 2 to 128.
  parameter int unsigned RunAhead = 32,
  // Ports at which blocks are asked for, 1 to 7.
  parameter int unsigned Ports    = 1
) (
  // Clock, and reset (active low): the random stream restarts.
  input  logic             clk_i,
  input  logic             rst_ni,

  // Draws are wanted. A pulse that restarts the random stream, for new rates or a new seed.
  input  logic             enable_i,
  input  logic             restart_i,

  // Of each port: to its engine and back.
  output draw_request_t [Ports-1:0] request_o,
  input  logic [Ports-1:0]          grant_i,
  input  draw_answer_t [Ports-1:0]  answer_i,
  input  logic [Ports-1:0]          answer_valid_i,

  // Of each bit of the next word: whether it errs if a 1, and if a 0, is written. The word goes with
  // `pop_i`, which may be high only while `valid_o` is.
  output logic [Width-1:0] hit1_o,
  output logic [Width-1:0] hit0_o,
  output logic             valid_o,
  input  logic             pop_i
);

  // A slot: blocks, blocks for each port, and words.
  localparam int unsigned Common = Width % 8 == 0 ? 8 : Width % 4 == 0 ? 4 : Width % 2 == 0 ? 2 : 1;
  localparam int unsigned Least = Width / Common;
  localparam int unsigned Steps = Least % Ports == 0 ? Least : Least * Ports;
  localparam int unsigned Share = Steps / Ports;
  localparam int unsigned Words = Steps * BlockDraws / Width;

  localparam int unsigned StepWidth = Share > 1 ? $clog2(Share) : 1;
  localparam int unsigned PartWidth = Words > 1 ? $clog2(Words) : 1;
  localparam int unsigned SlotWidth = $clog2(RunAhead);

  if (Ports < 1 || Ports > 7) begin : gen_bad_ports
    $error("run_ahead: Ports %0d must be from 1 to 7", Ports);
  end
  if (RunAhead < 2 || RunAhead > 128 || (RunAhead & (RunAhead - 1)) != 0) begin : gen_bad_run_ahead
    $error("run_ahead: RunAhead %0d must be a power of two from 2 to 128", RunAhead);
  end

  typedef struct packed {
    logic                 turn;   // changes from one time round the store to the next
    logic [SlotWidth-1:0] slot;
  } pointer_t;

  typedef struct packed {
    pointer_t             at;
    logic [StepWidth-1:0] step;   // of the port's share of the slot
  } place_t;

  // What is read next. The store begins with turns of 0.
  pointer_t head_q;
  logic     flush_q;
  logic [Ports-1:0] full, drained;
  pointer_t [Ports-1:0] ask_at;
  logic [Steps-1:0][BlockDraws-1:0] all1, all0;
  logic [Steps-1:0] present;
  initial begin
    head_q  = '{turn: 1'b1, default: '0};
    flush_q = 1'b1;
  end
  always_ff @(posedge clk_i) begin
    if (!rst_ni || restart_i) flush_q <= 1'b1;
    else if (&drained)        flush_q <= 1'b0;
  end

  for (genvar p = 0; p < int'(Ports); p++) begin : gen_port
    // What is asked for next, and whether it is, in a register: from the store to an engine's choice is the
    // longest way. A slot that was begun, or that another port has begun, is filled in any case.
    place_t   ask_q;
    pointer_t next_q;   // the slot after that
    logic     offer_q, first_q, last_step, behind;
    initial begin
      ask_q   = '{at: '{turn: 1'b1, default: '0}, default: '0};
      next_q  = '{turn: 1'b1, slot: SlotWidth'(1)};
      offer_q = 1'b0;
    end
    assign ask_at[p]  = ask_q.at;
    assign full[p]    = ask_q.at == {~head_q.turn, head_q.slot};
    assign last_step  = ask_q.step == StepWidth'(Share - 1);
    assign drained[p] = ask_q.at == head_q && ask_q.step == '0 && !offer_q;
    always_comb begin
      behind = ask_q.step != '0;
      for (int unsigned k = 0; k < Ports; k++) begin
        pointer_t more;
        more = ask_at[k] - ask_q.at;
        // Of two that are a whole store apart, the one ahead is full.
        if (more != '0 && (!more.turn || (more.slot == '0 && full[k]))) behind = 1'b1;
      end
    end
    assign request_o[p] = '{
      valid:   offer_q,
      first:   first_q,
      start:   3'(p),
      advance: flush_q ? '0 : 3'(Ports),
      tag:     DrawTagWidth'(ask_q)
    };

    logic may_begin, may_stay, may_go;
    assign may_begin = enable_i && !flush_q && !restart_i;
    assign may_stay  = behind || (may_begin && !full[p]);
    assign may_go    = !last_step || (may_begin && next_q != {~head_q.turn, head_q.slot});
    always_ff @(posedge clk_i) begin
      offer_q <= grant_i[p] ? may_go : may_stay;
      if (flush_q)         first_q <= 1'b1;
      else if (grant_i[p]) first_q <= 1'b0;
      if (grant_i[p]) begin
        ask_q.step <= last_step ? '0 : ask_q.step + 1'b1;
        if (last_step) begin
          ask_q.at <= next_q;
          next_q   <= next_q + 1'b1;
        end
      end
    end

    // The store, a RAM for each step.
    place_t to;
    assign to = place_t'(answer_i[p].tag[$bits(place_t)-1:0]);
    for (genvar s = 0; s < int'(Share); s++) begin : gen_step
      localparam int unsigned Block = s * Ports + p;
      (* ram_style = "distributed" *) logic [2*BlockDraws:0] store [RunAhead];
      logic turn;
      initial for (int unsigned i = 0; i < RunAhead; i++) store[i] = '0;
      always_ff @(posedge clk_i) begin
        if (answer_valid_i[p] && to.step == StepWidth'(s)) begin
          store[to.at.slot] <= {to.at.turn, answer_i[p].hit1, answer_i[p].hit0};
        end
      end
      assign {turn, all1[Block], all0[Block]} = store[head_q.slot];
      assign present[Block] = turn == head_q.turn;
    end

    if (DrawTagWidth > $bits(place_t)) begin : gen_unused_tag
      logic unused_tag;
      assign unused_tag = ^answer_i[p].tag[DrawTagWidth-1:$bits(place_t)];
    end
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
