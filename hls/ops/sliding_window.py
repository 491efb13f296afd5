"""The sliding window of a convolution: the modules `window_words` and `window_at_once`.

FINN executes the node, and says which windows there are; the modules give its words in its order.
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import spinflow.hls.finn_env  # noqa: F401  # sets FINN up

# isort: split
import finn.custom_op.fpgadataflow.rtl as rtl_ops
import numpy as np
from finn.custom_op.fpgadataflow.convolutioninputgenerator import (
    ConvolutionInputGenerator as FinnConvolutionInputGenerator,
)
from qonnx.core.modelwrapper import ModelWrapper

from spinflow.hls.cost import NOTHING, Cost, block_ram, lut_ram
from spinflow.hls.ops.base import Module, Place, Walk
from spinflow.hls.ops.text import stream_ports, sv_instance
from spinflow.hls.ops.width_converter import converter
from spinflow.hls.shapes import Folding, LayerShape, Window
from spinflow.host.core import description

CONTROL = 50.0
"""LUTs of the control of a sliding window."""

LUTS_FOR_RAMB36 = 380.0
"""LUTs of LUT RAM from which on a block RAM takes their place: a part's share for each of these."""


class ConvolutionInputGenerator(FinnConvolutionInputGenerator):
    """FINN's sliding window, which it executes for one image, here for any number."""

    def execute_node(self, context: dict[str, Any], graph: Any) -> None:
        """Let FINN compute image by image."""
        source, sink = self.onnx_node.input[0], self.onnx_node.output[0]
        windows = []
        for image in context[source]:
            one = {source: image[np.newaxis], sink: context[sink][:1]}
            super().execute_node(one, graph)
            windows.append(one[sink])
        context[sink] = np.concatenate(windows)


class ConvolutionInputGenerator_rtl(Module, rtl_ops.ConvolutionInputGenerator_rtl):
    """The sliding window in hardware."""

    abstract = FinnConvolutionInputGenerator
    title = "sliding window"
    order = 1
    leads = True

    @property
    def rtl_module(self) -> str:  # type: ignore[override]  # it depends on the folding
        """Name of the module, by whether it gives a window at once."""
        return "window_at_once" if self.get_nodeattr("parallel_window") else "window_words"

    def extend(self, shape: LayerShape) -> LayerShape:
        """Give the layer its window."""
        rows, columns = self.get_nodeattr("IFMDim")
        kernel, stride = self.get_nodeattr("ConvKernelDim"), self.get_nodeattr("Stride")
        channels = self.get_nodeattr("IFMChannels")
        return replace(shape, window=Window(rows, columns, channels, *kernel, *stride))

    @staticmethod
    def options(layer: LayerShape, folding: Folding) -> list[Folding]:
        """Return each way in which the window can slide."""
        window = layer.window
        if window is None:
            return [folding]
        found = []
        channels, simd = window.channels, folding.simd
        if channels % simd == 0 and window.slides_by_word(channels // simd):
            found.append(replace(folding, window_simd=simd))
        if (simd % channels == 0 or channels % simd == 0) and window.slides_by_word(1):
            found.append(replace(folding, window_simd=channels))
        if window.slides_at_once:
            found.append(replace(folding, window_simd=channels, parallel=True))
        return list(dict.fromkeys(found))

    @staticmethod
    def objection(layer: LayerShape, pe: int) -> str | None:
        """Return why FINN has no such sliding window; None if it has one."""
        window = layer.window
        if window is None or window.slides_at_once or window.slides_by_word(window.channels):
            return None
        return (
            f"FINN has no sliding window of {window.kernel_rows} x {window.kernel_columns} pixels "
            f"in steps of {window.stride_rows} x {window.stride_columns} over a map of "
            f"{window.rows} x {window.columns}: steps no longer than the kernel are needed, or a "
            "matrix of the whole map"
        )

    @staticmethod
    def cycles(layer: LayerShape, folding: Folding, before: int | None) -> int:
        """Return the cycles of a frame in the window and the unit that waits for it.

        It is an upper bound: that a frame begins to come in before the last window of the one
        before has left is not counted on; the unit has one or two windows to work on meanwhile. A
        window that slides at once waits at the end of each row for the pixels that begin the next.
        """
        window = layer.window
        if window is None or window.pixels == 1:
            return 0
        per_window = (layer.mw // folding.simd) * (layer.mh // folding.pe)  # cycles of the unit
        unit = layer.windows * per_window
        words = window.channels // folding.window_simd
        per_pixel = max(words, window.channels * layer.in_bits / before if before else 0)
        fill = math.ceil((window.fill - 1) * per_pixel) + 1  # the first pixel stands ready
        if folding.parallel:
            slid, given = window.rows * window.columns * per_pixel, 1
        else:
            row = max(window.out_columns * window.pixels, window.stride_rows * window.columns)
            slid, given = fill + window.out_rows * row * words, window.pixels * words
        # The elements of the first window leave while it fills up.
        slid += 2 - given
        if layer.mw == folding.simd:
            ahead = per_window
        else:  # one window worked on and one kept in the unit; one in the converter before it
            ahead = (3 if folding.parallel else 2) * per_window
            ahead -= layer.mw // folding.simd + 1 if folding.parallel else 0
        waiting = max(0, fill + 1 - ahead)
        if folding.parallel:
            turn = math.ceil(window.kernel_columns * per_pixel)
            waiting += (window.out_rows - 1) * max(0, turn - ahead)
        return max(math.ceil(slid), unit + waiting)

    @staticmethod
    def cost(layer: LayerShape, folding: Folding) -> Cost:
        """Return the cost of the window's rows, and of the converter to the matrix's words."""
        window = layer.window
        if window is None:
            return NOTHING
        given = folding.window_simd * (window.pixels if folding.parallel else 1)
        lut = CONTROL + converter(given * layer.in_bits, folding.simd * layer.in_bits)
        bits, words = _memory(window, folding.in_width(layer), folding)
        if _in_block_ram(bits, words):
            return Cost(lut) + block_ram(bits, words)
        # All rows of a window at once are as much in short lines as in one buffer, within 50 LUTs.
        pixels = window.fill * (window.channels // folding.window_simd)
        return Cost(lut + lut_ram(folding.in_width(layer), pixels))

    def fold(self, folding: Folding, depth: int | None) -> None:
        """Take over how the window slides."""
        self.set_nodeattr("SIMD", folding.window_simd)
        self.set_nodeattr("parallel_window", int(folding.parallel))

    def map_sides(self) -> tuple[int, int]:
        """Return the rows and columns of the map."""
        rows, columns = self.get_nodeattr("IFMDim")
        return int(rows), int(columns)

    def covered(self) -> tuple[int, int]:
        """Return the rows and columns that windows reach."""
        out, kernel = self.get_nodeattr("OFMDim"), self.get_nodeattr("ConvKernelDim")
        stride = self.get_nodeattr("Stride")
        rows, columns = (int((out[axis] - 1) * stride[axis] + kernel[axis]) for axis in (0, 1))
        return rows, columns

    def narrow(self, part: tuple[int, int]) -> None:
        """Take a map that windows cover; FINN wants no stride that is larger than it."""
        stride = zip(self.get_nodeattr("Stride"), part, strict=True)
        self.set_nodeattr("Stride", [int(min(pair)) for pair in stride])
        self.set_nodeattr("IFMDim", list(part))

    def name(self, walk: Walk) -> str:
        """Return the next layer's name with `_window`; note the window for its matrix."""
        whole = (*self.get_nodeattr("IFMDim"), *self.get_nodeattr("Stride"))
        rows, columns, *stride = walk.whole or whole
        walk.whole = None
        kernel = self.get_nodeattr("ConvKernelDim")
        top, left, bottom, right = walk.padding
        walk.window = description.Window(
            # The map without its padding.
            input=(rows - top - bottom, columns - left - right, self.get_nodeattr("IFMChannels")),
            kernel=(int(kernel[0]), int(kernel[1])),
            stride=(int(stride[0]), int(stride[1])),
            padding=walk.padding,
        )
        walk.padding = (0, 0, 0, 0)
        return f"{walk.next_layer}_window"

    def pass_cycles(self) -> int:
        """Return 0: the folding counts the cycles of a window."""
        return 0

    def instance(self, model: ModelWrapper, place: Place) -> str:
        """Return the window, word by word or at once."""
        rows, columns = self.get_nodeattr("IFMDim")
        kernel, stride = self.get_nodeattr("ConvKernelDim"), self.get_nodeattr("Stride")
        channels, simd = self.get_nodeattr("IFMChannels"), self.get_nodeattr("SIMD")
        bits, parallel = self.get_instream_width(), bool(self.get_nodeattr("parallel_window"))
        window = Window(rows, columns, channels, *kernel, *stride)
        folding = Folding(1, 1, window_simd=simd, parallel=parallel)
        parameters = {
            "Rows": rows,
            "Columns": columns,
            **({} if parallel else {"Folds": channels // simd}),
            "Bits": bits,
            "KernelRows": kernel[0],
            "KernelColumns": kernel[1],
            "StrideRows": stride[0],
            "StrideColumns": stride[1],
            "BlockRam": f"1'b{_in_block_ram(*_memory(window, bits, folding)):d}",
        }
        return sv_instance(self.rtl_module, place.name, parameters, stream_ports(place))


def _memory(window: Window, bits: int, folding: Folding) -> tuple[int, int]:
    """Return bits of a word and words of the memory that a window waits in, for words of so many.

    Word by word it holds a window and what lies between its rows; at once, of all its rows but one,
    what lies between them.
    """
    if folding.parallel:
        return (window.kernel_rows - 1) * bits, window.columns - window.kernel_columns
    return bits, window.fill * (window.channels // folding.window_simd)


def _in_block_ram(bits: int, words: int) -> bool:
    """Return whether a memory is block RAM rather than LUT RAM."""
    return lut_ram(bits, words) > LUTS_FOR_RAMB36 * max(block_ram(bits, words).ramb36, 0.5)
