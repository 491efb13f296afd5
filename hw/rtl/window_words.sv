// Sliding window of a convolution, word by word: gives the pixels of each window one after another.
//
// A map comes in (row, column, fold) order, a pixel being Folds words of Bits bits. Windows go out row
// by row, each in (row, column, fold) order. Words wait in a cyclic buffer that holds one window with
// all that lies between its rows. A word goes out as soon as it has come in, a place is free again as
// soon as neither this window nor a later one needs it, and one frame follows the other in the buffer
// without a gap. All is counted in differences: `ahead_q` is how far the words that came in are ahead
// of the one to be read, `free_q` how many more there is room for; their signs are the flow control.
//
// Latency: one cycle from a word to its first window, two more with block RAM. Throughput: one word out
// a cycle and one in, where the window has a place for it.

module window_words #(
  // Pixels of the map, and words of a pixel.
  parameter int unsigned Rows          = 5,
  parameter int unsigned Columns       = 5,
  parameter int unsigned Folds         = 2,
  // Bits of a word.
  parameter int unsigned Bits          = 64,
  // Pixels of a window, and of the step from one to the next. Windows cover the whole map.
  parameter int unsigned KernelRows    = 3,
  parameter int unsigned KernelColumns = 3,
  parameter int unsigned StrideRows    = 1,
  parameter int unsigned StrideColumns = 1,
  // Whether the buffer is block RAM; else it is LUT RAM.
  parameter bit          BlockRam      = 1'b0,
  localparam int unsigned BusWidth = 8 * ((Bits + 7) / 8)
) (
  // Clock, and reset (active low): the next word is the first of a map.
  input  logic                clk_i,
  input  logic                rst_ni,

  // Map; the bits above Bits are not read.
  input  logic [BusWidth-1:0] in_data_i,
  input  logic                in_valid_i,
  output logic                in_ready_o,

  // Windows; the bits above Bits are 0.
  output logic [BusWidth-1:0] out_data_o,
  output logic                out_valid_o,
  input  logic                out_ready_i
);

  localparam int OutRows    = int'((Rows - KernelRows) / StrideRows) + 1;
  localparam int OutColumns = int'((Columns - KernelColumns) / StrideColumns) + 1;
  localparam int LineWords  = int'(Columns * Folds);
  localparam int RunWords   = int'(KernelColumns * Folds);   // of a window's row
  localparam int StepWords  = int'(StrideColumns * Folds);   // from one window to the next
  // Words between the rows of one window and those of the window below it.
  localparam int SkipRows   = StrideRows > KernelRows ? int'(StrideRows - KernelRows) : 0;
  localparam int SkipWords  = SkipRows * LineWords;
  localparam int SpanWords  = int'(KernelRows - 1) * LineWords + RunWords;   // from first to last

  if (KernelRows < 1 || KernelColumns < 1 || KernelRows > Rows || KernelColumns > Columns ||
      Folds < 1 || StrideRows < 1 || StrideColumns < 1 ||
      (Rows - KernelRows) % StrideRows != 0 ||
      (Columns - KernelColumns) % StrideColumns != 0) begin : gen_bad_window
    $error("window_words: windows of %0d x %0d, steps of %0d x %0d: no cover of %0d x %0d",
           KernelRows, KernelColumns, StrideRows, StrideColumns, Rows, Columns);
  end

  // Steps longer than a window let words come in meanwhile that are skipped later.
  function automatic int spare(int step);
    spare = step - int'(KernelRows * KernelColumns);
    if (spare < 0) spare = 0;
  endfunction
  localparam int Needed = SpanWords + int'(Folds) * (spare(int'(StrideColumns) - 1) +
                                                     spare(int'((StrideRows - 1) * Columns)));
  // LUT RAM comes in pieces of 32 and 64 words.
  localparam int Depth = BlockRam ? (Needed < 2 ? 2 : Needed) :
                         Needed <= 32 ? 32 : (Needed + 63) / 64 * 64;
  localparam int AddrWidth = $clog2(Depth);

  // How far it is from a word that goes out to the next one: in a window's row 1; to its next row; to
  // the next window; to the first one of the next row of windows; to the next frame 1.
  localparam int ToRow    = LineWords - RunWords + 1;
  localparam int ToWindow = StepWords - SpanWords + 1;
  localparam int ToTurn   = int'(StrideRows - 1) * LineWords + RunWords - SpanWords + 1;

  function automatic int largest(int a, int b, int c);
    largest = a > b ? a : b;
    if (c > largest) largest = c;
  endfunction
  localparam int Reach = largest(largest(ToRow, ToWindow, ToTurn), SpanWords,
                                 int'(StrideRows) * LineWords);
  localparam int CountWidth = $clog2(Depth + Reach + 2) + 1;   // of signed differences
  typedef logic signed [CountWidth-1:0] count_t;

  logic take, fetch, out_en;

  // --- the word to be read: its place in its row of the window, in the window, among the windows

  localparam int unsigned RunWidth    = RunWords > 1 ? $clog2(RunWords) : 1;
  localparam int unsigned RowWidth    = KernelRows > 1 ? $clog2(KernelRows) : 1;
  localparam int unsigned AcrossWidth = OutColumns > 1 ? $clog2(OutColumns) : 1;
  localparam int unsigned DownWidth   = OutRows > 1 ? $clog2(OutRows) : 1;
  logic [RunWidth-1:0]    run_q;
  logic [RowWidth-1:0]    row_q;
  logic [AcrossWidth-1:0] across_q;
  logic [DownWidth-1:0]   down_q;
  logic run_last_q, row_last_q, across_last_q, down_last_q, window_last;
  logic freeing_q;   // the next window does not need this word
  logic step_end, turn_end;   // behind this word, or this row, begins the next window

  assign window_last = run_last_q && row_last_q;
  assign step_end = StepWords < RunWords && run_q == RunWidth'(StepWords - 1);
  assign turn_end = StrideRows <= KernelRows && row_q == RowWidth'(StrideRows - 1);

  always_ff @(posedge clk_i) begin
    if (!rst_ni) begin
      run_q         <= '0;
      row_q         <= '0;
      across_q      <= '0;
      down_q        <= '0;
      run_last_q    <= RunWords == 1;
      row_last_q    <= KernelRows == 1;
      across_last_q <= OutColumns == 1;
      down_last_q   <= OutRows == 1;
      freeing_q     <= 1'b1;
    end else if (fetch) begin
      run_q      <= run_last_q ? '0 : run_q + 1'b1;
      run_last_q <= RunWords == 1 || (!run_last_q && run_q == RunWidth'(RunWords - 2));
      if (run_last_q) begin
        row_q      <= row_last_q ? '0 : row_q + 1'b1;
        row_last_q <= KernelRows == 1 || (!row_last_q && row_q == RowWidth'(KernelRows - 2));
      end
      if (window_last) begin
        across_q      <= across_last_q ? '0 : across_q + 1'b1;
        across_last_q <= OutColumns == 1 ||
                         (!across_last_q && across_q == AcrossWidth'(OutColumns - 2));
      end
      if (window_last && across_last_q) begin
        down_q      <= down_last_q ? '0 : down_q + 1'b1;
        down_last_q <= OutRows == 1 || (!down_last_q && down_q == DownWidth'(OutRows - 2));
      end
      if (window_last) freeing_q <= 1'b1;
      else if (!across_last_q && (run_last_q || step_end)) freeing_q <= 1'b0;
      else if (across_last_q && !down_last_q && run_last_q && turn_end) freeing_q <= 1'b0;
    end
  end

  // How far the next word is behind the word that is read, and how many places are free when that
  // has been read, less 1.
  count_t behind, gained;

  always_comb begin
    behind = -count_t'(1);
    if (run_last_q) begin
      if (!row_last_q)         behind = -count_t'(ToRow);
      else if (!across_last_q) behind = -count_t'(ToWindow);
      else if (!down_last_q)   behind = -count_t'(ToTurn);
    end
  end

  always_comb begin
    gained = freeing_q ? '0 : -count_t'(1);
    if (freeing_q && run_last_q) begin
      if (!across_last_q) begin
        gained = count_t'(StepWords - RunWords);
      end else if (!down_last_q) begin
        if (row_last_q) gained = count_t'(SkipWords);
        else            gained = turn_end ? '0 : count_t'(ToRow - 1);
      end else if (!row_last_q) begin
        gained = count_t'(ToRow - 1);
      end
    end
  end

  // --- flow control

  count_t ahead_q;   // words that came in from the one to be read on, less 1
  count_t free_q;    // words that there is room for, less 1
  logic unused_ahead, unused_free;

  assign in_ready_o = !free_q[CountWidth-1];
  assign take       = in_valid_i && in_ready_o;
  assign fetch      = !ahead_q[CountWidth-1] && out_en;

  // With and without a word that goes out, which is known late: it only chooses. The bit below the lowest
  // one carries the word that comes in.
  count_t ahead_stays, ahead_goes, free_stays, free_goes;
  assign ahead_stays = ahead_q + count_t'({1'b0, take});
  assign free_stays  = free_q - count_t'({1'b0, take});
  assign {ahead_goes, unused_ahead} = {ahead_q, 1'b1} + {behind, take};
  assign {free_goes, unused_free}   = {free_q, 1'b1} + {gained, !take};

  always_ff @(posedge clk_i) begin
    if (!rst_ni) begin
      ahead_q <= -count_t'(1);
      free_q  <= count_t'(Depth - 1);
    end else begin
      ahead_q <= fetch ? ahead_goes : ahead_stays;
      free_q  <= fetch ? free_goes : free_stays;
    end
  end

  // --- addresses

  logic [AddrWidth-1:0] waddr_q, raddr_q, raddr_d;

  always_ff @(posedge clk_i) begin
    if (!rst_ni) begin
      waddr_q <= '0;
      raddr_q <= '0;
    end else begin
      if (take)  waddr_q <= waddr_q == AddrWidth'(Depth - 1) ? '0 : waddr_q + 1'b1;
      if (fetch) raddr_q <= raddr_d;
    end
  end

  // A distance around the buffer, 0 to Depth - 1.
  function automatic logic [AddrWidth-1:0] around(int distance);
    int rest;
    rest = distance % Depth;
    around = AddrWidth'(rest < 0 ? rest + Depth : rest);
  endfunction

  logic [AddrWidth-1:0] jump;
  always_comb begin
    jump = around(1);
    if (run_last_q) begin
      if (!row_last_q)         jump = around(ToRow);
      else if (!across_last_q) jump = around(ToWindow);
      else if (!down_last_q)   jump = around(ToTurn);
    end
  end
  if (Depth == 2 ** AddrWidth) begin : gen_wraps
    assign raddr_d = raddr_q + jump;
  end else begin : gen_wrapped
    logic [AddrWidth-1:0] straight;
    logic [AddrWidth:0]   back;   // below 0 where the buffer's end is not reached
    assign straight = raddr_q + jump;
    assign back     = {1'b0, raddr_q} + ({1'b0, jump} - (AddrWidth + 1)'(Depth));
    assign raddr_d  = back[AddrWidth] ? straight : back[AddrWidth-1:0];
  end

  // --- the buffer

  logic [Bits-1:0] word_q;

  if (BlockRam) begin : gen_block
    logic read_valid_q, word_en;

    assign word_en = !out_valid_o || out_ready_i;
    assign out_en  = !read_valid_q || word_en;

    // A word that is read has come before, so the one that comes goes to another place.
    block_ram #(
      .Width (Bits), .Depth (Depth), .BothAtOnce (1'b1)
    ) u_block (
      .clk_i,
      .we_i    (take),
      .waddr_i (waddr_q),
      .wdata_i (in_data_i[Bits-1:0]),
      .re_i    (fetch),
      .raddr_i (raddr_q),
      .take_i  (word_en),
      .clear_i (1'b0),
      .rdata_o (word_q)
    );

    always_ff @(posedge clk_i) begin
      if (!rst_ni) begin
        read_valid_q <= 1'b0;
        out_valid_o  <= 1'b0;
      end else begin
        if (out_en)  read_valid_q <= fetch;
        if (word_en) out_valid_o <= read_valid_q;
      end
    end
  end else begin : gen_lut
    (* ram_style = "distributed" *) logic [Bits-1:0] mem [Depth];

    assign out_en = !out_valid_o || out_ready_i;

    always_ff @(posedge clk_i) begin
      if (take) mem[waddr_q] <= in_data_i[Bits-1:0];
    end

    always_ff @(posedge clk_i) begin
      if (!rst_ni)     out_valid_o <= 1'b0;
      else if (out_en) out_valid_o <= fetch;
      if (out_en) word_q <= mem[raddr_q];
    end
  end

  assign out_data_o = BusWidth'(word_q);

endmodule
