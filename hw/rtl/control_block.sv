// The control block: all registers of an accelerator, and the totals that they show. The generated
// register block (spinflow_regs) holds the global registers and hands those of the memories on to
// memory_regs; counter_bank adds up what the memories count. Frames, cycles and stalls are counted here.
//
// A snapshot copies all totals to what is read, a clear zeroes them; a soft reset clears, too. Times of
// frames are read as they stand. What decoders count is copied to the same place by another command.
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
  // Bits of the number of frames under way.
  parameter int unsigned OpenWidth = 16,
  // What the memories' constant registers read: number of the layer, bits of a word, words.
  parameter logic [NumMems-1:0][31:0] Layer = '0,
  parameter logic [NumMems-1:0][31:0] Width = {NumMems{32'd1}},
  parameter logic [NumMems-1:0][31:0] Depth = {NumMems{32'd2}},
  // Of each memory: code words of a word, 0 where words are not coded.
  parameter logic [NumMems-1:0][31:0] Codes = '0
) (
  // Clock, and reset (active low): all registers take their reset values, all totals become 0.
  input  logic                        clk_i,
  input  logic                        rst_ni,

  // Access from the AXI-Lite slave: `req_i` is high for a cycle, the others hold from the cycle before to
  // `ack_o`. Read data are valid with the acknowledge.
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
  input  logic                        first_beat_i,            // pulse: a frame's first beat is in
  input  logic                        frame_done_i,            // pulse: a label has left
  input  logic [OpenWidth-1:0]        open_i,                  // frames under way before these
  input  logic [NumBuffers-1:0]       buffer_stall_i,          // one bit each: waits for draws

  // What the host asks for.
  output logic                        soft_reset_o,            // pulse: reset the layers
  output logic [31:0]                 frames_per_transfer_o,   // labels from one TLAST to the next
  output logic                        transfer_restart_o,      // pulse: that was written

  // The mode of the weight memory of this number, in the same cycle, and those of all buffers; and a pulse
  // for each memory whose configuration was written, which restarts its random stream.
  input  logic [IndexWidth-1:0]       weight_index_i,
  output logic [1:0]                  weight_mode_o,
  output logic [NumBuffers-1:0][1:0]  buffer_mode_o,
  output logic [NumMems-1:0]          restart_o,

  // What is written to rates and seeds; see memory_regs.
  output cfg_write_t                  cfg_write_o,

  // What a write to that weight memory counted: taken with valid and ready, held until ready again.
  input  count_t                      weight_count_i,
  input  logic                        weight_count_valid_i,
  output logic                        weight_count_ready_o,

  // What the buffers count in this cycle; 0 if nothing is written.
  input  count_t [NumBuffers-1:0]     buffer_count_i,

  // What the memories' decoders count in this cycle; see coded_weights.
  input  count_t [NumMems-1:0]        code_count_i
);

  localparam int unsigned CounterAddrWidth = $clog2(8 * NumMems);

  // Register block
  spinflow_regs_pkg::spinflow_regs__in_t  regs_in;
  spinflow_regs_pkg::spinflow_regs__out_t regs_out;
  logic rd_ack, wr_ack;
  logic [3:0] unused_regs;

  // The registers that are not of memories lie below 128: whether an address is above is known before
  // its request, so that decoding is short, and begins at registers that nothing else reads.
  logic beyond_q, memories_q;
  logic [6:0] lower_q;
  always_ff @(posedge clk_i) begin
    memories_q <= addr_i[AddrWidth-1];
    beyond_q   <= addr_i[AddrWidth-2:7] != '0;
    lower_q    <= addr_i[6:0];
  end

  spinflow_regs u_regs (
    .clk                  (clk_i),
    .rst_n                (rst_ni),
    .s_cpuif_req          (req_i),
    .s_cpuif_req_is_wr    (we_i),
    .s_cpuif_addr         ({memories_q, {AddrWidth-8{beyond_q}}, lower_q}),
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
  always_ff @(posedge clk_i) begin
    frames_per_transfer_o <= regs_out.FRAMES_PER_TRANSFER.value.value;
    transfer_restart_o    <= rst_ni && regs_out.FRAMES_PER_TRANSFER.value.swmod;
  end

  // Registers of the memories
  logic refused, memories_rd_ack, memories_wr_ack;
  logic [31:0] memories_rdata;
  typedef struct packed {
    logic                        valid;
    logic [CounterAddrWidth-1:0] addr;
    logic [31:0]                 data;
  } show_t;
  show_t shown, show;
  logic [NumMems-1:0][1:0] mode;
  assign buffer_mode_o = mode[NumMems-1:NumWeights];
  always_comb begin
    weight_mode_o = ModeOff;
    for (int unsigned m = 0; m < NumWeights; m++) begin
      if (32'(weight_index_i) == m) weight_mode_o = mode[m];
    end
  end

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
    .addr_i         (addr_i[11:0]),
    .wdata_i        (regs_out.memories.wr_data),
    .rd_ack_o       (memories_rd_ack),
    .wr_ack_o       (memories_wr_ack),
    .rdata_o        (memories_rdata),
    .refused_o      (refused),
    .mode_o         (mode),
    .restart_o,
    .cfg_write_o,
    .show_valid_i   (show.valid),
    .show_addr_i    (show.addr),
    .show_data_i    (show.data)
  );

  // Totals of the memories. Nothing counts while the layers are in reset.
  logic counters_busy, codes_busy, clear_q, snapshot_q, code_snapshot_q, held;
  assign held = !core_rst_ni;
  always_ff @(posedge clk_i) begin
    clear_q    <= !rst_ni || regs_out.CONTROL.clear.value || soft_reset_o;
    snapshot_q <= rst_ni && regs_out.CONTROL.snapshot.value;
    code_snapshot_q <= rst_ni && regs_out.CONTROL.snapshot_code.value;
  end

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
      .hold_i         (held),
      .clear_i        (clear_q),
      .snapshot_i     (snapshot_q),
      .busy_o         (counters_busy),
      .show_valid_o   (shown.valid),
      .show_addr_o    (shown.addr),
      .show_data_o    (shown.data)
    );
  end else begin : gen_no_counters
    assign counters_busy        = 1'b0;
    assign shown                = '0;
    assign weight_count_ready_o = 1'b1;
  end

  code_counters #(
    .Enable  (WithErrors),
    .NumMems (NumMems),
    .Codes   (Codes)
  ) u_code_counters (
    .clk_i,
    .rst_ni,
    .code_count_i,
    .hold_i       (held),
    .clear_i      (clear_q),
    .snapshot_i   (code_snapshot_q),
    .busy_o       (codes_busy),
    .show_valid_i (shown.valid),
    .show_addr_i  (shown.addr),
    .show_data_i  (shown.data),
    .show_valid_o (show.valid),
    .show_addr_o  (show.addr),
    .show_data_o  (show.data)
  );

  // Totals of the accelerator
  logic [63:0] frames_shown, cycles_shown, stalls_shown;
  logic stall_q, clear;
  assign clear = clear_q || held;
  always_ff @(posedge clk_i) stall_q <= buffer_stall_i != '0;
  event_total u_frames (
    .clk_i,
    .clear_i    (clear),
    .event_i    (frame_done_i),
    .snapshot_i (snapshot_q),
    .shown_o    (frames_shown)
  );
  event_total u_cycles (
    .clk_i,
    .clear_i    (clear),
    .event_i    (under_way_i),
    .snapshot_i (snapshot_q),
    .shown_o    (cycles_shown)
  );
  event_total u_stalls (
    .clk_i,
    .clear_i    (clear),
    .event_i    (stall_q),
    .snapshot_i (snapshot_q),
    .shown_o    (stalls_shown)
  );
  logic unused_frames;
  assign unused_frames = ^frames_shown[63:32];

  // Times of frames
  localparam int unsigned TimeWidth = $bits(regs_in.LATENCY.value.next);
  logic [TimeWidth-1:0] latency, latency_min, latency_max, distance_min, distance_max;
  frame_times #(
    .Width     (TimeWidth),
    .OpenWidth (OpenWidth)
  ) u_frame_times (
    .clk_i,
    .clear_i        (clear),
    .first_i        (first_beat_i),
    .done_i         (frame_done_i),
    .open_i,
    .latency_last_o (latency),
    .latency_min_o  (latency_min),
    .latency_max_o  (latency_max),
    .distance_min_o (distance_min),
    .distance_max_o (distance_max)
  );

  always_comb begin
    regs_in.memories.rd_ack         = memories_rd_ack;
    regs_in.memories.wr_ack         = memories_wr_ack;
    regs_in.memories.rd_data        = memories_rdata;
    regs_in.BUILD_ID.value.next     = BuildId;
    regs_in.NUM_MEMORIES.value.next = 8'(NumMems);
    // A weight access keeps the bus until it is done: whoever reads STATUS sees none.
    regs_in.STATUS.idle.next        = !under_way_i;
    regs_in.STATUS.busy.next        = counters_busy || codes_busy || clear_q || snapshot_q ||
                                      code_snapshot_q || held;
    regs_in.STATUS.refused.hwset    = refused;
    regs_in.STATUS.partial.hwset    = partial_i;
    regs_in.FRAMES_DONE.value.next  = frames_shown[31:0];
    {regs_in.CYCLES_HI.value.next, regs_in.CYCLES_LO.value.next} = cycles_shown;
    {regs_in.STALLS_HI.value.next, regs_in.STALLS_LO.value.next} = stalls_shown;
    regs_in.LATENCY.value.next      = latency;
    regs_in.LATENCY_MIN.value.next  = latency_min;
    regs_in.LATENCY_MAX.value.next  = latency_max;
    regs_in.DISTANCE_MIN.value.next = distance_min;
    regs_in.DISTANCE_MAX.value.next = distance_max;
  end

endmodule
