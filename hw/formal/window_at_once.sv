// What window_at_once promises: for each window that covers pixels of the map, in (row, column) order, all
// its pixels as they came, once, one cycle after the last of them; with 0 in the padding. A window stays
// until it is taken. A pixel is taken in every cycle in which no window waits, or it goes. After a reset
// the next pixel is the first of a map.
//
// Assumed: pixels stay until they are taken.

module window_at_once_formal #(
  // As of window_at_once.
  parameter int unsigned Rows          = 3,
  parameter int unsigned Columns       = 4,
  parameter int unsigned Bits          = 1,
  parameter int unsigned KernelRows    = 2,
  parameter int unsigned KernelColumns = 2,
  parameter int unsigned StrideRows    = 1,
  parameter int unsigned StrideColumns = 2,
  parameter bit          BlockRam      = 1'b0,
  localparam int unsigned Pixels   = KernelRows * KernelColumns,
  localparam int unsigned InWidth  = 8 * ((Bits + 7) / 8),
  localparam int unsigned OutWidth = 8 * ((Pixels * Bits + 7) / 8)
) (
  // Ports of window_at_once that others drive.
  input logic               clk_i,
  input logic               rst_ni,
  input logic [InWidth-1:0] in_data_i,
  input logic               in_valid_i,
  input logic               out_ready_i,

  // Free: the window that is complete in this cycle is the one to watch.
  input logic               mark_i
);

  logic                in_ready_o, out_valid_o;
  logic [OutWidth-1:0] out_data_o;

  window_at_once #(
    .Rows (Rows), .Columns (Columns), .Bits (Bits), .KernelRows (KernelRows),
    .KernelColumns (KernelColumns), .StrideRows (StrideRows), .StrideColumns (StrideColumns),
    .BlockRam (BlockRam)
  ) dut (.*);
  begins_in_reset u_begins (.clk_i, .rst_ni);
  stream_rule #(.Width (InWidth), .Assumed (1'b1)) u_in (
    .clk_i, .rst_ni, .data_i (in_data_i), .valid_i (in_valid_i), .ready_i (in_ready_o)
  );
  stream_rule #(.Width (OutWidth)) u_out (
    .clk_i, .rst_ni, .data_i (out_data_o), .valid_i (out_valid_o), .ready_i (out_ready_i)
  );

  // The map as far as it has come, and the place of its next pixel.
  logic [Rows-1:0][Columns-1:0][Bits-1:0] map, map_q;
  logic [$clog2(Rows)-1:0]                row_q;
  logic [$clog2(Columns)-1:0]             column_q;
  logic [Pixels-1:0][Bits-1:0]            window;
  logic take, row_end, map_end, whole;
  assign take    = in_valid_i && in_ready_o;
  assign row_end = 32'(column_q) == Columns - 1;
  assign map_end = row_end && 32'(row_q) == Rows - 1;
  // This pixel is the last of a window.
  assign whole   = 32'(row_q) >= KernelRows - 1 && 32'(column_q) >= KernelColumns - 1 &&
                   (32'(row_q) - (KernelRows - 1)) % StrideRows == 0 &&
                   (32'(column_q) - (KernelColumns - 1)) % StrideColumns == 0;
  always_comb begin
    map    = map_q;
    window = '0;
    for (int unsigned r = 0; r < Rows; r++) begin
      for (int unsigned c = 0; c < Columns; c++) begin
        if (r == 32'(row_q) && c == 32'(column_q)) map[r][c] = in_data_i[Bits-1:0];
      end
    end
    for (int unsigned r = KernelRows - 1; r < Rows; r++) begin
      for (int unsigned c = KernelColumns - 1; c < Columns; c++) begin
        if (r == 32'(row_q) && c == 32'(column_q)) begin
          for (int unsigned p = 0; p < Pixels; p++) begin
            window[p] = map[r-(KernelRows-1)+p/KernelColumns][c-(KernelColumns-1)+p%KernelColumns];
          end
        end
      end
    end
  end

  stream_order #(.Width (OutWidth), .Room (1), .Latency (1)) u_order (
    .clk_i,
    .rst_ni,
    .mark_i,
    .push_i  (take && whole),
    .word_i  (OutWidth'(window)),
    .data_i  (out_data_o),
    .valid_i (out_valid_o),
    .ready_i (out_ready_i)
  );

  always_ff @(posedge clk_i) begin
    if (!rst_ni) begin
      row_q    <= '0;
      column_q <= '0;
    end else begin
      if (take) begin
        column_q <= row_end ? '0 : column_q + 1'b1;
        if (row_end) row_q <= map_end ? '0 : row_q + 1'b1;
      end
      assert (in_ready_o == (!out_valid_o || out_ready_i));
      cover (take && out_valid_o && out_ready_i);
      cover (take && map_end);
    end
    if (take) map_q <= map;
  end

endmodule
