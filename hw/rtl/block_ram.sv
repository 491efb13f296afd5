// Block RAM: one write port and one read port with addresses of their own, one clock, and a register at
// the output, in the form that the vendors' guides give for it (UG901, simple dual port; FPGA-TN-02204).
// Every block RAM of the design is one of these, so that all tools infer the same.
//
// A 7-series block RAM is at its widest, 512 words of 72 bits, only in this form. Without a writer it is a
// ROM. Nothing is read in the cycle of a write, so no tool has to add what makes the two orders alike.
//
// For the 7 series Vivado extends a depth to a power of two (AR 61995). Where that takes more block RAM
// than two parts do, the next lower power of two and what is left, these are two memories.
//
// Latency: two cycles from the address to the word. Throughput: a read or a write a cycle.

module block_ram
  import spinflow_pkg::*;
#(
  // Bits of a word, and words.
  parameter int unsigned Width = 72,
  parameter int unsigned Depth = 512,
  // What the memory holds at first: word n at [n*Width +: Width], or zeros where there is no Init.
  parameter bit HasInit = 1'b0,
  localparam int unsigned InitBits = HasInit ? Depth * Width : 1,
  parameter logic [InitBits-1:0] Init = '0,
  localparam int unsigned AddrWidth = Depth > 1 ? $clog2(Depth) : 1
) (
  // Clock. There is no reset: the memory keeps what it holds.
  input  logic                 clk_i,

  // Write of a word.
  input  logic                 we_i,
  input  logic [AddrWidth-1:0] waddr_i,
  input  logic [Width-1:0]     wdata_i,

  // Read of a word; in the cycle of a write and while this is low the memory's own output holds.
  input  logic                 re_i,
  input  logic [AddrWidth-1:0] raddr_i,

  // The output register takes the word that was read in the cycle before, or zeros; it holds while neither
  // is high, and zeros go first.
  input  logic                 take_i,
  input  logic                 clear_i,
  output logic [Width-1:0]     rdata_o
);

  localparam int unsigned Whole = 1 << AddrWidth;
  localparam bit Split = Depth > Whole / 2 && AddrWidth > 1 && ram_halves(Width, Depth) >
      ram_halves(Width, Whole / 2) + ram_halves(Width, Depth - Whole / 2);
  localparam int unsigned Parts = Split ? 2 : 1;

  logic [Parts-1:0][Width-1:0] read_q;
  for (genvar p = 0; p < int'(Parts); p++) begin : gen_part
    localparam int unsigned First = p * (Whole / 2);
    localparam int unsigned Words = !Split ? Depth : p == 0 ? Whole / 2 : Depth - Whole / 2;
    localparam int unsigned Bits  = Words > 1 ? $clog2(Words) : 1;

    (* ram_style = "block", rom_style = "block", syn_ramstyle = "block_ram", syn_romstyle = "EBR" *)
    logic [Width-1:0] mem [Words];
    if (HasInit) begin : gen_init
      initial for (int unsigned n = 0; n < Words; n++) mem[n] = Init[(First+n)*Width+:Width];
    end else begin : gen_zeros
      initial mem = '{default: '0};
    end

    logic write, read;
    assign write = we_i && (!Split || waddr_i[AddrWidth-1] == 1'(p));
    assign read  = re_i && !we_i && (!Split || raddr_i[AddrWidth-1] == 1'(p));
    always_ff @(posedge clk_i) begin
      if (write) mem[waddr_i[Bits-1:0]] <= wdata_i;
    end
    always_ff @(posedge clk_i) begin
      if (read) read_q[p] <= mem[raddr_i[Bits-1:0]];
    end
  end

  logic [Width-1:0] word;   // that was read last
  if (Split) begin : gen_choice
    logic upper_q;
    always_ff @(posedge clk_i) begin
      if (re_i && !we_i) upper_q <= raddr_i[AddrWidth-1];
    end
    assign word = upper_q ? read_q[Parts-1] : read_q[0];
  end else begin : gen_one
    assign word = read_q[0];
  end

  always_ff @(posedge clk_i) begin
    if (clear_i)     rdata_o <= '0;
    else if (take_i) rdata_o <= word;
  end

endmodule
