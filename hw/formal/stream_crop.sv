// What stream_crop promises: of each map the words of its first OutRows rows and OutColumns columns, once
// each, in order, as they came; nothing of the others. Words go through in the cycle in which they come,
// but for the last that is kept of a map: it is offered only when all of the map has come, at the latest
// a cycle after that. A word stays until it is taken. After a reset the next word is the first of a map.
//
// Assumed: words in stay until they are taken.

module stream_crop_formal #(
  // As of stream_crop.
  parameter int unsigned Rows       = 3,
  parameter int unsigned Columns    = 3,
  parameter int unsigned OutRows    = 2,
  parameter int unsigned OutColumns = 2,
  parameter int unsigned Folds      = 1,
  parameter int unsigned Bits       = 2,
  localparam int unsigned BusWidth = 8 * ((Bits + 7) / 8)
) (
  // Ports of stream_crop that others drive.
  input logic                clk_i,
  input logic                rst_ni,
  input logic [BusWidth-1:0] in_data_i,
  input logic                in_valid_i,
  input logic                out_ready_i,

  // Free: the word that comes in this cycle is the one to watch.
  input logic                mark_i
);

  logic                in_ready_o, out_valid_o;
  logic [BusWidth-1:0] out_data_o;

  stream_crop #(
    .Rows (Rows), .Columns (Columns), .OutRows (OutRows), .OutColumns (OutColumns),
    .Folds (Folds), .Bits (Bits)
  ) dut (.*);
  begins_in_reset u_begins (.clk_i, .rst_ni);
  stream_rule #(.Width (BusWidth), .Assumed (1'b1)) u_in (
    .clk_i, .rst_ni, .data_i (in_data_i), .valid_i (in_valid_i), .ready_i (in_ready_o)
  );
  stream_rule #(.Width (BusWidth)) u_out (
    .clk_i, .rst_ni, .data_i (out_data_o), .valid_i (out_valid_o), .ready_i (out_ready_i)
  );

  // Place of the word that comes in next.
  logic [$clog2(Rows)-1:0]    row_q;
  logic [$clog2(Columns)-1:0] column_q;
  logic [$clog2(Folds+1)-1:0] fold_q;
  logic [BusWidth-1:0]        last_q;   // the last word kept
  logic take, kept, kept_last, fold_end, column_end, map_end;
  assign take       = in_valid_i && in_ready_o;
  assign fold_end   = 32'(fold_q) == Folds - 1;
  assign column_end = fold_end && 32'(column_q) == Columns - 1;
  assign map_end    = column_end && 32'(row_q) == Rows - 1;
  assign kept       = 32'(row_q) < OutRows && 32'(column_q) < OutColumns;
  assign kept_last  = fold_end && 32'(row_q) == OutRows - 1 && 32'(column_q) == OutColumns - 1;

  // The last word kept comes for the watch when its map has come.
  stream_order #(.Width (BusWidth), .Room (1), .Latency (1), .Through (1'b1)) u_order (
    .clk_i,
    .rst_ni,
    .mark_i,
    .push_i  (take && (map_end || (kept && !kept_last))),
    .word_i  (!map_end || kept_last ? in_data_i : last_q),
    .data_i  (out_data_o),
    .valid_i (out_valid_o),
    .ready_i (out_ready_i)
  );

  always_ff @(posedge clk_i) begin
    if (!rst_ni) begin
      row_q    <= '0;
      column_q <= '0;
      fold_q   <= '0;
    end else begin
      if (take) begin
        fold_q <= fold_end ? '0 : fold_q + 1'b1;
        if (fold_end)   column_q <= column_end ? '0 : column_q + 1'b1;
        if (column_end) row_q    <= map_end ? '0 : row_q + 1'b1;
      end
      // Nobody waits for a word that is dropped.
      if (!kept && in_valid_i && !out_valid_o) assert (in_ready_o);
      cover (take && map_end && out_ready_i);
    end
    if (take && kept_last) last_q <= in_data_i;
  end

endmodule
