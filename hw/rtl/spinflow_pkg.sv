// Types shared by Spinflow's modules: modes of write errors, how memories get their draws,
// the counter increments, the request that reaches a weight memory from the AXI-Lite side, and the windows
// of a convolution. The latencies that one module has and others count on. And the one place that says
// which primitives of a part are placed by hand.

package spinflow_pkg;

  // Primitives that modules place by hand: none, so that any tool takes them and simulation is fast;
  // LUT6_2 and CARRY4 of the 7 series; LUT6_2 and CARRY8 of UltraScale and UltraScale+. Whoever runs a
  // tool names them by the macro SPINFLOW_PRIMITIVES, a board in its board.toml. lut_pair and
  // carry_chain are the only modules that place one.
  typedef enum logic [1:0] {
    Generic    = 2'd0,
    Xilinx7    = 2'd1,
    UltraScale = 2'd2
  } primitives_e;
`ifdef SPINFLOW_PRIMITIVES
  parameter primitives_e Primitives = `SPINFLOW_PRIMITIVES;
`else
  parameter primitives_e Primitives = Generic;
`endif

  // Error modes; the codes are those of the MODE register.
  typedef enum logic [1:0] {
    ModeOff    = 2'd0,
    ModeFlip   = 2'd1,
    ModeSwitch = 2'd2
  } error_mode_e;

  // A write to the configuration of a memory, for those who keep some of it. Rates are thresholds on a
  // 32-bit draw, for writes of a 1 and of a 0.
  typedef struct packed {
    logic        rate1, rate0, seed;   // which word it is
    logic [5:0]  index;                // of which memory
    logic [31:0] data;
  } cfg_write_t;

  // Draws come in blocks of eight, for positions 8*n .. 8*n + 7 of a memory's random stream.
  parameter int unsigned BlockDraws = 8;

  // Whoever wants a block says where its draws go; the answer brings that back. The engine does not
  // look at it.
  parameter int unsigned DrawTagWidth = 16;

  // Of a stream, one engine may make every n-th block.
  typedef struct packed {
    logic                    valid;     // wants a block; may be withdrawn
    logic                    first;     // the stream starts anew, with block `start`
    logic [2:0]              start;
    logic [2:0]              advance;   // from this block to the next one
    logic [DrawTagWidth-1:0] tag;
  } draw_request_t;

  // What became of a block's draws: of each whether it errs if a 1, and if a 0, is written.
  typedef struct packed {
    logic [DrawTagWidth-1:0] tag;
    logic [BlockDraws-1:0]   hit1;
    logic [BlockDraws-1:0]   hit0;
  } draw_answer_t;

  // What one write adds to a memory's counters, in bits.
  typedef struct packed {
    logic [7:0] written;    // all bits of the word
    logic [7:0] switched;   // target differs from the old value
    logic [7:0] err1;       // errors where the target is 1
    logic [7:0] err0;       // errors where the target is 0
  } count_t;

  // The widest word of which every counter increment fits count_t.
  parameter int unsigned MaxCountedWidth = 255;

  // A weight memory is cut into columns as wide as a block RAM; the host's segments of 32 bits lie in
  // them as the header of weight_mem says.
  parameter int unsigned ColumnWidth = 72;

  // Cycles from the address of a word of weights to the word: the address, the memory and the memory's
  // output each have a register.
  parameter int unsigned WeightLatency = 3;

  // Cycles of secded_decode: the syndrome and the corrected word each have a register.
  parameter int unsigned DecodeLatency = 2;

  // Cycles of pixel_dot: the sums of groups of three, the choice among them, a level of additions each.
  function automatic int unsigned pixel_stages(int unsigned simd);
    return 2 + $clog2((simd + 2) / 3);
  endfunction

  // One access to a column of a weight memory.
  typedef struct packed {
    logic                   we;       // 1 writes, 0 reads
    logic [15:0]            addr;     // number of the word
    logic [7:0]             column;   // number of the column in the word
    logic [ColumnWidth-1:0] wdata;    // the whole column
  } weight_req_t;

  // The windows of a convolution over a padded map: how many there are, and where.
  typedef struct packed {
    logic [15:0] map_rows, map_columns;         // of the map without its padding
    logic [15:0] top, left;                     // padding above the map and on its left
    logic [15:0] kernel_rows, kernel_columns;   // of a window
    logic [15:0] stride_rows, stride_columns;   // from a window to the next
    logic [15:0] out_rows, out_columns;         // windows
  } window_t;

  // RAMB18, halves of a RAMB36, of a memory whose depth is extended to a power of two.
  function automatic int unsigned ram_halves(int unsigned width, int unsigned depth);
    int unsigned words, bits, halves;
    ram_halves = '1;
    for (int unsigned shape = 0; shape < 6; shape++) begin
      // Their shapes: 512 x 36, 1024 x 18, 2048 x 9, 4096 x 4, 8192 x 2, 16384 x 1.
      words  = 512 << shape;
      bits   = shape < 3 ? 36 >> shape : 32 >> shape;
      halves = ((width + bits - 1) / bits) * (((1 << $clog2(depth)) + words - 1) / words);
      if (halves < ram_halves) ram_halves = halves;
    end
  endfunction

  // How a popcount_tree is built. More levels and columns than any width up to 65,535 has.
  parameter int unsigned MostLevels  = 12;
  parameter int unsigned MostColumns = 18;

  // Bits of a column, by level and column.
  typedef logic [MostLevels:0][MostColumns-1:0][15:0] heights_t;

  // Five agreements at a time become a sum bit and two carries, in a last group perhaps fewer. A level
  // then makes a 3-bit number of six bits of a column, and two bits of three of the rest.
  function automatic heights_t popcount_heights(int unsigned width);
    int unsigned fives;
    fives = (width + 4) / 5;
    popcount_heights = '0;
    popcount_heights[0][0] = 16'(fives);
    popcount_heights[0][1] = 16'((width - fives + 1) / 2);
    for (int unsigned l = 0; l < MostLevels; l++) begin
      for (int unsigned c = 0; c < MostColumns - 2; c++) begin
        int unsigned height, sixes, threes;
        height = 32'(popcount_heights[l][c]);
        sixes  = height / 6;
        threes = height % 6 / 3;
        popcount_heights[l+1][c]   += 16'(sixes + threes + height % 3);
        popcount_heights[l+1][c+1] += 16'(sixes + threes);
        popcount_heights[l+1][c+2] += 16'(sixes);
      end
    end
  endfunction

  // Levels until no column has more than three bits.
  function automatic int unsigned popcount_levels(int unsigned width);
    heights_t heights;
    heights = popcount_heights(width);
    popcount_levels = 0;
    for (int unsigned l = 0; l < MostLevels; l++) begin
      for (int unsigned c = 0; c < MostColumns; c++) begin
        if (heights[l][c] > 3) popcount_levels = l + 1;
      end
    end
  endfunction

  // Cycles of a popcount. The first stage holds the XNORs, which are three LUTs deep, and a level; the
  // last one two levels, a row of adders and the carry chain; those between, four levels each.
  function automatic int unsigned popcount_stages(int unsigned width);
    int unsigned levels;
    levels = popcount_levels(width);
    popcount_stages = levels <= 3 ? 2 : 2 + (levels - 3 + 3) / 4;
  endfunction

  // Whether a register is in front of a level.
  function automatic logic popcount_cut(int unsigned width, int unsigned level);
    int unsigned levels;
    levels = popcount_levels(width);
    if (level == 0) return levels == 0;
    if (level > levels) return 1'b0;
    return level == 1 || (levels > 3 && level + 2 <= levels && (levels - 2 - level) % 4 == 0);
  endfunction

endpackage
