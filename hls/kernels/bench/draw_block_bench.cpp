// A case is seed, number of the block, rate1 and rate0; its output the hits on a 1 and, above them, on a 0.

#include "draw_block_top.hpp"
#include "vectors.hpp"

int main(int count, char **arguments) {
  bench::Vectors vectors(count, arguments);
  hls::stream<ap_uint<16>> hits("hits");
  while (vectors.next()) {
    ap_uint<32> seed;
    ap_uint<31> number;
    ap_uint<32> rate1;
    ap_uint<32> rate0;
    vectors.read(seed);
    vectors.read(number);
    vectors.read(rate1);
    vectors.read(rate0);
    draw_block_top(seed, number, rate1, rate0, hits);
    vectors.receive(hits, 1);
  }
  return vectors.verdict();
}
