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

  // Errors of each code word, and what is to come out of it.
  typedef struct packed {
    logic             valid;
    logic [Data-1:0]  data;
    logic [Words-1:0] one, two;
  } expected_t;
  expected_t expected, first_q, second_q;
  initial {first_q, second_q} = '0;
  always_comb begin
    expected = '{valid: 1'b1, data: written_i, one: '0, two: '0};
    for (int unsigned w = 0; w < Words; w++) begin
      automatic int unsigned errors = $countones(error_i[Data+w*Check+:Check]);
      for (int unsigned b = w * Word; b < (w + 1) * Word && b < Data; b++) errors += 32'(error_i[b]);
      assume (errors <= 2);
      expected.one[w] = errors == 1;
      expected.two[w] = errors == 2;
      for (int unsigned b = w * Word; b < (w + 1) * Word && b < Data; b++) begin
        if (errors == 2) expected.data[b] = written_i[b] ^ error_i[b];
      end
    end
  end

  always_ff @(posedge clk_i) begin
    if (en_i[0]) first_q <= expected;
    if (en_i[1]) second_q <= first_q;
    if (second_q.valid) begin
      assert (data_o == second_q.data);
      assert (corrected_o == second_q.one);
      assert (detected_o == second_q.two);
      cover (second_q.one == '1);
      cover (second_q.two == '1);
    end
  end

endmodule
