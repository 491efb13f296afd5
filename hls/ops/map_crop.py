"""The part of a map that windows cover: the module `stream_crop`.

It stands before a sliding window or a max-pool whose windows leave rows or columns over. These drop
them too, but not in time: the frame's label would leave while the layer before is still at work on
them, and the host may change that layer's weights as soon as no frame is under way.
"""

from __future__ import annotations

from typing import Any

import spinflow.hls.finn_env  # noqa: F401  # sets FINN up

# isort: split
from finn.custom_op.fpgadataflow.hwcustomop import HWCustomOp
from finn.custom_op.fpgadataflow.rtlbackend import RTLBackend
from onnx import TensorProto, helper
from qonnx.core.modelwrapper import ModelWrapper
from qonnx.custom_op.registry import getCustomOp

from spinflow.hls.cost import NOTHING, Cost
from spinflow.hls.ops.base import ABSTRACT_DOMAIN, Module, Op, Place, Walk
from spinflow.hls.ops.kinds import kind_of
from spinflow.hls.ops.map_node import MapNode
from spinflow.hls.ops.text import stream_ports, sv_instance
from spinflow.hls.shapes import Folding, LayerShape

CONTROL = 40.0
"""LUTs of the control of a crop."""


class MapCrop(MapNode, HWCustomOp):
    """The upper left part of a map."""

    def get_nodeattr_types(self) -> dict[str, Any]:
        """Return the attributes: ImgDim and OutDim are rows and columns, PE channels of a word."""
        return {
            **super().get_nodeattr_types(),
            "ImgDim": ("ints", True, []),
            "OutDim": ("ints", True, []),
            "Stride": ("ints", False, [1, 1]),
            "NumChannels": ("i", True, 0),
            "PE": ("i", True, 0),
            "dataType": ("s", True, ""),
        }

    def get_normal_input_shape(self, ind: int = 0) -> tuple[int, ...]:
        """Return the map's shape, channels last."""
        return (1, *self.get_nodeattr("ImgDim"), self.get_nodeattr("NumChannels"))

    def get_normal_output_shape(self, ind: int = 0) -> tuple[int, ...]:
        """Return the shape of what is kept."""
        return (1, *self.get_nodeattr("OutDim"), self.get_nodeattr("NumChannels"))

    def get_exp_cycles(self) -> int:
        """Return the words of a map that comes in, and one cycle for the last one kept."""
        return super().get_exp_cycles() + 1

    def execute_node(self, context: dict[str, Any], graph: Any) -> None:
        """Cut off what is left over, of any number of images."""
        rows, columns = self.get_nodeattr("OutDim")
        whole = context[self.onnx_node.input[0]]
        context[self.onnx_node.output[0]] = whole[:, :rows, :columns]


class MapCrop_rtl(Module, MapCrop, RTLBackend):
    """The crop in hardware."""

    abstract = MapCrop
    title = "what windows cover"
    order = -1
    is_mapped = False
    rtl_module = "stream_crop"

    def get_nodeattr_types(self) -> dict[str, Any]:
        """Return the attributes of the layer and of its backend."""
        return {**MapCrop.get_nodeattr_types(self), **RTLBackend.get_nodeattr_types(self)}

    @classmethod
    def connect(cls, model: ModelWrapper) -> ModelWrapper:
        """Put crops before windows that leave something over."""
        for node in list(model.graph.node):
            op = getCustomOp(node)
            part = op.covered() if isinstance(op, Op) else None
            if part is not None and part != op.map_sides():
                _crop(model, node, op, part)
        return model

    @staticmethod
    def cost(layer: LayerShape, folding: Folding) -> Cost:
        """Return the cost of the crops of a layer: before its window, and before its max-pool."""
        window, lut = layer.window, 0.0
        if window is None:
            return NOTHING
        if window.left_over:
            lut += CONTROL + folding.window_simd * layer.in_bits
        if window.out_rows % layer.pool or window.out_columns % layer.pool:
            lut += CONTROL + folding.pe
        return Cost(lut)

    def name(self, walk: Walk) -> str:
        """Return the layer's name with `_crop`, or with `_pool_crop` where a max-pool follows.

        For its sliding window the whole map is noted.
        """
        (follower,) = walk.model.find_direct_successors(self.onnx_node)
        if not kind_of(follower).leads:
            return f"{walk.layer}_pool_crop"
        rows, columns = self.get_nodeattr("ImgDim")
        across, along = self.get_nodeattr("Stride")
        walk.whole = (int(rows), int(columns), int(across), int(along))
        return f"{walk.next_layer}_crop"

    def instance(self, model: ModelWrapper, place: Place) -> str:
        """Return the crop."""
        rows, columns = self.get_nodeattr("ImgDim")
        out_rows, out_columns = self.get_nodeattr("OutDim")
        parameters = {
            "Rows": rows,
            "Columns": columns,
            "OutRows": out_rows,
            "OutColumns": out_columns,
            "Folds": self.get_nodeattr("NumChannels") // self.get_nodeattr("PE"),
            "Bits": self.get_instream_width(),
        }
        return sv_instance(self.rtl_module, place.name, parameters, stream_ports(place))


def _crop(model: ModelWrapper, node: Any, op: Any, part: tuple[int, int]) -> None:
    """Let a node have only a part of its map: rows and columns."""
    source, cropped = node.input[0], f"{node.input[0]}_cropped"
    shape, datatype = op.get_normal_input_shape(), op.get_input_datatype()
    kept = [1, *part, shape[-1]]
    strides = op.get_nodeattr("Stride") if "Stride" in op.get_nodeattr_types() else [1, 1]
    crop = helper.make_node(
        "MapCrop",
        [source],
        [cropped],
        domain=ABSTRACT_DOMAIN,
        backend="fpgadataflow",
        name=f"MapCrop_{node.name}",
        ImgDim=list(shape[1:3]),
        OutDim=list(part),
        Stride=list(strides),
        NumChannels=shape[-1],
        PE=op.get_folded_input_shape()[-1],
        dataType=datatype.name,
    )
    op.narrow(part)
    node.input[0] = cropped
    model.graph.node.insert(list(model.graph.node).index(node), crop)
    model.graph.value_info.append(helper.make_tensor_value_info(cropped, TensorProto.FLOAT, kept))
    model.set_tensor_datatype(cropped, datatype)
