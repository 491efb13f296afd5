// What stream_narrow promises: each word in comes out as Ratio words, the lowest bits first and 0 in the
// padding; the first is offered in the cycle after the word has come and the next ones without a
// gap. None is lost or made up, and each stays until it is taken. A word is taken in every cycle in
// which none is being given, or its last part goes. A reset forgets the word.
//
// Assumed: words in stay until they are taken.

module stream_narrow_formal #(
  // As of stream_narrow.
  parameter int unsigned OutBits = 1,
  parameter int unsigned Ratio   = 3,
  localparam int unsigned InWidth  = 8 * ((OutBits * Ratio + 7) / 8),
  localparam int unsigned OutWidth = 8 * ((OutBits + 7) / 8)
) (
  // Ports of stream_narrow that others drive.
  input logic               clk_i,
  input logic               rst_ni,
  input logic [InWidth-1:0] in_data_i,
  input logic               in_valid_i,
  input logic               out_ready_i,

  // Free: the word that comes in this cycle is the one to watch.
  input logic               mark_i
);

  logic                in_ready_o, out_valid_o;
  logic [OutWidth-1:0] out_data_o;

  stream_narrow #(.OutBits (OutBits), .Ratio (Ratio)) dut (.*);
  begins_in_reset u_begins (.clk_i, .rst_ni);
  stream_rule #(.Width (InWidth), .Assumed (1'b1)) u_in (
    .clk_i, .rst_ni, .data_i (in_data_i), .valid_i (in_valid_i), .ready_i (in_ready_o)
  );
  stream_rule #(.Width (OutWidth)) u_out (
    .clk_i, .rst_ni, .data_i (out_data_o), .valid_i (out_valid_o), .ready_i (out_ready_i)
  );

  logic [$clog2(Ratio)-1:0] part_q;   // that goes next
  logic [InWidth-1:0]       word;
  logic [1:0]               waiting;
  logic take, give, last, here;
  assign take = in_valid_i && in_ready_o;
  assign give = out_valid_o && out_ready_i;
  assign last = part_q == $clog2(Ratio)'(Ratio - 1);

  word_watch #(.Width (InWidth), .Room (1)) u_watch (
    .clk_i,
    .rst_ni,
    .mark_i,
    .push_i    (take),
    .word_i    (in_data_i),
    .pop_i     (give && last),
    .waiting_o (waiting),
    .here_o    (here),
    .word_o    (word)
  );

  always_ff @(posedge clk_i) begin
    if (!rst_ni)   part_q <= '0;
    else if (give) part_q <= last ? '0 : part_q + 1'b1;
    if (rst_ni) begin
      assert (out_valid_o == (waiting != '0));
      if (here) assert (out_data_o == OutWidth'(OutBits'(word >> (32'(part_q) * OutBits))));
      assert (in_ready_o == (waiting == '0 || (give && last)));
      cover (here && give && last && take);
    end
  end

endmodule
