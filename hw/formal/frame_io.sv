// What frame_io promises.
//  - Nothing is lost, doubled or changed on either path: a beat is taken from outside when the layers take
//    it, a label leaves when the receiver takes it, in the same cycle. No beat passes while held. A beat
//    offered to the layers and a label offered to the receiver stay, TLAST included.
//  - TLAST is high with every frames_per_transfer_i-th label, counted from the last restart of a transfer
//    on; a label that waits at a restart still belongs to the transfer before.
//  - `under_way_o` is high from the cycle after a frame's first beat is offered until its label has left.
//    `first_beat_o` and `frame_done_o` tell of the cycle before, and `open_o` how many frames were
//    open then.
//
// Assumed: beats and labels stay until they are taken; a label comes only for a frame that has come in
// whole, and at most Most frames are open; a hold rises only while no frame is under way; the number of
// frames of a transfer, from 1 to 3, changes only in the cycle after a restart.

module frame_io_formal #(
  // As of frame_io.
  parameter int unsigned InBeats   = 2,
  parameter int unsigned OpenWidth = 2,
  // Most frames that are open at once.
  parameter int unsigned Most      = 3
) (
  // Ports of frame_io that others drive.
  input logic        clk_i,
  input logic        rst_ni,
  input logic        hold_i,
  input logic [31:0] frames_per_transfer_i,
  input logic        transfer_restart_i,
  input logic [31:0] s_axis_tdata,
  input logic        s_axis_tvalid,
  input logic        in_ready_i,
  input logic [15:0] label_data_i,
  input logic        label_valid_i,
  input logic        m_axis_tready
);

  logic                 under_way_o, first_beat_o, frame_done_o, s_axis_tready, in_valid_o;
  logic                 label_ready_o, m_axis_tvalid, m_axis_tlast;
  logic [OpenWidth-1:0] open_o;
  logic [31:0]          in_data_o, m_axis_tdata;
  logic [3:0]           m_axis_tkeep;

  frame_io #(.InBeats (InBeats), .OpenWidth (OpenWidth)) dut (.*);
  begins_in_reset u_begins (.clk_i, .rst_ni);
  stream_rule #(.Width (32), .Assumed (1'b1)) u_s (
    .clk_i, .rst_ni, .data_i (s_axis_tdata), .valid_i (s_axis_tvalid), .ready_i (s_axis_tready)
  );
  stream_rule #(.Width (16), .Assumed (1'b1)) u_label (
    .clk_i, .rst_ni, .data_i (label_data_i), .valid_i (label_valid_i), .ready_i (label_ready_o)
  );
  stream_rule #(.Width (32)) u_in (
    .clk_i, .rst_ni, .data_i (in_data_o), .valid_i (in_valid_o), .ready_i (in_ready_i)
  );
  stream_rule #(.Width (37)) u_m (
    .clk_i, .rst_ni, .data_i ({m_axis_tlast, m_axis_tkeep, m_axis_tdata}), .valid_i (m_axis_tvalid),
    .ready_i (m_axis_tready)
  );

  logic take, done;
  assign take = s_axis_tvalid && s_axis_tready;
  assign done = m_axis_tvalid && m_axis_tready;

  // Beats of the frame that comes in, frames open and those of them that have come whole, as of the cycle
  // before; a beat was offered and not taken.
  logic [$clog2(InBeats+1)-1:0] beat_q;
  logic [$clog2(Most+2)-1:0]    open_q, whole_q, open_before_q;
  logic first, last, offered_q, first_q, done_q, hold_q;
  assign first = beat_q == '0;
  assign last  = 32'(beat_q) == InBeats - 1;

  // Number in its transfer of the next label that is offered.
  logic [1:0]  number_q;
  logic        waits_q, last_q, restart_q, tlast;
  logic [31:0] frames_q;
  assign tlast = waits_q ? last_q : 32'(number_q) == frames_per_transfer_i;

  always_ff @(posedge clk_i) begin
    hold_q    <= hold_i;
    frames_q  <= frames_per_transfer_i;
    restart_q <= transfer_restart_i;
    assume (frames_per_transfer_i >= 1 && frames_per_transfer_i <= 3);
    if (!rst_ni) begin
      beat_q    <= '0;
      open_q    <= '0;
      whole_q   <= '0;
      offered_q <= 1'b0;
      first_q   <= 1'b0;
      done_q    <= 1'b0;
      number_q  <= 2'd1;
      waits_q   <= 1'b0;
    end else begin
      assume (!hold_i || hold_q || !under_way_o);
      assume (!label_valid_i || whole_q != '0);
      assume (!in_ready_i || !first || 32'(open_q) < Most);
      assume (frames_per_transfer_i == frames_q || restart_q);

      if (take) beat_q <= last ? '0 : beat_q + 1'b1;
      open_q    <= open_q + ($bits(open_q))'(take && first) - ($bits(open_q))'(done);
      whole_q   <= whole_q + ($bits(open_q))'(take && last) - ($bits(open_q))'(done);
      offered_q <= in_valid_o && !in_ready_i;
      first_q   <= take && first;
      done_q    <= done;
      waits_q   <= m_axis_tvalid && !m_axis_tready;
      if (transfer_restart_i)             number_q <= 2'd1;
      else if (m_axis_tvalid && !waits_q) number_q <= tlast ? 2'd1 : number_q + 1'b1;

      assert (take == (in_valid_o && in_ready_i));
      assert (in_data_o == s_axis_tdata);
      assert (!hold_i || (!in_valid_o && !s_axis_tready));
      assert (hold_i || in_valid_o == s_axis_tvalid);
      assert (done == (label_valid_i && label_ready_o));
      assert (m_axis_tvalid == label_valid_i && m_axis_tdata == 32'(label_data_i));
      assert (m_axis_tkeep == 4'hF);
      if (m_axis_tvalid) assert (m_axis_tlast == tlast);
      assert (under_way_o == (open_q != '0 || offered_q));
      assert (first_beat_o == first_q && frame_done_o == done_q);
      if (first_q || done_q) assert (32'(open_o) == 32'(open_before_q));

      cover (done && m_axis_tlast && frames_per_transfer_i == 2 && take && first);
      cover (waits_q && number_q != 2'd1 && transfer_restart_i && open_q != '0);
      cover (hold_i && s_axis_tvalid);
    end
    open_before_q <= rst_ni ? open_q : '0;
    last_q        <= tlast;
  end

endmodule
