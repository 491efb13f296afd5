// Resets of the layers: after the reset of all and for a soft reset, in copies along a chain, so that none
// drives everything.
//
// Each copy is low for 16 cycles, one cycle later than the copy of the next number. So whatever takes
// another one's data is to have a copy of the same number or a higher one: it is ready before data can
// come, and its reset begins before the other one's ends. The ends of the stream close before the first
// copy falls and open after the last one has risen.
//
// Latency: the ends close in the cycle after the soft reset, and are open again NumResets + 17 later.

module core_reset #(
  // Copies of the reset, 1 to 8.
  parameter int unsigned NumResets = 1
) (
  // Clock, and reset of all (active low, synchronous).
  input  logic                 clk_i,
  input  logic                 rst_ni,

  // Pulse: reset the layers.
  input  logic                 soft_reset_i,

  // Resets of the layers, and of the ends of the stream, active low.
  output logic [NumResets-1:0] core_rst_no,
  output logic                 ends_rst_no
);

  localparam int unsigned Cycles = 16;

  if (NumResets < 1 || NumResets > Cycles / 2) begin : gen_bad_copies
    $error("core_reset: %0d copies of the reset, there are 1 to %0d", NumResets, Cycles / 2);
  end

  logic [$clog2(Cycles)-1:0] left_q;
  logic first_q;   // what goes into the chain
  always_ff @(posedge clk_i) begin
    if (!rst_ni || soft_reset_i) begin
      left_q      <= ($clog2(Cycles))'(Cycles - 1);
      first_q     <= 1'b0;
      ends_rst_no <= 1'b0;
    end else begin
      if (left_q != '0) left_q <= left_q - 1'b1;
      first_q     <= left_q == '0;
      ends_rst_no <= left_q == '0 && core_rst_no[0];
    end
    core_rst_no <= NumResets'({first_q, core_rst_no} >> 1);
  end

endmodule
