// Weight memory, its storage being the MRAM: written in segments of 32 bits with errors, and read back. What
// weight_mem.sv, weight_port.sv and weight_errors.sv are for one memory.
//
// The words lie in a block RAM beside it, whose other port is binary_mvu's. Segment k of a word is its bits
// 32*k to 32*k + 31; bits that a last segment does not have read 0 and ignore writes. The s-th segment
// written since the restart takes positions 32*s to 32*s + 31 of the random stream, whatever its bits.
//
// Throughput: a write takes four cycles for its draws, and those that fill the pipeline.

#pragma once

#include <hls_stream.h>

#include "mram.hpp"

namespace spinflow {

// An access, as it comes in a word of 64 bits: target, number of the word, segment, whether it writes.
struct Access {
  ap_uint<32> target;
  ap_uint<16> word;
  ap_uint<8> segment;
  bool write;

  explicit Access(const ap_uint<64> &packed)
      : target(packed(31, 0)), word(packed(47, 32)), segment(packed(55, 48)), write(packed[56]) {}
};

template <int Width, int Depth>
class WeightMem {
 public:
  static constexpr int Segments = (Width + 31) / 32;

  // Does what the bits of a command say; weights survive all of them.
  void command(ap_uint<3> what) {
#pragma HLS INLINE
    if (what & (kRestart | kSoftReset)) position = 0;
    if (what & (kClear | kSoftReset)) counts.clear();
  }

  // Serves an access; returns the segment as it is then. Of one outside the memory nothing is done, and 0 is
  // returned.
  ap_uint<32> serve(const Settings &settings, const Access &access, ap_uint<Width> words[Depth]) {
    if (access.word >= Depth || access.segment >= Segments) return 0;
    const int shift = 32 * access.segment;
    const ap_uint<Width> word = words[access.word];
    const ap_uint<32> old = word >> shift;
    if (!access.write) return old;
    const int bits = Width - shift < 32 ? Width - shift : 32;
    const ap_uint<32> mask = ap_uint<32>(0xFFFFFFFFu) >> (32 - bits);
    ap_uint<32> on1 = 0;
    ap_uint<32> on0 = 0;
    if (settings.mode != kOff) draw(settings, on1, on0);
    const ap_uint<32> stored =
        write_word<32>(settings.mode, mask, old, access.target, on1, on0, counts);
    const ap_uint<Width> others = ~(ap_uint<Width>(mask) << shift);
    words[access.word] = (word & others) | (ap_uint<Width>(stored) << shift);
    return stored;
  }

  Counts counts;

 private:
  // The hits of a segment: four blocks, one a cycle.
  void draw(const Settings &settings, ap_uint<32> &on1, ap_uint<32> &on0) {
    for (int byte = 0; byte < 4; byte++) {
#pragma HLS PIPELINE II=1
      const ap_uint<31> block = (position, ap_uint<2>(byte));
      const Hits made = hits_of_block(settings.seed, block, settings.rate1, settings.rate0);
      on1(8 * byte + 7, 8 * byte) = made.on1;
      on0(8 * byte + 7, 8 * byte) = made.on0;
    }
    position++;
  }

  // Segments written since the restart: a 32nd of a position, which has 34 bits.
  ap_uint<29> position;
};

}  // namespace spinflow
