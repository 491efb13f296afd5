// Where the accumulators of binary_mvu start: for each output so far below half the accumulator's range
// that, once the sum is added, the highest bit says whether the sum reaches the output's threshold.
//
// Rows of Pe outputs follow each other, the first one after reset and after the last. A short ROM is
// combinational, for it is merged into the accumulators' adders; a long one is a row_rom. Either shows the
// new row in the cycle after `next_i`, which is low in the first two cycles after a reset.

module threshold_rom #(
  // Outputs of a frame, and those in a row, a divisor of Mh.
  parameter int unsigned Mh = 64,
  parameter int unsigned Pe = 1,
  // Bits of a threshold and of an accumulator.
  parameter int unsigned ThrBits = 7,
  parameter int unsigned AccBits = 8,
  // Whether thresholds are signed.
  parameter bit Signed = 1'b0,
  // Threshold of output n at [n*ThrBits +: ThrBits].
  parameter logic [Mh*ThrBits-1:0] Thresholds = '0
) (
  // Clock, and reset (active low): back to the first row.
  input  logic                       clk_i,
  input  logic                       rst_ni,

  // The row has been used; on to the next one.
  input  logic                       next_i,

  // Start of each output of the row.
  output logic [Pe-1:0][AccBits-1:0] start_o
);

  localparam int unsigned Rows = Mh / Pe;
  localparam int unsigned RowWidth = Rows > 1 ? $clog2(Rows) : 1;
  localparam int unsigned ShortRows = 8;   // most rows that are combinational

  function automatic logic [Pe*AccBits-1:0] starts(int unsigned row);
    for (int unsigned p = 0; p < Pe; p++) begin
      logic [ThrBits-1:0] threshold;
      threshold = Thresholds[(row*Pe+p)*ThrBits+:ThrBits];
      starts[p*AccBits+:AccBits] = AccBits'(1 << (AccBits - 1)) -
          (Signed ? AccBits'(signed'(threshold)) : AccBits'(threshold));
    end
  endfunction

  function automatic logic [Rows*Pe*AccBits-1:0] all_starts();
    for (int unsigned n = 0; n < Rows; n++) all_starts[n*Pe*AccBits+:Pe*AccBits] = starts(n);
  endfunction

  if (Rows <= ShortRows) begin : gen_short
    logic [Pe*AccBits-1:0] rom [Rows];
    logic [RowWidth-1:0] row_q;
    initial for (int unsigned n = 0; n < Rows; n++) rom[n] = starts(n);
    always_ff @(posedge clk_i) begin
      if (!rst_ni)     row_q <= '0;
      else if (next_i) row_q <= row_q == RowWidth'(Rows - 1) ? '0 : row_q + 1'b1;
    end
    assign start_o = rom[row_q];
  end else begin : gen_long
    logic there;
    row_rom #(
      .Width (Pe * AccBits),
      .Rows  (Rows),
      .Table (all_starts())
    ) u_rows (
      .clk_i,
      .rst_ni,
      .next_i,
      .row_o   (start_o),
      .there_o (there)
    );
    assert property (@(posedge clk_i) disable iff (!rst_ni) !(next_i && !there))
      else $error("threshold_rom: a row is used that is not there yet");
  end

endmodule
