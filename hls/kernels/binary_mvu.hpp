// Matrix-vector unit with weights +1 (stored 1) and -1 (stored 0): Pe outputs in parallel, Simd inputs a
// cycle. Inputs are bits, whose sum is the number that agree with their weights (InBits = 1), or UINT8
// pixels, whose sum is signed (InBits = 8). The RTL's binary_mvu.sv, without its Window.
//
// Input word sf of a frame holds inputs sf*Simd ..; output word nf holds outputs nf*Pe .. . The weight from
// input sf*Simd + s to output nf*Pe + p is bit p*Simd + s of word nf*Sf + sf. With HasThreshold an output is
// one bit, sum >= threshold; without, it is the sum itself in OutBits bits.
//
// A call is a frame. Throughput: (Mw/Simd)*(Mh/Pe) cycles a frame and those that fill the pipeline.

#pragma once

#include <hls_stream.h>

#include "xnor_popcount.hpp"

namespace spinflow {

// The sum that one output has of Simd inputs, by the kind of input.
template <int InBits>
struct Dot;

template <>
struct Dot<1> {
  static constexpr int most(int mw) { return mw; }

  template <int Simd>
  static ap_uint<bits_for(Simd)> of(const ap_uint<Simd> &x, const ap_uint<Simd> &w) {
#pragma HLS INLINE
    return xnor_popcount<Simd>(x, w);
  }
};

template <>
struct Dot<8> {
  static constexpr int most(int mw) { return 255 * mw; }

  template <int Simd>
  static ap_int<bits_for(255 * Simd) + 1> of(const ap_uint<8 * Simd> &x, const ap_uint<Simd> &w) {
#pragma HLS INLINE
    ap_int<bits_for(255 * Simd) + 1> sum = 0;
    for (int s = 0; s < Simd; s++) {
#pragma HLS UNROLL
      const ap_int<9> pixel = x(8 * s + 7, 8 * s);
      sum += w[s] ? pixel : ap_int<9>(-pixel);
    }
    return sum;
  }
};

template <int Mw, int Mh, int Pe, int Simd, int InBits, bool HasThreshold, int OutBits>
void binary_mvu(hls::stream<ap_uint<whole_bytes(Simd * InBits)>> &in,
                const ap_uint<Pe * Simd> weights[(Mw / Simd) * (Mh / Pe)],
                const int thresholds[Mh],
                hls::stream<ap_uint<whole_bytes(Pe * OutBits)>> &out) {
  constexpr int Sf = Mw / Simd;
  constexpr int Nf = Mh / Pe;
  constexpr int SumBits = bits_for(Dot<InBits>::most(Mw)) + 1;
  static_assert(Mw % Simd == 0 && Mh % Pe == 0, "Simd must divide Mw, and Pe must divide Mh");
  static_assert(!HasThreshold || OutBits == 1, "with thresholds an output is one bit");

  // Each pass over the outputs reads the inputs again.
  ap_uint<Simd * InBits> kept[Sf];
  ap_int<SumBits> sums[Pe];
#pragma HLS ARRAY_PARTITION variable=sums type=complete

  int sf = 0;
  int nf = 0;
  for (int step = 0; step < Sf * Nf; step++) {
#pragma HLS PIPELINE II=1
    ap_uint<Simd * InBits> x;
    if (nf == 0) {
      x = in.read();
      kept[sf] = x;
    } else {
      x = kept[sf];
    }
    const ap_uint<Pe * Simd> row = weights[step];
    ap_uint<whole_bytes(Pe * OutBits)> word = 0;
    for (int p = 0; p < Pe; p++) {
#pragma HLS UNROLL
      const ap_uint<Simd> w = row((p + 1) * Simd - 1, p * Simd);
      const ap_int<SumBits> before = sf == 0 ? ap_int<SumBits>(0) : sums[p];
      sums[p] = before + Dot<InBits>::template of<Simd>(x, w);
      if (HasThreshold) {
        word[p] = sums[p] >= thresholds[nf * Pe + p];
      } else {
        word((p + 1) * OutBits - 1, p * OutBits) = ap_int<OutBits>(sums[p]);
      }
    }
    if (sf == Sf - 1) {
      out.write(word);
      sf = 0;
      nf++;
    } else {
      sf++;
    }
  }
}

}  // namespace spinflow
