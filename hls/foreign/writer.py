"""Writes a chain as QONNX, in the form in which the flow takes networks of this kit.

The input is of pixels, UINT8; weights are ±1 and written as such; each threshold is a subtraction
before a BipolarQuant, half a unit below it, so that no sum can lie on it.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from onnx import ModelProto, NodeProto, TensorProto, helper, numpy_helper
from qonnx.core.datatype import DataType
from qonnx.core.modelwrapper import ModelWrapper
from qonnx.transformation.infer_shapes import InferShapes

from spinflow.hls.foreign.chain import PIXEL_CODES, Chain, Matrix, Pool

OPSET = 20
BREVITAS = "onnx.brevitas"


def to_qonnx(chain: Chain) -> ModelProto:
    """Return the QONNX graph of a chain.

    A dense network's input has the shape (1, pixels), in the order in which data sets have pixels;
    a convolutional one's (1, channels, rows, columns).
    """
    graph = _Graph()
    first = chain.layers[0]
    is_map = isinstance(first, Matrix) and first.is_convolution
    shape = (1, *chain.shape) if is_map else (1, int(np.prod(chain.shape)))
    tensor = _input(graph, chain)
    bits, maps = chain.threshold is not None, is_map
    for layer in chain.layers:
        if isinstance(layer, Pool):
            sizes: dict[str, Any] = {"kernel_shape": [layer.size] * 2, "strides": [layer.size] * 2}
            tensor = graph.node("MaxPool", [tensor], pads=[0] * 4, **sizes)
            continue
        if layer.is_convolution:
            tensor = _convolution(graph, layer, tensor, bits)
        else:
            if maps:
                count = int(layer.weights.shape[1])
                tensor = graph.node("Reshape", [tensor, graph.constant(np.array([1, count]))])
            moved = layer is first and len(chain.shape) == 3
            tensor = _dense(graph, layer, tensor, chain.shape if moved else None)
            maps = False
        if layer.thresholds is not None:
            tensor = graph.signs(tensor, layer.thresholds, 4 if layer.is_convolution else 2)
            bits = True
    for op, numbers in (("Mul", chain.gains), ("Add", chain.offsets)):
        if numbers is not None:
            row = numbers.reshape(1, -1).astype(np.float32)
            tensor = graph.node(op, [tensor, graph.constant(row)])
    return graph.model(shape, tensor, chain.classes)


def _input(graph: _Graph, chain: Chain) -> str:
    """Write what becomes of pixels before the first layer: other codes, bits."""
    tensor = "global_in"
    if chain.codes is not None and not np.array_equal(chain.codes, np.arange(PIXEL_CODES)):
        whole = graph.node("Cast", [tensor], to=TensorProto.INT64)
        codes = graph.constant(chain.codes.astype(np.float32))
        tensor = graph.node("Gather", [codes, whole], axis=0)
    if chain.threshold is not None:
        tensor = graph.signs(tensor, np.array([chain.threshold]), 1)
    return tensor


def _convolution(graph: _Graph, layer: Matrix, tensor: str, bits: bool) -> str:
    """Write a convolution; bits are padded with 0 by itself, with -1 by a Pad before it."""
    padding = list(layer.padding)
    if any(padding) and bits and layer.fill != 0:
        top, left, bottom, right = padding
        sizes = graph.constant(np.array([0, 0, top, left, 0, 0, bottom, right]))
        number = graph.constant(np.array(layer.fill, np.float32))
        tensor = graph.node("Pad", [tensor, sizes, number], mode="constant")
        padding = [0] * 4
    return graph.node(
        "Conv",
        [tensor, graph.quantised(graph.constant(layer.weights.astype(np.float32)))],
        kernel_shape=list(layer.weights.shape[2:]),
        strides=list(layer.stride),
        pads=padding,
        dilations=[1, 1],
        group=1,
    )


def _dense(graph: _Graph, layer: Matrix, tensor: str, moved: tuple[int, ...] | None) -> str:
    """Write a dense layer; its columns in the order of data sets, if it takes images as they are.

    Args:
        graph: that is written.
        layer: of weights.
        tensor: its input.
        moved: (channels, rows, columns) of images, whose pixels' channels lie together in the
            input; None if the columns stay as they are.
    """
    weights = layer.weights
    if moved is not None:
        weights = weights.reshape(-1, *moved).transpose(0, 2, 3, 1).reshape(len(weights), -1)
    bits = graph.quantised(graph.constant(weights.astype(np.float32)))
    return graph.node("Gemm", [tensor, bits], transB=1)


class _Graph:
    """A graph while it is written."""

    def __init__(self) -> None:
        self._nodes: list[NodeProto] = []
        self._constants: list[TensorProto] = []

    def constant(self, values: npt.NDArray[Any]) -> str:
        """Add a constant; return its name."""
        name = f"constant_{len(self._constants)}"
        self._constants.append(numpy_helper.from_array(values, name))
        return name

    def node(self, op: str, inputs: list[str], domain: str = "", **attributes: Any) -> str:
        """Add a node; return the name of what it makes."""
        name = f"{op}_{len(self._nodes)}"
        self._nodes.append(
            helper.make_node(op, inputs, [f"{name}_out"], name, domain=domain, **attributes)
        )
        return f"{name}_out"

    def quantised(self, tensor: str) -> str:
        """Add the sign of a tensor."""
        one = self.constant(np.array([1.0], np.float32))
        return self.node("BipolarQuant", [tensor, one], domain=BREVITAS)

    def signs(self, tensor: str, thresholds: npt.NDArray[Any], axes: int) -> str:
        """Add the test of a tensor against a threshold for each channel."""
        shape = (1, -1, *[1] * (axes - 2)) if axes > 1 else (-1,)
        edges = (thresholds - 0.5).astype(np.float32).reshape(shape)
        return self.quantised(self.node("Sub", [tensor, self.constant(edges)]))

    def model(self, shape: tuple[int, ...], output: str, classes: int) -> ModelProto:
        """Return the whole model."""
        graph = helper.make_graph(
            self._nodes,
            "spinflow",
            [helper.make_tensor_value_info("global_in", TensorProto.FLOAT, list(shape))],
            [helper.make_tensor_value_info(output, TensorProto.FLOAT, [1, classes])],
            self._constants,
        )
        opsets = [helper.make_opsetid("", OPSET), helper.make_opsetid(BREVITAS, 2)]
        made = ModelWrapper(helper.make_model(graph, opset_imports=opsets, ir_version=10))
        made.set_tensor_datatype("global_in", DataType["UINT8"])
        model: ModelProto = made.transform(InferShapes()).model
        return model
