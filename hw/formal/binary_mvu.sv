// What binary_mvu promises: for each frame of Sf words in, Nf words out, each once and in order, which are
// those of the frame: with InBits 1, output n is the number of inputs that agree with the weights of
// output n or, with HasThreshold, whether that is at least its threshold. Frames do not mix, whatever
// the pauses on both sides; a word out stays until it is taken. After a reset the next word in is the
// first of a frame. An input word waits only while one before it does.
//
// Assumed: words in stay until they are taken; weights are any, but do not change; a word of them comes
// WeightLatency cycles after it was asked for.

module binary_mvu_formal
  import spinflow_pkg::*;
#(
  // As of binary_mvu.
  parameter int unsigned Mw   = 4,
  parameter int unsigned Mh   = 2,
  parameter int unsigned Pe   = 1,
  parameter int unsigned Simd = 2,
  parameter bit          HasThreshold = 1'b0,
  parameter int unsigned OutBits = 3,
  // Threshold of each output.
  parameter logic [Mh-1:0][$clog2(Mw+2)-1:0] Thresholds = '0,
  // Most frames under way.
  parameter int unsigned Room = 20,
  localparam int unsigned Sf = Mw / Simd,
  localparam int unsigned Nf = Mh / Pe,
  localparam int unsigned InWidth   = 8 * ((Simd + 7) / 8),
  localparam int unsigned OutWidth  = 8 * ((Pe * OutBits + 7) / 8),
  localparam int unsigned AddrWidth = Sf * Nf > 1 ? $clog2(Sf * Nf) : 1
) (
  // Ports of binary_mvu that others drive, but for the weights.
  input logic               clk_i,
  input logic               rst_ni,
  input logic [InWidth-1:0] in_data_i,
  input logic               in_valid_i,
  input logic               out_ready_i,

  // Free: the frame that is complete in this cycle is the one to watch; and the weights, as they are in
  // the first cycle.
  input logic               mark_i,
  input logic [Mh-1:0][Mw-1:0] weights_i
);

  logic                in_ready_o, out_valid_o, mem_en_o;
  logic [OutWidth-1:0] out_data_o;
  logic [AddrWidth-1:0] mem_addr_o;
  logic [Pe*Simd-1:0]  mem_rdata_i;

  binary_mvu #(
    .Mw (Mw), .Mh (Mh), .Pe (Pe), .Simd (Simd), .HasThreshold (HasThreshold), .OutBits (OutBits),
    .Thresholds (Thresholds)
  ) dut (.*);
  begins_in_reset u_begins (.clk_i, .rst_ni);
  stream_rule #(.Width (InWidth), .Assumed (1'b1)) u_in (
    .clk_i, .rst_ni, .data_i (in_data_i), .valid_i (in_valid_i), .ready_i (in_ready_o)
  );
  stream_rule #(.Width (OutWidth)) u_out (
    .clk_i, .rst_ni, .data_i (out_data_o), .valid_i (out_valid_o), .ready_i (out_ready_i)
  );

  // The weights, and their memory.
  logic                   first_q = 1'b1;
  logic [Mh-1:0][Mw-1:0]  weights_q;
  logic [Pe*Simd-1:0]     word;
  logic [WeightLatency-1:0][Pe*Simd-1:0] words_q;
  always_comb begin
    word = '0;
    for (int unsigned a = 0; a < Sf * Nf; a++) begin
      for (int unsigned p = 0; p < Pe; p++) begin
        if (32'(mem_addr_o) == a) begin
          word[p*Simd+:Simd] = weights_q[(a/Sf)*Pe+p][(a%Sf)*Simd+:Simd];
        end
      end
    end
  end
  always_ff @(posedge clk_i) begin
    first_q <= 1'b0;
    if (first_q) weights_q <= weights_i;
    words_q <= (WeightLatency*Pe*Simd)'({words_q, mem_en_o ? word : words_q[0]});
  end
  assign mem_rdata_i = words_q[WeightLatency-1];

  // The frame that comes in; number of the word that comes next, and of that which is given next.
  logic [Sf-1:0][Simd-1:0]  inputs, inputs_q;
  logic [$clog2(Sf+1)-1:0]  in_q;
  logic [$clog2(Nf+1)-1:0]  out_q;
  logic [$clog2(Room+2)-1:0] waiting;
  logic [Mw-1:0] frame;
  logic take, give, in_end, out_end, here;
  assign take    = in_valid_i && in_ready_o;
  assign give    = out_valid_o && out_ready_i;
  assign in_end  = 32'(in_q) == Sf - 1;
  assign out_end = 32'(out_q) == Nf - 1;
  always_comb begin
    inputs = inputs_q;
    for (int unsigned s = 0; s < Sf; s++) if (32'(in_q) == s) inputs[s] = in_data_i[Simd-1:0];
  end

  word_watch #(.Width (Mw), .Room (Room)) u_watch (
    .clk_i,
    .rst_ni,
    .mark_i,
    .push_i    (take && in_end),
    .word_i    (inputs),
    .pop_i     (give && out_end),
    .waiting_o (waiting),
    .here_o    (here),
    .word_o    (frame)
  );

  logic [Pe-1:0][OutBits-1:0] wanted;
  always_comb begin
    wanted = '0;
    for (int unsigned n = 0; n < Mh; n++) begin
      automatic logic [$clog2(Mw+2)-1:0] sum = ($clog2(Mw+2))'($countones(~(frame ^ weights_q[n])));
      if (n / Pe == 32'(out_q)) begin
        wanted[n%Pe] = HasThreshold ? OutBits'(sum >= Thresholds[n]) : OutBits'(sum);
      end
    end
  end

  always_ff @(posedge clk_i) begin
    if (!rst_ni) begin
      in_q  <= '0;
      out_q <= '0;
    end else begin
      if (take) in_q <= in_end ? '0 : in_q + 1'b1;
      if (give) out_q <= out_end ? '0 : out_q + 1'b1;
      if (out_valid_o) assert (waiting != '0);
      if (here && out_valid_o) assert (out_data_o == OutWidth'(wanted));
      cover (here && give && out_end && waiting > 1);
      cover (take && out_valid_o && !out_ready_i);
    end
    if (take) inputs_q <= inputs;
  end

endmodule
