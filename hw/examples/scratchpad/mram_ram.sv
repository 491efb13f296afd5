// A RAM in MRAM: like any LUT RAM with a write port and a read port, but its writes err.
//
// The n-th word written since a restart takes positions n*Width .. n*Width + Width - 1 of the memory's
// random stream. The old value of a word is what is stored there, 0 as configured.
//
// Latency: a write is read back in the next cycle; reads are combinational. Throughput: a word a cycle, as
// long as draws have been made ahead.

module mram_ram
  import spinflow_pkg::*;
#(
  // Bits of a word, at most 255, and words.
  parameter int unsigned Width = 32,
  parameter int unsigned Depth = 256,
  localparam int unsigned AddrWidth = Depth > 1 ? $clog2(Depth) : 1
) (
  // Clock, and reset (active low), which restarts the random stream and keeps the words.
  input  logic                 clk_i,
  input  logic                 rst_ni,

  // How writes err (error_mode_e), and a pulse that restarts the random stream.
  input  logic [1:0]           mode_i,
  input  logic                 restart_i,

  // Draws from the engine: what is wanted, whether it is granted, and the answer.
  output draw_request_t        request_o,
  input  logic                 grant_i,
  input  draw_answer_t         answer_i,
  input  logic                 answer_valid_i,

  // A write, taken with valid and ready.
  input  logic [AddrWidth-1:0] write_addr_i,
  input  logic [Width-1:0]     write_data_i,
  input  logic                 write_valid_i,
  output logic                 write_ready_o,

  // What the write of this cycle adds to the counters, in bits; 0 if there is none.
  output count_t               count_o,

  // A read, in the same cycle.
  input  logic [AddrWidth-1:0] read_addr_i,
  output logic [Width-1:0]     read_data_o
);

  (* ram_style = "distributed" *) logic [Width-1:0] mem [Depth];
  initial for (int unsigned i = 0; i < Depth; i++) mem[i] = '0;

  logic [Width-1:0] hit1, hit0, stored;
  logic             hits_valid, write;
  count_t           count;
  assign write_ready_o = rst_ni && (mode_i == ModeOff || hits_valid);
  assign write         = write_valid_i && write_ready_o;
  assign count_o       = write ? count : '0;

  run_ahead #(
    .Width (Width)
  ) u_run_ahead (
    .clk_i,
    .rst_ni,
    .enable_i (mode_i != ModeOff),
    .restart_i,
    .request_o,
    .grant_i,
    .answer_i,
    .answer_valid_i,
    .hit1_o   (hit1),
    .hit0_o   (hit0),
    .valid_o  (hits_valid),
    .pop_i    (write && mode_i != ModeOff)
  );

  error_write #(
    .Width (Width)
  ) u_error_write (
    .mode_i,
    .mask_i   ({Width{1'b1}}),
    .old_i    (mem[write_addr_i]),
    .target_i (write_data_i),
    .hit1_i   (hit1),
    .hit0_i   (hit0),
    .stored_o (stored),
    .count_o  (count)
  );

  always_ff @(posedge clk_i) if (write) mem[write_addr_i] <= stored;
  assign read_data_o = mem[read_addr_i];

endmodule
