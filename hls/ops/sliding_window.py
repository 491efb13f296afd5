"""The sliding window of a convolution: FINN's module, Spinflow's instance."""

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

from spinflow.hls.cost import NOTHING, Cost, lut_ram
from spinflow.hls.ops.base import Op, Place, Walk
from spinflow.hls.ops.text import finn_instance
from spinflow.hls.ops.width_converter import converter
from spinflow.hls.shapes import Folding, LayerShape, Window
from spinflow.host.core import description

CONTROL = 150.0
"""LUTs of the control of a sliding window."""


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


class ConvolutionInputGenerator_rtl(Op, rtl_ops.ConvolutionInputGenerator_rtl):
    """The sliding window in hardware."""

    abstract = FinnConvolutionInputGenerator
    title = "sliding window"
    order = 1
    leads = True

    def execute_node(self, context: dict[str, Any], graph: Any) -> None:
        """Compute in Python, as FINN does before a node is specialised."""
        FinnConvolutionInputGenerator.execute_node(self, context, graph)

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

        finn-rtllib's sliding window takes the first pixel of a frame after it has given the last
        window of the one before; the unit has one or two windows to work on meanwhile. A window
        that slides at once waits at the end of each row for the pixels that begin the next.
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
        simd = folding.window_simd
        words = ((window.kernel_rows - 1) * window.columns + window.kernel_columns) * (
            window.channels // simd
        )
        given = simd * (window.pixels if folding.parallel else 1)
        return Cost(
            CONTROL
            + lut_ram(simd * layer.in_bits, words)
            + converter(given * layer.in_bits, folding.simd * layer.in_bits)
        )

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
        """Return the generated module's instance."""
        return finn_instance(self, place)
