// The accelerator's ends: counts frames in and out, so that idle is known, and makes one 32-bit word of
// each label, with TLAST on every `frames_per_transfer_i`-th.
//
// A frame is under way from its first input beat, be it only offered to the layers, until its label has
// left. New input waits while `hold_i` is high, which may rise only while no frame is under way, so no
// offered beat is ever taken back. A label that waits keeps its TLAST when a transfer is restarted; it
// belongs to the transfer before. Only a reset of the layers withdraws a label that waits.
//
// Both paths are combinational: no latency.

module frame_io #(
  // Input beats of a frame.
  parameter int unsigned InBeats = 196
) (
  // Clock, and the reset of the layers (active low): no frame is under way, the next is the first of a
  // transfer.
  input  logic        clk_i,
  input  logic        rst_ni,

  // New input waits while this is high.
  input  logic        hold_i,

  // Labels from one TLAST to the next, and a pulse after which the next label is the first of a transfer.
  input  logic [31:0] frames_per_transfer_i,
  input  logic        transfer_restart_i,

  // A frame is under way; and a pulse when a label has left.
  output logic        under_way_o,
  output logic        frame_done_o,

  // Pixels from outside, not ready while held or in reset; and on to the first layer.
  input  logic [31:0] s_axis_tdata,
  input  logic        s_axis_tvalid,
  output logic        s_axis_tready,
  output logic [31:0] in_data_o,
  output logic        in_valid_o,
  input  logic        in_ready_i,

  // Labels from the last layer; and on to the outside, a label in the lower half of a word.
  input  logic [15:0] label_data_i,
  input  logic        label_valid_i,
  output logic        label_ready_o,
  output logic [31:0] m_axis_tdata,
  output logic [3:0]  m_axis_tkeep,    // always all ones
  output logic        m_axis_tvalid,
  input  logic        m_axis_tready,
  output logic        m_axis_tlast     // last label of a transfer
);

  localparam int unsigned BeatWidth = InBeats > 1 ? $clog2(InBeats) : 1;

  logic [BeatWidth-1:0] beat_q;
  logic [31:0] open_q, frame_q;
  logic take, first_beat, last_of_transfer, open_gate;
  logic offered_q;             // to the layers, which were not ready
  logic waits_q, last_q;       // a label waits for its receiver, with this TLAST
  logic restarted_q;           // a transfer, while that label waited

  assign open_gate     = rst_ni && !hold_i;
  assign in_data_o     = s_axis_tdata;
  assign in_valid_o    = s_axis_tvalid && open_gate;
  assign s_axis_tready = in_ready_i && open_gate;
  assign take          = in_valid_o && in_ready_i;
  assign first_beat    = take && beat_q == '0;

  assign m_axis_tdata  = {16'd0, label_data_i};
  assign m_axis_tkeep  = 4'hF;
  assign m_axis_tvalid = label_valid_i && rst_ni;
  assign label_ready_o = m_axis_tready && rst_ni;
  assign m_axis_tlast  = waits_q ? last_q : last_of_transfer;
  assign frame_done_o  = m_axis_tvalid && m_axis_tready;
  assign last_of_transfer = frame_q + 1 == frames_per_transfer_i;

  assign under_way_o = (open_q != '0 || offered_q) && rst_ni;

  always_ff @(posedge clk_i) begin
    if (!rst_ni) begin
      beat_q      <= '0;
      open_q      <= '0;
      frame_q     <= '0;
      offered_q   <= 1'b0;
      waits_q     <= 1'b0;
      restarted_q <= 1'b0;
    end else begin
      offered_q   <= in_valid_o && !in_ready_i;
      waits_q     <= m_axis_tvalid && !m_axis_tready;
      restarted_q <= (transfer_restart_i || restarted_q) && m_axis_tvalid && !m_axis_tready;
      if (take) beat_q <= beat_q == BeatWidth'(InBeats - 1) ? '0 : beat_q + 1'b1;
      open_q <= open_q + 32'(first_beat) - 32'(frame_done_o);
      if (transfer_restart_i || restarted_q) frame_q <= '0;
      else if (frame_done_o) frame_q <= last_of_transfer ? '0 : frame_q + 1;
    end
    last_q <= m_axis_tlast;
  end

endmodule
