// What weight_port promises.
//  - One acknowledge for each access, after as many cycles as its head says; those with the counts of the
//    write before still at the output and of waiting for draws not counted. An access that is not allowed, for
//    a frame is under way or nothing lies at its address, ends with `err_o` after two, and does nothing.
//  - A read gives the segment, 0 in the bits that it does not have, and changes no memory. A write puts its
//    target in but for the bits that err, which become the opposite, gives the segment that was there, and
//    changes no other bit of any memory.
//  - What a write counted is offered once and goes with the number of its memory; reads and accesses that
//    are not allowed count nothing.
//  - Draws are asked for by writes alone, with mode not off. weight_errors is told of the steps of a write as
//    its properties assume it.
//  - `busy_o` is high from the cycle after a request to its acknowledge. A memory is accessed in one column at
//    a time, and not before it has answered.
// A reset abandons an access; of its writes none comes later.
//
// One bit of one segment, any one, is followed: that stands for all. In place of weight_errors are
// errors of any value, from `drawn_o` on, at any time that it may rise.
//
// Assumed: a request comes only when no access is under way, and holds until its acknowledge; the mode
// of a memory changes only between accesses, and is not the one that is reserved; a memory answers a column
// as weight_mem promises, with 0 where it has no bit.

module weight_port_formal
  import spinflow_pkg::*;
#(
  // As of weight_port. Of the memories' segments one lies in one column or in several, Columns at most.
  parameter int unsigned AddrWidth  = 8,
  parameter int unsigned NumWeights = 2,
  parameter logic [NumWeights-1:0][31:0] Width  = {32'd142, 32'd40},
  parameter logic [NumWeights-1:0][31:0] Depth  = {32'd2, 32'd3},
  parameter logic [NumWeights-1:0][31:0] Base   = {32'h80, 32'h20},
  parameter logic [NumWeights-1:0][31:0] Stride = {32'd32, 32'd8},
  localparam int unsigned IndexWidth = NumWeights > 1 ? $clog2(NumWeights) : 1
) (
  // Ports of weight_port that others drive.
  input logic                          clk_i,
  input logic                          rst_ni,
  input logic                          soft_reset_i,
  input logic                          idle_i,
  input logic                          req_i,
  input logic                          we_i,
  input logic [AddrWidth-1:0]          addr_i,
  input logic [31:0]                   wdata_i,
  input logic [NumWeights-1:0][31:0]   weight_rdata_i,
  input logic [NumWeights-1:0]         restart_i,
  input logic                          grant_i,
  input draw_answer_t                  answer_i,
  input logic                          answer_valid_i,
  input logic                          count_ready_i,

  // Mode of each memory.
  input logic [NumWeights-1:0][1:0]    modes_i,

  // Free: memory, word, segment and bit that are followed, as they are in the first cycle.
  input logic [IndexWidth-1:0]         index_i,
  input logic [15:0]                   word_i,
  input logic [7:0]                    segment_i,
  input logic [4:0]                    bit_i
);

  // Cycles from an access to its acknowledge: up to the first column, of a column that is read whole, that
  // is put back, and of one that is not read further than its lower half.
  localparam int unsigned Begin = 3, Column = 4 + WeightLatency, Put = 5 + WeightLatency;
  // Draws take longer than this, from the first cycle in which they are asked for.
  localparam int unsigned Draws = 8;

  logic                  ack_o, err_o, busy_o, count_valid_o;
  logic [31:0]           rdata_o;
  logic [NumWeights-1:0] weight_en_o;
  weight_req_t           weight_req_o;
  logic [IndexWidth-1:0] index_o;
  logic [1:0]            mode_i;
  draw_request_t         request_o;
  count_t                count_o;
  assign mode_i = modes_i[index_o];

  weight_port #(
    .AddrWidth (AddrWidth), .NumWeights (NumWeights), .Width (Width), .Depth (Depth), .Base (Base),
    .Stride (Stride)
  ) dut (.*);
  begins_in_reset u_begins (.clk_i, .rst_ni);

  // What the address means, by the contract: memory, word, segment and its bits.
  logic                  hit;
  logic [IndexWidth-1:0] memory;
  logic [15:0]           word;
  logic [7:0]            segment;
  logic [5:0]            bits;
  logic [2:0]            columns;   // that the segment lies in
  logic                  spread;
  always_comb begin
    {hit, memory, word, segment, bits, spread} = '0;
    for (int unsigned m = 0; m < NumWeights; m++) begin
      for (int unsigned w = 0; w < Depth[m]; w++) begin
        for (int unsigned s = 0; s < (Width[m] + 31) / 32; s++) begin
          if (32'(addr_i) / 4 == (Base[m] + w * Stride[m]) / 4 + s) begin
            hit     = 1'b1;
            memory  = IndexWidth'(m);
            word    = 16'(w);
            segment = 8'(s);
            bits    = Width[m] - 32 * s < 32 ? 6'(Width[m] - 32 * s) : 6'd32;
            spread  = s >= 2 * ((Width[m] + ColumnWidth - 1) / ColumnWidth);
          end
        end
      end
    end
    columns = spread ? 3'((32'(bits) + 7) / 8) : 3'd1;
  end

  // What is followed: its place in its memory.
  logic first_q = 1'b1, second_q = 1'b0;
  logic [IndexWidth-1:0] index_q;
  logic [15:0]           word_q;
  logic [7:0]            segment_q, pairs, column;
  logic [4:0]            bit_q;
  logic [6:0]            place;    // in its column
  logic                  exists, stored_q, wanted_q;
  always_comb begin
    {exists, pairs} = '0;
    for (int unsigned m = 0; m < NumWeights; m++) begin
      if (32'(index_q) == m) begin
        exists = 32'(segment_q) * 32 + 32'(bit_q) < Width[m];
        pairs  = 8'(2 * ((Width[m] + ColumnWidth - 1) / ColumnWidth));
      end
    end
    if (segment_q < pairs) {column, place} = {segment_q >> 1, 1'b0, segment_q[0], bit_q};
    else {column, place} = {8'(((segment_q - pairs) << 2) + 8'(bit_q[4:3])), 4'h8, bit_q[2:0]};
  end

  // The access under way: what it is, for how long. Whether it is to the segment that is followed.
  logic act_q, allowed_q, first_cycle_q, with_errors, mine, slow_q, given_q, we_q;
  logic [AddrWidth-1:0] addr_q;
  logic [31:0]          wdata_q;
  logic [6:0]           ago_q, wanted;
  logic [NumWeights-1:0][1:0] modes_q;
  assign with_errors = modes_i[memory] != ModeOff;
  assign mine = memory == index_q && word == word_q && segment == segment_q;

  // What weight_errors is told and says.
  logic       drawn_q, working_q;
  logic [4:0] draws_q;    // cycles since draws were first asked for
  logic [6:0] since_q;    // and since they are there
  logic [31:0] error_q;

  // Requests to memories and what is answered.
  localparam int unsigned Parts = WeightLatency + 3;
  logic [Parts:1]                 read_q = '0;
  logic [Parts:1]                 mine_q, bit_then_q, alive_q;   // no reset since
  logic [Parts:1][IndexWidth-1:0] from_q;
  logic                           access, read, here;
  logic [IndexWidth-1:0]          accessed;
  always_comb begin
    accessed = '0;
    for (int unsigned m = 0; m < NumWeights; m++) if (weight_en_o[m]) accessed = IndexWidth'(m);
  end
  assign access = weight_en_o != '0;
  assign read   = access && !weight_req_o.we;
  assign here   = access && accessed == index_q && weight_req_o.addr == word_q &&
                  weight_req_o.column == column;

  always_comb begin
    if (!allowed_q)                         wanted = 7'd2;
    else if (!spread && !we_i)              wanted = 7'(Begin + Column - 2 + 32'(segment[0]));
    else if (!we_i)                         wanted = 7'(Begin + Column * 32'(columns));
    else if (!spread)                       wanted = with_errors ? 7'd2 : 7'(Begin + Put);
    else if (with_errors)                   wanted = 7'(1 + Put * 32'(columns));
    else                                    wanted = 7'(Begin + (Column + Put) * 32'(columns));
  end

  always_ff @(posedge clk_i) begin
    first_q <= 1'b0;
    modes_q <= modes_i;
    if (first_q) begin
      {index_q, word_q, segment_q, bit_q} <= {index_i, word_i, segment_i, bit_i};
      for (int unsigned m = 0; m < NumWeights; m++) begin
        if (32'(index_i) == m) begin
          assume (32'(word_i) < Depth[m] && 32'(segment_i) * 32 < Width[m]);
        end
      end
      assume (32'(index_i) < NumWeights);
    end
    second_q <= first_q;
    if (second_q) assume (exists || !stored_q);

    // The environment.
    for (int unsigned m = 0; m < NumWeights; m++) begin
      assume (modes_i[m] != 2'd3);
      assume (!(act_q || req_i) || modes_i[m] == modes_q[m]);
    end
    assume (!req_i || !act_q);
    assume (!act_q || (we_i == we_q && addr_i == addr_q && wdata_i == wdata_q));

    // Each column is answered in parts, each by the memory that was asked.
    read_q     <= {read_q[Parts-1:1], read};
    mine_q     <= {mine_q[Parts-1:1], here};
    from_q     <= (Parts*IndexWidth)'({from_q, accessed});
    bit_then_q <= {bit_then_q[Parts-1:1], stored_q};
    for (int unsigned m = 0; m < NumWeights; m++) begin
      assume (weight_rdata_i[m] == '0 ||
              (read_q[Parts-2] && 32'(from_q[Parts-2]) == m) ||
              (read_q[Parts-1] && 32'(from_q[Parts-1]) == m) ||
              (read_q[Parts] && 32'(from_q[Parts]) == m));
    end
    for (int unsigned part = 0; part < 3; part++) begin
      if (read_q[Parts-2+part] && mine_q[Parts-2+part] && 32'(place) / 32 == part) begin
        assume (weight_rdata_i[index_q][place[4:0]] == bit_then_q[Parts-2+part]);
      end
    end

    // What errs is known from `drawn_o` on, and holds until the next write.
    drawn_q   <= dut.drawn && !dut.decode;
    error_q   <= dut.error;
    working_q <= act_q && (working_q || dut.working);
    if (!working_q) draws_q <= '0;
    else if (draws_q != '1) draws_q <= draws_q + 1'b1;
    since_q <= dut.drawn && since_q != '1 ? since_q + 1'b1 : '0;
    assume (!dut.drawn || drawn_q || (working_q && 32'(draws_q) >= Draws));
    assume (!drawn_q || (dut.drawn && dut.error == error_q));
    assume (dut.drawn || working_q || dut.error == '0);

    if (!rst_ni) begin
      act_q         <= 1'b0;
      first_cycle_q <= 1'b0;
      alive_q       <= '0;
      wanted_q      <= stored_q;
    end else begin
      act_q         <= req_i || (act_q && !ack_o);
      first_cycle_q <= req_i;
      if (req_i) begin
        ago_q     <= 7'd1;
        slow_q    <= 1'b0;
        given_q   <= 1'b0;
        allowed_q <= 1'b1;
      end else begin
        ago_q  <= ago_q + 7'(count_ready_i);
        slow_q <= slow_q || !count_ready_i;
      end
      if (first_cycle_q) allowed_q <= idle_i && hit;

      // One acknowledge, in time.
      assert (busy_o == act_q);
      if (ack_o) begin
        assert (act_q && !first_cycle_q && err_o == !allowed_q);
        if (!allowed_q) assert (ago_q <= 7'd2 && (slow_q || ago_q == 7'd2));
        else if (we_i && with_errors) assert (drawn_q && (slow_q || since_q == wanted));
        else assert (ago_q <= wanted && (slow_q || ago_q == wanted));
      end
      if (act_q && !first_cycle_q && !(allowed_q && we_i && with_errors)) assert (ago_q <= wanted);

      // The segment.
      if (ack_o && !allowed_q) assert (rdata_o == '0);
      if (ack_o && allowed_q && mine) assert (rdata_o[bit_q] == (exists && wanted_q));
      if (ack_o) assert (given_q == (allowed_q && we_i));
      if (count_valid_o && count_ready_i) begin
        assert (act_q && allowed_q && we_i && !given_q && index_o == memory);
        given_q <= 1'b1;
      end
      if (given_q) assert (index_o == memory || !act_q);

      // Nothing is done by whom it does not behoove.
      alive_q <= {alive_q[Parts-1:1], read};
      if (access) assert (alive_q[Parts:Parts-2] == '0);
      if (access) assert (act_q && !first_cycle_q && allowed_q && $onehot(weight_en_o));
      if (access && weight_req_o.we) assert (we_i);
      if (ack_o && allowed_q && we_i && mine) begin
        assert (stored_q == (exists && (wdata_i[bit_q] ^ dut.error[bit_q])));
        wanted_q <= stored_q;
      end else if (!act_q || !we_i || !mine || ack_o) assert (stored_q == wanted_q);
      if (dut.working) begin
        assert (act_q && allowed_q && we_i && with_errors);
      end

      cover (ack_o && allowed_q && !we_i && mine && bits != 6'd32 && rdata_o[bit_q]);
      cover (ack_o && allowed_q && we_i && mine && !spread && with_errors && dut.error[bit_q]);
      cover (ack_o && allowed_q && we_i && mine && !with_errors && segment[0] && slow_q);
      cover (ack_o && !allowed_q && hit);
    end
    if (req_i) {we_q, addr_q, wdata_q} <= {we_i, addr_i, wdata_i};
    if (here && weight_req_o.we && rst_ni) stored_q <= weight_req_o.wdata[place];
  end

endmodule
