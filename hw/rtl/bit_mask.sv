// A word without the bits of a mask, in half a LUT a bit: a LUT with two outputs takes two bits.
//
// With the primitives of a Xilinx part (spinflow_pkg) it places these LUTs, since yosys takes one for
// each bit; without, it is an expression. Combinational: no latency.

module bit_mask
  import spinflow_pkg::*;
#(
  // Bits of the word.
  parameter int unsigned Width = 64
) (
  // The word, and the bits that become 0.
  input  logic [Width-1:0] in_i,
  input  logic [Width-1:0] mask_i,

  // What is left.
  output logic [Width-1:0] out_o
);

  // Lower half, o5: in[0] without in[1]. Upper half, o6: in[2] without in[3].
  function automatic logic [63:0] without();
    for (int unsigned i = 0; i < 32; i++) begin
      {without[32+i], without[i]} = {i[2] && !i[3], i[0] && !i[1]};
    end
  endfunction

  if (Primitives == Generic) begin : gen_generic
    assign out_o = in_i & ~mask_i;
  end else begin : gen_lut_pairs
    for (genvar n = 0; n < int'(Width); n += 2) begin : gen_two
      if (n + 1 < int'(Width)) begin : gen_pair
        lut_pair #(.Init (without())) u_pair (
          .in_i ({2'b10, mask_i[n+1], in_i[n+1], mask_i[n], in_i[n]}),
          .o6_o (out_o[n+1]),
          .o5_o (out_o[n])
        );
      end else begin : gen_one
        assign out_o[n] = in_i[n] && !mask_i[n];
      end
    end
  end

endmodule
