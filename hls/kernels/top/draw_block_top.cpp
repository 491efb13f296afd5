#include "draw_block_top.hpp"

void draw_block_top(ap_uint<32> seed, ap_uint<31> number, ap_uint<32> rate1, ap_uint<32> rate0,
                    hls::stream<ap_uint<16>> &hits) {
#pragma HLS INTERFACE mode=ap_none port=seed
#pragma HLS INTERFACE mode=ap_none port=number
#pragma HLS INTERFACE mode=ap_none port=rate1
#pragma HLS INTERFACE mode=ap_none port=rate0
#pragma HLS INTERFACE mode=axis port=hits
#pragma HLS INTERFACE mode=ap_ctrl_hs port=return
#pragma HLS PIPELINE II=1
  const spinflow::Hits made = spinflow::hits_of_block(seed, number, rate1, rate0);
  hits.write((made.on0, made.on1));
}
