// A case is command, mode, rate1, rate0, seed and the words of a map; its output the words as they were
// stored and the four counters.

#include "buffer_mem_top.hpp"
#include "vectors.hpp"

int main(int count, char **arguments) {
  bench::Vectors vectors(count, arguments);
  hls::stream<Word> in("in");
  hls::stream<Word> out("out");
  while (vectors.next()) {
    const bench::Registers set = vectors.registers();
    vectors.send(in, Words);
    ap_uint<64> counters[4];
    buffer_mem_top(in, out, set.command, set.mode, set.rate1, set.rate0, set.seed, counters[0],
                   counters[1], counters[2], counters[3]);
    vectors.receive(out, Words);
    for (const auto &counter : counters) vectors.write(counter);
  }
  return vectors.verdict();
}
