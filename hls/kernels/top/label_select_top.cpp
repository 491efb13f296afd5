#include "label_select_top.hpp"

void label_select_top(hls::stream<Scores> &in, hls::stream<ap_uint<16>> &out) {
#pragma HLS INTERFACE mode=axis port=in
#pragma HLS INTERFACE mode=axis port=out
#pragma HLS INTERFACE mode=ap_ctrl_hs port=return
  spinflow::label_select<Labels, Pe, InBits>(in, out);
}
