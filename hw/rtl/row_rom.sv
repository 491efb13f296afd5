// A table whose rows are used one after the other, the first one again after the last.
//
// The row at hand is in a register, and what is behind it is ahead: block RAM, from BlockRows rows on, whose
// own output is a row ahead and whose address two; or LUTs, whose address is one ahead. It is a copy of the
// counter, so that no tool takes the counter's carry chain for a part of the table.
//
// Latency: the next row is there in the cycle after `next_i`; the first one after a reset takes two
// cycles. Throughput: a row a cycle.

module row_rom #(
  // Bits of a row, and rows.
  parameter int unsigned Width = 8,
  parameter int unsigned Rows  = 4,
  // Row n at [n*Width +: Width].
  parameter logic [Rows*Width-1:0] Table = '0
) (
  // Clock, and reset (active low): back to the first row.
  input  logic             clk_i,
  input  logic             rst_ni,

  // The row has been used; on to the next one. Low until the first row is there.
  input  logic             next_i,

  // The row at hand, and whether the first one after a reset is there.
  output logic [Width-1:0] row_o,
  output logic             there_o
);

  // Fewest rows in block RAM: with so many, LUTs are too deep, and more than a block RAM is worth.
  localparam int unsigned BlockRows = 256;
  localparam int unsigned RowWidth = Rows > 1 ? $clog2(Rows) : 1;

  logic [RowWidth-1:0] address_q;
  logic [1:0]          empty_q;   // the two registers behind it do not hold the first rows yet
  logic advance;
  assign there_o = !empty_q[1];
  assign advance = next_i || empty_q[1];

  always_ff @(posedge clk_i) begin
    if (!rst_ni) begin
      address_q <= '0;
      empty_q   <= '1;
    end else begin
      if (advance) address_q <= address_q == RowWidth'(Rows - 1) ? '0 : address_q + 1'b1;
      empty_q <= empty_q << 1;
    end
  end

  if (Rows < BlockRows) begin : gen_luts
    logic [Width-1:0] rom [Rows];
    logic [RowWidth-1:0] copy_q;
    initial for (int unsigned n = 0; n < Rows; n++) rom[n] = Table[n*Width+:Width];
    always_ff @(posedge clk_i) begin
      if (advance) begin
        copy_q <= address_q;
        row_o  <= rom[copy_q];
      end
    end
  end else begin : gen_block_ram
    block_ram #(
      .Width   (Width),
      .Depth   (Rows),
      .HasInit (1'b1),
      .Init    (Table)
    ) u_rom (
      .clk_i,
      .we_i    (1'b0),
      .waddr_i ('0),
      .wdata_i ('0),
      .re_i    (advance),
      .raddr_i (address_q),
      .take_i  (advance),
      .clear_i (1'b0),
      .rdata_o (row_o)
    );
  end

endmodule
