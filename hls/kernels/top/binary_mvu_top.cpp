#include "binary_mvu_top.hpp"

// Weights come from a block RAM beside the unit, as the RTL's do; thresholds are a ROM inside it.
void binary_mvu_top(hls::stream<InWord> &in, const Weights weights[Depth], hls::stream<OutWord> &out) {
#pragma HLS INTERFACE mode=axis port=in
#pragma HLS INTERFACE mode=ap_memory port=weights storage_type=ram_1p latency=2
#pragma HLS INTERFACE mode=axis port=out
#pragma HLS INTERFACE mode=ap_ctrl_hs port=return
  static const int thresholds[Mh] = THRESHOLDS;
#pragma HLS ARRAY_PARTITION variable=thresholds type=cyclic factor=Pe
  spinflow::binary_mvu<Mw, Mh, Pe, Simd, InBits, HasThreshold, OutBits>(in, weights, thresholds, out);
}
