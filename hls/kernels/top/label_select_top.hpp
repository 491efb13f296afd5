// label_select as a block of its own; parameters.h has its parameters.

#pragma once

#include "label_select.hpp"
#include "parameters.h"

using Scores = ap_uint<spinflow::whole_bytes(Pe * InBits)>;

// A call takes a frame.
void label_select_top(hls::stream<Scores> &in, hls::stream<ap_uint<16>> &out);
