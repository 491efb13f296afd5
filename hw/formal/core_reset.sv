// What core_reset promises, from the last cycle of any reset on, that of all or a soft one: the ends of the
// stream are closed from the next cycle on, and open again NumResets + Cycles + 1 later. Each copy of the
// reset is low for Cycles cycles, that of the highest number from the second cycle on, each other one from
// a cycle after the copy of the next number. So no copy falls before the ends are closed, and none is low
// when they open.
//
// Assumed: nothing; a soft reset comes at any time, for as long as it likes.

module core_reset_formal #(
  // As of core_reset.
  parameter int unsigned NumResets = 3,
  // For how many cycles each copy is low.
  parameter int unsigned Cycles = 16
) (
  // Ports of core_reset that others drive.
  input logic clk_i,
  input logic rst_ni,
  input logic soft_reset_i
);

  localparam int unsigned Most = Cycles + NumResets + 3;

  logic [NumResets-1:0] core_rst_no;
  logic                 ends_rst_no;

  core_reset #(.NumResets (NumResets)) dut (.*);
  begins_in_reset u_begins (.clk_i, .rst_ni);

  // Cycles since the last one of a reset.
  logic [$clog2(Most+1)-1:0] ago_q = '0;
  // As they were in the cycle before; and whether all have been open since the reset of all.
  logic [NumResets-1:0] before_q;
  logic ends_before_q, reset;
  logic opened_q = 1'b0;
  assign reset = !rst_ni || soft_reset_i;

  always_ff @(posedge clk_i) begin
    before_q      <= core_rst_no;
    ends_before_q <= ends_rst_no;
    if (ends_rst_no && ago_q != '0) opened_q <= 1'b1;
    if (reset) ago_q <= ($bits(ago_q))'(1);
    else if (ago_q != '0 && 32'(ago_q) < Most) ago_q <= ago_q + 1'b1;

    if (ago_q != '0) begin
      assert (ends_rst_no == (32'(ago_q) >= NumResets + Cycles + 2));
      for (int unsigned n = 0; n < NumResets; n++) begin
        // Number of cycles from the reset to the copy's fall, and to its rise.
        automatic int unsigned fall = 1 + NumResets - n;
        if (32'(ago_q) >= fall && 32'(ago_q) < fall + Cycles) assert (!core_rst_no[n]);
        if (32'(ago_q) >= fall + Cycles) assert (core_rst_no[n]);
        // None falls but after the ends have closed.
        if (opened_q && before_q[n] && !core_rst_no[n]) assert (!ends_rst_no && !ends_before_q);
      end
      if (ends_rst_no) assert (core_rst_no == '1);
      cover (ends_rst_no && soft_reset_i);
      cover (ends_rst_no && !ends_before_q && before_q[0]);
    end
  end

endmodule
