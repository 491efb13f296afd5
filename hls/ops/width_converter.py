"""Several words into one, or one into several: `stream_widen` and `stream_narrow`.

Converters by a broken ratio are made of two steps, through a word that both widths divide; beyond
MOST_JOINED_BITS they stay FINN's.
"""

from __future__ import annotations

import math
from typing import Any

import spinflow.hls.finn_env  # noqa: F401  # sets FINN up

# isort: split
import finn.custom_op.fpgadataflow.rtl as rtl_ops
import numpy as np
from finn.custom_op.fpgadataflow.streamingdatawidthconverter import StreamingDataWidthConverter
from finn.transformation.fpgadataflow.insert_dwc import InsertDWC
from onnx import TensorProto, helper
from qonnx.core.datatype import DataType
from qonnx.core.modelwrapper import ModelWrapper
from qonnx.custom_op.registry import getCustomOp

from spinflow.hls.ops.base import ABSTRACT_DOMAIN, PIXEL_TYPE, Module, Place, Walk
from spinflow.hls.ops.kinds import kind_of
from spinflow.hls.ops.text import finn_instance, stream_ports, sv_instance
from spinflow.hls.shapes import BEAT_BITS

MOST_JOINED_BITS = 4096
"""Widest word through which one width becomes another; FINN's converter takes over beyond."""

# LUTs.
CONTROL = 12.0
NARROW_BIT = 0.8  # one bit of a word that is given in parts; to collect a word costs none
BROKEN_RATIO = 8.0  # one bit of the wider side of FINN's converter


class StreamingDataWidthConverter_rtl(Module, rtl_ops.StreamingDataWidthConverter_rtl):
    """A width converter."""

    abstract = StreamingDataWidthConverter
    title = "width converter"
    is_mapped = False

    @property
    def rtl_module(self) -> str | None:  # type: ignore[override]  # it depends on the widths
        """Name of our module; None if the converter is FINN's."""
        in_bits, out_bits = self.get_nodeattr("inWidth"), self.get_nodeattr("outWidth")
        if out_bits > in_bits and out_bits % in_bits == 0:
            return "stream_widen"
        if in_bits > out_bits and in_bits % out_bits == 0:
            return "stream_narrow"
        return None

    @property
    def is_ours(self) -> bool:
        """Whether one width divides the other."""
        return self.rtl_module is not None

    @classmethod
    def connect(cls, model: ModelWrapper) -> ModelWrapper:
        """Put converters between words of different widths."""
        return _split_broken_ratios(_insert_beat_converter(model).transform(InsertDWC()))

    def get_exp_cycles(self) -> int:
        """Return the words of a frame on the side that has more of them."""
        bits = int(np.prod(self.get_nodeattr("inShape"))) * self.get_input_datatype().bitwidth()
        return int(bits // min(self.get_nodeattr("inWidth"), self.get_nodeattr("outWidth")))

    def name(self, walk: Walk) -> str:
        """Return a name after the layer that takes the words.

        It ends in `_words` for the words of a window that has slid, and in `_in` for those that the
        layer takes; `_wide` follows where another converter does.
        """
        layer = walk.next_layer
        slid = walk.stream.startswith((f"{layer}_window", f"{layer}_words"))
        (follower,) = walk.model.find_direct_successors(self.onnx_node)
        wide = "_wide" if follower.op_type == self.onnx_node.op_type else ""
        return f"{layer}_{'words' if slid else 'in'}{wide}"

    def instance(self, model: ModelWrapper, place: Place) -> str:
        """Return our converter, or FINN's generated one."""
        in_bits, out_bits = self.get_nodeattr("inWidth"), self.get_nodeattr("outWidth")
        if self.rtl_module is None:
            return finn_instance(self, place)
        if self.rtl_module == "stream_widen":
            parameters = {"InBits": in_bits, "Ratio": out_bits // in_bits}
        else:
            parameters = {"OutBits": out_bits, "Ratio": in_bits // out_bits}
        return sv_instance(self.rtl_module, place.name, parameters, stream_ports(place))


def converter(in_width: int, out_width: int) -> float:
    """Return the LUTs of a width converter; 0 where none is needed."""
    both = math.lcm(in_width, out_width)
    if both > MOST_JOINED_BITS:
        return CONTROL + BROKEN_RATIO * max(in_width, out_width)
    widening = CONTROL if both != in_width else 0.0
    narrowing = CONTROL + NARROW_BIT * both if both != out_width else 0.0
    return widening + narrowing


def _insert_beat_converter(model: ModelWrapper) -> ModelWrapper:
    """Put a converter before a first layer that does not take words of one beat."""
    first = model.graph.node[0]
    width = getCustomOp(first).get_instream_width()
    if width == BEAT_BITS or kind_of(first).takes_beats:
        return model
    source, taken = first.input[0], f"{first.input[0]}_words"
    shape = model.get_tensor_shape(source)
    node = _node(source, taken, shape=shape, widths=(BEAT_BITS, width), datatype=PIXEL_TYPE)
    first.input[0] = taken
    model.graph.node.insert(0, node)
    _declare(model, taken, shape, PIXEL_TYPE)
    return model


def _split_broken_ratios(model: ModelWrapper) -> ModelWrapper:
    """Convert between widths of which neither divides the other in two steps, through both."""
    for node in model.get_nodes_by_op_type("StreamingDataWidthConverter"):
        op = getCustomOp(node)
        in_bits, out_bits = op.get_nodeattr("inWidth"), op.get_nodeattr("outWidth")
        both = math.lcm(in_bits, out_bits)
        if both in (in_bits, out_bits) or both > MOST_JOINED_BITS:
            continue
        sink, joined = node.output[0], f"{node.output[0]}_joined"
        shape, datatype = model.get_tensor_shape(sink), op.get_nodeattr("dataType")
        second = _node(joined, sink, shape=shape, widths=(both, out_bits), datatype=datatype)
        node.output[0] = joined
        op.set_nodeattr("outWidth", both)
        model.graph.node.insert(list(model.graph.node).index(node) + 1, second)
        _declare(model, joined, shape, datatype)
    return model


def _node(
    source: str, sink: str, *, shape: list[int], widths: tuple[int, int], datatype: str
) -> Any:
    return helper.make_node(
        "StreamingDataWidthConverter",
        [source],
        [sink],
        domain=ABSTRACT_DOMAIN,
        backend="fpgadataflow",
        name=f"StreamingDataWidthConverter_{sink}",
        inShape=shape,
        outShape=shape,
        inWidth=widths[0],
        outWidth=widths[1],
        dataType=datatype,
    )


def _declare(model: ModelWrapper, tensor: str, shape: list[int], datatype: str) -> None:
    """Give a new tensor its shape and type."""
    model.graph.value_info.append(helper.make_tensor_value_info(tensor, TensorProto.FLOAT, shape))
    model.set_tensor_datatype(tensor, DataType[datatype])
