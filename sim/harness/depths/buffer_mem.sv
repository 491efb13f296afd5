// Stands for hw/rtl/buffer_mem.sv where spinflow.sim.depths looks for the depth that a buffer needs: a count of
// the words that wait, with a limit that can be changed while the simulation runs.
//
// Nothing but timing matters there, so it keeps no words. It accepts and offers in the same cycles as a
// buffer_mem of Depth = `limit` whose errors are off: a word is offered one cycle after it came.

module buffer_mem
  import spinflow_pkg::*;
#(
  parameter int unsigned Width    = 2,
  parameter int unsigned Depth    = 512,
  parameter int unsigned RunAhead = 32,
  parameter int unsigned Ports    = 1,
  parameter bit          WithErrors = 1'b1,
  localparam int unsigned BusWidth = 8 * ((Width + 7) / 8)
) (
  input  logic                clk_i,
  input  logic                rst_ni,
  input  logic [1:0]          mode_i,
  input  logic                restart_i,
  output draw_request_t [Ports-1:0] request_o,
  input  logic [Ports-1:0]          grant_i,
  input  draw_answer_t [Ports-1:0]  answer_i,
  input  logic [Ports-1:0]          answer_valid_i,
  input  logic [BusWidth-1:0] in_data_i,
  input  logic                in_valid_i,
  output logic                in_ready_o,
  output logic [BusWidth-1:0] out_data_o,
  output logic                out_valid_o,
  input  logic                out_ready_i,
  output count_t              count_o,
  output logic                stall_o
);

  int unsigned limit   /* verilator public_flat_rw */ = Depth;
  int unsigned level_q /* verilator public_flat_rd */;

  assign in_ready_o  = level_q < limit && rst_ni;
  assign out_valid_o = level_q != 0;
  assign out_data_o  = '0;
  assign count_o     = '0;
  assign stall_o     = 1'b0;
  assign request_o   = '0;

  always_ff @(posedge clk_i) begin
    if (!rst_ni) level_q <= 0;
    else         level_q <= level_q + 32'(in_valid_i && in_ready_o) - 32'(out_valid_o && out_ready_i);
  end

endmodule
