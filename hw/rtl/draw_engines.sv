// All draw engines of an accelerator. The weight memories have their draws from the first one; each buffer
// asks at one or more ports, each of which leads to one of the engines. Timing as of draw_engine.

module draw_engines
  import spinflow_pkg::*;
#(
  // Number of engines.
  parameter int unsigned NumEngines = 1,
  // Numbers of weight memories, of all memories, weight memories first, and of the buffers' ports.
  parameter int unsigned NumWeights = 3,
  parameter int unsigned NumMems    = 5,
  parameter int unsigned NumAsks    = 2,
  // Of each port: the number of its buffer among the memories, and its engine. Ports of one buffer lead to
  // different engines.
  parameter logic [NumAsks-1:0][31:0] Memory = {32'd4, 32'd3},
  parameter logic [NumAsks-1:0][31:0] Engine = '0,
  localparam int unsigned IndexWidth = NumWeights > 1 ? $clog2(NumWeights) : 1
) (
  // Clock.
  input  logic                        clk_i,

  // Seeds and rates, as they are written.
  input  cfg_write_t                  cfg_write_i,

  // Requests of the weight memory of this number; whether it is granted; and the answer.
  input  logic [IndexWidth-1:0]       weight_index_i,
  input  draw_request_t               weight_request_i,
  output logic                        weight_grant_o,
  output draw_answer_t                weight_answer_o,
  output logic                        weight_valid_o,

  // The same of each port.
  input  draw_request_t [NumAsks-1:0] request_i,
  output logic [NumAsks-1:0]          grant_o,
  output draw_answer_t [NumAsks-1:0]  answer_o,
  output logic [NumAsks-1:0]          valid_o
);

  draw_answer_t [NumEngines-1:0]      answer;
  logic [NumEngines-1:0]              weight_grant, weight_valid;
  logic [NumEngines-1:0][NumAsks-1:0] grant, valid;

  for (genvar e = 0; e < int'(NumEngines); e++) begin : gen_engine
    draw_request_t [NumAsks-1:0] request;
    for (genvar a = 0; a < int'(NumAsks); a++) begin : gen_request
      assign request[a] = Engine[a] == 32'(e) ? request_i[a] : '0;
    end

    draw_engine #(
      .NumWeights (NumWeights),
      .NumMems    (NumMems),
      .NumAsks    (NumAsks),
      .Memory     (Memory)
    ) u_draw_engine (
      .clk_i,
      .cfg_write_i,
      .weight_index_i,
      .weight_request_i (e == 0 ? weight_request_i : '0),
      .weight_grant_o   (weight_grant[e]),
      .request_i        (request),
      .grant_o          (grant[e]),
      .answer_o         (answer[e]),
      .weight_valid_o   (weight_valid[e]),
      .valid_o          (valid[e])
    );
  end

  assign weight_grant_o  = weight_grant[0];
  assign weight_answer_o = answer[0];
  assign weight_valid_o  = weight_valid[0];
  for (genvar a = 0; a < int'(NumAsks); a++) begin : gen_ask
    assign grant_o[a]  = grant[Engine[a]][a];
    assign answer_o[a] = answer[Engine[a]];
    assign valid_o[a]  = valid[Engine[a]][a];
  end

endmodule
