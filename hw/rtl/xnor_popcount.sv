// Number of agreeing bits of two words: popcount(xnor(a_i, b_i)).
//
// Two register stages: groups of 64 bits are counted, then the groups are added. The datapath has no
// reset; validity travels with the caller. Latency: 2 cycles. Throughput: one pair of words a cycle.

module xnor_popcount #(
  parameter int unsigned Width = 64,
  localparam int unsigned CountWidth = $clog2(Width + 1)
) (
  input  logic                  clk_i,
  input  logic                  en1_i,   // a_i and b_i are new
  input  logic                  en2_i,   // one cycle later: the groups are new
  input  logic [Width-1:0]      a_i,
  input  logic [Width-1:0]      b_i,
  output logic [CountWidth-1:0] count_o
);

  localparam int unsigned Group = 64;
  localparam int unsigned Groups = (Width + Group - 1) / Group;
  localparam int unsigned GroupWidth = $clog2(Group + 1);

  logic [GroupWidth-1:0] group_q [Groups];
  for (genvar g = 0; g < int'(Groups); g++) begin : gen_group
    localparam int unsigned Bits = Width - g * Group < Group ? Width - g * Group : Group;
    always_ff @(posedge clk_i) begin
      if (en1_i) group_q[g] <= GroupWidth'($countones(~(a_i[g*Group+:Bits] ^ b_i[g*Group+:Bits])));
    end
  end

  logic [CountWidth-1:0] sum_d;
  always_comb begin
    sum_d = '0;
    for (int unsigned g = 0; g < Groups; g++) sum_d += CountWidth'(group_q[g]);
  end

  always_ff @(posedge clk_i) begin
    if (en2_i) count_o <= sum_d;
  end

endmodule
