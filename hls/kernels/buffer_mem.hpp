// Buffer memory of a feature map, its storage being the MRAM: every word is written, with errors, and read
// back. The RTL's buffer_mem.sv with the same values, without its slack: a word goes on as soon as it is
// stored, so who needs words to wait puts an hls::stream of that depth behind it.
//
// Word n since the soft reset goes to address n mod Depth; the old value of a word counts as 0 until the
// address has wrapped once. Its bit b takes position n*Width + b of the random stream since the restart.
//
// A call writes Words words. Throughput: with errors off a word a cycle, else eight bits a cycle, and no more
// than a word: nothing is drawn ahead.

#pragma once

#include <hls_stream.h>

#include "mram.hpp"

namespace spinflow {

template <int Width, int Depth>
class BufferMem {
 public:
  // Back to the start of the random stream.
  void restart() {
#pragma HLS INLINE
    next_block = 0;
    drawn = 0;
    drawn1 = drawn0 = 0;
  }

  // Does what the bits of a command say.
  void command(ap_uint<3> what) {
#pragma HLS INLINE
    if (what & (kRestart | kSoftReset)) restart();
    if (what & (kClear | kSoftReset)) counts.clear();
    if (what & kSoftReset) {
      address = 0;
      wrapped = false;
    }
  }

  template <int Words>
  void pass(const Settings &settings, hls::stream<ap_uint<whole_bytes(Width)>> &in,
            hls::stream<ap_uint<whole_bytes(Width)>> &out) {
#pragma HLS BIND_STORAGE variable=words type=ram_s2p impl=lutram
    const bool errors = settings.mode != kOff;
    int done = 0;
    while (done < Words) {
#pragma HLS PIPELINE II=1
      if (errors && drawn < Width) {
        const Hits made = hits_of_block(settings.seed, next_block, settings.rate1, settings.rate0);
        drawn1 |= ap_uint<Width + 7>(made.on1) << drawn;
        drawn0 |= ap_uint<Width + 7>(made.on0) << drawn;
        drawn += 8;
        next_block++;
      }
      if (!errors || drawn >= Width) {
        out.write(store(settings.mode, in.read()));
        done++;
      }
    }
  }

  Counts counts;

 private:
  // Writes a word over the oldest one, with as many draws as it has bits; returns what is stored.
  ap_uint<Width> store(ap_uint<2> mode, const ap_uint<Width> &target) {
#pragma HLS INLINE
    const ap_uint<Width> old = wrapped ? words[address] : ap_uint<Width>(0);
    const ap_uint<Width> all = ~ap_uint<Width>(0);
    const ap_uint<Width> stored = write_word<Width>(mode, all, old, target, drawn1, drawn0, counts);
    words[address] = stored;
    wrapped = wrapped || address == Depth - 1;
    address = address == Depth - 1 ? 0 : int(address) + 1;
    if (mode != kOff) {
      drawn1 >>= Width;
      drawn0 >>= Width;
      drawn -= Width;
    }
    return stored;
  }

  ap_uint<Width> words[Depth];
  ap_uint<bits_for(Depth)> address;
  bool wrapped;

  // Draws that no word has taken yet: the next block, and of those made how many there are and their hits.
  ap_uint<31> next_block;
  ap_uint<bits_for(Width + 7)> drawn;
  ap_uint<Width + 7> drawn1;
  ap_uint<Width + 7> drawn0;
};

}  // namespace spinflow
