"""What makes bits: signs, thresholds and quantisers of one bit; and quantisers of pixels."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
from onnx import NodeProto
from qonnx.custom_op.general.quant import quant

from spinflow.hls.foreign.chain import PIXEL_CODES, Matrix, Pool
from spinflow.hls.foreign.scaling import settled_bounds
from spinflow.hls.foreign.values import Bits, Floats, Value, affine
from spinflow.hls.foreign.walk import Step, Walk, settings_of

_NOISE = 1e-9
"""How far from a whole number a threshold may lie for the rounding of these computations alone."""

_ZERO = 1e-5
"""A value before a sign is taken for 0 if it is nearer than this part of a sum."""

_BINARY = "the hardware has bits: retrain with QuantIdentity(bit_width=1, quant_type=BINARY)"


@dataclass(frozen=True)
class Sign:
    """What the bits of a sign stand for.

    Attributes:
        gain, offset: value = gain * bit + offset, shape (channels,).
        strict: whether an operand at the edge gives -1.
        edge: what the operand in the graph is compared with, shape (channels,); None for 0.
    """

    gain: Floats
    offset: Floats
    strict: bool = False
    edge: Floats | None = None


def bipolar(walk: Walk, node: NodeProto, value: Value) -> Value:
    """Follow BipolarQuant: +scale where the value is 0 or more, else -scale."""
    scale = walk.by_channel(node, walk.constant(node, 1, "the scale"), value)
    return signs(walk, node, value, Sign(scale, np.zeros_like(scale)))


def quantised(walk: Walk, node: NodeProto, value: Value) -> Value:
    """Follow Quant: of pixels, or of one bit."""
    scale = walk.constant(node, 1, "the scale")
    zero, bits = (walk.constant(node, i, "a parameter").reshape(-1) for i in (2, 3))
    settings = settings_of(node)
    signed, narrow = bool(settings.get("signed", 1)), bool(settings.get("narrow", 0))
    rounding = settings.get("rounding_mode", b"ROUND").decode()
    width = int(bits[0])
    if width == 1:
        return _one_bit(walk, node, value, signed, rounding)
    if value.kind == "pixels":
        assert value.table is not None
        table = quant(
            value.table.astype(np.float32),
            *(scale.reshape(-1)[0], zero[0], bits[0], signed, narrow, rounding),
        )
        return replace(value, table=np.asarray(table, np.float64))
    kind = f"{'INT' if signed else 'UINT'}{width}"
    raise walk.refuse(f"activations of {kind}; {_BINARY}")


def _one_bit(walk: Walk, node: NodeProto, value: Value, signed: bool, rounding: str) -> Value:
    """Follow Quant of one bit: a sign if it is signed, 0 and 1 times the scale if it is not."""
    scale = walk.by_channel(node, walk.constant(node, 1, "the scale"), value)
    zero = walk.by_channel(node, walk.constant(node, 2, "the zero point"), value)
    if np.any(scale <= 0):
        raise walk.refuse(f"{node.op_type} with a scale of 0 or less; scales above 0 work")
    units = affine(value, 1 / scale, zero)
    if signed:
        return signs(walk, node, units, Sign(scale, -zero * scale, edge=-zero * scale))
    # Clipped to 0 and 1 and then rounded: 1 from where the rounding goes up.
    edges = {
        **dict.fromkeys(("ROUND", "HALF_EVEN", "HALF_DOWN"), (0.5, True)),
        **{"HALF_UP": (0.5, False), "FLOOR": (1.0, False), "DOWN": (1.0, False)},
        **dict.fromkeys(("CEIL", "UP"), (0.0, True)),
    }
    if rounding.upper() not in edges:
        raise walk.refuse(f"{node.op_type} with the rounding {rounding!r}; ROUND works")
    edge, strict = edges[rounding.upper()]
    shifted = affine(units, np.ones_like(scale), np.full_like(scale, -edge))
    place = (edge - zero) * scale
    return signs(walk, node, shifted, Sign(scale / 2, (0.5 - zero) * scale, strict, place))


def thresholded(walk: Walk, node: NodeProto, value: Value) -> Value:
    """Follow MultiThreshold: of pixels, or of one step."""
    edges = walk.constant(node, 1, "the thresholds").astype(np.float64)
    settings = settings_of(node)
    scale, bias = settings.get("out_scale", 1.0), settings.get("out_bias", 0.0)
    if edges.shape[1] == 1:
        last = settings.get("data_layout", b"").decode().endswith("C")
        axes = value.index.ndim - 1
        shape = (1, *[1] * axes, -1) if last else (1, -1, *[1] * axes)
        edge = walk.by_channel(node, edges.reshape(shape), value)
        shifted = affine(value, np.ones(value.channels), -edge)
        gain = np.full(value.channels, scale / 2)
        offset = np.full_like(gain, bias + scale / 2)
        return signs(walk, node, shifted, Sign(gain, offset, edge=edge))
    if value.kind != "pixels":
        raise walk.refuse(f"activations of {edges.shape[1] + 1} values; {_BINARY}")
    assert value.table is not None
    if edges.shape[0] not in (1, value.channels):
        raise walk.refuse("thresholds of pixels that differ within an image; one for all works")
    passed = (value.table[:, :, None] >= edges[:, None, :]).sum(axis=2)
    return replace(value, table=scale * passed + bias)


def sign(walk: Walk, node: NodeProto, value: Value) -> Value:
    """Follow ONNX's Sign, which is a sign of bits only where its operand is never 0."""
    zero = _where_zero(walk, value)
    if zero:
        raise walk.refuse(
            f"its Sign makes 0 of 0, and {zero}: BipolarQuant, as Brevitas exports signs, works, "
            "or an offset that no sum can meet"
        )
    one = np.ones(value.channels)
    return signs(walk, node, value, Sign(one, np.zeros_like(one)))


def _where_zero(walk: Walk, value: Value) -> str:
    """Return where the operand of a sign is 0, in words; nothing if it never is."""
    if value.kind == "pixels":
        assert value.table is not None
        found = np.flatnonzero(np.any(value.table == 0, axis=0))
        return f"pixel {found[0]} is 0" if found.size else ""
    if value.kind != "sums":
        return ""
    gain, offset = settled_bounds(value, strict=False)
    other = settled_bounds(value, strict=True)
    place, layer = walk.last_matrix()
    inputs = int(np.prod(layer.weights.shape[1:]))
    pixels = place == 0 and walk.threshold is None
    most = inputs * (PIXEL_CODES - 1 if pixels else 1)
    with np.errstate(divide="ignore", invalid="ignore"):
        sums = np.where(gain == 0, most + 1.0, -offset / gain)
    near = np.rint(sums)
    met = (np.abs(near) <= most) & (np.abs(sums - near) < _ZERO)
    if not pixels and not (layer.fill == 0 and any(layer.padding)):
        # Sums of an odd number of ±1 are odd, those of an even number even.
        met &= (near - inputs) % 2 == 0
    met |= (gain != 0) & (other[0] == 0) & (offset == 0)
    met |= (other[0] == 0) & (gain == 0) & (np.sign(other[1]) != np.sign(offset))
    if not met.any():
        return ""
    channel = int(np.flatnonzero(met)[0])
    return f"the value of its output {channel} can be 0"


def compared(walk: Walk, node: NodeProto, value: Value) -> Value:
    """Follow a comparison with a constant, which gives 1 and 0."""
    swapped = walk.model.get_initializer(node.input[0]) is not None
    constant = walk.constant(node, 0 if swapped else 1, "an operand")
    edge = walk.by_channel(node, constant, value)
    side = np.ones(value.channels)
    # With the constant first the comparison is turned around.
    if node.op_type.startswith("Less") != swapped:
        side = -side
    shifted = affine(value, side, -edge * side)
    half = np.full(value.channels, 0.5)
    strict = not node.op_type.endswith("OrEqual")
    return signs(walk, node, shifted, Sign(half, half, strict, edge))


def chosen(walk: Walk, node: NodeProto, value: Value) -> Value:
    """Follow Where: one number for a bit of 1, another for a bit of 0."""
    if value.kind != "bits" or node.input[0] == "":
        raise walk.refuse("operator Where; one that chooses by a comparison works")
    yes, no = (walk.by_channel(node, walk.constant(node, i, "a choice"), value) for i in (1, 2))
    return replace(value, gain=(yes - no) / 2, offset=(yes + no) / 2)


def signs(walk: Walk, node: NodeProto, value: Value, made: Sign) -> Value:
    """Make bits of a tensor: +1 where it is 0 or more, or more than 0."""
    if value.margin is not None or value.window is not None:
        raise walk.refuse("padding before a sign; padding with -1 after it works")
    if value.members is not None:
        raise walk.refuse(
            "a sign of averages of bits; an average right before a fully connected layer works"
        )
    if value.kind == "bits":
        raise walk.refuse("a sign of bits; one of them is too many")
    if not np.all(made.gain):
        raise walk.refuse(f"{node.op_type} with a scale of 0")
    gain = made.gain
    if value.kind == "pixels":
        _threshold_of_pixels(walk, value, made.strict)
    else:
        gain = gain * _give_thresholds(walk, value, node.output[0], made.strict)
    edge = np.zeros(value.channels) if made.edge is None else made.edge
    unit = np.zeros(1) if value.gain is None else np.abs(value.gain)
    walk.sources[node.output[0]] = Bits(
        value.index, gain, made.offset, edge, value.per_channel, unit
    )
    return Value("bits", value.index, value.shape, gain=gain, offset=made.offset)


def _threshold_of_pixels(walk: Walk, value: Value, strict: bool) -> None:
    assert value.table is not None
    bits = value.table > 0 if strict else value.table >= 0
    steps: npt.NDArray[Any] = np.unique(bits, axis=0)
    if len(steps) != 1:
        edges = sorted({int(PIXEL_CODES - row.sum()) for row in steps})
        raise walk.refuse(
            f"pixels become bits at another threshold in each channel ({edges[0]} to {edges[-1]}): "
            "one mean and deviation for all channels works"
        )
    (step,) = steps
    if np.all(np.diff(step.astype(np.int8)) >= 0):
        walk.threshold = int(PIXEL_CODES - step.sum())
    else:
        # Such as dark pixels that become +1: they are replaced by 0 and 1 first.
        walk.codes, walk.threshold = step.astype(np.uint8), 1
    ones = int(step.sum())
    if ones in (0, PIXEL_CODES - 1, PIXEL_CODES):
        walk.notes.append(
            f"the threshold of pixels is {PIXEL_CODES - ones}: all or nearly all pixels become "
            "one bit; is --input right?"
        )


def _give_thresholds(walk: Walk, value: Value, source: str, strict: bool) -> Floats:
    """Give the last matrix its thresholds: gain * sum + offset >= 0, or > 0.

    The hardware pools bits by their OR. Where sums were turned over after a max-pool, the bit is
    the AND of those before it: then they are made the other way up.

    Returns:
        +1 for each channel, or -1 where its bits are the other way up.
    """
    place, layer = walk.last_matrix()
    gain, offset = settled_bounds(value, strict)
    sides = np.ones(len(gain))
    if value.sides is not None:
        sides = np.where(gain * value.sides < 0, -1.0, 1.0)
    gain, offset = gain * sides, offset * sides
    open_ = (sides > 0) == strict
    axes = (slice(None), *[None] * (layer.weights.ndim - 1))
    weights = np.where(gain[axes] < 0, -layer.weights, layer.weights).astype(np.int8)
    most = int(np.prod(layer.weights.shape[1:])) * (PIXEL_CODES if place == 0 else 1)
    with np.errstate(divide="ignore", invalid="ignore"):
        exact = np.where(gain == 0, 0.0, -offset / np.abs(gain))
    whole = np.rint(exact)
    exact = np.where(np.abs(exact - whole) <= _NOISE * np.maximum(1, np.abs(whole)), whole, exact)
    edges = np.where(open_, np.floor(exact) + 1, np.ceil(exact))
    always = (offset > 0) | ((offset == 0) & ~open_)
    edges = np.where(gain == 0, np.where(always, -np.inf, np.inf), edges)
    thresholds = np.clip(edges, -most, most + 1).astype(np.int64)
    pooled = place < len(walk.layers) - 1
    walk.layers[place] = replace(
        layer, weights=weights, thresholds=thresholds, source="" if pooled else source
    )
    if pooled:
        last = walk.layers[-1]
        assert isinstance(last, Pool) and isinstance(layer, Matrix)
        walk.layers[-1] = replace(last, source=source)
    return sides


STEPS: dict[str, Step] = {
    "BipolarQuant": bipolar,
    **dict.fromkeys(("Quant", "IntQuant"), quantised),
    "MultiThreshold": thresholded,
    "Sign": sign,
    **dict.fromkeys(("Greater", "GreaterOrEqual", "Less", "LessOrEqual"), compared),
    "Where": chosen,
}
