// Finds the place that an address of the AXI-Lite side means: which weight memory, which word of it, and
// where in that word's columns the 32-bit segment lies (see weight_mem).
//
// An access goes through three steps. While `sample_i` is high, the memory whose window the address lies
// in is registered, if there is one. In the cycle after, word and segment in that memory are. With
// `take_i`, two cycles or more after the first step, the place of the segment is registered too. The address holds from the first step to the second.

module weight_decode
  import spinflow_pkg::*;
#(
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
  // Clock. There is no reset: all registers are loaded at the beginning of an access.
  input  logic                  clk_i,

  // Byte address of the segment, and the first and the last step of an access.
  input  logic [AddrWidth-1:0]  addr_i,
  input  logic                  sample_i,
  input  logic                  take_i,

  // Whether the address lies in a window, at a word and a segment that exist, and the memory, by its
  // number and as one bit of all; valid from the cycle after `sample_i`.
  output logic                  hit_o,
  output logic [IndexWidth-1:0] index_o,
  output logic [NumWeights-1:0] memory_o,

  // The segment's place; the word is valid two cycles after `sample_i`, the others from the cycle after
  // `take_i` on.
  output logic [15:0]           word_o,         // number of the word
  output logic [7:0]            column_o,       // its column, or the first of four
  output logic                  spread_o,       // in the upper 8 bits of four columns
  output logic                  upper_half_o,   // else: in bits 63:32 of its column, not 31:0
  output logic [5:0]            bits_o          // bits of the segment that exist, 1 to 32
);

  // Which memory an address means, and which word and segment of each memory it would be.
  logic [NumWeights-1:0] window, in_last, paired;
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
      $error("weight_decode: Base %0h of memory %0d is not a multiple of its window's size %0h",
             Base[m], m, Size);
    end

    assign word[m]    = 16'((32'(addr_i) & (Size - 1)) >> WordLsb);
    assign segment[m] = 16'((32'(addr_i) & (Stride[m] - 1)) >> SegmentLsb);
    assign window[m]  = 32'(addr_i) >> SizeLsb == Base[m] >> SizeLsb &&
                        32'(word[m]) < Depth[m] && 32'(segment[m]) < Segments;
    assign in_last[m] = 32'(segment[m]) == Segments - 1;
    assign paired[m]  = 32'(segment[m]) < Paired;
  end

  // The word and the segment in the memory that was sampled.
  logic [15:0] word_d, segment_d, paired_d, segment_q, paired_q;
  logic [5:0]  bits_d, bits_q;
  logic [IndexWidth-1:0] index_d;
  logic is_paired_q;
  always_comb begin
    word_d    = '0;
    segment_d = '0;
    paired_d  = '0;
    bits_d    = '0;
    index_d   = '0;
    for (int unsigned m = 0; m < NumWeights; m++) begin
      if (memory_o[m]) begin
        word_d    |= word[m];
        segment_d |= segment[m];
        paired_d  |= 16'(2 * ((Width[m] + ColumnWidth - 1) / ColumnWidth));
        bits_d    |= in_last[m] && Width[m] % 32 != 0 ? 6'(Width[m] % 32) : 6'd32;
      end
      if (window[m]) index_d |= IndexWidth'(m);
    end
  end

  always_ff @(posedge clk_i) begin
    if (sample_i) begin
      hit_o    <= window != '0;
      memory_o <= window;
      index_o  <= index_d;
    end
    word_o      <= word_d;
    bits_q      <= bits_d;
    segment_q   <= segment_d;
    paired_q    <= paired_d;
    is_paired_q <= (memory_o & paired) != '0;
    if (take_i) begin
      bits_o       <= bits_q;
      spread_o     <= !is_paired_q;
      upper_half_o <= segment_q[0];
      column_o     <= is_paired_q ? segment_q[8:1] : 8'((segment_q - paired_q) << 2);
    end
  end

endmodule
