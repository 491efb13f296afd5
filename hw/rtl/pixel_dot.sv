// Sums of UINT8 pixels with weights +1 (stored 1) and -1 (stored 0), for Pe outputs from the same pixels.
//
// Pixels go in groups of three. Up to its sign, what three pixels add up to is one of four sums, which
// all outputs share: x0 + x1 + x2, x0 + x1 - x2, x0 - x1 + x2 and x0 - x1 - x2. An output selects one
// of them by its weights, and its sign, that of w0, waits until the group is added to its neighbour, or
// in the end until `carry_o` is added: the sum of output p is sum_o[p] + carry_o[p].
//
// Weights come one cycle after their pixels. The datapath has no reset; validity travels with the
// caller, whose en_i[k] says that stage k takes new values. Latency: Stages cycles from the pixels.
// Throughput: one word of pixels a cycle.

module pixel_dot #(
  // Outputs, and pixels at once.
  parameter int unsigned Pe   = 1,
  parameter int unsigned Simd = 3,
  localparam int unsigned Groups = (Simd + 2) / 3,
  localparam int unsigned Levels = $clog2(Groups),
  localparam int unsigned Stages = spinflow_pkg::pixel_stages(Simd),
  localparam int unsigned Width  = 11 + Levels   // 3 * 255 needs 11 bits, signed
) (
  // Clock. There is no reset.
  input  logic                     clk_i,

  // Stage k takes new values in this cycle; bit 0 goes with the pixels, each other bit a cycle later.
  input  logic [Stages-1:0]        en_i,

  // Pixels, unsigned; and, one cycle later, the weights of each output to them.
  input  logic [Simd-1:0][7:0]     x_i,
  input  logic [Pe-1:0][Simd-1:0]  w_i,

  // Sum of each output, signed, and the 1 that is still to be added to it; Stages cycles after the pixels.
  output logic [Pe-1:0][Width-1:0] sum_o,
  output logic [Pe-1:0]            carry_o
);

  // The four sums of each group, by {x2, x1} subtracted.
  logic [Groups-1:0][3:0][10:0] choice_q;
  for (genvar g = 0; g < int'(Groups); g++) begin : gen_choices
    localparam int unsigned Pixels = Simd - 3 * g < 3 ? Simd - 3 * g : 3;
    logic [2:0][7:0] x;
    assign x = 24'(x_i[3*g+:Pixels]);
    always_ff @(posedge clk_i) begin
      if (en_i[0]) begin
        choice_q[g][0] <= 11'(x[0]) + 11'(x[1]) + 11'(x[2]);
        choice_q[g][1] <= 11'(x[0]) - 11'(x[1]) + 11'(x[2]);
        choice_q[g][2] <= 11'(x[0]) + 11'(x[1]) - 11'(x[2]);
        choice_q[g][3] <= 11'(x[0]) - 11'(x[1]) - 11'(x[2]);
      end
    end
  end

  // A tree that adds neighbours, level 0 being the groups; each level ends in registers. A node of level l
  // is a sum of 11 + l bits, extended, and above it whether it is to be subtracted.
  for (genvar p = 0; p < int'(Pe); p++) begin : gen_pe
    logic [Width:0] node_q [Levels+1][Groups];

    for (genvar l = 0; l <= int'(Levels); l++) begin : gen_level
      localparam int unsigned Nodes = (Groups + 2 ** l - 1) / 2 ** l;
      localparam int unsigned Below = 2 ** (l == 0 ? 0 : l - 1);   // groups in a node below
      localparam int unsigned Under = (Groups + Below - 1) / Below;
      localparam int unsigned Bits  = 11 + l;

      for (genvar n = 0; n < int'(Groups); n++) begin : gen_node
        logic [Bits-1:0] sum;
        logic            neg;

        if (n >= int'(Nodes)) begin : gen_none
          assign sum = '0;
          assign neg = 1'b0;
        end else if (l == 0) begin : gen_group
          localparam int unsigned Pixels = Simd - 3 * n < 3 ? Simd - 3 * n : 3;
          logic [2:0] w;
          // A missing pixel is 0, so its weight may be any.
          assign w   = 3'(w_i[p][3*n+:Pixels]);
          assign sum = choice_q[n][(w[2:1] ^ {2{w[0]}}) & 2'((1 << (Pixels - 1)) - 1)];
          assign neg = !w[0];
        end else begin : gen_inner
          logic [Width:0] left;
          assign left = node_q[l-1][2*n];
          assign neg  = left[Width];
          if (2 * n + 1 < int'(Under)) begin : gen_add
            logic [Width:0] right;
            logic differ;
            assign right  = node_q[l-1][2*n+1];
            assign differ = left[Width] ^ right[Width];
            assign sum    = left[Bits-1:0] + (right[Bits-1:0] ^ {Bits{differ}}) + Bits'(differ);
          end else begin : gen_alone
            assign sum = left[Bits-1:0];
          end
        end

        always_ff @(posedge clk_i) begin
          if (en_i[1+l]) node_q[l][n] <= {neg, Width'(signed'(sum))};
        end
      end
    end

    logic [Width-1:0] sum;
    assign {carry_o[p], sum} = node_q[Levels][0];
    assign sum_o[p] = sum ^ {Width{carry_o[p]}};
  end

endmodule
