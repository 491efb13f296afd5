"""The bench: it measures trials, one row each, on anything that offers the operations of a device.

A trial programs errors into the selected memories, writes the weights if they are among them, runs
the images and reads the counters. What a trial is does not depend on what measures it: a board, the
virtual board, or software that offers the same operations (:class:`Device`). So a grid gives the
same rows on each but for the columns of time.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any, NamedTuple, Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt

from spinflow.host.board.driver import Snapshot, background_words
from spinflow.host.core import stream
from spinflow.host.core.bundle import Bundle, MemoryInfo
from spinflow.host.core.errors import DeviceError
from spinflow.host.core.memory import Counts
from spinflow.host.core.packing import Words, bits_of, count_ones, words_of
from spinflow.host.core.secded import CodeCounts
from spinflow.host.core.test_sets import TestSet
from spinflow.host.sweep.aging import aged
from spinflow.host.sweep.energy import (
    WriteCounts,
    write_counts_of_buffer,
    write_counts_of_weights,
)
from spinflow.host.sweep.mapped import CellWriter, Mapped
from spinflow.host.sweep.operating_point import OperatingPoint
from spinflow.host.sweep.row import Row
from spinflow.host.sweep.trials import Trial


class Device(Protocol):
    """What measures trials: the operations of ``host.board.driver.Accelerator`` that they need."""

    @property
    def bundle(self) -> Bundle:
        """The bundle that is loaded."""

    @property
    def backend(self) -> str:
        """The name of this kind of device in the results."""

    def set_thresholds(
        self, memory: str, mode: str, threshold1: int = 0, threshold0: int = 0, seed: int = 0
    ) -> None:
        """Set how the writes of one memory err, as its registers hold it."""

    def write_weights(
        self,
        arrays: Mapping[str, Words] | None = None,
        memories: Sequence[str] | None = None,
        background: str = "previous",
    ) -> dict[str, Counts]:
        """Write weights over a background, return what was counted, and reset."""

    def read_weights(self, memory: str) -> Words:
        """Read a weight memory back."""

    def run(self, images: npt.NDArray[Any]) -> npt.NDArray[np.uint16]:
        """Classify images."""

    def snapshot(self) -> Snapshot:
        """Read all counters."""

    def soft_reset(self) -> None:
        """Clear stream positions, buffers and counters."""


class Written(NamedTuple):
    """What writing a trial's weights gave.

    Attributes:
        counts: of all weight memories together.
        writes: bits by kind, by the name of the memory.
        upsets: bits that aging turned over.
    """

    counts: Counts
    writes: dict[str, WriteCounts]
    upsets: int


class Sample(NamedTuple):
    """What a trial gave before it is summed up.

    Attributes:
        row: the row that it makes.
        labels: of the images, uint16, shape (n,).
        writes: bits written by kind, by the name of the memory.
        codes: what the decoders of all coded memories counted together.
    """

    row: Row
    labels: npt.NDArray[np.uint16]
    writes: dict[str, WriteCounts]
    codes: CodeCounts


@runtime_checkable
class Holding(Protocol):
    """A device that holds trials until their images are run, in all of them at once."""

    def hold(self) -> None:
        """Take what is in the memories as the next trial."""

    def run_held(self, images: npt.NDArray[Any]) -> list[tuple[npt.NDArray[np.uint16], Snapshot]]:
        """Classify images in every trial that is held; its labels, and all counters after it."""


class Bench:
    """A device, its weights and the images: measures one trial after another.

    A row depends on its trial alone, not on the trials before it.

    Args:
        device: loaded; its weights are written, and read back to be sure of them.
        tests: the images of every trial.
    """

    def __init__(self, device: Device, tests: TestSet) -> None:
        self._cells: Mapped = device if isinstance(device, Mapped) else CellWriter(device)
        # What knows no cells is asked for by what does, from here on.
        self.device: Device = device if isinstance(device, Mapped) else self._cells
        self.tests = tests
        self._bundle = device.bundle
        self._inexact = {m.name for m in self._bundle.memories if m.is_weights}
        self._image_set = tests.fingerprint
        self._errors_off()
        self._restore(set())
        for memory in self._bundle.memories:
            if memory.is_weights:
                self._compare(memory)

    def _compare(self, memory: MemoryInfo) -> None:
        found, written = self.device.read_weights(memory.name), self._bundle.weights[memory.name]
        if not np.array_equal(found, written):
            word = int(np.argwhere((found != written).any(axis=1))[0, 0])
            raise DeviceError(
                f"{memory.name} reads back a word {word} that differs from what was written"
            )

    def write(self, trial: Trial) -> dict[str, Words]:
        """Write the weights of a trial; return what each weight memory that it selects holds."""
        self._begin(trial)
        chosen = self._bundle.select(trial.selection)
        return {m.name: self.device.read_weights(m.name) for m in chosen if m.is_weights}

    def row(self, trial: Trial) -> Row:
        """Measure one trial."""
        return self._sample(trial).row

    def rows(self, trials: Sequence[Trial]) -> list[Row]:
        """Measure trials, at once where the device can hold several until their images are run."""
        return [sample.row for sample in self.samples(trials)]

    def samples(self, trials: Sequence[Trial]) -> list[Sample]:
        """Measure trials as :meth:`rows` does; return with each row what it was summed up from."""
        device = self.device
        if not isinstance(device, Holding):
            return [self._sample(trial) for trial in trials]
        written = []
        for trial in trials:
            written.append(self._begin(trial))
            device.hold()
        found = device.run_held(self.tests.images)
        return [
            self._summed(trial, before, labels, after)
            for trial, before, (labels, after) in zip(trials, written, found, strict=True)
        ]

    def _sample(self, trial: Trial) -> Sample:
        written = self._begin(trial)
        labels = self.device.run(self.tests.images)
        return self._summed(trial, written, labels, self.device.snapshot())

    def _begin(self, trial: Trial) -> Written:
        """Set the errors of a trial and write its weights."""
        chosen = self._bundle.select(trial.selection)
        self._prepare(trial, chosen)
        return self._write(trial, chosen)

    def _summed(
        self, trial: Trial, written: Written, labels: npt.NDArray[np.uint16], after: Snapshot
    ) -> Sample:
        """Return the row of a trial whose images were run, and what it is made of."""
        writes = dict(written.writes)
        for memory in self._bundle.select(trial.selection):
            if not memory.is_weights:
                writes[memory.name] = write_counts_of_buffer(memory, after.memories[memory.name])
        codes = sum(after.codes.values(), CodeCounts())
        return Sample(self._row(trial, written, writes, labels, after), labels, writes, codes)

    def _row(
        self,
        trial: Trial,
        written: Written,
        by_memory: Mapping[str, WriteCounts],
        labels: npt.NDArray[np.uint16],
        after: Snapshot,
    ) -> Row:
        chosen = self._bundle.select(trial.selection)
        counts, upsets = written.counts, written.upsets
        if after.frames != len(labels):
            raise DeviceError(f"{after.frames} frames were counted, {len(labels)} images were run")
        for memory in chosen:
            counts += after.memories[memory.name]
        point = trial.point
        writes = sum(by_memory.values(), WriteCounts())
        energy_j, bound_j, conventional_j = _energies(point, by_memory)
        return Row(
            network=self._bundle.network,
            memory=trial.selection,
            mode=trial.mode,
            rate=point.rate1,
            background=trial.background,
            repeat=trial.repeat,
            seed=trial.seed,
            images=len(self.tests.images),
            accuracy=float(np.mean(labels == self.tests.labels)),
            bits_written=counts.written,
            errors=counts.errors,
            energy_j=energy_j,
            cycles=after.cycles,
            build_id=self._bundle.build_id,
            rate0=point.rate0,
            pulse_s=point.pulse_s,
            energy_per_bit_j=energy_j / counts.written,
            switched=counts.switched,
            err1=counts.err1,
            err0=counts.err0,
            stalls=after.stalls,
            clock_mhz=self._bundle.clock_mhz,
            image_set=self._image_set,
            backend=self.device.backend,
            model=point.model,
            drive=point.drive,
            drive_unit=point.drive_unit,
            switched1_low=writes.switched1[0],
            switched1_high=writes.switched1[1],
            same1_low=writes.same1[0],
            same1_high=writes.same1[1],
            energy_switched1_j=point.costs.switched1_j,
            energy_switched0_j=point.costs.switched0_j,
            energy_same1_j=point.costs.same1_j,
            energy_same0_j=point.costs.same0_j,
            energy_bound_j=bound_j,
            conventional_j=conventional_j,
            **asdict(trial.aging),
            upsets=upsets,
            data=self.tests.data,
            latency_min=after.times.latency_min or 0,
            latency_max=after.times.latency_max or 0,
            distance_min=after.times.distance_min or 0,
            distance_max=after.times.distance_max or 0,
            cell_map="none" if trial.cells is None else trial.cells.digest,
        )

    def _prepare(self, trial: Trial, chosen: Sequence[MemoryInfo]) -> None:
        """Make all memories exact but those that this trial writes anew."""
        self._errors_off()
        rewritten = {memory.name for memory in chosen if memory.is_weights}
        # What the trial before left is nothing that a resumed sweep could know, so a chain of
        # rewrites starts from exact weights too.
        self._restore(set() if trial.background == "previous" else rewritten)

    def _write(self, trial: Trial, chosen: Sequence[MemoryInfo]) -> Written:
        """Set the errors of a trial, write its weights and let them age."""
        weights = [memory for memory in chosen if memory.is_weights]
        names = [memory.name for memory in weights]
        first = 0 if trial.background == "previous" else trial.repeat
        counts, writes, upsets = Counts(), dict[str, WriteCounts](), 0
        cells = {} if trial.cells is None else trial.cells.read().memories
        # Over the background `previous`, repeat n rewrites what repeat n - 1 left.
        for repeat in range(first, trial.repeat + 1):
            for memory in chosen:
                point = trial.point.of(memory.name)
                self.device.set_thresholds(
                    memory.name,
                    # Rate 0 makes no error in any mode; mode off writes at the speed of the bus.
                    trial.mode if point.has_errors or cells else "off",
                    point.threshold1,
                    point.threshold0,
                    stream.memory_seed(trial.seed, repeat, memory.index),
                )
                if cells:
                    self._cells.set_cells(memory.name, cells[memory.name])
            if not weights:
                break
            self._inexact.update(names)
            last = repeat == trial.repeat
            old = {m.name: self._old(m, trial.background) for m in weights} if last else {}
            for name in old if cells else ():
                bits = bits_of(old[name], self._bundle.memory(name).width)
                old[name] = words_of(cells[name].held(bits))
            written = self.device.write_weights(memories=names, background=trial.background)
            if last:
                counts = sum(written.values(), Counts())
                for m in weights:
                    target = self._bundle.weights[m.name]
                    counted = written[m.name]
                    writes[m.name] = write_counts_of_weights(m, target, old[m.name], counted)
            upsets = self._age(trial, weights, repeat)
        self.device.soft_reset()
        return Written(counts, writes, upsets)

    def _old(self, memory: MemoryInfo, background: str) -> Words:
        """Return what the weights are about to be written over."""
        words = background_words(memory, background)
        return self.device.read_weights(memory.name) if words is None else words

    def _age(self, trial: Trial, weights: Sequence[MemoryInfo], repeat: int) -> int:
        """Turn over stored bits as retention and reads do; return how many."""
        if not trial.aging:
            return 0
        upsets = 0
        for memory in weights:
            stored = self.device.read_weights(memory.name)
            words = aged(memory, stored, trial.aging, trial.seed, repeat)
            changed = count_ones(stored ^ words)
            if changed:
                self.device.set_thresholds(memory.name, "off")
                self.device.write_weights({memory.name: words}, memories=[])
            upsets += changed
        return upsets

    def _errors_off(self) -> None:
        for memory in self._bundle.memories:
            self._cells.set_cells(memory.name, None)
            self.device.set_thresholds(memory.name, "off")

    def _restore(self, spared: set[str]) -> None:
        """Write the exact weights into every memory that lacks them, but those spared."""
        stale = sorted(self._inexact - spared)
        if stale:
            self.device.write_weights(memories=stale)
            self._inexact -= set(stale)


def _energies(
    point: OperatingPoint, by_memory: Mapping[str, WriteCounts]
) -> tuple[float, float, float]:
    """Return the energy of writes, how far it can be off, and that of the conventional write."""
    together: dict[OperatingPoint, WriteCounts] = {}
    for name, writes in by_memory.items():
        own = point.of(name)
        together[own] = together.get(own, WriteCounts()) + writes
    energies = [writes.energy(own.costs) for own, writes in together.items()]
    conventional = [writes.energy(own.conventional)[0] for own, writes in together.items()]
    energy_j, bound_j = (sum(each, 0.0) for each in zip(*energies, strict=True))
    return energy_j, bound_j, sum(conventional, 0.0)
