// All draw engines of an accelerator: each buffer has its draws from one of them, the weight memories
// have theirs from the first. Timing as of draw_engine.

module draw_engines
  import spinflow_pkg::*;
#(
  // Number of engines.
  parameter int unsigned NumEngines = 1,
  // Numbers of weight memories and of buffers.
  parameter int unsigned NumWeights = 3,
  parameter int unsigned NumBuffers = 2,
  // Of each buffer: its engine.
  parameter logic [NumBuffers-1:0][31:0] Engine = '0,
  localparam int unsigned IndexWidth = NumWeights > 1 ? $clog2(NumWeights) : 1
) (
  // Clock.
  input  logic                           clk_i,

  // Seeds and rates, as they are written.
  input  cfg_write_t                     cfg_write_i,

  // Requests of the weight memory of this number; whether it is granted; and the answer.
  input  logic [IndexWidth-1:0]          weight_index_i,
  input  draw_request_t                  weight_request_i,
  output logic                           weight_grant_o,
  output draw_answer_t                   weight_answer_o,
  output logic                           weight_valid_o,

  // The same of each buffer.
  input  draw_request_t [NumBuffers-1:0] buffer_request_i,
  output logic [NumBuffers-1:0]          buffer_grant_o,
  output draw_answer_t [NumBuffers-1:0]  buffer_answer_o,
  output logic [NumBuffers-1:0]          buffer_valid_o
);

  draw_answer_t [NumEngines-1:0]              answer;
  logic [NumEngines-1:0]                      weight_grant, weight_valid;
  logic [NumEngines-1:0][NumBuffers-1:0]      grant, valid;

  for (genvar e = 0; e < int'(NumEngines); e++) begin : gen_engine
    draw_request_t [NumBuffers-1:0] request;
    for (genvar b = 0; b < int'(NumBuffers); b++) begin : gen_request
      assign request[b] = Engine[b] == 32'(e) ? buffer_request_i[b] : '0;
    end

    draw_engine #(
      .NumWeights (NumWeights),
      .NumBuffers (NumBuffers)
    ) u_draw_engine (
      .clk_i,
      .cfg_write_i,
      .weight_index_i,
      .weight_request_i (e == 0 ? weight_request_i : '0),
      .weight_grant_o   (weight_grant[e]),
      .buffer_request_i (request),
      .buffer_grant_o   (grant[e]),
      .answer_o         (answer[e]),
      .weight_valid_o   (weight_valid[e]),
      .buffer_valid_o   (valid[e])
    );
  end

  assign weight_grant_o  = weight_grant[0];
  assign weight_answer_o = answer[0];
  assign weight_valid_o  = weight_valid[0];
  for (genvar b = 0; b < int'(NumBuffers); b++) begin : gen_buffer
    assign buffer_grant_o[b]  = grant[Engine[b]][b];
    assign buffer_answer_o[b] = answer[Engine[b]];
    assign buffer_valid_o[b]  = valid[Engine[b]][b];
  end

endmodule
