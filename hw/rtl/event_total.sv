// A 64-bit count of cycles in which something is the case, with a copy for whoever reads it.
//
// The lower half's carry reaches the upper half a cycle late, and so does a snapshot, so no path is longer
// than half a count and the copy is still the count of one cycle.
//
// Latency: the copy's lower half is there a cycle after the snapshot, its upper half another one later.

module event_total #(
  // Bits of half of the count.
  parameter int unsigned Half = 32
) (
  // Clock, and a clear of the count and of the copy, for a reset too.
  input  logic              clk_i,
  input  logic              clear_i,

  // What is counted, in each cycle in which it is high.
  input  logic              event_i,

  // Copies the count, of the cycles before this one; and the copy.
  input  logic              snapshot_i,
  output logic [2*Half-1:0] shown_o
);

  logic [Half-1:0] low_q, high_q;
  logic carry_q, snapshot_q;

  always_ff @(posedge clk_i) begin
    if (clear_i) begin
      low_q      <= '0;
      high_q     <= '0;
      carry_q    <= 1'b0;
      snapshot_q <= 1'b0;
      shown_o    <= '0;
    end else begin
      {carry_q, low_q} <= (Half+1)'(low_q) + (Half+1)'(event_i);
      high_q           <= high_q + Half'(carry_q);
      snapshot_q       <= snapshot_i;
      if (snapshot_i) shown_o[Half-1:0]      <= low_q;
      if (snapshot_q) shown_o[2*Half-1:Half] <= high_q;
    end
  end

endmodule
