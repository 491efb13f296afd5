// The way of weights from the AXI-Lite side into the weight memories, and back: every 32-bit segment is
// read, written with errors and acknowledged only after the commit. One error engine serves all weight
// memories, since one segment is written at a time; the memories' configuration and their places in
// their random streams are in LUT RAM.
//
// A segment lies in one column of its memory or, 8 bits in each, in four (see weight_mem). A column is
// read, changed and written back. The draws are made and compared one after the other: a bit's target is
// known, so one comparison with its rate is enough.
//
// Cycles from request to acknowledge: in one column a read takes 5, or 6 in the column's upper half, a
// write 8 with mode off and 77 with errors, 79 from an odd position of the stream. In four columns, which
// a ninth of the segments of a wide memory lie in, a read takes 22, a write 46 or 23 more than in one.
// Longer if the counts of the write before are still being added up: they stay at `count_o` until
// `count_ready_i` is high again. An access that is not allowed (not idle, outside every window) ends with
// `err_o` after one.

module weight_port
  import spinflow_pkg::*;
#(
  parameter bit          WithErrors = 1'b1,
  parameter int unsigned AddrWidth  = 20,
  parameter int unsigned NumWeights = 3,
  parameter logic [NumWeights-1:0][31:0] Width  = {NumWeights{32'd1}},
  parameter logic [NumWeights-1:0][31:0] Depth  = {NumWeights{32'd2}},
  // A multiple of the window's size, and bytes from word to word, a power of two.
  parameter logic [NumWeights-1:0][31:0] Base   = '0,
  parameter logic [NumWeights-1:0][31:0] Stride = {NumWeights{32'd4}},
  localparam int unsigned IndexWidth = NumWeights > 1 ? $clog2(NumWeights) : 1
) (
  input  logic                          clk_i,
  input  logic                          rst_ni,
  input  logic                          soft_reset_i,
  input  logic                          idle_i,        // no frame under way
  // from the AXI-Lite adapter: req_i for a cycle, the others held until ack_o
  input  logic                          req_i,
  input  logic                          we_i,
  input  logic [AddrWidth-1:0]          addr_i,
  input  logic [31:0]                   wdata_i,
  output logic                          ack_o,
  output logic                          err_o,
  output logic [31:0]                   rdata_o,
  output logic                          busy_o,
  // to the weight memories
  output logic [NumWeights-1:0]         weight_en_o,
  output weight_req_t                   weight_req_o,
  input  logic [NumWeights-1:0][31:0]   weight_rdata_i,
  // configuration of the memory of that number, and what a write to it counted
  output logic [IndexWidth-1:0]         index_o,
  input  error_cfg_t                    cfg_i,
  input  logic [NumWeights-1:0]         restart_i,
  output count_t                        count_o,
  output logic                          count_valid_o,
  input  logic                          count_ready_i
);

  localparam int unsigned PosWidth = 33;
  // A new block of draws every so many cycles: half of them for each of its two comparisons.
  localparam int unsigned Interval = 4;

  typedef enum logic [2:0] {StIdle, StDecode, StFetch, StGather, StDraw, StWrite, StAck} state_e;
  state_e state_q, state_d;

  // Which memory an address means, and which word and segment of each memory it would be.
  logic [NumWeights-1:0] window, window_q, in_last, paired;
  logic [NumWeights-1:0][15:0] word;
  logic [NumWeights-1:0][15:0] segment;
  for (genvar m = 0; m < int'(NumWeights); m++) begin : gen_window
    localparam int unsigned SegmentLsb = 2;
    localparam int unsigned WordLsb = $clog2(Stride[m]);
    localparam int unsigned Size = 1 << $clog2(Depth[m] * Stride[m]);
    localparam int unsigned SizeLsb = $clog2(Size);
    localparam int unsigned Segments = (Width[m] + 31) / 32;
    localparam int unsigned Paired = 2 * ((Width[m] + ColumnWidth - 1) / ColumnWidth);

    if (Base[m] % Size != 0) begin : gen_bad_base
      $error("weight_port: Base %0h of memory %0d is not a multiple of its window's size %0h",
             Base[m], m, Size);
    end

    assign word[m]    = 16'((32'(addr_i) & (Size - 1)) >> WordLsb);
    assign segment[m] = 16'((32'(addr_i) & (Stride[m] - 1)) >> SegmentLsb);
    assign window[m]  = 32'(addr_i) >> SizeLsb == Base[m] >> SizeLsb &&
                        32'(word[m]) < Depth[m] && 32'(segment[m]) < Segments;
    assign in_last[m]  = 32'(segment[m]) == Segments - 1;
    assign paired[m] = 32'(segment[m]) < Paired;
  end

  logic [15:0] word_d, segment_d, paired_d;
  logic [5:0]  bits_d;
  logic [IndexWidth-1:0] index_d;
  always_comb begin
    word_d    = '0;
    segment_d = '0;
    paired_d   = '0;
    bits_d    = '0;
    index_d   = '0;
    for (int unsigned m = 0; m < NumWeights; m++) begin
      if (window_q[m]) begin
        word_d    |= word[m];
        segment_d |= segment[m];
        paired_d   |= 16'(2 * ((Width[m] + ColumnWidth - 1) / ColumnWidth));
        bits_d    |= in_last[m] && Width[m] % 32 != 0 ? 6'(Width[m] % 32) : 6'd32;
      end
      if (window[m]) index_d |= IndexWidth'(m);
    end
  end

  // A segment in the upper bits of four columns is spread; the others have a half of a column.
  logic [15:0] word_q;
  logic [7:0]  column_q;
  logic [5:0]  bits_q;
  logic [1:0]  pass_q;      // which of the four columns
  logic        spread_q, upper_half_q, putting_q;
  error_cfg_t  cfg_q;
  logic        allowed, with_errors, decode, gathered, last_pass;

  assign allowed     = idle_i && window != '0;
  assign with_errors = WithErrors && cfg_q.mode != ModeOff;
  // What the write before counted is held until it is taken.
  assign decode      = state_q == StDecode && count_ready_i;
  assign last_pass   = !spread_q || pass_q == 2'((bits_q - 1'b1) >> 3);

  always_ff @(posedge clk_i) begin
    cfg_q <= cfg_i;   // there from StFetch on
    if (state_q == StIdle) begin
      window_q <= window;
      index_o  <= index_d;
    end
    if (decode) begin
      word_q       <= word_d;
      bits_q       <= bits_d;
      spread_q     <= (window_q & paired) == '0;
      upper_half_q <= segment_d[0];
      column_q     <= (window_q & paired) != '0 ? segment_d[8:1]
                                                  : 8'((segment_d - paired_d) << 2);
    end
  end

  // The column in parts, as they come, and the segment's old value.
  logic [1:0]  gather_q;   // counts the cycles since the request
  logic [31:0] rdata, low_q, middle_q, old_q;
  logic [7:0]  high_q;
  always_comb begin
    rdata = '0;
    for (int unsigned m = 0; m < NumWeights; m++) rdata |= weight_rdata_i[m];
  end
  // A read of half a column need not wait for the rest.
  assign gathered = gather_q == (we_i || spread_q ? 2'd3 : upper_half_q ? 2'd2 : 2'd1);

  always_ff @(posedge clk_i) begin
    gather_q <= state_q == StGather ? gather_q + 1'b1 : '0;
    if (gather_q == 2'd1) low_q    <= rdata;
    if (gather_q == 2'd2) middle_q <= rdata;
    if (gather_q == 2'd3) high_q   <= rdata[7:0];
    if (decode) old_q <= '0;
    else if (!putting_q) begin
      for (int unsigned b = 0; b < 4; b++) begin
        if (spread_q) begin
          if (gather_q == 2'd3 && pass_q == 2'(b)) old_q[8*b+:8] <= rdata[7:0];
        end else if (gather_q == (upper_half_q ? 2'd2 : 2'd1)) old_q[8*b+:8] <= rdata[8*b+:8];
      end
    end
  end

  // Place of the memory in its stream: the bits written since its restart.
  logic [31:0]           mask_q, error;
  logic [PosWidth-1:0]   pos_q, pos_plus;
  logic [NumWeights-1:0] started_q;
  logic                  commit, drawn;
  assign commit = state_q == StWrite && last_pass && count_ready_i;
  // Used from two cycles after the decoding on.
  always_ff @(posedge clk_i) mask_q <= 32'((33'd1 << bits_q) - 33'd1);

  if (WithErrors) begin : gen_errors
    (* ram_style = "distributed" *) logic [PosWidth-1:0] place [NumWeights];
    logic [4:0] issued_q;
    assign pos_plus = pos_q +
                      (state_q == StWrite ? PosWidth'(bits_q) : PosWidth'({issued_q, 1'b0}));

    always_ff @(posedge clk_i) begin
      if (decode) pos_q <= started_q[index_o] ? place[index_o] : '0;
      if (commit && with_errors) place[index_o] <= pos_plus;
      if (!rst_ni || soft_reset_i) started_q <= '0;
      else begin
        for (int unsigned m = 0; m < NumWeights; m++) begin
          if (restart_i[m]) started_q[m] <= 1'b0;
          else if (commit && with_errors && window_q[m]) started_q[m] <= 1'b1;
        end
      end
    end

    // Draws for 32 bits, from the block that holds the first position. They start while the old value
    // is being read and come after it, four cycles a block: in phases 2 and 0 they are compared.
    logic [$clog2(Interval)-1:0] phase_q;
    logic [31:0] draw0, draw1, thr_q, one_draw;
    logic [5:0]  bit_q;
    logic        working, issue, draw_valid, skip_q, compare, hit, may_err, bit_error;
    logic        target_q, old_bit_q, in_segment_q;
    logic [5:0]  err1_q, err0_q;
    logic [7:0]  switched_q;
    logic [31:0] error_q;

    assign working = with_errors && we_i &&
                     (state_q == StFetch || state_q == StGather || state_q == StDraw) && !putting_q;
    assign issue   = working && phase_q == '0 && issued_q != 5'd17;

    draw_pipe #(
      .Interval (Interval)
    ) u_draw_pipe (
      .clk_i,
      .rst_ni  (rst_ni && working),
      .phase_i (phase_q),
      .seed_i  (cfg_q.seed),
      .block_i (pos_plus[PosWidth-1:1]),
      .valid_i (issue),
      .draw0_o (draw0),
      .draw1_o (draw1),
      .valid_o (draw_valid)
    );

    // An odd position starts in the second half of its block.
    assign one_draw  = phase_q[1] ? draw0 : draw1;
    assign compare   = draw_valid && !phase_q[0] && !(skip_q && phase_q[1]) && !bit_q[5];
    assign hit       = draw_errs(one_draw, thr_q);
    assign may_err   = cfg_q.mode == ModeFlip ||
                       (cfg_q.mode == ModeSwitch && target_q != old_bit_q);
    assign bit_error = hit && may_err && in_segment_q;
    assign drawn     = bit_q[5];

    always_ff @(posedge clk_i) begin
      if (!working) begin
        phase_q  <= '0;
        issued_q <= '0;
        skip_q   <= 1'b1;
        if (decode) begin
          bit_q   <= '0;
          err1_q  <= '0;
          err0_q  <= '0;
          error_q <= '0;
        end
      end else begin
        phase_q <= phase_q + 1'b1;
        if (issue) issued_q <= issued_q + 1'b1;
        if (draw_valid && phase_q == '0) skip_q <= 1'b0;
        else if (!pos_q[0])              skip_q <= 1'b0;
        if (compare) begin
          bit_q   <= bit_q + 1'b1;
          error_q <= {bit_error, error_q[31:1]};
          err1_q  <= err1_q + 6'(bit_error && target_q);
          err0_q  <= err0_q + 6'(bit_error && !target_q);
        end
        target_q     <= wdata_i[bit_q[4:0]];
        old_bit_q    <= old_q[bit_q[4:0]];
        in_segment_q <= {1'b0, bit_q[4:0]} < bits_q;
        thr_q        <= wdata_i[bit_q[4:0]] ? cfg_q.rate1 : cfg_q.rate0;
      end
    end

    // The old value is there at least a cycle before the last StGather ends.
    always_ff @(posedge clk_i) begin
      if (state_q == StGather) switched_q <= 8'($countones((wdata_i ^ old_q) & mask_q));
    end

    assign error            = error_q;
    assign count_o.written  = 8'(bits_q);
    assign count_o.switched = switched_q;
    assign count_o.err1     = 8'(err1_q);
    assign count_o.err0     = 8'(err0_q);
    assign count_valid_o    = state_q == StWrite && last_pass;
  end else begin : gen_no_errors
    assign error         = '0;
    assign drawn         = 1'b1;
    assign count_o       = '0;
    assign count_valid_o = 1'b0;
  end

  // The column with the segment in it. An error stores the opposite of the target.
  logic [31:0] stored;
  logic [ColumnWidth-1:0] column;
  assign stored        = (wdata_i ^ error) & mask_q;
  assign column[31:0]  = !spread_q && !upper_half_q ? stored : low_q;
  assign column[63:32] = !spread_q && upper_half_q ? stored : middle_q;
  assign column[71:64] = spread_q ? stored[8*pass_q+:8] : high_q;

  always_comb begin
    state_d = state_q;
    unique case (state_q)
      StIdle:   if (req_i) state_d = allowed ? StDecode : StAck;
      StDecode: if (decode) state_d = StFetch;
      StFetch:  state_d = StGather;
      StGather: if (gathered) begin
        if (!putting_q && !last_pass)            state_d = StFetch;
        else if (!we_i)                          state_d = StAck;
        else if (putting_q || (!spread_q && !with_errors)) state_d = StWrite;
        else if (with_errors)                    state_d = StDraw;
        else                                     state_d = StFetch;
      end
      StDraw:   if (drawn) state_d = spread_q ? StFetch : StWrite;
      StWrite:  if (count_ready_i) state_d = last_pass ? StAck : StFetch;
      StAck:    state_d = StIdle;
      default:  state_d = StIdle;
    endcase
  end

  always_ff @(posedge clk_i) begin
    if (!rst_ni) begin
      state_q <= StIdle;
      err_o   <= 1'b0;
    end else begin
      state_q <= state_d;
      if (state_q == StIdle) err_o <= req_i && !allowed;
    end
    // A spread segment is put back in a second round through its columns.
    if (state_q == StIdle) begin
      pass_q    <= '0;
      putting_q <= 1'b0;
    end else if (state_d == StFetch && !decode) begin
      pass_q <= last_pass ? '0 : pass_q + 1'b1;
      if (last_pass) putting_q <= 1'b1;
    end
  end

  assign weight_en_o  = state_q == StFetch || (state_q == StWrite && count_ready_i) ? window_q : '0;
  assign weight_req_o = '{
    we:     state_q == StWrite,
    addr:   word_q,
    column: {column_q[7:2], spread_q ? pass_q : column_q[1:0]},
    wdata:  column
  };

  assign ack_o   = state_q == StAck;
  assign rdata_o = err_o ? '0 : old_q;
  assign busy_o  = state_q != StIdle || req_i;

endmodule
