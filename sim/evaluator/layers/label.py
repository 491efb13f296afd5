"""The label: the number of the largest output."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from spinflow.host.core import description
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
class Label(Layer):
    """The number of the largest output, the lowest of equals."""

    name: str = "label"
    takes: ClassVar[tuple[Values, ...]] = (Values.SUMS,)
    refusal: ClassVar[str] = "a label needs sums before it, and nothing else takes them"

    def result(self, source: Map) -> Map:
        """Return one number."""
        return Map((1, 1, 1), Values.LABELS)

    def stage(self, step: Step, place: Place) -> Stage:
        """Return the layer at work."""
        return _LabelStage(step, place)

    def described(self, step: Step, weights: int, buffer: int | None) -> description.LabelSelect:
        """Return the layer as a bundle describes it."""
        return description.LabelSelect(self.name, step.source[2])


class _LabelStage(Stage):
    def compute(self, values: NDArray[Any], frames: int) -> NDArray[Any]:
        labels = np.empty((frames, 1), np.int64)
        best_of(values, labels, 0, frames)
        return labels


@OF_DESCRIPTION.computes(description.LabelSelect)
def _of_description(layer: description.LabelSelect, contents: Contents) -> Layer:
    return Label(layer.name)


@compiled
def best_of(sums: Any, labels: Any, lo: Any, hi: Any) -> None:
    """Set labels to the number of the largest of each row, the lowest of equals."""
    for frame in range(lo, hi):
        best = 0
        for output in range(1, sums.shape[1]):
            if sums[frame, output] > sums[frame, best]:
                best = output
        labels[frame, 0] = best
