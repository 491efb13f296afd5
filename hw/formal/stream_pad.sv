// What stream_pad promises: the map comes out with words of 0 around it, in (row, column, fold) order;
// the words of the map once each, in order, as they came, with no latency. Nothing of a map, its padding
// included, is offered before the map's first word is; after that padding waits for nobody. A word stays
// until it is taken. After a reset the next word is the first of a map.
//
// Assumed: words in stay until they are taken.

module stream_pad_formal #(
  // As of stream_pad.
  parameter int unsigned Rows    = 2,
  parameter int unsigned Columns = 2,
  parameter int unsigned Folds   = 1,
  parameter int unsigned Bits    = 2,
  parameter int unsigned Top     = 1,
  parameter int unsigned Left    = 1,
  parameter int unsigned Bottom  = 1,
  parameter int unsigned Right   = 1,
  localparam int unsigned BusWidth = 8 * ((Bits + 7) / 8)
) (
  // Ports of stream_pad that others drive.
  input logic                clk_i,
  input logic                rst_ni,
  input logic [BusWidth-1:0] in_data_i,
  input logic                in_valid_i,
  input logic                out_ready_i,

  // Free: the word that comes in this cycle is the one to watch.
  input logic                mark_i
);

  localparam int unsigned OutRows    = Top + Rows + Bottom;
  localparam int unsigned OutColumns = Left + Columns + Right;

  logic                in_ready_o, out_valid_o;
  logic [BusWidth-1:0] out_data_o;

  stream_pad #(
    .Rows (Rows), .Columns (Columns), .Folds (Folds), .Bits (Bits),
    .Top (Top), .Left (Left), .Bottom (Bottom), .Right (Right)
  ) dut (.*);
  begins_in_reset u_begins (.clk_i, .rst_ni);
  stream_rule #(.Width (BusWidth), .Assumed (1'b1)) u_in (
    .clk_i, .rst_ni, .data_i (in_data_i), .valid_i (in_valid_i), .ready_i (in_ready_o)
  );
  stream_rule #(.Width (BusWidth)) u_out (
    .clk_i, .rst_ni, .data_i (out_data_o), .valid_i (out_valid_o), .ready_i (out_ready_i)
  );

  // Place of the word that goes out next, and words of its map that have come in.
  logic [$clog2(OutRows)-1:0]                row_q;
  logic [$clog2(OutColumns)-1:0]             column_q;
  logic [$clog2(Folds+1)-1:0]                fold_q;
  logic [$clog2(Rows*Columns*Folds+1)-1:0]   come_q;
  logic take, give, in_map, fold_end, column_end, map_end, here;
  logic [1:0] waiting;
  logic [BusWidth-1:0] word;
  assign take       = in_valid_i && in_ready_o;
  assign give       = out_valid_o && out_ready_i;
  assign in_map     = 32'(row_q) >= Top && 32'(row_q) < Top + Rows &&
                      32'(column_q) >= Left && 32'(column_q) < Left + Columns;
  assign fold_end   = 32'(fold_q) == Folds - 1;
  assign column_end = fold_end && 32'(column_q) == OutColumns - 1;
  assign map_end    = column_end && 32'(row_q) == OutRows - 1;

  word_watch #(.Width (BusWidth), .Room (1), .Through (1'b1)) u_watch (
    .clk_i,
    .rst_ni,
    .mark_i,
    .push_i    (take),
    .word_i    (in_data_i),
    .pop_i     (give && in_map),
    .waiting_o (waiting),
    .here_o    (here),
    .word_o    (word)
  );

  always_ff @(posedge clk_i) begin
    if (!rst_ni) begin
      row_q    <= '0;
      column_q <= '0;
      fold_q   <= '0;
      come_q   <= '0;
    end else begin
      if (give) begin
        fold_q <= fold_end ? '0 : fold_q + 1'b1;
        if (fold_end)   column_q <= column_end ? '0 : column_q + 1'b1;
        if (column_end) row_q    <= map_end ? '0 : row_q + 1'b1;
      end
      if (give && map_end) come_q <= '0;
      else if (take)       come_q <= come_q + 1'b1;
      if (out_valid_o && !in_map) assert (out_data_o == '0 && (come_q != '0 || in_valid_i));
      if (!in_map && (come_q != '0 || in_valid_i)) assert (out_valid_o);
      if (in_map) assert (out_valid_o == (in_valid_i || waiting != '0));
      if (here && give && in_map) assert (out_data_o == word);
      cover (give && map_end);
      cover (here && give && in_map);
    end
  end

endmodule
