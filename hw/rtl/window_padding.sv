// Which inputs of a convolution's window are padding, fold by fold.
//
// Windows come row by row over a map that is framed with padding; the inputs of a window have the order
// (row, column, channel), Simd of them to a fold. A window may be gone through several times. Where a
// fold lies within a pixel, counters follow it through the window; else its number says which pixels it
// has a part of.
//
// Latency: `pad_o` belongs to the fold of `step_i`, one cycle later; `missing_o` two more. No
// throughput of its own: it follows binary_mvu.

module window_padding #(
  // Inputs of a window and of a fold.
  parameter int unsigned Mw   = 9,
  parameter int unsigned Simd = 1,
  // The windows, and the map that they move over.
  parameter spinflow_pkg::window_t Window = '{
    map_rows: 4, map_columns: 4, top: 1, left: 1, kernel_rows: 3, kernel_columns: 3,
    stride_rows: 1, stride_columns: 1, out_rows: 4, out_columns: 4
  },
  localparam int unsigned Sf = Mw / Simd,
  localparam int unsigned SfWidth    = Sf > 1 ? $clog2(Sf) : 1,
  localparam int unsigned CountWidth = $clog2(Simd + 1)
) (
  // Clock, and reset (active low): the next window is the first of a map.
  input  logic                  clk_i,
  input  logic                  rst_ni,

  // A fold begins its way; its number in the window, and whether it is the last of the last pass.
  input  logic                  step_i,
  input  logic [SfWidth-1:0]    fold_i,
  input  logic                  window_last_i,

  // The fold's second and third stage take new values in this cycle.
  input  logic                  en1_i,
  input  logic                  en2_i,

  // Whether each input of the fold is padding, one cycle after `step_i`; and how many are, two more.
  output logic [Simd-1:0]       pad_o,
  output logic [CountWidth-1:0] missing_o
);

  localparam int unsigned KernelRows    = 32'(Window.kernel_rows);
  localparam int unsigned KernelColumns = 32'(Window.kernel_columns);
  localparam int unsigned StrideRows    = 32'(Window.stride_rows);
  localparam int unsigned StrideColumns = 32'(Window.stride_columns);
  localparam int unsigned Top           = 32'(Window.top);
  localparam int unsigned Left          = 32'(Window.left);
  localparam int unsigned BehindRows    = Top + 32'(Window.map_rows);   // first row below the map
  localparam int unsigned BehindColumns = Left + 32'(Window.map_columns);
  localparam int unsigned LastRow       = (32'(Window.out_rows) - 1) * StrideRows;
  localparam int unsigned LastColumn    = (32'(Window.out_columns) - 1) * StrideColumns;
  localparam int unsigned RowWidth      = LastRow > 0 ? $clog2(LastRow + 1) : 1;
  localparam int unsigned ColumnWidth   = LastColumn > 0 ? $clog2(LastColumn + 1) : 1;

  localparam int unsigned Channels = Mw / (KernelRows * KernelColumns);

  function automatic int unsigned divisor();
    int unsigned b;
    divisor = Channels;
    b       = Simd;
    while (b != 0) {divisor, b} = {b, divisor % b};
  endfunction
  localparam int unsigned Part  = divisor();   // so many inputs of a fold are always of one pixel
  localparam int unsigned Parts = Simd / Part;

  if (Mw % (KernelRows * KernelColumns) != 0) begin : gen_bad_kernel
    $error("window_padding: Mw %0d is not a whole number of pixels", Mw);
  end

  // First row and column of the window, padding counted.
  logic [RowWidth-1:0]    row_q;
  logic [ColumnWidth-1:0] column_q;
  logic row_last, column_last;
  assign row_last    = row_q == RowWidth'(LastRow);
  assign column_last = column_q == ColumnWidth'(LastColumn);
  always_ff @(posedge clk_i) begin
    if (!rst_ni) begin
      row_q    <= '0;
      column_q <= '0;
    end else if (step_i && window_last_i) begin
      column_q <= column_last ? '0 : column_q + ColumnWidth'(StrideColumns);
      if (column_last) row_q <= row_last ? '0 : row_q + RowWidth'(StrideRows);
    end
  end

  // Rows and columns of the window that lie beside the map.
  logic [KernelRows-1:0]    row_out;
  logic [KernelColumns-1:0] column_out;
  for (genvar i = 0; i < int'(KernelRows); i++) begin : gen_row
    assign row_out[i] = 32'(row_q) + i < Top || 32'(row_q) + i >= BehindRows;
  end
  for (genvar i = 0; i < int'(KernelColumns); i++) begin : gen_column
    assign column_out[i] = 32'(column_q) + i < Left || 32'(column_q) + i >= BehindColumns;
  end

  logic [Parts-1:0] pad_d, pad_q;
  if (Parts == 1) begin : gen_counters
    localparam int unsigned Run = Channels / Simd;
    localparam int unsigned RunWidth = Run > 1 ? $clog2(Run) : 1;
    localparam int unsigned IWidth   = KernelRows > 1 ? $clog2(KernelRows) : 1;
    localparam int unsigned JWidth   = KernelColumns > 1 ? $clog2(KernelColumns) : 1;
    logic [RunWidth-1:0] run_q;   // folds of this pixel that are done
    logic [IWidth-1:0]   i_q;
    logic [JWidth-1:0]   j_q;
    logic run_last, i_last, j_last, unused_fold;

    assign unused_fold = ^fold_i;
    assign run_last = run_q == RunWidth'(Run - 1);
    assign i_last   = i_q == IWidth'(KernelRows - 1);
    assign j_last   = j_q == JWidth'(KernelColumns - 1);
    always_ff @(posedge clk_i) begin
      if (!rst_ni) begin
        run_q <= '0;
        i_q   <= '0;
        j_q   <= '0;
      end else if (step_i) begin
        run_q <= run_last ? '0 : run_q + 1'b1;
        if (run_last) j_q <= j_last ? '0 : j_q + 1'b1;
        if (run_last && j_last) i_q <= i_last ? '0 : i_q + 1'b1;
      end
    end
    assign pad_d = row_out[i_q] || column_out[j_q];
  end else begin : gen_numbers
    logic [Parts-1:0] of_fold [2**SfWidth];
    for (genvar f = 0; f < 2 ** SfWidth; f++) begin : gen_fold
      for (genvar p = 0; p < int'(Parts); p++) begin : gen_part
        if (f < int'(Sf)) begin : gen_there
          localparam int unsigned Pixel = (f * Simd + p * Part) / Channels;
          assign of_fold[f][p] = row_out[Pixel/KernelColumns] || column_out[Pixel%KernelColumns];
        end else begin : gen_none
          assign of_fold[f][p] = 1'b0;
        end
      end
    end
    assign pad_d = of_fold[fold_i];
  end

  logic [CountWidth-1:0] missing_q;
  always_ff @(posedge clk_i) begin
    if (step_i) pad_q <= pad_d;
    if (en1_i)  missing_q <= CountWidth'($countones(pad_q) * Part);
    if (en2_i)  missing_o <= missing_q;
  end

  for (genvar p = 0; p < int'(Parts); p++) begin : gen_out
    assign pad_o[p*Part+:Part] = {Part{pad_q[p]}};
  end

endmodule
