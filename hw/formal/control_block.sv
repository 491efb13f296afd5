// What control_block promises.
//  - One acknowledge for each access: of a write in the cycle of its request, of a read two cycles later; of a
//    memory's registers with that of memory_regs, which is asked once, or two cycles later, and of nothing
//    else.
//  - A read gives what the register map says: constants; what was last written to FRAMES_PER_TRANSFER, 1 after
//    a reset; totals and times as they stand at the request; the state in STATUS, and there `refused` and
//    `partial` from their pulse until a 1 is written to them; 0 in every other place below the memories'
//    registers.
//  - A command pulses once for each write that has its bit: a soft reset a cycle after the request, a clear,
//    which that is too, and a snapshot for the totals a cycle later. A write of FRAMES_PER_TRANSFER is told a
//    cycle after the request, its value another one later.
//  - The mode of a weight memory is given by its number, those of buffers all.
//
// One bit of what is read, any one, is followed. In place of memory_regs, counter_bank, event_total and
// frame_times are answers and values of any kind.
//
// Assumed: a request comes only when no access is under way, and what it is holds from the cycle before to its
// acknowledge, with the address of a word; memory_regs answers what it was asked, once, not before two
// cycles, and refuses with its answer; a partial write is told in no cycle of a request.

module control_block_formal
  import spinflow_pkg::*;
#(
  // As of control_block.
  parameter int unsigned NumWeights = 2,
  parameter int unsigned NumBuffers = 1,
  parameter logic [31:0] BuildId    = 32'hC0DE1234,
  localparam int unsigned NumMems = NumWeights + NumBuffers,
  localparam int unsigned IndexWidth = NumWeights > 1 ? $clog2(NumWeights) : 1,
  localparam int unsigned AddrWidth = 13,
  localparam int unsigned OpenWidth = 16
) (
  // Ports of control_block that others drive.
  input logic                   clk_i,
  input logic                   rst_ni,
  input logic                   req_i,
  input logic                   we_i,
  input logic [AddrWidth-1:0]   addr_i,
  input logic [31:0]            wdata_i,
  input logic                   under_way_i,
  input logic                   core_rst_ni,
  input logic                   partial_i,
  input logic                   first_beat_i,
  input logic                   frame_done_i,
  input logic [OpenWidth-1:0]   open_i,
  input logic [NumBuffers-1:0]  buffer_stall_i,
  input logic [IndexWidth-1:0]  weight_index_i,
  input count_t                 weight_count_i,
  input logic                   weight_count_valid_i,
  input count_t [NumBuffers-1:0] buffer_count_i,
  input count_t [NumMems-1:0]   code_count_i,

  // Free: the bit of data that is followed, as it is in the first cycle.
  input logic [4:0]             bit_i
);

  localparam logic [31:0] Spin = 32'h5350494E, MapVersion = 32'd2;

  logic                       ack_o, soft_reset_o, transfer_restart_o, weight_count_ready_o;
  logic [31:0]                rdata_o, frames_per_transfer_o;
  logic [1:0]                 weight_mode_o;
  logic [NumBuffers-1:0][1:0] buffer_mode_o;
  logic [NumMems-1:0]         restart_o;
  cfg_write_t                 cfg_write_o;

  control_block #(
    .NumWeights (NumWeights), .NumBuffers (NumBuffers), .BuildId (BuildId), .OpenWidth (OpenWidth)
  ) dut (.*);
  begins_in_reset u_begins (.clk_i, .rst_ni);

  // The access under way, for how long, and what it is.
  logic                 first_q = 1'b1;
  logic [4:0]           bit_q;
  logic                 act_q, we_q, memories, control, frames_written, answered;
  logic [1:0]           ago_q;
  logic [AddrWidth-1:0] addr_q;
  logic [31:0]          wdata_q;
  assign memories       = addr_i[AddrWidth-1];
  assign control        = req_i && we_i && addr_i[AddrWidth-1:2] == 11'h010 >> 2;
  assign frames_written = req_i && we_i && addr_i[AddrWidth-1:2] == 11'h018 >> 2;
  assign answered       = dut.memories_rd_ack || dut.memories_wr_ack;

  // The state that is read, as of this cycle, and as it was one and two cycles ago.
  logic [31:0] frames_q, frames_then_q;
  logic        refused_q, partial_q;
  logic [31:0] value, value_q, value_then_q;
  logic [2:0]  command_q, command_then_q;   // snapshot, clear, soft reset
  logic        reset_q, written_q;
  logic [2:1]  given_q, given_bit_q;   // memory_regs has answered a read so many cycles ago, and the bit
  always_comb begin
    unique case ({addr_i[AddrWidth-1:2], 2'b00})
      13'h00: value = Spin;
      13'h04: value = MapVersion;
      13'h08: value = BuildId;
      13'h0C: value = NumMems;
      13'h14: value = {28'd0, partial_q, refused_q, dut.regs_in.STATUS.busy.next, !under_way_i};
      13'h18: value = frames_q;
      13'h1C: value = dut.frames_shown[31:0];
      13'h20: value = dut.cycles_shown[31:0];
      13'h24: value = dut.cycles_shown[63:32];
      13'h28: value = dut.stalls_shown[31:0];
      13'h2C: value = dut.stalls_shown[63:32];
      13'h30: value = 32'(dut.latency);
      13'h34: value = 32'(dut.latency_min);
      13'h38: value = 32'(dut.latency_max);
      13'h3C: value = 32'(dut.distance_min);
      13'h40: value = 32'(dut.distance_max);
      default: value = '0;
    endcase
  end

  always_ff @(posedge clk_i) begin
    first_q <= 1'b0;
    if (first_q) bit_q <= bit_i;
    assume (!req_i || addr_i[1:0] == '0);
    assume (!req_i || (!act_q && addr_i == addr_q && we_i == we_q && wdata_i == wdata_q));
    assume (!act_q || (addr_i == addr_q && we_i == we_q && wdata_i == wdata_q));
    assume (!dut.refused || dut.memories_wr_ack);
    assume (!partial_i || !req_i);
    assume (!(dut.memories_rd_ack && dut.memories_wr_ack));
    assume (!answered || (act_q && memories && dut.memories_wr_ack == we_i && ago_q >= 2'd2 &&
                          given_q == '0));
    {addr_q, we_q, wdata_q} <= {addr_i, we_i, wdata_i};

    ago_q          <= req_i ? 2'd1 : ago_q + 2'(ago_q != '1);
    value_q        <= value;
    value_then_q   <= value_q;
    given_q        <= rst_ni ? {given_q[1], dut.memories_rd_ack} : '0;
    given_bit_q    <= {given_bit_q[1], dut.memories_rdata[bit_q]};
    frames_then_q  <= frames_q;
    command_q      <= control ? wdata_i[2:0] : '0;
    command_then_q <= command_q;
    reset_q        <= !rst_ni;
    written_q      <= rst_ni && frames_written;
    if (!rst_ni) begin
      act_q     <= 1'b0;
      frames_q  <= 32'd1;
      refused_q <= 1'b0;
      partial_q <= 1'b0;
      {command_q, command_then_q} <= '0;
    end else begin
      act_q <= (req_i || act_q) && !ack_o;
      if (frames_written) frames_q <= wdata_i;
      if (dut.refused) refused_q <= 1'b1;
      else if (req_i && we_i && addr_i[AddrWidth-1:2] == 11'h014 >> 2 && wdata_i[2]) refused_q <= 1'b0;
      if (partial_i) partial_q <= 1'b1;
      else if (req_i && we_i && addr_i[AddrWidth-1:2] == 11'h014 >> 2 && wdata_i[3]) partial_q <= 1'b0;

      // Answers.
      if (memories)  assert (ack_o == (we_i ? dut.memories_wr_ack : given_q[2]));
      else if (we_i) assert (ack_o == req_i);
      else           assert (ack_o == (act_q && ago_q == 2'd2));
      if (ack_o && !we_i && !memories) assert (rdata_o[bit_q] == value_then_q[bit_q]);
      if (ack_o && !we_i && memories) assert (rdata_o[bit_q] == given_bit_q[2]);
      assert (dut.regs_out.memories.req == (req_i && memories));

      // Commands.
      assert (soft_reset_o == command_q[0]);
      if (!reset_q) assert (dut.clear_q == (command_then_q[1:0] != '0));
      if (!reset_q) assert (dut.snapshot_q == command_then_q[2]);
      if (!reset_q) assert (frames_per_transfer_o[bit_q] == frames_then_q[bit_q]);

      assert (transfer_restart_o == written_q);
      assert (buffer_mode_o == dut.mode[NumMems-1:NumWeights]);
      for (int unsigned m = 0; m < NumWeights; m++) begin
        if (32'(weight_index_i) == m) assert (weight_mode_o == dut.mode[m]);
      end
      cover (ack_o && !we_i && addr_i == 13'h14 && rdata_o[3:2] == 2'b10);
      cover (ack_o && !we_i && memories && rdata_o[bit_q]);
      cover (transfer_restart_o && frames_per_transfer_o == 32'd5);
    end
  end

endmodule
