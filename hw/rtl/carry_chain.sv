// A chain of a part's carry cells, bit i of which passes the carry on if propagate_i[i] is 1 and
// otherwise sends generate_i[i]; sum_o[i] is propagate_i[i] XOR the carry into bit i.
//
// With propagate a ^ b and generate a it adds a and b. It is for sums whose two gates are put into one
// LUT by hand (see lut_pair). The primitives are those that spinflow_pkg names: CARRY4, CARRY8, or none
// but an expression. Purely combinational.

module carry_chain
  import spinflow_pkg::*;
#(
  // Bits of the sum.
  parameter int unsigned Width = 32
) (
  // Of each bit: whether it passes the carry on, and the carry that it makes if it does not.
  input  logic [Width-1:0] propagate_i,
  input  logic [Width-1:0] generate_i,

  // The sum modulo 2^Width; there is no carry into bit 0 and none out.
  output logic [Width-1:0] sum_o
);

  if (Primitives == Generic) begin : gen_generic
    assign sum_o = generate_i + (propagate_i ^ generate_i);
  end else begin : gen_xilinx
    localparam int unsigned CellBits = Primitives == UltraScale ? 8 : 4;
    localparam int unsigned Cells    = (Width + CellBits - 1) / CellBits;
    logic [Cells*CellBits-1:0] propagate, gen, sum;
    logic [Cells*CellBits:0]   carry;   // into each bit
    assign propagate = (Cells*CellBits)'(propagate_i);
    assign gen       = (Cells*CellBits)'(generate_i);
    assign carry[0]  = 1'b0;
    assign sum_o     = sum[Width-1:0];
    for (genvar c = 0; c < int'(Cells); c++) begin : gen_cell
      localparam int unsigned At = CellBits * c;
      if (Primitives == UltraScale) begin : gen_ultrascale
        CARRY8 u_carry (
          .CO     (carry[At+1+:8]),
          .O      (sum[At+:8]),
          .CI     (carry[At]),
          .CI_TOP (1'b0),
          .DI     (gen[At+:8]),
          .S      (propagate[At+:8])
        );
      end else begin : gen_xilinx7
        CARRY4 u_carry (
          .CO     (carry[At+1+:4]),
          .O      (sum[At+:4]),
          .CI     (carry[At]),
          .CYINIT (1'b0),
          .DI     (gen[At+:4]),
          .S      (propagate[At+:4])
        );
      end
    end
  end

endmodule

// yosys's own library has the primitives too, but its SystemVerilog front end does not look there.
`ifdef __slang__
(* blackbox *)
module CARRY4 (
  // Four cells, the lowest first (UG474): carry out and sum of each; carry in; generate and propagate.
  output logic [3:0] CO,
  output logic [3:0] O,
  input  logic       CI,
  input  logic       CYINIT,
  input  logic [3:0] DI,
  input  logic [3:0] S
);
endmodule

(* blackbox *)
module CARRY8 (
  // Eight cells, the lowest first (UG574), as those of CARRY4; CI_TOP is for two chains of four.
  output logic [7:0] CO,
  output logic [7:0] O,
  input  logic       CI,
  input  logic       CI_TOP,
  input  logic [7:0] DI,
  input  logic [7:0] S
);
endmodule
`endif
