// What all kernels share: how wide a number is, and how numbers lie in the words of a stream.
//
// A stream's word is padded to whole bytes, its first element in the lowest bits; padding is not read,
// and is 0 where it is written.

#pragma once

#include <ap_int.h>

namespace spinflow {

// Bits that hold all numbers from 0 to `most`; at least one.
constexpr int bits_for(long long most) { return most < 2 ? 1 : 1 + bits_for(most / 2); }

// Bits of a stream's word that holds so many bits.
constexpr int whole_bytes(int bits) { return 8 * ((bits + 7) / 8); }

// How many bits of a word are 1. The additions become a tree, for the tool balances a sum.
template <int Width>
ap_uint<bits_for(Width)> count_ones(const ap_uint<Width> &word) {
#pragma HLS INLINE
  ap_uint<bits_for(Width)> count = 0;
  for (int i = 0; i < Width; i++) {
#pragma HLS UNROLL
    count += word[i];
  }
  return count;
}

}  // namespace spinflow
