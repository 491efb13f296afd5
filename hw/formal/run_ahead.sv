// What run_ahead promises: of each bit of word n since the last restart the two decisions that it gives
// out are those of position n*Width + bit of the stream, whatever the order and the delay in which an
// engine answers; also across a restart with answers still under way, of which none is used. A word stays
// until it goes. No answer is asked for in a place where another one is expected. It does not come
// to a standstill: when nothing is expected and no word waits, it asks within RunAhead + 4 cycles.
//
// One position, any one, is watched: the engine decides it always alike, and all others as it likes.
// Words and blocks are numbered modulo Words words, more than are under way.
//
// Assumed: the engine grants only what is asked for, answers each request once, with its tag, and the
// decisions of the block that the request is for: block `start` with `first`, else `advance` blocks after
// the one before. No
// word goes that is not valid.

module run_ahead_formal
  import spinflow_pkg::*;
#(
  // As of run_ahead.
  parameter int unsigned Width    = 2,
  parameter int unsigned RunAhead = 2,
  parameter int unsigned Ports    = 1,
  // Numbers of words, so that Words * Width is a multiple of a block's draws; bits of a tag.
  parameter int unsigned Words    = 16,
  parameter int unsigned TagBits  = 3
) (
  // Ports of run_ahead that others drive.
  input logic             clk_i,
  input logic             rst_ni,
  input logic             enable_i,
  input logic             restart_i,
  input logic [Ports-1:0] grant_i,
  input draw_answer_t [Ports-1:0] answer_i,
  input logic [Ports-1:0] answer_valid_i,
  input logic             pop_i,

  // Free: number of the word and bit that are watched, and how that errs, as they are in the first cycle.
  input logic [$clog2(Words)-1:0] number_i,
  input logic [$clog2(Width)-1:0] bit_i,
  input logic                     hit1_i,
  input logic                     hit0_i
);

  localparam int unsigned Blocks = Words * Width / BlockDraws;
  localparam int unsigned BlockWidth = $clog2(Blocks);

  draw_request_t [Ports-1:0] request_o;
  logic [Width-1:0] hit1_o, hit0_o;
  logic             valid_o;

  run_ahead #(.Width (Width), .RunAhead (RunAhead), .Ports (Ports)) dut (.*);
  begins_in_reset u_begins (.clk_i, .rst_ni);
  stream_rule #(.Width (2 * Width)) u_out (
    .clk_i, .rst_ni (rst_ni && !restart_i), .data_i ({hit1_o, hit0_o}), .valid_i (valid_o),
    .ready_i (pop_i)
  );

  // What is watched.
  logic                     first_q = 1'b1;
  logic [$clog2(Words)-1:0] number_q;
  logic [$clog2(Width)-1:0] bit_q;
  logic                     hit1_q, hit0_q;
  logic [31:0]              position;
  assign position = 32'(number_q) * Width + 32'(bit_q);

  // Of each port: tags that answers are expected for, which of these are of the block that is watched, and
  // the block that is next.
  logic [Ports-1:0][2**TagBits-1:0] pending_q = '0;
  logic [Ports-1:0][2**TagBits-1:0] watched_q = '0;
  logic [Ports-1:0][BlockWidth-1:0] block, block_q;
  logic [Ports-1:0][TagBits-1:0]    ask, answer;
  logic                             asks;
  always_comb begin
    asks = 1'b0;
    for (int unsigned p = 0; p < Ports; p++) begin
      ask[p]    = request_o[p].tag[TagBits-1:0];
      answer[p] = answer_i[p].tag[TagBits-1:0];
      block[p]  = request_o[p].first ? BlockWidth'(request_o[p].start) : block_q[p];
      asks      = asks || request_o[p].valid;
    end
  end

  logic [$clog2(Words)-1:0] word_q;   // number of the next word
  logic [$clog2(RunAhead+5)-1:0] still_q;
  always_ff @(posedge clk_i) begin
    first_q <= 1'b0;
    if (first_q) begin
      assume (32'(number_i) < Words && 32'(bit_i) < Width);
      number_q <= number_i;
      bit_q    <= bit_i;
      hit1_q   <= hit1_i;
      hit0_q   <= hit0_i;
    end
    for (int unsigned p = 0; p < Ports; p++) begin
      assume (!grant_i[p] || request_o[p].valid);
      assume (!answer_valid_i[p] ||
              (pending_q[p][answer[p]] && answer_i[p].tag == DrawTagWidth'(answer[p])));
      assume (!answer_valid_i[p] || !watched_q[p][answer[p]] ||
              (answer_i[p].hit1[position[2:0]] == hit1_q &&
               answer_i[p].hit0[position[2:0]] == hit0_q));
      if (answer_valid_i[p]) pending_q[p][answer[p]] <= 1'b0;
      if (grant_i[p]) begin
        assert (!pending_q[p][ask[p]] && request_o[p].tag == DrawTagWidth'(ask[p]));
        pending_q[p][ask[p]] <= 1'b1;
        watched_q[p][ask[p]] <= block[p] == BlockWidth'(position / BlockDraws);
        block_q[p] <= BlockWidth'((32'(block[p]) + 32'(request_o[p].advance)) % Blocks);
      end
    end
    if (!rst_ni || restart_i) begin
      watched_q <= '0;
      word_q    <= '0;
      still_q   <= '0;
    end else begin
      assume (!pop_i || valid_o);
      if (pop_i) word_q <= 32'(word_q) == Words - 1 ? '0 : word_q + 1'b1;
      if (valid_o && word_q == number_q) begin
        assert (hit1_o[bit_q] == hit1_q && hit0_o[bit_q] == hit0_q);
      end
      still_q <= enable_i && !valid_o && pending_q == '0 && !asks ? still_q + 1'b1 : '0;
      assert (32'(still_q) < RunAhead + 4);
      cover (pop_i && word_q == number_q && word_q != '0);
      cover ($countones(pending_q) == 2 && answer_valid_i && valid_o);
    end
  end

endmodule
