// A case is the words of a map; its output those of the pooled one.

#include "bin_maxpool_top.hpp"
#include "vectors.hpp"

int main(int count, char **arguments) {
  bench::Vectors vectors(count, arguments);
  hls::stream<Word> in("in");
  hls::stream<Word> out("out");
  while (vectors.next()) {
    vectors.send(in, Rows * Columns * Folds);
    bin_maxpool_top(in, out);
    vectors.receive(out, (Rows / Size) * (Columns / Size) * Folds);
  }
  return vectors.verdict();
}
