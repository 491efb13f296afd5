// Max-pool of a map of bits: each output bit is the OR of a Size x Size window of its channel. The RTL's
// bin_maxpool.sv.
//
// Windows do not overlap; rows and columns left over at the bottom and the right are cut off. A pixel is
// Folds words of Pe bits; words come, and go, in the order (row, column, fold).
//
// A call is a map. Throughput: one input word a cycle.

#pragma once

#include <hls_stream.h>

#include "words.hpp"

namespace spinflow {

template <int Rows, int Columns, int Folds, int Pe, int Size>
void bin_maxpool(hls::stream<ap_uint<whole_bytes(Pe)>> &in,
                 hls::stream<ap_uint<whole_bytes(Pe)>> &out) {
  constexpr int OutColumns = Columns / Size;
  static_assert(Size >= 2 && Rows >= Size && Columns >= Size, "Size must be 2 at least and fit the map");
  static_assert(Columns * Folds >= 4, "a line must be longer than a read and a write of `line` take");

  // Of this window, by fold: what its row has had so far; and, a line of windows, what rows before had.
  ap_uint<Pe> row_or[Folds];
  ap_uint<Pe> line[OutColumns * Folds];
#pragma HLS ARRAY_PARTITION variable=row_or type=complete
#pragma HLS BIND_STORAGE variable=line type=ram_s2p impl=lutram
// The same place is written again a line later.
#pragma HLS DEPENDENCE variable=line type=inter false

  for (int row = 0; row < Rows; row++) {
    for (int column = 0; column < Columns; column++) {
      for (int fold = 0; fold < Folds; fold++) {
#pragma HLS PIPELINE II=1
        const ap_uint<Pe> word = in.read();
        const int x = column % Size;
        const int y = row % Size;
        const ap_uint<Pe> in_row = x == 0 ? word : ap_uint<Pe>(row_or[fold] | word);
        row_or[fold] = in_row;
        // Rows and columns left over never get to the end of a window.
        if (x == Size - 1) {
          const int place = column / Size * Folds + fold;
          const ap_uint<Pe> in_window = y == 0 ? in_row : ap_uint<Pe>(line[place] | in_row);
          line[place] = in_window;
          if (y == Size - 1) out.write(in_window);
        }
      }
    }
  }
}

}  // namespace spinflow
