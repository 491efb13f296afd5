"""Other codes of an image's bytes, by a table of 256."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from spinflow.host.core import description
from spinflow.host.core.arrays import TABLE
from spinflow.sim.evaluator.kernels.vectors import compiled
from spinflow.sim.evaluator.layers.base import (
    OF_DESCRIPTION,
    Contents,
    Layer,
    Map,
    Place,
    Stage,
    Step,
    Values,
)


@dataclass(frozen=True)
class ByteTable(Layer):
    """The code of each pixel: `codes` is uint8 (256,)."""

    codes: NDArray[np.uint8]
    name: str = "table"
    takes: ClassVar[tuple[Values, ...]] = (Values.PIXELS,)
    refusal: ClassVar[str] = "only pixels go through a table"

    def result(self, source: Map) -> Map:
        """Return a map of pixels of the same shape."""
        return source

    def stage(self, step: Step, place: Place) -> Stage:
        """Return the layer at work."""
        return _ByteTableStage(self, step, place)

    def described(self, step: Step, weights: int, buffer: int | None) -> description.ByteTable:
        """Return the layer as a bundle describes it."""
        return description.ByteTable(self.name, int(np.prod(step.source)), 1)


class _ByteTableStage(Stage):
    def __init__(self, layer: ByteTable, step: Step, place: Place) -> None:
        super().__init__(step, place)
        self._codes = layer.codes
        self.bytes_a_frame = self.pixels * self.channels
        self._coded = np.zeros(0, np.uint8)

    def compute(self, values: NDArray[Any], frames: int) -> NDArray[Any]:
        if self._coded.size < values.size:
            self._coded = np.zeros(values.size, np.uint8)
        source, out = values.reshape(-1), self._coded[: values.size]
        self.workers.share(
            lambda lo, hi: look_up(
                source, self._codes, out, lo * self.bytes_a_frame, hi * self.bytes_a_frame
            ),
            frames,
        )
        return out.reshape(values.shape)


@OF_DESCRIPTION.computes(description.ByteTable)
def _of_description(layer: description.ByteTable, contents: Contents) -> Layer:
    return ByteTable(contents.arrays[TABLE], layer.name)


@compiled
def look_up(pixels: Any, codes: Any, out: Any, lo: Any, hi: Any) -> None:
    """Set out to the codes of uint8 pixels, from lo to hi."""
    for place in range(lo, hi):
        out[place] = codes[pixels[place]]
