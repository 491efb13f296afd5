// Model of a 7-series block RAM (AMD UG473, UG953): both ports, all widths, the three write modes.
//
// RAMB18E1 and RAMB36E1, which `tests/hw/chip.py` writes around it, give it their contents. Both ports
// have one clock; there are no output registers, no ECC and no cascades. Where the guide leaves a
// read undefined, beside a write of the other port that is not in READ_FIRST, the word comes out
// inverted, so that nobody relies on it. A word is read in the cycle after its address.

module ramb #(
  // Bits of data; a ninth bit belongs to every eight of them.
  parameter int                Bits   = 32768,
  parameter logic [Bits-1:0]   Data   = '0,
  parameter logic [Bits/8-1:0] Parity = '0,
  // Width of a word that port A, or B, reads or writes, with its ninth bits; 0 if it does not.
  parameter int                ReadA  = 0,
  parameter int                ReadB  = 0,
  parameter int                WriteA = 0,
  parameter int                WriteB = 0,
  // What a port reads as it writes: WRITE_FIRST, READ_FIRST or NO_CHANGE.
  parameter                    ModeA  = "WRITE_FIRST",
  parameter                    ModeB  = "WRITE_FIRST",
  // The word that a reset gives, with the ninth bits right above the data.
  parameter logic [71:0]       ResetA = '0,
  parameter logic [71:0]       ResetB = '0,
  localparam int               AddrWidth = $clog2(Bits)
) (
  // Clock of both ports.
  input  logic                      clk_i,

  // Of each port, A lowest: enable, reset of the word that is read, address of a bit of data.
  input  logic [1:0]                en_i,
  input  logic [1:0]                rst_i,
  input  logic [1:0][AddrWidth-1:0] addr_i,

  // Of each port: which bytes are written, with what, and the word that is read; data in bits 0 to
  // 63, the ninth bits above.
  input  logic [1:0][7:0]           we_i,
  input  logic [1:0][71:0]          data_i,
  output logic [1:0][71:0]          data_o
);

  localparam bit [1:0] ReadFirst = {ModeB == "READ_FIRST", ModeA == "READ_FIRST"};
  localparam bit [1:0] NoChange  = {ModeB == "NO_CHANGE", ModeA == "NO_CHANGE"};

  logic [7:0] memory[Bits/8];
  logic       ninth[Bits/8];
  initial begin
    for (int i = 0; i < Bits / 8; i++) begin
      memory[i] = Data[8*i+:8];
      ninth[i]  = Parity[i];
    end
    data_o = '0;
  end

  // Width of a word of a port.
  function automatic int read_width(int port);
    return port == 0 ? ReadA : ReadB;
  endfunction
  function automatic int write_width(int port);
    return port == 0 ? WriteA : WriteB;
  endfunction

  // Bits of data of a word, without the ninth ones.
  function automatic int bits(int width);
    return width >= 9 ? width / 9 * 8 : width;
  endfunction

  // The word at an address.
  function automatic logic [71:0] word_at(int addr, int width);
    word_at = '0;
    if (width < 9) begin
      for (int b = 0; b < 8; b++) if (b < width) word_at[b] = memory[addr/8][addr%8+b];
    end else begin
      for (int i = 0; i < 8; i++) begin
        if (i < width / 9) begin
          word_at[8*i+:8] = memory[addr/8+i];
          word_at[64+i]   = ninth[addr/8+i];
        end
      end
    end
  endfunction

  // The word that a reset gives, ninth bits in their place.
  function automatic logic [71:0] reset_word(logic [71:0] word, int width);
    logic [71:0] low;
    low = (72'd1 << bits(width)) - 72'd1;
    return {8'(width < 9 ? '0 : word >> bits(width)), 64'(word & low)};
  endfunction

  // First bit of the word that an address is in.
  function automatic int start(int addr, int width);
    return width == 0 ? 0 : addr - addr % bits(width);
  endfunction

  // Whether a port reads at this edge what the other one writes.
  function automatic bit meet(int port);
    int read, written;
    read    = start(int'(addr_i[port]), read_width(port));
    written = start(int'(addr_i[1-port]), write_width(1 - port));
    return en_i[1-port] && we_i[1-port] != '0 && write_width(1 - port) > 0
        && read < written + bits(write_width(1 - port)) && written < read + bits(read_width(port));
  endfunction

  logic [1:0][71:0] old;
  always @(posedge clk_i) begin
    for (int p = 0; p < 2; p++) begin
      old[p] = word_at(start(int'(addr_i[p]), read_width(p)), read_width(p));
      if (meet(p) && !ReadFirst[1-p]) old[p] = ~old[p];
    end
    for (int p = 0; p < 2; p++) begin
      if (en_i[p] && write_width(p) > 0 && write_width(p) < 9) begin
        for (int b = 0; b < 8; b++) begin
          if (we_i[p][0] && b < write_width(p)) begin
            memory[addr_i[p]/8][start(int'(addr_i[p]), write_width(p))%8+b] = data_i[p][b];
          end
        end
      end else if (en_i[p]) begin
        for (int i = 0; i < 8; i++) begin
          if (we_i[p][i] && i < write_width(p) / 9) begin
            memory[start(int'(addr_i[p]), write_width(p))/8+i] = data_i[p][8*i+:8];
            ninth[start(int'(addr_i[p]), write_width(p))/8+i]  = data_i[p][64+i];
          end
        end
      end
    end
    for (int p = 0; p < 2; p++) begin
      if (en_i[p] && read_width(p) > 0) begin
        if (rst_i[p]) begin
          data_o[p] <= reset_word(p == 0 ? ResetA : ResetB, read_width(p));
        end else if (we_i[p] == '0 || write_width(p) == 0 || ReadFirst[p]) begin
          data_o[p] <= old[p];
        end else if (!NoChange[p]) begin
          data_o[p] <= word_at(start(int'(addr_i[p]), read_width(p)), read_width(p));
        end
      end
    end
  end

endmodule
