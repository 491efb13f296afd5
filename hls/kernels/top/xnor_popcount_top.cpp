#include "xnor_popcount_top.hpp"

void xnor_popcount_top(hls::stream<Pair> &a, hls::stream<Pair> &b, hls::stream<Count> &count) {
#pragma HLS INTERFACE mode=axis port=a
#pragma HLS INTERFACE mode=axis port=b
#pragma HLS INTERFACE mode=axis port=count
#pragma HLS INTERFACE mode=ap_ctrl_hs port=return
#pragma HLS PIPELINE II=1
  const ap_uint<Width> word_a = a.read();
  const ap_uint<Width> word_b = b.read();
  count.write(spinflow::xnor_popcount<Width>(word_a, word_b));
}
