// Registers of all memories: what each one is (constants), how its writes err (configuration) and its
// counters. Configuration is in LUT RAM; of the weight memories one at a time is wanted, `index_i`, and
// that of the buffers is in flip-flops too.
//
// Configuration is taken only while idle and restarts the memory's random stream; otherwise it is
// ignored and `refused_o` tells. Latency: one cycle, but after a reset an access waits until the LUT RAM
// is cleared, for at most 2^ceil(log2(NumMems)) cycles: all configuration is zero then, mode off. Without
// `WithErrors` it stays so.

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
  localparam int unsigned CounterAddrWidth = $clog2(8 * NumMems),
  localparam int unsigned IndexWidth = NumWeights > 1 ? $clog2(NumWeights) : 1,
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

  // Configuration of the weight memory of this number, in the same cycle; not valid during an access.
  input  logic [IndexWidth-1:0]       index_i,
  output error_cfg_t                  weight_cfg_o,

  // Configuration of all buffers; and a pulse for each memory whose configuration was written.
  output error_cfg_t [NumBuffers-1:0] buffer_cfg_o,
  output logic [NumMems-1:0]          restart_o,

  // What is written to rates and seeds, also the zeros after a reset.
  output cfg_write_t                  cfg_write_o,

  // Half of a counter, in the same cycle; the address is that of counter_bank.
  output logic [CounterAddrWidth-1:0] counter_addr_o,
  input  logic [31:0]                 counter_data_i
);

  localparam int unsigned MemWidth = NumMems > 1 ? $clog2(NumMems) : 1;

  if (NumMems > MapMemCount) begin : gen_too_many
    $error("memory_regs: %0d memories, the register map has room for %0d", NumMems, MapMemCount);
  end

  logic [5:0] mem_index, offset;
  logic [MemWidth-1:0] mem;
  logic exists, is_cfg, is_counter, write_cfg;

  assign mem_index  = addr_i[11:6];
  assign offset     = addr_i[5:0];
  assign mem        = mem_index[MemWidth-1:0];
  assign exists     = 32'(mem_index) < NumMems;
  assign is_cfg     = exists && offset >= MapMemMode && offset <= MapMemSeed;
  assign is_counter = exists && offset >= MapMemWrittenLo;

  logic clearing, waits_q, access;
  logic [MemWidth:0] clear_q;   // the memory to clear; its highest bit says that all are
  assign clearing = WithErrors && !clear_q[MemWidth];
  assign access   = (req_i || waits_q) && !clearing;
  always_ff @(posedge clk_i) begin
    if (!rst_ni) begin
      clear_q <= '0;
      waits_q <= 1'b0;
    end else begin
      if (clearing) clear_q <= clear_q + 1'b1;
      waits_q <= clearing && (req_i || waits_q);
    end
  end
  assign write_cfg = WithErrors && access && we_i && is_cfg && idle_i;

  // Four configuration words a memory.
  (* ram_style = "distributed" *) logic [1:0]  mode  [2**MemWidth];
  (* ram_style = "distributed" *) logic [31:0] rate1 [2**MemWidth];
  (* ram_style = "distributed" *) logic [31:0] rate0 [2**MemWidth];
  (* ram_style = "distributed" *) logic [31:0] seed  [2**MemWidth];
  logic [MemWidth-1:0] ram_addr;
  error_cfg_t  cfg;
  logic [31:0] old_word, cfg_word;

  always_comb begin
    if (clearing)    ram_addr = clear_q[MemWidth-1:0];
    else if (access) ram_addr = mem;
    else             ram_addr = MemWidth'(index_i);
  end
  assign cfg = '{
    mode:  mode[ram_addr],
    rate1: rate1[ram_addr],
    rate0: rate0[ram_addr],
    seed:  seed[ram_addr]
  };
  assign weight_cfg_o = WithErrors ? cfg : '0;

  always_comb begin
    unique case (offset)
      MapMemMode:  old_word = 32'(cfg.mode);
      MapMemRate1: old_word = cfg.rate1;
      MapMemRate0: old_word = cfg.rate0;
      default:     old_word = cfg.seed;
    endcase
  end
  assign cfg_word = clearing ? '0 : wdata_i;

  always_ff @(posedge clk_i) begin
    if (clearing || (write_cfg && offset == MapMemMode))  mode[ram_addr]  <= cfg_word[1:0];
    if (clearing || (write_cfg && offset == MapMemRate1)) rate1[ram_addr] <= cfg_word;
    if (clearing || (write_cfg && offset == MapMemRate0)) rate0[ram_addr] <= cfg_word;
    if (clearing || (write_cfg && offset == MapMemSeed))  seed[ram_addr]  <= cfg_word;
  end

  always_ff @(posedge clk_i) begin
    for (int unsigned m = 0; m < NumMems; m++) begin
      restart_o[m] <= rst_ni && write_cfg && 32'(mem) == m;
    end
    for (int unsigned b = 0; b < NumBuffers; b++) begin
      if (!rst_ni) buffer_cfg_o[b] <= '0;
      else if (write_cfg && 32'(mem) == NumWeights + b) begin
        unique case (offset)
          MapMemMode:  buffer_cfg_o[b].mode  <= cfg_word[1:0];
          MapMemRate1: buffer_cfg_o[b].rate1 <= cfg_word;
          MapMemRate0: buffer_cfg_o[b].rate0 <= cfg_word;
          default:     buffer_cfg_o[b].seed  <= cfg_word;
        endcase
      end
    end
  end

  always_ff @(posedge clk_i) begin
    cfg_write_o <= '{
      rate1: clearing || (write_cfg && offset == MapMemRate1),
      rate0: clearing || (write_cfg && offset == MapMemRate0),
      seed:  clearing || (write_cfg && offset == MapMemSeed),
      index: 6'(ram_addr),
      data:  cfg_word
    };
  end

  assign counter_addr_o = {mem, offset[4:2]};

  logic [31:0] rdata_d;
  always_comb begin
    rdata_d = '0;
    if (is_cfg) rdata_d = WithErrors ? old_word : '0;
    else if (is_counter) rdata_d = counter_data_i;
    else if (exists) begin
      unique case (offset)
        MapMemInfo:  rdata_d = {16'd0, Layer[mem][7:0], 8'(32'(mem) >= NumWeights)};
        MapMemWidth: rdata_d = Width[mem];
        MapMemDepth: rdata_d = Depth[mem];
        default:  rdata_d = '0;
      endcase
    end
  end

  always_ff @(posedge clk_i) begin
    rd_ack_o  <= rst_ni && access && !we_i;
    wr_ack_o  <= rst_ni && access && we_i;
    refused_o <= rst_ni && access && we_i && is_cfg && !idle_i;
    if (access) rdata_o <= rdata_d;
  end

endmodule
