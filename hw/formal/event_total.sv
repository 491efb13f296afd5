// What event_total promises: the copy is the number of cycles with an event since the last clear, those of
// the cycles before the snapshot, as it was at the last snapshot: its lower half from the next cycle on, its
// upper half from the one after that. It holds until the next one, and is 0 after a clear.
//
// Assumed: the first cycle is a clear.

module event_total_formal #(
  // As of event_total.
  parameter int unsigned Half = 2
) (
  // Ports of event_total that others drive.
  input logic        clk_i,
  input logic        clear_i,
  input logic        event_i,
  input logic        snapshot_i
);

  logic [2*Half-1:0] shown_o;

  event_total #(.Half (Half)) dut (.*);

  // The count of the cycles before this one, which a clear makes 0, and its copies.
  logic        first_q = 1'b1;
  logic [2*Half-1:0] count_q, shown_q;
  logic [Half-1:0] high_q;      // of the last snapshot, if its upper half is still to come
  logic        comes_q;
  always_ff @(posedge clk_i) begin
    first_q <= 1'b0;
    if (first_q) assume (clear_i);
    comes_q <= snapshot_i && !clear_i;
    if (clear_i) begin
      count_q <= '0;
      shown_q <= '0;
    end else begin
      count_q <= count_q + (2*Half)'(event_i);
      if (snapshot_i) shown_q[Half-1:0]      <= count_q[Half-1:0];
      if (snapshot_i) high_q                 <= count_q[2*Half-1:Half];
      if (comes_q)    shown_q[2*Half-1:Half] <= high_q;
    end
    if (!first_q) begin
      assert (shown_o == shown_q);
      cover (shown_o == (2*Half)'(7) && event_i && snapshot_i);
      cover (shown_o == (2*Half)'(4) && clear_i && snapshot_i);
    end
  end

endmodule
