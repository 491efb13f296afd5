// What memory_regs promises.
//  - One acknowledge for each access: a read's after three cycles, a write's after two, not counting those in
//    which counters are shown or, after a reset, configuration is cleared, 4*2^ceil(log2(NumMems)) of them.
//  - A read gives the constants of a memory, its configuration as it was last taken, 0 since a reset, and its
//    counters as they were last shown; 0 in every other place.
//  - Configuration is taken if idle: then `restart_o` pulses for that memory, else `refused_o` does and nothing
//    changes; with the acknowledge in both cases. Writes elsewhere do nothing.
//  - Modes, and rates and seeds as they are passed on, agree with what a read gives.
// Without WithErrors configuration and counters stay 0.
//
// One bit of one word, any one, is followed.
//
// Assumed: a request comes only when no access is under way, and holds until its acknowledge; counters are
// shown of memories that there are, and not in the first cycle, in which none waits either.

module memory_regs_formal
  import spinflow_pkg::*;
  import spinflow_map_pkg::*;
#(
  // As of memory_regs.
  parameter bit          WithErrors = 1'b1,
  parameter int unsigned NumWeights = 1,
  parameter int unsigned NumBuffers = 2,
  localparam int unsigned NumMems = NumWeights + NumBuffers,
  localparam int unsigned MemWidth = NumMems > 1 ? $clog2(NumMems) : 1,
  localparam int unsigned CounterAddrWidth = $clog2(8 * NumMems),
  parameter logic [NumMems-1:0][31:0] Layer = '0,
  parameter logic [NumMems-1:0][31:0] Width = '0,
  parameter logic [NumMems-1:0][31:0] Depth = '0
) (
  // Ports of memory_regs that others drive.
  input logic                        clk_i,
  input logic                        rst_ni,
  input logic                        idle_i,
  input logic                        req_i,
  input logic                        we_i,
  input logic [11:0]                 addr_i,
  input logic [31:0]                 wdata_i,
  input logic                        show_valid_i,
  input logic [CounterAddrWidth-1:0] show_addr_i,
  input logic [31:0]                 show_data_i,

  // Free: memory, word and bit that are followed, as they are in the first cycle.
  input logic [5:0]                  index_i,
  input logic [3:0]                  word_i,
  input logic [4:0]                  bit_i
);

  localparam int unsigned Clears = 4 * 2 ** MemWidth;

  logic                    rd_ack_o, wr_ack_o, refused_o;
  logic [31:0]             rdata_o;
  logic [NumMems-1:0][1:0] mode_o;
  logic [NumMems-1:0]      restart_o;
  cfg_write_t              cfg_write_o;

  memory_regs #(
    .WithErrors (WithErrors), .NumWeights (NumWeights), .NumBuffers (NumBuffers), .Layer (Layer),
    .Width (Width), .Depth (Depth)
  ) dut (.*);
  begins_in_reset u_begins (.clk_i, .rst_ni);

  // The bit that is followed: what it is, and whether configuration or a counter.
  logic       first_q = 1'b1;
  logic [5:0] index_q;
  logic [3:0] word_q;
  logic [4:0] bit_q;
  logic       value_q = 1'b0;   // of configuration or a counter
  logic       exists, is_cfg, is_counter, is_mode, value;
  logic [5:0] byte_offset;
  assign exists      = 32'(index_q) < NumMems;
  assign byte_offset = {word_q, 2'b00};
  assign is_mode     = byte_offset == MapMemMode;
  assign is_cfg      = exists && (is_mode || byte_offset == MapMemRate1 || byte_offset == MapMemRate0 ||
                       byte_offset == MapMemSeed);
  assign is_counter  = exists && word_q[3];
  always_comb begin
    value = (is_cfg || is_counter) && value_q;
    for (int unsigned m = 0; m < NumMems; m++) begin
      automatic logic [31:0] info = {16'd0, Layer[m][7:0], 8'(m >= NumWeights)};
      if (32'(index_q) == m && byte_offset == MapMemInfo)  value = info[bit_q];
      if (32'(index_q) == m && byte_offset == MapMemWidth) value = Width[m][bit_q];
      if (32'(index_q) == m && byte_offset == MapMemDepth) value = Depth[m][bit_q];
    end
  end

  // The access under way: whether it waits, when it was let in, whether configuration is meant.
  logic        wait_q, in_q, mine, means_cfg, begun, we_q, take;
  logic        bit_then_q;
  logic [1:0]  since_q;
  logic [11:0] addr_q;
  logic [31:0] wdata_q;
  logic [$clog2(Clears+1)-1:0] left_q;   // configuration words to be cleared
  assign mine      = addr_i[11:6] == index_q && addr_i[5:2] == word_q;
  assign means_cfg = 32'(addr_i[11:6]) < NumMems && addr_i[5:2] >= MapMemMode[5:2] &&
                     addr_i[5:2] <= MapMemSeed[5:2];
  assign begun     = wait_q && left_q == '0 && !show_valid_i;
  assign take      = WithErrors && begun && we_i && means_cfg && idle_i;

  // What was passed on of the bit that is followed, and what is due with the acknowledge.
  logic passed, passed_q, taken_q, refused_q, due, reset_q;
  logic [5:0] taken_index_q;
  assign passed = cfg_write_o.index == index_q &&
                  ((cfg_write_o.rate1 && byte_offset == MapMemRate1) ||
                   (cfg_write_o.rate0 && byte_offset == MapMemRate0) ||
                   (cfg_write_o.seed && byte_offset == MapMemSeed));
  assign due    = in_q && since_q == (we_q ? 2'd0 : 2'd1);

  always_ff @(posedge clk_i) begin
    first_q <= 1'b0;
    if (first_q) begin
      {index_q, word_q, bit_q} <= {index_i, word_i, bit_i};
      assume (!show_valid_i && !dut.waits_q);
    end
    assume (!req_i || !(wait_q || in_q) || due);
    assume (!(wait_q || in_q) || (we_i == we_q && addr_i == addr_q && wdata_i == wdata_q));
    assume (32'(show_addr_i) < 8 * NumMems);
    assume (WithErrors || !show_valid_i);

    if (!rst_ni) begin
      wait_q    <= 1'b0;
      in_q      <= 1'b0;
      taken_q   <= 1'b0;
      refused_q <= 1'b0;
      left_q    <= WithErrors ? ($bits(left_q))'(Clears) : '0;
    end else begin
      wait_q    <= req_i || (wait_q && !begun);
      in_q      <= begun || (in_q && !due);
      taken_q   <= take;
      refused_q <= begun && we_i && means_cfg && !idle_i;
      if (left_q != '0 && !show_valid_i) left_q <= left_q - 1'b1;

      // Answers.
      assert (wr_ack_o == (due && we_q) && rd_ack_o == (due && !we_q));
      if (rd_ack_o && mine) assert (rdata_o[bit_q] == bit_then_q);
      if (rd_ack_o && !(addr_i[11:6] < 6'(NumMems))) assert (rdata_o == '0);
      assert (refused_o == refused_q);

      // What follows from configuration.
      for (int unsigned m = 0; m < NumMems; m++) begin
        assert (restart_o[m] == (taken_q && 32'(taken_index_q) == m));
        if (exists && is_mode && 32'(index_q) == m && bit_q < 5'd2) begin
          assert (mode_o[m][bit_q[0]] == value);
        end
      end
      assert ($onehot0({cfg_write_o.rate1, cfg_write_o.rate0, cfg_write_o.seed}));
      if (left_q == '0 && is_cfg && !is_mode && !passed) assert (passed_q == value);
      if (passed && !reset_q) assert (cfg_write_o.data[bit_q] == value);

      cover (rd_ack_o && mine && is_cfg && rdata_o[bit_q]);
      cover (rd_ack_o && mine && is_counter && rdata_o[bit_q]);
      cover (refused_o && mine && value);
    end
    if (req_i) {we_q, addr_q, wdata_q} <= {we_i, addr_i, wdata_i};
    reset_q <= !rst_ni;
    since_q <= begun ? '0 : since_q + 1'b1;
    taken_index_q <= addr_i[11:6];
    if (begun) bit_then_q <= value;
    if (passed) passed_q <= cfg_write_o.data[bit_q];

    if (first_q || (is_cfg && !rst_ni)) value_q <= 1'b0;
    else if (is_cfg && take && mine) value_q <= wdata_i[bit_q] && !(is_mode && bit_q >= 5'd2);
    else if (is_counter && show_valid_i && 32'(show_addr_i) == 8 * 32'(index_q) + 32'(word_q[2:0])) begin
      value_q <= show_data_i[bit_q];
    end
  end

endmodule
