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
        logit_scale: factor from the last layer's integers to logits; a power of two, so exact.
        dataset: what it is trained on, a name of ``spinflow.model.data.DATASETS``.
    """

    name: str
    widths: tuple[int, ...]
    input_threshold: int
    logit_scale: float
    dataset: str = "mnist"

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
        kernel: rows (and columns) of every convolution; the stride is 1.
        channels: outputs of each convolution.
        pools: numbers of the convolutions that a 2 x 2 max-pool follows.
        widths: outputs of the fully connected layers, the classes last.
        logit_scale: factor from the last layer's integers to logits; a power of two, so exact.
        dataset: what it is trained on, a name of ``spinflow.model.data.DATASETS``.
        padding: rows and columns that every convolution takes beyond each edge of its map, 0 or 1;
            they are -1, of an image 0.
    """

    name: str
    shape: Shape
    kernel: int
    channels: tuple[int, ...]
    pools: tuple[int, ...]
    widths: tuple[int, ...]
    logit_scale: float
    dataset: str
    padding: int = 0

    def __post_init__(self) -> None:
        if self.padding not in (0, 1):
            raise ValueError(f"{self.name}: padding is {self.padding}, valid: 0 or 1")

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
            less = self.kernel - 1 - 2 * self.padding
            result = (shape[0] - less, shape[1] - less, outputs)
            layers.append(
                Layer(
                    f"conv{i}",
                    "conv",
                    shape,
                    result,
                    self.kernel,
                    self.padding,
                    sign=True,
                    pixels=i == 0,
                )
            )
            shape = result
            if i in self.pools:
                result = (shape[0] // 2, shape[1] // 2, outputs)
                layers.append(Layer(f"pool{i}", "pool", shape, result, 2, stride=2))
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
