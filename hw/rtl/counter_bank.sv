// 64-bit totals of all memories' counters in LUT RAM, four a memory, in halves of 32 bits: a total is
// added to in two cycles, the lower half first.
//
// A buffer may write in any cycle, so it has narrow counters beside it, which are visited in turn and
// drained into the totals; written bits are counted in words there. Weight memories are written one at a
// time and seldom: what such a write counted is added next, before another one is taken
// (`weight_ready_o`); its counts stay at the input until then. Buffers do not write while weights are
// written.
//
// A snapshot copies every total to the RAM that is read; a clear zeroes the totals, the narrow counters
// and what is read. Either takes one pass of 8*NumMems cycles, in which `busy_o` is high and counting
// goes on, but no weight is written. If both are asked for, the snapshot comes first. Reads are
// combinational.

module counter_bank
  import spinflow_pkg::*;
#(
  // Numbers of weight memories and of buffers. Memories are numbered weight memories first.
  parameter int unsigned NumWeights = 3,
  parameter int unsigned NumBuffers = 2,
  // Bits of a word of each buffer.
  parameter logic [NumBuffers-1:0][31:0] BufferWidth = {NumBuffers{32'd1}},
  localparam int unsigned NumMems = NumWeights + NumBuffers,
  localparam int unsigned IndexWidth = NumWeights > 1 ? $clog2(NumWeights) : 1,
  localparam int unsigned AddrWidth = $clog2(4 * NumMems)
) (
  // Clock, and reset (active low): all totals become 0, which takes a pass.
  input  logic                    clk_i,
  input  logic                    rst_ni,

  // What a write to a weight memory counted, and the memory's number. Taken with valid and ready; holds
  // after that until ready is high again.
  input  logic [IndexWidth-1:0]   weight_index_i,
  input  count_t                  weight_count_i,
  input  logic                    weight_valid_i,
  output logic                    weight_ready_o,

  // What each buffer counts in this cycle; 0 where nothing is written.
  input  count_t [NumBuffers-1:0] buffer_count_i,

  // Pulses that ask for a pass, and whether one is asked for or under way.
  input  logic                    clear_i,
  input  logic                    snapshot_i,
  output logic                    busy_o,

  // Half of a total as of the last snapshot, in the same cycle. The address is
  // 8*memory + {0 written, 2 switched, 4 err1, 6 err0} + {0 lower half, 1 upper half}.
  input  logic [AddrWidth:0]      read_addr_i,
  output logic [31:0]             read_data_o
);

  // In a pass all totals are visited, while draining only those of the buffers and, between two of
  // these, the four of a weight memory. A narrow counter waits at most two passes, since a command
  // restarts the pass.
  localparam int unsigned LongestWait = 2 * 8 * NumMems;
  localparam logic [AddrWidth-1:0] First = AddrWidth'(4 * NumWeights);
  localparam logic [AddrWidth-1:0] Last = AddrWidth'(4 * NumMems - 1);

  function automatic int unsigned value_width();
    value_width = 8;   // of a weight memory's increment
    for (int unsigned b = 0; b < NumBuffers; b++) begin
      automatic int unsigned width = $clog2(LongestWait * BufferWidth[b] + 1);
      if (width > value_width) value_width = width;
    end
  endfunction
  localparam int unsigned ValueWidth = value_width();

  typedef enum logic [1:0] {PassDrain, PassSnapshot, PassClear} pass_e;
  pass_e pass_q;
  logic snapshot_wanted_q, clear_wanted_q, start_snapshot, start_clear, may_start, pass_end, zero;
  logic [AddrWidth-1:0] addr_q, addr;

  // Which half of a total is read. Whatever changes what is visited does so with the upper one.
  logic upper_q;
  always_ff @(posedge clk_i) upper_q <= rst_ni && !upper_q;

  // A weight memory's counts, of which weight_step_q is added next.
  logic [IndexWidth-1:0] weight_index_q;
  logic [3:0][7:0]       weight_count;
  logic [1:0]            weight_step_q;
  logic                  weight_waits_q, weight_taken;

  assign weight_count = {weight_count_i.err0, weight_count_i.err1, weight_count_i.switched,
                         weight_count_i.written};
  assign weight_ready_o = !weight_waits_q && !busy_o && upper_q;
  assign weight_taken   = weight_valid_i && weight_ready_o;
  always_ff @(posedge clk_i) begin
    if (!rst_ni)                               weight_waits_q <= 1'b0;
    else if (weight_taken)                     weight_waits_q <= 1'b1;
    else if (upper_q && weight_step_q == 2'd3) weight_waits_q <= 1'b0;
    if (weight_taken) begin
      weight_index_q <= weight_index_i;
      weight_step_q  <= '0;
    end else if (weight_waits_q && upper_q) begin
      weight_step_q  <= weight_step_q + 1'b1;
    end
  end

  assign pass_end       = addr_q == Last;
  assign may_start      = upper_q && (pass_q == PassDrain || (pass_end && !weight_waits_q));
  assign start_snapshot = snapshot_wanted_q && may_start;
  assign start_clear    = clear_wanted_q && !snapshot_wanted_q && may_start;
  assign zero           = start_clear;
  assign busy_o = snapshot_wanted_q || clear_wanted_q || pass_q != PassDrain;

  always_ff @(posedge clk_i) begin
    if (!rst_ni) begin
      // The RAMs have no reset: a clear and a snapshot of zeros make them so.
      pass_q            <= PassDrain;
      clear_wanted_q    <= 1'b1;
      snapshot_wanted_q <= 1'b0;
      addr_q            <= First;
    end else begin
      if (snapshot_i) snapshot_wanted_q <= 1'b1;
      else if (start_snapshot) snapshot_wanted_q <= 1'b0;
      if (clear_i) clear_wanted_q <= 1'b1;
      else if (start_clear) clear_wanted_q <= 1'b0;

      if (start_snapshot) begin
        pass_q <= PassSnapshot;
        addr_q <= '0;
      end else if (start_clear) begin
        pass_q <= PassClear;
        addr_q <= '0;
      end else if (upper_q && !weight_waits_q) begin
        addr_q <= pass_end ? First : addr_q + 1'b1;
        if (pass_end) pass_q <= PassDrain;
      end
    end
  end

  // What the buffers' narrow counters hold, in bits, by counter and by the address of their totals.
  logic [4*NumBuffers-1:0][ValueWidth-1:0] narrow;
  logic [2**AddrWidth-1:0][ValueWidth-1:0] by_addr;
  assign by_addr = (2**AddrWidth*ValueWidth)'({narrow, (4*NumWeights*ValueWidth)'(0)});
  for (genvar b = 0; b < int'(NumBuffers); b++) begin : gen_buffer
    logic [3:0][7:0] increment;
    assign increment = {buffer_count_i[b].err0, buffer_count_i[b].err1, buffer_count_i[b].switched,
                        8'(buffer_count_i[b].written != '0)};
    for (genvar k = 0; k < 4; k++) begin : gen_counter
      localparam int unsigned Most = LongestWait * (k == 0 ? 1 : BufferWidth[b]);
      localparam int unsigned NarrowWidth = $clog2(Most + 1);
      logic [NarrowWidth-1:0] narrow_q;
      logic visited;
      assign visited = addr_q == AddrWidth'(4 * (NumWeights + b) + k) &&
                       !weight_waits_q && !upper_q;
      always_ff @(posedge clk_i) begin
        if (!rst_ni || zero) narrow_q <= '0;
        else narrow_q <= NarrowWidth'(increment[k]) + (visited ? '0 : narrow_q);
      end
      assign narrow[4*b+k] = ValueWidth'(narrow_q) * ValueWidth'(k == 0 ? BufferWidth[b] : 1);
    end
  end

  // Read in one cycle, added to and written in the next.
  (* ram_style = "distributed" *) logic [31:0] total [8*NumMems];
  (* ram_style = "distributed" *) logic [31:0] shown [8*NumMems];
  logic [31:0]           total_q, sum;
  logic [ValueWidth-1:0] value_q;
  logic [AddrWidth:0]    sum_addr_q;
  logic                  carry, carry_q, show_q, unused_carry_in;

  assign addr = weight_waits_q ? AddrWidth'({weight_index_q, weight_step_q}) : addr_q;
  // The carry of the lower half comes into the upper one from below the lowest bit.
  assign {carry, sum, unused_carry_in} = {1'b0, total_q, 1'b1} + 34'({value_q, carry_q});

  always_ff @(posedge clk_i) begin
    if (pass_q == PassClear) total_q <= '0;
    else                     total_q <= total[{addr, upper_q}];
    if (upper_q)             value_q <= '0;
    else if (weight_waits_q) value_q <= ValueWidth'(weight_count[weight_step_q]);
    else                     value_q <= by_addr[addr_q];
    carry_q    <= carry && upper_q;
    sum_addr_q <= {addr, upper_q};
    show_q     <= pass_q != PassDrain;

    total[sum_addr_q] <= sum;
    if (show_q) shown[sum_addr_q] <= sum;
  end

  assign read_data_o = shown[read_addr_i];

endmodule
