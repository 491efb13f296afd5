// A case is two words; its output their count.

#include "vectors.hpp"
#include "xnor_popcount_top.hpp"

int main(int count, char **arguments) {
  bench::Vectors vectors(count, arguments);
  hls::stream<Pair> a("a");
  hls::stream<Pair> b("b");
  hls::stream<Count> agree("agree");
  while (vectors.next()) {
    vectors.send(a, 1);
    vectors.send(b, 1);
    xnor_popcount_top(a, b, agree);
    vectors.receive(agree, 1);
  }
  return vectors.verdict();
}
