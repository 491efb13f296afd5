// What threshold_rom promises: with the start of an output added, the highest bit of an accumulator says
// whether a sum reaches that output's threshold, whatever the sum is, as long as the accumulator holds
// what it is above or below the threshold by. The outputs are those of row 0 after a reset, of the next row
// from the cycle after `next_i` on, and of row 0 again after the last.
//
// Assumed: `next_i` is low in the first two cycles after a reset; until then a long ROM may show anything.

module threshold_rom_formal #(
  // As of threshold_rom.
  parameter int unsigned Mh      = 6,
  parameter int unsigned Pe      = 2,
  parameter int unsigned ThrBits = 3,
  parameter int unsigned AccBits = 4,
  parameter bit          Signed  = 1'b0,
  parameter logic [Mh*ThrBits-1:0] Thresholds = '0,
  // Whether rows are there at once.
  parameter bit          Short   = 1'b1
) (
  // Ports of threshold_rom that others drive.
  input logic               clk_i,
  input logic               rst_ni,
  input logic               next_i,

  // Free: a sum.
  input logic [AccBits-1:0] sum_i
);

  logic [Pe-1:0][AccBits-1:0] start_o;

  threshold_rom #(
    .Mh (Mh), .Pe (Pe), .ThrBits (ThrBits), .AccBits (AccBits), .Signed (Signed),
    .Thresholds (Thresholds)
  ) dut (.*);
  begins_in_reset u_begins (.clk_i, .rst_ni);

  // The row at hand, and cycles since a reset.
  logic [$clog2(Mh+1)-1:0] output_q;
  logic [1:0]              ago_q;
  logic                    known_q = 1'b0;
  always_ff @(posedge clk_i) begin
    known_q <= known_q || !rst_ni;
    if (!rst_ni) begin
      output_q <= '0;
      ago_q    <= '0;
    end else begin
      assume (!next_i || ago_q == 2'd2);
      if (ago_q < 2'd2) ago_q <= ago_q + 1'b1;
      if (next_i) output_q <= 32'(output_q) == Mh - Pe ? '0 : output_q + ($bits(output_q))'(Pe);
      cover (next_i && 32'(output_q) == Mh - Pe && start_o[0] != '0);
    end
    if (known_q && rst_ni && (Short || ago_q == 2'd2)) begin
      for (int unsigned n = 0; n < Mh; n++) begin
        automatic logic [ThrBits-1:0] bits = Thresholds[n*ThrBits+:ThrBits];
        automatic int threshold = Signed ? 32'(signed'(bits)) : int'(32'(bits));
        automatic int sum = Signed ? 32'(signed'(sum_i)) : int'(32'(sum_i));
        automatic logic [AccBits-1:0] total = start_o[n%Pe] + sum_i;
        if (32'(output_q) == n / Pe * Pe && sum - threshold < 2 ** (AccBits - 1) &&
            sum - threshold >= -(2 ** (AccBits - 1))) begin
          assert (total[AccBits-1] == (sum >= threshold));
        end
      end
    end
  end

endmodule
