// A buffer memory with an engine of its own, for statistics that need more draws than a bench can make.

module drawn_buffer
  import spinflow_pkg::*;
#(
  // Bits of a word, and words.
  parameter int unsigned Width = 64,
  parameter int unsigned Depth = 32
) (
  // Clock, and reset (active low) of the buffer.
  input  logic             clk_i,
  input  logic             rst_ni,

  // Rates and seed, as they are written; the mode; and a pulse that restarts the random stream.
  input  cfg_write_t       cfg_write_i,
  input  logic [1:0]       mode_i,
  input  logic             restart_i,

  // Words to write, words as they were stored, and what is counted.
  input  logic [Width-1:0] in_data_i,
  input  logic             in_valid_i,
  output logic             in_ready_o,
  output logic [Width-1:0] out_data_o,
  output logic             out_valid_o,
  input  logic             out_ready_i,
  output count_t           count_o
);

  draw_request_t request;
  draw_answer_t answer, unused_weight_answer;
  logic grant, valid, unused_weight_grant, unused_weight_valid, unused_stall;

  draw_engines #(
    .NumEngines (1),
    .NumWeights (1),
    .NumMems    (2),
    .NumAsks    (1),
    .Memory     (32'd1)
  ) u_draw_engines (
    .clk_i,
    .cfg_write_i,
    .weight_index_i   ('0),
    .weight_request_i ('0),
    .weight_grant_o   (unused_weight_grant),
    .weight_answer_o  (unused_weight_answer),
    .weight_valid_o   (unused_weight_valid),
    .request_i        (request),
    .grant_o          (grant),
    .answer_o         (answer),
    .valid_o          (valid)
  );

  buffer_mem #(
    .Width (Width),
    .Depth (Depth)
  ) u_buffer_mem (
    .clk_i,
    .rst_ni,
    .mode_i,
    .restart_i,
    .request_o      (request),
    .grant_i        (grant),
    .answer_i       (answer),
    .answer_valid_i (valid),
    .in_data_i,
    .in_valid_i,
    .in_ready_o,
    .out_data_o,
    .out_valid_o,
    .out_ready_i,
    .count_o,
    .stall_o        (unused_stall)
  );

endmodule
