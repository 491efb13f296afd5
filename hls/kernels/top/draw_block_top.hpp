// Eight draws as a block of its own: the middle of the RTL's draw_engine.

#pragma once

#include <hls_stream.h>

#include "parameters.h"
#include "random_stream.hpp"

// A call takes seed, number of the block and both thresholds; hits on written ones are the lower byte.
void draw_block_top(ap_uint<32> seed, ap_uint<31> number, ap_uint<32> rate1, ap_uint<32> rate0,
                    hls::stream<ap_uint<16>> &hits);
