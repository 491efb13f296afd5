// bin_maxpool as a block of its own; parameters.h has its parameters.

#pragma once

#include "bin_maxpool.hpp"
#include "parameters.h"

using Word = ap_uint<spinflow::whole_bytes(Pe)>;

// A call takes a map.
void bin_maxpool_top(hls::stream<Word> &in, hls::stream<Word> &out);
