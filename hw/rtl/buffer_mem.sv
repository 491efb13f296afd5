// Buffer memory of one feature map, its storage being the MRAM: a FIFO whose every word is written,
// with write errors, and read back.
//
// Word n since reset goes to address n mod Depth, also when the reader waits for it, so backpressure
// changes no error. The old value of a word counts as 0 until the write address has wrapped once.
//
// In simulation `max_level_q` is readable from outside: the most words that have waited since reset.
//
// Without `WithErrors` it is a plain FIFO: no errors, no counts. That is for comparing areas.
//
// Latency: one cycle from a write to its word at the output. Throughput: one word a cycle, as long as
// draws have been made ahead; `stall_o` marks the cycles in which they have not.

module buffer_mem
  import spinflow_pkg::*;
#(
  // Bits of a word, at most 255, and words, at least 2.
  parameter int unsigned Width    = 2,
  parameter int unsigned Depth    = 512,
  // Slots of draws that are made ahead, a power of two; see run_ahead.
  parameter int unsigned RunAhead = 32,
  // Ports at which draws are asked for; see run_ahead.
  parameter int unsigned Ports    = 1,
  // Whether writes can err.
  parameter bit          WithErrors = 1'b1,
  localparam int unsigned BusWidth = 8 * ((Width + 7) / 8)
) (
  // Clock, and reset (active low): the buffer is empty, its old values are 0, its random stream restarts.
  input  logic                clk_i,
  input  logic                rst_ni,

  // How writes err (error_mode_e), and a pulse that restarts the random stream, for a new mode or new rates
  // or a new seed. Both change only while no word is there, neither inside nor offered.
  input  logic [1:0]          mode_i,
  input  logic                restart_i,

  // Draws, of each port from an engine: what is wanted, whether it is granted, and the answer.
  output draw_request_t [Ports-1:0] request_o,
  input  logic [Ports-1:0]          grant_i,
  input  draw_answer_t [Ports-1:0]  answer_i,
  input  logic [Ports-1:0]          answer_valid_i,

  // Words to write; padding to whole bytes is not read.
  input  logic [BusWidth-1:0] in_data_i,
  input  logic                in_valid_i,
  output logic                in_ready_o,

  // Words as they were stored, with their errors; the padding is 0.
  output logic [BusWidth-1:0] out_data_o,
  output logic                out_valid_o,
  input  logic                out_ready_i,

  // What the write of two cycles before adds to the counters, in bits; 0 if there was none.
  output count_t              count_o,

  // A word waits in this cycle because its draws have not been made, not because the buffer is full.
  output logic                stall_o
);

  localparam int unsigned AddrWidth  = Depth > 1 ? $clog2(Depth) : 1;
  localparam int unsigned LevelWidth = $clog2(Depth + 1);

  if (Width > MaxCountedWidth) begin : gen_bad_width
    $error("buffer_mem: Width %0d is above %0d, what a counter increment can hold", Width,
           MaxCountedWidth);
  end
  if (Depth < 2) begin : gen_bad_depth
    $error("buffer_mem: Depth %0d is below 2", Depth);
  end

  // Three accesses a cycle, old word, new word and read-out, want LUT RAM.
  (* ram_style = "distributed" *) logic [Width-1:0] mem [Depth];
  logic [AddrWidth-1:0]  write_addr_q, read_addr_q;
  logic [LevelWidth-1:0] level_q;
  logic                  started_q, full_q;   // full_q: or in reset
  logic                  draws_ready, write, read;
  logic [Width-1:0]      new_word;

  function automatic logic [AddrWidth-1:0] next_addr(logic [AddrWidth-1:0] addr);
    return addr == AddrWidth'(Depth - 1) ? '0 : addr + 1'b1;
  endfunction

  assign in_ready_o = !full_q && draws_ready;
  assign stall_o    = in_valid_i && !full_q && !draws_ready;
  assign write      = in_valid_i && in_ready_o;
  assign read       = out_valid_o && out_ready_i;

  if (WithErrors) begin : gen_errors
    logic [Width-1:0] hit1, hit0;
    logic hits_valid, on_q;   // on_q: the mode is not off; it does not change where words come
    always_ff @(posedge clk_i) on_q <= mode_i != ModeOff;

    run_ahead #(
      .Width    (Width),
      .RunAhead (RunAhead),
      .Ports    (Ports)
    ) u_run_ahead (
      .clk_i,
      .rst_ni,
      .enable_i (on_q),
      .restart_i,
      .request_o,
      .grant_i,
      .answer_i,
      .answer_valid_i,
      .hit1_o   (hit1),
      .hit0_o   (hit0),
      .valid_o  (hits_valid),
      .pop_i    (write && on_q)
    );

    assign draws_ready = !on_q || hits_valid;

    // The old word of the next write is read with the write before it.
    logic [AddrWidth-1:0] old_addr_q;
    logic [Width-1:0]     old_q;
    logic                 wrapped_q;
    always_ff @(posedge clk_i) begin
      if (!rst_ni) begin
        old_addr_q <= AddrWidth'(1);
        old_q      <= '0;
        wrapped_q  <= 1'b0;
      end else if (write) begin
        old_addr_q <= next_addr(old_addr_q);
        if (old_addr_q == '0) wrapped_q <= 1'b1;
        old_q <= wrapped_q || old_addr_q == '0 ? mem[old_addr_q] : '0;
      end
    end

    logic [Width-1:0] switched, err1, err0, switched_q, err1_q, err0_q;
    logic             written_q;
    error_bits #(
      .Width (Width)
    ) u_error_bits (
      .mode_i,
      .mask_i     ({Width{1'b1}}),
      .old_i      (old_q),
      .target_i   (in_data_i[Width-1:0]),
      .hit1_i     (hit1),
      .hit0_i     (hit0),
      .stored_o   (new_word),
      .switched_o (switched),
      .err1_o     (err1),
      .err0_o     (err0)
    );

    always_ff @(posedge clk_i) begin
      written_q  <= write && rst_ni;
      switched_q <= switched;
      err1_q     <= err1;
      err0_q     <= err0;
      count_o    <= '0;
      if (written_q && rst_ni) begin
        count_o <= '{
          written:  8'(Width),
          switched: 8'($countones(switched_q)),
          err1:     8'($countones(err1_q)),
          err0:     8'($countones(err0_q))
        };
      end
    end
  end else begin : gen_no_errors
    assign request_o   = '0;
    assign draws_ready = 1'b1;
    assign new_word    = in_data_i[Width-1:0];
    assign count_o     = '0;
  end

  always_ff @(posedge clk_i) begin
    if (write) mem[write_addr_q] <= new_word;
  end

  always_ff @(posedge clk_i) begin
    started_q <= rst_ni;
    if (!rst_ni) begin
      write_addr_q <= '0;
      read_addr_q  <= '0;
      level_q      <= '0;
      out_valid_o  <= 1'b0;
      full_q       <= 1'b1;
    end else begin
      if (write) write_addr_q <= next_addr(write_addr_q);
      if (read) read_addr_q <= next_addr(read_addr_q);
      if (write != read) begin
        level_q     <= write ? level_q + 1'b1 : level_q - 1'b1;
        out_valid_o <= write || level_q != LevelWidth'(1);
        full_q      <= write && level_q == LevelWidth'(Depth - 1);
      end else if (!started_q) full_q <= 1'b0;
    end
  end

`ifndef SYNTHESIS
  // The most words that have waited here since reset, for whoever chooses depths.
  logic [LevelWidth-1:0] max_level_q /* verilator public_flat_rd */;
  always_ff @(posedge clk_i) begin
    if (!rst_ni)                    max_level_q <= '0;
    else if (level_q > max_level_q) max_level_q <= level_q;
  end
`endif

  assign out_data_o  = BusWidth'(mem[read_addr_q]);

endmodule
