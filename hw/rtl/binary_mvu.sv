// XNOR-popcount matrix-vector unit: Pe outputs in parallel, Simd inputs a cycle.
//
// Input word sf of a frame holds inputs sf*Simd ..; output word nf holds outputs nf*Pe .. . All Nf
// passes over a frame's inputs read them from an input buffer of two frames, so the next frame comes
// in while this one is worked on. With Sf = 1 a register and the stream itself are that buffer.
// Weights come from a weight_mem at address nf*Sf + sf, one cycle after mem_en_o. With HasThreshold an
// output is one bit, popcount >= threshold; without, it is the popcount itself.
//
// A result is started only if the output FIFO has room for it, so the wide datapath never stalls.
// Latency: Sf + 6 cycles from the first input word to the first output, one less with Sf = 1.
// Throughput: (Mw/Simd)*(Mh/Pe) cycles a frame, no bubble between frames.

module binary_mvu #(
  parameter int unsigned Mw   = 64,
  parameter int unsigned Mh   = 64,
  parameter int unsigned Pe   = 1,
  parameter int unsigned Simd = 64,
  parameter bit HasThreshold  = 1'b1,
  parameter int unsigned OutBits = 1,
  localparam int unsigned ThrBits = $clog2(Mw + 2),
  parameter logic [Mh*ThrBits-1:0] Thresholds = '0,   // output n at [n*ThrBits +: ThrBits]
  localparam int unsigned Sf = Mw / Simd,
  localparam int unsigned Nf = Mh / Pe,
  localparam int unsigned InWidth   = 8 * ((Simd + 7) / 8),
  localparam int unsigned OutWidth  = 8 * ((Pe * OutBits + 7) / 8),
  localparam int unsigned AddrWidth = Sf * Nf > 1 ? $clog2(Sf * Nf) : 1
) (
  input  logic                 clk_i,
  input  logic                 rst_ni,
  input  logic [InWidth-1:0]   in_data_i,
  input  logic                 in_valid_i,
  output logic                 in_ready_o,
  output logic                 mem_en_o,
  output logic [AddrWidth-1:0] mem_addr_o,
  input  logic [Pe*Simd-1:0]   mem_rdata_i,
  output logic [OutWidth-1:0]  out_data_o,
  output logic                 out_valid_o,
  input  logic                 out_ready_i
);

  localparam int unsigned AccWidth = $clog2(Mw + 1);
  localparam int unsigned SfWidth  = Sf > 1 ? $clog2(Sf) : 1;
  localparam int unsigned NfWidth  = Nf > 1 ? $clog2(Nf) : 1;
  localparam int unsigned FifoDepth = 16;
  localparam int unsigned CreditWidth = $clog2(FifoDepth + 1);

  if (Mw % Simd != 0 || Mh % Pe != 0) begin : gen_bad_fold
    $error("binary_mvu: Simd %0d must divide Mw %0d and Pe %0d must divide Mh %0d", Simd, Mw, Pe, Mh);
  end
  if (HasThreshold && OutBits != 1) begin : gen_bad_out
    $error("binary_mvu: OutBits %0d must be 1 with thresholds", OutBits);
  end

  // Issue: one fold a cycle, as long as its result will find a place.
  logic [SfWidth-1:0]     sf_q;
  logic [NfWidth-1:0]     nf_q;
  logic [AddrWidth-1:0]   addr_q;
  logic [CreditWidth-1:0] credit_q;
  logic issue, sf_first, sf_last, nf_first, nf_last, room, have_word, pop;

  assign sf_first = sf_q == '0;
  assign sf_last  = sf_q == SfWidth'(Sf - 1);
  assign nf_first = nf_q == '0;
  assign nf_last  = nf_q == NfWidth'(Nf - 1);
  assign room     = credit_q != '0 && rst_ni;
  assign issue    = room && (!nf_first || have_word);

  always_ff @(posedge clk_i) begin
    if (!rst_ni) begin
      sf_q     <= '0;
      nf_q     <= '0;
      addr_q   <= '0;
      credit_q <= CreditWidth'(FifoDepth);
    end else begin
      if (issue) begin
        sf_q <= sf_last ? '0 : sf_q + 1'b1;
        if (sf_last) nf_q <= nf_last ? '0 : nf_q + 1'b1;
        addr_q <= sf_last && nf_last ? '0 : addr_q + 1'b1;
      end
      credit_q <= credit_q - CreditWidth'(issue && sf_last) + CreditWidth'(pop);
    end
  end

  assign mem_en_o   = issue;
  assign mem_addr_o = addr_q;

  // The input word of this fold.
  logic [Simd-1:0] x_q;
  if (Sf == 1) begin : gen_register
    assign have_word  = in_valid_i;
    assign in_ready_o = room && nf_first;
    always_ff @(posedge clk_i) begin
      if (issue && nf_first) x_q <= in_data_i[Simd-1:0];
    end
  end else begin : gen_buffer
    localparam int unsigned Words = 2 * Sf;
    localparam int unsigned WordsWidth = $clog2(Words + 1);
    (* ram_style = "distributed" *) logic [Simd-1:0] kept [Words];
    logic [WordsWidth-1:0] write_q, level_q;   // level: words kept, from this frame's first
    logic second_q, take, frame_end;           // this frame is in the second half

    assign have_word  = level_q > WordsWidth'(sf_q);
    assign in_ready_o = level_q != WordsWidth'(Words) && rst_ni;
    assign take       = in_valid_i && in_ready_o;
    assign frame_end  = issue && sf_last && nf_last;

    always_ff @(posedge clk_i) begin
      if (!rst_ni) begin
        write_q  <= '0;
        level_q  <= '0;
        second_q <= 1'b0;
      end else begin
        if (take) write_q <= write_q == WordsWidth'(Words - 1) ? '0 : write_q + 1'b1;
        if (frame_end) second_q <= !second_q;
        level_q <= level_q + WordsWidth'(take) - (frame_end ? WordsWidth'(Sf) : '0);
      end
      if (take) kept[write_q[$clog2(Words)-1:0]] <= in_data_i[Simd-1:0];
      if (issue) x_q <= kept[(second_q ? ($clog2(Words))'(Sf) : '0) + ($clog2(Words))'(sf_q)];
    end
  end

  // Validity and place of the fold in each pipeline stage: 1 weights read, 2 groups, 3 counts.
  logic [3:1] valid_q, first_q, last_q;
  always_ff @(posedge clk_i) begin
    if (!rst_ni) valid_q <= '0;
    else         valid_q <= {valid_q[2:1], issue};
    first_q <= {first_q[2:1], sf_first};
    last_q  <= {last_q[2:1], sf_last};
  end

  logic [AccWidth-1:0] total [Pe];
  for (genvar p = 0; p < int'(Pe); p++) begin : gen_pe
    logic [$clog2(Simd+1)-1:0] count;
    logic [AccWidth-1:0] acc_q;

    xnor_popcount #(
      .Width (Simd)
    ) u_popcount (
      .clk_i,
      .en1_i   (valid_q[1]),
      .en2_i   (valid_q[2]),
      .a_i     (mem_rdata_i[p*Simd+:Simd]),
      .b_i     (x_q),
      .count_o (count)
    );

    assign total[p] = (first_q[3] ? '0 : acc_q) + AccWidth'(count);
    always_ff @(posedge clk_i) begin
      if (valid_q[3]) acc_q <= total[p];
    end
  end

  logic result;
  logic [Pe*OutBits-1:0] result_word;
  assign result = valid_q[3] && last_q[3];

  if (HasThreshold) begin : gen_threshold
    logic [Pe*ThrBits-1:0] rom [Nf];
    initial for (int unsigned n = 0; n < Nf; n++) rom[n] = Thresholds[n*Pe*ThrBits+:Pe*ThrBits];

    // The ROM's output register always holds the thresholds of the next result.
    logic [Pe*ThrBits-1:0] thr_q;
    logic [NfWidth-1:0] thr_addr_d, thr_addr_q;
    assign thr_addr_d = !rst_ni || thr_addr_q == NfWidth'(Nf - 1) ? '0 : thr_addr_q + 1'b1;
    always_ff @(posedge clk_i) begin
      if (!rst_ni || result) begin
        thr_addr_q <= thr_addr_d;
        thr_q      <= rom[thr_addr_d];
      end
    end
    for (genvar p = 0; p < int'(Pe); p++) begin : gen_compare
      assign result_word[p] = ThrBits'(total[p]) >= thr_q[p*ThrBits+:ThrBits];
    end
  end else begin : gen_popcount
    for (genvar p = 0; p < int'(Pe); p++) begin : gen_out
      assign result_word[p*OutBits+:OutBits] = OutBits'(total[p]);
    end
  end

  logic [Pe*OutBits-1:0] out_word;
  logic [CreditWidth-1:0] unused_level;
  logic result_q;
  logic [Pe*OutBits-1:0] result_word_q;
  always_ff @(posedge clk_i) begin
    if (!rst_ni) result_q <= 1'b0;
    else         result_q <= result;
    if (result) result_word_q <= result_word;
  end

  stream_fifo #(
    .Width (Pe * OutBits),
    .Depth (FifoDepth)
  ) u_out_fifo (
    .clk_i,
    .rst_ni,
    .push_i  (result_q),
    .data_i  (result_word_q),
    .data_o  (out_word),
    .valid_o (out_valid_o),
    .pop_i   (pop),
    .level_o (unused_level)
  );

  assign pop        = out_valid_o && out_ready_i;
  assign out_data_o = OutWidth'(out_word);

endmodule
