// What window_words promises: the words of each window, in (row, column, fold) order within the window and
// windows row by row, each as it came in and not before it came; a word stays until it is taken, and the
// padding is 0. A word that has come and is next is offered after Latency cycles at the latest, and when
// none is offered for longer a word is taken: it cannot come to a standstill. After a reset the next
// word is the first of a map.
//
// Assumed: words in stay until they are taken.

module window_words_formal #(
  // As of window_words.
  parameter int unsigned Rows          = 3,
  parameter int unsigned Columns       = 3,
  parameter int unsigned Folds         = 1,
  parameter int unsigned Bits          = 1,
  parameter int unsigned KernelRows    = 2,
  parameter int unsigned KernelColumns = 2,
  parameter int unsigned StrideRows    = 1,
  parameter int unsigned StrideColumns = 1,
  parameter bit          BlockRam      = 1'b1,
  // Most cycles from a word's coming to its being offered.
  parameter int unsigned Latency = 3,
  localparam int unsigned BusWidth = 8 * ((Bits + 7) / 8)
) (
  // Ports of window_words that others drive.
  input logic                clk_i,
  input logic                rst_ni,
  input logic [BusWidth-1:0] in_data_i,
  input logic                in_valid_i,
  input logic                out_ready_i,

  // Free: number in its map of the word that is watched, as it is in the first cycle; and that the word
  // of this number which comes in this cycle is the one.
  input logic [$clog2(Rows*Columns*Folds)-1:0] place_i,
  input logic                mark_i
);

  localparam int unsigned MapWords   = Rows * Columns * Folds;
  localparam int unsigned OutRows    = (Rows - KernelRows) / StrideRows + 1;
  localparam int unsigned OutColumns = (Columns - KernelColumns) / StrideColumns + 1;
  // Enough for the words of a map and those that the buffer may have of later ones.
  localparam int unsigned CountWidth = $clog2(2 * MapWords + 1);
  localparam int unsigned PlaceWidth = $clog2(MapWords);

  logic                in_ready_o, out_valid_o;
  logic [BusWidth-1:0] out_data_o;

  window_words #(
    .Rows (Rows), .Columns (Columns), .Folds (Folds), .Bits (Bits), .KernelRows (KernelRows),
    .KernelColumns (KernelColumns), .StrideRows (StrideRows), .StrideColumns (StrideColumns),
    .BlockRam (BlockRam)
  ) dut (.*);
  begins_in_reset u_begins (.clk_i, .rst_ni);
  stream_rule #(.Width (BusWidth), .Assumed (1'b1)) u_in (
    .clk_i, .rst_ni, .data_i (in_data_i), .valid_i (in_valid_i), .ready_i (in_ready_o)
  );
  stream_rule #(.Width (BusWidth)) u_out (
    .clk_i, .rst_ni, .data_i (out_data_o), .valid_i (out_valid_o), .ready_i (out_ready_i)
  );

  logic take, give;
  assign take = in_valid_i && in_ready_o;
  assign give = out_valid_o && out_ready_i;

  // Place of the word that is given next, and its number in the map.
  logic [$clog2(OutRows+1)-1:0]       down_q;
  logic [$clog2(OutColumns+1)-1:0]    across_q;
  logic [$clog2(KernelRows+1)-1:0]    row_q;
  logic [$clog2(KernelColumns+1)-1:0] column_q;
  logic [$clog2(Folds+1)-1:0]         fold_q;
  logic fold_end, column_end, window_end, across_end, map_end;
  logic [PlaceWidth-1:0] number;
  assign fold_end   = 32'(fold_q) == Folds - 1;
  assign column_end = fold_end && 32'(column_q) == KernelColumns - 1;
  assign window_end = column_end && 32'(row_q) == KernelRows - 1;
  assign across_end = window_end && 32'(across_q) == OutColumns - 1;
  assign map_end    = across_end && 32'(down_q) == OutRows - 1;
  assign number = PlaceWidth'(((32'(down_q) * StrideRows + 32'(row_q)) * Columns
                              + 32'(across_q) * StrideColumns + 32'(column_q)) * Folds
                              + 32'(fold_q));

  // Words that have come since the first of the map that is given; number of the next that comes.
  logic [CountWidth-1:0] come_q;
  logic [PlaceWidth-1:0] in_q;
  logic in_end, there;
  assign in_end = 32'(in_q) == MapWords - 1;
  assign there  = 32'(come_q) > 32'(number);

  // The watched word: its number in its map, how many maps are given before it, what it was.
  logic first_q = 1'b1;
  logic [PlaceWidth-1:0] place_q;
  logic                  watched_q;
  logic [1:0]            maps_q;     // maps that have come in whole and are not given
  logic [1:0]            before_q;   // maps that are given before that of the word watched
  logic [BusWidth-1:0]   word_q;
  logic mark;
  assign mark = mark_i && !watched_q && take && in_q == place_q;

  logic [$clog2(Latency+2)-1:0] rest_q, stuck_q;
  always_ff @(posedge clk_i) begin
    first_q <= 1'b0;
    if (first_q) begin
      assume (32'(place_i) < MapWords);
      place_q <= place_i;
    end
    if (!rst_ni) begin
      {down_q, across_q, row_q, column_q, fold_q} <= '0;
      come_q    <= '0;
      in_q      <= '0;
      maps_q    <= '0;
      watched_q <= 1'b0;
      rest_q    <= '0;
      stuck_q   <= '0;
    end else begin
      if (give) begin
        fold_q <= fold_end ? '0 : fold_q + 1'b1;
        if (fold_end)   column_q <= column_end ? '0 : column_q + 1'b1;
        if (column_end) row_q    <= window_end ? '0 : row_q + 1'b1;
        if (window_end) across_q <= across_end ? '0 : across_q + 1'b1;
        if (across_end) down_q   <= map_end ? '0 : down_q + 1'b1;
      end
      if (take) in_q <= in_end ? '0 : in_q + 1'b1;
      come_q <= come_q + CountWidth'(take) - (give && map_end ? CountWidth'(MapWords) : '0);
      maps_q <= maps_q + 2'(take && in_end) - 2'(give && map_end);

      // The word watched is gone with its map.
      if (mark) begin
        watched_q <= 1'b1;
        before_q  <= maps_q - 2'(give && map_end);
      end else if (watched_q && give && map_end) begin
        if (before_q == '0) watched_q <= 1'b0;
        before_q <= before_q - 1'b1;
      end

      if (out_valid_o) begin
        assert (there);
        assert (BusWidth'(out_data_o[Bits-1:0]) == out_data_o);
        if (watched_q && before_q == '0 && number == place_q) begin
          assert (out_data_o[Bits-1:0] == word_q[Bits-1:0]);
        end
      end

      rest_q  <= there && !out_valid_o ? rest_q + 1'b1 : '0;
      stuck_q <= !in_ready_o && !out_valid_o ? stuck_q + 1'b1 : '0;
      assert (32'(come_q) <= 2 * MapWords);
      assert (32'(rest_q) < Latency && 32'(stuck_q) < Latency);

      cover (give && map_end && take);
      cover (watched_q && give && before_q == '0 && number == place_q && word_q[0]);
      cover (!in_ready_o);
    end
    if (mark) word_q <= in_data_i;
  end

endmodule
