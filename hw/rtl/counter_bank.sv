// 64-bit totals of all memories' counters, four a memory, in block RAM: two words each, the lower half
// with one more bit, its overflow.
//
// A buffer may write in any cycle, so it has narrow counters beside it. In a sweep each of these is
// drained into the lower half of its total, one a cycle; then the four totals of one buffer, each in its
// turn, are settled: a lower half's overflow goes into the upper half. A sweep takes 4*NumBuffers + 8
// cycles. Weight memories are written one at a time and seldom: what such a write counted is added and
// settled next, sweeps wait for it, before another one is taken (`weight_ready_o`); its counts stay at
// the input until then, at most ten cycles outside passes. Buffers do not write while weights are written.
//
// A snapshot settles all memories, one a sweep, and shows each total; a clear zeroes totals and narrow
// counters, and shows that. Either begins after the sweep under way; all the time `busy_o` is high and
// counting goes on, but no weight is written. If both are asked for, the snapshot comes first.

module counter_bank
  import spinflow_pkg::*;
#(
  // Numbers of weight memories and of buffers. Memories are numbered weight memories first.
  parameter int unsigned NumWeights = 3,
  parameter int unsigned NumBuffers = 2,
  // Bits of a word of each buffer.
  parameter logic [NumBuffers-1:0][31:0] BufferWidth = {NumBuffers{32'd1}},
  // Bits of half of a total, at most 32; a narrow counter and the counts of a write have no more.
  parameter int unsigned Half = 32,
  localparam int unsigned NumMems = NumWeights + NumBuffers,
  localparam int unsigned IndexWidth = NumWeights > 1 ? $clog2(NumWeights) : 1,
  localparam int unsigned AddrWidth = $clog2(8 * NumMems)
) (
  // Clock, and reset (active low): all totals become 0, which takes a pass.
  input  logic                    clk_i,
  input  logic                    rst_ni,

  // What a write to a weight memory counted, and the memory's number. Taken with valid and ready; the
  // counts are whole from the next cycle on; both hold until ready is high again.
  input  logic [IndexWidth-1:0]   weight_index_i,
  input  count_t                  weight_count_i,
  input  logic                    weight_valid_i,
  output logic                    weight_ready_o,

  // What each buffer counts in this cycle; 0 where nothing is written. With `hold_i` nothing counts.
  input  count_t [NumBuffers-1:0] buffer_count_i,
  input  logic                    hold_i,

  // Pulses that ask for a pass, and whether one is asked for or under way.
  input  logic                    clear_i,
  input  logic                    snapshot_i,
  output logic                    busy_o,

  // Half of a total to be shown, in each cycle of `show_valid_o`, all of them while `busy_o` is high. The
  // address is 8*memory + {0 written, 2 switched, 4 err1, 6 err0} + {0 lower half, 1 upper half}.
  output logic                    show_valid_o,
  output logic [AddrWidth-1:0]    show_addr_o,
  output logic [31:0]             show_data_o
);

  localparam int unsigned MemWidth = AddrWidth - 3;
  // Most cycles in which a narrow counter counts from a visit to the next one: those of a sweep, and a
  // buffer may begin to write while the last counts of a weight memory are added.
  localparam int unsigned LongestWait = 4 * NumBuffers + 8 + 8;

  function automatic int unsigned value_width();
    value_width = 8;   // of a weight memory's increment
    for (int unsigned b = 0; b < NumBuffers; b++) begin
      automatic int unsigned width = $clog2(LongestWait * BufferWidth[b] + 1);
      if (width > value_width) value_width = width;
    end
  endfunction
  localparam int unsigned ValueWidth = value_width();

  // Where a sweep stands: one bit for each buffer, drained in four cycles, and the highest one for the
  // memory that is settled in eight. A weight memory's counts come in between and take eight, too.
  logic [NumBuffers:0] slot_q;
  logic [2:0] step_q, weight_step_q;
  logic [3:0] turn_q;   // the lower two bits of step_q, one bit each
  logic [MemWidth-1:0] drained_q, settled_q;   // numbers of memories
  logic weight_waits_q, weight_taken, settling, slot_end, sweep_end_q;
  logic [IndexWidth-1:0] weight_index_q;

  assign settling  = slot_q[NumBuffers];
  assign slot_end  = turn_q[3] && (step_q[2] || !settling);

  // A total's halves follow each other: nothing comes between them, which is known a cycle before.
  logic between;
  assign between      = settling ? step_q[0] && step_q != 3'd7
                                 : slot_q[NumBuffers-1] && turn_q[3];
  assign weight_taken = weight_valid_i && weight_ready_o;
  always_ff @(posedge clk_i) begin
    weight_ready_o <= rst_ni && !weight_waits_q && !weight_taken && !between &&
                      !busy_o && !clear_i && !snapshot_i;
    if (!rst_ni)                    weight_waits_q <= 1'b0;
    else if (weight_taken)          weight_waits_q <= 1'b1;
    else if (weight_step_q == 3'd7) weight_waits_q <= 1'b0;
    weight_step_q <= weight_waits_q ? weight_step_q + 1'b1 : '0;
    if (weight_taken) weight_index_q <= weight_index_i;
  end

  always_ff @(posedge clk_i) begin
    if (!rst_ni) begin
      slot_q <= (NumBuffers+1)'(1);
      step_q <= '0;
      turn_q <= 4'd1;
    end else if (!weight_waits_q) begin
      step_q <= slot_end ? '0 : step_q + 1'b1;
      turn_q <= {turn_q[2:0], turn_q[3]};
      if (slot_end) slot_q <= {slot_q[NumBuffers-1:0], settling};
    end
    // Nothing comes before the last cycle of a sweep either.
    sweep_end_q <= rst_ni && settling && step_q == 3'd6 && !weight_waits_q;
    if (!rst_ni || sweep_end_q)           drained_q <= MemWidth'(NumWeights);
    else if (slot_end && !weight_waits_q) drained_q <= drained_q + 1'b1;
  end

  // Passes begin and end between two sweeps.
  typedef enum logic [1:0] {PassNone, PassSnapshot, PassClear} pass_e;
  pass_e pass_q;
  logic snapshot_wanted_q, clear_wanted_q, first_q, last_q, start, zero;
  assign start = sweep_end_q && (snapshot_wanted_q || clear_wanted_q) &&
                 (pass_q == PassNone || last_q);
  assign zero  = start && !snapshot_wanted_q;
  always_ff @(posedge clk_i) begin
    if (!rst_ni) begin
      // The RAM has no reset: a clear makes it so.
      pass_q            <= PassNone;
      clear_wanted_q    <= 1'b1;
      snapshot_wanted_q <= 1'b0;
      settled_q         <= MemWidth'(NumWeights);
    end else begin
      if (snapshot_i)                 snapshot_wanted_q <= 1'b1;
      else if (start)                 snapshot_wanted_q <= 1'b0;
      if (clear_i)                    clear_wanted_q <= 1'b1;
      else if (zero)                  clear_wanted_q <= 1'b0;
      if (start)                      pass_q <= snapshot_wanted_q ? PassSnapshot : PassClear;
      else if (sweep_end_q && last_q) pass_q <= PassNone;
      if (start)                      settled_q <= '0;
      else if (sweep_end_q && last_q) settled_q <= MemWidth'(NumWeights);
      else if (sweep_end_q)           settled_q <= settled_q + 1'b1;
    end
    if (sweep_end_q) first_q <= zero;
    last_q <= settled_q == MemWidth'(NumMems - 1);
  end

  // Narrow counters: first which of four, then which buffer's.
  logic [NumBuffers-1:0][ValueWidth-1:0] drained;
  for (genvar b = 0; b < int'(NumBuffers); b++) begin : gen_buffer
    logic [3:0][7:0] increment;
    logic [3:0][ValueWidth-1:0] narrow;
    assign increment = {buffer_count_i[b].err0, buffer_count_i[b].err1, buffer_count_i[b].switched,
                        8'(buffer_count_i[b].written != '0)};
    for (genvar k = 0; k < 4; k++) begin : gen_counter
      // Written bits are counted in words.
      localparam int unsigned Unit = k == 0 ? BufferWidth[b] : 1;
      localparam int unsigned NarrowWidth = $clog2(LongestWait * BufferWidth[b] / Unit + 1);
      logic [NarrowWidth-1:0] narrow_q;
      logic visited;
      assign visited = slot_q[b] && turn_q[k] && !weight_waits_q;
      always_ff @(posedge clk_i) begin
        if (!rst_ni || zero || hold_i) narrow_q <= '0;
        else narrow_q <= NarrowWidth'(increment[k]) + (visited ? '0 : narrow_q);
      end
      assign narrow[k] = ValueWidth'(narrow_q) * ValueWidth'(Unit);
    end
    always_ff @(posedge clk_i) drained[b] <= narrow[step_q[1:0]];
  end

  // A visit: its address, the total's half out of the RAM, that in a register beside the value to be
  // added, the sum; then it is written. No half is visited again within four cycles.
  localparam int unsigned Steps = 3;
  typedef struct packed {
    logic [AddrWidth-1:0] addr;
    logic settles;   // else a narrow counter is drained
    logic forget;    // the total counts as 0
  } visit_t;
  visit_t visit;
  visit_t [Steps-1:0] visit_q;
  logic [Steps-1:0] show_q;   // whether the sum is to be shown
  logic [NumBuffers-1:0] slot_now_q;
  logic weight_now_q;
  logic [7:0] weight_value_q;
  always_comb begin
    visit.settles = weight_waits_q || settling;
    // A clear zeroes buffers' lower halves when they are first drained after its beginning.
    visit.forget  = !weight_waits_q && pass_q == PassClear &&
                    (settling ? step_q[0] || int'(settled_q) < int'(NumWeights) : first_q);
    if (weight_waits_q) visit.addr = {MemWidth'(weight_index_q), weight_step_q};
    else if (settling)  visit.addr = {settled_q, step_q};
    else                visit.addr = {drained_q, step_q[1:0], 1'b0};
  end

  // Whoever is not visited adds 0.
  logic [ValueWidth-1:0] value_d, value_q;
  always_comb begin
    value_d = weight_now_q ? ValueWidth'(weight_value_q) : '0;
    for (int unsigned b = 0; b < NumBuffers; b++) if (slot_now_q[b]) value_d |= drained[b];
  end

  logic [Half:0] total, sum_q;
  block_ram #(
    .Width      (Half + 1),
    .Depth      (2 ** AddrWidth),
    .BothAtOnce (1'b1)
  ) u_totals (
    .clk_i,
    .we_i    (1'b1),
    .waddr_i (visit_q[Steps-1].addr),
    .wdata_i ({sum_q[Half] && !visit_q[Steps-1].settles, sum_q[Half-1:0]}),
    .re_i    (1'b1),
    .raddr_i (visit.addr),
    .take_i  (1'b1),
    .clear_i (visit_q[0].forget),
    .rdata_o (total)
  );

  logic [3:0][7:0] weight_count;
  assign weight_count = {weight_count_i.err0, weight_count_i.err1, weight_count_i.switched,
                         weight_count_i.written};
  always_ff @(posedge clk_i) begin
    visit_q        <= {visit_q[Steps-2:0], visit};
    if (!rst_ni) show_q <= '0;
    else show_q <= {show_q[Steps-2:0], settling && pass_q != PassNone && !weight_waits_q};
    slot_now_q     <= weight_waits_q ? '0 : slot_q[NumBuffers-1:0];
    weight_now_q   <= weight_waits_q && !weight_step_q[0];
    weight_value_q <= weight_count[weight_step_q[2:1]];
    value_q        <= value_d;
    // The overflow of the lower half, in the cycle before, comes into the upper one.
    sum_q <= total + (Half+1)'(value_q) +
             (Half+1)'(sum_q[Half] && visit_q[1].settles && visit_q[1].addr[0]);
  end

  assign busy_o       = snapshot_wanted_q || clear_wanted_q || pass_q != PassNone || show_q != '0;
  assign show_valid_o = show_q[Steps-1];
  assign show_addr_o  = visit_q[Steps-1].addr;
  assign show_data_o  = 32'(sum_q[Half-1:0]);

endmodule
