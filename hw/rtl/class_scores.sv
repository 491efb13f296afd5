// Scores of classes: the sum of each class times its gain plus its offset, all of them unsigned.
//
// Sums arrive Pe to a word, that of class 0 first, and leave as scores in words of as many. With GainBits
// of 0 every gain is 2^Shift, which takes no multiplier. The tables are in a row_rom.
//
// Latency: one cycle. Throughput: one word a cycle, no bubble between frames.

module class_scores #(
  // Scores of a frame, and those in a word, a divisor of Labels.
  parameter int unsigned Labels = 10,
  parameter int unsigned Pe     = 1,
  // Bits of a sum and of a score; the latter holds the largest one.
  parameter int unsigned InBits    = 7,
  parameter int unsigned ScoreBits = 9,
  // Bits of a gain in `Gains`; 0 if each gain is 2^Shift.
  parameter int unsigned GainBits   = 0,
  parameter int unsigned Shift      = 0,
  // Bits of an offset.
  parameter int unsigned OffsetBits = 8,
  localparam int unsigned GainWidth = GainBits > 0 ? GainBits : 1,
  // Gain of class n at [n*GainBits +: GainBits], offset at [n*OffsetBits +: OffsetBits].
  parameter logic [Labels*GainWidth-1:0]  Gains   = '0,
  parameter logic [Labels*OffsetBits-1:0] Offsets = '0,
  localparam int unsigned InWidth  = 8 * ((Pe * InBits + 7) / 8),
  localparam int unsigned OutWidth = 8 * ((Pe * ScoreBits + 7) / 8)
) (
  // Clock, and reset (active low): the next word is the first of a frame.
  input  logic                clk_i,
  input  logic                rst_ni,

  // Sums of a frame, that of class 0 first and in the lowest bits; padding is not read.
  input  logic [InWidth-1:0]  in_data_i,
  input  logic                in_valid_i,
  output logic                in_ready_o,

  // Their scores in the same places; the padding is 0.
  output logic [OutWidth-1:0] out_data_o,
  output logic                out_valid_o,
  input  logic                out_ready_i
);

  localparam int unsigned Rows = Labels / Pe;
  localparam int unsigned RowWidth = Pe * (GainWidth + OffsetBits);

  if (Labels % Pe != 0) begin : gen_bad_pe
    $error("class_scores: Pe %0d must divide Labels %0d", Pe, Labels);
  end
  if (ScoreBits < OffsetBits || ScoreBits < GainBits || ScoreBits < InBits + Shift) begin : gen_bits
    $error("class_scores: ScoreBits %0d is below the bits of gains %0d, offsets %0d or sums %0d",
           ScoreBits, GainBits, OffsetBits, InBits + Shift);
  end

  // Of each row the offsets of a word's classes in the lower bits, their gains above.
  function automatic logic [Rows*RowWidth-1:0] rows();
    for (int unsigned n = 0; n < Rows; n++) begin
      rows[n*RowWidth+:RowWidth] =
          {Gains[n*Pe*GainWidth+:Pe*GainWidth], Offsets[n*Pe*OffsetBits+:Pe*OffsetBits]};
    end
  endfunction

  logic [RowWidth-1:0] row;
  logic there, take;

  row_rom #(
    .Width (RowWidth),
    .Rows  (Rows),
    .Table (rows())
  ) u_rows (
    .clk_i,
    .rst_ni,
    .next_i  (take),
    .row_o   (row),
    .there_o (there)
  );

  assign in_ready_o = there && (!out_valid_o || out_ready_i);
  assign take = in_valid_i && in_ready_o;

  logic [OutWidth-1:0] scores;
  always_comb begin
    scores = '0;
    for (int unsigned p = 0; p < Pe; p++) begin
      logic [ScoreBits-1:0] sum, scaled;
      sum    = ScoreBits'(in_data_i[p*InBits+:InBits]);
      scaled = GainBits == 0 ? sum << Shift :
          sum * ScoreBits'(row[Pe*OffsetBits+p*GainWidth+:GainWidth]);
      scores[p*ScoreBits+:ScoreBits] = scaled + ScoreBits'(row[p*OffsetBits+:OffsetBits]);
    end
  end

  always_ff @(posedge clk_i) begin
    if (!rst_ni) out_valid_o <= 1'b0;
    else if (take) out_valid_o <= 1'b1;
    else if (out_ready_i) out_valid_o <= 1'b0;
    if (take) out_data_o <= scores;
  end

endmodule
