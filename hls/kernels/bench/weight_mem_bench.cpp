// A case is command, mode, rate1, rate0, seed, how many accesses and these; its output their answers, the
// four counters and all words. The words stay from case to case.

#include "vectors.hpp"
#include "weight_mem_top.hpp"

int main(int count, char **arguments) {
  bench::Vectors vectors(count, arguments);
  hls::stream<ap_uint<64>> in("in");
  hls::stream<ap_uint<32>> out("out");
  static ap_uint<Width> words[Depth];
  while (vectors.next()) {
    const bench::Registers set = vectors.registers();
    ap_uint<32> accesses;
    vectors.read(accesses);
    vectors.send(in, accesses);
    ap_uint<64> counters[4];
    weight_mem_top(in, out, words, accesses, set.command, set.mode, set.rate1, set.rate0, set.seed,
                   counters[0], counters[1], counters[2], counters[3]);
    vectors.receive(out, accesses);
    for (const auto &counter : counters) vectors.write(counter);
    for (const auto &word : words) vectors.write(word);
  }
  return vectors.verdict();
}
