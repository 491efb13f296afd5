"""How the emulator computes each kind of layer: one class a kind, in the table `KINDS`."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spinflow.host.core import description
from spinflow.host.core.arrays import SCORES, TABLE, Arrays
from spinflow.host.core.packing import unfold
from spinflow.host.core.secded import CodeCounts
from spinflow.sim.emulator.memory import EmulatedMemory
from spinflow.sim.kinds import Kinds

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class Place:
    """What a layer works with.

    Attributes:
        source: shape of the map that it takes; of a layer that takes it as one vector, any.
        arrays: the bundle's thresholds.
        memories: by index.
    """

    source: tuple[int, ...]
    arrays: Arrays
    memories: Sequence[EmulatedMemory]


class Stage(ABC):
    """A layer at work.

    Attributes:
        name: of the layer.
        shape: of the map that it gives.
        buffer: the memory behind it, if there is one.
        inputs: values of all its windows together, which it holds in memory for each frame.
    """

    inputs = 0
    buffer: EmulatedMemory | None = None

    def __init__(self, name: str, shape: tuple[int, ...]) -> None:
        self.name, self.shape = name, shape

    def prepare(self) -> None:  # noqa: B027 - most layers have nothing to do
        """Called before a run, when the weights may have changed."""

    @abstractmethod
    def compute(self, values: NDArray[Any]) -> NDArray[Any]:
        """Return what it makes of maps (n, elements), again (n, elements)."""


KINDS: Kinds[Any] = Kinds("the emulator")
"""The class of each kind, made from the layer's description and its Place."""


def stages(described: description.Description, arrays: Arrays, memories: Any) -> list[Stage]:
    """Return the layers of a bundle at work.

    Raises:
        ValueError: a layer is of a kind that the emulator does not compute.
    """
    found: list[Stage] = []
    shape: tuple[int, ...] = described.shape
    for layer in described.layers:
        stage = KINDS.of(type(layer), layer.name)(layer, Place(shape, arrays, memories))
        found.append(stage)
        shape = stage.shape
    return found


@KINDS.computes(description.ByteTable)
class ByteTableStage(Stage):
    """Other codes of the bytes of an image."""

    def __init__(self, layer: description.ByteTable, place: Place) -> None:
        super().__init__(layer.name, place.source)
        self._codes = place.arrays[TABLE]

    def compute(self, values: NDArray[Any]) -> NDArray[Any]:
        """Return the codes, uint8."""
        found: NDArray[np.uint8] = self._codes[values]
        return found


@KINDS.computes(description.Threshold)
class ThresholdStage(Stage):
    """Bits of pixels: 1 from the threshold on."""

    def __init__(self, layer: description.Threshold, place: Place) -> None:
        super().__init__(layer.name, place.source)
        self._threshold = place.arrays[f"threshold.{layer.name}"].reshape(-1)

    def compute(self, values: NDArray[Any]) -> NDArray[Any]:
        """Return bits of pixels."""
        return (values >= self._threshold).astype(np.uint8)


@KINDS.computes(description.Product)
class ProductStage(Stage):
    """A weight layer: popcounts of agreeing bits, or signed sums of pixels, and thresholds."""

    def __init__(self, layer: description.Product, place: Place) -> None:
        super().__init__(layer.name, layer.shape)
        self._layer = layer
        self._memory = place.memories[layer.weights]
        self._thresholds: NDArray[Any] | None = None
        if layer.threshold:
            self._thresholds = place.arrays[f"threshold.{self._memory.layer}"].reshape(-1)
        if layer.buffer is not None:
            self.buffer = place.memories[layer.buffer]
        self._pixels = layer.shape[0] * layer.shape[1]
        self.inputs = layer.mw * self._pixels
        self._weights: Floats = np.zeros((0, 0), np.float32)
        self._counted = CodeCounts()  # by reading all of the weights once

    def prepare(self) -> None:
        """Take the weights that are stored now, as float32 (MH, MW) of -1 and +1."""
        layer = self._layer
        bits, self._counted = self._memory.data()
        self._weights = signs(unfold(bits, layer.mw, layer.mh, layer.pe, layer.simd))

    def compute(self, values: NDArray[Any]) -> NDArray[Any]:
        """Return the map of bits, or of sums where there are no thresholds."""
        found = self._sums(values)
        # Each window reads all weights.
        self._memory.code_counts += self._counted.times(len(values) * self._pixels)
        if self._thresholds is not None:
            found = (found >= self._thresholds).astype(np.uint8)
        return found.reshape(len(values), self._pixels * self._layer.mh)

    def _sums(self, values: NDArray[Any]) -> NDArray[Any]:
        """The accumulators, int32, one row an output pixel: (n * pixels, MH).

        Of bits they are the numbers of agreeing bits; of pixels, and of bits padded with 0, the
        signed sums.
        """
        # Sums of integers are exact in float32 up to 2^24: 65,793 pixels, or that many bits.
        if not self._layer.counts_agreement:
            numbers = values.astype(np.float32) if self._layer.pixels else signs(values)
            found = self._windows(numbers, 0) @ self._weights.T
            return found.astype(np.int32)
        agreement = self._windows(signs(values), -1) @ self._weights.T
        return (agreement.astype(np.int32) + self._layer.mw) // 2

    def _windows(self, values: Floats, padding: float) -> Floats:
        """The inputs of each output pixel: (n * pixels, MW), in the order of the weights.

        `values` is (n, elements), and a map is framed with `padding` as far as the layer says.
        """
        window = self._layer.window
        if window is None:
            return values
        top, left, bottom, right = window.padding
        maps = np.pad(
            values.reshape(len(values), *window.input),
            ((0, 0), (top, bottom), (left, right), (0, 0)),
            constant_values=padding,
        )
        rows, columns = window.stride
        views = np.lib.stride_tricks.sliding_window_view(maps, window.kernel, axis=(1, 2))
        # (n, row, column, channel, kernel row, kernel column), the channel last.
        views = views[:, ::rows, ::columns].transpose(0, 1, 2, 4, 5, 3)
        return views.reshape(len(values) * self._pixels, self._layer.mw)


@KINDS.computes(description.MaxPool)
class MaxPoolStage(Stage):
    """The OR of squares of bits; what is left over beside the last whole square is cut off."""

    def __init__(self, layer: description.MaxPool, place: Place) -> None:
        super().__init__(layer.name, layer.shape)
        self._size, self._source = layer.size, place.source
        if layer.buffer is not None:
            self.buffer = place.memories[layer.buffer]

    def compute(self, values: NDArray[Any]) -> NDArray[Any]:
        """Return the smaller maps."""
        rows, columns, channels = self.shape
        size = self._size
        maps = values.reshape(len(values), *self._source)[:, : rows * size, : columns * size]
        squares = maps.reshape(len(values), rows, size, columns, size, channels)
        found: NDArray[Any] = squares.max(axis=(2, 4))
        return found.reshape(len(values), rows * columns * channels)


@KINDS.computes(description.LabelSelect)
class LabelStage(Stage):
    """The number of the largest score, the lowest of equals."""

    def __init__(self, layer: description.LabelSelect, place: Place) -> None:
        super().__init__(layer.name, (1,))
        self._scores: list[NDArray[Any]] = []
        if layer.scores:
            self._scores = [place.arrays[name].astype(np.int64) for name in SCORES]

    def compute(self, values: NDArray[Any]) -> NDArray[Any]:
        """Return one number for each frame."""
        if self._scores:
            gain, offset = self._scores
            values = values * gain + offset
        labels: NDArray[np.int64] = np.argmax(values, axis=1)  # the first of equals
        return labels[:, None]


def signs(bits: NDArray[Any]) -> Floats:
    """Return bits as the numbers that they stand for: 1 is +1, 0 is -1."""
    return bits.astype(np.float32) * 2 - 1
