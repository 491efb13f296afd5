// What axil_slave promises.
//  - AXI4-Lite: B and R stay as they are until they are taken. There is one B for each write that was
//    taken, one R for each read, and none else; each after its access, never before.
//  - The bus: one request at a time, high for a cycle; what it is stays until the acknowledge. Address
//    and data of a write are those that came, and so is the address of a read; the data of R are those of
//    the acknowledge.
//  - A write of a part of a word never reaches the bus: it gets SLVERR, and `partial_o` for a cycle. Every
//    other answer is SLVERR where the bus refused, else OKAY.
//  - Reads and writes that wait take turns: with a bus that answers within Wait cycles, a whole access that
//    waits is done within Most cycles, those not counted in which its master does not take an answer.
// A reset forgets whatever is under way.
//
// Assumed: AW, W and AR stay until they are taken; the bus acknowledges only what it was asked, within
// Wait cycles.

module axil_slave_formal #(
  // As of axil_slave.
  parameter int unsigned AddrWidth = 4,
  // Most cycles from a request to its acknowledge, and from a whole access's coming to its end.
  parameter int unsigned Wait = 2,
  parameter int unsigned Most = 10
) (
  // Ports of axil_slave that others drive.
  input logic                 clk_i,
  input logic                 rst_ni,
  input logic [AddrWidth-1:0] awaddr_i,
  input logic                 awvalid_i,
  input logic [31:0]          wdata_i,
  input logic [3:0]           wstrb_i,
  input logic                 wvalid_i,
  input logic                 bready_i,
  input logic [AddrWidth-1:0] araddr_i,
  input logic                 arvalid_i,
  input logic                 rready_i,
  input logic                 ack_i,
  input logic                 err_i,
  input logic [31:0]          rdata_i,

  // Free: the bit of data words that is looked at, as it is in the first cycle.
  input logic [4:0]           bit_i
);

  logic                 awready_o, wready_o, bvalid_o, arready_o, rvalid_o, req_o, we_o, partial_o;
  logic [1:0]           bresp_o, rresp_o;
  logic [31:0]          rdata_o, wdata_o;
  logic [AddrWidth-1:0] addr_o;

  axil_slave #(.AddrWidth (AddrWidth)) dut (.*);
  begins_in_reset u_begins (.clk_i, .rst_ni);
  stream_rule #(.Width (AddrWidth), .Assumed (1'b1)) u_aw (
    .clk_i, .rst_ni, .data_i (awaddr_i), .valid_i (awvalid_i), .ready_i (awready_o)
  );
  stream_rule #(.Width (36), .Assumed (1'b1)) u_w (
    .clk_i, .rst_ni, .data_i ({wstrb_i, wdata_i}), .valid_i (wvalid_i), .ready_i (wready_o)
  );
  stream_rule #(.Width (AddrWidth), .Assumed (1'b1)) u_ar (
    .clk_i, .rst_ni, .data_i (araddr_i), .valid_i (arvalid_i), .ready_i (arready_o)
  );
  stream_rule #(.Width (2)) u_b (
    .clk_i, .rst_ni, .data_i (bresp_o), .valid_i (bvalid_o), .ready_i (bready_i)
  );
  stream_rule #(.Width (34)) u_r (
    .clk_i, .rst_ni, .data_i ({rresp_o, rdata_o}), .valid_i (rvalid_o), .ready_i (rready_i)
  );

  logic [4:0] bit_q;
  logic       first_q = 1'b1;

  // What was taken and is not done.
  logic aw_q, w_q, ar_q, whole_q, wbit_q;
  logic [AddrWidth-1:0] awaddr_q, araddr_q;
  // The request under way, as it was, and the answers that are to be given.
  logic busy_q, we_q, b_q, r_q, rbit_q;
  logic [AddrWidth-1:0] addr_q;
  logic [1:0] bresp_q, rresp_q;
  logic [$clog2(Wait+1)-1:0] wait_q;
  logic [$clog2(Most+1)-1:0] write_wait_q, read_wait_q;
  logic done, write_done, read_done;
  assign done       = ack_i && (req_o || busy_q);
  assign write_done = (done && we_o) || partial_o;
  assign read_done  = done && !we_o;

  always_ff @(posedge clk_i) begin
    first_q <= 1'b0;
    if (first_q) bit_q <= bit_i;
    if (!rst_ni) begin
      aw_q         <= 1'b0;
      w_q          <= 1'b0;
      ar_q         <= 1'b0;
      busy_q       <= 1'b0;
      b_q          <= 1'b0;
      r_q          <= 1'b0;
      wait_q       <= '0;
      write_wait_q <= '0;
      read_wait_q  <= '0;
    end else begin
      assume (!ack_i || req_o || busy_q);
      assume (!busy_q || ack_i || 32'(wait_q) < Wait);

      aw_q   <= (aw_q && !write_done) || (awvalid_i && awready_o);
      w_q    <= (w_q && !write_done) || (wvalid_i && wready_o);
      ar_q   <= (ar_q && !read_done) || (arvalid_i && arready_o);
      busy_q <= (req_o || busy_q) && !ack_i;
      wait_q <= (req_o || busy_q) && !ack_i ? wait_q + 1'b1 : '0;
      b_q    <= write_done || (b_q && !bready_i);
      r_q    <= read_done || (r_q && !rready_i);

      // One access of each kind at a time, and of both one on the bus.
      if (aw_q) assert (!awready_o);
      if (w_q)  assert (!wready_o);
      if (ar_q) assert (!arready_o);
      if (busy_q) assert (!req_o && !partial_o && we_o == we_q && addr_o == addr_q);
      if (req_o || busy_q) begin
        if (we_o) assert (aw_q && w_q && whole_q && addr_o == awaddr_q && wdata_o[bit_q] == wbit_q);
        else      assert (ar_q && addr_o == araddr_q);
      end
      if (partial_o) assert (aw_q && w_q && !whole_q && !req_o);

      // Answers.
      assert (bvalid_o == b_q && rvalid_o == r_q);
      if (b_q) assert (bresp_o == bresp_q);
      if (r_q) assert (rresp_o == rresp_q && rdata_o[bit_q] == rbit_q);

      // Turns.
      if (!aw_q || !w_q || write_done)  write_wait_q <= '0;
      else if (!bvalid_o || bready_i)   write_wait_q <= write_wait_q + 1'b1;
      if (!ar_q || read_done)           read_wait_q  <= '0;
      else if (!rvalid_o || rready_i)   read_wait_q  <= read_wait_q + 1'b1;
      assert (32'(write_wait_q) < Most);
      assert (32'(read_wait_q) < Most);

      cover (write_done && ar_q);
      cover (read_done && aw_q && w_q);
      cover (partial_o);
      cover (bvalid_o && bready_i && bresp_o == 2'b10);
    end
    if (awvalid_i && awready_o) awaddr_q <= awaddr_i;
    if (arvalid_i && arready_o) araddr_q <= araddr_i;
    if (wvalid_i && wready_o) begin
      wbit_q  <= wdata_i[bit_q];
      whole_q <= wstrb_i == 4'hF;
    end
    if (req_o) begin
      we_q   <= we_o;
      addr_q <= addr_o;
    end
    if (write_done) bresp_q <= partial_o || err_i ? 2'b10 : 2'b00;
    if (read_done) begin
      rresp_q <= err_i ? 2'b10 : 2'b00;
      rbit_q  <= rdata_i[bit_q];
    end
  end

endmodule
