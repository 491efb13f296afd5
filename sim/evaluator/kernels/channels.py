"""Single output channels of a convolution on pixels."""

# Compiled functions take everything by position.
# ruff: noqa: PLR0917

from __future__ import annotations

from typing import Any

import numpy as np

from spinflow.sim.evaluator.kernels.vectors import compiled


@compiled
def some_channels(
    planes: Any,
    width: Any,
    offsets: Any,
    weights: Any,
    chosen: Any,
    limits: Any,
    invert: Any,
    known: Any,
    columns: Any,
    sums: Any,
    out: Any,
    lo: Any,
    hi: Any,
) -> None:
    """Images lo..hi of a convolution of stride 1: out (images, windows, words), uint32.

    out is the clean output, known, but for the channels `chosen`, whose weights (chosen, terms) are
    1 and -1. planes: int16 or int32, (images, pixels), the framed input, channel by channel in rows
    of `width`; term k of a window lies offsets[k] behind its place. sums: room for one of the
    numbers a pixel of a plane takes, of the type of planes.
    """
    size = (known.shape[1] // columns - 1) * width + columns
    for image in range(lo, hi):
        out[image] = known[image]
        for number in range(chosen.size):
            channel = chosen[number]
            sums[:size] = 0
            for term in range(offsets.size):
                source = planes[image, offsets[term] : offsets[term] + size]
                if weights[number, term] > 0:
                    for place in range(size):
                        sums[place] += source[place]
                else:
                    for place in range(size):
                        sums[place] -= source[place]
            word, shift = channel >> 5, np.uint32(channel & 31)
            others = ~(np.uint32(1) << shift)
            turned = invert[word] >> shift & np.uint32(1)
            limit = limits[channel]
            window = 0
            for row in range(0, size, width):
                for column in range(columns):
                    bit = np.uint32(sums[row + column] >= limit) ^ turned
                    out[image, window, word] = (out[image, window, word] & others) | bit << shift
                    window += 1
