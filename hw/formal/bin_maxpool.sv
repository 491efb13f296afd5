// What bin_maxpool promises: for each window that is whole, and each fold, the OR of its words, one cycle
// after the last of them; in (row, column, fold) order, each once, with 0 in the padding. Each stays
// until it is taken. A word is taken in every cycle, but for one that completes a window while a result
// waits and does not go. After a reset the next word is the first of a map.
//
// Assumed: words in stay until they are taken.

module bin_maxpool_formal #(
  // As of bin_maxpool.
  parameter int unsigned Rows    = 3,
  parameter int unsigned Columns = 5,
  parameter int unsigned Folds   = 2,
  parameter int unsigned Pe      = 1,
  parameter int unsigned Size    = 2,
  localparam int unsigned BusWidth = 8 * ((Pe + 7) / 8)
) (
  // Ports of bin_maxpool that others drive.
  input logic                clk_i,
  input logic                rst_ni,
  input logic [BusWidth-1:0] in_data_i,
  input logic                in_valid_i,
  input logic                out_ready_i,

  // Free: the word that is made in this cycle is the one to watch.
  input logic                mark_i
);

  logic                in_ready_o, out_valid_o;
  logic [BusWidth-1:0] out_data_o;

  bin_maxpool #(.Rows (Rows), .Columns (Columns), .Folds (Folds), .Pe (Pe), .Size (Size)) dut (.*);
  begins_in_reset u_begins (.clk_i, .rst_ni);
  stream_rule #(.Width (BusWidth), .Assumed (1'b1)) u_in (
    .clk_i, .rst_ni, .data_i (in_data_i), .valid_i (in_valid_i), .ready_i (in_ready_o)
  );
  stream_rule #(.Width (BusWidth)) u_out (
    .clk_i, .rst_ni, .data_i (out_data_o), .valid_i (out_valid_o), .ready_i (out_ready_i)
  );

  // The map as far as it has come, and the place of its next word.
  logic [Rows-1:0][Columns-1:0][Folds-1:0][Pe-1:0] map, map_q;
  logic [$clog2(Rows)-1:0]    row_q;
  logic [$clog2(Columns)-1:0] column_q;
  logic [$clog2(Folds+1)-1:0] fold_q;
  logic [Pe-1:0] pooled;
  logic take, fold_end, column_end, map_end, whole;
  assign take       = in_valid_i && in_ready_o;
  assign fold_end   = 32'(fold_q) == Folds - 1;
  assign column_end = fold_end && 32'(column_q) == Columns - 1;
  assign map_end    = column_end && 32'(row_q) == Rows - 1;
  // This word is the last of a window.
  assign whole      = (32'(row_q) + 1) % Size == 0 && (32'(column_q) + 1) % Size == 0;
  always_comb begin
    map = map_q;
    pooled = '0;
    for (int unsigned r = 0; r < Rows; r++) begin
      for (int unsigned c = 0; c < Columns; c++) begin
        for (int unsigned f = 0; f < Folds; f++) begin
          if (r == 32'(row_q) && c == 32'(column_q) && f == 32'(fold_q)) begin
            map[r][c][f] = in_data_i[Pe-1:0];
          end
          if (r / Size == 32'(row_q) / Size && c / Size == 32'(column_q) / Size &&
              f == 32'(fold_q)) pooled |= map[r][c][f];
        end
      end
    end
  end

  stream_order #(.Width (BusWidth), .Room (1), .Latency (1)) u_order (
    .clk_i,
    .rst_ni,
    .mark_i,
    .push_i  (take && whole),
    .word_i  (BusWidth'(pooled)),
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
      assert (in_ready_o || (whole && out_valid_o && !out_ready_i));
      cover (take && whole && out_valid_o && out_ready_i);
    end
    // The map of before is as good as any other until its words are written over.
    if (take) map_q <= map;
  end

endmodule
