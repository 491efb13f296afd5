"""Reads a chain of binary layers from a QONNX graph, whatever its exporter's habits are.

The graph is followed from its input. Of the tensor at hand is known what its elements are before
scales and offsets (pixels, bits or sums of products), which function of them it holds, and where
each element comes from. So scales, batch norms, reshapes and transposes cost nothing: they change
what is known, until a sign makes bits of it. What has no place in such a chain is refused by the
layer's name, with what would work.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from onnx import helper
from qonnx.core.modelwrapper import ModelWrapper
from qonnx.custom_op.general.quant import quant
from qonnx.transformation.fold_constants import FoldConstants
from qonnx.util.cleanup import cleanup_model

from spinflow.hls import graph
from spinflow.hls.foreign.chain import PIXEL_CODES, Chain, Matrix, Pool
from spinflow.hls.foreign.values import Floats, ForeignError, Given, Value, affine

DROPPED = {"Identity", "Dropout", "Cast"}
"""Operators that change no value."""

SHAPING = {"Reshape", "Flatten", "Squeeze", "Unsqueeze", "Transpose"}
AT_THE_END = {"Softmax", "LogSoftmax", "Sigmoid"}
"""Operators that keep the order of the classes."""


def read(path: Path, numbers: Floats | None = None) -> Reading:
    """Read a network from a QONNX file.

    Args:
        path: the file.
        numbers: what the network expects for a pixel of each value 0 to 255, shape (256,) or
            (channels, 256); the pixels themselves if None.

    Raises:
        ForeignError: it cannot be taken.
        BuildError: the file is no whole graph.
    """
    model = ModelWrapper(graph.read(path))
    codes = np.arange(PIXEL_CODES, dtype=np.float64)
    return Reading(cleaned(model, path), codes if numbers is None else numbers)


def cleaned(model: ModelWrapper, path: Path) -> ModelWrapper:
    """Return a graph with its constants computed and its shapes known."""
    try:
        # Weights that a quantiser makes of floats are constants, too.
        return cleanup_model(model).transform(FoldConstants(exclude_op_types=[]))
    except Exception as error:  # qonnx raises whatever its libraries do
        raise ForeignError(f"{path}: its constants or shapes cannot be computed: {error}") from None


class Reading:
    """The reading of one graph.

    Attributes:
        model: the graph, as it is executed for comparison.
        chain: what was read.
        notes: what a user should look at.
    """

    def __init__(self, model: ModelWrapper, numbers: Floats) -> None:
        self.model = model
        self._numbers = np.atleast_2d(numbers)
        self._layers: list[Matrix | Pool] = []
        self._threshold: int | None = None
        self._replaced: npt.NDArray[np.uint8] | None = None
        self._counts = {"conv": 0, "fc": 0}
        self._input_shape: tuple[int, ...] = ()
        self.notes: list[str] = []
        self.chain = self._follow()

    # --- the walk ---------------------------------------------------------------------------------

    def _follow(self) -> Chain:
        constants = {tensor.name for tensor in self.model.graph.initializer}
        inputs = [t.name for t in self.model.graph.input if t.name not in constants]
        if len(inputs) != 1:
            raise ForeignError(f"it has {len(inputs)} inputs; one, of the pixels, is expected")
        name = inputs[0]
        shape = tuple(self.model.get_tensor_shape(name))
        if shape[0] != 1 or len(shape) not in (2, 4):
            raise ForeignError(
                f"its input has the shape {shape}; (1, inputs) or (1, channels, rows, columns) "
                "is expected: export it for one image"
            )
        inner = shape[1:]
        self._input_shape = inner
        table = np.broadcast_to(self._numbers, (inner[0] if len(inner) == 3 else 1, PIXEL_CODES))
        if len(inner) == 1 and len(self._numbers) > 1:
            raise ForeignError("numbers for each channel need an input of (1, channels, ...)")
        value = Value("pixels", np.arange(np.prod(inner)).reshape(inner), inner, table)
        final: Value | None = None
        for node in self._path(name):
            if node.op_type in ("TopK", "ArgMax"):
                break
            value = self._step(node, value)
            final = value
        assert final is not None
        return self._chain(final)

    def _path(self, name: str) -> list[Any]:
        """Return the nodes from the input to the output; refuse a fork."""
        found = []
        last = self.model.graph.output[0].name
        while name != last:
            users = self.model.find_consumers(name) or []
            if len(users) != 1:
                raise ForeignError(
                    f"{self._place()}: {len(users)} operators take one tensor, and branches have "
                    "no place in the hardware: a plain chain of layers works"
                )
            found.append(users[0])
            name = users[0].output[0]
        return found

    def _place(self) -> str:
        last = next((x for x in reversed(self._layers) if isinstance(x, Matrix)), None)
        return f"after {last.name}" if last else "before the first layer"

    def _step(self, node: Any, value: Value) -> Value:
        op = node.op_type
        if op in DROPPED or op in AT_THE_END:
            return value
        if op in SHAPING:
            return self._reshaped(node, value)
        if op in ("Add", "Sub", "Mul", "Div", "Neg", "BatchNormalization"):
            return self._scaled(node, value)
        if op in ("BipolarQuant", "MultiThreshold", "Quant", "IntQuant"):
            return self._quantised(node, value)
        if op in ("Clip", "HardTanh"):
            return replace(value, clipped=True)
        if op in ("MatMul", "Gemm", "Conv"):
            return self._multiplied(node, value)
        if op == "MaxPool":
            return self._pooled(node, value)
        remedy = {
            "Relu": "a sign (Brevitas: QuantIdentity with bit_width=1) works in its place",
            "Sign": "it makes 0 of 0: BipolarQuant, as Brevitas exports signs, works",
        }.get(op, "layers of ±1, batch norm, sign, max-pool and reshape work")
        raise ForeignError(f"{self._place()}: operator {op} has no place in the hardware; {remedy}")

    # --- what a node does to what is known --------------------------------------------------------

    def _constant(self, node: Any, place: int, what: str) -> npt.NDArray[Any]:
        found = self.model.get_initializer(node.input[place])
        if found is None:
            raise ForeignError(f"{self._place()}: {what} of {node.op_type} is no constant")
        return np.asarray(found)

    def _reshaped(self, node: Any, value: Value) -> Value:
        shape = tuple(self.model.get_tensor_shape(node.output[0]))
        index = value.index
        if node.op_type == "Transpose":
            order = list(helper.get_attribute_value(node.attribute[0]))
            if order[0] != 0:
                raise ForeignError(f"{self._place()}: a Transpose moves the batch's place")
            index = index.transpose([axis - 1 for axis in order[1:]])
        if shape[0] != 1:
            raise ForeignError(f"{self._place()}: a reshape to {shape} splits an image")
        return replace(value, index=index.reshape(shape[1:]))

    def _by_channel(self, node: Any, constant: npt.NDArray[Any], value: Value) -> Floats:
        """Return a constant as a number for each channel of what the tensor is a function of."""
        shape = (1, *value.index.shape)
        constant = np.asarray(constant, np.float64)
        try:
            spread = np.broadcast_to(constant, shape)[0].reshape(-1)
        except ValueError:
            raise ForeignError(
                f"{self._place()}: {node.op_type} has a constant of the shape {constant.shape} for "
                f"{shape}"
            ) from None
        channels = value.index.reshape(-1) // value.per_channel
        found = np.zeros(value.channels)
        found[channels] = spread
        if not np.array_equal(found[channels], spread):
            raise ForeignError(
                f"{self._place()}: {node.op_type} differs between positions of a channel; a number "
                "for each channel works"
            )
        return found

    def _scaled(self, node: Any, value: Value) -> Value:
        if node.op_type == "Neg":
            return affine(value, -np.ones(value.channels), np.zeros(value.channels))
        if node.op_type == "BatchNormalization":
            scale, bias, mean, variance = (
                self._constant(node, i, "a parameter").astype(np.float64) for i in range(1, 5)
            )
            epsilon = next((a.f for a in node.attribute if a.name == "epsilon"), 1e-5)
            gain = scale / np.sqrt(variance + epsilon)
            return self._with(node, value, gain, bias - mean * gain)
        swapped = self.model.get_initializer(node.input[0]) is not None
        constant = self._constant(node, 0 if swapped else 1, "an operand")
        by_channel = self._by_channel(node, constant, value)
        one, zero = np.ones(value.channels), np.zeros(value.channels)
        if node.op_type == "Add":
            return affine(value, one, by_channel)
        if node.op_type == "Sub":
            return affine(value, -one, by_channel) if swapped else affine(value, one, -by_channel)
        if node.op_type == "Mul":
            return affine(value, by_channel, zero)
        if swapped or not by_channel.all():
            raise ForeignError(f"{self._place()}: a division by 0 or by what is computed")
        return affine(value, 1.0 / by_channel, zero)

    def _with(self, node: Any, value: Value, gain: Floats, offset: Floats) -> Value:
        """Apply a batch norm's numbers, one for each channel of the tensor itself."""
        axes = [1] * (value.index.ndim - 1)
        spread = (self._by_channel(node, x.reshape(1, -1, *axes), value) for x in (gain, offset))
        return affine(value, *spread)

    def _quantised(self, node: Any, value: Value) -> Value:
        if node.op_type == "MultiThreshold":
            return self._thresholded(node, value)
        scale = self._constant(node, 1, "the scale")
        if node.op_type == "BipolarQuant":
            return self._signs(node, value, float(scale.reshape(-1)[0]), 0.0, scale)
        zero, bits = (self._constant(node, i, "a parameter") for i in (2, 3))
        settings = {a.name: helper.get_attribute_value(a) for a in node.attribute}
        width = int(bits.reshape(-1)[0])
        if value.kind != "pixels":
            kind = f"{'INT' if settings.get('signed', 1) else 'UINT'}{width}"
            raise ForeignError(
                f"{self._place()}: activations of {kind}; the hardware has bits: retrain with "
                "QuantIdentity(bit_width=1, quant_type=BINARY)"
            )
        assert value.table is not None
        table = quant(
            value.table.astype(np.float32),
            scale.reshape(-1)[0],
            zero.reshape(-1)[0],
            bits.reshape(-1)[0],
            settings.get("signed", 1),
            settings.get("narrow", 0),
            (settings.get("rounding_mode", b"ROUND")).decode(),
        )
        return replace(value, table=np.asarray(table, np.float64))

    def _thresholded(self, node: Any, value: Value) -> Value:
        edges = self._constant(node, 1, "the thresholds").astype(np.float64)
        settings = {a.name: helper.get_attribute_value(a) for a in node.attribute}
        scale, bias = settings.get("out_scale", 1.0), settings.get("out_bias", 0.0)
        if value.kind == "pixels" and edges.shape[1] > 1:
            assert value.table is not None
            passed = (value.table[:, :, None] >= edges[:, None, :]).sum(axis=2)
            return replace(value, table=scale * passed + bias)
        if edges.shape[1] != 1:
            raise ForeignError(
                f"{self._place()}: activations of {edges.shape[1] + 1} values; the hardware has "
                "bits: retrain with bit_width=1"
            )
        axes = [1] * (value.index.ndim - 1)
        edge = self._by_channel(node, edges.reshape(1, -1, *axes), value)
        shifted = affine(value, np.ones(value.channels), -edge)
        return self._signs(node, shifted, scale / 2, bias + scale / 2, np.asarray(scale))

    def _signs(
        self, node: Any, value: Value, gain: float, offset: float, scale: npt.NDArray[Any]
    ) -> Value:
        """Make bits of a tensor: +1 where it is 0 or more."""
        if np.unique(scale).size != 1 or gain == 0:
            raise ForeignError(f"{self._place()}: bits have scales that differ")
        source = node.output[0]
        if value.kind == "pixels":
            shape, index = value.shape, value.index
            self._threshold_of_pixels(value)
        elif value.kind == "bits":
            raise ForeignError(f"{self._place()}: a sign of bits; one of them is too many")
        else:
            shape, index = value.shape, value.index
            self._give_thresholds(value, source)
        channels = shape[0]
        return Value(
            "bits", index, shape, gain=np.full(channels, gain), offset=np.full(channels, offset)
        )

    def _threshold_of_pixels(self, value: Value) -> None:
        assert value.table is not None
        bits = value.table >= 0
        steps = np.unique(bits, axis=0)
        rising = np.maximum.accumulate(steps, axis=1)
        if len(steps) != 1 or not np.array_equal(rising, steps):
            raise ForeignError(
                "before the first layer: pixels become bits in another way than by one threshold "
                "for all channels"
            )
        self._threshold = int(PIXEL_CODES - steps[0].sum())
        if self._threshold in (0, 1, PIXEL_CODES):
            self.notes.append(
                f"the threshold of pixels is {self._threshold}: all or nearly all pixels become "
                "one bit; is --input right?"
            )

    def _give_thresholds(self, value: Value, source: str) -> None:
        """Give the last matrix its thresholds: gain * sum + offset >= 0."""
        place = len(self._layers) - 1
        while isinstance(self._layers[place], Pool):
            place -= 1
        layer = self._layers[place]
        assert isinstance(layer, Matrix) and value.gain is not None and value.offset is not None
        gain, offset = value.gain, value.offset
        axes = (slice(None), *[None] * (layer.weights.ndim - 1))
        weights = np.where(gain[axes] < 0, -layer.weights, layer.weights).astype(np.int8)
        least = int(np.prod(layer.weights.shape[1:])) * (PIXEL_CODES if place == 0 else 1)
        with np.errstate(divide="ignore", invalid="ignore"):
            edges = np.ceil(-offset / np.abs(gain))
        edges = np.where(gain == 0, np.where(offset >= 0, -np.inf, np.inf), edges)
        thresholds = np.clip(edges, -least, least + 1).astype(np.int64)
        pooled = place < len(self._layers) - 1
        self._layers[place] = replace(
            layer, weights=weights, thresholds=thresholds, source="" if pooled else source
        )
        if pooled:
            last = self._layers[-1]
            assert isinstance(last, Pool)
            self._layers[-1] = replace(last, source=source)

    def _multiplied(self, node: Any, value: Value) -> Value:
        if value.kind == "sums":
            raise ForeignError(
                f"{self._place()}: no sign before the next layer; its inputs must be bits"
            )
        kind = "conv" if node.op_type == "Conv" else "fc"
        name = f"{kind}{self._counts[kind]}"
        self._counts[kind] += 1
        settings = {a.name: helper.get_attribute_value(a) for a in node.attribute}
        given = self._weights(node, name)
        bias = np.zeros(1)
        if len(node.input) > 2 and node.input[2]:
            bias = self._constant(node, 2, "the bias").astype(np.float64).reshape(-1)
            bias = bias * settings.get("beta", 1.0)
        if kind == "fc":
            if node.op_type == "MatMul" or not settings.get("transB", 0):
                given = given.T
            given = given * settings.get("alpha", 1.0)
        scale = np.abs(given.reshape(len(given), -1))
        if scale.size == 0 or np.any(scale != scale[:, :1]) or np.any(scale == 0):
            found = np.unique(np.abs(given)).size + (0 if np.all(given) else 1)
            raise ForeignError(
                f"{name} has weights of {'several magnitudes' if found > 1 else 'value 0'}; the "
                "hardware takes ±1: retrain with weight_bit_width=1 (binary)"
            )
        weights = np.where(given > 0, 1, -1).astype(np.int8)
        gain_out = scale[:, 0].copy()
        layer = Given(name, weights, gain_out, bias, node.output[0])
        if kind == "fc":
            return self._dense(layer, value)
        return self._convolved(layer, value, settings)

    def _weights(self, node: Any, name: str) -> Floats:
        found = self.model.get_initializer(node.input[1])
        if found is None:
            raise ForeignError(
                f"{name} has weights that are computed, not given: constant weights work"
            )
        return np.asarray(found, np.float64)

    def _inputs(self, name: str, value: Value) -> tuple[float, float]:
        """Return gain and offset that all inputs of a layer share; state the codes of pixels."""
        if value.kind == "bits":
            assert value.gain is not None and value.offset is not None
            gains, offsets = np.unique(value.gain), np.unique(value.offset)
            if len(gains) != 1 or len(offsets) != 1:
                raise ForeignError(f"{name}: its input bits have scales that differ by channel")
            return float(gains[0]), float(offsets[0])
        assert value.table is not None
        tables = np.unique(value.table, axis=0)
        if len(tables) != 1:
            raise ForeignError(
                f"{name}: pixels are scaled differently in each channel, which its weights of ±1 "
                "cannot make up for: one scale for all channels works"
            )
        table = tables[0]
        steps = np.diff(table)
        if np.allclose(steps, steps[0], rtol=1e-9, atol=0) and steps[0] > 0:
            return float(steps[0]), float(table[0])
        return self._replace_codes(name, table)

    def _replace_codes(self, name: str, table: Floats) -> tuple[float, float]:
        """Let pixels be replaced by other codes, so that these are scaled evenly."""
        levels = np.unique(table)
        unit = np.diff(levels).min() if len(levels) > 1 else 0.0
        codes = np.round((table - levels[0]) / unit) if unit else np.zeros(PIXEL_CODES)
        exact = np.allclose(codes * unit + levels[0], table, rtol=1e-6, atol=abs(unit) * 1e-6)
        if not unit or not exact or codes.max() >= PIXEL_CODES:
            raise ForeignError(f"{name}: its input is no scaled form of 256 codes")
        self._replaced = codes.astype(np.uint8)
        return float(unit), float(levels[0])

    def _dense(self, layer: Given, value: Value) -> Value:
        name, weights = layer.name, layer.weights
        if weights.shape[1] != value.index.size:
            raise ForeignError(f"{name} takes {weights.shape[1]} inputs of {value.index.size}")
        gain, offset = self._inputs(name, value)
        ordered = np.empty_like(weights)
        ordered[:, value.index.reshape(-1)] = weights
        self._layers.append(Matrix(name, ordered, source=layer.output))
        return layer.sums((len(weights),), gain, offset)

    def _convolved(self, layer: Given, value: Value, settings: dict[str, Any]) -> Value:
        name, weights = layer.name, layer.weights
        if value.index.ndim != 3 or not np.array_equal(
            value.index.reshape(-1), np.arange(value.index.size)
        ):
            raise ForeignError(f"{name} takes a map whose places were moved")
        if settings.get("group", 1) != 1 or any(d != 1 for d in settings.get("dilations", [1])):
            raise ForeignError(
                f"{name} has groups or dilation: the hardware has plain convolutions only"
            )
        if settings.get("auto_pad", b"NOTSET") not in (b"NOTSET", b"VALID"):
            raise ForeignError(f"{name} leaves its padding open: export it in numbers")
        pads = tuple(settings.get("pads", [0, 0, 0, 0]))
        gain, offset = self._inputs(name, value)
        if any(pads) and (value.kind == "bits" or offset != 0 or self._replaced is not None):
            inputs = "+1 or -1" if value.kind == "bits" else "never 0"
            raise ForeignError(
                f"{name} pads with 0, and its inputs are {inputs}: pad with -1 before the "
                "convolution, or train without padding"
            )
        stride = tuple(settings.get("strides", [1, 1]))
        edges = (int(pads[0]), int(pads[1]), int(pads[2]), int(pads[3]))
        step = (int(stride[0]), int(stride[1]))
        self._layers.append(Matrix(name, weights, step, edges, source=layer.output))
        shape = tuple(self.model.get_tensor_shape(layer.output))[1:]
        return layer.sums(shape, gain, offset)

    def _pooled(self, node: Any, value: Value) -> Value:
        if value.kind == "pixels" or value.index.ndim != 3:
            raise ForeignError(f"{self._place()}: a max-pool of pixels; one of bits works")
        assert value.gain is not None
        settings = {a.name: helper.get_attribute_value(a) for a in node.attribute}
        sizes = {*settings["kernel_shape"], *settings.get("strides", [1, 1])}
        if len(sizes) != 1 or any(settings.get("pads", [0])) or settings.get("ceil_mode", 0):
            raise ForeignError(
                f"{self._place()}: a max-pool whose windows are not square or overlap; windows of "
                "2x2 with stride 2, say, work"
            )
        if value.kind == "bits" and np.any(value.gain < 0):
            raise ForeignError(f"{self._place()}: a max-pool of bits with a negative scale")
        self._layers.append(Pool(int(sizes.pop()), node.output[0]))
        shape = tuple(self.model.get_tensor_shape(node.output[0]))[1:]
        return replace(value, index=np.arange(np.prod(shape)).reshape(shape), shape=shape)

    def _chain(self, final: Value) -> Chain:
        last = self._layers[-1] if self._layers else None
        if final.kind != "sums" or not isinstance(last, Matrix) or last.is_convolution:
            raise ForeignError(
                f"{self._place()}: it ends with {final.kind}; a fully connected last layer that "
                "gives a number for each class is expected"
            )
        assert final.gain is not None and final.offset is not None
        gain, offset = final.gain, final.offset
        if np.unique(gain).size != 1 or gain[0] <= 0:
            raise ForeignError(
                f"{last.name}, the last layer, scales each class by another number: one scale for "
                "all, or an offset for each, works"
            )
        offsets = None if np.unique(offset).size == 1 else (offset - offset.min()) / gain[0]
        return Chain(
            self._input_shape,
            self._threshold,
            self._replaced,
            tuple(self._layers),
            offsets,
            tuple(self.notes),
        )
