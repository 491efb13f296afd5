// Max-pool of a map of bits: each output bit is the OR of a Size x Size window of its channel.
//
// Windows do not overlap; rows and columns left over at the bottom and the right are cut off. A pixel
// is Folds words of Pe bits; words come, and go, in the order (row, column, fold). One line of the
// output waits in LUT RAM for the rest of its windows.
//
// Latency: one cycle from the last word of a window. Throughput: one input word a cycle, no bubble
// between lines or maps.

module bin_maxpool #(
  // Pixels of the map that comes in.
  parameter int unsigned Rows    = 28,
  parameter int unsigned Columns = 28,
  // Words of a pixel, and channels (bits) in a word.
  parameter int unsigned Folds   = 2,
  parameter int unsigned Pe      = 32,
  // Rows and columns of a window.
  parameter int unsigned Size    = 2,
  localparam int unsigned BusWidth = 8 * ((Pe + 7) / 8)
) (
  // Clock, and reset (active low): the next word is the first of a map.
  input  logic                clk_i,
  input  logic                rst_ni,

  // Map that comes in, channel p of a word at bit p; the bits above Pe are padding and are not read.
  input  logic [BusWidth-1:0] in_data_i,
  input  logic                in_valid_i,
  output logic                in_ready_o,

  // Pooled map, in the same form; the padding is 0.
  output logic [BusWidth-1:0] out_data_o,
  output logic                out_valid_o,
  input  logic                out_ready_i
);

  localparam int unsigned OutRows    = Rows / Size;
  localparam int unsigned OutColumns = Columns / Size;
  localparam int unsigned LineWords  = OutColumns * Folds;
  localparam int unsigned AddrWidth  = LineWords > 1 ? $clog2(LineWords) : 1;

  if (Size < 2 || Rows < Size || Columns < Size) begin : gen_bad_size
    $error("bin_maxpool: Size %0d must be at least 2 and fit into the map of %0d x %0d",
           Size, Rows, Columns);
  end

  // Place of the word at the input: fold of its pixel, pixel of the map, pixel of its window.
  localparam int unsigned FoldWidth   = Folds > 1 ? $clog2(Folds) : 1;
  localparam int unsigned RowWidth    = $clog2(Rows);
  localparam int unsigned ColumnWidth = $clog2(Columns);
  localparam int unsigned SizeWidth   = $clog2(Size);
  logic [FoldWidth-1:0]   fold_q;
  logic [RowWidth-1:0]    row_q;
  logic [ColumnWidth-1:0] column_q;
  logic [SizeWidth-1:0]   x_q, y_q;
  logic [AddrWidth-1:0]   addr_q;   // of this window's fold in the line
  logic fold_last, column_last, row_last, x_last, y_last, pooled, window_last, take;

  assign fold_last   = fold_q == FoldWidth'(Folds - 1);
  assign column_last = column_q == ColumnWidth'(Columns - 1);
  assign row_last    = row_q == RowWidth'(Rows - 1);
  assign x_last      = x_q == SizeWidth'(Size - 1);
  assign y_last      = y_q == SizeWidth'(Size - 1);
  // A left over row or column never reaches the end of a window.
  assign pooled      = 32'(column_q) < OutColumns * Size && 32'(row_q) < OutRows * Size;
  assign window_last = x_last && y_last;
  assign in_ready_o  = !(window_last && out_valid_o && !out_ready_i);
  assign take        = in_valid_i && in_ready_o;

  always_ff @(posedge clk_i) begin
    if (!rst_ni) begin
      fold_q   <= '0;
      column_q <= '0;
      row_q    <= '0;
      x_q      <= '0;
      y_q      <= '0;
      addr_q   <= '0;
    end else if (take) begin
      fold_q <= fold_last ? '0 : fold_q + 1'b1;
      addr_q <= addr_q + 1'b1;
      if (fold_last) begin
        column_q <= column_last ? '0 : column_q + 1'b1;
        x_q      <= column_last || x_last ? '0 : x_q + 1'b1;
        if (column_last)  addr_q <= '0;
        else if (!x_last) addr_q <= addr_q - AddrWidth'(Folds - 1);
      end
      if (fold_last && column_last) begin
        row_q <= row_last ? '0 : row_q + 1'b1;
        y_q   <= row_last || y_last ? '0 : y_q + 1'b1;
      end
    end
  end

  (* ram_style = "distributed" *) logic [Pe-1:0] line [LineWords];
  logic [Pe-1:0] so_far, word_q;

  assign so_far = in_data_i[Pe-1:0] | (x_q == '0 && y_q == '0 ? '0 : line[addr_q]);

  always_ff @(posedge clk_i) begin
    if (take && pooled) line[addr_q] <= so_far;
  end

  always_ff @(posedge clk_i) begin
    if (!rst_ni)                  out_valid_o <= 1'b0;
    else if (take && window_last) out_valid_o <= 1'b1;
    else if (out_ready_i)         out_valid_o <= 1'b0;
    if (take && window_last) word_q <= so_far;
  end

  assign out_data_o = BusWidth'(word_q);

endmodule
