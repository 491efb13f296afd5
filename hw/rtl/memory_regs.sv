// Registers of all memories: what each one is (constants), how its writes err (configuration, kept in
// flip-flops beside its user and in a LUT RAM for reading back) and its counters.
//
// Configuration is taken only while idle and restarts the memory's random stream; otherwise it is
// ignored and `refused_o` tells. Latency: one cycle. After reset all configuration is zero, mode off.
// Without `WithErrors` it stays so.

module memory_regs
  import spinflow_pkg::*;
  import spinflow_map_pkg::*;
#(
  parameter bit          WithErrors = 1'b1,
  parameter int unsigned NumWeights = 3,
  parameter int unsigned NumBuffers = 2,
  localparam int unsigned NumMems = NumWeights + NumBuffers,
  localparam int unsigned CounterAddrWidth = $clog2(4 * NumMems),
  parameter logic [NumMems-1:0][31:0] Layer = '0,
  parameter logic [NumMems-1:0][31:0] Width = '0,
  parameter logic [NumMems-1:0][31:0] Depth = '0
) (
  input  logic        clk_i,
  input  logic        rst_ni,
  input  logic        idle_i,
  // external region of the register block: offset within it
  input  logic        req_i,
  input  logic        we_i,
  input  logic [11:0] addr_i,
  input  logic [31:0] wdata_i,
  input  logic [31:0] wmask_i,
  output logic        rd_ack_o,
  output logic        wr_ack_o,
  output logic [31:0] rdata_o,
  output logic        refused_o,
  // to the memories
  output error_cfg_t [NumMems-1:0] cfg_o,
  output logic [NumMems-1:0]       restart_o,
  // from the counters
  output logic [CounterAddrWidth-1:0] counter_addr_o,
  input  logic [63:0]                 counter_data_i
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
  assign write_cfg  = WithErrors && req_i && we_i && is_cfg && idle_i;

  // Four configuration words a memory, addressed by the low bits of their offset. A word that was not
  // written since reset reads 0.
  localparam int unsigned ShadowWidth = MemWidth + 2;
  (* ram_style = "distributed" *) logic [31:0] shadow [2**ShadowWidth];
  logic [2**ShadowWidth-1:0] written_q;
  logic [ShadowWidth-1:0] shadow_addr;
  logic [31:0] shadow_word, cfg_word;

  assign shadow_addr = {mem, offset[3:2]};
  assign shadow_word = written_q[shadow_addr] ? shadow[shadow_addr] : '0;
  assign cfg_word    = (shadow_word & ~wmask_i) | (wdata_i & wmask_i);

  always_ff @(posedge clk_i) begin
    if (!rst_ni)        written_q <= '0;
    else if (write_cfg) written_q[shadow_addr] <= 1'b1;
    if (write_cfg) shadow[shadow_addr] <= cfg_word;
  end

  always_ff @(posedge clk_i) begin
    for (int unsigned m = 0; m < NumMems; m++) begin
      restart_o[m] <= rst_ni && write_cfg && 32'(mem) == m;
      if (!rst_ni) cfg_o[m] <= '0;
      else if (write_cfg && 32'(mem) == m) begin
        unique case (offset)
          MapMemMode:  cfg_o[m].mode  <= cfg_word[1:0];
          MapMemRate1: cfg_o[m].rate1 <= cfg_word;
          MapMemRate0: cfg_o[m].rate0 <= cfg_word;
          default:  cfg_o[m].seed  <= cfg_word;
        endcase
      end
    end
  end

  assign counter_addr_o = {mem, offset[4:3]};

  logic [31:0] rdata_d;
  always_comb begin
    rdata_d = '0;
    if (is_cfg) rdata_d = offset == MapMemMode ? 32'(shadow_word[1:0]) : shadow_word;
    else if (is_counter) rdata_d = offset[2] ? counter_data_i[63:32] : counter_data_i[31:0];
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
    rd_ack_o  <= rst_ni && req_i && !we_i;
    wr_ack_o  <= rst_ni && req_i && we_i;
    refused_o <= rst_ni && req_i && we_i && is_cfg && !idle_i;
    if (req_i) rdata_o <= rdata_d;
  end

endmodule
