"""Many trials of a fixed-point network on the same images: what no error reaches is made once.

Blocks of images are the outer loop and trials the inner one, so that memory is bounded. Up to the
first layer that takes a changed code, a trial computes the output channels of which it changed a
weight, and no others.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from spinflow.sim.evaluator.blocks import Kept, shared_draws, starts
from spinflow.sim.evaluator.memory import PackedMemory
from spinflow.sim.evaluator.together import Held
from spinflow.sim.fixed_point.kernels import OUTPUTS
from spinflow.sim.fixed_point.stages import Stages
from spinflow.sim.protocol import Taps

KEPT_BYTES = 256 << 20
"""Of blocks without errors that are kept for the trials that come later."""


class Whole(Protocol):
    """What trials need of an evaluator (core.py)."""

    layers: Stages
    map_names: list[str]
    frames_at_once: int

    def codes_of(self, memory: PackedMemory) -> NDArray[Any]:
        """Return the codes that a weight memory holds."""

    def trained_codes(self, layer: int) -> NDArray[Any]:
        """Return the codes of a layer's trained weights, flat."""

    def store(self, memory: PackedMemory, codes: NDArray[Any], passing: bool) -> NDArray[Any]:
        """Return what a buffer gives back; the codes themselves if none erred and `passing`."""


@dataclass(eq=False)
class Weights:
    """The weights of a trial in a layer, made when they are needed.

    Attributes:
        channels: output channels of which some weight is another than without errors.
        some, every: those of these channels and of all, as the layer takes them.
    """

    channels: NDArray[np.int64]
    some: Any = None
    every: Any = None


@dataclass
class Trials:
    """Trials of one network on the same images.

    Attributes:
        evaluator: of the network; its trained weights are what nothing changed.
    """

    evaluator: Whole
    _exact: dict[int, Any] = field(default_factory=dict)
    _kept: Kept[list[NDArray[Any]]] = field(init=False)

    def __post_init__(self) -> None:
        self._kept = Kept(
            KEPT_BYTES, self._without_errors, lambda clean: sum(each.nbytes for each in clean)
        )

    def run(self, trials: Sequence[Held], images: NDArray[Any], taps: bool) -> None:
        """Run images; labels and taps are added to the trials, whose memories go on."""
        self._kept.begin(images)
        at_once = self.evaluator.frames_at_once
        for start in starts(images, at_once):
            part = np.ascontiguousarray(images[start : start + at_once])
            clean = self._kept.block(start, part)
            with shared_draws(trials):
                for trial in trials:
                    self._run(trial, part, clean, taps)

    def _without_errors(self, images: NDArray[Any]) -> list[NDArray[Any]]:
        layers = self.evaluator.layers
        values, found = images, []
        for number, stage in enumerate(layers.stages):
            if number not in self._exact:
                self._exact[number] = stage.prepared(self.evaluator.trained_codes(number))
            values = stage.compute(layers.source(number, values), self._exact[number])
            found.append(values)
        return found

    def _run(
        self, trial: Held, images: NDArray[Any], clean: list[NDArray[Any]], taps: bool
    ) -> None:
        values, same = images, True  # whether all up to here is as without errors
        seen: Taps = {}
        names = self.evaluator.map_names
        for number in range(len(clean)):
            written, same = self._layer(trial, number, clean[number], values, same)
            if number + 1 == len(clean):
                values = written
                break
            buffer = trial.memories[len(clean) + number]
            values = self.evaluator.store(buffer, written, passing=True)
            same = same and values is written
            if taps:
                seen[names[number]] = written.reshape(len(images), -1).copy()
                seen[f"{names[number]}.buffer"] = values.reshape(len(images), -1).copy()
        labels = values.argmax(axis=1).astype(np.int64)
        trial.labels.append(labels)
        if taps:
            trial.taps.append(seen | {names[-1]: values.copy(), "label": labels[:, None]})

    def _layer(
        self, trial: Held, number: int, clean: NDArray[Any], values: NDArray[Any], same: bool
    ) -> tuple[NDArray[Any], bool]:
        """A layer's output, and whether it is as without errors."""
        layers = self.evaluator.layers
        stage, weights = layers.stages[number], self._weights(trial, number)
        changed = len(weights.channels)
        if same and not changed:
            return clean, True
        source = layers.source(number, values)
        codes = self.evaluator.codes_of(trial.memories[number])
        if same and stage.by_channels and _blocks(changed) < _blocks(clean.shape[1]):
            if weights.some is None:
                weights.some = stage.prepared(codes, weights.channels)
            return stage.compute(source, weights.some, clean), False
        if not changed:
            return stage.compute(source, self._exact[number]), False
        if weights.every is None:
            weights.every = stage.prepared(codes)
        return stage.compute(source, weights.every), False

    def _weights(self, trial: Held, number: int) -> Weights:
        if number not in trial.weights:
            trained = self.evaluator.trained_codes(number)
            outputs = self.evaluator.layers.outputs[number]
            differ = self.evaluator.codes_of(trial.memories[number]) != trained
            channels = np.flatnonzero(differ.reshape(outputs, -1).any(axis=1))
            trial.weights[number] = Weights(channels)
        found: Weights = trial.weights[number]
        return found


def _blocks(outputs: int) -> int:
    """In how many blocks the kernels compute them."""
    return -(-outputs // OUTPUTS)
