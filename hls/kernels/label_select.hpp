// The label of a frame: the index of the largest of `Labels` unsigned scores, the lowest one on a tie. The
// RTL's label_select.sv.
//
// Scores arrive Pe to a word, lowest index first. A call is a frame. Throughput: one word a cycle.

#pragma once

#include <hls_stream.h>

#include "words.hpp"

namespace spinflow {

template <int Labels, int Pe, int InBits>
void label_select(hls::stream<ap_uint<whole_bytes(Pe * InBits)>> &in, hls::stream<ap_uint<16>> &out) {
  static_assert(Labels % Pe == 0 && Labels <= 65536, "Pe must divide Labels, at most 65536");
  ap_uint<16> best = 0;
  ap_uint<InBits> best_score = 0;
  for (int first = 0; first < Labels; first += Pe) {
#pragma HLS PIPELINE II=1
    const ap_uint<Pe * InBits> word = in.read();
    for (int p = 0; p < Pe; p++) {
#pragma HLS UNROLL
      const ap_uint<InBits> score = word((p + 1) * InBits - 1, p * InBits);
      // Only a larger one takes over, so of equals the first stays. Label 0 needs no score above 0.
      if (score > best_score) {
        best_score = score;
        best = first + p;
      }
    }
  }
  out.write(best);
}

}  // namespace spinflow
