// Decoder of a weight memory whose words have a SECDED code, between the memory and the matrix-vector
// unit, and what it counts. The host has encoded the words that it writes.
//
// Latency: DecodeLatency cycles more than the memory's. Throughput: one word a cycle.

module coded_weights
  import spinflow_pkg::*;
#(
  // As of secded_encode.
  parameter int unsigned Data  = 8,
  parameter int unsigned Word  = 8,
  parameter int unsigned Check = 5,
  parameter logic [Word*Check-1:0] Columns = 40'hB557C9BB27,
  localparam int unsigned Words = (Data + Word - 1) / Word,
  localparam int unsigned Width = Data + Words * Check
) (
  // Clock, and reset (active low): what is read now is not counted.
  input  logic             clk_i,
  input  logic             rst_ni,

  // A word is read from the memory, and the word, WeightLatency cycles later.
  input  logic             rd_en_i,
  input  logic [Width-1:0] coded_i,

  // The word without its check bits, and without the errors that can be corrected.
  output logic [Data-1:0]  data_o,

  // What it counts of a word, in code words: `written` all, `switched` those in which one error was
  // corrected, `err1` those in which more were detected.
  output count_t           count_o
);

  if (Words > MaxCountedWidth) begin : gen_bad_words
    $error("coded_weights: %0d code words are above %0d, what a counter increment can hold", Words,
           MaxCountedWidth);
  end

  logic [WeightLatency+DecodeLatency:1] read_q;
  logic [Words-1:0] corrected, detected;
  always_ff @(posedge clk_i) begin
    if (!rst_ni) read_q <= '0;
    else         read_q <= {read_q[WeightLatency+DecodeLatency-1:1], rd_en_i};
    count_o <= '0;
    if (read_q[WeightLatency+DecodeLatency] && rst_ni) begin
      count_o.written  <= 8'(Words);
      count_o.switched <= 8'($countones(corrected));
      count_o.err1     <= 8'($countones(detected));
    end
  end

  secded_decode #(
    .Data    (Data),
    .Word    (Word),
    .Check   (Check),
    .Columns (Columns)
  ) u_decode (
    .clk_i,
    .en_i        ('1),
    .coded_i,
    .data_o,
    .corrected_o (corrected),
    .detected_o  (detected)
  );

endmodule
