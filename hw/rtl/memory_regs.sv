// Registers of all memories: what each one is (constants), how its writes err (configuration) and its
// counters, as counter_bank last showed them. All that the host reads lies in one block RAM, the image,
// 16 words a memory at the offsets of the register map. Modes are in flip-flops, too; rates and seeds are
// passed on as they are written, to who makes draws.
//
// Configuration is taken only while idle and restarts the memory's random stream; otherwise it is
// ignored and `refused_o` tells. Latency of an access: three cycles a read, two a write; it waits while
// counters are being shown, and after a reset until all configuration is cleared, mode off, for
// 4*2^ceil(log2(NumMems)) cycles and those in which counters are shown. Without `WithErrors` it stays so.

module memory_regs
  import spinflow_pkg::*;
  import spinflow_map_pkg::*;
#(
  // Whether memories can err.
  parameter bit          WithErrors = 1'b1,
  // Numbers of weight memories and of buffers. Memories are numbered weight memories first.
  parameter int unsigned NumWeights = 3,
  parameter int unsigned NumBuffers = 2,
  localparam int unsigned NumMems = NumWeights + NumBuffers,
  localparam int unsigned MemWidth = NumMems > 1 ? $clog2(NumMems) : 1,
  localparam int unsigned CounterAddrWidth = $clog2(8 * NumMems),
  // Of each memory: number of its layer, bits of a word, words.
  parameter logic [NumMems-1:0][31:0] Layer = '0,
  parameter logic [NumMems-1:0][31:0] Width = '0,
  parameter logic [NumMems-1:0][31:0] Depth = '0
) (
  // Clock, and reset (active low): all configuration becomes 0.
  input  logic        clk_i,
  input  logic        rst_ni,

  // No frame is under way: configuration may be written.
  input  logic        idle_i,

  // Access from the register block, whose external region this is: `req_i` is high for a cycle, the
  // others hold until an acknowledge.
  input  logic        req_i,
  input  logic        we_i,           // 1 writes, 0 reads
  input  logic [11:0] addr_i,         // byte offset in the region
  input  logic [31:0] wdata_i,

  // Its answer. An acknowledge is high for a cycle; read data are valid with it.
  output logic        rd_ack_o,
  output logic        wr_ack_o,
  output logic [31:0] rdata_o,
  output logic        refused_o,      // pulse: configuration was not taken

  // Modes of all memories, and a pulse for each memory whose configuration was written, in the cycle from
  // which on it holds.
  output logic [NumMems-1:0][1:0]     mode_o,
  output logic [NumMems-1:0]          restart_o,

  // What is written to rates and seeds, also the zeros after a reset; in the cycle of `restart_o`.
  output cfg_write_t                  cfg_write_o,

  // Half of a counter to be shown from the next cycle on, in each cycle of `show_valid_i`; the address
  // is that of counter_bank.
  input  logic                        show_valid_i,
  input  logic [CounterAddrWidth-1:0] show_addr_i,
  input  logic [31:0]                 show_data_i
);

  localparam int unsigned ImageWidth = MemWidth + 4;

  if (NumMems > MapMemCount) begin : gen_too_many
    $error("memory_regs: %0d memories, the register map has room for %0d", NumMems, MapMemCount);
  end

  // What the address means, registered, and the access that waits.
  localparam logic [3:0] FirstCfg = MapMemMode[5:2];   // RATE1, RATE0 and SEED follow it
  logic [MemWidth-1:0] mem;
  logic [3:0] word;
  logic is_cfg_q, in_image_q, waits_q, clearing, write_now, write_cfg, read_now;
  logic [NumMems-1:0] chosen_q;   // the memory, one bit of all
  assign mem  = addr_i[6+:MemWidth];
  assign word = addr_i[5:2];
  logic [1:0] unused_addr;
  assign unused_addr = addr_i[1:0];
  always_ff @(posedge clk_i) begin
    in_image_q <= 32'(addr_i[11:6]) < 2 ** MemWidth;
    is_cfg_q   <= word >= FirstCfg && word <= MapMemSeed[5:2] && 32'(addr_i[11:6]) < NumMems;
    for (int unsigned m = 0; m < NumMems; m++) chosen_q[m] <= 32'(mem) == m;
    waits_q    <= rst_ni && (req_i || (waits_q && !write_now && !read_now));
  end

  // After a reset the configuration words of all memories are cleared one after the other.
  logic [MemWidth+2:0] clear_q;   // memory and word; its highest bit says that all are cleared
  assign clearing = WithErrors && !clear_q[MemWidth+2];
  always_ff @(posedge clk_i) begin
    if (!rst_ni) clear_q <= '0;
    else if (clearing && !show_valid_i) clear_q <= clear_q + 1'b1;
  end

  assign read_now  = waits_q && !we_i && !clearing && !show_valid_i;
  assign write_now = waits_q && we_i && !clearing && !show_valid_i;
  assign write_cfg = WithErrors && write_now && is_cfg_q && idle_i;

  // What is written, to the image and wherever else configuration is kept.
  logic [MemWidth-1:0] cfg_mem;
  logic [3:0]  cfg_word;
  logic [31:0] write_data;
  logic        write_any;   // configuration, by the host or for clearing
  assign write_any = (clearing && !show_valid_i) || write_cfg;
  assign cfg_mem   = clearing ? clear_q[MemWidth+1:2] : mem;
  assign cfg_word  = clearing ? FirstCfg + 4'(clear_q[1:0]) : word;
  always_comb begin
    if (show_valid_i)            write_data = show_data_i;
    else if (clearing)           write_data = '0;
    else if (word == FirstCfg)   write_data = {30'd0, wdata_i[1:0]};
    else                         write_data = wdata_i;
  end

  // The image. Its constants are there from the beginning.
  function automatic logic [2**ImageWidth-1:0][31:0] constants();
    constants = '0;
    for (int unsigned m = 0; m < NumMems; m++) begin
      constants[16*m+32'(MapMemInfo[5:2])]  = {16'd0, Layer[m][7:0], 8'(m >= NumWeights)};
      constants[16*m+32'(MapMemWidth[5:2])] = Width[m];
      constants[16*m+32'(MapMemDepth[5:2])] = Depth[m];
    end
  endfunction

  logic [ImageWidth-1:0] read_addr, write_addr;
  logic [MemWidth-1:0] shown;
  assign read_addr  = {mem, word};
  assign shown      = MemWidth'(show_addr_i[CounterAddrWidth-1:3]);
  assign write_addr = show_valid_i ? {shown, 1'b1, show_addr_i[2:0]} : {cfg_mem, cfg_word};
  block_ram #(
    .Width   (32),
    .Depth   (2 ** ImageWidth),
    .HasInit (1'b1),
    .Init    (constants())
  ) u_image (
    .clk_i,
    .we_i    (WithErrors && (show_valid_i || write_any)),
    .waddr_i (write_addr),
    .wdata_i (write_data),
    .re_i    (read_now),
    .raddr_i (read_addr),
    .take_i  (1'b1),
    .clear_i (!in_image_q),
    .rdata_o
  );

  logic reading_q;
  always_ff @(posedge clk_i) begin
    reading_q <= rst_ni && read_now;
    rd_ack_o  <= rst_ni && reading_q;
    wr_ack_o  <= rst_ni && write_now;
    refused_o <= rst_ni && write_now && is_cfg_q && !idle_i;
  end

  always_ff @(posedge clk_i) begin
    cfg_write_o <= '{
      rate1: write_any && cfg_word == MapMemRate1[5:2],
      rate0: write_any && cfg_word == MapMemRate0[5:2],
      seed:  write_any && cfg_word == MapMemSeed[5:2],
      index: 6'(cfg_mem),
      data:  write_data
    };
    restart_o <= rst_ni && write_cfg ? chosen_q : '0;
    for (int unsigned m = 0; m < NumMems; m++) begin
      if (!rst_ni) mode_o[m] <= ModeOff;
      else if (write_cfg && chosen_q[m] && word == FirstCfg) mode_o[m] <= write_data[1:0];
    end
  end

endmodule
