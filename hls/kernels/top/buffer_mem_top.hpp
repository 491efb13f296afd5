// buffer_mem as a block of its own; parameters.h has its parameters.

#pragma once

#include "buffer_mem.hpp"
#include "parameters.h"

using Word = ap_uint<spinflow::whole_bytes(Width)>;

// A call does what `command` says (bits of mram.hpp), then writes Words words. The counters are those after.
void buffer_mem_top(hls::stream<Word> &in, hls::stream<Word> &out, ap_uint<3> command, ap_uint<2> mode,
                    ap_uint<32> rate1, ap_uint<32> rate0, ap_uint<32> seed, ap_uint<64> &written,
                    ap_uint<64> &switched, ap_uint<64> &err1, ap_uint<64> &err0);
