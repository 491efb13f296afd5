// What the two kinds of MRAM memory share: how writes err, what a write leaves behind, what is counted.

#pragma once

#include "random_stream.hpp"

namespace spinflow {

// Codes of the error modes, as in the MODE register; any other makes no errors.
constexpr unsigned kOff = 0;
constexpr unsigned kFlip = 1;
constexpr unsigned kSwitch = 2;

// What is to be done before a call's work; any of them together.
constexpr unsigned kRestart = 1;    // the random stream, as writing MODE, RATE1, RATE0 or SEED does
constexpr unsigned kSoftReset = 2;  // the stream and the counters; of a buffer also addresses and old values
constexpr unsigned kClear = 4;      // the counters

// How writes err: mode, thresholds of written ones and zeros, seed.
struct Settings {
  ap_uint<2> mode;
  ap_uint<32> rate1;
  ap_uint<32> rate0;
  ap_uint<32> seed;
};

// Counters, in bits: written, target not the old value, errors whose target was 1 and 0.
struct Counts {
  ap_uint<64> written;
  ap_uint<64> switched;
  ap_uint<64> err1;
  ap_uint<64> err0;

  void clear() {
#pragma HLS INLINE
    written = switched = err1 = err0 = 0;
  }
};

// The word that is stored when `target` is written over `old`, with what it adds to the counters. `mask` has
// a 1 for each bit that exists. A hit is an error in flip mode; in switch mode only where the bit should
// change, and then the old one stays. The RTL's error_write.sv.
template <int Width>
ap_uint<Width> write_word(ap_uint<2> mode, const ap_uint<Width> &mask, const ap_uint<Width> &old,
                          const ap_uint<Width> &target, const ap_uint<Width> &on1,
                          const ap_uint<Width> &on0, Counts &counts) {
#pragma HLS INLINE
  const ap_uint<Width> hit = (target & on1) | (~target & on0);
  const ap_uint<Width> switched = (target ^ old) & mask;
  ap_uint<Width> error = 0;
  if (mode == kFlip) error = hit & mask;
  if (mode == kSwitch) error = hit & switched;
  counts.written += count_ones<Width>(mask);
  counts.switched += count_ones<Width>(switched);
  counts.err1 += count_ones<Width>(error & target);
  counts.err0 += count_ones<Width>(error & ~target);
  return (target ^ error) & mask;
}

}  // namespace spinflow
