// Everything of an accelerator but its layers: AXI-Lite slave, control block, weight port, soft reset and
// the ends of the stream. The generated top puts the layers between its stream ports.
//
// Memories are numbered as in accel.json: weight memories first, then buffers. On the AXI-Lite side the
// control block is at address 0 and the weight windows are above it. Without `WithErrors`, for comparing
// areas, weights are written as they come, and the memories' error registers and counters read 0.

module accel_shell
  import spinflow_pkg::*;
#(
  // Bits of a byte address on the AXI-Lite side: all weight windows end below 2^AddrWidth.
  parameter int unsigned AddrWidth  = 20,
  // Numbers of weight memories and of buffers, at least one of each.
  parameter int unsigned NumWeights = 3,
  parameter int unsigned NumBuffers = 2,
  // What BUILD_ID reads.
  parameter logic [31:0] BuildId    = '0,
  // 32-bit input beats a frame.
  parameter int unsigned InBeats    = 196,
  // Whether memories can err.
  parameter bit          WithErrors = 1'b1,
  // Copies of the layers' reset, at most 8.
  parameter int unsigned NumResets  = 1,
  localparam int unsigned NumMems = NumWeights + NumBuffers,
  localparam int unsigned IndexWidth = NumWeights > 1 ? $clog2(NumWeights) : 1,
  // Of each memory: number of its weight layer, bits of a word, words, code words of a word (0: not coded).
  parameter logic [NumMems-1:0][31:0] Layer = '0,
  parameter logic [NumMems-1:0][31:0] Width = {NumMems{32'd1}},
  parameter logic [NumMems-1:0][31:0] Depth = {NumMems{32'd2}},
  parameter logic [NumMems-1:0][31:0] Codes = '0,
  // Of each weight memory: first byte address of its window, and bytes from word to word in it.
  parameter logic [NumWeights-1:0][31:0] Base   = '0,
  parameter logic [NumWeights-1:0][31:0] Stride = {(NumWeights > 0 ? NumWeights : 1){32'd4}}
) (
  input  logic                 aclk,      // clock
  input  logic                 aresetn,   // reset, active low, synchronous

  // AXI4-Lite slave for registers and weights. Protection bits are ignored. A write of less than a whole
  // word, and a weight access that is not allowed, are answered with SLVERR.
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

  // AXI stream of pixels: InBeats beats a frame, four pixels a beat, the first in the lowest byte. Not
  // ready while a weight is accessed between two frames.
  input  logic [31:0]          s_axis_tdata,
  input  logic                 s_axis_tvalid,
  output logic                 s_axis_tready,

  // AXI stream of labels: one beat a frame, the label in its lower half, TLAST on the last one of a
  // transfer.
  output logic [31:0]          m_axis_tdata,
  output logic [3:0]           m_axis_tkeep,
  output logic                 m_axis_tvalid,
  input  logic                 m_axis_tready,
  output logic                 m_axis_tlast,

  // Resets of the layers, active low: after `aresetn` and for a soft reset. What takes another one's data
  // is to have a copy of the same number or a higher one; see core_reset.
  output logic [NumResets-1:0] core_rst_no,

  // Stream of pixels to the first layer; data and valid hold until ready. Stream of labels from the last.
  output logic [31:0]          in_data_o,
  output logic                 in_valid_o,
  input  logic                 in_ready_i,
  input  logic [15:0]          label_data_i,
  input  logic                 label_valid_i,
  output logic                 label_ready_o,

  // Access to a column of a weight memory, one enable a memory, and the memories' answers; see weight_mem.
  output logic [NumWeights-1:0]       weight_en_o,
  output weight_req_t                 weight_req_o,
  input  logic [NumWeights-1:0][31:0] weight_rdata_i,

  // Buffers: how their writes err (error_mode_e); a pulse that restarts their random streams; their counts;
  // whether they wait for draws. And what the decoders of all memories count.
  output logic [NumBuffers-1:0][1:0]  buffer_mode_o,
  output logic [NumBuffers-1:0]       buffer_restart_o,
  input  count_t [NumBuffers-1:0]     buffer_count_i,
  input  logic [NumBuffers-1:0]       buffer_stall_i,
  input  count_t [NumMems-1:0]        code_count_i,

  // Draw engines: what is written to rates and seeds; the weight memory's request, its grant and the answer.
  output cfg_write_t                  cfg_write_o,
  output logic [IndexWidth-1:0]       weight_index_o,
  output draw_request_t               weight_request_o,
  input  logic                        weight_grant_i,
  input  draw_answer_t                weight_answer_i,
  input  logic                        weight_valid_i
);

  if (NumWeights < 1 || NumBuffers < 1) begin : gen_no_memories
    $error("accel_shell: %0d weight memories and %0d buffers, at least one of each is needed",
           NumWeights, NumBuffers);
  end

  localparam int unsigned RegsAddrWidth = spinflow_regs_pkg::SPINFLOW_REGS_MIN_ADDR_WIDTH;
  localparam logic [31:0] RegsSize = spinflow_regs_pkg::SPINFLOW_REGS_SIZE;

  // AXI-Lite side
  logic req, we, ack, err, to_regs, partial;
  logic [AddrWidth-1:0] addr;
  logic [31:0] wdata, rdata;

  axil_slave #(.AddrWidth (AddrWidth)) u_axil_slave (
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

  wire unused_prot = ^{s_axi_awprot, s_axi_arprot};

  // Registers
  localparam int unsigned OpenWidth = 16;   // bits of the number of frames under way
  logic regs_req_q, weight_req_q, regs_ack, under_way, first_beat, frame_done;
  logic soft_reset, transfer_restart, ends_rst_n;
  logic [OpenWidth-1:0] open;
  logic [31:0] regs_rdata, frames_per_transfer;
  logic [NumMems-1:0] restart;
  logic [1:0] weight_mode;
  count_t weight_count;
  logic weight_count_valid, weight_count_ready;

  assign to_regs = 32'(addr) < RegsSize;
  always_ff @(posedge aclk) begin
    regs_req_q   <= aresetn && req && to_regs;
    weight_req_q <= aresetn && req && !to_regs;
  end

  control_block #(
    .WithErrors (WithErrors),
    .NumWeights (NumWeights),
    .NumBuffers (NumBuffers),
    .BuildId    (BuildId),
    .OpenWidth  (OpenWidth),
    .Layer      (Layer),
    .Width      (Width),
    .Depth      (Depth),
    .Codes      (Codes)
  ) u_control_block (
    .clk_i                 (aclk),
    .rst_ni                (aresetn),
    .req_i                 (regs_req_q),
    .we_i                  (we),
    .addr_i                ({addr[RegsAddrWidth-1:2], 2'b00}),
    .wdata_i               (wdata),
    .ack_o                 (regs_ack),
    .rdata_o               (regs_rdata),
    .under_way_i           (under_way),
    .core_rst_ni           (ends_rst_n),
    .partial_i             (partial),
    .first_beat_i          (first_beat),
    .frame_done_i          (frame_done),
    .open_i                (open),
    .buffer_stall_i,
    .soft_reset_o          (soft_reset),
    .frames_per_transfer_o (frames_per_transfer),
    .transfer_restart_o    (transfer_restart),
    .weight_index_i        (weight_index_o),
    .weight_mode_o         (weight_mode),
    .buffer_mode_o,
    .restart_o             (restart),
    .cfg_write_o,
    .weight_count_i        (weight_count),
    .weight_count_valid_i  (weight_count_valid),
    .weight_count_ready_o  (weight_count_ready),
    .buffer_count_i,
    .code_count_i
  );

  assign buffer_restart_o = restart[NumMems-1:NumWeights];

  // Weights
  logic weight_ack, weight_err, weight_busy, hold_q;
  logic [31:0] weight_rdata;

  // New frames wait while weights are accessed, which are accessed only while new frames wait.
  always_ff @(posedge aclk) begin
    hold_q <= aresetn && (weight_req_q || weight_busy) && !under_way && !in_valid_o;
  end

  weight_port #(
    .WithErrors (WithErrors),
    .AddrWidth  (AddrWidth),
    .NumWeights (NumWeights),
    .Width      (Width[NumWeights-1:0]),
    .Depth      (Depth[NumWeights-1:0]),
    .Base       (Base),
    .Stride     (Stride)
  ) u_weight_port (
    .clk_i         (aclk),
    .rst_ni        (aresetn),
    .soft_reset_i  (soft_reset),
    .idle_i        (hold_q),
    .req_i         (weight_req_q),
    .we_i          (we),
    .addr_i        (addr),
    .wdata_i       (wdata),
    .ack_o         (weight_ack),
    .err_o         (weight_err),
    .rdata_o       (weight_rdata),
    .busy_o        (weight_busy),
    .weight_en_o,
    .weight_req_o,
    .weight_rdata_i,
    .index_o       (weight_index_o),
    .mode_i        (weight_mode),
    .restart_i     (restart[NumWeights-1:0]),
    .request_o     (weight_request_o),
    .grant_i       (weight_grant_i),
    .answer_i      (weight_answer_i),
    .answer_valid_i (weight_valid_i),
    .count_o       (weight_count),
    .count_valid_o (weight_count_valid),
    .count_ready_i (weight_count_ready)
  );

  assign ack = regs_ack || weight_ack;
  assign {err, rdata} = weight_ack ? {weight_err, weight_rdata} : {1'b0, regs_rdata};

  // Resets of the layers
  core_reset #(.NumResets (NumResets)) u_core_reset (
    .clk_i        (aclk),
    .rst_ni       (aresetn),
    .soft_reset_i (soft_reset),
    .core_rst_no,
    .ends_rst_no  (ends_rst_n)
  );

  // Ends of the stream
  frame_io #(
    .InBeats   (InBeats),
    .OpenWidth (OpenWidth)
  ) u_frame_io (
    .clk_i                 (aclk),
    .rst_ni                (ends_rst_n),
    .hold_i                (hold_q),
    .frames_per_transfer_i (frames_per_transfer),
    .transfer_restart_i    (transfer_restart),
    .under_way_o           (under_way),
    .first_beat_o          (first_beat),
    .frame_done_o          (frame_done),
    .open_o                (open),
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
