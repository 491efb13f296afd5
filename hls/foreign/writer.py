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

from spinflow.hls.foreign.chain import Chain, Matrix, Pool

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
    tensor = "global_in"
    if chain.threshold is not None:
        tensor = graph.signs(tensor, np.array([chain.threshold]), 1)
    maps = is_map
    for layer in chain.layers:
        if isinstance(layer, Pool):
            sizes: dict[str, Any] = {"kernel_shape": [layer.size] * 2, "strides": [layer.size] * 2}
            tensor = graph.node("MaxPool", [tensor], pads=[0] * 4, **sizes)
            continue
        weights = layer.weights
        if not layer.is_convolution and maps:
            count = int(weights.shape[1])
            tensor = graph.node("Reshape", [tensor, graph.constant(np.array([1, count]))])
            maps = False
        if not is_map and layer is first and len(chain.shape) == 3:
            # Columns in the order of data sets: the channels of a pixel together.
            weights = weights.reshape(-1, *chain.shape).transpose(0, 2, 3, 1)
            weights = weights.reshape(len(weights), -1)
        bits = graph.quantised(graph.constant(weights.astype(np.float32)))
        if layer.is_convolution:
            tensor = graph.node(
                "Conv",
                [tensor, bits],
                kernel_shape=list(weights.shape[2:]),
                strides=list(layer.stride),
                pads=list(layer.padding),
                dilations=[1, 1],
                group=1,
            )
        else:
            tensor = graph.node("Gemm", [tensor, bits], transB=1)
        if layer.thresholds is not None:
            tensor = graph.signs(tensor, layer.thresholds, 4 if layer.is_convolution else 2)
    return graph.model(shape, tensor, chain.classes)


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
