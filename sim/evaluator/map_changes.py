"""What a trial changes of a convolution on bits whose sums are known."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from spinflow.sim.evaluator.changes import Changes, Words
from spinflow.sim.evaluator.kernels import flips as flip_kernels
from spinflow.sim.evaluator.kernels import maps
from spinflow.sim.evaluator.kernels import margins as margin_kernels
from spinflow.sim.evaluator.kernels.vectors import LANES
from spinflow.sim.evaluator.layers.product import ProductStage
from spinflow.sim.evaluator.memory import PackedMemory

DIGITS = 8  # of margins, which are clipped
SUMS_AT_ONCE = 1 << 20  # that are cut into digits


@dataclass(eq=False)
class Ordered:
    """The flipped weights of a trial in a convolution, as `maps.update_maps` takes them.

    Attributes:
        found: output, word from a window's place on, bit and new weight of each, (n, 4).
        slots: where each run of different outputs ends.
        own: how many each lane has, planes and one of zeros.
        table: the weights' rows.
    """

    found: NDArray[np.int64]
    slots: NDArray[np.int64]
    own: Words
    table: Words


@dataclass(eq=False)
class Flips:
    """The flipped weights of a trial in a convolution.

    Attributes:
        found: of each, output * 2 * inputs + the row of the table where its input agrees with it.
        ordered: made when it is needed.
    """

    found: NDArray[np.int64]
    ordered: Ordered | None = None

    @property
    def flips(self) -> int:
        """How many."""
        return len(self.found)


@dataclass(eq=False)
class CleanMap:
    """A convolution without errors on a block of images.

    Attributes:
        source, result: its input and its output, packed rows.
        frames: how many images.
        bytes: what it takes with all of the following, which are made when they are needed.
        margins: uint64 (frames, digits, lanes / 64).
        framed: the input in its frame in words of 64 bits.
    """

    source: NDArray[np.uint32]
    result: NDArray[np.uint32]
    frames: int
    bytes: int
    margins: Words | None = None
    framed: Words | None = None


class MapChanges(Changes):
    """A convolution on bits with thresholds, beside its stage."""

    def __init__(self, stage: ProductStage, weights: PackedMemory) -> None:
        super().__init__(stage, weights, -(-stage.channels // 64))
        self._weights = weights
        found = _windows(stage)
        inside = stage.step.source[0] * stage.step.source[1]
        self._ends = np.searchsorted(found[:, 0], np.arange(inside + 1))
        self._windows = np.ascontiguousarray(found[:, 1])
        self._taps = np.ascontiguousarray(found[:, 2]) * 32 * stage.cell
        lanes = np.arange(64 * self._words)
        valid = np.packbits(lanes < stage.channels, bitorder="little").view(np.uint64)
        flip = np.zeros(self._words, np.uint64)
        flip.view(np.uint32)[: stage.words] = stage.invert
        self._valid, self._flip = self._of_all(valid), self._of_all(~flip)
        self.bytes_a_frame = 8 * DIGITS * len(self._valid)
        self._cell64 = -(-stage.cell // 2)  # words of a pixel in framed maps
        self._places64 = stage.places // stage.cell * self._cell64
        self._columns = stage.step.result[1]
        self._step = int(np.diff(self._places64[:2])[0]) if self._columns > 1 else 1
        self._steps_a_flip = 1 if self._step == self._words == 1 else 4  # and window
        none = np.zeros((0, 4), np.int64)
        ordered = Ordered(none, none[:, 0].copy(), self._owned(none), self._exact_table)
        self.none = Flips(none[:, 0].copy(), ordered)

    def _of_all(self, words: Words) -> Words:
        """Words of an output pixel for all of them, and zeros to a whole vector."""
        size = len(words) * self._stage.pixels
        found = np.zeros(-(-size // 8) * 8, np.uint64)
        found[:size] = np.tile(words, self._stage.pixels)
        return found

    def _owned(self, flips: NDArray[np.int64]) -> Words:
        counts = np.bincount(flips[:, 0], minlength=64 * self._words)
        planes = int(counts.max()).bit_length()
        found = [
            self._of_all(np.packbits(counts >> plane & 1, bitorder="little").view(np.uint64))
            for plane in range(planes)
        ]
        return np.stack([*found, np.zeros_like(self._valid)])

    def is_hopeless(self, memory: PackedMemory) -> bool:
        """Whether flipped weights alone cost more than the whole layer does."""
        return self._steps_a_flip * self._flipped(memory) > self._whole

    def weights(self, memory: PackedMemory) -> Flips:
        """Return where the weights that a memory holds differ from the exact ones."""
        found = self._flips_of(memory)
        return Flips(found) if len(found) else self.none

    def _ordered(self, weights: Flips) -> Ordered:
        if weights.ordered is not None:
            return weights.ordered
        stage = self._stage
        outputs, rows = np.divmod(weights.found, 2 * self._inputs)
        inputs = rows >> 1
        pixel, word = np.divmod(stage.offsets[inputs >> 5], stage.cell)
        flips = np.stack(
            [
                outputs,
                pixel * self._cell64 + (word >> 1),
                (word & 1) * 32 + (inputs & 31),
                rows & 1,
            ],
            axis=1,
        )
        flips = flips[np.argsort(outputs, kind="stable")]
        counts = np.bincount(flips[:, 0])
        before = np.cumsum(counts) - counts
        slot = np.arange(len(flips)) - before[flips[:, 0]]
        order = np.argsort(slot, kind="stable")
        slots = np.cumsum(np.bincount(slot))
        weights.ordered = Ordered(
            np.ascontiguousarray(flips[order]),
            slots,
            self._owned(flips),
            self._table_with(weights.found),
        )
        return weights.ordered

    def clean(self, source: NDArray[np.uint32], frames: int) -> CleanMap:
        """Compute the layer without errors; its stage has the weights for it."""
        result = self._stage.compute(source, frames).copy()
        size = 2 * source.nbytes + result.nbytes + frames * self.bytes_a_frame
        return CleanMap(source.copy(), result, frames, size)

    def _margins(self, clean: CleanMap) -> Words:
        if clean.margins is not None:
            return clean.margins
        stage, frames = self._stage, clean.frames
        stage.prepare(self._weights)  # on which limits depend where padding counts for nothing
        limits = self._limits()
        margins = np.zeros((frames, DIGITS, len(self._valid)), np.uint64)
        step = max(1, SUMS_AT_ONCE // len(limits))
        images = clean.source.reshape(frames, -1, stage.cell)
        for start in range(0, frames, step):
            part = images[start : start + step]
            sums = np.zeros((len(part), len(limits)), np.int32)
            used = sums[:, : stage.pixels * 64 * self._words]
            agreeing = np.zeros((len(part) * stage.pixels, 32 * stage.words), np.int32)
            stage.sums_of(part, len(part), agreeing)
            used.reshape(len(part), stage.pixels, -1)[:, :, : LANES * stage.words] = (
                agreeing.reshape(len(part), stage.pixels, -1)
            )
            margin_kernels.slice_margins(
                sums.reshape(-1), limits, (1 << (DIGITS - 1)) - 1,
                margins[start : start + step], 0, len(part),
            )  # fmt: skip
        clean.margins = margins
        return margins

    def _limits(self) -> NDArray[np.int32]:
        """What is added to a lane's agreeing bits to get its margin."""
        stage = self._stage
        found = np.zeros(64 * len(self._valid), np.int32)
        used = found[: stage.pixels * 64 * self._words].reshape(stage.pixels, -1)
        outputs = stage.channels
        if stage.groups is None:
            used[:, :outputs] = stage.limits[:outputs] - stage.inputs
            return found
        begin = 0
        for group, end in enumerate(stage.groups.ends):
            pixels = stage.groups.order[begin:end]
            used[pixels, :outputs] = stage.limits[group, :outputs] - stage.inputs
            begin = end
        return found

    def is_cheaper(
        self, clean: CleanMap, weights: Flips, source: NDArray[np.uint32] | None
    ) -> bool:
        """Estimate whether changes cost less than the whole layer."""
        return self.is_able(weights) and self.gain(clean, weights, source) > 1

    def gain(self, clean: CleanMap, weights: Flips, source: NDArray[np.uint32] | None) -> float:
        """Estimate how many times what changes cost the whole layer does.

        Costs are in steps of the whole layer's loop, 512 products each, as measured.
        """
        stage = self._stage
        pixels = stage.pixels
        whole = pixels * self._whole
        cost = 50.0 * pixels * self._words
        cost += weights.flips * pixels * self._steps_a_flip
        if clean.margins is None:  # which cost some steps for each sum, once
            cost += (1.5 * whole + 3 * 64 * pixels * self._words) / self.trials
        if source is not None:
            changed = flip_kernels.count_changes(source.reshape(-1), clean.source.reshape(-1))
            spread = len(self._windows) / (len(self._ends) - 1)
            cost += (12 + 6 * self._words) * spread * changed / clean.frames
        return whole / cost

    def is_able(self, weights: Flips) -> bool:
        """Whether it can tell what flips do: not where padding counts for nothing."""
        return not weights.flips or self._stage.groups is None

    def _framed(self, clean: CleanMap) -> Words:
        if clean.framed is None:
            stage, frames = self._stage, clean.frames
            framed = stage.framed(clean.source, frames).reshape(-1, stage.cell)
            found = np.zeros((len(framed), self._cell64), np.uint64)
            found.view(np.uint32)[:, : stage.cell] = framed
            clean.framed = found.reshape(-1)
        return clean.framed

    def compute(
        self,
        clean: CleanMap,
        weights: Flips,
        source: NDArray[np.uint32] | None,
        memory: PackedMemory,
    ) -> NDArray[np.uint32]:
        """Return the output for other weights and another input; None for the clean one."""
        stage, frames = self._stage, clean.frames
        values = clean.source if source is None else source
        if not self.is_able(weights):
            stage.prepare(memory)
            return stage.compute(values, frames)
        margins, ordered = self._margins(clean), self._ordered(weights)
        out = stage.rows(frames)
        left_out = np.zeros(frames, np.bool_)
        framed = self._framed(clean) if weights.flips else self._valid
        shape = (frames, stage.pixels, stage.words)
        arguments = (
            values.reshape(-1), clean.source.reshape(-1), stage.cell, self._ends, self._windows,
            self._taps, ordered.table, margins, framed,
            stage.frame_size // stage.cell * self._cell64, self._places64, self._columns,
            self._step, ordered.found, ordered.slots, ordered.own, self._flip, self._valid,
            self._words, clean.result.reshape(shape), out.reshape(shape), left_out,
        )  # fmt: skip
        self._workers.share(lambda lo, hi: maps.update_maps(*arguments, lo, hi), frames)
        if left_out.any():
            stage.prepare(memory)
            stage.compute_frames(values, np.flatnonzero(left_out))
        return out


def _windows(stage: ProductStage) -> NDArray[np.int64]:
    """Each (pixel of the input, window that holds it, tap), in order of the first."""
    (top, left), (down, right) = stage.frame[:2], stage.strides
    height, width = stage.step.source[:2]
    i, j, p, q = np.meshgrid(
        *map(np.arange, (*stage.step.result[:2], *stage.kernel)), indexing="ij"
    )
    row, column = i * down + p - top, j * right + q - left
    inside = (row >= 0) & (row < height) & (column >= 0) & (column < width)
    places = row * width + column, i * stage.step.result[1] + j, p * stage.kernel[1] + q
    found = np.stack(places, axis=-1)[inside]
    ordered: NDArray[np.int64] = found[np.argsort(found[:, 0], kind="stable")]
    return ordered
