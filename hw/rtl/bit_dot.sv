// Sums of bits with weights +1 (stored 1) and -1 (stored 0), for Pe outputs from the same bits: the
// number that agree. With a Window it is twice the number that agree in the map and once the number of
// inputs beside it, which is the sum of +1 and -1 in the map, and Simd.
//
// A fold within one pixel is padding as a whole, and its count is not looked at. Of any other fold the
// padded inputs, which are 0, are made to agree by weights of 0, and are taken away again once.
//
// Weights come with their bits. The datapath has no reset; validity travels with the caller, whose
// en_i[k] says that stage k takes new values. Latency: Stages cycles, those of xnor_popcount and with a
// Window one more. Throughput: one word of bits a cycle.

module bit_dot #(
  // Outputs, bits at once, and bits of a window.
  parameter int unsigned Pe   = 1,
  parameter int unsigned Simd = 64,
  parameter int unsigned Mw   = 64,
  // The window of a convolution that is padded with 0; all 0 where nothing is left out.
  parameter spinflow_pkg::window_t Window = '0,
  localparam bit ZeroPad = Window != '0,
  localparam int unsigned Sf = Mw / Simd,
  localparam int unsigned SfWidth   = Sf > 1 ? $clog2(Sf) : 1,
  localparam int unsigned CountBits = $clog2(Simd + 1),
  localparam int unsigned CountStages = spinflow_pkg::popcount_stages(Simd),
  localparam int unsigned Stages    = CountStages + 32'(ZeroPad),
  localparam int unsigned Width     = CountBits + 32'(ZeroPad)
) (
  // Clock, and reset (active low): the next window is the first of a map.
  input  logic                     clk_i,
  input  logic                     rst_ni,

  // A word of bits begins its way, which is here in the next cycle; its number in its window, and
  // whether the window ends with it.
  input  logic                     step_i,
  input  logic [SfWidth-1:0]       fold_i,
  input  logic                     window_last_i,

  // Stage k takes new values in this cycle.
  input  logic [Stages-1:0]        en_i,

  // Bits, and the weights of each output to them.
  input  logic [Simd-1:0]          x_i,
  input  logic [Pe-1:0][Simd-1:0]  w_i,

  // Sum of each output.
  output logic [Pe-1:0][Width-1:0] sum_o
);

  logic [Pe-1:0][Simd-1:0] weights;
  logic [Pe-1:0][CountBits-1:0] count;
  for (genvar p = 0; p < int'(Pe); p++) begin : gen_pe
    xnor_popcount #(
      .Width (Simd)
    ) u_popcount (
      .clk_i,
      .en_i    (en_i[CountStages-1:0]),
      .a_i     (weights[p]),
      .b_i     (x_i),
      .count_o (count[p])
    );
  end

  if (ZeroPad) begin : gen_padding
    localparam bit Whole =
        Mw / (32'(Window.kernel_rows) * 32'(Window.kernel_columns)) % Simd == 0;
    logic [Simd-1:0] pad;
    logic [CountBits-1:0] missing, missing_q [CountStages];

    window_padding #(
      .Mw     (Mw),
      .Simd   (Simd),
      .Window (Window)
    ) u_padding (
      .clk_i,
      .rst_ni,
      .step_i,
      .fold_i,
      .window_last_i,
      .en1_i     (en_i[0]),
      .en2_i     (en_i[1]),
      .pad_o     (pad),
      .missing_o (missing_q[1])
    );

    // A count of more than two stages is waited for.
    for (genvar k = 2; k < int'(CountStages); k++) begin : gen_wait
      always_ff @(posedge clk_i) begin
        if (en_i[k]) missing_q[k] <= missing_q[k-1];
      end
    end
    assign missing_q[0] = '0;
    assign missing      = missing_q[CountStages-1];

    if (Whole) begin : gen_whole
      logic unused_pad;
      assign unused_pad = ^pad;
      assign weights    = w_i;
    end else begin : gen_masks
      for (genvar p = 0; p < int'(Pe); p++) begin : gen_pe
        bit_mask #(
          .Width (Simd)
        ) u_mask (
          .in_i   (w_i[p]),
          .mask_i (pad),
          .out_o  (weights[p])
        );
      end
    end

    for (genvar p = 0; p < int'(Pe); p++) begin : gen_sum
      always_ff @(posedge clk_i) begin
        if (en_i[Stages-1]) begin
          if (Whole) sum_o[p] <= missing != '0 ? Width'(Simd) : {count[p], 1'b0};
          else       sum_o[p] <= {count[p], 1'b0} - Width'(missing);
        end
      end
    end
  end else begin : gen_no_padding
    logic unused_place;
    assign unused_place = ^{rst_ni, step_i, fold_i, window_last_i};
    assign weights = w_i;
    assign sum_o   = count;
  end

endmodule
