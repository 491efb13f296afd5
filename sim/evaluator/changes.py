"""What a trial changes of a layer whose sums are known: changed weights and changed inputs.

The sums of a layer without errors are computed once for a block of images. Weights that flipped
move the sums of their output for all images: their columns of the transposed input are added up.
Inputs that changed move the sums of their image: their rows of the transposed weights are. What
comes out is the layer's output in every bit.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from spinflow.sim.evaluator.kernels import bits as bit_kernels
from spinflow.sim.evaluator.kernels import flips as flip_kernels
from spinflow.sim.evaluator.kernels import margins as margin_kernels
from spinflow.sim.evaluator.kernels import slices, transposition
from spinflow.sim.evaluator.kernels.vectors import LANES
from spinflow.sim.evaluator.layers.product import ProductStage
from spinflow.sim.evaluator.memory import PackedMemory
from spinflow.sim.evaluator.processor import PRODUCTS

Words = NDArray[np.uint64]
NEAR_DIGITS = 6  # of margins that are clipped
FLIP = 13  # steps for a flipped weight in 512 images
SPARE = 7  # words behind rows: vectors are read from the last word on
FRAMES_OF_SUMS = 256  # that are computed at once where sums are cut into digits


def _whole(number: int, step: int) -> int:
    return -(-number // step) * step


@dataclass(eq=False)
class Weights:
    """The flipped weights of a trial in a layer.

    Attributes:
        found: of each, output * 2 * inputs + the row of the table where its input agrees with it.
        counts: how many each output has.
        index, ends: in the order of outputs, as `slices.count_columns` takes them.
        parity: outputs with an odd number, packed.
        table: the weights' rows, as `slices.update_rows` takes them; made when it is needed.
    """

    found: NDArray[np.int64]
    counts: NDArray[np.int64]
    index: NDArray[np.int64]
    ends: NDArray[np.int64]
    parity: Words
    table: Words | None = None

    @property
    def flips(self) -> int:
        """How many."""
        return len(self.found)


@dataclass(eq=False)
class ByOutput:
    """A clean layer with images as lanes: what is needed where its input is as it was.

    Attributes:
        near, margins: uint64 (outputs, digits, words).
        result: uint64 (outputs, words).
    """

    near: Words
    margins: Words
    result: Words


@dataclass(eq=False)
class Clean:
    """A layer without errors on a block of images.

    Attributes:
        source: its input in words of 64 bits.
        result: its output, packed rows.
        near, margins: uint64 (frames, digits, words), clipped and whole.
        columns: the input transposed, as `slices.count_columns` takes it; made when it is needed.
        by_output: made when it is needed.
    """

    source: Words
    result: NDArray[np.uint32]
    near: Words
    margins: Words
    columns: Words | None = None
    by_output: ByOutput | None = None

    @property
    def bytes(self) -> int:
        """What it takes, with what is made when it is needed, about."""
        return 2 * sum(p.nbytes for p in (self.source, self.result, self.near, self.margins))


class Changes:
    """A layer on bits with thresholds, beside its stage: weights that flip, and their rows.

    Args:
        stage: the layer at work.
        weights: has the weights without errors.
        words: of 64 outputs in a row of weights.
    """

    trials = 1
    """How many share what is known of the layer without errors."""

    def __init__(self, stage: ProductStage, weights: PackedMemory, words: int) -> None:
        self._stage, self._workers, self._words = stage, stage.workers, words
        self._inputs = len(stage.offsets) * 32  # padded as the input's words are
        self._whole = stage.channels * self._inputs / 512 * PRODUCTS  # steps, for a window
        self.bytes_a_frame = 0  # of what is kept of a clean layer
        self._exact = weights.packed().copy()
        self._place_of = self._places()
        self._exact_table = self._table_of(stage.weight_rows(weights))

    def _places(self) -> NDArray[np.int32]:
        """For each bit of the weight memory, output * inputs + input."""
        stage = self._stage
        channels = stage.step.source[2]
        natural = np.arange(stage.inputs)
        padded = natural // channels * _whole(channels, 32) + natural % channels
        places = (np.arange(stage.channels)[:, None] * self._inputs + padded).astype(np.int32)
        order = stage.order
        folded: NDArray[np.int32] = places.reshape(
            stage.channels // order.pe, order.pe, stage.inputs // order.simd, order.simd
        )
        return folded.transpose(0, 2, 1, 3).reshape(-1)

    def _table_of(self, rows: NDArray[np.uint32]) -> Words:
        bits, run = self._stage.step.source[2], -(-self._stage.step.source[2] // 32)
        width = _whole(self._inputs, 512) // 64
        source = np.zeros((64 * self._words, width), np.uint64)
        aligned = source.view(np.uint32)
        spare = np.zeros(rows.shape[1] + 1, np.uint32)
        for output, row in enumerate(rows):
            spare[:-1] = row
            for tap in range(self._stage.taps):
                bit_kernels.copy_bits(aligned[output], 32 * run * tap, spare, bits * tap, bits)
        columns = np.zeros((self._inputs, self._words), np.uint64)
        transposition.transpose_bits(source, columns, 0, width // 8)
        return _with_complement(columns)

    def _flipped(self, memory: PackedMemory) -> int:
        """How many weights differ, but for those of the last word where it is not full."""
        words = memory.size // 32
        return int(flip_kernels.count_changes(memory.packed()[:words], self._exact[:words]))

    def _flips_of(self, memory: PackedMemory) -> NDArray[np.int64]:
        """The weights that differ: output * 2 * inputs + the row of the table that agrees."""
        found = self._workers.room("flips", memory.size).view(np.int64)
        count = flip_kernels.find_flips(
            memory.packed(), self._exact, memory.size, self._place_of, found
        )
        return found[:count].copy()

    def _table_with(self, found: NDArray[np.int64]) -> Words:
        """The rows of weights of which some flipped."""
        table = self._exact_table.copy()
        flip_kernels.flip_table(found, self._inputs, table, self._words)
        return table


class LinearChanges(Changes):
    """A fully connected layer on bits, with thresholds, beside its stage."""

    def __init__(self, stage: ProductStage, weights: PackedMemory) -> None:
        outputs = stage.channels
        words = _whole(_whole(outputs, 64) // 64, slices.VECTORS[0])
        self._vector = next(v for v in reversed(slices.VECTORS) if words % v == 0)
        super().__init__(stage, weights, words)
        self._source_words = _whole(self._inputs, 64) // 64
        self._digits = max(stage.inputs.bit_length() + 1, slices.FEWEST + 2)
        self.bytes_a_frame = 8 * self._words * (self._digits + NEAR_DIGITS)
        valid = np.zeros(64 * self._words, np.uint8)
        valid[:outputs] = 1
        self._valid: Words = np.packbits(valid, bitorder="little").view(np.uint64)
        self._flip: Words = np.zeros(self._words, np.uint64)
        self._flip.view(np.uint32)[: stage.words] = stage.invert
        self._flip = ~self._flip
        self._limits = np.zeros(64 * self._words, np.int32)
        self._limits[:outputs] = stage.limits[:outputs] - stage.inputs
        self.none = self._sorted(np.zeros(0, np.int64))
        self.none.table = self._exact_table

    def _sorted(self, found: NDArray[np.int64]) -> Weights:
        outputs = self._stage.channels
        counts = np.zeros(outputs, np.int64)
        index = np.zeros(len(found) + slices.GROUP * outputs, np.int64)
        ends = np.zeros(outputs + 1, np.int64)
        last = flip_kernels.sort_flips(
            found, self._inputs, 2 * self._inputs, slices.GROUP, counts, index, ends
        )
        odd = np.zeros(64 * self._words, np.uint8)
        odd[:outputs] = counts & 1
        parity = np.packbits(odd, bitorder="little").view(np.uint64)
        return Weights(found, counts, index[:last], ends, parity)

    def is_hopeless(self, memory: PackedMemory) -> bool:
        """Whether flipped weights alone cost more than the whole layer does."""
        return FLIP * self._flipped(memory) / 512 > self._whole

    def weights(self, memory: PackedMemory) -> Weights:
        """Return where the weights that a memory holds differ from the exact ones."""
        found = self._flips_of(memory)
        return self._sorted(found) if len(found) else self.none

    def clean(self, source: NDArray[np.uint32], frames: int) -> Clean:
        """Compute the layer without errors; its stage has the weights for it."""
        stage = self._stage
        result = stage.compute(source, frames).copy()
        margins = np.zeros((frames, self._digits, self._words), np.uint64)
        near = np.zeros((frames, NEAR_DIGITS, self._words), np.uint64)
        images = source.reshape(frames, -1)
        for start in range(0, frames, FRAMES_OF_SUMS):
            part = slice(start, min(start + FRAMES_OF_SUMS, frames))
            sums = np.zeros((part.stop - start, 64 * self._words), np.int32)
            stage.sums_of(images[part], len(sums), sums[:, : LANES * stage.words])
            for target in near, margins:
                most = (1 << (target.shape[1] - 1)) - 1
                margin_kernels.slice_margins(
                    sums.reshape(-1), self._limits, most, target[part], 0, len(sums)
                )
        room = np.zeros(frames * self._source_words + SPARE, np.uint64)
        rows = room[:-SPARE].reshape(frames, self._source_words)
        rows[:] = self._whole_words(source)
        return Clean(rows, result, near, margins)

    def is_cheaper(self, clean: Clean, weights: Weights, source: NDArray[np.uint32] | None) -> bool:
        """Estimate whether changes cost less than the whole layer; as gain takes them."""
        return self.gain(clean, weights, source) > 1

    def gain(self, clean: Clean, weights: Weights, source: NDArray[np.uint32] | None) -> float:
        """Estimate how many times what changes cost the whole layer does.

        Costs are in steps of the whole layer's loop, 512 products each, as measured.

        Args:
            clean: the layer without errors.
            weights: the trial's.
            source: its input; None for the clean one.
        """
        frames, vectors = len(clean.result), -(-self._words // 8)
        cost, most = 0.0, 0
        if weights.flips:
            used, most = int((weights.counts > 0).sum()), int(weights.counts.max())
            cost += (90 * used + FLIP * weights.flips) / 512
            cost += (130 if source is None else 28 * most.bit_length()) * vectors
        if source is not None:
            now, before = self._whole_words(source), clean.source
            changed = flip_kernels.count_changes(
                now.reshape(-1).view(np.uint32), before.reshape(-1).view(np.uint32)
            )
            far = changed / frames + most > 1 << (NEAR_DIGITS - 1)
            cost += ((510 if far else 110) + 6.5 * changed / frames) * vectors
        return self._whole / max(cost, 1)

    def _table(self, weights: Weights) -> Words:
        """The rows of weights as `slices.update_rows` takes them."""
        if weights.table is None:
            weights.table = self._table_with(weights.found)
        return weights.table

    def _columns(self, clean: Clean, frames: int) -> Words:
        if clean.columns is None:
            clean.columns = _with_complement(self._turned(clean.source, self._inputs))
        return clean.columns

    def _turned(self, rows: Words, columns: int) -> Words:
        """Rows of images (frames, words) with images as lanes: (columns, words of 512 images)."""
        frames, words = rows.shape
        source = np.zeros((_whole(frames, 512), _whole(words, 8)), np.uint64)
        source[:frames, :words] = rows
        turned = np.zeros((columns, len(source) // 64), np.uint64)
        transposition.transpose_bits(source, turned, 0, source.shape[1] // 8)
        return turned

    def _by_output(self, clean: Clean, frames: int) -> ByOutput:
        if clean.by_output is None:
            outputs = 64 * self._words
            near, margins = (
                np.stack([self._turned(planes[:, n], outputs) for n in range(planes.shape[1])], 1)
                for planes in (clean.near, clean.margins)
            )
            result = np.zeros((frames, self._words), np.uint64)
            result.view(np.uint32)[:, : clean.result.shape[1]] = clean.result
            clean.by_output = ByOutput(near, margins, self._turned(result, outputs))
        return clean.by_output

    def _whole_words(self, rows: NDArray[np.uint32]) -> Words:
        """Return packed rows in words of 64 bits."""
        if rows.shape[-1] * rows.itemsize == 8 * self._source_words:
            return rows.reshape(-1, 2 * self._source_words).view(np.uint64)
        flat = rows.reshape(-1, len(self._stage.offsets))
        if flat.shape[1] % 2 == 0:
            return flat.view(np.uint64)
        room = self._workers.room("padded", len(flat) * self._source_words + SPARE)
        padded = room[:-SPARE].reshape(len(flat), self._source_words)
        padded[:, -1] = 0
        padded.view(np.uint32)[:, : flat.shape[1]] = flat
        return padded

    def _moves(self, clean: Clean, weights: Weights, frames: int) -> Words:
        """The half changes of flipped weights: (planes, frames, words)."""
        columns = self._columns(clean, frames)
        width = columns.size // (2 * self._inputs + 1)
        planes = max(int(weights.counts.max()).bit_length(), 1)
        counted = self._workers.room("counted", planes, 64 * self._words, width)
        counted[:, len(weights.counts) :] = 0
        self._workers.share(
            lambda lo, hi: slices.count_columns(
                columns, weights.index, weights.ends, weights.counts, counted, lo, hi
            ),
            len(weights.counts),
        )
        moves = self._workers.room("moves", planes, frames, self._words)
        for source, target in zip(counted, moves, strict=True):
            self._turn_back(source, target)
        return moves

    def _turn_back(self, source: Words, target: Words) -> None:
        """Outputs with images as lanes to rows of images."""
        self._workers.share(
            lambda lo, hi: transposition.transpose_bits(source, target, lo, hi),
            source.shape[1] // 8,
        )

    def _compute_columns(self, clean: Clean, weights: Weights, frames: int) -> NDArray[np.uint32]:
        """Return the output for other weights and the clean input."""
        columns, known = self._columns(clean, frames), self._by_output(clean, frames)
        found = self._workers.room("found", *known.result.shape)
        found[len(weights.counts) :] = 0
        self._workers.share(
            lambda lo, hi: slices.update_columns(
                columns, weights.index, weights.ends, weights.counts, known.near, known.margins,
                self._flip, known.result, found, lo, hi,
            ),
            len(weights.counts),
        )  # fmt: skip
        out = self._stage.rows(frames)
        if out.shape[1] == 2 * self._words:
            self._turn_back(found, out.view(np.uint64))
        else:
            turned = self._workers.room("turned", frames, self._words)
            self._turn_back(found, turned)
            out[:] = turned.view(np.uint32)[:, : out.shape[1]]
        return out

    def compute(
        self,
        clean: Clean,
        weights: Weights,
        source: NDArray[np.uint32] | None,
        memory: PackedMemory,
    ) -> NDArray[np.uint32]:
        """Return the output for other weights and another input; None for the clean one."""
        frames = len(clean.result)
        if source is None:
            return self._compute_columns(clean, weights, frames)
        moves, parity, most = self._workers.room("none", 0, frames, self._words), self._valid, 0
        if weights.flips:
            moves, parity = self._moves(clean, weights, frames), weights.parity
            most = int(weights.counts.max())
        out = self._stage.rows(frames)
        arguments = (
            self._whole_words(source), clean.source, self._table(weights), clean.near,
            clean.margins, moves, most, parity, self._flip, self._valid, self._vector,
            clean.result, out,
        )  # fmt: skip
        self._workers.share(lambda lo, hi: slices.update_rows(*arguments, lo, hi), frames)
        return out


def _with_complement(rows: Words) -> Words:
    """Each row with its complement before it, and zeros behind all, flat."""
    both = np.zeros((2 * len(rows) + 1, rows.shape[1]), np.uint64)
    both[1:-1:2] = rows
    both[:-1:2] = ~rows
    return both.reshape(-1)
