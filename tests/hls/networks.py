"""Small networks in QONNX, of the form that model/export.py writes, made without training."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

THRESHOLD = 100
"""Least pixel that is a 1."""


class Network:
    """A QONNX file under construction: one tensor at a time, each node reading the last."""

    def __init__(self, *shape: int, seed: int = 1) -> None:
        """Begin with the input: its pixels, or its channels, rows and columns."""
        self.random = np.random.default_rng(seed)
        self.shape = [1, *shape]
        self.nodes: list[onnx.NodeProto] = []
        self.constants: list[onnx.TensorProto] = []
        self.last = "pixels"
        self.input_shape = list(self.shape)

    def node(
        self, op: str, *constants: np.ndarray | str, domain: str = "", **attributes: Any
    ) -> str:
        """Append a node that reads the last tensor and some constants or named tensors."""
        inputs = [
            self.last,
            *(value if isinstance(value, str) else self.constant(value) for value in constants),
        ]
        self.last = f"tensor{len(self.nodes)}"
        self.nodes.append(helper.make_node(op, inputs, [self.last], domain=domain, **attributes))
        return self.last

    def constant(self, value: np.ndarray, kind: type = np.float32) -> str:
        """Add a constant and return its name."""
        name = f"constant{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(np.asarray(value, kind), name))
        return name

    def binarize(self) -> Network:
        """Append a sign, +1 from 0 on."""
        self.node("BipolarQuant", np.array(1.0), domain="qonnx.custom_op.general")
        return self

    def table(self, codes: np.ndarray) -> Network:
        """Append a table of the bytes, 256 whole numbers from 0 to 255."""
        self.node("Cast", to=TensorProto.INT64)
        indices, self.last = self.last, self.constant(codes)
        self.node("Gather", indices, axis=0)
        return self

    def threshold_pixels(self) -> Network:
        """Append the comparison that makes the input binary."""
        self.node("Sub", np.array(THRESHOLD - 0.5))
        return self.binarize()

    def matrix(self, outputs: int, bits: int = 1) -> Network:
        """Append a matrix of +1 and -1, or of integers of more bits."""
        quantized = self._weights((self.shape[1], outputs), bits)
        self.node("MatMul", quantized)
        self.shape[1] = outputs
        return self

    def convolution(self, channels: int, size: int | tuple[int, int], **attributes: Any) -> Network:
        """Append a convolution of +1 and -1; a size is the side of a square kernel."""
        sides = (size, size) if isinstance(size, int) else size
        self.node("Conv", self._weights((channels, self.shape[1], *sides)), **attributes)
        pads = attributes.get("pads", [0, 0, 0, 0])
        strides = attributes.get("strides", [1, 1])
        self.shape[1] = channels
        for axis in (0, 1):
            room = self.shape[2 + axis] + pads[axis] + pads[axis + 2] - sides[axis]
            self.shape[2 + axis] = room // strides[axis] + 1
        return self

    def pad(self, value: float, *pads: int, mode: str = "constant") -> Network:
        """Append padding: top, left, bottom, right."""
        top, left, bottom, right = pads
        amounts = self.constant(np.array([0, 0, top, left, 0, 0, bottom, right]), np.int64)
        self.node("Pad", amounts, np.array(value), mode=mode)
        self.shape[2] += top + bottom
        self.shape[3] += left + right
        return self

    def max_pool(self, size: int = 2, stride: int | None = None) -> Network:
        """Append a square max-pool."""
        stride = stride or size
        self.node("MaxPool", kernel_shape=[size, size], strides=[stride, stride])
        self.shape[2:] = [(side - size) // stride + 1 for side in self.shape[2:]]
        return self

    def flatten(self) -> Network:
        """Append the step from a map to a row, channel first as in training."""
        self.node("Flatten", axis=1)
        self.shape = [1, int(np.prod(self.shape))]
        return self

    def _weights(self, shape: tuple[int, ...], bits: int = 1) -> str:
        """Add random weights and their quantizer; return the quantized tensor's name."""
        weights = self.constant(self.random.standard_normal(shape))
        quantized = f"weights{len(self.nodes)}"
        domain = "qonnx.custom_op.general"
        if bits == 1:
            scale = self.constant(np.array(1.0))
            quant = helper.make_node("BipolarQuant", [weights, scale], [quantized], domain=domain)
        else:
            inputs = [weights, *(self.constant(np.array(value)) for value in (1.0, 0.0, bits))]
            quant = helper.make_node(
                "Quant", inputs, [quantized], domain=domain, signed=1, narrow=0,
                rounding_mode="ROUND",
            )  # fmt: skip
        self.nodes.append(quant)
        return quantized

    def normalize(self, spread: int = 6) -> Network:
        """Append a batch norm whose threshold, up to ``spread`` from 0, lies between two sums."""
        width = self.shape[1]
        middle = self.random.integers(-spread, spread + 1, width) + 0.5
        gain = self.random.uniform(0.5, 2.0, width)
        ones = np.ones(width)
        self.node("BatchNormalization", gain, 0 * ones, middle, ones, epsilon=1e-5)
        return self

    def scale(self) -> Network:
        """Append the last layer's scale."""
        self.node("Mul", np.array(0.125))
        return self

    def scores(self, gain: Any, offset: Any) -> Network:
        """Append a factor and a summand for each class."""
        self.node("Mul", np.reshape(gain, (1, -1)))
        self.node("Add", np.reshape(offset, (1, -1)))
        return self

    def save(self, folder: Path) -> Path:
        """Write model.onnx and model.json to a folder and return it."""
        folder.mkdir(parents=True, exist_ok=True)
        graph = helper.make_graph(
            self.nodes,
            "network",
            [helper.make_tensor_value_info("pixels", TensorProto.FLOAT, self.input_shape)],
            [helper.make_tensor_value_info(self.last, TensorProto.FLOAT, self.shape)],
            self.constants,
        )
        opsets = [helper.make_opsetid("", 17), helper.make_opsetid("qonnx.custom_op.general", 1)]
        onnx.save(helper.make_model(graph, opset_imports=opsets), str(folder / "model.onnx"))
        (folder / "model.json").write_text(
            json.dumps({"dataset": "mnist", "accuracy": 0.5, "images": 10000})
        )
        return folder


def perceptron(*widths: int, seed: int = 1) -> Network:
    """Return a binary perceptron: pixels, hidden widths, classes."""
    network = Network(widths[0], seed=seed).threshold_pixels()
    for width in widths[1:-1]:
        network.matrix(width).normalize().binarize()
    return network.matrix(widths[-1]).scale()


def convolutional(
    shape: tuple[int, int, int],
    layers: list[tuple[int, int, bool]],
    *widths: int,
    seed: int = 1,
) -> Network:
    """Return a binary convolutional network on pixels.

    Args:
        shape: channels, rows and columns of the input.
        layers: of each convolution: channels, kernel side, whether a max-pool follows.
        widths: of the fully connected layers, the last being the classes.
        seed: of the weights.
    """
    network = Network(*shape, seed=seed)
    for number, (channels, size, pooled) in enumerate(layers):
        network.convolution(channels, size)
        network.normalize(spread=200 if number == 0 else 6).binarize()
        if pooled:
            network.max_pool()
    network.flatten()
    for width in widths[:-1]:
        network.matrix(width).normalize().binarize()
    return network.matrix(widths[-1]).scale()


def padded_convolutions() -> Network:
    """Return a network of every kind of convolution and padding, small.

    Pixels 8 x 8 x 2 -> 8 x 8 x 8 (padded all round) -> 8 x 8 x 8 (padded at the top and the right),
    pooled to 4 x 4 -> 4 x 4 x 16 (kernel 1 x 1) -> 2 x 2 x 12 -> 4 classes.
    """
    network = Network(2, 8, 8, seed=3)
    network.pad(0, 1, 1, 1, 1).convolution(8, 3).normalize(150).binarize()
    network.pad(-1, 2, 0, 0, 2).convolution(8, 3).normalize().binarize().max_pool()
    network.convolution(16, 1).normalize().binarize()
    network.convolution(12, 3).normalize().binarize()
    return network.flatten().matrix(4).scale()


def zero_padded_convolutions() -> Network:
    """Return a network of every kind of convolution that pads bits with 0, small.

    Pixels 7 x 8 -> 7 x 8 x 5 -> 7 x 8 x 6 (padded all round; an odd number of channels, so that
    sums are even and odd) -> 6 x 8 x 8 (padded with -1), pooled to 3 x 4 -> 4 x 2 x 6 (padded
    unevenly, with a stride) -> 4 classes.
    """
    network = Network(1, 7, 8, seed=5)
    network.convolution(5, 3, pads=[1, 1, 1, 1]).normalize(150).binarize()
    network.convolution(6, 3, pads=[1, 1, 1, 1]).normalize(3).binarize()
    network.pad(-1, 0, 1, 1, 1).convolution(8, 3).normalize(3).binarize().max_pool()
    network.convolution(6, 3, pads=[2, 0, 1, 2], strides=[1, 2]).normalize(3).binarize()
    return network.flatten().matrix(4).scale()
