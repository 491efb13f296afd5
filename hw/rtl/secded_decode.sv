// Reads words that secded_encode has coded: of each code word one wrong bit is corrected, two are
// detected. More than two are detected where their number is even, but for those that make another code
// word; an odd number mostly looks like a single error.
//
// Latency: DecodeLatency cycles, of which `en_i` lets each go. Throughput: a word a cycle.

module secded_decode #(
  // As of secded_encode.
  parameter int unsigned Data  = 8,
  parameter int unsigned Word  = 8,
  parameter int unsigned Check = 5,
  parameter logic [Word*Check-1:0] Columns = 40'hB557C9BB27,
  localparam int unsigned Words = (Data + Word - 1) / Word,
  localparam int unsigned Width = Data + Words * Check
) (
  // Clock. There is no reset.
  input  logic             clk_i,

  // Whether the first stage takes a word, and whether the second takes it from the first.
  input  logic [spinflow_pkg::DecodeLatency-1:0] en_i,

  // The word as it was stored, with its check bits.
  input  logic [Width-1:0] coded_i,

  // The word, and of each of its code words whether one error was corrected, in a data bit or a check
  // bit, and whether more were detected, which leaves its data as they came.
  output logic [Data-1:0]  data_o,
  output logic [Words-1:0] corrected_o,
  output logic [Words-1:0] detected_o
);

  // Whether no two errors look like one: an odd number of ones, and not one, in different columns.
  function automatic bit is_code();
    is_code = 1'b1;
    for (int unsigned i = 0; i < Word; i++) begin
      automatic logic [Check-1:0] column = Columns[i*Check+:Check];
      if (!(^column) || (column & (column - 1'b1)) == '0) is_code = 1'b0;
      for (int unsigned k = 0; k < i; k++) begin
        if (column == Columns[k*Check+:Check]) is_code = 1'b0;
      end
    end
  endfunction
  if (!is_code()) begin : gen_bad_columns
    $error("secded_decode: Columns must differ and have 3 ones or more, an odd number");
  end

  // For each syndrome, whether it is that of a single error in a code word of so many data bits.
  function automatic logic [2**Check-1:0] single(int unsigned bits);
    single = '0;
    for (int unsigned r = 0; r < Check; r++) single[1<<r] = 1'b1;
    for (int unsigned i = 0; i < bits; i++) single[Columns[i*Check+:Check]] = 1'b1;
  endfunction

  logic [Words*Check-1:0] check;   // of these data
  secded_encode #(
    .Data    (Data),
    .Word    (Word),
    .Check   (Check),
    .Columns (Columns)
  ) u_encode (
    .data_i  (coded_i[Data-1:0]),
    .check_o (check)
  );

  logic [Data-1:0] data_q;
  logic [Words*Check-1:0] syndrome_q;
  always_ff @(posedge clk_i) begin
    if (en_i[0]) begin
      data_q     <= coded_i[Data-1:0];
      syndrome_q <= coded_i[Width-1:Data] ^ check;
    end
  end

  for (genvar w = 0; w < int'(Words); w++) begin : gen_word
    localparam int unsigned Bits = Data - w * Word < Word ? Data - w * Word : Word;
    localparam logic [2**Check-1:0] Single = single(Bits);
    logic [Check-1:0] syndrome;
    assign syndrome = syndrome_q[w*Check+:Check];
    always_ff @(posedge clk_i) begin
      if (en_i[1]) begin
        corrected_o[w] <= Single[syndrome];
        detected_o[w]  <= syndrome != '0 && !Single[syndrome];
        for (int unsigned i = 0; i < Bits; i++) begin
          data_o[w*Word+i] <= data_q[w*Word+i] ^ (syndrome == Columns[i*Check+:Check]);
        end
      end
    end
  end

endmodule
