// What stream_widen promises: each Ratio words in make one word out, the first in the lowest bits and 0
// in the padding, one cycle after the last of them; words come out in order, none is lost, none is
// made up, and each stays until it is taken. A word is taken in every cycle in which no word out waits.
// A reset forgets what was collected.
//
// Assumed: words in stay until they are taken.

module stream_widen_formal #(
  // As of stream_widen.
  parameter int unsigned InBits = 1,
  parameter int unsigned Ratio  = 3,
  localparam int unsigned InWidth  = 8 * ((InBits + 7) / 8),
  localparam int unsigned OutWidth = 8 * ((InBits * Ratio + 7) / 8)
) (
  // Ports of stream_widen that others drive.
  input logic               clk_i,
  input logic               rst_ni,
  input logic [InWidth-1:0] in_data_i,
  input logic               in_valid_i,
  input logic               out_ready_i,

  // Free: the word that is made in this cycle is the one to watch.
  input logic               mark_i
);

  logic                in_ready_o, out_valid_o;
  logic [OutWidth-1:0] out_data_o;

  stream_widen #(.InBits (InBits), .Ratio (Ratio)) dut (.*);
  begins_in_reset u_begins (.clk_i, .rst_ni);
  stream_rule #(.Width (InWidth), .Assumed (1'b1)) u_in (
    .clk_i, .rst_ni, .data_i (in_data_i), .valid_i (in_valid_i), .ready_i (in_ready_o)
  );
  stream_rule #(.Width (OutWidth)) u_out (
    .clk_i, .rst_ni, .data_i (out_data_o), .valid_i (out_valid_o), .ready_i (out_ready_i)
  );

  // The words that have come of the one that is being made.
  logic [Ratio-1:0][InBits-1:0] parts, parts_q;
  logic [$clog2(Ratio)-1:0]     count_q;
  logic take, last;
  assign take = in_valid_i && in_ready_o;
  assign last = count_q == $clog2(Ratio)'(Ratio - 1);
  always_comb begin
    parts = parts_q;
    parts[count_q] = in_data_i[InBits-1:0];
  end

  stream_order #(.Width (OutWidth), .Room (1), .Latency (1)) u_order (
    .clk_i,
    .rst_ni,
    .mark_i,
    .push_i  (take && last),
    .word_i  (OutWidth'(parts)),
    .data_i  (out_data_o),
    .valid_i (out_valid_o),
    .ready_i (out_ready_i)
  );

  always_ff @(posedge clk_i) begin
    if (!rst_ni)   count_q <= '0;
    else if (take) count_q <= last ? '0 : count_q + 1'b1;
    if (take) parts_q <= parts;
    if (rst_ni) begin
      assert (in_ready_o || (out_valid_o && !out_ready_i));
      cover (out_valid_o && out_ready_i && take);
      cover (out_valid_o && !out_ready_i);
    end
  end

endmodule
