"""Max-pools of binary maps."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from spinflow.host.core import description
from spinflow.sim.evaluator.kernels.vectors import compiled
from spinflow.sim.evaluator.layers.base import (
    OF_DESCRIPTION,
    OF_SPEC,
    Buffer,
    Contents,
    Layer,
    Map,
    Place,
    Stage,
    Step,
    Trained,
    Values,
)


@dataclass(frozen=True)
class MaxPool(Layer):
    """The largest of each size x size square of a binary map; what is left over is cut off."""

    name: str
    size: int = 2
    buffer: Buffer | bool = False
    takes: ClassVar[tuple[Values, ...]] = (Values.BITS,)
    refusal: ClassVar[str] = "UINT8 pixels are not pooled"

    def result(self, source: Map) -> Map:
        """Return the smaller map."""
        rows, columns, channels = source.shape
        return Map((rows // self.size, columns // self.size, channels), Values.BITS)

    def stage(self, step: Step, place: Place) -> Stage:
        """Return the layer at work."""
        return _MaxPoolStage(self, step, place)

    def described(self, step: Step, weights: int, buffer: int | None) -> description.MaxPool:
        """Return the layer as a bundle describes it."""
        return description.MaxPool(self.name, self.size, step.result, buffer)


class _MaxPoolStage(Stage):
    def __init__(self, layer: MaxPool, step: Step, place: Place) -> None:
        super().__init__(step, place)
        self._size = layer.size

    def compute(self, values: NDArray[Any], frames: int) -> NDArray[Any]:
        out = self.rows(frames)
        source = values.reshape(frames, *self.step.source[:2], self.words)
        result = out.reshape(frames, *self.step.result[:2], self.words)
        self.workers.share(lambda lo, hi: pool_bits(source, self._size, result, lo, hi), frames)
        return out


@OF_DESCRIPTION.computes(description.MaxPool)
def _of_description(layer: description.MaxPool, contents: Contents) -> Layer:
    return MaxPool(layer.name, layer.size, contents.buffer(layer.buffer))


@OF_SPEC.computes("pool")
def _of_spec(layer: Any, trained: Trained) -> Layer:
    return MaxPool(layer.name, layer.kernel, layer.name in trained.stored)


@compiled
def pool_bits(x: Any, size: Any, out: Any, lo: Any, hi: Any) -> None:
    """Set out to the OR of size x size squares of (frames, height, width, words)."""
    for frame in range(lo, hi):
        for row in range(out.shape[1]):
            for column in range(out.shape[2]):
                for word in range(out.shape[3]):
                    bits = np.uint32(0)
                    for i in range(size):
                        for j in range(size):
                            bits |= x[frame, row * size + i, column * size + j, word]
                    out[frame, row, column, word] = bits
