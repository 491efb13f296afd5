"""Padding of a map: the module `stream_pad`. Bits are padded with 0, which is -1.

FINN's own module gives the padding of the next frame before that has come. A layer would begin to
work on it with weights that the host may be about to change.
"""

from __future__ import annotations

from typing import Any

import spinflow.hls.finn_env  # noqa: F401  # sets FINN up

# isort: split
import finn.custom_op.fpgadataflow.rtl as rtl_ops
from finn.custom_op.fpgadataflow.fmpadding import FMPadding
from qonnx.core.modelwrapper import ModelWrapper

from spinflow.hls.ops.base import Module, Place, Walk
from spinflow.hls.ops.text import stream_ports, sv_instance
from spinflow.hls.shapes import Folding


class FMPadding_rtl(Module, rtl_ops.FMPadding_rtl):
    """The padding of a convolution's input, before its sliding window."""

    abstract = FMPadding
    title = "padding"
    leads = True
    rtl_module = "stream_pad"

    @classmethod
    def set_batch(cls, op: Any, images: int) -> None:
        """Do nothing: FINN pads any number of images."""

    def fold(self, folding: Folding, depth: int | None) -> None:
        """Let as many channels pass at once as enter the sliding window."""
        self.set_nodeattr("SIMD", folding.window_simd)

    def name(self, walk: Walk) -> str:
        """Return the next layer's name with `_padding`; note the padding for its window."""
        top, left, bottom, right = self.get_nodeattr("Padding")
        walk.padding = (int(top), int(left), int(bottom), int(right))
        return f"{walk.next_layer}_padding"

    def instance(self, model: ModelWrapper, place: Place) -> str:
        """Return the padding."""
        rows, columns = self.get_nodeattr("ImgDim")
        top, left, bottom, right = self.get_nodeattr("Padding")
        parameters = {
            "Rows": rows,
            "Columns": columns,
            "Folds": self.get_nodeattr("NumChannels") // self.get_nodeattr("SIMD"),
            "Bits": self.get_instream_width(),
            "Top": top,
            "Left": left,
            "Bottom": bottom,
            "Right": right,
        }
        return sv_instance(self.rtl_module, place.name, parameters, stream_ports(place))
