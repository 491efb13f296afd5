// What secded_decode promises, of any data and of up to two errors in each code word, data bits and check
// bits alike: without an error the data come as they were written; one is corrected and told; of two it
// is told that they are there, and the data come as they were stored. A stage that is not let go keeps
// its word.
//
// Assumed: no code word has more than two errors.

module secded_decode_formal #(
  // As of secded_decode.
  parameter int unsigned Data  = 12,
  parameter int unsigned Word  = 8,
  parameter int unsigned Check = 5,
  localparam int unsigned Words = (Data + Word - 1) / Word,
  localparam int unsigned Width = Data + Words * Check
) (
  // Clock, and which stages go on.
  input logic             clk_i,
  input logic [1:0]       en_i,

  // Free: the data that are written, and which bits err.
  input logic [Data-1:0]  written_i,
  input logic [Width-1:0] error_i
);

  logic [Words*Check-1:0] check;
  logic [Width-1:0] coded_i;
  logic [Data-1:0]  data_o;
  logic [Words-1:0] corrected_o, detected_o;

  secded_encode #(.Data (Data), .Word (Word), .Check (Check)) u_encode (
    .data_i (written_i), .check_o (check)
  );
  assign coded_i = {check, written_i} ^ error_i;
  secded_decode #(.Data (Data), .Word (Word), .Check (Check)) dut (.*);

  // The words that the stages hold: what was written, and which bits err.
  typedef struct packed {
    logic             valid;
    logic [Data-1:0]  written;
    logic [Width-1:0] error;
  } word_t;
  word_t first_q, second_q;
  initial {first_q, second_q} = '0;

  // Errors of a code word.
  function automatic int unsigned errors(logic [Width-1:0] error, int unsigned w);
    errors = $countones(error[Data+w*Check+:Check]);
    for (int unsigned b = w * Word; b < (w + 1) * Word && b < Data; b++) errors += 32'(error[b]);
  endfunction

  // What the first stage holds of the check bits is what the errors make of them.
  logic [Words*Check-1:0] of_error;
  secded_encode #(.Data (Data), .Word (Word), .Check (Check)) u_encode_error (
    .data_i (first_q.error[Data-1:0]), .check_o (of_error)
  );

  logic [Data-1:0]  data;   // that are to come out
  logic [Words-1:0] one, two;
  always_comb begin
    data = second_q.written;
    for (int unsigned w = 0; w < Words; w++) begin
      assume (errors(error_i, w) <= 2);
      one[w] = errors(second_q.error, w) == 1;
      two[w] = errors(second_q.error, w) == 2;
      for (int unsigned b = w * Word; b < (w + 1) * Word && b < Data; b++) begin
        data[b] = second_q.written[b] ^ (two[w] && second_q.error[b]);
      end
    end
  end

  always_ff @(posedge clk_i) begin
    if (en_i[0]) first_q <= '{valid: 1'b1, written: written_i, error: error_i};
    if (en_i[1]) second_q <= first_q;
    if (first_q.valid) begin
      assert (dut.data_q == (first_q.written ^ first_q.error[Data-1:0]));
      assert (dut.syndrome_q == (first_q.error[Width-1:Data] ^ of_error));
      for (int unsigned w = 0; w < Words; w++) assert (errors(first_q.error, w) <= 2);
    end
    if (second_q.valid) begin
      assert (data_o == data);
      assert (corrected_o == one);
      assert (detected_o == two);
      cover (one == '1);
      cover (two == '1);
    end
  end

endmodule
