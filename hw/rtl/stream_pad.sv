// Padding of a map: words of 0 around it, which pad bits with -1 and pixels with 0.
//
// The map comes and goes in (row, column, fold) order, a word of `Bits` bits each. The padding before
// the first pixel of a frame waits until that pixel is there: no layer begins a frame that has not come,
// so the host can change weights between frames.
//
// Both directions are combinational: no latency. Throughput: one word out a cycle.

module stream_pad #(
  // Pixels of the map that comes in.
  parameter int unsigned Rows    = 4,
  parameter int unsigned Columns = 4,
  // Words of a pixel, and bits of each.
  parameter int unsigned Folds   = 1,
  parameter int unsigned Bits    = 8,
  // Pixels of padding on each side.
  parameter int unsigned Top     = 1,
  parameter int unsigned Left    = 1,
  parameter int unsigned Bottom  = 1,
  parameter int unsigned Right   = 1,
  localparam int unsigned BusWidth = 8 * ((Bits + 7) / 8)
) (
  // Clock, and reset (active low): the next word is the first of a map.
  input  logic                clk_i,
  input  logic                rst_ni,

  // Map without padding; not ready while padding goes out.
  input  logic [BusWidth-1:0] in_data_i,
  input  logic                in_valid_i,
  output logic                in_ready_o,

  // Map with padding.
  output logic [BusWidth-1:0] out_data_o,
  output logic                out_valid_o,
  input  logic                out_ready_i
);

  localparam int unsigned OutRows     = Top + Rows + Bottom;
  localparam int unsigned OutColumns  = Left + Columns + Right;
  localparam int unsigned RowWidth    = OutRows > 1 ? $clog2(OutRows) : 1;
  localparam int unsigned ColumnWidth = OutColumns > 1 ? $clog2(OutColumns) : 1;
  localparam int unsigned FoldWidth   = Folds > 1 ? $clog2(Folds) : 1;

  if (Rows < 1 || Columns < 1 || Folds < 1) begin : gen_bad_map
    $error("stream_pad: a map of %0d x %0d pixels of %0d words is empty", Rows, Columns, Folds);
  end

  logic [RowWidth-1:0]    row_q;
  logic [ColumnWidth-1:0] column_q;
  logic [FoldWidth-1:0]   fold_q;
  logic in_map, begun_q, give, last_fold, last_column, last_row;

  assign in_map = 32'(row_q) >= Top && 32'(row_q) < Top + Rows &&
                  32'(column_q) >= Left && 32'(column_q) < Left + Columns;

  assign out_valid_o = in_valid_i || (!in_map && begun_q);
  assign out_data_o  = in_map ? in_data_i : '0;
  assign in_ready_o  = in_map && out_ready_i;
  assign give        = out_valid_o && out_ready_i;

  assign last_fold   = fold_q == FoldWidth'(Folds - 1);
  assign last_column = column_q == ColumnWidth'(OutColumns - 1);
  assign last_row    = row_q == RowWidth'(OutRows - 1);

  always_ff @(posedge clk_i) begin
    if (!rst_ni) begin
      row_q    <= '0;
      column_q <= '0;
      fold_q   <= '0;
      begun_q  <= 1'b0;   // the first word of this frame has come in
    end else if (give) begin
      fold_q <= last_fold ? '0 : fold_q + 1'b1;
      if (last_fold) begin
        column_q <= last_column ? '0 : column_q + 1'b1;
        if (last_column) row_q <= last_row ? '0 : row_q + 1'b1;
      end
      begun_q <= (begun_q || in_map) && !(last_fold && last_column && last_row);
    end
  end

endmodule
