// What a write leaves behind: the stored word and the counter increments, from old, target and draws, by
// the rules of error_bits.
//
// Purely combinational. `mask_i` marks the bits that exist; the others keep 0 and are not counted.

module error_write
  import spinflow_pkg::*;
#(
  // Bits of a word, at most 255, so that each count fits count_t.
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

  // The word after the write, and what the write counts, in bits.
  output logic [Width-1:0] stored_o,
  output count_t           count_o
);

  if (Width > MaxCountedWidth) begin : gen_bad_width
    $error("error_write: Width %0d is above %0d, what a counter increment can hold", Width,
           MaxCountedWidth);
  end

  logic [Width-1:0] switched, err1, err0;

  error_bits #(
    .Width (Width)
  ) u_error_bits (
    .mode_i,
    .mask_i,
    .old_i,
    .target_i,
    .hit1_i,
    .hit0_i,
    .stored_o,
    .switched_o (switched),
    .err1_o     (err1),
    .err0_o     (err0)
  );

  assign count_o.written  = 8'($countones(mask_i));
  assign count_o.switched = 8'($countones(switched));
  assign count_o.err1     = 8'($countones(err1));
  assign count_o.err0     = 8'($countones(err0));

endmodule
