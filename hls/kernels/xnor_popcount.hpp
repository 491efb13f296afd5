// Number of agreeing bits of two words: popcount(xnor(a, b)). The RTL's xnor_popcount.sv.
//
// Throughput: one pair of words a cycle, when what calls it is pipelined.

#pragma once

#include "words.hpp"

namespace spinflow {

template <int Width>
ap_uint<bits_for(Width)> xnor_popcount(const ap_uint<Width> &a, const ap_uint<Width> &b) {
#pragma HLS INLINE
  const ap_uint<Width> agree = ~(a ^ b);
  return count_ones<Width>(agree);
}

}  // namespace spinflow
