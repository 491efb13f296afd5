// A case is the words of the weights and those of a frame; its output the frame's output words.

#include "binary_mvu_top.hpp"
#include "vectors.hpp"

int main(int count, char **arguments) {
  bench::Vectors vectors(count, arguments);
  hls::stream<InWord> in("in");
  hls::stream<OutWord> out("out");
  static Weights weights[Depth];
  while (vectors.next()) {
    for (auto &word : weights) vectors.read(word);
    vectors.send(in, Mw / Simd);
    binary_mvu_top(in, weights, out);
    vectors.receive(out, Mh / Pe);
  }
  return vectors.verdict();
}
