// Where the accumulators of binary_mvu start: for each output so far below half the accumulator's range
// that, once the sum is added, the highest bit says whether the sum reaches the output's threshold.
//
// Rows of Pe outputs follow each other, the first one after reset and after the last. A short ROM is
// combinational, for it is merged into the accumulators' adders; a long one has an output register. Either
// shows the new row in the cycle after `next_i`.

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

  function automatic logic [Pe*AccBits-1:0] starts(int unsigned row);
    for (int unsigned p = 0; p < Pe; p++) begin
      logic [ThrBits-1:0] threshold;
      threshold = Thresholds[(row*Pe+p)*ThrBits+:ThrBits];
      starts[p*AccBits+:AccBits] = AccBits'(1 << (AccBits - 1)) -
          (Signed ? AccBits'(signed'(threshold)) : AccBits'(threshold));
    end
  endfunction

  logic [Pe*AccBits-1:0] rom [Rows];
  initial for (int unsigned n = 0; n < Rows; n++) rom[n] = starts(n);

  logic [RowWidth-1:0] row_d, row_q;
  logic [Pe*AccBits-1:0] row;
  assign row_d = !rst_ni || row_q == RowWidth'(Rows - 1) ? '0 : row_q + 1'b1;
  always_ff @(posedge clk_i) begin
    if (!rst_ni || next_i) row_q <= row_d;
  end
  if (Rows <= 8) begin : gen_short
    assign row = rom[row_q];
  end else begin : gen_long
    always_ff @(posedge clk_i) begin
      if (!rst_ni || next_i) row <= rom[row_d];
    end
  end
  assign start_o = row;

endmodule
