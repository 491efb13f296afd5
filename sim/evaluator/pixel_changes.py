"""What a trial changes of a convolution on pixels: the channels whose weights flipped."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spinflow.sim.evaluator.kernels import channels
from spinflow.sim.evaluator.layers.product import ProductStage
from spinflow.sim.evaluator.memory import PackedMemory


@dataclass(eq=False)
class Channels:
    """The output channels of a trial in which a weight flipped.

    Attributes:
        chosen: their numbers.
        weights: their weights, 1 and -1, (chosen, terms).
    """

    chosen: NDArray[np.int64]
    weights: NDArray[np.int8]

    @property
    def flips(self) -> int:
        """How many there are."""
        return len(self.chosen)


@dataclass(eq=False)
class CleanPixels:
    """A convolution without errors on a block of images.

    Attributes:
        source, result: its input and its output.
        planes: the input in its frame, channel by channel; made when it is needed.
    """

    source: NDArray[np.uint8]
    result: NDArray[np.uint32]
    planes: NDArray[Any] | None = None

    @property
    def bytes(self) -> int:
        """What it takes, with what is made when it is needed, about."""
        return 3 * self.source.nbytes + self.result.nbytes


class PixelChanges:
    """A convolution on pixels with thresholds and stride 1, beside its stage."""

    trials = 1
    """How many share what is known of the layer without errors."""

    def __init__(self, stage: ProductStage, weights: PackedMemory) -> None:
        self._stage, self._workers = stage, stage.workers
        self._exact = stage.weight_rows(weights)
        self._height, self._width, depth = stage.framed_shape
        columns = stage.kernel[1]
        terms = np.arange(stage.inputs)
        pixel, channel = np.divmod(terms, depth)
        row, column = np.divmod(pixel, columns)
        self._offsets = (channel * self._height + row) * self._width + column
        self.bytes_a_frame = 2 * self._height * self._width * depth
        self._type: Any = np.int16 if 255 * stage.inputs < 1 << 15 else np.int32
        limit = 255 * stage.inputs + 1  # what no sum reaches
        self._limits = np.clip(stage.limits, -limit, limit).astype(np.int32)
        none = np.zeros((0, stage.inputs), np.int8)
        self.none = Channels(np.zeros(0, np.int64), none)

    def is_hopeless(self, memory: PackedMemory) -> bool:
        """Whether flipped weights alone cost more than the whole layer: one channel does not."""
        return False

    def weights(self, memory: PackedMemory) -> Channels:
        """Return the channels in which a memory holds other weights than the exact ones."""
        rows = self._stage.weight_rows(memory)
        chosen = np.flatnonzero((rows != self._exact).any(axis=1))
        if not len(chosen):
            return self.none
        little = rows[chosen].view(np.uint8)
        bits = np.unpackbits(little, axis=1, count=self._stage.inputs, bitorder="little")
        return Channels(chosen, 2 * bits.astype(np.int8) - 1)

    def clean(self, source: NDArray[np.uint8], frames: int) -> CleanPixels:
        """Compute the layer without errors; its stage has the weights for it."""
        return CleanPixels(source.copy(), self._stage.compute(source, frames).copy())

    def is_cheaper(self, clean: CleanPixels, weights: Channels, source: object) -> bool:
        """Estimate whether the channels alone cost less than the whole layer, as measured."""
        return 12 * weights.flips < self._stage.channels

    def compute(
        self, clean: CleanPixels, weights: Channels, source: object, memory: PackedMemory
    ) -> NDArray[np.uint32]:
        """Return the output for other weights."""
        stage = self._stage
        frames = len(clean.result) // stage.pixels
        if clean.planes is None:
            framed = stage.framed(clean.source, frames).reshape(frames, *stage.framed_shape)
            planes = framed.transpose(0, 3, 1, 2).reshape(frames, -1)
            clean.planes = planes.astype(self._type)
        planes = clean.planes
        out, shape = stage.rows(frames), (frames, stage.pixels, stage.words)
        known, target = clean.result.reshape(shape), out.reshape(shape)
        self._workers.share(
            lambda lo, hi: channels.some_channels(
                planes, self._width, self._offsets, weights.weights, weights.chosen, self._limits,
                stage.invert, known, stage.step.result[1],
                np.zeros(self._height * self._width, self._type), target, lo, hi,
            ),
            frames,
        )  # fmt: skip
        return out
