#include "weight_mem_top.hpp"

void weight_mem_top(hls::stream<ap_uint<64>> &in, hls::stream<ap_uint<32>> &out, ap_uint<Width> words[Depth],
                    ap_uint<32> accesses, ap_uint<3> command, ap_uint<2> mode, ap_uint<32> rate1,
                    ap_uint<32> rate0, ap_uint<32> seed, ap_uint<64> &written, ap_uint<64> &switched,
                    ap_uint<64> &err1, ap_uint<64> &err0) {
#pragma HLS INTERFACE mode=axis port=in
#pragma HLS INTERFACE mode=axis port=out
#pragma HLS INTERFACE mode=ap_memory port=words storage_type=ram_1p latency=2
#pragma HLS INTERFACE mode=s_axilite port=accesses bundle=control
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
  static spinflow::WeightMem<Width, Depth> memory;
  const spinflow::Settings settings = {mode, rate1, rate0, seed};
  memory.command(command);
  for (ap_uint<32> n = 0; n < accesses; n++) {
    const spinflow::Access access(in.read());
    out.write(memory.serve(settings, access, words));
  }
  written = memory.counts.written;
  switched = memory.counts.switched;
  err1 = memory.counts.err1;
  err0 = memory.counts.err0;
}
