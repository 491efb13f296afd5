// Check bits of a SECDED code (Hsiao's), which are stored behind a word of a memory.
//
// The word is cut into code words of Word bits, the last one perhaps shorter; each has Check check bits.
// Purely combinational.

module secded_encode #(
  // Bits of a word; data bits of a code word, and its check bits.
  parameter int unsigned Data  = 8,
  parameter int unsigned Word  = 8,
  parameter int unsigned Check = 5,
  // The check matrix: data bit i of a code word counts for check bit r where bit i*Check + r is 1.
  parameter logic [Word*Check-1:0] Columns = 40'hB557C9BB27,
  localparam int unsigned Words = (Data + Word - 1) / Word
) (
  // The word, and the check bits of its code words, those of the first one lowest.
  input  logic [Data-1:0]        data_i,
  output logic [Words*Check-1:0] check_o
);

  function automatic logic [Word-1:0] row(int unsigned check);
    for (int unsigned i = 0; i < Word; i++) row[i] = Columns[i*Check+check];
  endfunction

  for (genvar w = 0; w < int'(Words); w++) begin : gen_word
    localparam int unsigned Bits = Data - w * Word < Word ? Data - w * Word : Word;
    for (genvar r = 0; r < int'(Check); r++) begin : gen_check
      localparam logic [Word-1:0] Row = row(r);
      assign check_o[w*Check+r] = ^(data_i[w*Word+:Bits] & Row[Bits-1:0]);
    end
  end

endmodule
