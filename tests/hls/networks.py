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

    def __init__(self, pixels: int, seed: int = 1) -> None:
        self.random = np.random.default_rng(seed)
        self.shape = [1, pixels]
        self.nodes: list[onnx.NodeProto] = []
        self.constants: list[onnx.TensorProto] = []
        self.last = "pixels"
        self.pixels = pixels

    def node(self, op: str, *constants: np.ndarray, domain: str = "", **attributes: Any) -> str:
        """Append a node that reads the last tensor and some constants."""
        inputs = [self.last, *(self.constant(value) for value in constants)]
        self.last = f"tensor{len(self.nodes)}"
        self.nodes.append(helper.make_node(op, inputs, [self.last], domain=domain, **attributes))
        return self.last

    def constant(self, value: np.ndarray) -> str:
        """Add a constant and return its name."""
        name = f"constant{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(np.asarray(value, np.float32), name))
        return name

    def binarize(self) -> Network:
        """Append a sign, +1 from 0 on."""
        self.node("BipolarQuant", np.array(1.0), domain="qonnx.custom_op.general")
        return self

    def threshold_pixels(self) -> Network:
        """Append the comparison that makes the input binary."""
        self.node("Sub", np.array(THRESHOLD - 0.5))
        return self.binarize()

    def matrix(self, outputs: int, bits: int = 1) -> Network:
        """Append a matrix of +1 and -1, or of integers of more bits."""
        shape = (self.shape[1], outputs)
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
        product = f"product{len(self.nodes)}"
        self.nodes += [quant, helper.make_node("MatMul", [self.last, quantized], [product])]
        self.last = product
        self.shape[1] = outputs
        return self

    def normalize(self) -> Network:
        """Append a batch norm whose threshold lies between two sums."""
        width = self.shape[1]
        middle = self.random.integers(-3, 4, width) * 2.0 + 1.0
        gain = self.random.uniform(0.5, 2.0, width)
        ones = np.ones(width)
        self.node("BatchNormalization", gain, 0 * ones, middle, ones, epsilon=1e-5)
        return self

    def scale(self) -> Network:
        """Append the last layer's scale."""
        self.node("Mul", np.array(0.125))
        return self

    def save(self, folder: Path) -> Path:
        """Write model.onnx and model.json to a folder and return it."""
        folder.mkdir(parents=True, exist_ok=True)
        graph = helper.make_graph(
            self.nodes,
            "network",
            [helper.make_tensor_value_info("pixels", TensorProto.FLOAT, [1, self.pixels])],
            [helper.make_tensor_value_info(self.last, TensorProto.FLOAT, self.shape)],
            self.constants,
        )
        opsets = [helper.make_opsetid("", 17), helper.make_opsetid("qonnx.custom_op.general", 1)]
        onnx.save(helper.make_model(graph, opset_imports=opsets), str(folder / "model.onnx"))
        (folder / "model.json").write_text(json.dumps({"accuracy": 0.5, "images": 10000}))
        return folder


def perceptron(*widths: int, seed: int = 1) -> Network:
    """Return a binary perceptron: pixels, hidden widths, classes."""
    network = Network(widths[0], seed).threshold_pixels()
    for width in widths[1:-1]:
        network.matrix(width).normalize().binarize()
    return network.matrix(widths[-1]).scale()
