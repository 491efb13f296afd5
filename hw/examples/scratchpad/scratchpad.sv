// A scratchpad for a processor, which has nothing to do with neural networks: a RAM of 256 words and a
// FIFO of 16, both of 32 bits, behind AXI4-Lite. Both are MRAM: an example of how the wrappers that make
// write errors go into a design of one's own.
//
//   0x000, 0x010   RAM, FIFO: MODE, and at +4, +8, +C (write only) RATE1, RATE0, SEED, as those of an
//                  accelerator (docs/registers.md); writing one restarts the memory's random stream
//   0x020, 0x024   bits of RAM and FIFO that erred since reset (read only)
//   0x030          FIFO: a write appends a word, a read takes one; SLVERR if it is full or empty
//   0x400 .. 7FC   RAM
//
// Anything else is answered with SLVERR.

module scratchpad
  import spinflow_pkg::*;
(
  // Clock, and reset (active low, synchronous).
  input  logic        aclk,
  input  logic        aresetn,

  // AXI4-Lite slave. Only whole words are written.
  input  logic [11:0] s_axi_awaddr,
  input  logic [2:0]  s_axi_awprot,
  input  logic        s_axi_awvalid,
  output logic        s_axi_awready,
  input  logic [31:0] s_axi_wdata,
  input  logic [3:0]  s_axi_wstrb,
  input  logic        s_axi_wvalid,
  output logic        s_axi_wready,
  output logic [1:0]  s_axi_bresp,
  output logic        s_axi_bvalid,
  input  logic        s_axi_bready,
  input  logic [11:0] s_axi_araddr,
  input  logic [2:0]  s_axi_arprot,
  input  logic        s_axi_arvalid,
  output logic        s_axi_arready,
  output logic [31:0] s_axi_rdata,
  output logic [1:0]  s_axi_rresp,
  output logic        s_axi_rvalid,
  input  logic        s_axi_rready
);

  localparam int unsigned Ram = 0, Fifo = 1;   // numbers of the memories

  logic req, we, ack, err, unused_partial;
  logic [11:0] addr;
  logic [31:0] wdata, rdata;
  axil_slave #(
    .AddrWidth (12)
  ) u_axil_slave (
    .clk_i     (aclk),
    .rst_ni    (aresetn),
    .awaddr_i  (s_axi_awaddr),
    .awvalid_i (s_axi_awvalid),
    .awready_o (s_axi_awready),
    .wdata_i   (s_axi_wdata),
    .wstrb_i   (s_axi_wstrb),
    .wvalid_i  (s_axi_wvalid),
    .wready_o  (s_axi_wready),
    .bresp_o   (s_axi_bresp),
    .bvalid_o  (s_axi_bvalid),
    .bready_i  (s_axi_bready),
    .araddr_i  (s_axi_araddr),
    .arvalid_i (s_axi_arvalid),
    .arready_o (s_axi_arready),
    .rdata_o   (s_axi_rdata),
    .rresp_o   (s_axi_rresp),
    .rvalid_o  (s_axi_rvalid),
    .rready_i  (s_axi_rready),
    .req_o     (req),
    .we_o      (we),
    .addr_o    (addr),
    .wdata_o   (wdata),
    .ack_i     (ack),
    .err_i     (err),
    .rdata_i   (rdata),
    .partial_o (unused_partial)
  );

  // An access goes on until it is acknowledged.
  logic waits_q, access;
  assign access = req || waits_q;
  always_ff @(posedge aclk) waits_q <= aresetn && access && !ack;

  logic is_cfg, is_count, is_fifo, is_ram, which;
  assign is_ram   = addr[11:10] == 2'b01;
  assign is_cfg   = addr[11:5] == '0;
  assign is_count = addr[11:3] == 9'(12'h020 >> 3);
  assign is_fifo  = addr[11:2] == 10'(12'h030 >> 2);
  assign which    = is_cfg ? addr[4] : addr[2];   // memory

  // Configuration: the mode stays here, the engine keeps the rest.
  logic [1:0][1:0] mode_q;
  logic [1:0]      restart;
  logic            write_cfg;
  cfg_write_t      cfg_write;
  assign write_cfg = access && we && is_cfg;
  assign restart   = {write_cfg && which, write_cfg && !which};
  assign cfg_write = '{
    rate1: write_cfg && addr[3:2] == 2'd1,
    rate0: write_cfg && addr[3:2] == 2'd2,
    seed:  write_cfg && addr[3:2] == 2'd3,
    index: 6'(which),
    data:  wdata
  };
  always_ff @(posedge aclk) begin
    if (!aresetn) mode_q <= '0;
    else if (write_cfg && addr[3:2] == 2'd0) mode_q[which] <= wdata[1:0];
  end

  // One engine draws for both. Its port for weights is one for any memory.
  draw_request_t ram_request, fifo_request;
  draw_answer_t  answer;
  logic ram_grant, ram_valid, fifo_grant, fifo_valid;
  draw_engine #(
    .NumWeights (1),
    .NumMems    (2),
    .NumAsks    (1),
    .Memory     (32'(Fifo))
  ) u_draw_engine (
    .clk_i            (aclk),
    .cfg_write_i      (cfg_write),
    .weight_index_i   (1'b0),
    .weight_request_i (ram_request),
    .weight_grant_o   (ram_grant),
    .request_i        (fifo_request),
    .grant_o          (fifo_grant),
    .answer_o         (answer),
    .weight_valid_o   (ram_valid),
    .valid_o          (fifo_valid)
  );

  // The memories
  count_t      ram_count, fifo_count;
  logic [31:0] ram_data, fifo_data;
  logic        ram_ready, fifo_ready, fifo_full, fifo_stall, fifo_some;
  mram_ram #(
    .Width (32),
    .Depth (256)
  ) u_ram (
    .clk_i          (aclk),
    .rst_ni         (aresetn),
    .mode_i         (mode_q[Ram]),
    .restart_i      (restart[Ram]),
    .request_o      (ram_request),
    .grant_i        (ram_grant),
    .answer_i       (answer),
    .answer_valid_i (ram_valid),
    .write_addr_i   (addr[9:2]),
    .write_data_i   (wdata),
    .write_valid_i  (access && we && is_ram),
    .write_ready_o  (ram_ready),
    .count_o        (ram_count),
    .read_addr_i    (addr[9:2]),
    .read_data_o    (ram_data)
  );

  buffer_mem #(
    .Width (32),
    .Depth (16)
  ) u_fifo (
    .clk_i          (aclk),
    .rst_ni         (aresetn),
    .mode_i         (mode_q[Fifo]),
    .restart_i      (restart[Fifo]),
    .request_o      (fifo_request),
    .grant_i        (fifo_grant),
    .answer_i       (answer),
    .answer_valid_i (fifo_valid),
    .in_data_i      (wdata),
    .in_valid_i     (access && we && is_fifo && !fifo_full),
    .in_ready_o     (fifo_ready),
    .out_data_o     (fifo_data),
    .out_valid_o    (fifo_some),
    .out_ready_i    (access && !we && is_fifo),
    .count_o        (fifo_count),
    .stall_o        (fifo_stall)
  );

  // A word that is offered to the FIFO must stay until it is taken, so a full one is known beforehand.
  logic [4:0] level_q;
  logic       push, pop, unused_stall;
  assign fifo_full    = level_q == 5'd16;
  assign push         = access && we && is_fifo && !fifo_full && fifo_ready;
  assign pop          = access && !we && is_fifo && fifo_some;
  assign unused_stall = fifo_stall;
  always_ff @(posedge aclk) begin
    if (!aresetn) level_q <= '0;
    else          level_q <= level_q + 5'(push) - 5'(pop);
  end

  logic [1:0][31:0] erred_q;
  always_ff @(posedge aclk) begin
    if (!aresetn) erred_q <= '0;
    else begin
      erred_q[Ram]  <= erred_q[Ram] + 32'(ram_count.err1) + 32'(ram_count.err0);
      erred_q[Fifo] <= erred_q[Fifo] + 32'(fifo_count.err1) + 32'(fifo_count.err0);
    end
  end

  // The answer. A write waits for its draws.
  always_comb begin
    ack   = access;
    err   = 1'b1;
    rdata = '0;
    if (is_ram) begin
      ack   = access && (!we || ram_ready);
      err   = 1'b0;
      rdata = ram_data;
    end else if (is_fifo) begin
      ack   = access && (!we || fifo_full || fifo_ready);
      err   = we ? fifo_full : !fifo_some;
      rdata = fifo_some ? fifo_data : '0;
    end else if (is_cfg) begin
      err   = !we && addr[3:2] != 2'd0;
      rdata = 32'(mode_q[which]);
    end else if (is_count) begin
      err   = we;
      rdata = erred_q[which];
    end
  end

  logic [39:0] unused_parts;
  assign unused_parts = {s_axi_awprot, s_axi_arprot, addr[1:0], ram_count.written, ram_count.switched,
                         fifo_count.written, fifo_count.switched};

endmodule
