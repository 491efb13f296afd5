// The way of weights from the AXI-Lite side into the weight memories, and back: every 32-bit segment is
// read, written with errors and acknowledged only after the commit. One error engine serves all weight
// memories, since one segment is written at a time; a memory's place in its random stream is kept here.
//
// From request to acknowledge: a write 4 cycles with mode off and 23 with errors, a read 2. An access
// that is not allowed (not idle, outside every window, a partial write strobe) ends with `err_o`.

module weight_port
  import spinflow_pkg::*;
#(
  parameter bit          WithErrors = 1'b1,
  parameter int unsigned AddrWidth  = 20,
  parameter int unsigned NumWeights = 3,
  parameter logic [NumWeights-1:0][31:0] Width  = '0,
  parameter logic [NumWeights-1:0][31:0] Depth  = '0,
  parameter logic [NumWeights-1:0][31:0] Base   = '0,
  parameter logic [NumWeights-1:0][31:0] Stride = '0   // bytes from word to word, a power of two
) (
  input  logic                          clk_i,
  input  logic                          rst_ni,
  input  logic                          soft_reset_i,
  input  logic                          idle_i,        // no frame under way
  // from the AXI-Lite adapter: held until ack_o
  input  logic                          req_i,
  input  logic                          we_i,
  input  logic [AddrWidth-1:0]          addr_i,
  input  logic [31:0]                   wdata_i,
  input  logic [3:0]                    wstrb_i,
  output logic                          ack_o,
  output logic                          err_o,
  output logic [31:0]                   rdata_o,
  output logic                          busy_o,
  // to the weight memories
  output logic [NumWeights-1:0]         weight_en_o,
  output weight_req_t                   weight_req_o,
  input  logic [NumWeights-1:0][31:0]   weight_rdata_i,
  // configuration and counters
  input  error_cfg_t [NumWeights-1:0]   cfg_i,
  input  logic [NumWeights-1:0]         restart_i,
  output count_t [NumWeights-1:0]       count_o
);

  localparam int unsigned PosWidth = 33;
  // A segment of 32 bits touches at most 17 blocks of two draws; two pipes make them in 9 steps.
  localparam int unsigned Pipes = 2;
  localparam int unsigned Steps = 9;
  localparam int unsigned Draws = 2 * Pipes * Steps;

  typedef enum logic [2:0] {StIdle, StRead, StOld, StDraw, StWrite, StAck} state_e;
  state_e state_q, state_d;

  // Which memory, word and segment an address means.
  logic [NumWeights-1:0] window, window_q;
  logic [15:0] word_addr, segment, word_addr_q, segment_q;
  logic [5:0] bits, bits_q;
  always_comb begin
    window = '0;
    word_addr = '0;
    segment = '0;
    bits = '0;
    for (int unsigned m = 0; m < NumWeights; m++) begin
      automatic logic [31:0] offset = 32'(addr_i) - Base[m];
      if (32'(addr_i) >= Base[m] && offset < Depth[m] * Stride[m]) begin
        automatic logic [31:0] first = 32 * ((offset & (Stride[m] - 1)) >> 2);
        if (first < Width[m]) begin
          window[m] = 1'b1;
          word_addr = 16'(offset >> $clog2(Stride[m]));
          segment = 16'(first >> 5);
          bits = Width[m] - first >= 32 ? 6'd32 : 6'(Width[m] - first);
        end
      end
    end
  end

  logic allowed, we_q, with_errors;
  logic [31:0] wdata_q;
  error_cfg_t cfg;
  assign allowed = idle_i && window != '0 && (!we_i || wstrb_i == 4'hF);

  always_comb begin
    cfg = '0;
    for (int unsigned m = 0; m < NumWeights; m++) if (window_q[m]) cfg |= cfg_i[m];
  end
  assign with_errors = WithErrors && cfg.mode != ModeOff;

  // Place of each memory in its stream: the bits written since its restart.
  logic [NumWeights-1:0][PosWidth-1:0] pos_q;
  logic [PosWidth-1:0] pos;
  always_comb begin
    pos = '0;
    for (int unsigned m = 0; m < NumWeights; m++) if (window_q[m]) pos |= pos_q[m];
  end

  // Draws for one segment, from the block that holds its first position.
  logic [3:0] issue_step_q, take_step_q;
  logic issue, draw_valid, draws_done;
  logic [Pipes-1:0][1:0][31:0] draw;
  logic [Pipes-1:0] pipe_valid;   // all alike
  logic [Draws-1:0] hit1_q, hit0_q;

  assign issue      = state_q == StDraw && issue_step_q < 4'(Steps);
  assign draw_valid = &pipe_valid;
  assign draws_done = take_step_q == 4'(Steps);

  for (genvar p = 0; p < int'(Pipes); p++) begin : gen_pipe
    draw_pipe u_draw_pipe (
      .clk_i,
      .rst_ni,
      .phase_i (1'b0),
      .seed_i  (cfg.seed),
      .block_i (pos[PosWidth-1:1] + 32'(Pipes) * 32'(issue_step_q) + 32'(p)),
      .valid_i (issue),
      .draw0_o (draw[p][0]),
      .draw1_o (draw[p][1]),
      .valid_o (pipe_valid[p])
    );
  end

  logic [2*Pipes-1:0] step_hit1, step_hit0;
  for (genvar d = 0; d < int'(2 * Pipes); d++) begin : gen_hit
    assign step_hit1[d] = draw_errs(draw[d/2][d%2], cfg.rate1);
    assign step_hit0[d] = draw_errs(draw[d/2][d%2], cfg.rate0);
  end

  always_ff @(posedge clk_i) begin
    if (!rst_ni || state_q != StDraw) begin
      issue_step_q <= '0;
      take_step_q  <= '0;
    end else begin
      if (issue) issue_step_q <= issue_step_q + 1'b1;
      if (draw_valid) take_step_q <= take_step_q + 1'b1;
    end
    if (draw_valid) begin
      hit1_q <= {step_hit1, hit1_q[Draws-1:2*Pipes]};
      hit0_q <= {step_hit0, hit0_q[Draws-1:2*Pipes]};
    end
  end

  // An odd position starts in the second half of its block.
  logic [31:0] hit1, hit0, mask, stored, old;
  assign hit1 = pos[0] ? hit1_q[32:1] : hit1_q[31:0];
  assign hit0 = pos[0] ? hit0_q[32:1] : hit0_q[31:0];
  assign mask = 32'((33'd1 << bits_q) - 33'd1);

  always_comb begin
    old = '0;
    for (int unsigned m = 0; m < NumWeights; m++) if (window_q[m]) old |= weight_rdata_i[m];
  end

  count_t count;
  error_write #(
    .Width (32)
  ) u_error_write (
    .mode_i   (cfg.mode),
    .mask_i   (mask),
    .old_i    (old),
    .target_i (wdata_q),
    .hit1_i   (hit1),
    .hit0_i   (hit0),
    .stored_o (stored),
    .count_o  (count)
  );

  always_comb begin
    state_d = state_q;
    unique case (state_q)
      StIdle:  if (req_i) state_d = allowed ? StRead : StAck;
      StRead:  state_d = we_q ? StOld : StAck;
      StOld:   state_d = with_errors ? StDraw : StWrite;
      StDraw:  if (draws_done) state_d = StWrite;
      StWrite: state_d = StAck;
      StAck:   state_d = StIdle;
      default: state_d = StIdle;
    endcase
  end

  always_ff @(posedge clk_i) begin
    if (!rst_ni) begin
      state_q <= StIdle;
      err_o   <= 1'b0;
    end else begin
      state_q <= state_d;
      if (state_q == StIdle) err_o <= req_i && !allowed;
    end
    if (state_q == StIdle) begin
      window_q    <= window;
      word_addr_q <= word_addr;
      segment_q   <= segment;
      bits_q      <= bits;
      we_q        <= we_i;
      wdata_q     <= wdata_i;
    end
  end

  always_ff @(posedge clk_i) begin
    for (int unsigned m = 0; m < NumWeights; m++) begin
      if (!rst_ni || soft_reset_i || restart_i[m]) pos_q[m] <= '0;
      else if (state_q == StWrite && with_errors && window_q[m]) begin
        pos_q[m] <= pos_q[m] + PosWidth'(bits_q);
      end
    end
  end

  always_comb begin
    for (int unsigned m = 0; m < NumWeights; m++) begin
      count_o[m] = state_q == StWrite && window_q[m] ? count : '0;
    end
  end

  assign weight_en_o = state_q == StRead || state_q == StWrite ? window_q : '0;
  assign weight_req_o = '{
    we:      state_q == StWrite,
    addr:    word_addr_q,
    segment: segment_q,
    wdata:   stored
  };

  assign ack_o   = state_q == StAck;
  assign rdata_o = err_o ? '0 : old;
  assign busy_o  = state_q != StIdle || req_i;

endmodule
