// Everything of an accelerator but its layers: AXI-Lite slave, register block, weight port, counters,
// soft reset and the ends of the stream. The generated top puts the layers between its stream ports.
//
// Memories are numbered as in accel.json: weight memories first, then buffers.
//
// Without `WithErrors` weights are written as they come, and the memories' error registers and counters
// read 0. That is for comparing areas.

module accel_shell
  import spinflow_pkg::*;
#(
  parameter int unsigned AddrWidth  = 20,
  parameter int unsigned NumWeights = 3,
  parameter int unsigned NumBuffers = 2,
  parameter logic [31:0] BuildId    = '0,
  parameter int unsigned InBeats    = 196,    // 32-bit input beats a frame
  parameter bit          WithErrors = 1'b1,
  localparam int unsigned NumMems = NumWeights + NumBuffers,
  parameter logic [NumMems-1:0][31:0] Layer = '0,
  parameter logic [NumMems-1:0][31:0] Width = {NumMems{32'd1}},
  parameter logic [NumMems-1:0][31:0] Depth = {NumMems{32'd2}},
  parameter logic [NumWeights-1:0][31:0] Base   = '0,
  parameter logic [NumWeights-1:0][31:0] Stride = {(NumWeights > 0 ? NumWeights : 1){32'd4}}
) (
  input  logic                 aclk,
  input  logic                 aresetn,

  input  logic [AddrWidth-1:0] s_axi_awaddr,
  input  logic [2:0]           s_axi_awprot,
  input  logic                 s_axi_awvalid,
  output logic                 s_axi_awready,
  input  logic [31:0]          s_axi_wdata,
  input  logic [3:0]           s_axi_wstrb,
  input  logic                 s_axi_wvalid,
  output logic                 s_axi_wready,
  output logic [1:0]           s_axi_bresp,
  output logic                 s_axi_bvalid,
  input  logic                 s_axi_bready,
  input  logic [AddrWidth-1:0] s_axi_araddr,
  input  logic [2:0]           s_axi_arprot,
  input  logic                 s_axi_arvalid,
  output logic                 s_axi_arready,
  output logic [31:0]          s_axi_rdata,
  output logic [1:0]           s_axi_rresp,
  output logic                 s_axi_rvalid,
  input  logic                 s_axi_rready,

  input  logic [31:0]          s_axis_tdata,
  input  logic                 s_axis_tvalid,
  output logic                 s_axis_tready,
  output logic [31:0]          m_axis_tdata,
  output logic [3:0]           m_axis_tkeep,
  output logic                 m_axis_tvalid,
  input  logic                 m_axis_tready,
  output logic                 m_axis_tlast,

  // layers
  output logic                 core_rst_no,
  output logic [31:0]          in_data_o,
  output logic                 in_valid_o,
  input  logic                 in_ready_i,
  input  logic [7:0]           label_data_i,
  input  logic                 label_valid_i,
  output logic                 label_ready_o,

  // weight memories
  output logic [NumWeights-1:0]       weight_en_o,
  output weight_req_t                 weight_req_o,
  input  logic [NumWeights-1:0][31:0] weight_rdata_i,

  // buffers
  output error_cfg_t [NumBuffers-1:0] buffer_cfg_o,
  output logic [NumBuffers-1:0]       buffer_restart_o,
  input  count_t [NumBuffers-1:0]     buffer_count_i,
  input  logic [NumBuffers-1:0]       buffer_stall_i
);

  if (NumWeights < 1 || NumBuffers < 1) begin : gen_no_memories
    $error("accel_shell: %0d weight memories and %0d buffers, at least one of each is needed",
           NumWeights, NumBuffers);
  end

  localparam int unsigned CoreResetCycles = 16;
  localparam int unsigned CounterAddrWidth = $clog2(8 * NumMems);
  localparam int unsigned RegsAddrWidth = spinflow_regs_pkg::SPINFLOW_REGS_MIN_ADDR_WIDTH;
  localparam logic [31:0] RegsSize = spinflow_regs_pkg::SPINFLOW_REGS_SIZE;

  // AXI-Lite side
  logic req, we, ack, err, to_regs, partial;
  logic [AddrWidth-1:0] addr;
  logic [31:0] wdata, rdata;

  axil_slave #(
    .AddrWidth (AddrWidth)
  ) u_axil_slave (
    .clk_i     (aclk),
    .rst_ni    (aresetn),
    .awaddr_i  (s_axi_awaddr),
    .awvalid_i (s_axi_awvalid),
    .awready_o (s_axi_awready),
    .wdata_i   (s_axi_wdata),
    .wstrb_i   (s_axi_wstrb),
    .wvalid_i  (s_axi_wvalid),
    .wready_o  (s_axi_wready),
    .bresp_o   (s_axi_bresp),
    .bvalid_o  (s_axi_bvalid),
    .bready_i  (s_axi_bready),
    .araddr_i  (s_axi_araddr),
    .arvalid_i (s_axi_arvalid),
    .arready_o (s_axi_arready),
    .rdata_o   (s_axi_rdata),
    .rresp_o   (s_axi_rresp),
    .rvalid_o  (s_axi_rvalid),
    .rready_i  (s_axi_rready),
    .req_o     (req),
    .we_o      (we),
    .addr_o    (addr),
    .wdata_o   (wdata),
    .ack_i     (ack),
    .err_i     (err),
    .rdata_i   (rdata),
    .partial_o (partial)
  );

  logic [5:0] unused_prot;
  assign unused_prot = {s_axi_awprot, s_axi_arprot};

  // Register block
  spinflow_regs_pkg::spinflow_regs__in_t  regs_in;
  spinflow_regs_pkg::spinflow_regs__out_t regs_out;
  logic regs_rd_ack, regs_wr_ack;
  logic [31:0] regs_rdata;
  logic [3:0] unused_regs;

  assign to_regs = 32'(addr) < RegsSize;

  spinflow_regs u_regs (
    .clk                  (aclk),
    .rst_n                (aresetn),
    .s_cpuif_req          (req && to_regs),
    .s_cpuif_req_is_wr    (we),
    .s_cpuif_addr         ({addr[RegsAddrWidth-1:2], 2'b00}),
    .s_cpuif_wr_data      (wdata),
    .s_cpuif_wr_biten     ('1),
    .s_cpuif_req_stall_wr (unused_regs[0]),
    .s_cpuif_req_stall_rd (unused_regs[1]),
    .s_cpuif_rd_ack       (regs_rd_ack),
    .s_cpuif_rd_err       (unused_regs[2]),
    .s_cpuif_rd_data      (regs_rdata),
    .s_cpuif_wr_ack       (regs_wr_ack),
    .s_cpuif_wr_err       (unused_regs[3]),
    .hwif_in              (regs_in),
    .hwif_out             (regs_out)
  );

  // Weight port
  localparam int unsigned IndexWidth = NumWeights > 1 ? $clog2(NumWeights) : 1;
  error_cfg_t weight_cfg;
  logic [NumMems-1:0] restart;
  logic [IndexWidth-1:0] weight_index;
  count_t weight_count;
  logic weight_count_valid, weight_count_ready;
  logic weight_ack, weight_err, weight_busy, under_way;
  logic [31:0] weight_rdata;
  logic soft_reset;

  weight_port #(
    .WithErrors (WithErrors),
    .AddrWidth  (AddrWidth),
    .NumWeights (NumWeights),
    .Width      (Width[NumWeights-1:0]),
    .Depth      (Depth[NumWeights-1:0]),
    .Base       (Base),
    .Stride     (Stride)
  ) u_weight_port (
    .clk_i          (aclk),
    .rst_ni         (aresetn),
    .soft_reset_i   (soft_reset),
    .idle_i         (!under_way),
    .req_i          (req && !to_regs),
    .we_i           (we),
    .addr_i         (addr),
    .wdata_i        (wdata),
    .ack_o          (weight_ack),
    .err_o          (weight_err),
    .rdata_o        (weight_rdata),
    .busy_o         (weight_busy),
    .weight_en_o    (weight_en_o),
    .weight_req_o   (weight_req_o),
    .weight_rdata_i (weight_rdata_i),
    .index_o        (weight_index),
    .cfg_i          (weight_cfg),
    .restart_i      (restart[NumWeights-1:0]),
    .count_o        (weight_count),
    .count_valid_o  (weight_count_valid),
    .count_ready_i  (weight_count_ready)
  );

  assign ack   = regs_rd_ack || regs_wr_ack || weight_ack;
  assign err   = weight_ack && weight_err;
  assign rdata = weight_ack ? weight_rdata : regs_rdata;

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
    .clk_i          (aclk),
    .rst_ni         (aresetn),
    .idle_i         (!under_way),
    .req_i          (regs_out.memories.req),
    .we_i           (regs_out.memories.req_is_wr),
    .addr_i         (regs_out.memories.addr),
    .wdata_i        (regs_out.memories.wr_data),
    .rd_ack_o       (memories_rd_ack),
    .wr_ack_o       (memories_wr_ack),
    .rdata_o        (memories_rdata),
    .refused_o      (refused),
    .index_i        (weight_index),
    .weight_cfg_o   (weight_cfg),
    .buffer_cfg_o   (buffer_cfg_o),
    .restart_o      (restart),
    .counter_addr_o (counter_addr),
    .counter_data_i (counter_data)
  );

  assign buffer_restart_o = restart[NumMems-1:NumWeights];

  // Soft reset: the layers are held in reset for a while, the AXI-Lite side goes on.
  logic [$clog2(CoreResetCycles+1)-1:0] reset_left_q;
  assign soft_reset = regs_out.CONTROL.soft_reset.value;
  always_ff @(posedge aclk) begin
    if (!aresetn || soft_reset) begin
      reset_left_q <= ($clog2(CoreResetCycles + 1))'(CoreResetCycles - 1);
      core_rst_no  <= 1'b0;
    end else begin
      if (reset_left_q != '0) reset_left_q <= reset_left_q - 1'b1;
      core_rst_no <= reset_left_q == '0;
    end
  end

  // Counters
  logic counters_busy, clear, snapshot, frame_done;
  assign clear    = regs_out.CONTROL.clear.value || soft_reset;
  assign snapshot = regs_out.CONTROL.snapshot.value;

  if (WithErrors) begin : gen_counters
    counter_bank #(
      .NumWeights  (NumWeights),
      .NumBuffers  (NumBuffers),
      .BufferWidth (Width[NumMems-1:NumWeights])
    ) u_counter_bank (
      .clk_i          (aclk),
      .rst_ni         (aresetn),
      .weight_index_i (weight_index),
      .weight_count_i (weight_count),
      .weight_valid_i (weight_count_valid),
      .weight_ready_o (weight_count_ready),
      .buffer_count_i (buffer_count_i),
      .clear_i        (clear),
      .snapshot_i     (snapshot),
      .busy_o         (counters_busy),
      .read_addr_i    (counter_addr),
      .read_data_o    (counter_data)
    );
  end else begin : gen_no_counters
    assign counters_busy      = 1'b0;
    assign counter_data       = '0;
    assign weight_count_ready = 1'b1;
  end

  logic [31:0] frames_q, frames_shown_q;
  logic [63:0] cycles_q, cycles_shown_q, stalls_q, stalls_shown_q;
  logic stall_q;
  always_ff @(posedge aclk) begin
    stall_q <= buffer_stall_i != '0;
    if (!aresetn || clear) begin
      frames_q <= '0;
      cycles_q <= '0;
      stalls_q <= '0;
    end else begin
      frames_q <= frames_q + 32'(frame_done);
      cycles_q <= cycles_q + 64'(under_way);
      stalls_q <= stalls_q + 64'(stall_q);
    end
    if (!aresetn || clear) begin
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
    regs_in.STATUS.idle.next        = !under_way;
    regs_in.STATUS.busy.next        = counters_busy || !core_rst_no;
    regs_in.STATUS.refused.hwset    = refused;
    regs_in.STATUS.partial.hwset    = partial;
    regs_in.FRAMES_DONE.value.next  = frames_shown_q;
    {regs_in.CYCLES_HI.value.next, regs_in.CYCLES_LO.value.next} = cycles_shown_q;
    {regs_in.STALLS_HI.value.next, regs_in.STALLS_LO.value.next} = stalls_shown_q;
  end

  frame_io #(
    .InBeats (InBeats)
  ) u_frame_io (
    .clk_i                 (aclk),
    .rst_ni                (core_rst_no),
    .hold_i                (weight_busy && !under_way),
    .frames_per_transfer_i (regs_out.FRAMES_PER_TRANSFER.value.value),
    .transfer_restart_i    (regs_out.FRAMES_PER_TRANSFER.value.swmod),
    .under_way_o           (under_way),
    .frame_done_o          (frame_done),
    .s_axis_tdata,
    .s_axis_tvalid,
    .s_axis_tready,
    .in_data_o,
    .in_valid_o,
    .in_ready_i,
    .label_data_i,
    .label_valid_i,
    .label_ready_o,
    .m_axis_tdata,
    .m_axis_tkeep,
    .m_axis_tvalid,
    .m_axis_tready,
    .m_axis_tlast
  );

endmodule
