// What weight_mem promises. The word of a read comes WeightLatency cycles later and holds until the next
// read's; a column that the host reads is answered in three parts, the lowest 32 bits WeightLatency + 1
// cycles later, the next 32 and the upper 8 a cycle later each, and at all other times the answer is
// 0. All bits are 0 at first; a write changes those of its column, and is there for a read in the next
// cycle. Bits lie where its head says, and what no bit of the word lies at reads 0.
//
// One bit of one word, any one, is followed, and any bit of a column that no bit lies at.
//
// Assumed: no read of a word and access of the host at once; none of the host while a word is on its way,
// and none of either while a column is. Addresses and columns are such that there are.

module weight_mem_formal
  import spinflow_pkg::*;
#(
  // As of weight_mem.
  parameter int unsigned Width = 142,
  parameter int unsigned Depth = 2,
  parameter int unsigned ShallowDepth = 64,
  localparam int unsigned AddrWidth = Depth > 1 ? $clog2(Depth) : 1
) (
  // Ports of weight_mem that others drive.
  input logic                 clk_i,
  input logic                 rd_en_i,
  input logic [AddrWidth-1:0] rd_addr_i,
  input logic                 host_en_i,
  input weight_req_t          host_i,

  // Free: what is followed, as it is in the first cycle: the word, the column, the bit of it.
  input logic [AddrWidth-1:0] word_i,
  input logic [7:0]           column_i,
  input logic [6:0]           place_i
);

  localparam int unsigned Columns = (Width + ColumnWidth - 1) / ColumnWidth;
  localparam int unsigned Parts = WeightLatency + 3;

  logic [Width-1:0] rd_data_o;
  logic [31:0]      host_rdata_o;

  weight_mem #(.Width (Width), .Depth (Depth), .ShallowDepth (ShallowDepth)) dut (.*);

  // The bit: its number in the word, and whether there is one. What it is.
  logic                 first_q = 1'b1;
  logic [AddrWidth-1:0] word_q;
  logic [7:0]           column_q;
  logic [6:0]           place_q;
  logic                 bit_q = 1'b0;
  logic [15:0]          number;
  logic                 exists, value;
  always_comb begin
    if (place_q < 7'd64) number = 16'(64 * 32'(column_q) + 32'(place_q));
    else                 number = 16'(64 * Columns + 8 * 32'(column_q) + 32'(place_q) - 64);
    exists = 32'(number) < Width && (place_q >= 7'd64 || 32'(number) < 64 * Columns);
    value  = exists && bit_q;
  end

  // Reads so many cycles ago: of a word, of a column; whether of the one that is followed, and what it was.
  logic [Parts:1] read_q = '0;
  logic [Parts:1] host_q = '0;
  logic [Parts:1] mine_q, value_q;
  logic           mine, known_q, shown_q, host_mine, part_valid;
  assign mine      = rd_addr_i == word_q;
  assign host_mine = host_i.addr == 16'(word_q) && host_i.column == column_q;
  assign part_valid = host_q[Parts:Parts-2] != '0;

  always_ff @(posedge clk_i) begin
    first_q <= 1'b0;
    if (first_q) begin
      {word_q, column_q, place_q} <= {word_i, column_i, place_i};
      assume (32'(word_i) < Depth && 32'(column_i) < Columns && 32'(place_i) < ColumnWidth);
      assume (!rd_en_i && !host_en_i);
    end
    assume (!(rd_en_i && host_en_i));
    assume (!host_en_i || read_q[WeightLatency-1:1] == '0);
    assume (!(host_en_i || rd_en_i) || host_q[Parts-1:1] == '0);
    assume (!host_en_i || (32'(host_i.addr) < Depth && 32'(host_i.column) < Columns));
    assume (!rd_en_i || 32'(rd_addr_i) < Depth);

    read_q  <= {read_q[Parts-1:1], rd_en_i};
    host_q  <= {host_q[Parts-1:1], host_en_i && !host_i.we};
    mine_q  <= {mine_q[Parts-1:1], host_en_i ? host_mine : mine};
    value_q <= {value_q[Parts-1:1], value};
    if (host_en_i && host_i.we && host_mine) bit_q <= host_i.wdata[place_q];

    // The matrix-vector unit; the host's reads may change what it sees.
    if (first_q || host_en_i) known_q <= 1'b0;
    else if (read_q[WeightLatency-1]) begin
      known_q <= mine_q[WeightLatency-1];
      shown_q <= value_q[WeightLatency-1];
    end
    if (!first_q && known_q && exists) assert (rd_data_o[number] == shown_q);

    // The host.
    for (int unsigned part = 0; part < 3; part++) begin
      if (host_q[Parts-2+part] && mine_q[Parts-2+part] && 32'(place_q) / 32 == part) begin
        assert (host_rdata_o[place_q[4:0]] == value_q[Parts-2+part]);
      end
    end
    if (host_q[Parts]) assert (host_rdata_o[31:8] == '0);
    if (!first_q && !part_valid) assert (host_rdata_o == '0);

    cover (!first_q && known_q && exists && shown_q && place_q >= 7'd64 && column_q != '0);
    cover (host_q[Parts] && mine_q[Parts] && place_q >= 7'd64 && host_rdata_o != '0);
  end

endmodule
