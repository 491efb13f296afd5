// Sliding window of a convolution, all pixels of a window at once.
//
// A map comes in (row, column) order, a pixel in one word. Pixels move on through registers, one for
// each pixel of a window, and between two rows of these through a line of memory that holds the rest of
// the map's row. A window stands ready when its last pixel has come in, and goes out as it stands; the
// next pixel comes in when it goes. One frame follows the other without a gap.
//
// Latency: one cycle from a window's last pixel. Throughput: one pixel a cycle.

module window_at_once #(
  // Pixels of the map, and bits of one.
  parameter int unsigned Rows          = 5,
  parameter int unsigned Columns       = 5,
  parameter int unsigned Bits          = 8,
  // Pixels of a window, at least 2, and of the step from one to the next. Windows cover the whole map.
  parameter int unsigned KernelRows    = 3,
  parameter int unsigned KernelColumns = 3,
  parameter int unsigned StrideRows    = 1,
  parameter int unsigned StrideColumns = 1,
  // Whether the lines are block RAM, if they are long enough for it; else they are LUT RAM.
  parameter bit          BlockRam      = 1'b0,
  localparam int unsigned Pixels   = KernelRows * KernelColumns,
  localparam int unsigned InWidth  = 8 * ((Bits + 7) / 8),
  localparam int unsigned OutWidth = 8 * ((Pixels * Bits + 7) / 8)
) (
  // Clock, and reset (active low): the next word is the first of a map.
  input  logic                clk_i,
  input  logic                rst_ni,

  // Pixels; the bits above Bits are not read.
  input  logic [InWidth-1:0]  in_data_i,
  input  logic                in_valid_i,
  output logic                in_ready_o,

  // Windows, their pixels in (row, column) order, the first in the lowest bits; the padding is 0.
  output logic [OutWidth-1:0] out_data_o,
  output logic                out_valid_o,
  input  logic                out_ready_i
);

  if (Pixels < 2 || KernelRows > Rows || KernelColumns > Columns || StrideRows < 1 ||
      StrideColumns < 1 || (Rows - KernelRows) % StrideRows != 0 ||
      (Columns - KernelColumns) % StrideColumns != 0) begin : gen_bad_window
    $error("window_at_once: windows of %0d x %0d, steps of %0d x %0d: no cover of %0d x %0d",
           KernelRows, KernelColumns, StrideRows, StrideColumns, Rows, Columns);
  end

  logic take;
  assign in_ready_o = !out_valid_o || out_ready_i;
  assign take       = in_valid_i && in_ready_o;

  // --- pixels and rows that are still to come until a window ends with the one that comes

  localparam int unsigned MostAcross  = KernelColumns > StrideColumns ? KernelColumns :
                                                                        StrideColumns;
  localparam int unsigned MostDown    = KernelRows > StrideRows ? KernelRows : StrideRows;
  localparam int unsigned AcrossWidth = MostAcross > 1 ? $clog2(MostAcross) : 1;
  localparam int unsigned DownWidth   = MostDown > 1 ? $clog2(MostDown) : 1;
  localparam int unsigned ColumnWidth = Columns > 1 ? $clog2(Columns) : 1;
  localparam int unsigned RowWidth    = Rows > 1 ? $clog2(Rows) : 1;
  logic [AcrossWidth-1:0] across_q;
  logic [DownWidth-1:0]   down_q;
  logic [ColumnWidth-1:0] column_q;
  logic [RowWidth-1:0]    row_q;
  logic column_last_q, row_last_q, across_end, down_end;

  assign across_end = across_q == '0;
  assign down_end   = down_q == '0;

  always_ff @(posedge clk_i) begin
    if (!rst_ni) begin
      across_q      <= AcrossWidth'(KernelColumns - 1);
      down_q        <= DownWidth'(KernelRows - 1);
      column_q      <= '0;
      row_q         <= '0;
      column_last_q <= Columns == 1;
      row_last_q    <= Rows == 1;
      out_valid_o   <= 1'b0;
    end else begin
      if (take) begin
        across_q      <= column_last_q ? AcrossWidth'(KernelColumns - 1) :
                         across_end    ? AcrossWidth'(StrideColumns - 1) : across_q - 1'b1;
        column_q      <= column_last_q ? '0 : column_q + 1'b1;
        column_last_q <= Columns == 1 || (!column_last_q && column_q == ColumnWidth'(Columns - 2));
      end
      if (take && column_last_q) begin
        down_q     <= row_last_q ? DownWidth'(KernelRows - 1) :
                      down_end   ? DownWidth'(StrideRows - 1) : down_q - 1'b1;
        row_q      <= row_last_q ? '0 : row_q + 1'b1;
        row_last_q <= Rows == 1 || (!row_last_q && row_q == RowWidth'(Rows - 2));
      end
      if (in_ready_o) out_valid_o <= in_valid_i && across_end && down_end;
    end
  end

  // --- pixels: row 0 is the newest, at the bottom of the window, and so is column 0, at its right

  logic [KernelRows-1:0][KernelColumns-1:0][Bits-1:0] pixel_q;
  logic [KernelRows-1:0][Bits-1:0] enters;   // each row

  for (genvar r = 0; r < int'(KernelRows); r++) begin : gen_shift
    always_ff @(posedge clk_i) begin
      if (take) pixel_q[r] <= (KernelColumns * Bits)'({pixel_q[r], enters[r]});
    end
  end

  for (genvar r = 0; r < int'(KernelRows); r++) begin : gen_row
    for (genvar c = 0; c < int'(KernelColumns); c++) begin : gen_column
      assign out_data_o[(Pixels-1-r*KernelColumns-c)*Bits+:Bits] = pixel_q[r][c];
    end
  end
  if (OutWidth > Pixels * Bits) begin : gen_padding
    assign out_data_o[OutWidth-1:Pixels*Bits] = '0;
  end

  // --- the rest of the map's rows, all in one memory

  assign enters[0] = in_data_i[Bits-1:0];
  if (KernelRows > 1) begin : gen_lines
    localparam int unsigned Rest = Columns - KernelColumns;
    logic [KernelRows-2:0][Bits-1:0] leaves;
    for (genvar r = 0; r < int'(KernelRows) - 1; r++) begin : gen_leaves
      assign leaves[r] = pixel_q[r][KernelColumns-1];
    end

    if (Rest == 0) begin : gen_none
      assign enters[KernelRows-1:1] = leaves;
    end else begin : gen_line
      // Of block RAM two of the pixels of a line are in registers, and one place is read ahead.
      localparam bit          Block     = BlockRam && Rest > 3;
      localparam int unsigned Depth     = Block ? Rest - 1 : Rest;
      localparam int unsigned AddrWidth = Depth > 1 ? $clog2(Depth) : 1;
      logic [AddrWidth-1:0] addr_q, next;
      assign next = addr_q == AddrWidth'(Depth - 1) ? '0 : addr_q + 1'b1;
      always_ff @(posedge clk_i) begin
        if (!rst_ni)   addr_q <= '0;
        else if (take) addr_q <= next;
      end

      if (Block) begin : gen_block
        block_ram #(
          .Width ((KernelRows - 1) * Bits), .Depth (Depth), .BothAtOnce (1'b1)
        ) u_block (
          .clk_i,
          .we_i    (take),
          .waddr_i (addr_q),
          .wdata_i (leaves),
          .re_i    (take),
          .raddr_i (next),
          .take_i  (take),
          .clear_i (1'b0),
          .rdata_o (enters[KernelRows-1:1])
        );
      end else begin : gen_lut
        (* ram_style = "distributed" *) logic [(KernelRows-1)*Bits-1:0] mem [Depth];
        always_ff @(posedge clk_i) begin
          if (take) mem[addr_q] <= leaves;
        end
        assign enters[KernelRows-1:1] = mem[addr_q];
      end
    end
  end

endmodule
