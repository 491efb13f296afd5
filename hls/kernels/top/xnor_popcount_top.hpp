// xnor_popcount as a block of its own; parameters.h has its parameters.

#pragma once

#include <hls_stream.h>

#include "parameters.h"
#include "xnor_popcount.hpp"

using Pair = ap_uint<spinflow::whole_bytes(Width)>;
using Count = ap_uint<spinflow::whole_bytes(spinflow::bits_for(Width))>;

// A call takes a word of each stream.
void xnor_popcount_top(hls::stream<Pair> &a, hls::stream<Pair> &b, hls::stream<Count> &count);
