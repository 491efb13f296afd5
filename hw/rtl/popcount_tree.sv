// Number of agreeing bits of two words, popcount(xnor(a_i, b_i)), in about 1.1 LUTs a bit.
//
// A LUT with two outputs is a full adder for two XNORs and a bit, so five XNORs become a sum bit and
// two carries in two and a half LUTs. What then stands in each column, a power of two, is compressed
// level by level: six bits of a column to a 3-bit number in three LUTs, three of the rest to two bits
// in one. Every LUT takes one bit away. At three bits a column a row of adders leaves two, and a carry
// chain adds these.
//
// As many registers are between the levels as the width asks for (spinflow_pkg), another holds the
// result. The datapath has no reset; validity travels with the caller. Latency: Stages cycles, 2 to 3 for
// words up to 1,100 bits. Throughput: one pair of words a cycle.

module popcount_tree
  import spinflow_pkg::*;
#(
  // Bits of a word.
  parameter int unsigned Width = 64,
  localparam int unsigned CountWidth = $clog2(Width + 1),
  localparam int unsigned Stages = popcount_stages(Width)
) (
  // Clock. There is no reset.
  input  logic                  clk_i,

  // Stage k takes new values in this cycle: bit 0 goes with the words, each other bit a cycle later.
  input  logic [Stages-1:0]     en_i,

  // The two words, looked at with bit 0 of `en_i`.
  input  logic [Width-1:0]      a_i,
  input  logic [Width-1:0]      b_i,

  // Bits in which they agree, from Stages cycles after their enable to the next result.
  output logic [CountWidth-1:0] count_o
);

  localparam int unsigned Fives   = (Width + 4) / 5;   // groups; the last one may be shorter
  localparam int unsigned Carries = (Width - Fives + 1) / 2;
  localparam int unsigned Columns = CountWidth + 2;    // the last two are always empty
  localparam int unsigned MostBits = Fives > Carries ? Fives : Carries;

  localparam heights_t Heights = popcount_heights(Width);
  localparam int unsigned Levels = popcount_levels(Width);

  // The stage whose register stands before a level that has one.
  function automatic int unsigned stage_before(int unsigned level);
    stage_before = 0;
    for (int unsigned l = 0; l < level; l++) stage_before += 32'(popcount_cut(Width, l));
  endfunction

  // Bit `place` of the number of ones among the six inputs of a LUT.
  function automatic logic [63:0] ones(int unsigned place);
    for (int unsigned i = 0; i < 64; i++) begin
      ones[i] = 1'(32'(i[0]) + 32'(i[1]) + 32'(i[2]) + 32'(i[3]) + 32'(i[4]) + 32'(i[5]) >> place);
    end
  endfunction

  // For two outputs, o5 in the lower half: sum (o6) and carry (o5) of in[2:0]; of in[4] and the
  // agreements of in[1:0] and in[3:2]; just these two agreements.
  function automatic logic [63:0] adder();
    for (int unsigned i = 0; i < 32; i++) begin
      {adder[i], adder[32+i]} = 2'(i[0]) + 2'(i[1]) + 2'(i[2]);
    end
  endfunction
  function automatic logic [63:0] xnor_adder();
    for (int unsigned i = 0; i < 32; i++) begin
      {xnor_adder[i], xnor_adder[32+i]} = 2'(i[0] == i[1]) + 2'(i[2] == i[3]) + 2'(i[4]);
    end
  endfunction
  function automatic logic [63:0] xnor_pair();
    for (int unsigned i = 0; i < 32; i++) begin
      {xnor_pair[i], xnor_pair[32+i]} = {i[0] == i[1], i[2] == i[3]};
    end
  endfunction
  localparam logic [63:0] Adder = adder(), XnorAdder = xnor_adder(), XnorPair = xnor_pair();

  logic [Levels:0][Columns-1:0][MostBits-1:0] made;   // by the level before
  logic [Levels:0][Columns-1:0][MostBits-1:0] heap;   // in front of the level

  // Five agreements to a sum bit and two carries; the fifth ones of two groups share a LUT. A last
  // group of an even number has none: two bits that differ stand for it.
  logic [Fives-1:0] fifth;
  logic [Fives-1:0][1:0] fifth_in;
  for (genvar g = 0; g < int'(Fives); g++) begin : gen_fifth
    localparam int unsigned Last = 5 * g + 4 < int'(Width) ? 5 * g + 4 : Width - 1;
    assign fifth_in[g] = (Last - 5 * g) % 2 == 0 ? {b_i[Last], a_i[Last]} : 2'b10;
    if (g % 2 == 1) begin : gen_two
      lut_pair #(
        .Init (XnorPair)
      ) u_fifths (
        .in_i ({2'b10, fifth_in[g], fifth_in[g-1]}),
        .o6_o (fifth[g]),
        .o5_o (fifth[g-1])
      );
    end else if (g == int'(Fives) - 1) begin : gen_one
      assign fifth[g] = fifth_in[g][1] == fifth_in[g][0];
    end
  end

  for (genvar g = 0; g < int'(Fives); g++) begin : gen_five
    localparam int unsigned Pairs = Width - 5 * g < 4 ? (Width - 5 * g) / 2 : 2;
    logic [2:0] sum;
    assign sum[0] = fifth[g];
    for (genvar p = 0; p < 2; p++) begin : gen_pair
      if (p < int'(Pairs)) begin : gen_adder
        localparam int unsigned At = 5 * g + 2 * p;
        lut_pair #(
          .Init (XnorAdder)
        ) u_adder (
          .in_i ({1'b1, sum[p], b_i[At+1], a_i[At+1], b_i[At], a_i[At]}),
          .o6_o (sum[p+1]),
          .o5_o (made[0][1][2*g+p])
        );
      end else begin : gen_none
        assign sum[p+1] = sum[p];
      end
    end
    assign made[0][0][g] = sum[2];
  end

  for (genvar l = 0; l < int'(Levels); l++) begin : gen_level
    for (genvar c = 0; c < int'(CountWidth); c++) begin : gen_column
      localparam int unsigned Sixes  = 32'(Heights[l][c]) / 6;
      localparam int unsigned Threes = 32'(Heights[l][c]) % 6 / 3;
      localparam int unsigned Rest   = 32'(Heights[l][c]) % 3;
      // Where this column's bits begin in the two above it: behind their own, and those from between.
      localparam int unsigned Behind1 =
          32'(Heights[l][c+1]) / 6 + 32'(Heights[l][c+1]) % 6 / 3 + 32'(Heights[l][c+1]) % 3;
      localparam int unsigned Behind2 =
          32'(Heights[l][c+2]) / 6 + 32'(Heights[l][c+2]) % 6 / 3 + 32'(Heights[l][c+2]) % 3 +
          32'(Heights[l][c+1]) / 6 + 32'(Heights[l][c+1]) % 6 / 3;

      for (genvar s = 0; s < int'(Sixes); s++) begin : gen_six
        logic [2:0] unused_o5;
        lut_pair #(.Init (ones(0))) u_ones (
          .in_i (heap[l][c][6*s+:6]), .o6_o (made[l+1][c][s]), .o5_o (unused_o5[0])
        );
        lut_pair #(.Init (ones(1))) u_twos (
          .in_i (heap[l][c][6*s+:6]), .o6_o (made[l+1][c+1][Behind1+s]), .o5_o (unused_o5[1])
        );
        lut_pair #(.Init (ones(2))) u_fours (
          .in_i (heap[l][c][6*s+:6]), .o6_o (made[l+1][c+2][Behind2+s]), .o5_o (unused_o5[2])
        );
      end
      if (Threes == 1) begin : gen_three
        lut_pair #(.Init (Adder)) u_adder (
          .in_i ({3'b100, heap[l][c][6*Sixes+:3]}),
          .o6_o (made[l+1][c][Sixes]),
          .o5_o (made[l+1][c+1][Behind1+Sixes])
        );
      end
      if (Rest != 0) begin : gen_rest
        assign made[l+1][c][Sixes+Threes+:Rest] = heap[l][c][6*Sixes+3*Threes+:Rest];
      end
    end
  end

  for (genvar l = 0; l <= int'(Levels); l++) begin : gen_heap
    for (genvar c = 0; c < int'(Columns); c++) begin : gen_column
      localparam int unsigned Height = 32'(Heights[l][c]);
      if (Height < MostBits) begin : gen_empty
        assign made[l][c][MostBits-1:Height] = '0;
      end
    end
    if (popcount_cut(Width, l)) begin : gen_register
      always_ff @(posedge clk_i) begin
        if (en_i[stage_before(l)]) heap[l] <= made[l];
      end
    end else begin : gen_wire
      assign heap[l] = made[l];
    end
  end

  // The last rows: an adder in each column from the lowest one of three bits on as far as carries reach,
  // and the sum of the two rows that are left.
  function automatic logic [CountWidth-1:0] adders();
    adders = '0;
    for (int unsigned c = 0; c < CountWidth; c++) begin
      adders[c] = Heights[Levels][c] == 3 ||
                  (Heights[Levels][c] == 2 && c > 0 && adders[c == 0 ? 0 : c-1]);
    end
  endfunction
  localparam logic [CountWidth-1:0] Adders = adders();

  logic [CountWidth-1:0] sums, rest;
  logic [CountWidth:0]   carries;   // into each column
  logic unused_carry;
  assign carries[0]   = 1'b0;
  assign unused_carry = carries[CountWidth];   // never set: the count fits
  for (genvar c = 0; c < int'(CountWidth); c++) begin : gen_last
    if (Adders[c]) begin : gen_adder
      logic third;
      assign third = Heights[Levels][c] == 3 && heap[Levels][c][MostBits > 2 ? 2 : 0];
      lut_pair #(.Init (Adder)) u_adder (
        .in_i ({3'b100, third, heap[Levels][c][1:0]}),
        .o6_o (sums[c]),
        .o5_o (carries[c+1])
      );
      assign rest[c] = carries[c];
    end else begin : gen_through
      assign sums[c]      = heap[Levels][c][0];
      assign rest[c]      = Heights[Levels][c] == 2 ? heap[Levels][c][MostBits > 1 ? 1 : 0]
                                                    : carries[c];
      assign carries[c+1] = 1'b0;
    end
  end
  always_ff @(posedge clk_i) begin
    if (en_i[Stages-1]) count_o <= sums + rest;
  end

endmodule
