// AXI4-Lite slave: turns the five channels into one request at a time on a simple bus.
//
// `req_o` is high for one cycle; address and data hold until `ack_i`, which may come in the same cycle
// or any later one. B and R follow the acknowledge, so a write is answered after its commit. Reads and
// writes that wait at once take turns, since a channel is empty for a cycle after its access. All that
// goes to the bus comes from registers, since the decoding of an address is long. Throughput: one access
// every four cycles plus the bus's own.
//
// Only whole words are written. A write with any other strobe than all ones never reaches the bus: it is
// answered with SLVERR and `partial_o` tells, for a cycle. The lowest two bits of an address are passed
// on; no one behind the slave looks at them. A read gives the whole word, whatever part is wanted.

module axil_slave #(
  // Bits of a byte address.
  parameter int unsigned AddrWidth = 20
) (
  // Clock, and reset (active low), which forgets an access that is under way.
  input  logic                 clk_i,
  input  logic                 rst_ni,

  // AXI4-Lite, write address, write data and write response: OKAY, or SLVERR for an access that the bus
  // refused and for a strobe that is not all ones.
  input  logic [AddrWidth-1:0] awaddr_i,
  input  logic                 awvalid_i,
  output logic                 awready_o,
  input  logic [31:0]          wdata_i,
  input  logic [3:0]           wstrb_i,
  input  logic                 wvalid_i,
  output logic                 wready_o,
  output logic [1:0]           bresp_o,
  output logic                 bvalid_o,
  input  logic                 bready_i,

  // AXI4-Lite, read address and read data with its response.
  input  logic [AddrWidth-1:0] araddr_i,
  input  logic                 arvalid_i,
  output logic                 arready_o,
  output logic [31:0]          rdata_o,
  output logic [1:0]           rresp_o,
  output logic                 rvalid_o,
  input  logic                 rready_i,

  // Request on the bus: `req_o` is high for a cycle, the others hold until `ack_i`.
  output logic                 req_o,
  output logic                 we_o,       // 1 writes, 0 reads
  output logic [AddrWidth-1:0] addr_o,     // byte address
  output logic [31:0]          wdata_o,

  // Its answer, valid while `ack_i` is high, which is for a cycle.
  input  logic                 ack_i,
  input  logic                 err_i,      // the access was refused
  input  logic [31:0]          rdata_i,

  // A write of a part of a word was refused; high for a cycle.
  output logic                 partial_o
);

  localparam logic [1:0] RespOkay = 2'b00;
  localparam logic [1:0] RespSlvErr = 2'b10;

  // One waiting beat of each incoming channel.
  logic aw_full_q, w_full_q, ar_full_q;
  logic [AddrWidth-1:0] aw_addr_q, ar_addr_q;
  logic active_q, whole_q;
  logic can_write, can_read, start, finish;

  assign awready_o = !aw_full_q;
  assign wready_o  = !w_full_q;
  assign arready_o = !ar_full_q;

  assign can_write = aw_full_q && w_full_q && !bvalid_o;
  assign can_read  = ar_full_q && !rvalid_o;
  assign start     = !active_q && (can_write || can_read);
  assign finish    = active_q && (ack_i || partial_o);
  assign partial_o = active_q && we_o && !whole_q;

  always_ff @(posedge clk_i) begin
    if (!rst_ni) begin
      aw_full_q <= 1'b0;
      w_full_q  <= 1'b0;
      ar_full_q <= 1'b0;
      active_q  <= 1'b0;
      req_o     <= 1'b0;
      bvalid_o  <= 1'b0;
      rvalid_o  <= 1'b0;
    end else begin
      if (awvalid_i && awready_o) aw_full_q <= 1'b1;
      if (wvalid_i && wready_o)   w_full_q  <= 1'b1;
      if (arvalid_i && arready_o) ar_full_q <= 1'b1;
      if (bready_i) bvalid_o <= 1'b0;
      if (rready_i) rvalid_o <= 1'b0;

      req_o <= start && (whole_q || !can_write);
      if (start) active_q <= 1'b1;
      if (finish) begin
        active_q <= 1'b0;
        if (we_o) begin
          aw_full_q <= 1'b0;
          w_full_q  <= 1'b0;
          bvalid_o  <= 1'b1;
        end else begin
          ar_full_q <= 1'b0;
          rvalid_o  <= 1'b1;
        end
      end
    end

    if (start) begin
      we_o   <= can_write;
      addr_o <= can_write ? aw_addr_q : ar_addr_q;
    end
    if (awvalid_i && awready_o) aw_addr_q <= awaddr_i;
    if (arvalid_i && arready_o) ar_addr_q <= araddr_i;
    if (wvalid_i && wready_o) begin
      wdata_o <= wdata_i;
      whole_q <= wstrb_i == 4'hF;
    end
    if (finish) begin
      if (we_o) bresp_o <= err_i || partial_o ? RespSlvErr : RespOkay;
      else      rresp_o <= err_i ? RespSlvErr : RespOkay;
      if (!we_o) rdata_o <= rdata_i;
    end
  end

  assert property (@(posedge clk_i) disable iff (!rst_ni) !ack_i || active_q)
    else $error("axil_slave: acknowledge without a request");

endmodule
