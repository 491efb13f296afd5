"""Networks as others write them: small QONNX graphs with the habits of several exporters."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import NodeProto, TensorProto, helper, numpy_helper, save

from spinflow.hls.foreign import compare, qonnx_reader, scores, writer
from spinflow.hls.foreign.chain import Chain
from spinflow.hls.foreign.numbers import numbers_of

MODELS = Path(os.environ.get("SPINFLOW_MODELS", Path(__file__).parents[3] / "shared" / "models"))
"""Where trained networks of others lie that are not part of this repository."""


def model_file(name: str) -> Path:
    """A file or folder of MODELS; the test is skipped if it is not there."""
    path = MODELS / name
    if not path.exists():
        pytest.skip(f"{path} is not here: SPINFLOW_MODELS names the folder of such files")
    return path


def held(path: Path, form: str, images: Any) -> Chain:
    """Read a file, hold it against its own execution and against what is written of it.

    Returns:
        The chain; the images get more than one label by it.
    """
    numbers = numbers_of(form).table
    reading = qonnx_reader.read(path, numbers)
    found = compare.with_qonnx(reading.model, reading.chain, images, numbers, reading.places)
    # Not even ties: no float lies so near a threshold that it could hide one that is wrong.
    assert not found.differences, found.differences[0]
    sums = reading.chain.run(images)
    chain, _ = scores.settled(reading.chain, lambda: sums)
    labels = chain.labels(sums)
    assert np.array_equal(labels, found.labels)
    written = path.with_suffix(".written.onnx")
    onnx.save(writer.to_qonnx(chain), str(written))
    again = qonnx_reader.read(written).chain
    assert np.array_equal(again.labels(again.run(images)), labels)
    assert len(np.unique(sums, axis=0)) > 1
    return chain


class Graph:
    """A QONNX graph that is written node by node."""

    def __init__(self, seed: int = 1) -> None:
        self.rng = np.random.default_rng(seed)
        self.nodes: list[NodeProto] = []
        self.constants: list[TensorProto] = []

    def constant(self, values: Any, kind: type = np.float32) -> str:
        name = f"c{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(np.asarray(values, kind), name))
        return name

    def made(self, op: str, inputs: list[str], outputs: list[str], **attributes: Any) -> NodeProto:
        """A node with several outputs, which is not yet in the graph."""
        return helper.make_node(op, inputs, outputs, **attributes)

    def node(self, op: str, *inputs: str, domain: str = "", **attributes: Any) -> str:
        name = f"t{len(self.nodes)}"
        self.nodes.append(helper.make_node(op, [*inputs], [name], domain=domain, **attributes))
        return name

    def sign(self, tensor: str, scale: float = 1.0) -> str:
        return self.node("BipolarQuant", tensor, self.constant(scale), domain="onnx.brevitas")

    def weights(self, *shape: int, scale: float = 1.0) -> str:
        return self.sign(self.constant(self.rng.normal(size=shape)), scale)

    def norm(self, tensor: str, channels: int, spread: float = 5.0) -> str:
        """A batch norm with gains of both signs, whose threshold lies among the sums."""
        gain = self.rng.choice([-1.0, 1.0], channels) * self.rng.uniform(0.3, 1.5, channels)
        parts = (gain, self.rng.normal(0, 0.3, channels), self.rng.normal(0, spread, channels))
        variance = self.rng.uniform(5.0, 50.0, channels)
        names = [self.constant(values) for values in (*parts, variance)]
        return self.node("BatchNormalization", tensor, *names, epsilon=1e-5)

    def save(
        self, path: Path, shape: tuple[Any, ...], output: str, classes: int, opset: int = 13
    ) -> Path:
        """Write the file; a size of the shape may be a name, which leaves it open."""
        label = any(n.op_type in ("ArgMax", "TopK") and output in n.output for n in self.nodes)
        kind = TensorProto.INT64 if label else TensorProto.FLOAT
        graph = helper.make_graph(
            self.nodes,
            "foreign",
            [helper.make_tensor_value_info("in", TensorProto.FLOAT, list(shape))],
            [helper.make_tensor_value_info(output, kind, [shape[0], classes])],
            self.constants,
        )
        opsets = [helper.make_opsetid("onnx.brevitas", 1), helper.make_opsetid("", opset)]
        save(helper.make_model(graph, opset_imports=opsets, ir_version=8), str(path))
        return path


def dense(path: Path, seed: int = 1) -> Path:
    """28 x 28 pixels in [0, 1], two hidden layers, one habit after the other."""
    g = Graph(seed)
    flat = g.node("Reshape", "in", g.constant([1, -1], np.int64))
    centred = g.node("Sub", g.node("Mul", flat, g.constant(2.0)), g.constant([1.0]))
    first = g.node("MatMul", g.sign(centred), g.node("Transpose", g.weights(23, 784), perm=[1, 0]))
    clipped = g.node("Clip", g.norm(first, 23, 20.0), g.constant(-1.0), g.constant(1.0))
    bias = g.constant(g.rng.normal(0, 2, 11))
    second = g.node("Gemm", g.sign(clipped, 0.5), g.weights(11, 23, scale=0.1), bias, transB=1)
    scales = g.constant(g.rng.uniform(0.5, 2.0, (1, 11)))
    last = g.node("Gemm", g.sign(g.node("Div", second, scales)), g.weights(10, 11), transB=1)
    scaled = g.node("Add", g.node("Mul", last, g.constant(0.25)), g.constant([-1.5]))
    return g.save(path, (1, 1, 28, 28), g.node("LogSoftmax", scaled, axis=1), 10)


def convolutional(path: Path, seed: int = 1) -> Path:
    """28 x 28 pixels, 3x3 kernels, pooled before one sign and after another, then dense."""
    g = Graph(seed)
    first = g.norm(g.node("Conv", "in", g.weights(6, 1, 3, 3), kernel_shape=[3, 3]), 6, 300.0)
    bits = g.sign(g.node("MaxPool", first, kernel_shape=[2, 2], strides=[2, 2]))
    kernel: dict[str, Any] = {"kernel_shape": [4, 4], "strides": [1, 1]}
    second = g.norm(g.node("Conv", bits, g.weights(8, 6, 4, 4), **kernel), 8)
    pooled = g.node("MaxPool", g.sign(second), kernel_shape=[2, 2], strides=[2, 2])
    flat = g.node("Flatten", g.node("Transpose", pooled, perm=[0, 2, 3, 1]), axis=1)
    last = g.node("MatMul", flat, g.weights(200, 5))
    return g.save(path, (1, 1, 28, 28), last, 5)
