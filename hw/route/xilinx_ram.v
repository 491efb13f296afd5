// LUT RAM with one port as nextpnr-xilinx takes it: with a second port that is not read.

module RAM64X1S (
  output O,
  input A0, A1, A2, A3, A4, A5, D, WCLK, WE
);
  parameter [63:0] INIT = 64'h0;
  parameter IS_WCLK_INVERTED = 1'b0;
  RAM64X1D #(
    .INIT (INIT),
    .IS_WCLK_INVERTED (IS_WCLK_INVERTED)
  ) _TECHMAP_REPLACE_ (
    .SPO (O), .D (D), .WCLK (WCLK), .WE (WE),
    .A0 (A0), .A1 (A1), .A2 (A2), .A3 (A3), .A4 (A4), .A5 (A5),
    .DPRA0 (A0), .DPRA1 (A1), .DPRA2 (A2), .DPRA3 (A3), .DPRA4 (A4), .DPRA5 (A5)
  );
endmodule

module RAM32X1S (
  output O,
  input A0, A1, A2, A3, A4, D, WCLK, WE
);
  parameter [31:0] INIT = 32'h0;
  parameter IS_WCLK_INVERTED = 1'b0;
  RAM32X1D #(
    .INIT (INIT),
    .IS_WCLK_INVERTED (IS_WCLK_INVERTED)
  ) _TECHMAP_REPLACE_ (
    .SPO (O), .D (D), .WCLK (WCLK), .WE (WE),
    .A0 (A0), .A1 (A1), .A2 (A2), .A3 (A3), .A4 (A4),
    .DPRA0 (A0), .DPRA1 (A1), .DPRA2 (A2), .DPRA3 (A3), .DPRA4 (A4)
  );
endmodule
