"""The layers of an accelerator, as ``accel.json`` lists them.

Maps have the order (row, column, channel). A layer names its memories by their index.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace
from typing import Any, ClassVar

Shape = tuple[int, int, int]
"""Rows, columns and channels of a map."""


@dataclass(frozen=True)
class ByteTable:
    """The layer that makes codes of the bytes of an image, in front of everything."""

    OP: ClassVar[str] = "byte_table"

    name: str
    elements: int
    pe: int

    def as_json(self) -> dict[str, Any]:
        """Return the entry of accel.json."""
        return {"name": self.name, "op": self.OP, "elements": self.elements, "pe": self.pe}


@dataclass(frozen=True)
class Threshold:
    """The layer that makes bits of pixels, in front of all weights.

    Attributes:
        name: "input".
        channels: pixels of an image, those of all its channels.
        pe: of them in a cycle.
    """

    OP: ClassVar[str] = "threshold"

    name: str
    channels: int
    pe: int

    def as_json(self) -> dict[str, Any]:
        """Return the entry of accel.json."""
        return {"name": self.name, "op": self.OP, "channels": self.channels, "pe": self.pe}


@dataclass(frozen=True)
class Window:
    """How a convolution moves over its input: sizes in (row, column), padding on four sides.

    Attributes:
        input: shape of the map without its padding.
        kernel, stride: of the window.
        padding: top, left, bottom, right.
        padding_value: what the padding holds: 0, which counts for nothing in a sum, or the bit -1.
            Pixels are padded with 0; bits without padding have -1.
    """

    input: Shape
    kernel: tuple[int, int]
    stride: tuple[int, int]
    padding: tuple[int, int, int, int]
    padding_value: int = -1

    def as_json(self) -> dict[str, Any]:
        """Return the entry ``window`` of a layer."""
        return {
            "input": list(self.input),
            "kernel": list(self.kernel),
            "stride": list(self.stride),
            "padding": list(self.padding),
            "padding_value": self.padding_value,
        }


@dataclass(frozen=True)
class Product:
    """A weight layer.

    Attributes:
        name: such as conv0 or fc2.
        mw, mh: inputs of a window and outputs.
        pe, simd: outputs and inputs that are computed at once.
        pixels: whether it takes pixels; else bits.
        threshold: whether it gives bits; else sums.
        window: of a convolution.
        shape: of its output.
        weights: index of its memory.
        buffer: index of the memory behind it.
    """

    OP: ClassVar[str] = "mvu"

    name: str
    mw: int
    mh: int
    pe: int
    simd: int
    pixels: bool
    threshold: bool
    window: Window | None
    shape: Shape
    weights: int
    buffer: int | None

    @property
    def counts_agreement(self) -> bool:
        """Whether its sum is the number of bits that agree with their weights; else it is signed.

        Signed are sums of pixels, and of bits where padded places count for nothing.
        """
        return not self.pixels and (self.window is None or self.window.padding_value != 0)

    @property
    def cycles(self) -> int:
        """Cycles that it takes for a frame."""
        return (self.mw // self.simd) * (self.mh // self.pe) * self.shape[0] * self.shape[1]

    def as_json(self) -> dict[str, Any]:
        """Return the entry of accel.json."""
        return {
            "name": self.name,
            "op": self.OP,
            "mw": self.mw,
            "mh": self.mh,
            "pe": self.pe,
            "simd": self.simd,
            "input": "pixels" if self.pixels else "bits",
            "threshold": self.threshold,
            "window": None if self.window is None else self.window.as_json(),
            "shape": list(self.shape),
            "weights": self.weights,
            "buffer": self.buffer,
        }


@dataclass(frozen=True)
class MaxPool:
    """The OR of squares of bits; attributes as of a Product."""

    OP: ClassVar[str] = "max_pool"

    name: str
    size: int
    shape: Shape
    buffer: int | None

    def as_json(self) -> dict[str, Any]:
        """Return the entry of accel.json."""
        return {
            "name": self.name,
            "op": self.OP,
            "size": self.size,
            "shape": list(self.shape),
            "buffer": self.buffer,
        }


@dataclass(frozen=True)
class LabelSelect:
    """The last layer: the number of the largest score, the lowest of equals.

    Attributes:
        name: label.
        classes: how many there are.
        scores: whether a score is a sum times a gain plus an offset, of which each class has its
            own; else it is the sum.
    """

    OP: ClassVar[str] = "label_select"

    name: str
    classes: int
    scores: bool = False

    def as_json(self) -> dict[str, Any]:
        """Return the entry of accel.json."""
        return {"name": self.name, "op": self.OP, "classes": self.classes, "scores": self.scores}


Layer = ByteTable | Threshold | Product | MaxPool | LabelSelect


def products_of(layers: Iterable[Layer]) -> tuple[Product, ...]:
    """Return the weight layers, by their numbers."""
    return tuple(layer for layer in layers if isinstance(layer, Product))


def least_cycles(layers: Iterable[Layer]) -> int:
    """Return the cycles for a frame of the weight layer that takes the most."""
    return max(layer.cycles for layer in products_of(layers))


def elements_of(layer: Product | MaxPool) -> int:
    """Return the elements of a layer's output map."""
    return math.prod(layer.shape)


def with_indices(layers: Iterable[Layer], buffered: Collection[str]) -> tuple[Layer, ...]:
    """Return the layers with the indices of their memories filled in.

    Args:
        layers: in order; what they say of ``weights`` and ``buffer`` is not looked at.
        buffered: names of the layers that a buffer follows.
    """
    layers = tuple(layers)
    names = [layer.name for layer in products_of(layers)]
    behind = [layer.name for layer in layers if layer.name in buffered]
    buffers = {name: index for index, name in enumerate(behind, len(names))}
    found: list[Layer] = []
    for layer in layers:
        if isinstance(layer, Product):
            weights = names.index(layer.name)
            found.append(replace(layer, weights=weights, buffer=buffers.get(layer.name)))
        elif isinstance(layer, MaxPool):
            found.append(replace(layer, buffer=buffers.get(layer.name)))
        else:
            found.append(layer)
    return tuple(found)
