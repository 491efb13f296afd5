// Weight memory of one layer: a wide read port for the matrix-vector unit, and 32-bit segments for the
// AXI-Lite side. A stored 1 is a weight of +1, a stored 0 of -1.
//
// One read port serves both sides: the host side may only access while no frame is under way, which
// weight_port sees to. Write errors are made there too; this is plain storage.
//
// Latency: one cycle for a read of either side. Throughput: one word a cycle.

module weight_mem
  import spinflow_pkg::*;
#(
  parameter int unsigned Width = 64,
  parameter int unsigned Depth = 512,
  localparam int unsigned AddrWidth = Depth > 1 ? $clog2(Depth) : 1
) (
  input  logic                 clk_i,
  input  logic                 rd_en_i,
  input  logic [AddrWidth-1:0] rd_addr_i,
  output logic [Width-1:0]     rd_data_o,
  input  logic                 host_en_i,
  input  weight_req_t          host_i,
  output logic [31:0]          host_rdata_o
);

  localparam int unsigned Segments = (Width + 31) / 32;
  localparam int unsigned PaddedWidth = 32 * Segments;
  localparam int unsigned SegWidth = Segments > 1 ? $clog2(Segments) : 1;

  // Contents start as 0 as block RAM does; the host writes the weights, so that errors can be made.
  logic [PaddedWidth-1:0] mem [Depth];
  initial for (int unsigned i = 0; i < Depth; i++) mem[i] = '0;

  logic [AddrWidth-1:0]   addr;
  logic [PaddedWidth-1:0] word_q;
  logic [SegWidth-1:0]    segment_q;

  assign addr = host_en_i ? host_i.addr[AddrWidth-1:0] : rd_addr_i;

  always_ff @(posedge clk_i) begin
    if (rd_en_i || host_en_i) word_q <= mem[addr];
  end

  // One write enable a segment, spelt out, is what synthesis maps to block RAM's byte enables.
  always_ff @(posedge clk_i) begin
    if (host_en_i && host_i.we) begin
      for (int unsigned s = 0; s < Segments; s++) begin
        if (host_i.segment == 16'(s)) mem[addr][32*s+:32] <= host_i.wdata;
      end
    end
    if (host_en_i) segment_q <= host_i.segment[SegWidth-1:0];
  end

  assign rd_data_o    = word_q[Width-1:0];
  assign host_rdata_o = word_q[32*segment_q+:32];

  assert property (@(posedge clk_i) !(rd_en_i && host_en_i))
    else $error("weight_mem: read by the matrix-vector unit and the host at once");

endmodule
