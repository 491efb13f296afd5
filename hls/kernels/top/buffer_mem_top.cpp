#include "buffer_mem_top.hpp"

void buffer_mem_top(hls::stream<Word> &in, hls::stream<Word> &out, ap_uint<3> command, ap_uint<2> mode,
                    ap_uint<32> rate1, ap_uint<32> rate0, ap_uint<32> seed, ap_uint<64> &written,
                    ap_uint<64> &switched, ap_uint<64> &err1, ap_uint<64> &err0) {
#pragma HLS INTERFACE mode=axis port=in
#pragma HLS INTERFACE mode=axis port=out
#pragma HLS INTERFACE mode=s_axilite port=command bundle=control
#pragma HLS INTERFACE mode=s_axilite port=mode bundle=control
#pragma HLS INTERFACE mode=s_axilite port=rate1 bundle=control
#pragma HLS INTERFACE mode=s_axilite port=rate0 bundle=control
#pragma HLS INTERFACE mode=s_axilite port=seed bundle=control
#pragma HLS INTERFACE mode=s_axilite port=written bundle=control
#pragma HLS INTERFACE mode=s_axilite port=switched bundle=control
#pragma HLS INTERFACE mode=s_axilite port=err1 bundle=control
#pragma HLS INTERFACE mode=s_axilite port=err0 bundle=control
#pragma HLS INTERFACE mode=s_axilite port=return bundle=control
  static spinflow::BufferMem<Width, Depth> memory;
  const spinflow::Settings settings = {mode, rate1, rate0, seed};
  memory.command(command);
  memory.pass<Words>(settings, in, out);
  written = memory.counts.written;
  switched = memory.counts.switched;
  err1 = memory.counts.err1;
  err0 = memory.counts.err0;
}
