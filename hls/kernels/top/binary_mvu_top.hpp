// binary_mvu as a block of its own; parameters.h has its parameters and thresholds.

#pragma once

#include "binary_mvu.hpp"
#include "parameters.h"

constexpr int Depth = (Mw / Simd) * (Mh / Pe);
using InWord = ap_uint<spinflow::whole_bytes(Simd * InBits)>;
using Weights = ap_uint<Pe * Simd>;
using OutWord = ap_uint<spinflow::whole_bytes(Pe * OutBits)>;

// A call takes a frame.
void binary_mvu_top(hls::stream<InWord> &in, const Weights weights[Depth], hls::stream<OutWord> &out);
