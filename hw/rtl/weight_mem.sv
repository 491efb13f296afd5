// Weight memory of one layer: a wide read port for the matrix-vector unit, and one column at a time for
// the AXI-Lite side. A stored 1 is a weight of +1, a stored 0 of -1.
//
// A word is stored in C columns of 72 bits, the widest a block RAM takes, so that no bit of it lies
// idle. The first 2*C segments of 32 bits lie in pairs in the lower 64 bits of the columns, segment s in
// column s/2. What is left of a word lies in the upper 8 bits of the columns, 8 bits a column: segment
// 2*C + k in columns 4*k .. 4*k + 3. The host writes whole columns, so it reads them before.
//
// One read port serves both sides: the host side may only access while no frame is under way, which
// weight_port sees to. Write errors are made there too; this is plain storage.
//
// A request of either side is put into registers first, so that the way to all block RAMs has a cycle to
// itself. Latency: WeightLatency cycles for a read of the matrix-vector unit. A column is answered in
// three parts: the lowest 32 bits WeightLatency + 1 cycles after its request, the next 32 a cycle later,
// then the upper 8; at all other times the answer is 0. Throughput: one word a cycle, one column every
// three cycles.

module weight_mem
  import spinflow_pkg::*;
#(
  // Bits of a word, and words.
  parameter int unsigned Width = 64,
  parameter int unsigned Depth = 512,
  // Most words that are in LUT RAM, which is smaller up to there; block RAM is 512 deep at its widest.
  parameter int unsigned ShallowDepth = 64,
  localparam int unsigned AddrWidth = Depth > 1 ? $clog2(Depth) : 1
) (
  // Clock. There is no reset: the memory keeps what it holds.
  input  logic                 clk_i,

  // Read of a word by the matrix-vector unit; the word comes WeightLatency cycles later, and holds until the
  // next read's.
  input  logic                 rd_en_i,
  input  logic [AddrWidth-1:0] rd_addr_i,
  output logic [Width-1:0]     rd_data_o,

  // Access of the host to a column, in each cycle of `host_en_i`. A read is answered in three parts, the
  // first WeightLatency + 1 cycles later; at all other times the answer is 0.
  input  logic                 host_en_i,
  input  weight_req_t          host_i,
  output logic [31:0]          host_rdata_o
);

  localparam int unsigned Columns = (Width + ColumnWidth - 1) / ColumnWidth;
  localparam int unsigned MainWidth = Width < 64 * Columns ? Width : 64 * Columns;
  localparam int unsigned ColumnBits = Columns > 1 ? $clog2(Columns) : 1;
  localparam int unsigned FineBits = ColumnBits / 2;
  localparam int unsigned CoarseBits = ColumnBits - FineBits;

  if (Depth > 2**16) begin : gen_too_deep
    $error("weight_mem: Depth %0d is above %0d", Depth, 2**16);
  end
  if (Columns > 256) begin : gen_too_wide
    $error("weight_mem: Width %0d is above %0d", Width, 256 * ColumnWidth);
  end

  // The request in registers. Of the columns one is the host's, decoded in two halves.
  logic [AddrWidth-1:0]     addr_q;
  logic [ColumnWidth-1:0]   wdata_q;
  logic [2**CoarseBits-1:0] coarse_q;
  logic [2**FineBits-1:0]   fine_q;
  logic we_q, read_q, take_q;
  logic [WeightLatency-1:1] answer_q;   // the host has read
  initial {we_q, read_q, take_q, answer_q} = '0;
  always_ff @(posedge clk_i) begin
    addr_q   <= host_en_i ? host_i.addr[AddrWidth-1:0] : rd_addr_i;
    wdata_q  <= host_i.wdata;
    coarse_q <= (2**CoarseBits)'(1) << host_i.column[ColumnBits-1:FineBits];
    we_q     <= host_en_i && host_i.we;
    read_q   <= rd_en_i || (host_en_i && !host_i.we);
    take_q   <= read_q;
    answer_q <= {answer_q[WeightLatency-2:1], host_en_i && !host_i.we};
  end
  if (FineBits > 0) begin : gen_fine
    always_ff @(posedge clk_i) fine_q <= (2**FineBits)'(1) << host_i.column[FineBits-1:0];
  end else begin : gen_no_fine
    assign fine_q = '1;
  end

  // All columns are read; those that the host did not mean are then given out as 0.
  logic [Columns-1:0] write, clear_q;
  for (genvar c = 0; c < int'(Columns); c++) begin : gen_select
    logic selected;
    assign selected = coarse_q[c>>FineBits] && fine_q[c%2**FineBits];
    assign write[c] = we_q && selected;
    always_ff @(posedge clk_i) clear_q[c] <= answer_q[1] && !selected;
  end

  // LUT RAM, which has no register of its own, is accessed a cycle later.
  logic [AddrWidth-1:0]   mem_addr;
  logic [ColumnWidth-1:0] mem_wdata;
  logic [Columns-1:0]     mem_write;
  if (Depth <= ShallowDepth) begin : gen_later
    initial mem_write = '0;
    always_ff @(posedge clk_i) begin
      mem_addr  <= addr_q;
      mem_wdata <= wdata_q;
      mem_write <= write;
    end
  end else begin : gen_at_once
    assign mem_addr  = addr_q;
    assign mem_wdata = wdata_q;
    assign mem_write = write;
  end

  logic [Columns-1:0][ColumnWidth-1:0] word;
  for (genvar c = 0; c < int'(Columns); c++) begin : gen_column
    // Bits that exist: of the pair of segments, and above it.
    localparam int unsigned Low = MainWidth - 64 * c < 64 ? MainWidth - 64 * c : 64;
    localparam int unsigned LeftOver = Width - MainWidth > 8 * c ? Width - MainWidth - 8 * c : 0;
    localparam int unsigned High = LeftOver < 8 ? LeftOver : 8;

    logic [Low+High-1:0] wdata, rdata;
    if (High > 0) begin : gen_high
      assign wdata = {mem_wdata[64+:High], mem_wdata[Low-1:0]};
      assign rd_data_o[64*Columns+8*c+:High] = rdata[Low+:High];
    end else begin : gen_low
      assign wdata = mem_wdata[Low-1:0];
    end
    assign rd_data_o[64*c+:Low] = rdata[Low-1:0];

    // Contents start as 0; the host writes the weights, so that errors can be made. A column that the host
    // did not mean reads 0.
    if (Depth <= ShallowDepth) begin : gen_lut_ram
      (* ram_style = "distributed" *) logic [Low+High-1:0] mem [Depth];
      initial mem = '{default: '0};
      always_ff @(posedge clk_i) begin
        if (mem_write[c]) mem[mem_addr] <= wdata;
        if (clear_q[c])     rdata <= '0;
        else if (take_q) rdata <= mem[mem_addr];
      end
    end else begin : gen_block_ram
      block_ram #(
        .Width (Low + High),
        .Depth (Depth)
      ) u_ram (
        .clk_i,
        .we_i    (mem_write[c]),
        .waddr_i (mem_addr),
        .wdata_i (wdata),
        .re_i    (read_q && !we_q),
        .raddr_i (mem_addr),
        .take_i  (take_q),
        .clear_i (clear_q[c]),
        .rdata_o (rdata)
      );
    end

    assign word[c] = ColumnWidth'(rdata[Low-1:0])
                   | (High > 0 ? ColumnWidth'(rdata >> Low) << 64 : '0);
  end

  // The answer: one part of the one column that is not 0.
  typedef enum logic [1:0] {PartNone, PartLow, PartMiddle, PartHigh} part_e;
  part_e part_q;
  initial part_q = PartNone;
  always_ff @(posedge clk_i) begin
    if (answer_q[WeightLatency-1]) part_q <= PartLow;
    else begin
      unique case (part_q)
        PartLow:    part_q <= PartMiddle;
        PartMiddle: part_q <= PartHigh;
        default:    part_q <= PartNone;
      endcase
    end
  end

  always_ff @(posedge clk_i) begin
    if (part_q == PartNone) host_rdata_o <= '0;
    else begin
      automatic logic [ColumnWidth-1:0] column = '0;
      for (int unsigned c = 0; c < Columns; c++) column |= word[c];
      unique case (part_q)
        PartLow:    host_rdata_o <= column[31:0];
        PartMiddle: host_rdata_o <= column[63:32];
        default:    host_rdata_o <= 32'(column[71:64]);
      endcase
    end
  end

  assert property (@(posedge clk_i) !(rd_en_i && host_en_i))
    else $error("weight_mem: read by the matrix-vector unit and the host at once");

endmodule
