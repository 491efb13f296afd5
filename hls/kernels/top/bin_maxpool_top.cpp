#include "bin_maxpool_top.hpp"

void bin_maxpool_top(hls::stream<Word> &in, hls::stream<Word> &out) {
#pragma HLS INTERFACE mode=axis port=in
#pragma HLS INTERFACE mode=axis port=out
#pragma HLS INTERFACE mode=ap_ctrl_hs port=return
  spinflow::bin_maxpool<Rows, Columns, Folds, Pe, Size>(in, out);
}
