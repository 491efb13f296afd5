"""What a network is made of, as plain data: its layers in order, with their shapes.

A network of a kind is described by a spec; ``spec.layers`` says which layers that gives. Needs
nothing but the standard library, so that a network's shape can be asked for without torch.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import pairwise
from typing import Literal

Shape = tuple[int, int, int]
"""Rows, columns, channels of a map; a vector is (1, 1, n)."""

PerLayer = int | tuple[int, ...]
"""One number for all layers, or one for each."""

MOST_CLASSES = 1000
"""Classes of the largest network."""


@dataclass(frozen=True)
class Layer:
    """One layer of a network, as plain data.

    Attributes:
        name: what taps and memories are called after: input, conv0, pool1, fc0.
        op: "threshold" makes pixels binary; "conv" and "linear" have weights; "pool" takes the
            largest value, or the mean, of each kernel x kernel square; what is left over is cut
            off.
        source: shape of the map that it takes. "linear" takes it as one vector.
        result: shape of the map that it gives.
        kernel: rows (and columns) of a convolution's or a pool's window, 1 for the others.
        padding: rows and columns that it takes beyond each edge of the map.
        stride: rows and columns from a window to the next.
        sign: whether bits are made of its result, or of that of the pool after it, by batch norm
            and sign; of a binary network, all but the last of the layers with weights.
        pixels: whether it takes UINT8 pixels, not bits.
        binary: whether its weights are +1 and -1, not floats.
        average: whether a pool takes the mean.
    """

    name: str
    op: Literal["threshold", "conv", "pool", "linear"]
    source: Shape
    result: Shape
    kernel: int = 1
    padding: int = 0
    stride: int = 1
    sign: bool = False
    pixels: bool = False
    binary: bool = True
    average: bool = False

    @property
    def fan_in(self) -> int:
        """Terms of one sum of a layer with weights."""
        rows, columns, channels = self.source
        return self.kernel**2 * channels if self.op == "conv" else rows * columns * channels

    @property
    def padding_value(self) -> float:
        """What lies beyond the edges: pixel 0, or the bit -1."""
        return 0.0 if self.pixels else -1.0

    @property
    def weight_shape(self) -> tuple[int, ...]:
        """Shape of the weights: (MH, rows, columns, channels) of a convolution, else (MH, MW)."""
        inputs = (self.kernel, self.kernel, self.source[2]) if self.op == "conv" else (self.fan_in,)
        return (self.result[2], *inputs)


def _of(value: PerLayer, number: int) -> int:
    """Return the number of one layer."""
    return value if isinstance(value, int) else value[number]


def _check_each(name: str, value: PerLayer, length: int, least: int) -> None:
    """Raise ValueError unless a value is a number, or one for each of so many layers."""
    values = (value,) if isinstance(value, int) else value
    if not isinstance(value, int) and len(value) != length:
        raise ValueError(f"{name} is {list(value)}, valid: a number, or a list of {length}")
    for each in values:
        if each < least:
            raise ValueError(f"{name} is {each}, valid: {least} or more")


def _check_counts(name: str, values: tuple[int, ...]) -> None:
    for value in values:
        if value < 1:
            raise ValueError(f"{name} has {value}, valid: 1 or more")


def _check_classes(classes: int) -> None:
    if not 2 <= classes <= MOST_CLASSES:
        raise ValueError(
            f"widths ends with {classes}, the number of classes, valid: 2 to {MOST_CLASSES}"
        )


def _logit_scale(stated: float, inputs: int) -> float:
    """Return a scale that was stated, or for 0 the one that suits so many inputs.

    Sums of n bits spread as the root of n; the power of two at or above its inverse keeps logits
    near 1.
    """
    if not stated:
        return 2.0 ** -((inputs.bit_length() - 1) // 2)
    if not (stated > 0 and math.frexp(stated)[0] == 0.5):
        raise ValueError(f"logit_scale is {stated}, valid: a power of two, or nothing")
    return stated


class _Layered:
    """A description that has layers."""

    @cached_property
    def layers(self) -> tuple[Layer, ...]:
        """The layers in order."""
        raise NotImplementedError

    @property
    def weighted(self) -> tuple[Layer, ...]:
        """The layers that have weights, in order."""
        return tuple(layer for layer in self.layers if layer.op in ("conv", "linear"))


@dataclass(frozen=True)
class NetworkSpec(_Layered):
    """A fully connected binary network.

    Attributes:
        name: what commands and files call it.
        widths: pixels, hidden widths and classes, e.g. (784, 1024, 1024, 10).
        input_threshold: a pixel (0 to 255) is +1 from this value on, -1 below.
        logit_scale: factor from the last layer's integers to logits; a power of two, so exact. 0
            takes the one that :func:`_logit_scale` says.
        dataset: what it is trained on, a name of ``spinflow.model.data.DATASETS``, or the path of
            data of one's own.
    """

    name: str
    widths: tuple[int, ...]
    input_threshold: int = 128
    logit_scale: float = 0.0
    dataset: str = "mnist"

    def __post_init__(self) -> None:
        if len(self.widths) < 2:
            raise ValueError(
                f"widths is {list(self.widths)}, valid: the inputs, hidden widths and the classes"
            )
        _check_counts("widths", self.widths)
        _check_classes(self.widths[-1])
        if not 1 <= self.input_threshold <= 255:
            raise ValueError(f"input_threshold is {self.input_threshold}, valid: 1 to 255")
        object.__setattr__(self, "logit_scale", _logit_scale(self.logit_scale, self.widths[-2]))

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of an image: (pixels,)."""
        return self.widths[:1]

    @property
    def pixels(self) -> int:
        """Values of an image."""
        return self.widths[0]

    @cached_property
    def layers(self) -> tuple[Layer, ...]:
        """The layers in order, first the one that makes pixels binary."""
        image = (1, 1, self.pixels)
        layers = [Layer("input", "threshold", image, image, pixels=True)]
        for i, (fan_in, outputs) in enumerate(pairwise(self.widths)):
            sign = i < len(self.widths) - 2
            layers.append(Layer(f"fc{i}", "linear", (1, 1, fan_in), (1, 1, outputs), sign=sign))
        return tuple(layers)


@dataclass(frozen=True)
class ConvSpec(_Layered):
    """A convolutional binary network whose first layer takes the pixels as they are.

    Attributes:
        name: what commands and files call it.
        shape: rows, columns and channels of an image.
        kernel: rows (and columns) of every convolution, one number or one for each.
        channels: outputs of each convolution.
        pools: numbers of the convolutions that a max-pool follows.
        widths: outputs of the fully connected layers, the classes last.
        logit_scale: factor from the last layer's integers to logits; a power of two, so exact. 0
            takes the one that :func:`_logit_scale` says.
        dataset: what it is trained on, a name of ``spinflow.model.data.DATASETS``, or the path of
            data of one's own.
        padding: rows and columns that each convolution takes beyond each edge of its map, fewer
            than its kernel has, one number or one for each; they are -1, of an image 0.
        stride: rows and columns from a window of each convolution to the next, one number or one
            for each.
        pool: rows (and columns) that each max-pool joins, one number or one for each of ``pools``.
    """

    name: str
    shape: Shape
    kernel: PerLayer = 3
    channels: tuple[int, ...] = ()
    pools: tuple[int, ...] = ()
    widths: tuple[int, ...] = ()
    logit_scale: float = 0.0
    dataset: str = "mnist"
    padding: PerLayer = 0
    stride: PerLayer = 1
    pool: PerLayer = 2

    def __post_init__(self) -> None:
        if not self.channels:
            raise ValueError("channels is [], valid: the outputs of each convolution")
        if not self.widths:
            raise ValueError("widths is [], valid: those of the layers behind, the classes last")
        for name in ("shape", "channels", "widths"):
            _check_counts(name, getattr(self, name))
        _check_classes(self.widths[-1])
        count = len(self.channels)
        if sorted(set(self.pools)) != list(self.pools) or not set(self.pools) <= set(range(count)):
            raise ValueError(
                f"pools is {list(self.pools)}, valid: numbers of convolutions, 0 to {count - 1}, "
                "in order"
            )
        for name, value, length, least in (
            ("kernel", self.kernel, count, 1),
            ("stride", self.stride, count, 1),
            ("padding", self.padding, count, 0),
            ("pool", self.pool, len(self.pools), 1),
        ):
            _check_each(name, value, length, least)
        object.__setattr__(self, "logit_scale", _logit_scale(self.logit_scale, self._last_inputs()))

    def _last_inputs(self) -> int:
        """Return the inputs of the last layer; ValueError if a layer does not fit its map."""
        for layer in self.layers:
            rows, columns = (side + 2 * layer.padding for side in layer.source[:2])
            if layer.op in ("conv", "pool") and layer.kernel > min(rows, columns):
                raise ValueError(
                    f"{layer.name} takes {layer.kernel} x {layer.kernel} of a map of "
                    f"{layer.source[0]} x {layer.source[1]}: fewer pools, smaller kernels or "
                    "padding leave more of it"
                )
            if layer.op == "conv" and layer.padding >= layer.kernel:
                raise ValueError(
                    f"padding of {layer.name} is {layer.padding}, valid: 0 to {layer.kernel - 1}"
                )
        return self.layers[-1].fan_in

    @property
    def pixels(self) -> int:
        """Values of an image."""
        return self.shape[0] * self.shape[1] * self.shape[2]

    @cached_property
    def layers(self) -> tuple[Layer, ...]:
        """The layers in order."""
        layers: list[Layer] = []
        shape = self.shape
        for i, outputs in enumerate(self.channels):
            kernel, padding, stride = (
                _of(each, i) for each in (self.kernel, self.padding, self.stride)
            )
            rows, columns = ((side + 2 * padding - kernel) // stride + 1 for side in shape[:2])
            result = (rows, columns, outputs)
            layers.append(
                Layer(
                    f"conv{i}",
                    "conv",
                    shape,
                    result,
                    kernel,
                    padding,
                    stride,
                    sign=True,
                    pixels=i == 0,
                )
            )
            shape = result
            if i in self.pools:
                size = _of(self.pool, self.pools.index(i))
                result = (shape[0] // size, shape[1] // size, outputs)
                layers.append(Layer(f"pool{i}", "pool", shape, result, size, stride=size))
                shape = result
        for i, outputs in enumerate(self.widths):
            sign = i < len(self.widths) - 1
            layers.append(Layer(f"fc{i}", "linear", shape, (1, 1, outputs), sign=sign))
            shape = (1, 1, outputs)
        return tuple(layers)


@dataclass(frozen=True)
class FixedPointSpec(ConvSpec):
    """A convolutional network of numbers in [-1, 1); see ``spinflow.model.networks.fixed_point``.

    It has the layers of a ConvSpec. Where that has a sign its maps are rounded to the nearest code,
    and its convolutions are padded with 0, which is a number here.

    Attributes:
        bits: 8, 16 or 32, of each weight and of each element of a map.
    """

    bits: int = 8

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.bits not in (8, 16, 32):
            raise ValueError(f"bits is {self.bits}, valid: 8, 16 or 32")
        if self.stride != 1:
            raise ValueError(f"stride is {self.stride}, valid: 1 in fixed point")


@dataclass(frozen=True)
class Block:
    """A layer of an XnorSpec.

    Attributes:
        op: "conv", "linear", or "pool" and "average" of the largest value and of the mean.
        outputs: of a layer with weights.
        kernel, stride, padding: of the windows of the others than "linear"; see ``Layer``.
        binary: of a layer with weights, whether they are +1 and -1 and it takes bits.
    """

    op: Literal["conv", "linear", "pool", "average"]
    outputs: int = 0
    kernel: int = 1
    stride: int = 1
    padding: int = 0
    binary: bool = True


@dataclass(frozen=True)
class XnorSpec(_Layered):
    """A network whose first and last layers are of floats, all others binary.

    ``spinflow.model.networks.xnor`` makes it.

    Attributes:
        name: what commands and files call it.
        shape: rows, columns and channels of an image.
        blocks: the layers in order.
        dataset: what it is trained on, a name of ``spinflow.model.data.DATASETS``.
    """

    name: str
    shape: Shape
    blocks: tuple[Block, ...]
    dataset: str

    @property
    def logit_scale(self) -> float:
        """Factor from the last layer's sums to logits."""
        return 1.0

    @property
    def pixels(self) -> int:
        """Values of an image."""
        return math.prod(self.shape)

    @cached_property
    def layers(self) -> tuple[Layer, ...]:
        """The layers in order, named as those of a ConvSpec."""
        layers: list[Layer] = []
        shape = self.shape
        for i, block in enumerate(self.blocks):
            before, after = self.blocks[:i], self.blocks[i + 1 :]
            pool = block.op in ("pool", "average")
            if block.op == "linear":
                result = (1, 1, block.outputs)
            else:
                rows, columns = (
                    (side + 2 * block.padding - block.kernel) // block.stride + 1
                    for side in shape[:2]
                )
                result = (rows, columns, shape[2] if pool else block.outputs)
            if pool:
                name = f"pool{sum(b.op == 'conv' for b in before) - 1}"
            else:
                kind = "fc" if block.op == "linear" else "conv"
                name = f"{kind}{sum(b.op == block.op for b in before)}"
            following = next((b for b in after if b.outputs), None)
            layers.append(
                Layer(
                    name,
                    "pool" if block.op == "average" else block.op,
                    shape,
                    result,
                    block.kernel,
                    block.padding,
                    block.stride,
                    sign=not pool and following is not None and following.binary,
                    pixels=i == 0,
                    binary=not pool and block.binary,
                    average=block.op == "average",
                )
            )
            shape = result
        return tuple(layers)

    def with_classes(self, classes: int) -> XnorSpec:
        """Return the same network with another number of classes, 2 or more."""
        if classes < 2:
            raise ValueError(f"{self.name}: {classes} classes, valid: 2 or more")
        last = max(i for i, block in enumerate(self.blocks) if block.outputs)
        changed = replace(self.blocks[last], outputs=classes)
        return replace(self, blocks=(*self.blocks[:last], changed, *self.blocks[last + 1 :]))


Spec = NetworkSpec | ConvSpec | XnorSpec
"""The description of a network of any kind."""


def is_binary(spec: Spec) -> bool:
    """Return whether every layer is binary, so that the evaluator and FINN can take the network."""
    return not isinstance(spec, FixedPointSpec | XnorSpec)
