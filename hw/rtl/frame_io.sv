// The accelerator's ends: counts frames in and out, so that idle is known, and makes one 32-bit word of
// each label, with TLAST on every `frames_per_transfer_i`-th.
//
// A frame is under way from its first input beat, be it only offered to the layers, until its label has
// left. New input waits while `hold_i` is high, which may rise only while no frame is under way, so no
// offered beat is ever taken back. A label that waits keeps its TLAST when a transfer is restarted; it
// belongs to the transfer before. Only a reset of the layers withdraws a label that waits.
//
// Both paths are combinational: no latency. Outside of the paths themselves all comes from registers;
// `frame_done_o` and `first_beat_o` tell of the cycle before.

module frame_io #(
  // Input beats of a frame.
  parameter int unsigned InBeats = 196,
  // Bits of the number of frames that are under way at once. Each of them has a word of its own
  // somewhere between the ends.
  parameter int unsigned OpenWidth = 16
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

  // A frame is under way; and pulses, a cycle late: a frame's first beat was taken, a label has left. How
  // many frames were open before that.
  output logic                 under_way_o,
  output logic                 first_beat_o,
  output logic                 frame_done_o,
  output logic [OpenWidth-1:0] open_o,

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
  logic first_q;               // the next beat is a frame's first
  logic [OpenWidth-1:0] open_q;
  logic [31:0] number_q;       // of the next label in its transfer, from 1
  logic take, first_beat, done, last_of_transfer, open_gate;
  logic waits_q, last_q;       // a label waits for its receiver, with this TLAST
  logic restarted_q;           // a transfer, while that label waited

  assign open_gate     = rst_ni && !hold_i;
  assign in_data_o     = s_axis_tdata;
  assign in_valid_o    = s_axis_tvalid && open_gate;
  assign s_axis_tready = in_ready_i && open_gate;
  assign take          = in_valid_o && in_ready_i;
  assign first_beat    = take && first_q;

  assign m_axis_tdata  = {16'd0, label_data_i};
  assign m_axis_tkeep  = 4'hF;
  assign m_axis_tvalid = label_valid_i && rst_ni;
  assign label_ready_o = m_axis_tready && rst_ni;
  assign done          = m_axis_tvalid && m_axis_tready;

  assign m_axis_tlast     = waits_q ? last_q : last_of_transfer;
  assign last_of_transfer = number_q == frames_per_transfer_i;

  always_ff @(posedge clk_i) begin
    if (!rst_ni) begin
      beat_q       <= '0;
      first_q      <= 1'b1;
      open_q       <= '0;
      under_way_o  <= 1'b0;
      number_q     <= 32'd1;
      waits_q      <= 1'b0;
      restarted_q  <= 1'b0;
      first_beat_o <= 1'b0;
      frame_done_o <= 1'b0;
    end else begin
      if (take) begin
        beat_q  <= beat_q == BeatWidth'(InBeats - 1) ? '0 : beat_q + 1'b1;
        first_q <= beat_q == BeatWidth'(InBeats - 1);
      end
      // Written so that whether a beat is taken, which is known late, only chooses.
      if (first_beat != done) open_q <= done ? open_q - 1'b1 : open_q + 1'b1;
      // A frame whose beat is offered is open, or will be, since the beat stays until it is taken.
      if (in_valid_o) under_way_o <= 1'b1;
      else if (done)  under_way_o <= open_q != OpenWidth'(1);
      waits_q      <= m_axis_tvalid && !m_axis_tready;
      restarted_q  <= (transfer_restart_i || restarted_q) && m_axis_tvalid && !m_axis_tready;
      if (transfer_restart_i || restarted_q || (done && last_of_transfer)) number_q <= 32'd1;
      else if (done) number_q <= number_q + 1;
      first_beat_o <= first_beat;
      frame_done_o <= done;
    end
    last_q <= m_axis_tlast;
    open_o <= open_q;
  end

  // verilog_lint: waive-start line-length
  assert property (@(posedge clk_i) disable iff (!rst_ni) !(first_beat && !done && (&open_q)))
    else $error("frame_io: more frames under way than can be counted");
  assert property (@(posedge clk_i) disable iff (!rst_ni) !(done && open_q == '0))
    else $error("frame_io: a label of no frame");
  // verilog_lint: waive-stop line-length

endmodule
