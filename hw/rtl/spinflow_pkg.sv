// Types shared by Spinflow's modules: the error configuration of a memory, how memories get their draws,
// the counter increments, the request that reaches a weight memory from the AXI-Lite side, and the windows
// of a convolution. And the one place that says which primitives of a part are placed by hand.

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

  // How the writes of one memory err. Rates are thresholds on a 32-bit draw.
  typedef struct packed {
    logic [1:0]  mode;    // error_mode_e; 3 makes no errors
    logic [31:0] rate1;   // for writes of a 1
    logic [31:0] rate0;   // for writes of a 0
    logic [31:0] seed;    // of the memory's random stream
  } error_cfg_t;

  // A write to the configuration of a memory, for those who keep some of it.
  typedef struct packed {
    logic        rate1, rate0, seed;   // which word it is
    logic [5:0]  index;                // of which memory
    logic [31:0] data;
  } cfg_write_t;

  // Draws come in blocks of eight, for positions 8*n .. 8*n + 7 of a memory's random stream.
  parameter int unsigned BlockDraws = 8;

  // Whoever wants a block says where its draws go; the answer brings that back. The engine does not
  // look at it.
  parameter int unsigned DrawTagWidth = 18;

  typedef struct packed {
    logic                    valid;     // wants a block; may be withdrawn
    logic                    first;     // the stream starts anew: this is its block 0
    logic                    advance;   // the next one is the next block, else this one again
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

endpackage
