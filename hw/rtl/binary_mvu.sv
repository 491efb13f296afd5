// Matrix-vector unit with weights +1 (stored 1) and -1 (stored 0): Pe outputs in parallel, Simd inputs
// a cycle. The inputs are bits, whose sum is the number that agree with their weights (InBits = 1), or
// UINT8 pixels, whose sum is signed (InBits = 8).
//
// Input word sf of a frame holds inputs sf*Simd ..; output word nf holds outputs nf*Pe .. . All Nf passes
// over a frame's inputs read them from a fold_input.
// Weights come from a weight_mem at address nf*Sf + sf, MemLatency cycles after mem_en_o, for which the
// inputs wait. With HasThreshold an output is one bit, sum >= threshold; without, it is the sum itself.
//
// With a Window, a frame is that of a convolution over bits, and what lies beside the map, which comes
// as 0, counts for nothing: the sum is that of +1 and -1 in the map, and Mw (see bit_dot).
//
// A fold is started only if the output FIFO has room for all that may be under way, so the wide
// datapath never stalls.
// Latency from the first input word to the first output: Sf + 1 + MemLatency cycles and those of bit_dot
// or, with pixels, pixel_dot less one; one more with fold_input's buffer.
// Throughput: (Mw/Simd)*(Mh/Pe) cycles a frame, no bubble between frames.

module binary_mvu #(
  // Inputs and outputs of a frame.
  parameter int unsigned Mw   = 64,
  parameter int unsigned Mh   = 64,
  // Outputs and inputs at once; they divide Mh and Mw.
  parameter int unsigned Pe   = 1,
  parameter int unsigned Simd = 64,
  // Bits of an input: 1 for bits, 8 for pixels.
  parameter int unsigned InBits = 1,
  // Whether outputs are compared with thresholds, and bits of an output: 1 if they are.
  parameter bit HasThreshold  = 1'b1,
  parameter int unsigned OutBits = 1,
  // Cycles from the address of a word of weights to the word: those of weight_mem, and of a decoder.
  parameter int unsigned MemLatency = spinflow_pkg::WeightLatency,
  // The window of a convolution that is padded with 0; all 0 where nothing is left out.
  parameter spinflow_pkg::window_t Window = '0,
  localparam bit ZeroPad = Window != '0,
  localparam int unsigned MostBits = ZeroPad ? 2 * Mw : Mw,   // the largest sum of bits
  localparam int unsigned ThrBits = InBits == 1 ? $clog2(MostBits + 2) : $clog2(255 * Mw + 2) + 1,
  // Least sum that gives a 1, signed for pixels; that of output n is at [n*ThrBits +: ThrBits].
  parameter logic [Mh*ThrBits-1:0] Thresholds = '0,
  localparam int unsigned Sf = Mw / Simd,
  localparam int unsigned Nf = Mh / Pe,
  localparam int unsigned InWidth   = 8 * ((Simd * InBits + 7) / 8),
  localparam int unsigned OutWidth  = 8 * ((Pe * OutBits + 7) / 8),
  localparam int unsigned AddrWidth = Sf * Nf > 1 ? $clog2(Sf * Nf) : 1
) (
  // Clock, and reset (active low): frames under way are forgotten.
  input  logic                 clk_i,
  input  logic                 rst_ni,

  // Inputs of a frame in Sf words, the first in the lowest bits; padding is not read.
  input  logic [InWidth-1:0]   in_data_i,
  input  logic                 in_valid_i,
  output logic                 in_ready_o,

  // Read of a word of weights, which comes MemLatency cycles later: weight of input sf*Simd + s to
  // output nf*Pe + p at bit p*Simd + s of word nf*Sf + sf.
  output logic                 mem_en_o,
  output logic [AddrWidth-1:0] mem_addr_o,
  input  logic [Pe*Simd-1:0]   mem_rdata_i,

  // Outputs of a frame in Nf words, the first in the lowest bits; the padding is 0.
  output logic [OutWidth-1:0]  out_data_o,
  output logic                 out_valid_o,
  input  logic                 out_ready_i
);

  // With a threshold the accumulator has a bit more, which is the result (see threshold_rom).
  localparam int unsigned SumBits = InBits == 1 ? $clog2(MostBits + 1) : $clog2(255 * Mw + 1) + 1;
  localparam int unsigned AccBits = SumBits + 32'(HasThreshold);
  localparam int unsigned SfWidth = Sf > 1 ? $clog2(Sf) : 1;
  localparam int unsigned NfWidth = Nf > 1 ? $clog2(Nf) : 1;
  // Inputs meet the dot product's first stage in cycle Begin after a fold's issue; its sum is there in cycle
  // Done. Pixels are a cycle ahead of their weights.
  localparam int unsigned Groups = (Simd + 2) / 3;   // of pixel_dot
  localparam int unsigned Begin = MemLatency - 32'(InBits != 1);
  localparam int unsigned Stages = InBits == 1 ?
      spinflow_pkg::popcount_stages(Simd) + 32'(ZeroPad) : spinflow_pkg::pixel_stages(Simd);
  localparam int unsigned Done = Begin + Stages;
  // Room in the output FIFO for what is in the pipeline and for words that wait.
  localparam int unsigned FifoDepth = Done > 9 ? 32 : 16;
  localparam int unsigned LevelWidth = $clog2(FifoDepth + 1);

  if (Mw % Simd != 0 || Mh % Pe != 0) begin : gen_bad_fold
    $error("binary_mvu: Simd %0d must divide Mw %0d and Pe %0d must divide Mh %0d",
           Simd, Mw, Pe, Mh);
  end
  if (InBits != 1 && InBits != 8) begin : gen_bad_in
    $error("binary_mvu: InBits %0d must be 1 or 8", InBits);
  end
  if (HasThreshold && OutBits != 1) begin : gen_bad_out
    $error("binary_mvu: OutBits %0d must be 1 with thresholds", OutBits);
  end

  if (ZeroPad && (InBits != 1 || !HasThreshold)) begin : gen_bad_pad
    $error("binary_mvu: with a Window the inputs are bits, and outputs have thresholds");
  end

  // Issue: one fold a cycle, as long as its result will find a place, beside those that are still in the
  // pipeline and the one that may be issued before the level is looked at again.
  logic [SfWidth-1:0]     sf_q;
  logic [NfWidth-1:0]     nf_q;
  logic [AddrWidth-1:0]   addr;
  logic [LevelWidth-1:0]  level;
  logic issue, sf_first, sf_last, nf_first_q, nf_last_q, room_q, have_word, pop;

  assign sf_first = sf_q == '0;
  assign sf_last  = sf_q == SfWidth'(Sf - 1);
  assign issue    = room_q && (!nf_first_q || have_word);

  always_ff @(posedge clk_i) begin
    if (!rst_ni) room_q <= 1'b0;
    else         room_q <= level < LevelWidth'(FifoDepth - Done - 1);
    if (!rst_ni) begin
      sf_q <= '0;
      nf_q <= '0;
      nf_first_q <= 1'b1;
      nf_last_q  <= Nf == 1;
    end else if (issue) begin
      sf_q <= sf_last ? '0 : sf_q + 1'b1;
      if (sf_last) begin
        nf_q <= nf_last_q ? '0 : nf_q + 1'b1;
        // The way from here to whoever gives the inputs is long.
        nf_first_q <= nf_last_q;
        nf_last_q  <= Nf == 1 || (!nf_last_q && nf_q == NfWidth'(Nf - 2));
      end
    end
  end

  if (Nf == 1) begin : gen_sf_addr
    assign addr = sf_q;
  end else if (Sf == 1) begin : gen_nf_addr
    assign addr = nf_q;
  end else begin : gen_addr
    logic [AddrWidth-1:0] addr_q;
    always_ff @(posedge clk_i) begin
      if (!rst_ni)    addr_q <= '0;
      else if (issue) addr_q <= sf_last && nf_last_q ? '0 : addr_q + 1'b1;
    end
    assign addr = addr_q;
  end

  // Validity and place of the fold in each stage of the pipeline.
  logic [Done:1] valid_q, first_q, last_q;
  always_ff @(posedge clk_i) begin
    if (!rst_ni) begin
      // A reset for all of them, so that none becomes a slow shift register.
      valid_q <= '0;
      first_q <= '0;
      last_q  <= '0;
    end else begin
      valid_q <= {valid_q[Done-1:1], issue};
      first_q <= {first_q[Done-1:1], sf_first};
      last_q  <= {last_q[Done-1:1], sf_last};
    end
  end

  // The input word of a fold, in cycle Begin after its issue.
  localparam int unsigned WordBits = Simd * InBits;
  logic [WordBits-1:0] x;
  fold_input #(
    .Width (WordBits),
    .Sf    (Sf),
    .Nf    (Nf),
    .Wait  (Begin)
  ) u_input (
    .clk_i,
    .rst_ni,
    .in_data_i    (in_data_i[WordBits-1:0]),
    .in_valid_i,
    .in_ready_o,
    .word_i       (sf_q),
    .first_pass_i (nf_first_q),
    .last_i       (sf_last && nf_last_q),
    .there_o      (have_word),
    .room_i       (room_q),
    .step_i       (issue),
    .stepped_i    (valid_q[Begin-1:1]),
    .word_o       (x)
  );

  logic [Pe-1:0][AccBits-1:0] start;   // where the accumulators start
  logic [AccBits-1:0] part [Pe], total [Pe];
  logic [Pe-1:0] carry;             // the sum of a fold is part + carry
  logic first, result;
  assign first  = Sf == 1 || first_q[Done];
  assign result = valid_q[Done] && last_q[Done];

  for (genvar p = 0; p < int'(Pe); p++) begin : gen_acc
    logic [AccBits-1:0] acc_q, base;
    logic unused_low;
    assign base = first ? start[p] : acc_q;
    // part + carry + base as a difference, in which `part` feeds the carry chain and all else goes
    // into one LUT a bit; the operands of a sum are as likely to be exchanged by yosys.
    assign {total[p], unused_low} = {part[p], carry[p]} - {~base, 1'b1};
    always_ff @(posedge clk_i) begin
      if (valid_q[Done]) acc_q <= total[p];
    end
  end

  assign mem_en_o   = issue;
  assign mem_addr_o = addr;

  if (InBits == 1) begin : gen_bits
    localparam int unsigned SumWidth = $clog2(Simd + 1) + 32'(ZeroPad);
    logic [Pe-1:0][SumWidth-1:0] sum;

    // The place in the window comes a cycle before the bits.
    logic [SfWidth:0] place_q [1:Begin-1];
    always_ff @(posedge clk_i) begin
      place_q[1] <= {sf_last && nf_last_q, sf_q};
      for (int unsigned k = 2; k < Begin; k++) place_q[k] <= place_q[k-1];
    end

    bit_dot #(.Pe (Pe), .Simd (Simd), .Mw (Mw), .Window (Window)) u_dot (
      .clk_i,
      .rst_ni,
      .step_i        (valid_q[Begin-1]),
      .fold_i        (place_q[Begin-1][SfWidth-1:0]),
      .window_last_i (place_q[Begin-1][SfWidth]),
      .en_i          (valid_q[Done-1:Begin]),
      .x_i           (x),
      .w_i           (mem_rdata_i),
      .sum_o         (sum)
    );

    assign carry = '0;
    for (genvar p = 0; p < int'(Pe); p++) begin : gen_pe
      assign part[p] = AccBits'(sum[p]);
    end
  end else begin : gen_pixels
    localparam int unsigned DotBits = 11 + $clog2(Groups);
    logic [Pe-1:0][DotBits-1:0] sum;

    pixel_dot #(.Pe (Pe), .Simd (Simd)) u_dot (
      .clk_i,
      .en_i    (valid_q[Done-1:Begin]),
      .x_i     (x),
      .w_i     (mem_rdata_i),
      .sum_o   (sum),
      .carry_o (carry)
    );

    for (genvar p = 0; p < int'(Pe); p++) begin : gen_pe
      assign part[p] = AccBits'(signed'(sum[p]));
    end
  end

  logic [Pe*OutBits-1:0] result_word;
  if (HasThreshold) begin : gen_threshold
    threshold_rom #(
      .Mh         (Mh),
      .Pe         (Pe),
      .ThrBits    (ThrBits),
      .AccBits    (AccBits),
      .Signed     (InBits != 1),
      .Thresholds (Thresholds)
    ) u_threshold_rom (
      .clk_i,
      .rst_ni,
      .next_i  (result),
      .start_o (start)
    );
    for (genvar p = 0; p < int'(Pe); p++) begin : gen_out
      assign result_word[p] = total[p][AccBits-1];
    end
  end else begin : gen_sum
    assign start = '0;
    for (genvar p = 0; p < int'(Pe); p++) begin : gen_out
      assign result_word[p*OutBits+:OutBits] =
          InBits == 1 ? OutBits'(total[p]) : OutBits'(signed'(total[p]));
    end
  end

  logic [Pe*OutBits-1:0] out_word;
  stream_fifo #(
    .Width (Pe * OutBits),
    .Depth (FifoDepth)
  ) u_out_fifo (
    .clk_i,
    .rst_ni,
    .push_i  (result),
    .data_i  (result_word),
    .data_o  (out_word),
    .valid_o (out_valid_o),
    .pop_i   (pop),
    .level_o (level)
  );

  assign pop        = out_valid_o && out_ready_i;
  assign out_data_o = OutWidth'(out_word);

endmodule
