"""Writes a drawn network as QONNX, with the habits of one exporter or another.

Weights are random; thresholds lie among the sums that they give, so that bits and labels differ
from image to image. Habits (a Gemm or a MatMul, a constant or a quantiser, a Flatten or a Reshape)
are drawn as well.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from onnx import TensorProto, helper, save

from spinflow.hls.foreign.numbers import numbers_of
from tests.drawn.recipe import Layer, Recipe
from tests.hls.foreign import Graph

Floats = npt.NDArray[np.float64]
TABLE = "table.txt"


def numbers(recipe: Recipe, folder: Path) -> str:
    """Return what `--input` has to say for a network; a table is written to a file."""
    if recipe.form != "table":
        return recipe.form
    rng = np.random.default_rng(recipe.number)
    # Codes of few bits, as of a quantiser that was part of the training.
    codes = np.sort(rng.integers(0, 32, 256)) / 32
    path = folder / TABLE
    path.write_text("\n".join(str(code) for code in codes))
    return str(path)


def write(recipe: Recipe, folder: Path) -> Path:
    """Write a network as source.onnx into a folder."""
    return Source(recipe, np.atleast_2d(numbers_of(numbers(recipe, folder)).table)).write(folder)


class Source:
    """A network while it is written."""

    def __init__(self, recipe: Recipe, table: Floats) -> None:
        self.recipe = recipe
        self.g = Graph(recipe.number)
        self.rng = self.g.rng
        self.tensor = "in"
        self.shape: tuple[int, ...] = recipe.shape
        # What an element is like: its values' mean and deviation; bits are ±unit.
        self.mean, self.deviation = float(table.mean()), float(table.std()) or 1.0
        self.dark = float(table[0, 0])
        self.unit = 1.0

    def write(self, folder: Path) -> Path:
        """Write it, and return the path."""
        self._begin()
        *hidden, last = self.recipe.layers
        for layer in hidden:
            self._matrix(layer)
            self._threshold(layer)
        self._last(last)
        path = folder / "source.onnx"
        self._save(path)
        return path

    def _node(self, op: str, *constants: Any, domain: str = "", **attributes: Any) -> None:
        names = [self.g.constant(values) for values in constants]
        self.tensor = self.g.node(op, self.tensor, *names, domain=domain, **attributes)

    def _maybe(self, share: float) -> bool:
        return bool(self.rng.random() < share)

    # --- the input --------------------------------------------------------------------------------

    def _begin(self) -> None:
        if self._maybe(0.2):
            self._node("Identity")
        if self.recipe.start == "codes":
            step, bits = 1 / 128, 8.0
            names = [self.g.constant(value) for value in (step, 0.0, bits)]
            settings = {"signed": 1, "narrow": int(self._maybe(0.5)), "rounding_mode": "ROUND"}
            domain = "onnx.brevitas"
            self.tensor = self.g.node("Quant", self.tensor, *names, domain=domain, **settings)
        elif self.recipe.start == "bits":
            middle = self.mean + self.deviation * self.rng.uniform(-0.8, 0.8)
            if self._maybe(0.3):
                self._node("Mul", 2.0)
                middle *= 2
            self._node("Sub", middle)
            self._sign()

    def _sign(self) -> None:
        """Make bits, by Brevitas's operator or FINN's."""
        if self._maybe(0.15):
            # As FINN's streamlining leaves it.
            edges = np.zeros((1, 1))
            domain = "qonnx.custom_op.general"
            settings = {"out_dtype": "BIPOLAR", "out_scale": 2.0, "out_bias": -1.0}
            self._node("MultiThreshold", edges, domain=domain, **settings)
            self.unit = 1.0
        else:
            self.unit = float(self.rng.choice([1.0, 1.0, 0.5, 0.1]))
            self.tensor = self.g.sign(self.tensor, self.unit)
        self.mean, self.deviation, self.dark = 0.0, self.unit, -self.unit

    # --- weights ----------------------------------------------------------------------------------

    def _weights(self, shape: tuple[int, ...], turned: bool) -> tuple[str, Floats, Floats]:
        """Make weights; return their name, their signs, and the scale of each output.

        Args:
            shape: outputs first.
            turned: whether the graph has the outputs last.
        """
        values = self.rng.normal(size=shape)
        signs = np.where(values >= 0, 1.0, -1.0)
        habit = self.rng.integers(4)
        scale = np.full(shape[0], [1.0, 0.25, 0.1, 1.0][habit])
        stored = values.T if turned else values
        if habit == 0:
            # Computed already, by whoever saved it.
            return self.g.constant(signs.T if turned else signs), signs, scale
        name = self.g.sign(self.g.constant(stored), float(scale[0]))
        if habit == 3:
            scale = self.rng.uniform(0.5, 2.0, shape[0]).astype(np.float32).astype(np.float64)
            spread = scale[None, :] if turned else scale.reshape(-1, *[1] * (len(shape) - 1))
            name = self.g.node("Mul", name, self.g.constant(spread))
        return name, signs, scale

    def _matrix(self, layer: Layer, bias: Floats | None = None) -> None:
        """Append a layer of weights; note what its sums are like."""
        if layer.kernel is None:
            self._flat()
            shape: tuple[int, ...] = (layer.outputs, math.prod(self.shape))
        else:
            shape = (layer.outputs, self.shape[0], *layer.kernel)
        turned = layer.kernel is None and self._maybe(0.4)
        name, signs, scale = self._weights(shape, turned)
        flat = signs.reshape(len(signs), -1)
        middle = self.mean * flat.sum(axis=1) * scale
        spread = self.deviation * math.sqrt(flat.shape[1]) * scale
        # The largest of a pool's sums lies higher.
        lifted = 0.8 if layer.pool else 0.0
        self.centre = middle + spread * self.rng.normal(lifted, 0.6, layer.outputs)
        extra = []
        if bias is not None or layer.norm == "bias":
            extra = [self.g.constant(-self.centre if bias is None else bias * spread.mean())]
        if layer.kernel is not None:
            self._convolution(layer, name, extra)
        elif turned and not extra:
            self.tensor = self.g.node("MatMul", self.tensor, name)
        else:
            where = int(not turned)
            self.tensor = self.g.node("Gemm", self.tensor, name, *extra, transB=where)
        if layer.kernel is None:
            self.shape = (layer.outputs,)
        self.spread = spread

    def _convolution(self, layer: Layer, name: str, extra: list[str]) -> None:
        assert layer.kernel is not None
        top, left, bottom, right = layer.padding
        pads = list(layer.padding)
        if any(pads) and layer.pad == "minus":
            amounts = self.g.constant([0, 0, top, left, 0, 0, bottom, right], np.int64)
            dark = self.g.constant(self.dark)
            self.tensor = self.g.node("Pad", self.tensor, amounts, dark, mode="constant")
            pads = [0] * 4
        settings: dict[str, Any] = {"kernel_shape": layer.kernel, "strides": layer.stride}
        self.tensor = self.g.node("Conv", self.tensor, name, *extra, pads=pads, **settings)
        room = self.shape[1] + top + bottom, self.shape[2] + left + right
        sides = (1 + (room[i] - layer.kernel[i]) // layer.stride[i] for i in (0, 1))
        self.shape = (layer.outputs, *sides)

    def _flat(self) -> None:
        """Make a row of a map, in the one order or the other."""
        if len(self.shape) == 1:
            return
        if self._maybe(0.3):
            self._node("Transpose", perm=[0, 2, 3, 1])
        if self._maybe(0.5):
            self._node("Flatten", axis=1)
        else:
            shape = self.g.constant([1, -1], np.int64)
            self.tensor = self.g.node("Reshape", self.tensor, shape)

    # --- thresholds -------------------------------------------------------------------------------

    def _threshold(self, layer: Layer) -> None:
        pool = layer.pool
        if pool is not None and pool.place == "sums":
            self._pool(layer)
        self._normed(layer.norm, self.centre, self.spread)
        if self._maybe(0.15):
            self._node("Dropout")
        if pool is not None and pool.place == "norm":
            self._pool(layer)
        if layer.clipped:
            self._node("Clip", -1.0, 1.0)
        self._sign()
        if pool is not None and pool.place == "bits":
            self._pool(layer)

    def _pool(self, layer: Layer) -> None:
        pool = layer.pool
        assert pool is not None
        self._node("MaxPool", kernel_shape=[pool.size] * 2, strides=[pool.stride] * 2)
        sides = (1 + (side - pool.size) // pool.stride for side in self.shape[1:])
        self.shape = (self.shape[0], *sides)

    def _normed(self, kind: str, centre: Floats, spread: Floats) -> None:
        """Shift sums, so that their centres become 0, and scale them."""
        count = len(centre)
        axes = (1, -1, *[1] * (len(self.shape) - 1))
        gain = self.rng.choice([-1.0, 1.0, 1.0], count) * self.rng.uniform(0.3, 1.5, count)
        if kind == "one gain":
            gain = np.full(count, 0.7)
        if kind in ("norm", "one gain"):
            variance = spread**2 * self.rng.uniform(0.5, 2.0, count)
            if kind == "one gain":
                variance = np.full(count, float(np.mean(spread**2)))
            parts = (gain, np.zeros(count), centre, variance)
            self._node("BatchNormalization", *parts, epsilon=1e-5)
        elif kind == "scale and shift":
            self._node("Mul" if self._maybe(0.5) else "Div", gain.reshape(axes))
            shift = centre * (gain if self.g.nodes[-1].op_type == "Mul" else 1 / gain)
            if self._maybe(0.5):
                self._node("Sub", shift.reshape(axes))
            else:
                self._node("Add", -shift.reshape(axes))

    # --- the end ----------------------------------------------------------------------------------

    def _last(self, layer: Layer) -> None:
        recipe = self.recipe
        bias = self.rng.normal(0, 0.7, layer.outputs) if recipe.end.startswith("bias") else None
        self._matrix(Layer(layer.outputs, norm="none"), bias)
        if recipe.end in ("one scale", "bias and scale"):
            self._node("Mul", 0.125)
            self._node("Add", -1.5)
        elif recipe.end == "norm of one gain":
            self._normed("one gain", self.centre, self.spread)
        elif recipe.end == "norm":
            gain = self.rng.uniform(0.3, 1.5, layer.outputs)
            shift = self.rng.normal(0, 0.7, layer.outputs)
            self._node("BatchNormalization", gain, shift, self.centre, self.spread**2, epsilon=1e-5)

    def _save(self, path: Path) -> None:
        classes, tail = self.recipe.layers[-1].outputs, self.recipe.tail
        kind, shape = TensorProto.FLOAT, [1, classes]
        outputs = self.tensor
        if tail == "ArgMax":
            outputs = self.g.node("ArgMax", self.tensor, axis=1, keepdims=0)
            kind, shape = TensorProto.INT64, [1]
        elif tail == "TopK":
            outputs = "label"
            one = self.g.constant([1], np.int64)
            node = helper.make_node("TopK", [self.tensor, one], ["best", outputs], axis=1)
            self.g.nodes.append(node)
            kind, shape = TensorProto.INT64, [1, 1]
        elif tail:
            outputs = self.g.node(tail, self.tensor, axis=1)
        graph = helper.make_graph(
            self.g.nodes,
            "drawn",
            [helper.make_tensor_value_info("in", TensorProto.FLOAT, [1, *self.recipe.shape])],
            [helper.make_tensor_value_info(outputs, kind, shape)],
            self.g.constants,
        )
        domains = {"": 13, "onnx.brevitas": 1, "qonnx.custom_op.general": 1}
        opsets = [helper.make_opsetid(*item) for item in domains.items()]
        save(helper.make_model(graph, opset_imports=opsets, ir_version=8), str(path))
