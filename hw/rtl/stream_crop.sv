// The part of a map that windows cover: words of the rows and columns left over at the bottom and the
// right are dropped.
//
// The map comes in (row, column, fold) order, a word of `Bits` bits each. The last word that is kept
// waits until all of its map has come in. So no frame is through while a layer is still at work on what
// is left over of it, and the host can change weights between frames.
//
// Both directions are combinational, but for the last word kept: no latency, no bubble. Throughput: one
// word a cycle, one cycle more a map.

module stream_crop #(
  // Pixels of the map that comes in, and of what is kept of it.
  parameter int unsigned Rows       = 5,
  parameter int unsigned Columns    = 5,
  parameter int unsigned OutRows    = 4,
  parameter int unsigned OutColumns = 4,
  // Words of a pixel, and bits of each.
  parameter int unsigned Folds      = 1,
  parameter int unsigned Bits       = 8,
  localparam int unsigned BusWidth = 8 * ((Bits + 7) / 8)
) (
  // Clock, and reset (active low): the next word is the first of a map.
  input  logic                clk_i,
  input  logic                rst_ni,

  // The whole map.
  input  logic [BusWidth-1:0] in_data_i,
  input  logic                in_valid_i,
  output logic                in_ready_o,

  // What is kept of it.
  output logic [BusWidth-1:0] out_data_o,
  output logic                out_valid_o,
  input  logic                out_ready_i
);

  localparam int unsigned RowWidth    = Rows > 1 ? $clog2(Rows) : 1;
  localparam int unsigned ColumnWidth = Columns > 1 ? $clog2(Columns) : 1;
  localparam int unsigned FoldWidth   = Folds > 1 ? $clog2(Folds) : 1;

  if (OutRows < 1 || OutColumns < 1 || OutRows > Rows || OutColumns > Columns ||
      (OutRows == Rows && OutColumns == Columns)) begin : gen_bad_part
    $error("stream_crop: %0d x %0d of a map of %0d x %0d is not a part of it",
           OutRows, OutColumns, Rows, Columns);
  end

  logic [RowWidth-1:0]    row_q;
  logic [ColumnWidth-1:0] column_q;
  logic [FoldWidth-1:0]   fold_q;
  logic [BusWidth-1:0]    kept_q;               // the last word to be kept
  logic waits_q, whole_q;                       // it waits; and its map has come in
  logic kept, kept_last, take, last_fold, last_column, last_row;

  assign last_fold   = fold_q == FoldWidth'(Folds - 1);
  assign last_column = column_q == ColumnWidth'(Columns - 1);
  assign last_row    = row_q == RowWidth'(Rows - 1);
  assign kept        = 32'(row_q) < OutRows && 32'(column_q) < OutColumns;
  assign kept_last   = last_fold && 32'(row_q) == OutRows - 1 && 32'(column_q) == OutColumns - 1;

  assign out_valid_o = waits_q ? whole_q : in_valid_i && kept && !kept_last;
  assign out_data_o  = waits_q ? kept_q : in_data_i;
  assign in_ready_o  = waits_q ? !whole_q : out_ready_i || !kept || kept_last;
  assign take        = in_valid_i && in_ready_o;

  always_ff @(posedge clk_i) begin
    if (!rst_ni) begin
      row_q    <= '0;
      column_q <= '0;
      fold_q   <= '0;
      waits_q  <= 1'b0;
      whole_q  <= 1'b0;
    end else begin
      if (take) begin
        fold_q <= last_fold ? '0 : fold_q + 1'b1;
        if (last_fold) begin
          column_q <= last_column ? '0 : column_q + 1'b1;
          if (last_column) row_q <= last_row ? '0 : row_q + 1'b1;
        end
        if (kept_last) waits_q <= 1'b1;
        if (last_fold && last_column && last_row) whole_q <= 1'b1;
      end else if (whole_q && out_ready_i) begin
        waits_q <= 1'b0;
        whole_q <= 1'b0;
      end
    end
    if (take && kept_last) kept_q <= in_data_i;
  end

endmodule
