"""Many trials on the same images: each costs what its errors change.

What the layers give without errors is computed once for each block of images (`blocks`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from spinflow.sim.evaluator.blocks import Kept, shared_draws, starts
from spinflow.sim.evaluator.changes import Clean, LinearChanges
from spinflow.sim.evaluator.layers.base import Stage
from spinflow.sim.evaluator.layers.product import ProductStage
from spinflow.sim.evaluator.map_changes import CleanMap, MapChanges
from spinflow.sim.evaluator.memory import PackedMemory
from spinflow.sim.evaluator.pixel_changes import CleanPixels, PixelChanges
from spinflow.sim.memories import check_images
from spinflow.sim.protocol import Taps

_Came = tuple[NDArray[Any], bool, int]
"""What comes into a layer, whether it is as without errors, and of how many frames."""

BLOCK_BYTES = 32 << 20
"""Of what is known of the layers without errors on a block of images, about."""

KEPT_BYTES = 512 << 20
"""Of blocks without errors that are kept for the trials that come later."""


_Known = Clean | CleanMap | CleanPixels | NDArray[Any] | None
"""What is known of a layer on a block of images: its output at least; None if there are none."""


def _bytes_of(clean: _Known) -> int:
    if clean is None:
        return 0
    return clean.nbytes if isinstance(clean, np.ndarray) else clean.bytes


def _kind(stage: Stage) -> Callable[[Any, PackedMemory], Any] | None:
    """What knows the changes of a layer; None if it is computed whole."""
    if not isinstance(stage, ProductStage):
        return None
    if stage.is_of_bits:
        return LinearChanges if stage.has_one_window else MapChanges
    return PixelChanges if stage.moves_by_one else None


@dataclass
class Held:
    """A trial before its images: the memories as they are."""

    memories: list[PackedMemory]
    exact: dict[int, bool] = field(default_factory=dict)
    weights: dict[int, Any] = field(default_factory=dict)
    labels: list[NDArray[np.int64]] = field(default_factory=list)
    taps: list[Taps] = field(default_factory=list)


class Whole(Protocol):
    """What trials need of an evaluator (core.py), which runs one after the other."""

    stages: list[Stage]
    pixels: int
    frames_at_once: int

    @property
    def memories(self) -> Sequence[PackedMemory]:
        """All memories of the network."""

    def weights(self, layer: int) -> NDArray[np.uint32]:
        """Return the trained weights of a layer as they are written: uint32 (depth, segments)."""


class Together:
    """Trials of one network on the same images.

    Args:
        evaluator: of the network; its trained weights are what nothing changed.
        always: go by changes even where that costs more than the whole layer.
    """

    def __init__(self, evaluator: Whole, always: bool = False) -> None:
        self._evaluator, self._always = evaluator, always
        self._stages: list[Stage] = evaluator.stages
        self._kept = Kept(
            KEPT_BYTES, self._without_errors, lambda known: sum(map(_bytes_of, known))
        )
        self._exact = [memory.empty() for memory in evaluator.memories]
        for memory in self._exact:
            if memory.kind == "weights":
                memory.write_rows(evaluator.weights(memory.layer))
        self._exact = [memory.data() for memory in self._exact]
        self._changes: dict[int, Any] = {}
        for number, stage in enumerate(self._stages):
            kind = _kind(stage)
            if kind is not None and stage.weights is not None:
                self._changes[number] = kind(stage, self._exact[stage.weights.index])

        size = sum(changes.bytes_a_frame for changes in self._changes.values())
        # Whole words of bits in every buffer, and so many frames that calls cost little.
        self._frames_at_once = max(64, BLOCK_BYTES // max(size, 1) // 64 * 64)

    def run(self, trials: Sequence[Held], images: NDArray[Any], taps: bool = False) -> None:
        """Run images; labels and taps are added to the trials, whose memories go on."""
        self._kept.begin(images)
        images = np.ascontiguousarray(check_images(images, self._evaluator.pixels))
        for changes in self._changes.values():
            changes.trials = len(trials)
        for trial in trials:
            for stage in self._stages:
                if stage.weights is not None:
                    memory = trial.memories[stage.weights.index]
                    memory.count_reads(len(images) * stage.pixels)
        at_once = min(self._evaluator.frames_at_once, self._frames_at_once)
        for start in starts(images, at_once):
            part = images[start : start + at_once]
            nothing: list[_Known] = [None for _ in self._stages]
            clean = self._kept.block(start, part) if len(part) else nothing
            with shared_draws(trials):
                for trial in trials:
                    self._run(trial, part, clean, taps)

    def _without_errors(self, images: NDArray[np.uint8]) -> list[_Known]:
        values: NDArray[Any] = images
        frames = len(images)
        found: list[_Known] = []
        for number, stage in enumerate(self._stages):
            if stage.weights is not None:
                stage.prepare(self._exact[stage.weights.index])
            if number in self._changes:
                clean = self._changes[number].clean(values, frames)
                found.append(clean)
                values = clean.result
            else:
                values = stage.compute(values, frames).copy()
                found.append(values)
        return found

    def _run(self, trial: Held, images: NDArray[np.uint8], clean: list[_Known], taps: bool) -> None:
        values: NDArray[Any] = images
        frames = len(images)
        seen: Taps = {}
        same = True  # whether all up to here is as without errors
        for number, stage in enumerate(self._stages):
            values, same = self._layer(trial, number, clean[number], (values, same, frames))
            name = stage.step.layer.name
            if taps:
                seen[name] = stage.tap(values, frames)
            if stage.buffer is not None:
                buffer = trial.memories[stage.buffer.index]
                before = values
                values = stage.store_rows(values, buffer, frames)
                same &= values is before
                if taps:
                    seen[f"{name}.buffer"] = stage.tap(values, frames)
        trial.labels.append(values[:frames, 0].copy())
        trial.taps.append(seen)

    def _layer(
        self, trial: Held, number: int, clean: _Known, came: _Came
    ) -> tuple[NDArray[Any], bool]:
        """Return a layer's output, and whether it is as without errors."""
        values, same, frames = came
        stage = self._stages[number]
        memory = None if stage.weights is None else trial.memories[stage.weights.index].data()
        if isinstance(clean, (Clean, CleanMap, CleanPixels)):
            assert memory is not None
            changes = self._changes[number]
            if number not in trial.weights:
                hopeless = not self._always and changes.is_hopeless(memory)
                trial.weights[number] = None if hopeless else changes.weights(memory)
            weights = trial.weights[number]
            if weights is not None:
                if same and not weights.flips:
                    return clean.result, True
                source = None if same else values
                if self._always or changes.is_cheaper(clean, weights, source):
                    return changes.compute(clean, weights, source, memory), False
        elif clean is not None and same and (memory is None or self._is_exact(trial, memory)):
            return clean, True
        stage.prepare(memory)
        return stage.compute(values, frames), False

    def _is_exact(self, trial: Held, memory: PackedMemory) -> bool:
        """Whether a trial has the exact weights in a memory."""
        if memory.index not in trial.exact:
            exact = self._exact[memory.index]
            trial.exact[memory.index] = np.array_equal(memory.bits, exact.bits)
        return trial.exact[memory.index]
