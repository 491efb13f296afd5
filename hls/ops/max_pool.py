"""Square max-pool of a map of bits, windows side by side: the module `bin_maxpool`."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import spinflow.hls.finn_env  # noqa: F401  # sets FINN up

# isort: split
from finn.custom_op.fpgadataflow.hwcustomop import HWCustomOp
from finn.custom_op.fpgadataflow.rtlbackend import RTLBackend
from onnx import helper
from qonnx.core.modelwrapper import ModelWrapper
from qonnx.transformation.infer_datatypes import InferDataTypes

from spinflow.hls.cost import NOTHING, Cost, lut_ram
from spinflow.hls.ops.base import ABSTRACT_DOMAIN, BINARY_TYPES, Module, Place, Walk
from spinflow.hls.ops.map_node import MapNode
from spinflow.hls.ops.text import stream_ports, sv_instance
from spinflow.hls.paths import BuildError
from spinflow.hls.shapes import Folding, LayerShape
from spinflow.host.core import description

CONTROL = 40.0
"""LUTs of the control of a max-pool."""


class BinaryMaxPool(MapNode, HWCustomOp):
    """The OR of each window; what is left over beside the last whole one is cut off."""

    def get_nodeattr_types(self) -> dict[str, Any]:
        """Return the attributes: ImgDim is rows and columns of the input."""
        return {
            **super().get_nodeattr_types(),
            "ImgDim": ("ints", True, []),
            "NumChannels": ("i", True, 0),
            "PE": ("i", True, 0),
            "Size": ("i", True, 0),
            "dataType": ("s", True, ""),
        }

    def get_normal_input_shape(self, ind: int = 0) -> tuple[int, ...]:
        """Return the map's shape, channels last."""
        return (1, *self.get_nodeattr("ImgDim"), self.get_nodeattr("NumChannels"))

    def get_normal_output_shape(self, ind: int = 0) -> tuple[int, ...]:
        """Return the pooled map's shape."""
        size = self.get_nodeattr("Size")
        return (
            1,
            *(side // size for side in self.get_nodeattr("ImgDim")),
            self.get_nodeattr("NumChannels"),
        )

    def execute_node(self, context: dict[str, Any], graph: Any) -> None:
        """Take the largest value of each window, of any number of images."""
        feature_map = context[self.onnx_node.input[0]]
        _, rows, columns, channels = self.get_normal_output_shape()
        size = self.get_nodeattr("Size")
        whole = feature_map[:, : rows * size, : columns * size]
        windows = whole.reshape(-1, rows, size, columns, size, channels)
        context[self.onnx_node.output[0]] = windows.max(axis=(2, 4))


class BinaryMaxPool_rtl(Module, BinaryMaxPool, RTLBackend):
    """The max-pool in hardware."""

    abstract = BinaryMaxPool
    title = "max-pool"
    order = 3
    is_boundary = True
    changes_map = True
    rtl_module = "bin_maxpool"

    def get_nodeattr_types(self) -> dict[str, Any]:
        """Return the attributes of the layer and of its backend."""
        return {**BinaryMaxPool.get_nodeattr_types(self), **RTLBackend.get_nodeattr_types(self)}

    @classmethod
    def infer(cls, model: ModelWrapper) -> ModelWrapper:
        """Make each max-pool of bits one node; FINN would make a sliding window and a pool of it.

        Raises:
            BuildError: of what is pooled, or of the windows.
        """
        for node in model.get_nodes_by_op_type("MaxPoolNHWC"):
            nodes = list(model.graph.node)
            source, sink = node.input[0], node.output[0]
            pool = helper.make_node(
                "BinaryMaxPool",
                [source],
                [sink],
                domain=ABSTRACT_DOMAIN,
                backend="fpgadataflow",
                name=f"BinaryMaxPool_{node.name}",
                ImgDim=list(model.get_tensor_shape(source)[1:3]),
                NumChannels=model.get_tensor_shape(source)[3],
                PE=1,
                Size=_size(model, node),
                dataType=model.get_tensor_datatype(source).name,
            )
            model.graph.node.insert(nodes.index(node), pool)
            model.graph.node.remove(node)
        return model.transform(InferDataTypes())

    def extend(self, shape: LayerShape) -> LayerShape:
        """Let the layer's map be pooled before it is kept."""
        return replace(shape, pool=self.get_nodeattr("Size"))

    @staticmethod
    def cost(layer: LayerShape, folding: Folding) -> Cost:
        """Return the cost of the row of windows that are open."""
        if layer.pool == 1:
            return NOTHING
        columns = layer.window.out_columns if layer.window else 1
        depth = columns // layer.pool * (layer.mh // folding.pe)
        return Cost(CONTROL + lut_ram(folding.pe, depth))

    def map_sides(self) -> tuple[int, int]:
        """Return the rows and columns of the map."""
        rows, columns = self.get_nodeattr("ImgDim")
        return int(rows), int(columns)

    def covered(self) -> tuple[int, int]:
        """Return the rows and columns that fill windows."""
        size = self.get_nodeattr("Size")
        rows, columns = (side - side % size for side in self.map_sides())
        return rows, columns

    def narrow(self, part: tuple[int, int]) -> None:
        """Take a map that windows fill."""
        self.set_nodeattr("ImgDim", list(part))

    def name(self, walk: Walk) -> str:
        """Return the name of the convolution before it, with pool for conv."""
        return walk.layer.replace("conv", "pool")

    def layer(self, walk: Walk, name: str) -> description.MaxPool:
        """Return the max-pool."""
        _, rows, columns, channels = self.get_normal_output_shape()
        return description.MaxPool(
            name, self.get_nodeattr("Size"), (rows, columns, channels), buffer=None
        )

    def describe(self, layer: description.Layer) -> str:
        """Return the size of a window."""
        size = self.get_nodeattr("Size")
        return f"{size} x {size} pixels to one"

    def instance(self, model: ModelWrapper, place: Place) -> str:
        """Return the max-pool."""
        rows, columns = self.get_nodeattr("ImgDim")
        pe = self.get_nodeattr("PE")
        parameters = {
            "Rows": rows,
            "Columns": columns,
            "Folds": self.get_nodeattr("NumChannels") // pe,
            "Pe": pe,
            "Size": self.get_nodeattr("Size"),
        }
        return sv_instance(self.rtl_module, place.name, parameters, stream_ports(place))


def _size(model: ModelWrapper, node: Any) -> int:
    """Return the side of a max-pool's windows, checked."""
    nodes = list(model.graph.node)
    before = sum("MatMul" in other.op_type for other in nodes[: nodes.index(node)])
    place = f"max-pool after layer conv{before - 1}"
    source = node.input[0]
    if str(model.get_tensor_datatype(source)) not in BINARY_TYPES:
        raise BuildError(f"{place} does not take bits: it must come after the layer's threshold")
    _, rows, columns, _ = model.get_tensor_shape(source)
    stated = {a.name: helper.get_attribute_value(a) for a in node.attribute}
    size, *other = {*stated["kernel_shape"], *stated["strides"]}
    rounded_up = stated.get("ceil_mode", 0) and (rows % size or columns % size)
    if other or any(stated.get("pads", [])) or rounded_up:
        raise BuildError(
            f"{place}: windows must be square, side by side, without padding; what is left over is "
            "cut off"
        )
    return int(size)
