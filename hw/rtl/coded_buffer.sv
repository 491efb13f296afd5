// Buffer memory of a feature map whose words have a SECDED code: an encoder, a buffer_mem of the coded
// words, in which check bits err as data bits do, and a decoder.
//
// Latency: two cycles and DecodeLatency from a word to its output. Throughput: as of buffer_mem.

module coded_buffer
  import spinflow_pkg::*;
#(
  // As of secded_encode; of a word with its check bits, at most 255 bits.
  parameter int unsigned Data  = 8,
  parameter int unsigned Word  = 8,
  parameter int unsigned Check = 5,
  parameter logic [Word*Check-1:0] Columns = 40'hB557C9BB27,
  // As of buffer_mem.
  parameter int unsigned Depth    = 512,
  parameter int unsigned RunAhead = 32,
  parameter int unsigned Ports    = 1,
  parameter bit          WithErrors = 1'b1,
  localparam int unsigned Words = (Data + Word - 1) / Word,
  localparam int unsigned Width = Data + Words * Check,
  localparam int unsigned BusWidth = 8 * ((Data + 7) / 8)
) (
  // Clock, and reset (active low): as of buffer_mem; words under way are forgotten.
  input  logic                clk_i,
  input  logic                rst_ni,

  // Errors and draws; see buffer_mem.
  input  logic [1:0]                mode_i,
  input  logic                      restart_i,
  output draw_request_t [Ports-1:0] request_o,
  input  logic [Ports-1:0]          grant_i,
  input  draw_answer_t [Ports-1:0]  answer_i,
  input  logic [Ports-1:0]          answer_valid_i,

  // Words to write; padding to whole bytes is not read.
  input  logic [BusWidth-1:0] in_data_i,
  input  logic                in_valid_i,
  output logic                in_ready_o,

  // Words without the errors that can be corrected; the padding is 0.
  output logic [BusWidth-1:0] out_data_o,
  output logic                out_valid_o,
  input  logic                out_ready_i,

  // What the write of two cycles before adds to the memory's counters, in bits; 0 if there was none.
  output count_t              count_o,

  // What the decoder counted of the word that left in the cycle before, in code words: `written` all,
  // `switched` those in which one error was corrected, `err1` those in which more were detected.
  output count_t              code_count_o,

  // A word waits in this cycle because its draws have not been made, not because the buffer is full.
  output logic                stall_o
);

  localparam int unsigned CodedBus = 8 * ((Width + 7) / 8);

  // Encoder, behind a register of its own.
  logic [Data-1:0]        word_q;
  logic [Words*Check-1:0] check;
  logic                   word_valid_q, word_ready;
  assign in_ready_o = !word_valid_q || word_ready;
  always_ff @(posedge clk_i) begin
    if (in_ready_o) word_q <= in_data_i[Data-1:0];
    if (!rst_ni)         word_valid_q <= 1'b0;
    else if (in_ready_o) word_valid_q <= in_valid_i;
  end

  secded_encode #(
    .Data    (Data),
    .Word    (Word),
    .Check   (Check),
    .Columns (Columns)
  ) u_encode (
    .data_i  (word_q),
    .check_o (check)
  );

  logic [CodedBus-1:0] stored;
  logic                stored_valid;
  logic [1:0]          valid_q, step;   // of the decoder's stages
  wire unused_padding = ^stored;
  buffer_mem #(
    .Width      (Width),
    .Depth      (Depth),
    .RunAhead   (RunAhead),
    .Ports      (Ports),
    .WithErrors (WithErrors)
  ) u_buffer (
    .clk_i,
    .rst_ni,
    .mode_i,
    .restart_i,
    .request_o,
    .grant_i,
    .answer_i,
    .answer_valid_i,
    .in_data_i   (CodedBus'({check, word_q})),
    .in_valid_i  (word_valid_q),
    .in_ready_o  (word_ready),
    .out_data_o  (stored),
    .out_valid_o (stored_valid),
    .out_ready_i (step[0]),
    .count_o,
    .stall_o
  );

  // Decoder: each of its stages goes on where the next one has room.
  assign step[1] = !valid_q[1] || out_ready_i;
  assign step[0] = !valid_q[0] || step[1];
  always_ff @(posedge clk_i) begin
    if (!rst_ni) valid_q <= '0;
    else begin
      if (step[0]) valid_q[0] <= stored_valid;
      if (step[1]) valid_q[1] <= valid_q[0];
    end
  end

  logic [Data-1:0]  data;
  logic [Words-1:0] corrected, detected;
  secded_decode #(
    .Data    (Data),
    .Word    (Word),
    .Check   (Check),
    .Columns (Columns)
  ) u_decode (
    .clk_i,
    .en_i        (step),
    .coded_i     (stored[Width-1:0]),
    .data_o      (data),
    .corrected_o (corrected),
    .detected_o  (detected)
  );
  assign out_data_o  = BusWidth'(data);
  assign out_valid_o = valid_q[1];

  always_ff @(posedge clk_i) begin
    code_count_o <= '0;
    if (out_valid_o && out_ready_i && rst_ni) begin
      code_count_o.written  <= 8'(Words);
      code_count_o.switched <= 8'($countones(corrected));
      code_count_o.err1     <= 8'($countones(detected));
    end
  end

endmodule
