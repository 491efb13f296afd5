// What a write leaves behind, bit by bit: the stored word, and which bits switch and err, from old, target
// and draws.
//
// Purely combinational. `mask_i` marks the bits that exist; the others keep 0.
//   off    stored = target
//   flip   stored = target inverted where the draw hits; every hit is an error
//   switch stored = old where the draw hits and target differs from old; only that is an error

module error_bits
  import spinflow_pkg::*;
#(
  // Bits of a word.
  parameter int unsigned Width = 32
) (
  // Mode, one of error_mode_e; 3 makes no errors.
  input  logic [1:0]       mode_i,

  // A 1 for each bit that exists.
  input  logic [Width-1:0] mask_i,

  // The word before the write, and the word that is to be written.
  input  logic [Width-1:0] old_i,
  input  logic [Width-1:0] target_i,

  // Of each bit: whether its draw errs if a 1, and if a 0, is written.
  input  logic [Width-1:0] hit1_i,
  input  logic [Width-1:0] hit0_i,

  // The word after the write; which bits change as they should, and where a 1 and a 0 err.
  output logic [Width-1:0] stored_o,
  output logic [Width-1:0] switched_o,
  output logic [Width-1:0] err1_o,
  output logic [Width-1:0] err0_o
);

  logic [Width-1:0] hit, error;

  assign hit        = (target_i & hit1_i) | (~target_i & hit0_i);
  assign switched_o = (target_i ^ old_i) & mask_i;

  always_comb begin
    unique case (mode_i)
      ModeFlip:   error = hit & mask_i;
      ModeSwitch: error = hit & switched_o;
      default:    error = '0;
    endcase
  end

  // An error always stores the opposite of the target: in switch mode that is the old bit.
  assign stored_o = (target_i ^ error) & mask_i;
  assign err1_o   = error & target_i;
  assign err0_o   = error & ~target_i;

endmodule
