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
  parameter int unsigned Pe   = 1,
  parameter int unsigned Simd = 3,
  localparam int unsigned Groups = (Simd + 2) / 3,
  localparam int unsigned Levels = $clog2(Groups),
  localparam int unsigned Stages = 2 + (Levels + 1) / 2,
  localparam int unsigned Width  = 11 + Levels   // 3 * 255 needs 11 bits, signed
) (
  input  logic                     clk_i,
  input  logic [Stages-1:0]        en_i,
  input  logic [Simd-1:0][7:0]     x_i,
  input  logic [Pe-1:0][Simd-1:0]  w_i,      // one cycle after x_i
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

  // A tree that adds neighbours, level 0 being the groups; a register behind every second level.
  // Nodes of level l have 11 + l bits, their upper ones are copies of the sign.
  for (genvar p = 0; p < int'(Pe); p++) begin : gen_pe
    logic [Width-1:0]  sum [Levels+1][Groups];
    logic [Groups-1:0] neg [Levels+1];

    for (genvar l = 0; l <= int'(Levels); l++) begin : gen_level
      localparam int unsigned Nodes = (Groups + 2 ** l - 1) / 2 ** l;
      localparam int unsigned Below = 2 ** (l == 0 ? 0 : l - 1);   // groups in a node below
      localparam int unsigned Under = (Groups + Below - 1) / Below;
      localparam int unsigned Bits  = 11 + l;

      for (genvar n = 0; n < int'(Groups); n++) begin : gen_node
        logic [Bits-1:0] sum_d;
        logic            neg_d;

        if (n >= int'(Nodes)) begin : gen_none
          assign sum_d = '0;
          assign neg_d = 1'b0;
        end else if (l == 0) begin : gen_group
          localparam int unsigned Pixels = Simd - 3 * n < 3 ? Simd - 3 * n : 3;
          logic [2:0] w;
          // A missing pixel is 0, so its weight may be any.
          assign w     = 3'(w_i[p][3*n+:Pixels]);
          assign sum_d = choice_q[n][(w[2:1] ^ {2{w[0]}}) & 2'((1 << (Pixels - 1)) - 1)];
          assign neg_d = !w[0];
        end else if (2 * n + 1 < int'(Under)) begin : gen_add
          logic [Bits-1:0] a, b;
          logic differ;
          assign a      = Bits'(signed'(sum[l-1][2*n][Bits-2:0]));
          assign b      = Bits'(signed'(sum[l-1][2*n+1][Bits-2:0]));
          assign differ = neg[l-1][2*n] ^ neg[l-1][2*n+1];
          assign sum_d  = a + (b ^ {Bits{differ}}) + Bits'(differ);
          assign neg_d  = neg[l-1][2*n];
        end else begin : gen_alone
          assign sum_d = Bits'(signed'(sum[l-1][2*n][Bits-2:0]));
          assign neg_d = neg[l-1][2*n];
        end

        if (l % 2 == 0 || l == int'(Levels)) begin : gen_register
          always_ff @(posedge clk_i) begin
            if (en_i[1+(l+1)/2]) begin
              sum[l][n] <= Width'(signed'(sum_d));
              neg[l][n] <= neg_d;
            end
          end
        end else begin : gen_wire
          assign sum[l][n] = Width'(signed'(sum_d));
          assign neg[l][n] = neg_d;
        end
      end
    end

    assign carry_o[p] = neg[Levels][0];
    assign sum_o[p]   = sum[Levels][0] ^ {Width{carry_o[p]}};
  end

endmodule
