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
// Latency: one cycle for a read of the matrix-vector unit. A column is answered in three parts: the
// lowest 32 bits two cycles after its request, the next 32 a cycle later, then the upper 8; at all other
// times the answer is 0. Throughput: one word a cycle, one column every three cycles.

module weight_mem
  import spinflow_pkg::*;
#(
  // Bits of a word, and words.
  parameter int unsigned Width = 64,
  parameter int unsigned Depth = 512,
  localparam int unsigned AddrWidth = Depth > 1 ? $clog2(Depth) : 1
) (
  // Clock. There is no reset: the memory keeps what it holds.
  input  logic                 clk_i,

  // Read of a word by the matrix-vector unit; the word comes in the next cycle.
  input  logic                 rd_en_i,
  input  logic [AddrWidth-1:0] rd_addr_i,
  output logic [Width-1:0]     rd_data_o,

  // Access of the host to a column, in each cycle of `host_en_i`. A read is answered in three parts, two,
  // three and four cycles later; at all other times the answer is 0.
  input  logic                 host_en_i,
  input  weight_req_t          host_i,
  output logic [31:0]          host_rdata_o
);

  localparam int unsigned Columns = (Width + ColumnWidth - 1) / ColumnWidth;
  localparam int unsigned MainWidth = Width < 64 * Columns ? Width : 64 * Columns;
  // Block RAM is 512 deep at its widest; below this depth LUT RAM is smaller.
  localparam int unsigned ShallowDepth = 64;
  // The column is decoded in two halves, so that a column costs two small gates.
  localparam int unsigned ColumnBits = Columns > 1 ? $clog2(Columns) : 1;
  localparam int unsigned FineBits = ColumnBits / 2;
  localparam int unsigned CoarseBits = ColumnBits - FineBits;

  if (Depth > 2**16) begin : gen_too_deep
    $error("weight_mem: Depth %0d is above %0d", Depth, 2**16);
  end
  if (Columns > 256) begin : gen_too_wide
    $error("weight_mem: Width %0d is above %0d", Width, 256 * ColumnWidth);
  end

  logic [AddrWidth-1:0] addr;
  assign addr = host_en_i ? host_i.addr[AddrWidth-1:0] : rd_addr_i;

  // All columns are read for the matrix-vector unit, one for the host.
  logic [2**CoarseBits-1:0] coarse;
  logic [2**FineBits-1:0]   fine;
  assign coarse = host_en_i ? (2**CoarseBits)'(1) << host_i.column[ColumnBits-1:FineBits] : '1;
  if (FineBits > 0) begin : gen_fine
    assign fine = host_en_i ? (2**FineBits)'(1) << host_i.column[FineBits-1:0] : '1;
  end else begin : gen_no_fine
    assign fine = '1;
  end

  logic [Columns-1:0][ColumnWidth-1:0] word;
  for (genvar c = 0; c < int'(Columns); c++) begin : gen_column
    // Bits that exist: of the pair of segments, and above it.
    localparam int unsigned Low = MainWidth - 64 * c < 64 ? MainWidth - 64 * c : 64;
    localparam int unsigned LeftOver = Width - MainWidth > 8 * c ? Width - MainWidth - 8 * c : 0;
    localparam int unsigned High = LeftOver < 8 ? LeftOver : 8;

    logic selected;
    logic [Low+High-1:0] wdata, word_q;
    assign selected = coarse[c>>FineBits] && fine[c%2**FineBits];
    if (High > 0) begin : gen_high
      assign wdata = {host_i.wdata[64+:High], host_i.wdata[Low-1:0]};
      assign rd_data_o[64*Columns+8*c+:High] = word_q[Low+:High];
    end else begin : gen_low
      assign wdata = host_i.wdata[Low-1:0];
    end
    assign rd_data_o[64*c+:Low] = word_q[Low-1:0];

    // Contents start as 0 as block RAM does; the host writes the weights, so that errors can be made.
    // A column that the host did not mean reads 0.
    if (Depth <= ShallowDepth) begin : gen_lut_ram
      (* ram_style = "distributed" *) logic [Low+High-1:0] mem [Depth];
      initial mem = '{default: '0};
      always_ff @(posedge clk_i) begin
        if (host_en_i && host_i.we && selected) mem[addr] <= wdata;
        if (rd_en_i || host_en_i) word_q <= selected ? mem[addr] : '0;
      end
    end else begin : gen_block_ram
      (* ram_style = "block" *) logic [Low+High-1:0] mem [Depth];
      initial mem = '{default: '0};
      always_ff @(posedge clk_i) begin
        if (host_en_i && host_i.we && selected) mem[addr] <= wdata;
        if (rd_en_i || host_en_i) word_q <= selected ? mem[addr] : '0;
      end
    end

    assign word[c] = ColumnWidth'(word_q[Low-1:0])
                   | (High > 0 ? ColumnWidth'(word_q >> Low) << 64 : '0);
  end

  // The answer: one part of the one column that is not 0.
  typedef enum logic [1:0] {PartNone, PartLow, PartMiddle, PartHigh} part_e;
  part_e part_q;
  initial part_q = PartNone;
  always_ff @(posedge clk_i) begin
    if (host_en_i && !host_i.we) part_q <= PartLow;
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
