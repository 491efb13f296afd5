"""What the folding knows of a layer, and what it decides about it: plain data, without FINN.

A *layer* here is a matrix with all that goes with it: the padding and the sliding window before it,
the max-pool and the buffer behind it. Each op of `spinflow.hls.ops` reads from a
:class:`LayerShape` and a :class:`Folding` what concerns it.
"""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass

from spinflow.host.core.coding import PLAIN, Coding

INPUT_PE = 4
"""Pixels of one 32-bit beat."""

BEAT_BITS = 32
"""Bits of a word of the input stream."""


@dataclass(frozen=True)
class Window:
    """The sliding window of a convolution over a map of rows x columns x channels, padded.

    Attributes:
        rows, columns, channels: of the map with its padding.
        kernel_rows, kernel_columns, stride_rows, stride_columns: of the window.
    """

    rows: int
    columns: int
    channels: int
    kernel_rows: int
    kernel_columns: int
    stride_rows: int = 1
    stride_columns: int = 1

    @property
    def out_rows(self) -> int:
        """Rows of the output map."""
        return (self.rows - self.kernel_rows) // self.stride_rows + 1

    @property
    def out_columns(self) -> int:
        """Columns of the output map."""
        return (self.columns - self.kernel_columns) // self.stride_columns + 1

    @property
    def left_over(self) -> bool:
        """Whether rows or columns at its end are in no window."""
        rows, columns = self.rows - self.kernel_rows, self.columns - self.kernel_columns
        return bool(rows % self.stride_rows or columns % self.stride_columns)

    @property
    def slides_at_once(self) -> bool:
        """Whether FINN's sliding window can give all pixels of a window at once.

        It counts windows by a row and in a row, the first one of the inner count beforehand, and
        has no counters of no bits.
        """
        rows, columns = self.out_rows, self.out_columns
        counts = (rows - 1, columns) if columns == 1 else (rows, columns - 1)
        return self.pixels > 1 and max(counts) > 1

    def slides_by_word(self, words: int) -> bool:
        """Return whether FINN's sliding window can give a window word by word.

        Its buffer holds a window and part of a stride, and it cannot step on by more than that.

        Args:
            words: that a pixel comes in.
        """
        if self.pixels == 1:
            return True
        if self.pixels == 2 and words == self.out_rows == self.out_columns == 1:
            return False  # FINN has a counter of no bits there
        columns = (self.out_columns - 1) * self.stride_columns + self.kernel_columns
        held = (self.kernel_rows - 1) * columns + self.kernel_columns
        across, down = self.stride_columns - 1, (self.stride_rows - 1) * columns
        most = words * (held + max(0, across - self.pixels) + max(0, down - self.pixels))
        to_next = words * (self.stride_columns - held) + 1
        to_next_row = words * (self.kernel_columns + down - held) + 1
        return max(abs(to_next), abs(to_next_row)) <= most

    @property
    def pixels(self) -> int:
        """Pixels of a window."""
        return self.kernel_rows * self.kernel_columns

    @property
    def fill(self) -> int:
        """Pixels that must come in before the first window is whole."""
        return (self.kernel_rows - 1) * self.columns + self.kernel_columns


@dataclass(frozen=True)
class LayerShape:
    """A weight layer: ``mw`` inputs, ``mh`` outputs.

    Attributes:
        name: as in accel.json.
        mw, mh: of the matrix; of one window for a convolution.
        buffered: whether a buffer follows.
        window: the sliding window of a convolution.
        in_bits: bits of one input: 1, or 8 for pixels.
        pool: side of the max-pool before the buffer, 1 without one.
        zero_padded: whether bits are padded with 0, which the unit leaves out of its sums.
        gain_bits, offset_bits: of the scores of the last layer's classes; 0 where there are none.
        coding: which of its memories are coded.
    """

    name: str
    mw: int
    mh: int
    buffered: bool
    window: Window | None = None
    in_bits: int = 1
    pool: int = 1
    zero_padded: bool = False
    gain_bits: int = 0
    offset_bits: int = 0
    coding: Coding = PLAIN

    def stored_bits(self, pe: int) -> int:
        """Return the bits of a word of the buffer behind it, of so many outputs."""
        code = self.coding.code("buffer", pe)
        return pe if code is None else code.width

    @property
    def windows(self) -> int:
        """Vectors of a frame."""
        return self.window.out_rows * self.window.out_columns if self.window else 1


@dataclass(frozen=True)
class Folding:
    """What one layer computes in a cycle: ``pe`` outputs from ``simd`` inputs each.

    Attributes:
        ports, run_ahead, engine: its buffer asks for draws at so many ports, for up to
            ``run_ahead`` slots ahead, the first of which is at this engine; 0 ports without a
            buffer.
        window_simd: channels that enter the sliding window at once; 0 without a window.
        parallel: whether the window gives all its pixels at once.
    """

    pe: int
    simd: int
    ports: int = 0
    run_ahead: int = 0
    engine: int = 0
    window_simd: int = 0
    parallel: bool = False

    def in_width(self, layer: LayerShape) -> int:
        """Return the bits of a word that the layer takes."""
        return (self.window_simd or self.simd) * layer.in_bits


def pixels_at_once(pixels: int) -> int:
    """Return how many pixels of a frame of so many come in a cycle: a beat's, if they fill beats.

    Else as many as both a beat and a frame consist of.
    """
    return math.gcd(INPUT_PE, pixels)


@functools.cache
def divisors(number: int) -> tuple[int, ...]:
    """Return the divisors of a number, the smallest first."""
    return tuple(divisor for divisor in range(1, number + 1) if number % divisor == 0)
