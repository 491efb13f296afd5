// The way of weights from the AXI-Lite side into the weight memories, and back: every 32-bit segment is
// read, written with errors and acknowledged only after the commit. weight_decode finds the segment's
// place, weight_errors makes its errors; here are the steps of an access.
//
// A segment lies in one column of its memory or, 8 bits in each, in four (see weight_mem). A column is
// read, changed and written back.
//
// Cycles from request to acknowledge: in one column a read takes 8, or 9 in the column's upper half, a
// write 11 with mode off and 24 with errors. In four columns, which a ninth of the segments of a wide
// memory lie in, a read takes 31, a write 63 and 83. Ties of draws add 12 each time round, blocks that the
// engine makes for others one each. Longer if the counts of the write before are still being added up:
// they stay at `count_o` until `count_ready_i` is high again. An access that is not allowed (not idle,
// outside every window) ends with `err_o` after two.

module weight_port
  import spinflow_pkg::*;
#(
  // Whether writes can err; without, segments are stored as they come and nothing is counted.
  parameter bit          WithErrors = 1'b1,
  // Bits of a byte address on the AXI-Lite side.
  parameter int unsigned AddrWidth  = 20,
  // Number of weight memories.
  parameter int unsigned NumWeights = 3,
  // Bits of a word and words, of each memory.
  parameter logic [NumWeights-1:0][31:0] Width  = {NumWeights{32'd1}},
  parameter logic [NumWeights-1:0][31:0] Depth  = {NumWeights{32'd2}},
  // First byte address of each memory's window, a multiple of the window's size.
  parameter logic [NumWeights-1:0][31:0] Base   = '0,
  // Bytes from one word to the next in the window, a power of two.
  parameter logic [NumWeights-1:0][31:0] Stride = {NumWeights{32'd4}},
  localparam int unsigned IndexWidth = NumWeights > 1 ? $clog2(NumWeights) : 1
) (
  // Clock, and reset (active low), which abandons an access and restarts all random streams.
  input  logic                          clk_i,
  input  logic                          rst_ni,

  // Restarts all random streams; for a cycle. Memories and an access under way stay as they are.
  input  logic                          soft_reset_i,

  // No frame is under way: weights may be accessed. Looked at in the cycle after `req_i`.
  input  logic                          idle_i,

  // Access from the AXI-Lite slave: `req_i` is high for a cycle, the others hold until `ack_o`.
  input  logic                          req_i,
  input  logic                          we_i,          // 1 writes, 0 reads
  input  logic [AddrWidth-1:0]          addr_i,        // byte address of the segment
  input  logic [31:0]                   wdata_i,       // target of the segment

  // Its answer: `ack_o` is high for a cycle, and only then the others are valid.
  output logic                          ack_o,
  output logic                          err_o,         // not allowed; nothing was done
  output logic [31:0]                   rdata_o,       // the segment before; 0 with `err_o`

  // An access is under way, from the cycle after `req_i` on; no frame may start.
  output logic                          busy_o,

  // Access to one column of a weight memory, and its answer in parts (see weight_mem); the answers of all
  // other memories are 0.
  output logic [NumWeights-1:0]         weight_en_o,   // one bit a memory, high for a cycle
  output weight_req_t                   weight_req_o,
  input  logic [NumWeights-1:0][31:0]   weight_rdata_i,

  // Number of the memory that is accessed, from the cycle after the request to the next one, and the
  // mode of that memory's errors, answered in the same cycle.
  output logic [IndexWidth-1:0]         index_o,
  input  logic [1:0]                    mode_i,

  // Restarts the random stream of a memory, for a cycle; one bit a memory.
  input  logic [NumWeights-1:0]         restart_i,

  // Draws from the engine for the memory of `index_o`: what is wanted, whether it is granted, the answer.
  output draw_request_t                 request_o,
  input  logic                          grant_i,
  input  draw_answer_t                  answer_i,
  input  logic                          answer_valid_i,

  // What a write counted, in bits. It is taken in a cycle with both valid and ready, is whole from the next
  // one on and holds until ready is high again.
  output count_t                        count_o,
  output logic                          count_valid_o,
  input  logic                          count_ready_i
);

  typedef enum logic [2:0] {
    StIdle, StCheck, StDecode, StFetch, StGather, StDraw, StWrite, StAck
  } state_e;
  state_e state_q, state_d;

  logic [NumWeights-1:0] memory;
  logic [15:0] word;
  logic [7:0]  column_index;
  logic [5:0]  bits;
  logic        spread, upper_half;   // a segment in the upper bits of four columns is spread
  logic [1:0]  pass_q, passes_q;     // which of the four columns, and the last one
  logic        putting_q;
  logic [1:0]  mode_q;
  logic        hit, allowed, with_errors, decode, gathered_q, last_pass_q;

  assign allowed     = idle_i && hit;
  assign with_errors = WithErrors && mode_q != ModeOff;
  // What the write before counted is held until it is taken.
  assign decode      = state_q == StDecode && count_ready_i;

  weight_decode #(
    .AddrWidth  (AddrWidth),
    .NumWeights (NumWeights),
    .Width      (Width),
    .Depth      (Depth),
    .Base       (Base),
    .Stride     (Stride)
  ) u_weight_decode (
    .clk_i,
    .addr_i,
    .sample_i     (state_q == StIdle),
    .take_i       (decode),
    .hit_o        (hit),
    .index_o,
    .memory_o     (memory),
    .word_o       (word),
    .column_o     (column_index),
    .spread_o     (spread),
    .upper_half_o (upper_half),
    .bits_o       (bits)
  );

  // The column in parts, as they come, and the segment's old value.
  // Cycles from the request to each part, less one.
  localparam int unsigned Low = WeightLatency, Middle = Low + 1, High = Low + 2;
  logic [High:0] since_q;   // one bit of these: the cycles since the request, less one
  logic [31:0] rdata, low_q, middle_q, old_q;
  logic [7:0]  high_q;
  always_comb begin
    rdata = '0;
    for (int unsigned m = 0; m < NumWeights; m++) rdata |= weight_rdata_i[m];
  end

  // A read of half a column need not wait for the rest. That all is there, and that these are the last
  // columns, is known a cycle before it is looked at.
  always_ff @(posedge clk_i) begin
    gathered_q  <= we_i || spread ? since_q[High-1] :
                   upper_half     ? since_q[Middle-1] : since_q[Low-1];
    last_pass_q <= !spread || pass_q == passes_q;
  end

  always_ff @(posedge clk_i) begin
    since_q <= state_q == StGather ? {since_q[High-1:0], 1'b0} : (High+1)'(state_q == StFetch);
    if (since_q[Low]) low_q       <= rdata;
    if (since_q[Middle]) middle_q <= rdata;
    if (since_q[High]) high_q     <= rdata[7:0];
    if (decode) old_q <= '0;
    else if (!putting_q) begin
      for (int unsigned b = 0; b < 4; b++) begin
        if (spread) begin
          if (since_q[High] && pass_q == 2'(b)) old_q[8*b+:8] <= rdata[7:0];
        end else if (upper_half ? since_q[Middle] : since_q[Low]) old_q[8*b+:8] <= rdata[8*b+:8];
      end
    end
  end

  logic [31:0] mask_q, error;
  logic        drawn, working;   // draws are wanted
  assign working = with_errors && we_i && !putting_q && (state_q == StDraw || (!spread &&
                   (state_q == StFetch || state_q == StGather)));
  // All are used from two cycles after the decoding on.
  always_ff @(posedge clk_i) begin
    mode_q   <= mode_i;
    passes_q <= 2'((bits - 1'b1) >> 3);
    for (int unsigned b = 0; b < 32; b++) mask_q[b] <= 32'(bits) > b;
  end

  if (WithErrors) begin : gen_errors
    weight_errors #(
      .NumWeights (NumWeights)
    ) u_weight_errors (
      .clk_i,
      .rst_ni,
      .soft_reset_i,
      .restart_i,
      .index_i        (index_o),
      .memory_i       (memory),
      .mode_i         (mode_q),
      .begin_i        (decode),
      .working_i      (working),
      .gather_i       (state_q == StGather),
      .wdata_i,
      .old_i          (old_q),
      .mask_i         (mask_q),
      .bits_i         (bits),
      .request_o,
      .grant_i,
      .answer_i,
      .answer_valid_i,
      .error_o        (error),
      .drawn_o        (drawn),
      .count_o
    );
    assign count_valid_o = state_q == StWrite && last_pass_q;
  end else begin : gen_no_errors
    assign request_o     = '0;
    assign error         = '0;
    assign drawn         = 1'b1;
    assign count_o       = '0;
    assign count_valid_o = 1'b0;
  end

  // The column with the segment in it. An error stores the opposite of the target.
  logic [31:0] stored;
  logic [ColumnWidth-1:0] column;
  assign stored        = (wdata_i ^ error) & mask_q;
  assign column[31:0]  = !spread && !upper_half ? stored : low_q;
  assign column[63:32] = !spread && upper_half ? stored : middle_q;
  assign column[71:64] = spread ? stored[8*pass_q+:8] : high_q;

  always_comb begin
    state_d = state_q;
    unique case (state_q)
      StIdle:   if (req_i) state_d = StCheck;
      StCheck:  state_d = allowed ? StDecode : StAck;
      StDecode: if (decode) state_d = StFetch;
      StFetch:  state_d = StGather;
      StGather: if (gathered_q) begin
        if (!putting_q && !last_pass_q)                  state_d = StFetch;
        else if (!we_i)                                  state_d = StAck;
        else if (putting_q || (!spread && !with_errors)) state_d = StWrite;
        else if (with_errors)                            state_d = StDraw;
        else                                             state_d = StFetch;
      end
      StDraw:   if (drawn) state_d = spread ? StFetch : StWrite;
      StWrite:  if (count_ready_i) state_d = last_pass_q ? StAck : StFetch;
      StAck:    state_d = StIdle;
      default:  state_d = StIdle;
    endcase
  end

  always_ff @(posedge clk_i) begin
    if (!rst_ni) begin
      state_q <= StIdle;
      busy_o  <= 1'b0;
      err_o   <= 1'b0;
    end else begin
      state_q <= state_d;
      busy_o  <= state_d != StIdle;
      if (state_q == StCheck) err_o <= !allowed;
    end
    // A spread segment is put back in a second round through its columns.
    if (state_q == StIdle) begin
      pass_q    <= '0;
      putting_q <= 1'b0;
    end else if (state_d == StFetch && !decode) begin
      pass_q <= last_pass_q ? '0 : pass_q + 1'b1;
      if (last_pass_q) putting_q <= 1'b1;
    end
  end

  assign weight_en_o  = state_q == StFetch || (state_q == StWrite && count_ready_i) ? memory : '0;
  assign weight_req_o = '{
    we:     state_q == StWrite,
    addr:   word,
    column: {column_index[7:2], spread ? pass_q : column_index[1:0]},
    wdata:  column
  };

  assign ack_o   = state_q == StAck;
  assign rdata_o = err_o ? '0 : old_q;

endmodule
