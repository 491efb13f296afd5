"""A binary network as a chain of layers, whatever it was read from, and what it computes.

This is the form between a foreign network and the QONNX that the flow takes: pixels as they come,
weights of ±1 as integers, thresholds as integers, no scales. `Chain.run` computes it in numpy with
integers only, so what it gives can be compared with the source's own execution.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

Integers = npt.NDArray[np.int64]
Signs = npt.NDArray[np.int8]

PIXEL_CODES = 256


@dataclass(frozen=True)
class Matrix:
    """A layer of weights, dense or convolutional.

    Attributes:
        name: as users and the hardware name it, "fc0" or "conv1".
        weights: of ±1, shape (outputs, inputs) or (outputs, channels, rows, columns).
        stride: of the windows, down and across.
        padding: at the top, left, bottom and right.
        fill: what is padded where the inputs are bits, -1 or 0; pixels always get 0.
        thresholds: least sum that gives +1, shape (outputs,); None in the last layer.
        source: the tensor of the source that holds this layer's bits, or sums if it is the last.
    """

    name: str
    weights: Signs
    stride: tuple[int, int] = (1, 1)
    padding: tuple[int, int, int, int] = (0, 0, 0, 0)
    fill: int = -1
    thresholds: Integers | None = None
    source: str = ""

    @property
    def is_convolution(self) -> bool:
        """Whether it has windows."""
        return self.weights.ndim == 4

    def sums(self, values: Integers, pad: int) -> Integers:
        """Return the sums of products of a batch.

        Args:
            values: shape (images, inputs), or (images, channels, rows, columns).
            pad: the value at the edges.
        """
        kind = _exact_kind(values, self.weights)
        if not self.is_convolution:
            return _product(values.reshape(len(values), -1).astype(kind), self.weights)
        top, left, bottom, right = self.padding
        edges = ((0, 0), (0, 0), (top, bottom), (left, right))
        padded = np.pad(values.astype(kind), edges, constant_values=pad)
        windows = np.lib.stride_tricks.sliding_window_view(
            padded, self.weights.shape[2:], axis=(2, 3)
        )[:, :, :: self.stride[0], :: self.stride[1]]
        n, _, rows, columns = windows.shape[:4]
        flat = windows.transpose(0, 2, 3, 1, 4, 5).reshape(n * rows * columns, -1)
        found = _product(flat, self.weights.reshape(len(self.weights), -1))
        return found.reshape(n, rows, columns, -1).transpose(0, 3, 1, 2)


def _exact_kind(values: Integers, weights: Signs) -> type[np.floating[Any]]:
    """Return the floats in which sums of products are exact: their products are fast."""
    largest = int(np.abs(values).max(initial=0)) * int(np.prod(weights.shape[1:]))
    return np.float32 if largest < 1 << 24 else np.float64


def _product(values: npt.NDArray[Any], weights: Signs) -> Integers:
    """Return floats times weights, as the whole numbers that they are."""
    return np.asarray(np.rint(values @ weights.T.astype(values.dtype)), np.int64)


@dataclass(frozen=True)
class Pool:
    """The largest bit of each window.

    Attributes:
        size: edge of the windows, which are square and side by side.
        source: the tensor of the source that holds what it gives.
    """

    size: int
    source: str = ""

    def largest(self, bits: Integers) -> Integers:
        """Return the pooled bits of a batch, shape (images, channels, rows, columns)."""
        n, channels, rows, columns = bits.shape
        rows, columns = rows // self.size, columns // self.size
        cut = bits[:, :, : rows * self.size, : columns * self.size]
        windows = cut.reshape(n, channels, rows, self.size, columns, self.size)
        return np.asarray(windows.max(axis=(3, 5)))


@dataclass(frozen=True)
class Chain:
    """A network.

    Attributes:
        shape: of the input: (inputs,), or (channels, rows, columns).
        threshold: least pixel that is +1, if pixels become bits before the first layer.
        codes: what a pixel of each value is replaced by before all else, shape (256,); None if
            pixels are taken as they are.
        layers: in order; the last is a matrix without thresholds.
        gains: whole numbers from 1, by which each class's sum is multiplied; None for 1.
        offsets: whole numbers that are added to each class's sum after that; None for 0.
        real: the source's own gains and offsets where whole numbers only come near them
            (`spinflow.hls.foreign.scores`), two arrays of shape (classes,).
        notes: what a user should know of the reading.
    """

    shape: tuple[int, ...]
    threshold: int | None
    codes: npt.NDArray[np.uint8] | None
    layers: tuple[Matrix | Pool, ...]
    gains: Integers | None = None
    offsets: Integers | None = None
    real: tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]] | None = None
    notes: tuple[str, ...] = field(default=())

    @property
    def classes(self) -> int:
        """How many labels there are."""
        last = self.layers[-1]
        assert isinstance(last, Matrix)
        return len(last.weights)

    def arranged(self, images: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """Return images of data sets, shape (images, pixels), in this network's own shape."""
        if len(self.shape) == 1:
            return images.reshape(len(images), *self.shape)
        channels, rows, columns = self.shape
        return images.reshape(len(images), rows, columns, channels).transpose(0, 3, 1, 2)

    def run(
        self, images: npt.NDArray[np.uint8], taps: dict[str, Integers] | None = None
    ) -> Integers:
        """Return the sums of the last layer, shape (images, classes).

        Args:
            images: pixels as data sets have them, row by row with the channels of a pixel
                together, shape (images, pixels).
            taps: gets the bits or sums of each layer by the name of the source's tensor.
        """
        pixels = images if self.codes is None else self.codes[images]
        values = self.arranged(pixels).astype(np.int64)
        bits = self.threshold is not None
        if self.threshold is not None:
            values = np.where(values >= self.threshold, 1, -1)
        for layer in self.layers:
            if isinstance(layer, Pool):
                values = layer.largest(values)
            else:
                sums = layer.sums(values, layer.fill if bits else 0)
                if layer.thresholds is None:
                    values = sums
                else:
                    edge = layer.thresholds.reshape(-1, *[1] * (sums.ndim - 2))
                    values, bits = np.where(sums >= edge, 1, -1), True
            if taps is not None and layer.source:
                taps[layer.source] = values
        return values

    def labels(self, sums: Integers) -> Integers:
        """Return the label of each image: the first of the largest scores."""
        return np.asarray(self.scores(sums).argmax(axis=1))

    def scores(self, sums: Integers) -> Integers:
        """Return gain * sum + offset of each class, shape (images, classes)."""
        scaled = sums if self.gains is None else sums * self.gains
        return scaled if self.offsets is None else scaled + self.offsets
