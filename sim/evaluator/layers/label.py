"""The label: the number of the largest output, or of the largest score made of the outputs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from spinflow.host.core import description
from spinflow.host.core.arrays import SCORES
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
    """The number of the largest score, the lowest of equals.

    Attributes:
        gains, offsets: of each class, int64, shape (classes,); a score is ``gain * sum + offset``.
            None where scores are the sums.
    """

    name: str = "label"
    gains: NDArray[np.int64] | None = None
    offsets: NDArray[np.int64] | None = None
    takes: ClassVar[tuple[Values, ...]] = (Values.SUMS,)
    refusal: ClassVar[str] = "a label needs sums before it, and nothing else takes them"

    def result(self, source: Map) -> Map:
        """Return one number."""
        for values in (self.gains, self.offsets):
            if values is not None and values.shape != (source.shape[2],):
                raise ValueError(f"scores of {values.size} classes for {source.shape[2]} sums")
        return Map((1, 1, 1), Values.LABELS)

    def stage(self, step: Step, place: Place) -> Stage:
        """Return the layer at work."""
        return _LabelStage(self, step, place)

    def described(self, step: Step, weights: int, buffer: int | None) -> description.LabelSelect:
        """Return the layer as a bundle describes it."""
        return description.LabelSelect(self.name, step.source[2], self.gains is not None)


class _LabelStage(Stage):
    def __init__(self, layer: Label, step: Step, place: Place) -> None:
        super().__init__(step, place)
        self._gains, self._offsets = layer.gains, layer.offsets

    def compute(self, values: NDArray[Any], frames: int) -> NDArray[Any]:
        labels = np.empty((frames, 1), np.int64)
        if self._gains is None:
            best_of(values, labels, 0, frames)
        else:
            best_score_of(values, self._gains, self._offsets, labels)
        return labels


@OF_DESCRIPTION.computes(description.LabelSelect)
def _of_description(layer: description.LabelSelect, contents: Contents) -> Layer:
    if not layer.scores:
        return Label(layer.name)
    gains, offsets = (contents.arrays[name].astype(np.int64) for name in SCORES)
    return Label(layer.name, gains, offsets)


@compiled
def best_of(sums: Any, labels: Any, lo: Any, hi: Any) -> None:
    """Set labels to the number of the largest of each row, the lowest of equals."""
    for frame in range(lo, hi):
        # Without a branch, which nothing could foresee.
        best = np.int64(-1) << np.int64(62)
        for output in range(sums.shape[1]):
            best = max(best, (np.int64(sums[frame, output]) << np.int64(17)) - output)
        labels[frame, 0] = -best & 0x1FFFF


@compiled
def best_score_of(sums: Any, gains: Any, offsets: Any, labels: Any) -> None:
    """Set labels to the number of the largest score of each row, the lowest of equals."""
    for frame in range(len(labels)):
        best, most = 0, gains[0] * sums[frame, 0] + offsets[0]
        for output in range(1, sums.shape[1]):
            score = gains[output] * sums[frame, output] + offsets[output]
            if score > most:
                best, most = output, score
        labels[frame, 0] = best
