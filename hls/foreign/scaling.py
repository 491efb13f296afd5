"""What changes the function that a tensor is of its elements: scales, offsets, norms, clipping."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from onnx import NodeProto

from spinflow.hls.foreign.values import Floats, Value, affine
from spinflow.hls.foreign.walk import Step, Walk, settings_of


def scaled(walk: Walk, node: NodeProto, value: Value) -> Value:
    """Follow Add, Sub, Mul or Div with a constant."""
    swapped = walk.model.get_initializer(node.input[0]) is not None
    constant = walk.constant(node, 0 if swapped else 1, "an operand")
    by_channel = walk.by_channel(node, constant, value)
    one, zero = np.ones(value.channels), np.zeros(value.channels)
    if node.op_type == "Add":
        return affine(value, one, by_channel)
    if node.op_type == "Sub":
        return affine(value, -one, by_channel) if swapped else affine(value, one, -by_channel)
    if node.op_type == "Mul":
        return affine(value, by_channel, zero)
    if swapped or not by_channel.all():
        raise walk.refuse("a division by 0 or by what is computed")
    return affine(value, 1.0 / by_channel, zero)


def negated(walk: Walk, node: NodeProto, value: Value) -> Value:
    """Follow Neg."""
    return affine(value, -np.ones(value.channels), np.zeros(value.channels))


def normed(walk: Walk, node: NodeProto, value: Value) -> Value:
    """Follow a batch norm, whose numbers are for each channel of the tensor itself."""
    scale, bias, mean, variance = (
        walk.constant(node, i, "a parameter").astype(np.float64) for i in range(1, 5)
    )
    settings = settings_of(node)
    if not scale.shape == bias.shape == mean.shape == variance.shape:
        raise walk.refuse("a batch norm whose parameters have different sizes")
    if settings.get("training_mode", 0) or np.any(variance < 0):
        raise walk.refuse(
            "a batch norm that is still in training, or with a variance below 0: export it after "
            "model.eval()"
        )
    gain = scale / np.sqrt(variance + settings.get("epsilon", 1e-5))
    axes = [1] * (value.index.ndim - 1)
    parts = (gain, bias - mean * gain)
    spread = [walk.by_channel(node, part.reshape(1, -1, *axes), value) for part in parts]
    return affine(value, spread[0], spread[1])


def clipped(walk: Walk, node: NodeProto, value: Value) -> Value:
    """Follow Clip, Hardtanh or Relu; what they do is decided by the sign after them."""
    least, most = _bounds(walk, node)
    if least > most:
        raise walk.refuse(f"{node.op_type} from {least:g} to {most:g}")
    if value.kind == "pixels":
        assert value.table is not None
        return replace(value, table=np.clip(value.table, least, most))
    if value.kind == "bits":
        ends = [np.clip(value.affine[1] + side * value.affine[0], least, most) for side in (-1, 1)]
        return replace(value, gain=(ends[1] - ends[0]) / 2, offset=(ends[1] + ends[0]) / 2)
    low = np.full(value.channels, -np.inf) if value.low is None else value.low
    high = np.full(value.channels, np.inf) if value.high is None else value.high
    bounds = (np.clip(low, least, most), np.clip(high, least, most))
    return replace(value, low=bounds[0], high=bounds[1], clipper=node.op_type)


def _bounds(walk: Walk, node: NodeProto) -> tuple[float, float]:
    if node.op_type == "Relu":
        return 0.0, np.inf
    settings = settings_of(node)
    ends = [float(settings.get("min", -np.inf)), float(settings.get("max", np.inf))]
    for place in (1, 2):
        if len(node.input) > place and node.input[place]:
            ends[place - 1] = float(walk.constant(node, place, "a bound").reshape(-1)[0])
    return ends[0], ends[1]


def settled_bounds(value: Value, strict: bool) -> tuple[Floats, Floats]:
    """Return gain and offset with which the sign is that of the clipped value.

    Clipping keeps the sign unless 0 lies outside its bounds; then the sign is always the same.

    Args:
        value: what is known of the tensor before the sign.
        strict: whether 0 gives -1.
    """
    gain, offset = value.affine
    if value.low is None or value.high is None:
        return gain, offset
    up = value.low > 0 if strict else value.low >= 0
    always = up | (value.high <= 0 if strict else value.high < 0)
    return np.where(always, 0.0, gain), np.where(always, np.where(up, 1.0, -1.0), offset)


STEPS: dict[str, Step] = {
    **dict.fromkeys(("Add", "Sub", "Mul", "Div"), scaled),
    "Neg": negated,
    "BatchNormalization": normed,
    **dict.fromkeys(("Clip", "HardTanh", "Relu"), clipped),
}
