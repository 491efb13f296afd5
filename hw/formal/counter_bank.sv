// What counter_bank promises. A total is the sum of what was counted since the last clear began: of a weight
// memory's writes once each, those that were taken, with their counts as of the cycle after; of a buffer in
// every cycle. Both halves of it: the lower one's overflow reaches the upper one.
//  - A snapshot shows each half of each total once, before `busy_o` falls, and no other pass but a clear shows
//    any: the total is not less than when the pass began, nor more than when it is shown. A clear,
//    that which follows a reset too, shows a total of what was counted since it began, 0 for a weight memory.
//  - `busy_o` is high from the cycle after a pulse or a reset until the pass is over, and falls in time.
//  - No weight is taken while a pass is asked for or under way; else one is taken within Turn cycles of the one
//    before.
//
// One of the totals, any one, is followed. Half of it has few bits here, so that it overflows.
//
// Assumed: there is no reset but that of the first cycle; what a weight memory counted holds from the cycle
// after it was taken until `weight_ready_o` is high again; buffers write whole words, none while weights are
// written or Quiet cycles before, and in Events cycles at most, since sums of many take a solver too long; all
// is held only for a reset of the layers, which asks for a clear too.

module counter_bank_formal
  import spinflow_pkg::*;
#(
  // As of counter_bank.
  parameter int unsigned NumWeights = 1,
  parameter int unsigned NumBuffers = 1,
  parameter logic [NumBuffers-1:0][31:0] BufferWidth = {NumBuffers{32'd2}},
  parameter int unsigned Half       = 8,
  // Most cycles between weights that are taken, and for which it is busy after the last pulse.
  parameter int unsigned Turn  = 14,
  parameter int unsigned Busy  = 120,
  // Whether weight memories, and buffers, count anything; most cycles in which buffers do.
  parameter bit          Weights = 1'b1,
  parameter bit          Buffers = 1'b1,
  parameter int unsigned Events  = 2,
  // Cycles from the last count of a buffer to the first of a weight memory.
  parameter int unsigned Quiet = 24,
  localparam int unsigned NumMems = NumWeights + NumBuffers,
  localparam int unsigned IndexWidth = NumWeights > 1 ? $clog2(NumWeights) : 1,
  localparam int unsigned AddrWidth = $clog2(8 * NumMems)
) (
  // Ports of counter_bank that others drive.
  input logic                    clk_i,
  input logic                    rst_ni,
  input logic [IndexWidth-1:0]   weight_index_i,
  input count_t                  weight_count_i,
  input logic                    weight_valid_i,
  input count_t [NumBuffers-1:0] buffer_count_i,
  input logic                    hold_i,
  input logic                    clear_i,
  input logic                    snapshot_i,

  // Free: the total that is followed, as it is in the first cycle: number of the memory, which of its four.
  input logic [7:0]              memory_i,
  input logic [1:0]              which_i
);

  localparam int unsigned Bits = 2 * Half;

  logic                 weight_ready_o, busy_o, show_valid_o;
  logic [AddrWidth-1:0] show_addr_o;
  logic [31:0]          show_data_o;

  counter_bank #(
    .NumWeights (NumWeights), .NumBuffers (NumBuffers), .BufferWidth (BufferWidth), .Half (Half)
  ) dut (.*);
  begins_in_reset u_begins (.clk_i, .rst_ni);

  logic        first_q = 1'b1;
  logic [7:0]  memory_q;
  logic [1:0]  which_q;

  // What is added to the total in this cycle. A weight's counts come a cycle after it was taken.
  logic                  taken, taken_q, shown_low, shown_high, zero;
  logic [IndexWidth-1:0] index_q;
  logic [7:0]            added;
  count_t                count_q;
  logic                  settled_q;   // a weight's counts hold
  assign taken = weight_valid_i && weight_ready_o;
  assign zero  = dut.zero;
  always_comb begin
    added = '0;
    if (taken_q && 32'(index_q) == 32'(memory_q)) begin
      added = which_q == 2'd0 ? weight_count_i.written : which_q == 2'd1 ? weight_count_i.switched :
              which_q == 2'd2 ? weight_count_i.err1 : weight_count_i.err0;
    end
    for (int unsigned b = 0; b < NumBuffers; b++) begin
      if (32'(memory_q) == NumWeights + b && !hold_i) begin
        added = which_q == 2'd0 ? buffer_count_i[b].written :
                which_q == 2'd1 ? buffer_count_i[b].switched :
                which_q == 2'd2 ? buffer_count_i[b].err1 : buffer_count_i[b].err0;
      end
    end
  end

  // The total, and as it was when a snapshot was asked for; the half of it that was shown before.
  logic [Bits-1:0] total_q, least_q;
  logic [Bits-1:0] shown;
  logic [Half-1:0] low_q;
  logic            low_then_q, known_q, waits_q, asked_q, done_q, busy_then_q, hold_q;
  logic            counts;
  // What is shown in the first three cycles of a pass is of the one before.
  logic [1:0]      after_q;
  logic [Bits-1:0] total_then_q, least_then_q;
  logic            known_then_q;
  logic [$clog2(Busy+2)-1:0]  busy_q;
  logic [$clog2(Turn+2)-1:0]  turn_q;
  logic [$clog2(Quiet+1)-1:0] quiet_q;
  logic [$clog2(Events+1)-1:0] events_q;
  assign shown_low  = show_valid_o && show_addr_o == AddrWidth'({memory_q, which_q, 1'b0});
  assign shown_high = show_valid_o && show_addr_o == AddrWidth'({memory_q, which_q, 1'b1});
  assign shown      = {show_data_o[Half-1:0], low_q};
  assign counts     = buffer_count_i != '0;

  always_ff @(posedge clk_i) begin
    first_q <= 1'b0;
    if (first_q) begin
      assume (32'(memory_i) < NumMems);
      {memory_q, which_q} <= {memory_i, which_i};
    end
    assume (32'(weight_index_i) < NumWeights && (Weights || !weight_valid_i));
    assume (Buffers || !counts);
    assume (first_q || rst_ni);
    for (int unsigned b = 0; b < NumBuffers; b++) begin
      assume (buffer_count_i[b].written == '0 || 32'(buffer_count_i[b].written) == BufferWidth[b]);
      assume (buffer_count_i[b].switched <= buffer_count_i[b].written);
      assume (32'(buffer_count_i[b].err1) + 32'(buffer_count_i[b].err0) <=
              32'(buffer_count_i[b].written));
    end
    if (settled_q) assume (weight_count_i == count_q);
    assume (!weight_valid_i || (!counts && 32'(quiet_q) == Quiet));
    assume (!counts || (rst_ni && !hold_i));
    assume (!hold_i || hold_q || clear_i || waits_q);
    if (rst_ni) begin
      index_q   <= taken ? weight_index_i : index_q;
      taken_q   <= taken;
      settled_q <= taken_q || (settled_q && !weight_ready_o);
      count_q   <= weight_count_i;
    end

    hold_q  <= hold_i;
    quiet_q <= counts ? '0 : quiet_q + ($bits(quiet_q))'(32'(quiet_q) < Quiet);
    waits_q <= !rst_ni || clear_i || (waits_q && !zero);   // a clear is asked for and has not begun
    busy_q  <= !rst_ni || clear_i || snapshot_i || !busy_o ? '0 : busy_q + 1'b1;
    turn_q  <= !rst_ni || busy_o || clear_i || snapshot_i || taken || !weight_valid_i ? '0 :
               turn_q + 1'b1;
    events_q <= !rst_ni ? '0 : events_q + ($bits(events_q))'(counts);
    assume (!counts || 32'(events_q) < Events);
    busy_then_q <= busy_o;
    low_then_q  <= shown_low;
    if (shown_low) low_q <= show_data_o[Half-1:0];

    if (!rst_ni) begin
      taken_q   <= 1'b0;
      settled_q <= 1'b0;
      quiet_q   <= ($bits(quiet_q))'(Quiet);
      known_q   <= 1'b0;
      asked_q   <= 1'b0;
      done_q    <= 1'b0;
      after_q   <= '0;
    end else begin
      total_q <= zero ? '0 : total_q + Bits'(added);
      if (dut.start) begin
        {after_q, known_then_q}      <= {2'd3, known_q};
        {total_then_q, least_then_q} <= {zero ? total_q : '1, least_q};
      end else if (after_q != '0) after_q <= after_q - 1'b1;
      if (zero) known_q <= 1'b1;
      else if (hold_i && (waits_q || clear_i)) known_q <= 1'b0;
      if (zero) least_q <= '0;
      else if (dut.start) least_q <= total_q;
      asked_q <= snapshot_i || (asked_q && busy_o);
      done_q  <= !snapshot_i && !dut.start && (done_q || (shown_high && after_q == '0));

      // What is shown.
      if (show_valid_o) assert (busy_o && 32'(show_addr_o) < 8 * NumMems);
      if (show_valid_o) assert (show_data_o >> Half == '0);
      if (shown_high) assert (low_then_q);
      if (shown_high && after_q == '0 && known_q) assert (shown <= total_q && shown >= least_q);
      if (shown_high && after_q != '0 && known_then_q) begin
        assert (shown <= total_then_q && shown >= least_then_q);
      end
      if (asked_q && busy_then_q && !busy_o) assert (done_q);

      // In time.
      if (waits_q) assert (busy_o || busy_q == '0);
      assert (32'(busy_q) < Busy);
      assert (32'(turn_q) < Turn);
      if (taken) assert (!busy_o);

      cover (shown_high && known_q && shown >= (Weights ? Bits'(1) << Half : Bits'(4)) && !waits_q);
    end
  end

endmodule
