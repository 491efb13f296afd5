// weight_mem as a block of its own; parameters.h has its parameters.

#pragma once

#include "parameters.h"
#include "weight_mem.hpp"

// A call does what `command` says (bits of mram.hpp), then serves `accesses` accesses (weight_mem.hpp has
// their form), each with an answer. The counters are those after it.
void weight_mem_top(hls::stream<ap_uint<64>> &in, hls::stream<ap_uint<32>> &out, ap_uint<Width> words[Depth],
                    ap_uint<32> accesses, ap_uint<3> command, ap_uint<2> mode, ap_uint<32> rate1,
                    ap_uint<32> rate0, ap_uint<32> seed, ap_uint<64> &written, ap_uint<64> &switched,
                    ap_uint<64> &err1, ap_uint<64> &err0);
