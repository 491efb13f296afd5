// The random stream of docs/contracts.md: a pure function of a 32-bit seed and a position.
//
// A draw of 32 bits has its leading 8 of one block, the lead, which eight neighbours share, and its other 24,
// the tail, of another. The RTL's draw_engine makes tails only where a lead ties with the rate's; here they
// are made in any case, five blocks for eight draws, so eight draws take one cycle, whatever the rates.

#pragma once

#include "words.hpp"

namespace spinflow {

// The two words of a block.
struct Block {
  ap_uint<32> word[2];
};

// Which of eight draws err if a 1 is written, and if a 0 is.
struct Hits {
  ap_uint<8> on1;
  ap_uint<8> on0;
};

// Eight rounds of Speck64 without a key.
inline Block permuted(ap_uint<32> seed, ap_uint<32> number) {
#pragma HLS INLINE
  ap_uint<32> x = number;
  ap_uint<32> y = seed;
  for (unsigned round = 1; round <= 8; round++) {
#pragma HLS UNROLL
    const ap_uint<32> turned_x = (x(7, 0), x(31, 8));
    const ap_uint<32> turned_y = (y(28, 0), y(31, 29));
    x = ap_uint<32>(turned_x + y) ^ ap_uint<32>(0x9E3779B9u * round);
    y = turned_y ^ x;
  }
  Block made;
  made.word[0] = x;
  made.word[1] = y;
  return made;
}

// Whether a draw errs against a rate's threshold.
inline bool errs(ap_uint<32> draw, ap_uint<32> threshold) {
#pragma HLS INLINE
  return draw < threshold || threshold == 0xFFFFFFFFu;
}

// The draws of positions 8*number to 8*number + 7 against two rates.
inline Hits hits_of_block(ap_uint<32> seed, ap_uint<31> number, ap_uint<32> rate1, ap_uint<32> rate0) {
#pragma HLS INLINE
  const Block leads = permuted(seed, number);
  Hits hits;
  for (int pair = 0; pair < 4; pair++) {
#pragma HLS UNROLL
    const ap_uint<31> of_pair = (ap_uint<33>(number) << 2) | ap_uint<33>(pair);
    const Block tails = permuted(seed, (ap_uint<1>(1), of_pair));
    for (int half = 0; half < 2; half++) {
#pragma HLS UNROLL
      const int d = 2 * pair + half;
      const ap_uint<8> lead = leads.word[d / 4] >> (8 * (d % 4));
      const ap_uint<24> tail = tails.word[half] >> 8;
      const ap_uint<32> draw = (lead, tail);
      hits.on1[d] = errs(draw, rate1);
      hits.on0[d] = errs(draw, rate0);
    }
  }
  return hits;
}

}  // namespace spinflow
