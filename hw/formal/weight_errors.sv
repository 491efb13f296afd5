// What weight_errors promises.
//  - A write asks for four blocks of draws, no more, in the cycles of `working_i` alone; the first of a
//    memory's stream since it was restarted with `first`, all others on by one. No tag is used again that
//    an answer is expected for.
//  - A bit errs if its draw, of the block that was asked for in its byte's turn, hits, and in switch mode
//    only if the target differs from the old value; no bit that does not exist, and none before its answer
//    or without one. `drawn_o` rises three cycles after the last of four answers, in whatever order they
//    come, and it and the errors hold until the next write. Answers to writes that a reset ended do nothing.
//  - The counts are those of the bits that exist, of those whose target differs from the old value, and of the
//    errors of either kind; three cycles after the old value is whole, the errors from `drawn_o` on.
//
// One bit, any one, is followed, and the stream of one memory.
//
// Assumed: what a write is holds from `begin_i`, the old value from when it is whole on, which is before the
// first answer; no write begins before all draws of the one before are made but after a reset; streams are not
// restarted within a write; the engine grants only what is asked for, answers each request once, and
// before the third next write begins.

module weight_errors_formal
  import spinflow_pkg::*;
#(
  // As of weight_errors.
  parameter int unsigned NumWeights = 2,
  // Whether counts are looked at.
  parameter bit          Counts = 1'b1,
  localparam int unsigned IndexWidth = NumWeights > 1 ? $clog2(NumWeights) : 1
) (
  // Ports of weight_errors that others drive.
  input logic                  clk_i,
  input logic                  rst_ni,
  input logic                  soft_reset_i,
  input logic [NumWeights-1:0] restart_i,
  input logic [IndexWidth-1:0] index_i,
  input logic [1:0]            mode_i,
  input logic                  begin_i,
  input logic                  working_i,
  input logic                  gather_i,
  input logic [31:0]           wdata_i,
  input logic [31:0]           old_i,
  input logic [5:0]            bits_i,
  input logic                  grant_i,
  input draw_answer_t          answer_i,
  input logic                  answer_valid_i,

  // Free: this cycle's is the last part of the old value; a write without draws ends; and what is followed,
  // as it is in the first cycle: a bit, and a memory.
  input logic                  whole_i,
  input logic                  end_i,
  input logic [4:0]            bit_i,
  input logic [IndexWidth-1:0] memory_number_i
);

  logic [NumWeights-1:0] memory_i;
  logic [31:0]           mask_i, error_o;
  draw_request_t         request_o;
  logic                  drawn_o;
  count_t                count_o;
  assign memory_i = NumWeights'(1) << index_i;
  assign mask_i   = 32'((33'd1 << bits_i) - 33'd1);

  weight_errors #(.NumWeights (NumWeights)) dut (.*);
  begins_in_reset u_begins (.clk_i, .rst_ni);

  // The write under way, and what it is; its old value is whole; how many blocks it has been granted and
  // how many were answered.
  logic                  first_q = 1'b1;
  logic [4:0]            bit_q;
  logic [IndexWidth-1:0] watched_q, index_q;
  logic                  busy_q, worked_q, whole_q, restarts;
  logic [1:0]            mode_q;
  logic [5:0]            bits_q;
  logic [31:0]           wdata_q, old_q, error_q;
  logic [2:0]            granted_q, answered_q;
  logic [1:0]            late_q;       // cycles since all are answered, or since the old value is whole
  logic [1:0]            whole_ago_q;
  logic                  drawn, began_q;
  logic                  drawn_q;      // all draws of the last write were made

  // By tag: an answer is expected, to a request of this write, which is for the byte that is followed.
  logic [15:0] pending_q = '0;
  logic [15:0] mine_q, byte_q;
  logic [3:0]  ask, answer;
  logic        known, errs, errs_q, begun_q;
  assign ask      = request_o.tag[3:0];
  assign answer   = answer_i.tag[3:0];
  assign known    = answer_valid_i && mine_q[answer];
  assign errs     = (wdata_i[bit_q] ? answer_i.hit1[bit_q[2:0]] : answer_i.hit0[bit_q[2:0]]) &&
                    (mode_i == 2'd1 || wdata_i[bit_q] != old_i[bit_q]) && mask_i[bit_q];
  assign restarts = soft_reset_i || restart_i != '0;
  assign drawn    = answered_q == 3'd4 && late_q == 2'd2;

  always_ff @(posedge clk_i) begin
    first_q <= 1'b0;
    if (first_q) begin
      {bit_q, watched_q} <= {bit_i, memory_number_i};
      assume (32'(memory_number_i) < NumWeights && !grant_i);
    end
    assume (32'(index_i) < NumWeights && bits_i >= 6'd1 && bits_i <= 6'd32);
    assume (!begin_i || (rst_ni && !busy_q));
    assume (!working_i || (busy_q && mode_i != 2'd0));
    assume (!gather_i || (busy_q && rst_ni));
    assume (!restarts || (!busy_q && !begin_i));
    assume (!busy_q || (index_i == index_q && wdata_i == wdata_q && bits_i == bits_q));
    assume (!busy_q || began_q || mode_i == mode_q);
    assume (!whole_q || old_i == old_q);
    assume (mode_i != 2'd3);

    // The engine.
    assume (!grant_i || request_o.valid);
    assume (!answer_valid_i || (pending_q[answer] && answer_i.tag == DrawTagWidth'(answer)));
    assume (!known || whole_q);
    for (int unsigned t = 0; t < 4; t++) begin
      assume (!begin_i || !pending_q[{dut.write_q + 2'd1, 2'(t)}]);
    end

    if (answer_valid_i) pending_q[answer] <= 1'b0;
    if (grant_i) begin
      assert (!pending_q[ask] && request_o.tag == DrawTagWidth'(ask));
      pending_q[ask] <= 1'b1;
      mine_q[ask]    <= 1'b1;
      byte_q[ask]    <= granted_q[1:0] == bit_q[4:3];
    end

    began_q     <= begin_i;
    error_q     <= error_o;
    drawn_q     <= rst_ni && !begin_i && (drawn_q || (busy_q && drawn_o));
    whole_ago_q <= !whole_q || begin_i ? '0 : whole_ago_q + 2'(whole_ago_q != '1);
    late_q      <= answered_q != 3'd4 ? '0 : late_q + 2'(late_q != 2'd2);
    if (begin_i) begin
      busy_q     <= 1'b1;
      worked_q   <= 1'b0;
      whole_q    <= 1'b0;
      granted_q  <= '0;
      answered_q <= '0;
      late_q     <= '0;
      mine_q     <= '0;
      errs_q     <= 1'b0;
    end else begin
      if (drawn_o || (end_i && !worked_q && !working_i)) busy_q <= 1'b0;
      if (working_i) worked_q <= 1'b1;
      if (gather_i && whole_i) whole_q <= 1'b1;
      if (grant_i) granted_q <= granted_q + 1'b1;
      if (known) answered_q <= answered_q + 1'b1;
      if (known && byte_q[answer]) errs_q <= errs;
    end
    if (begin_i) {index_q, wdata_q, bits_q} <= {index_i, wdata_i, bits_i};
    mode_q <= mode_i;
    old_q  <= old_i;

    if (!rst_ni) begin
      busy_q    <= 1'b0;
      whole_q   <= 1'b0;
      mine_q    <= '0;
      answered_q <= '0;
    end
    if (!rst_ni || soft_reset_i || restart_i[watched_q]) begun_q <= 1'b0;
    else if (grant_i && index_i == watched_q) begun_q <= 1'b1;

    if (rst_ni && busy_q) begin
      assert (request_o.valid == (working_i && granted_q < 3'd4));
      if (request_o.valid && index_i == watched_q) assert (request_o.first == !begun_q);
      if (request_o.valid) assert (request_o.start == '0 && request_o.advance == 3'd1);
      assert (drawn_o == drawn);
      if (drawn_o) assert (error_o[bit_q] == errs_q);
      if (!began_q && granted_q == '0) assert (error_o == '0);
      if (Counts && whole_ago_q == '1) begin
        assert (count_o.written == 8'(bits_i));
        assert (count_o.switched == 8'($countones((wdata_i ^ old_i) & mask_i)));
      end
      if (Counts && drawn_o) begin
        assert (count_o.err1 == 8'($countones(error_o & wdata_i)));
        assert (count_o.err0 == 8'($countones(error_o & ~wdata_i)));
      end
      cover (drawn_o && mode_i == 2'd2 && error_o[bit_q] && !request_o.first);
      cover (drawn_o && mode_i == 2'd1 && error_o == '1);
    end
    if (rst_ni && drawn_q) assert (drawn_o && error_o == error_q);
  end

endmodule
