// A case is the words of a frame's scores; its output the label.

#include "label_select_top.hpp"
#include "vectors.hpp"

int main(int count, char **arguments) {
  bench::Vectors vectors(count, arguments);
  hls::stream<Scores> in("in");
  hls::stream<ap_uint<16>> out("out");
  while (vectors.next()) {
    vectors.send(in, Labels / Pe);
    label_select_top(in, out);
    vectors.receive(out, 1);
  }
  return vectors.verdict();
}
