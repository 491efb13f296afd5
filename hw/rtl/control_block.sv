// The control block: all registers of an accelerator, and the totals that they show. The generated
// register block (spinflow_regs) holds the global registers and hands those of the memories on to
// memory_regs; counter_bank adds up what the memories count. Frames, cycles and stalls are counted here.
//
// A snapshot copies all totals to what is read, a clear zeroes them; a soft reset clears, too.
//
// Without `WithErrors` the memories' error registers and counters read 0.

module control_block
  import spinflow_pkg::*;
#(
  // Whether memories can err.
  parameter bit          WithErrors = 1'b1,
  // Numbers of weight memories and of buffers. Memories are numbered weight memories first.
  parameter int unsigned NumWeights = 3,
  parameter int unsigned NumBuffers = 2,
  // What BUILD_ID reads.
  parameter logic [31:0] BuildId    = '0,
  localparam int unsigned NumMems = NumWeights + NumBuffers,
  localparam int unsigned AddrWidth = spinflow_regs_pkg::SPINFLOW_REGS_MIN_ADDR_WIDTH,
  localparam int unsigned IndexWidth = NumWeights > 1 ? $clog2(NumWeights) : 1,
  // What the memories' constant registers read: number of the layer, bits of a word, words.
  parameter logic [NumMems-1:0][31:0] Layer = '0,
  parameter logic [NumMems-1:0][31:0] Width = {NumMems{32'd1}},
  parameter logic [NumMems-1:0][31:0] Depth = {NumMems{32'd2}}
) (
  // Clock, and reset (active low): all registers take their reset values, all totals become 0.
  input  logic                        clk_i,
  input  logic                        rst_ni,

  // Access from the AXI-Lite slave: `req_i` is high for a cycle, the others hold until `ack_o`. Read data
  // are valid with the acknowledge.
  input  logic                        req_i,
  input  logic                        we_i,                    // 1 writes, 0 reads
  input  logic [AddrWidth-1:0]        addr_i,                  // byte address in the block
  input  logic [31:0]                 wdata_i,
  output logic                        ack_o,
  output logic [31:0]                 rdata_o,

  // State of the accelerator, for STATUS and for the totals; pulses are high for a cycle.
  input  logic                        under_way_i,             // a frame is under way
  input  logic                        core_rst_ni,             // reset of the layers, active low
  input  logic                        partial_i,               // pulse: part of a word not written
  input  logic                        frame_done_i,            // pulse: a label has left
  input  logic [NumBuffers-1:0]       buffer_stall_i,          // one bit each: waits for draws

  // What the host asks for.
  output logic                        soft_reset_o,            // pulse: reset the layers
  output logic [31:0]                 frames_per_transfer_o,   // labels from one TLAST to the next
  output logic                        transfer_restart_o,      // pulse: that was written

  // Configuration of the weight memory of this number, in the same cycle; not valid during an access.
  input  logic [IndexWidth-1:0]       weight_index_i,
  output error_cfg_t                  weight_cfg_o,

  // Configuration of all buffers; and a pulse for each memory whose configuration was written, which
  // restarts its random stream.
  output error_cfg_t [NumBuffers-1:0] buffer_cfg_o,
  output logic [NumMems-1:0]          restart_o,

  // What is written to rates and seeds; see memory_regs.
  output cfg_write_t                  cfg_write_o,

  // What a write to that weight memory counted: taken with valid and ready, held until ready again.
  input  count_t                      weight_count_i,
  input  logic                        weight_count_valid_i,
  output logic                        weight_count_ready_o,

  // What the buffers count in this cycle; 0 if nothing is written.
  input  count_t [NumBuffers-1:0]     buffer_count_i
);

  localparam int unsigned CounterAddrWidth = $clog2(8 * NumMems);

  // Register block
  spinflow_regs_pkg::spinflow_regs__in_t  regs_in;
  spinflow_regs_pkg::spinflow_regs__out_t regs_out;
  logic rd_ack, wr_ack;
  logic [3:0] unused_regs;

  spinflow_regs u_regs (
    .clk                  (clk_i),
    .rst_n                (rst_ni),
    .s_cpuif_req          (req_i),
    .s_cpuif_req_is_wr    (we_i),
    .s_cpuif_addr         (addr_i),
    .s_cpuif_wr_data      (wdata_i),
    .s_cpuif_wr_biten     ('1),
    .s_cpuif_req_stall_wr (unused_regs[0]),
    .s_cpuif_req_stall_rd (unused_regs[1]),
    .s_cpuif_rd_ack       (rd_ack),
    .s_cpuif_rd_err       (unused_regs[2]),
    .s_cpuif_rd_data      (rdata_o),
    .s_cpuif_wr_ack       (wr_ack),
    .s_cpuif_wr_err       (unused_regs[3]),
    .hwif_in              (regs_in),
    .hwif_out             (regs_out)
  );

  assign ack_o                 = rd_ack || wr_ack;
  assign soft_reset_o          = regs_out.CONTROL.soft_reset.value;
  assign frames_per_transfer_o = regs_out.FRAMES_PER_TRANSFER.value.value;
  assign transfer_restart_o    = regs_out.FRAMES_PER_TRANSFER.value.swmod;

  // Registers of the memories
  logic refused, memories_rd_ack, memories_wr_ack;
  logic [31:0] memories_rdata;
  logic [CounterAddrWidth-1:0] counter_addr;
  logic [31:0] counter_data;

  memory_regs #(
    .WithErrors (WithErrors),
    .NumWeights (NumWeights),
    .NumBuffers (NumBuffers),
    .Layer      (Layer),
    .Width      (Width),
    .Depth      (Depth)
  ) u_memory_regs (
    .clk_i,
    .rst_ni,
    .idle_i         (!under_way_i),
    .req_i          (regs_out.memories.req),
    .we_i           (regs_out.memories.req_is_wr),
    .addr_i         (regs_out.memories.addr),
    .wdata_i        (regs_out.memories.wr_data),
    .rd_ack_o       (memories_rd_ack),
    .wr_ack_o       (memories_wr_ack),
    .rdata_o        (memories_rdata),
    .refused_o      (refused),
    .index_i        (weight_index_i),
    .weight_cfg_o,
    .buffer_cfg_o,
    .restart_o,
    .cfg_write_o,
    .counter_addr_o (counter_addr),
    .counter_data_i (counter_data)
  );

  // Totals of the memories
  logic counters_busy, clear, snapshot;
  assign clear    = regs_out.CONTROL.clear.value || soft_reset_o;
  assign snapshot = regs_out.CONTROL.snapshot.value;

  if (WithErrors) begin : gen_counters
    counter_bank #(
      .NumWeights  (NumWeights),
      .NumBuffers  (NumBuffers),
      .BufferWidth (Width[NumMems-1:NumWeights])
    ) u_counter_bank (
      .clk_i,
      .rst_ni,
      .weight_index_i,
      .weight_count_i,
      .weight_valid_i (weight_count_valid_i),
      .weight_ready_o (weight_count_ready_o),
      .buffer_count_i,
      .clear_i        (clear),
      .snapshot_i     (snapshot),
      .busy_o         (counters_busy),
      .read_addr_i    (counter_addr),
      .read_data_o    (counter_data)
    );
  end else begin : gen_no_counters
    assign counters_busy        = 1'b0;
    assign counter_data         = '0;
    assign weight_count_ready_o = 1'b1;
  end

  // Totals of the accelerator
  logic [31:0] frames_q, frames_shown_q;
  logic [63:0] cycles_q, cycles_shown_q, stalls_q, stalls_shown_q;
  logic stall_q;
  always_ff @(posedge clk_i) begin
    stall_q <= buffer_stall_i != '0;
    if (!rst_ni || clear) begin
      frames_q <= '0;
      cycles_q <= '0;
      stalls_q <= '0;
    end else begin
      frames_q <= frames_q + 32'(frame_done_i);
      cycles_q <= cycles_q + 64'(under_way_i);
      stalls_q <= stalls_q + 64'(stall_q);
    end
    if (!rst_ni || clear) begin
      frames_shown_q <= '0;
      cycles_shown_q <= '0;
      stalls_shown_q <= '0;
    end else if (snapshot) begin
      frames_shown_q <= frames_q;
      cycles_shown_q <= cycles_q;
      stalls_shown_q <= stalls_q;
    end
  end

  always_comb begin
    regs_in.memories.rd_ack         = memories_rd_ack;
    regs_in.memories.wr_ack         = memories_wr_ack;
    regs_in.memories.rd_data        = memories_rdata;
    regs_in.BUILD_ID.value.next     = BuildId;
    regs_in.NUM_MEMORIES.value.next = 8'(NumMems);
    // A weight access keeps the bus until it is done: whoever reads STATUS sees none.
    regs_in.STATUS.idle.next        = !under_way_i;
    regs_in.STATUS.busy.next        = counters_busy || !core_rst_ni;
    regs_in.STATUS.refused.hwset    = refused;
    regs_in.STATUS.partial.hwset    = partial_i;
    regs_in.FRAMES_DONE.value.next  = frames_shown_q;
    {regs_in.CYCLES_HI.value.next, regs_in.CYCLES_LO.value.next} = cycles_shown_q;
    {regs_in.STALLS_HI.value.next, regs_in.STALLS_LO.value.next} = stalls_shown_q;
  end

endmodule
