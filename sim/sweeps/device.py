"""An engine as a sweep measures it: with the operations of the driver, on a bundle."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt

from spinflow.host.board.arguments import words_by_memory
from spinflow.host.board.driver import Snapshot, background_words
from spinflow.host.core import stream
from spinflow.host.core.bundle import Bundle, Registers, Words
from spinflow.host.core.cells import CellRates
from spinflow.host.core.errors import InputError
from spinflow.host.core.memory import Counts
from spinflow.sim.protocol import Celled, Engine

if TYPE_CHECKING:
    from spinflow.sim.evaluator.together import Held

FAST = "evaluator-fast"
"""The backend whose random stream is not the hardware's."""


@runtime_checkable
class Holding(Engine, Protocol):
    """An engine that can hold trials, as `spinflow.sim.evaluator.Evaluator` does."""

    def hold(self) -> Held:
        """Return a trial with the memories as they are."""

    def run_held(self, trials: Sequence[Held], images: npt.NDArray[Any]) -> None:
        """Run images in each of several trials, which get the labels."""


class SoftwareAccelerator:
    """The operations of ``host.board.driver.Accelerator`` on an engine.

    Args:
        bundle: the bundle that the engine was made from.
        engine: what computes.
        backend: its name in the results.
    """

    def __init__(self, bundle: Bundle, engine: Engine, backend: str) -> None:
        self.bundle = bundle
        self.backend = backend
        self._engine = engine
        self._frames = 0
        # What the registers hold, so that a background can be written between.
        self._settings = {memory.name: ("off", 0, 0, 0) for memory in bundle.memories}

    def set_thresholds(
        self, memory: str, mode: str, threshold1: int = 0, threshold0: int = 0, seed: int = 0
    ) -> None:
        """Set how the writes of one memory err; restart its random stream."""
        self._settings[memory] = (mode, threshold1, threshold0, seed)
        index = self.bundle.memory(memory).index
        self._engine.set_errors(index, mode, threshold1, threshold0, seed)

    def set_cells(self, memory: str, cells: CellRates | None) -> None:
        """Give each cell of a memory its own rates; None ends it."""
        if isinstance(self._engine, Celled):
            self._engine.set_cells(self.bundle.memory(memory).index, cells)
        elif cells is not None:
            raise InputError(f"the {self.backend} has no cells that differ")

    def write_weights(
        self,
        arrays: Mapping[str, Words] | None = None,
        memories: Sequence[str] | None = None,
        background: str = "previous",
    ) -> dict[str, Counts]:
        """Write weights over a background, return what was counted, and reset."""
        given = words_by_memory(self.bundle, arrays, memories)
        for memory in given:
            before = background_words(memory, background)
            if before is not None:
                self._engine.set_errors(memory.index, "off", 0, 0, 0)
                self._engine.write_weights(memory.index, before)
            self._engine.set_errors(memory.index, *self._settings[memory.name])
        self._engine.clear()
        for memory, words in given.items():
            self._engine.write_weights(memory.index, words)
        counts = {memory.name: self._engine.counters(memory.index) for memory in given}
        self.soft_reset()
        return counts

    def read_weights(self, memory: str) -> Words:
        """Read a weight memory back: uint32, shape (depth, segments)."""
        return self._engine.read_weights(self.bundle.memory(memory).index)

    def run(self, images: npt.NDArray[Any]) -> npt.NDArray[np.uint16]:
        """Classify images, uint8, shape (n, pixels); labels, uint16, shape (n,)."""
        labels = self._engine.run(images, taps=False)[0]
        self._frames += len(labels)
        return labels.astype(np.uint16)

    def snapshot(self) -> Snapshot:
        """Read all counters. Software has no cycles: they are 0."""
        counts = {
            memory.name: self._engine.counters(memory.index) for memory in self.bundle.memories
        }
        codes = {
            memory.name: self._engine.code_counters(memory.index)
            for memory in self.bundle.memories
            if memory.code is not None
        }
        return Snapshot(counts, self._frames, cycles=0, stalls=0, codes=codes)

    def soft_reset(self) -> None:
        """Clear stream positions, buffers and counters."""
        self._engine.soft_reset()
        self._frames = 0


class HoldingAccelerator(SoftwareAccelerator):
    """One whose engine holds trials, and runs the images of all of them at once."""

    _engine: Holding

    def __init__(self, bundle: Bundle, engine: Holding, backend: str) -> None:
        super().__init__(bundle, engine, backend)
        self._held: list[Held] = []

    def hold(self) -> None:
        """Take what is in the memories as the next trial."""
        self._held.append(self._engine.hold())

    def run_held(self, images: npt.NDArray[Any]) -> list[tuple[npt.NDArray[np.uint16], Snapshot]]:
        """Classify images in every trial that is held; its labels, and all counters after it."""
        trials, self._held = self._held, []
        self._engine.run_held(trials, images)
        found = []
        for trial in trials:
            labels = np.concatenate(trial.labels).astype(np.uint16)
            counts = {memory.name: memory.counts for memory in trial.memories}
            codes = {
                memory.name: memory.code_counts
                for memory in trial.memories
                if memory.info.code is not None
            }
            found.append((labels, Snapshot(counts, len(labels), cycles=0, stalls=0, codes=codes)))
        return found


def bundle_of(name: str, engine: Engine, backend: str) -> Bundle:
    """Return a network without a bundle as one, as far as trials need it.

    Its memories lie in the natural order of the evaluator. It has no accelerator: the clock is 0,
    and the build id is a digest of its weights, of the codes of its memories and of the version of
    the hardware's random stream, unless it has a stream of its own.

    Args:
        name: of the network.
        engine: that computes it.
        backend: its name in the results.
    """
    described = engine.description
    weights = {m.name: engine.weights(m.layer) for m in described.memories if m.is_weights}
    digest = hashlib.sha256(b"".join(weights[name].tobytes() for name in sorted(weights)))
    for memory in described.memories:
        if memory.code is not None:
            digest.update(f"{memory.name} {memory.code}".encode())
    if backend != FAST:
        digest.update(f"stream {stream.VERSION}".encode())
    return Bundle(
        folder=Path(name),
        network=name,
        build_id=int.from_bytes(digest.digest()[:4], "little"),
        clock_mhz=0.0,
        cycles_per_frame=0,
        input_shape=described.shape,
        classes=0,
        length_bits=0,
        software_accuracy=math.nan,
        layers=described.layers,
        registers=Registers(0, {}, {}, 0, 0, {}),
        memories=described.memories,
        weights=weights,
        overlay=None,
        dataset="",  # the images come with the job
    )
