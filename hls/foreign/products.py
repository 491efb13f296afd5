"""Layers of weights: dense ones and convolutions, in all forms in which exporters write them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
from onnx import NodeProto

from spinflow.hls.foreign.chain import PIXEL_CODES, Integers, Matrix
from spinflow.hls.foreign.values import (
    Floats,
    ForeignError,
    Given,
    Margin,
    Value,
    Window,
    counted,
)
from spinflow.hls.foreign.walk import Step, Walk, settings_of

_CLOSE = 1e-6
"""Two scales that differ by no more than this part are one: floats of 32 bits say no more."""

_LEVELS = 128
"""Most magnitudes of weights that are taken for integers."""

_NO_MARGIN = Margin((0, 0, 0, 0), 0.0)


@dataclass(frozen=True)
class Inputs:
    """What a layer's inputs are: gain * side * element + offset, in each channel.

    Attributes:
        gain: the same for all.
        offset: shape (channels,).
        sides: +1 or -1, shape (channels,); a -1 turns over the weights of its channel.
    """

    gain: float
    offset: Floats
    sides: npt.NDArray[np.int8]


def multiplied(walk: Walk, node: NodeProto, value: Value) -> Value:
    """Follow MatMul, Gemm, XnorPopcountMatMul or Conv."""
    if value.kind == "sums":
        raise walk.refuse(
            f"no sign before the next layer{_clipped(value)}; its inputs must be bits: "
            "QuantIdentity(bit_width=1, quant_type=BINARY) before it works"
        )
    settings = settings_of(node)
    is_conv = node.op_type == "Conv" or value.window is not None or value.index.ndim == 3
    name = walk.name("conv" if is_conv else "fc")
    weights = _matrix(walk, node, name, value, settings)
    bias = np.zeros(len(weights))
    if len(node.input) > 2 and node.input[2]:
        bias = walk.constant(node, 2, "the bias").astype(np.float64).reshape(-1)
        bias = bias * settings.get("beta", 1.0)
    if bias.size != len(weights) and (bias.size != 1 or node.op_type == "Conv"):
        raise ForeignError(f"{name} has {bias.size} biases for {len(weights)} outputs")
    layer = _binary(name, weights, bias, node.output[0])
    counts = node.op_type == "XnorPopcountMatMul"
    if counts:
        # It multiplies bits as ±1, whatever they stand for, and counts the products that are +1.
        value = replace(value, gain=np.ones(value.channels), offset=np.zeros(value.channels))
    if node.op_type == "Conv":
        return _convolved(walk, layer, value, _window(name, value, settings, weights))
    if is_conv:
        made = _windows(walk, layer, value)
    else:
        made = _dense(walk, layer, value)
        made = replace(made, index=made.index.reshape(walk.shape(node.output[0])[1:]))
    if counts:
        gain, offset = made.affine
        return replace(made, gain=gain / 2, offset=(offset + weights.shape[1]) / 2)
    return made


def _clipped(value: Value) -> str:
    return f" ({value.clipper} is none)" if value.clipper else ""


def _matrix(
    walk: Walk, node: NodeProto, name: str, value: Value, settings: dict[str, Any]
) -> Floats:
    """Return the weights: (outputs, inputs), or (outputs, channels, rows, columns)."""
    found = walk.model.get_initializer(node.input[1])
    if found is None:
        raise ForeignError(
            f"{name} has weights that are computed, not given, as attention has: constant weights "
            "work"
        )
    given: Floats = np.asarray(found, np.float64)
    if not np.isfinite(given).all():
        raise ForeignError(f"{name} has weights that are NaN or infinite: numbers are expected")
    if node.op_type == "Conv":
        if given.ndim != 4:
            raise ForeignError(f"{name} is a convolution in {given.ndim - 2} dimensions: 2 work")
        return given
    if given.ndim != 2 or settings.get("transA", 0):
        raise ForeignError(f"{name} has weights of the shape {given.shape}: a matrix is expected")
    if node.op_type != "Gemm" or not settings.get("transB", 0):
        given = given.T
    given = given * settings.get("alpha", 1.0)
    if node.op_type == "XnorPopcountMatMul":
        bits = value.affine if value.kind == "bits" else (np.zeros(1), np.zeros(1))
        if not np.all(bits[0] == 0.5) or not np.all(bits[1] == 0.5):
            raise ForeignError(f"{name}, an XnorPopcountMatMul, has inputs that are not 0 and 1")
        given = 2 * given - 1
    return np.asarray(given)


def _binary(name: str, given: Floats, bias: Floats, output: str) -> Given:
    """Return weights as ±1 with their scales; refuse others by what they are."""
    rows = np.abs(given.reshape(len(given), -1))
    scale = rows.max(axis=1, initial=0.0)
    if rows.size == 0 or not np.all(scale):
        raise ForeignError(f"{name} has an output whose weights are all 0: weights of ±1 work")
    if not np.allclose(rows, scale[:, None], rtol=_CLOSE, atol=0):
        raise ForeignError(
            f"{name} has {_type_of(rows / scale[:, None])}; the hardware takes ±1: retrain with "
            "weight_bit_width=1 (binary, one scale for each output)"
        )
    return Given(name, np.where(given > 0, 1, -1).astype(np.int8), scale, bias, output)


def _type_of(parts: Floats) -> str:
    """Return in words what weights are, from their sizes as parts of the largest."""
    for levels in range(1, _LEVELS + 1):
        numbers = parts * levels
        if np.allclose(numbers, np.rint(numbers), rtol=0, atol=1e-4):
            return f"weights of INT{levels.bit_length() + 1}"
    return "weights that are floats"


def _inputs(walk: Walk, name: str, value: Value) -> Inputs:
    """Return gain and offsets of a layer's inputs; state the codes of pixels."""
    if value.kind == "bits":
        gain, offset = value.affine
        gains = np.abs(gain[np.unique(value.index // value.per_channel)])
        if not np.allclose(gains, gains[0], rtol=_CLOSE, atol=0) or gains[0] == 0:
            raise ForeignError(
                f"{name}: its input bits have scales that differ by channel: one scale works"
            )
        return Inputs(float(gains[0]), offset, np.where(gain < 0, -1, 1).astype(np.int8))
    assert value.table is not None
    table = value.table
    steps = np.diff(table, axis=1)
    step = float(steps[0, 0])
    if step and np.allclose(steps, step, rtol=_CLOSE, atol=0):
        return Inputs(step, table[:, 0], np.ones(len(table), np.int8))
    return _replace_codes(walk, name, table)


def _replace_codes(walk: Walk, name: str, table: Floats) -> Inputs:
    """Let pixels be replaced by other codes, so that these are scaled evenly."""
    low, high = table.min(axis=1), table.max(axis=1)
    extent = high - low
    if not np.allclose(extent, extent[0], rtol=_CLOSE, atol=0):
        raise ForeignError(
            f"{name}: pixels are scaled differently in each channel, which its weights of ±1 "
            "cannot make up for: one deviation for all channels works"
        )
    for most in range(1, PIXEL_CODES):
        unit = extent[0] / most
        codes = np.rint((table - low[:, None]) / unit) if unit else table
        if not unit:
            break
        if np.all(np.abs(codes * unit + low[:, None] - table) <= _CLOSE * extent[0]):
            if np.any(codes != codes[0]):
                raise ForeignError(
                    f"{name}: pixels are rounded differently in each channel: one table of codes "
                    "for all channels works"
                )
            walk.codes = codes[0].astype(np.uint8)
            return Inputs(float(unit), low, np.ones(len(table), np.int8))
    raise ForeignError(
        f"{name}: its input is no scaled form of 256 codes: pixels scaled evenly, or rounded to 8 "
        "bits, work"
    )


def _spread(numbers: npt.NDArray[Any], index: Integers, per_channel: int) -> npt.NDArray[Any]:
    """Return numbers by channel, or one for all, for each input of a dense layer."""
    if len(numbers) == 1:
        return np.full(index.size, numbers[0])
    return np.asarray(numbers[index // per_channel])


def _dense(walk: Walk, layer: Given, value: Value) -> Value:
    name, weights = layer.name, layer.weights
    if value.margin is not None:
        raise ForeignError(f"{name}: padding before a fully connected layer; before a convolution")
    if weights.shape[1] != value.index.size:
        raise ForeignError(f"{name} takes {weights.shape[1]} inputs of {value.index.size}")
    index, inputs = value.index.reshape(-1), _inputs(walk, name, value)
    shift = weights @ _spread(inputs.offset, index, value.per_channel)
    each = weights * _spread(inputs.sides, index, value.per_channel)
    if value.members is not None:
        each = np.repeat(each, value.members.shape[1], axis=1)
        index = value.members[index].reshape(-1)
    if not np.array_equal(np.sort(index), np.arange(index.size)):
        raise ForeignError(f"{name} takes some of its inputs twice and others not at all")
    ordered = np.empty_like(each)
    ordered[:, index] = each
    walk.layers.append(Matrix(name, ordered, source=layer.output))
    shape = (len(weights),)
    return layer.sums(shape, counted(shape), inputs.gain, shift)


def _window(name: str, value: Value, settings: dict[str, Any], weights: Floats) -> Window:
    """Return the windows of a Conv."""
    for what, wrong in (
        (f"{settings.get('group', 1)} groups", settings.get("group", 1) != 1),
        ("dilation", any(step != 1 for step in settings.get("dilations", [1]))),
    ):
        if wrong:
            raise ForeignError(
                f"{name} has {what}; the hardware has plain convolutions: retrain with groups=1 "
                "and dilation=1"
            )
    if settings.get("auto_pad", b"NOTSET") not in (b"NOTSET", b"VALID"):
        raise ForeignError(f"{name} leaves its padding open: export it in numbers")
    pads = [int(size) for size in settings.get("pads", [0, 0, 0, 0])]
    stride = [int(size) for size in settings.get("strides", [1, 1])]
    margin = _NO_MARGIN if value.margin is None else value.margin
    if any(pads):
        if any(margin.edges) and margin.value != 0:
            raise ForeignError(f"{name} pads with 0 around a Pad with another value: one works")
        top, left, bottom, right = (a + b for a, b in zip(margin.edges, pads, strict=True))
        margin = Margin((top, left, bottom, right), 0.0)
    kernel = (int(weights.shape[2]), int(weights.shape[3]))
    return Window(kernel, (stride[0], stride[1]), margin)


def _windows(walk: Walk, layer: Given, value: Value) -> Value:
    """Follow a matrix on windows that lie side by side, the channels of a map last."""
    channels, rows, columns = value.shape if len(value.shape) == 3 else (0, 0, 0)
    moved = value.index.ndim == 3 and value.index.shape == (rows, columns, channels)
    if not moved:
        raise ForeignError(f"{layer.name} takes windows of a map whose channels are not last")
    window = value.window or Window((1, 1), (1, 1), _NO_MARGIN)
    height, width = window.kernel
    if layer.weights.shape[1] != height * width * channels:
        raise ForeignError(
            f"{layer.name} takes {layer.weights.shape[1]} inputs of {height * width * channels}"
        )
    weights = layer.weights.reshape(-1, height, width, channels).transpose(0, 3, 1, 2)
    plain = replace(value, index=value.index.transpose(2, 0, 1), window=None)
    made = _convolved(walk, replace(layer, weights=weights), plain, window)
    return replace(made, index=made.index.transpose(1, 2, 0))


def _convolved(walk: Walk, layer: Given, value: Value, window: Window) -> Value:
    name, weights = layer.name, layer.weights
    if value.members is not None:
        raise ForeignError(
            f"{name} takes averages of bits: an average right before a fully connected layer works"
        )
    if not value.in_order or len(value.shape) != 3:
        raise ForeignError(f"{name} takes a map whose places were moved")
    if value.kind == "bits" and not walk.layers:
        value = _codes_of_bits(walk, value)
    channels, rows, columns = value.shape
    if weights.shape[1] != channels:
        raise ForeignError(f"{name} takes {weights.shape[1]} channels of {channels}")
    inputs = _inputs(walk, name, value)
    edges = window.margin.edges
    fill = -1
    if max(edges[0], edges[2]) >= weights.shape[2] or max(edges[1], edges[3]) >= weights.shape[3]:
        raise ForeignError(
            f"{name} pads by {list(edges)} with kernels of {weights.shape[2]}x{weights.shape[3]}: "
            "less than the kernel works"
        )
    if any(edges):
        fill = _filled(name, value, inputs, window.margin.value)
    height = (rows + edges[0] + edges[2] - weights.shape[2]) // window.stride[0] + 1
    width = (columns + edges[1] + edges[3] - weights.shape[3]) // window.stride[1] + 1
    turned = weights * inputs.sides[None, :, None, None]
    walk.layers.append(Matrix(name, turned, window.stride, edges, fill=fill, source=layer.output))
    walk.before[name] = value.shape
    each = weights.sum(axis=(2, 3), dtype=np.int64)
    offset: npt.NDArray[Any] = np.broadcast_to(inputs.offset, (channels,))
    shape = (len(weights), height, width)
    return layer.sums(shape, counted(shape), inputs.gain, each @ offset)


def _codes_of_bits(walk: Walk, value: Value) -> Value:
    """Return bits of pixels as a table of pixels, since a first convolution takes pixels."""
    gain, offset = (np.broadcast_to(part, (value.channels,)) for part in value.affine)
    assert walk.threshold is not None
    codes = np.arange(PIXEL_CODES) if walk.codes is None else walk.codes
    sides = np.where(codes >= walk.threshold, 1, -1)
    walk.codes = walk.threshold = None
    table = gain[:, None] * sides + offset[:, None]
    return replace(value, kind="pixels", table=table, gain=None, offset=None)


def _filled(name: str, value: Value, inputs: Inputs, number: float) -> int:
    """Return what the hardware pads with, where the graph pads with a number."""
    units = np.unique(np.round((number - inputs.offset) / (inputs.gain * inputs.sides), 5))
    if value.kind == "pixels":
        if len(units) == 1 and units[0] == 0:
            return -1
        raise ForeignError(
            f"{name} pads with {number:g}, and its inputs are never 0 there: it is no pixel 0; pad "
            "before pixels are scaled, or train without padding"
        )
    if len(units) == 1 and units[0] in (-1, 0):
        return int(units[0])
    what = "+1" if len(units) == 1 and units[0] == 1 else f"{number:g}, which is none of its bits"
    raise ForeignError(f"{name} pads bits with {what}: padding with -1 or with 0 works")


STEPS: dict[str, Step] = dict.fromkeys(("MatMul", "Gemm", "XnorPopcountMatMul", "Conv"), multiplied)
