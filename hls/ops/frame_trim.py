"""Frames that do not fill their last 32-bit beat: the module `frame_trim`.

Whoever drives the stream pads each frame; here the padding is dropped, and what goes on are words
of as many pixels as a beat and a frame both consist of.
"""

from __future__ import annotations

from typing import Any

import spinflow.hls.finn_env  # noqa: F401  # sets FINN up

# isort: split
import numpy as np
from finn.custom_op.fpgadataflow.hwcustomop import HWCustomOp
from finn.custom_op.fpgadataflow.rtlbackend import RTLBackend
from onnx import TensorProto, helper
from qonnx.core.datatype import DataType
from qonnx.core.modelwrapper import ModelWrapper

from spinflow.hls.ops.base import ABSTRACT_DOMAIN, PIXEL_TYPE, Module, Place, Walk
from spinflow.hls.ops.text import stream_ports, sv_instance
from spinflow.hls.shapes import INPUT_PE, pixels_at_once


class PixelStream(HWCustomOp):
    """What nodes of the pixels themselves have in common: a stream of UINT8, PE of them a word."""

    def get_nodeattr_types(self) -> dict[str, Any]:
        """Return the attributes: Shape is that of the frames' tensor, one frame or more."""
        return {
            **super().get_nodeattr_types(),
            "Shape": ("ints", True, []),
            "PE": ("i", True, 0),
        }

    def get_normal_input_shape(self, ind: int = 0) -> tuple[int, ...]:
        """Return the shape of the frames."""
        return tuple(self.get_nodeattr("Shape"))

    def get_normal_output_shape(self, ind: int = 0) -> tuple[int, ...]:
        """Return the shape of the frames."""
        return self.get_normal_input_shape()

    def get_folded_input_shape(self, ind: int = 0) -> tuple[int, ...]:
        """Return the shape in words of PE pixels, which need not be the channels of one."""
        pe = self.get_nodeattr("PE")
        return (1, int(np.prod(self.get_nodeattr("Shape"))) // pe, pe)

    def get_folded_output_shape(self, ind: int = 0) -> tuple[int, ...]:
        """Return the folded shape of the input."""
        return self.get_folded_input_shape()

    def get_input_datatype(self, ind: int = 0) -> Any:
        """Return the type of a pixel."""
        return DataType[PIXEL_TYPE]

    def get_output_datatype(self, ind: int = 0) -> Any:
        """Return the type of a pixel."""
        return DataType[PIXEL_TYPE]

    def get_instream_width(self, ind: int = 0) -> int:
        """Return the bits of a word."""
        return int(DataType[PIXEL_TYPE].bitwidth() * self.get_nodeattr("PE"))

    def get_outstream_width(self, ind: int = 0) -> int:
        """Return the bits of a word."""
        return self.get_instream_width()

    def get_exp_cycles(self) -> int:
        """Return the words of a frame: one passes a cycle."""
        return int(np.prod(self.get_folded_output_shape()[:-1]))

    def infer_node_datatype(self, model: ModelWrapper) -> None:
        """Say that what comes out are pixels."""
        model.set_tensor_datatype(self.onnx_node.output[0], DataType[PIXEL_TYPE])


class FrameTrim(PixelStream):
    """The frames without their padding, which no tensor has: the identity."""

    def execute_node(self, context: dict[str, Any], graph: Any) -> None:
        """Pass the frames on."""
        context[self.onnx_node.output[0]] = context[self.onnx_node.input[0]]


class FrameTrim_rtl(Module, FrameTrim, RTLBackend):
    """The end of the padding in hardware."""

    abstract = FrameTrim
    title = "frames without their padding"
    order = -1
    is_mapped = False
    takes_beats = True
    rtl_module = "frame_trim"

    def get_nodeattr_types(self) -> dict[str, Any]:
        """Return the attributes of the layer and of its backend."""
        return {**FrameTrim.get_nodeattr_types(self), **RTLBackend.get_nodeattr_types(self)}

    @classmethod
    def connect(cls, model: ModelWrapper) -> ModelWrapper:
        """Put it in front of a network whose frames do not fill their beats."""
        first = model.graph.node[0]
        source, trimmed = first.input[0], f"{first.input[0]}_trimmed"
        shape = model.get_tensor_shape(source)
        lanes = pixels_at_once(int(np.prod(shape)))
        if lanes == INPUT_PE:
            return model
        node = helper.make_node(
            "FrameTrim",
            [source],
            [trimmed],
            domain=ABSTRACT_DOMAIN,
            backend="fpgadataflow",
            name=f"FrameTrim_{source}",
            Shape=shape,
            PE=lanes,
        )
        first.input[0] = trimmed
        model.graph.node.insert(0, node)
        info = helper.make_tensor_value_info(trimmed, TensorProto.FLOAT, shape)
        model.graph.value_info.append(info)
        model.set_tensor_datatype(trimmed, DataType[PIXEL_TYPE])
        return model

    def name(self, walk: Walk) -> str:
        """Return "trim"."""
        return "trim"

    def instance(self, model: ModelWrapper, place: Place) -> str:
        """Return the module."""
        parameters = {"OutBits": self.get_outstream_width(), "Words": self.get_exp_cycles()}
        return sv_instance(self.rtl_module, place.name, parameters, stream_ports(place))
