// Takes apart the beats of frames that do not fill their last one: gives each beat in words of fewer
// bytes, and drops the padding behind a frame.
//
// A frame is Words words of OutBits bits, the first in the lowest bits of its first beat. What its last
// beat has beyond them is padding, of any value.
//
// Latency: one cycle to the first word of a beat. Throughput: one word a cycle, without a gap between
// beats or frames.

module frame_trim #(
  // Bits of a word that goes out, a part of a beat of 32 bits; and such words of a frame.
  parameter int unsigned OutBits = 8,
  parameter int unsigned Words   = 5,
  localparam int unsigned BeatBits = 32,
  localparam int unsigned OutWidth = 8 * ((OutBits + 7) / 8)
) (
  // Clock, and reset (active low): the next beat is the first of a frame.
  input  logic                clk_i,
  input  logic                rst_ni,

  // Beats, padding behind the last word of a frame.
  input  logic [BeatBits-1:0] in_data_i,
  input  logic                in_valid_i,
  output logic                in_ready_o,

  // Words of the frames, none of the padding.
  output logic [OutWidth-1:0] out_data_o,
  output logic                out_valid_o,
  input  logic                out_ready_i
);

  localparam int unsigned Ratio = BeatBits / OutBits;            // words of a whole beat
  localparam int unsigned Beats = (Words + Ratio - 1) / Ratio;   // of a frame
  localparam int unsigned Rest  = Words - (Beats - 1) * Ratio;   // words of the last one
  localparam int unsigned CountWidth = $clog2(Ratio + 1);
  localparam int unsigned BeatWidth  = Beats > 1 ? $clog2(Beats) : 1;

  if (Words < 1 || Ratio < 2 || Ratio * OutBits != BeatBits) begin : gen_bad_words
    $error("frame_trim: %0d words of %0d bits: at least 1, and 2 or more must fill 32 bits",
           Words, OutBits);
  end

  logic [BeatBits-1:0]   beat_q;
  logic [CountWidth-1:0] left_q;      // words of it not yet given
  logic [BeatWidth-1:0]  number_q;    // of the next beat in its frame
  logic one_left_q;                   // the word that goes out is its last one
  logic take, give, last;

  assign give       = out_valid_o && out_ready_i;
  assign in_ready_o = !out_valid_o || (out_ready_i && one_left_q);
  assign take       = in_valid_i && in_ready_o;
  assign last       = number_q == BeatWidth'(Beats - 1);

  always_ff @(posedge clk_i) begin
    if (!rst_ni) begin
      left_q      <= '0;
      number_q    <= '0;
      one_left_q  <= 1'b0;
      out_valid_o <= 1'b0;
    end else begin
      if (take) begin
        left_q     <= last ? CountWidth'(Rest) : CountWidth'(Ratio);
        one_left_q <= last && Rest == 1;
        number_q   <= last ? '0 : number_q + 1'b1;
      end else if (give) begin
        left_q     <= left_q - 1'b1;
        one_left_q <= left_q == CountWidth'(2);
      end
      if (in_ready_o) out_valid_o <= in_valid_i;
    end
    if (take)      beat_q <= in_data_i;
    else if (give) beat_q <= beat_q >> OutBits;
  end

  assign out_data_o = OutWidth'(beat_q[OutBits-1:0]);

endmodule
