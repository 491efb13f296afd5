"""Weight layers: fully connected and convolutional, on bits or on UINT8 pixels."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from spinflow.host.core import description
from spinflow.host.core.description import Shape
from spinflow.sim.evaluator.folding import Folding, fold_weights, unfold_weights
from spinflow.sim.evaluator.kernels import bits as bit_kernels
from spinflow.sim.evaluator.kernels import products as kernels
from spinflow.sim.evaluator.kernels.vectors import LANES
from spinflow.sim.evaluator.layers.arithmetic import Comparison, Job, Terms, arithmetic
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
from spinflow.sim.evaluator.layers.zero_padding import Groups
from spinflow.sim.evaluator.memory import PackedMemory

Padding = tuple[int, int, int, int]
"""Rows and columns of padding: above, on the left, below, on the right."""


class Product(Layer):
    """A weight layer; its kinds are the dataclasses below.

    Attributes:
        weights: 0 and 1; the first dimension counts outputs.
        thresholds: integers (MH,): an output is 1 where the agreeing bits (or, on UINT8 input and
            where bits are padded with 0, the signed sum) reach it. None: the output is that number.
        inverted: bool (MH,): outputs whose comparison is the other way round, `<`, as a negative
            batch-norm slope makes it.
        folding: order of the weight memory; None is the natural one.
    """

    weights: NDArray[Any]
    thresholds: NDArray[Any] | None
    inverted: NDArray[Any] | None
    folding: Folding | None
    takes: ClassVar[tuple[Values, ...]] = (Values.PIXELS, Values.BITS)
    refusal: ClassVar[str] = "weights take pixels or bits"

    @property
    def inputs(self) -> int:
        """Terms of each sum."""
        return int(self.weights[0].size)

    @property
    @abstractmethod
    def frame(self) -> Padding:
        """The padding around its input."""

    @property
    def leaves_out_padding(self) -> bool:
        """Whether bits are padded with 0, which counts for nothing."""
        return False

    @property
    @abstractmethod
    def steps(self) -> tuple[int, int]:
        """The stride of rows and of columns."""

    @abstractmethod
    def kernel(self, source: Shape) -> tuple[int, int]:
        """Return the rows and columns of a window of its input."""

    @abstractmethod
    def window(self, source: Shape) -> description.Window | None:
        """Return how it moves over its input, as a bundle describes it."""

    def result(self, source: Map) -> Map:
        """Return a map of bits, or of sums."""
        shape = self._shape(source.shape)
        self._check()
        values = Values.SUMS if self.thresholds is None else Values.BITS
        bits = source.values is Values.BITS
        if bits and values is Values.SUMS and self.leaves_out_padding:
            raise ValueError("only a layer with thresholds can pad with 0")
        if values is Values.SUMS and self.buffer:
            raise ValueError("only bits are stored in a buffer, and it gives sums")
        return Map(shape, values)

    @abstractmethod
    def _shape(self, source: Shape) -> Shape: ...

    def _check(self) -> None:
        outputs = len(self.weights)
        if np.any((self.weights != 0) & (self.weights != 1)):
            raise ValueError("weights are bits, 0 for -1 and 1 for +1")
        for name, value in ("thresholds", self.thresholds), ("inverted", self.inverted):
            if value is not None and np.shape(value) != (outputs,):
                raise ValueError(f"{name} {np.shape(value)} are not one for each output")
        order = self.order()
        if outputs % order.pe or self.inputs % order.simd:
            raise ValueError(f"a folding of {order.pe} x {order.simd} does not divide it")

    def stage(self, step: Step, place: Place) -> Stage:
        """Return the layer at work."""
        assert place.weights is not None
        return ProductStage(self, step, place, place.weights)

    def described(self, step: Step, weights: int, buffer: int | None) -> description.Product:
        """Return the layer as a bundle describes it."""
        order = self.order()
        return description.Product(
            name=self.name,
            mw=self.inputs,
            mh=len(self.weights),
            pe=order.pe,
            simd=order.simd,
            pixels=step.pixels,
            threshold=self.thresholds is not None,
            window=self.window(step.source),
            shape=step.result,
            weights=weights,
            buffer=buffer,
        )

    def order(self) -> Folding:
        """Return how its weights lie in their memory."""
        return self.folding or Folding(1, self.inputs)

    def trained(self) -> NDArray[np.uint32]:
        """Return its weights as they are written: uint32 (depth, segments)."""
        return fold_weights(self.weights.reshape(len(self.weights), -1), self.order())


@dataclass(frozen=True)
class Linear(Product):
    """A fully connected binary layer, with weights (MH, MW); attributes as of a Product."""

    name: str
    weights: NDArray[Any]
    thresholds: NDArray[Any] | None = None
    inverted: NDArray[Any] | None = None
    folding: Folding | None = None
    buffer: Buffer | bool = False

    @property
    def frame(self) -> Padding:
        """None."""
        return (0, 0, 0, 0)

    @property
    def steps(self) -> tuple[int, int]:
        """One window has it all."""
        return (1, 1)

    def kernel(self, source: Shape) -> tuple[int, int]:
        """Return the rows and columns of its input, which one window has."""
        return source[:2]

    def window(self, source: Shape) -> None:
        """Return None: it does not move."""

    def _shape(self, source: Shape) -> Shape:
        if self.weights.ndim != 2 or self.weights.shape[1] != source[0] * source[1] * source[2]:
            raise ValueError(f"weights {self.weights.shape} do not take a map of {source}")
        return (1, 1, len(self.weights))


@dataclass(frozen=True)
class Conv(Product):
    """A binary convolution, with weights (MH, rows, columns, channels); else as Linear.

    The map is framed with `padding` (top, left, bottom, right; a number is all four): bits with
    `padding_value`, -1 or 0, UINT8 pixels with 0. `stride` is of rows and columns, or a number for
    both.
    """

    name: str
    weights: NDArray[Any]
    thresholds: NDArray[Any] | None = None
    inverted: NDArray[Any] | None = None
    padding: int | Padding = 0
    stride: int | tuple[int, int] = 1
    folding: Folding | None = None
    buffer: Buffer | bool = False
    padding_value: int = -1

    @property
    def leaves_out_padding(self) -> bool:
        """Whether bits are padded with 0, which counts for nothing."""
        return self.padding_value == 0 and any(self.frame)

    @property
    def frame(self) -> Padding:
        """The padding above, on the left, below and on the right."""
        return (self.padding,) * 4 if isinstance(self.padding, int) else self.padding

    @property
    def steps(self) -> tuple[int, int]:
        """The stride of rows and of columns."""
        return (self.stride,) * 2 if isinstance(self.stride, int) else self.stride

    def kernel(self, source: Shape) -> tuple[int, int]:
        """Return the rows and columns of its kernel."""
        return self.weights.shape[1], self.weights.shape[2]

    def window(self, source: Shape) -> description.Window:
        """Return how it moves over its input, as a bundle describes it."""
        return description.Window(
            source, self.kernel(source), self.steps, self.frame, self.padding_value
        )

    def _shape(self, source: Shape) -> Shape:
        if self.weights.ndim != 4 or self.weights.shape[3] != source[2]:
            raise ValueError(f"weights {self.weights.shape} do not take a map of {source}")
        if min(self.steps) < 1 or min(self.frame) < 0:
            raise ValueError(f"stride {self.stride} with padding {self.padding}")
        if self.padding_value not in (-1, 0):
            raise ValueError(f"padding of {self.padding_value}: it can be -1 or 0")
        rows, columns = (
            (source[axis] + self.frame[axis] + self.frame[2 + axis] - kernel) // step + 1
            for axis, kernel, step in zip((0, 1), self.kernel(source), self.steps, strict=True)
        )
        return (rows, columns, len(self.weights))


class ProductStage(Stage):
    """A weight layer at work: its weights in the order of the loop, and where its inputs lie.

    Attributes:
        inputs: terms of each sum.
        taps: runs of its inputs that each begin a word.
        offsets: what an output reads, from its place on, in words or bytes.
        places: where each output pixel's inputs begin in a frame of frame_size.
        cell: words or bytes of a pixel of the input.
        framed_shape: of an input in its frame, rows, columns and cells.
        groups: of output pixels, where padding counts for nothing.
        limits, invert: what sums are compared with, and which results are inverted, packed.
    """

    def __init__(self, layer: Product, step: Step, place: Place, memory: PackedMemory) -> None:
        super().__init__(step, place)
        self._layer, self._memory = layer, memory
        self.inputs = layer.inputs
        self._loaded: tuple[PackedMemory, int] | None = None  # whose weights, as of which write
        channels = step.source[2]
        self.cell = channels if step.pixels else -(-channels // 32)  # of the map, bytes or words
        top, left, bottom, right = layer.frame
        height, width = step.source[0] + top + bottom, step.source[1] + left + right
        self.framed_shape = (height, width, self.cell)
        self.frame_size = height * width * self.cell
        self._padded: NDArray[Any] = np.zeros(0, np.uint8 if step.pixels else np.uint32)
        if any(layer.frame):
            size = self.frame_size * self._padded.dtype.itemsize
            self.bytes_a_frame = max(self.bytes_a_frame, size)
        self.places = np.array(
            [
                (i * layer.steps[0] * width + j * layer.steps[1]) * self.cell
                for i in range(step.result[0])
                for j in range(step.result[1])
            ],
            np.int64,
        )
        self.groups: Groups | None = None
        if layer.leaves_out_padding and not step.pixels:
            kernel = layer.kernel(step.source)
            self.groups = Groups(step.source, layer.frame, kernel, layer.steps)
        self.offsets = self._reads(width)
        self.limits, self.invert = self._comparisons()
        reads = self.frame_size, self.places, self.offsets
        terms = Terms(self.inputs, self.taps, *reads, self.words)
        self._arithmetic = arithmetic(terms, step.pixels)

    def _reads(self, width: int) -> NDArray[np.int64]:
        """What an output reads, from its place on, of a framed map of so many columns.

        Of bits, each word of each tap; of pixels, pairs: taps side by side in a kernel row are
        read two at a time.
        """
        rows, columns = self._layer.kernel(self.step.source)
        if self.step.pixels:
            self.taps, run = rows, self._layer.inputs // rows
            starts = [i * width * self.cell + n for i in range(rows) for n in range(0, run, 2)]
            return np.array(starts, np.int64)
        self.taps = rows * columns
        return np.array(
            [
                (i * width + j) * self.cell + n
                for i in range(rows)
                for j in range(columns)
                for n in range(self.cell)
            ],
            np.int64,
        )

    def _comparisons(self) -> tuple[NDArray[np.int32], NDArray[np.uint32]]:
        """What the sums are compared with, for each lane, and which results are inverted.

        Without thresholds there is nothing to compare with.
        """
        invert = np.zeros(self.words, np.uint32)
        if self._layer.inverted is not None:
            packed = np.zeros(4 * self.words, np.uint8)
            bits = np.packbits(np.asarray(self._layer.inverted, np.uint8), bitorder="little")
            packed[: len(bits)] = bits
            invert = packed.view("<u4").astype(np.uint32)
        if self._layer.thresholds is None:
            return np.zeros(0, np.int32), invert
        thresholds = np.asarray(self._layer.thresholds, np.int64)
        lanes = (self.words + 1) * LANES  # UINT8 input goes through two words at once
        if self.step.pixels:
            # Lanes without an output give 0, whatever their sum.
            limits = np.full(lanes, 2**31 - 1)
            limits[: self.channels] = np.clip(thresholds, -(2**31), 2**31 - 1)
        else:
            # At least T bits agree: at most MW - T differ.
            limits = np.full(lanes, -1)
            inputs = self._layer.inputs
            limits[: self.channels] = np.clip(inputs - thresholds, -1, inputs)
        return limits.astype(np.int32), invert

    def prepare(self, weights: PackedMemory | None = None) -> None:
        """Bring the weights that are stored now into the order of the inner loop."""
        memory = (self._memory if weights is None else weights).data()
        if self._loaded is not None and self._loaded == (memory, memory.writes):
            return
        rows = self.weight_rows(memory)
        self._arithmetic.load(rows)
        thresholds = self._layer.thresholds
        if self.groups is not None and thresholds is not None:
            lanes = self.limits.shape[-1]
            self.limits = self.groups.limits(rows, self.inputs, thresholds, lanes)
        self._loaded = memory, memory.writes

    def weight_rows(self, memory: PackedMemory) -> NDArray[np.uint32]:
        """Return the weights that a memory holds, packed: a row for each output."""
        order, inputs = self._layer.order(), self._layer.inputs
        rows = np.zeros((self.channels, -(-inputs // 32)), np.uint32)
        bit_kernels.unfold_weights(memory.packed(), inputs, order.pe, order.simd, rows)
        return rows

    def compute(self, values: NDArray[Any], frames: int) -> NDArray[Any]:
        """Return the output, packed rows, or sums where there are no thresholds."""
        if self._layer.thresholds is not None:
            out = self.rows(frames)
            self.workers.share(self._bits(values, frames, out), frames)
            return out
        sums = np.zeros((frames * self.pixels, self.channels), np.int32)
        self.sums_of(values, frames, sums)
        return sums

    def _bits(self, values: NDArray[Any], frames: int, out: NDArray[np.uint32]) -> Job:
        x = self.framed(values, frames).reshape(-1)
        against = Comparison(self.limits, self.invert, self.groups)
        return self._arithmetic.bits(x, against, out)

    def compute_frames(self, values: NDArray[Any], frames: NDArray[np.int64]) -> None:
        """Compute some frames again, of bits, into the output that `rows` gives."""
        count = len(values) // (self.step.source[0] * self.step.source[1])
        job = self._bits(values, count, self.rows(count))
        for frame in frames.tolist():
            job(frame, frame + 1)

    @property
    def order(self) -> Folding:
        """How the weights lie in their memory."""
        return self._layer.order()

    @property
    def is_of_bits(self) -> bool:
        """Whether it takes bits and gives bits."""
        return not self.step.pixels and self._layer.thresholds is not None

    @property
    def kernel(self) -> tuple[int, int]:
        """The rows and columns of a window."""
        return self._layer.kernel(self.step.source)

    @property
    def moves_by_one(self) -> bool:
        """Whether it takes pixels, gives bits, and its windows lie one pixel apart."""
        return (
            self.step.pixels
            and self._layer.thresholds is not None
            and self._layer.steps == (1, 1)
            and self.pixels > 1
        )

    @property
    def has_one_window(self) -> bool:
        """Whether one window has all its input."""
        return (
            self.pixels == 1
            and not any(self._layer.frame)
            and self._layer.kernel(self.step.source) == self.step.source[:2]
        )

    @property
    def frame(self) -> Padding:
        """The padding around its input."""
        return self._layer.frame

    @property
    def strides(self) -> tuple[int, int]:
        """The stride of rows and of columns."""
        return self._layer.steps

    def sums_of(self, values: NDArray[Any], frames: int, sums: NDArray[np.int32]) -> None:
        """Set sums (rows, outputs): signed, of pixels; bits that agree, padding included."""
        x = self.framed(values, frames).reshape(-1)
        self.workers.share(self._arithmetic.sums(x, sums), frames)

    def framed(self, values: NDArray[Any], frames: int) -> NDArray[Any]:
        """The input map in its frame of padding, zeros: bits of -1, or pixels of 0."""
        if not any(self._layer.frame):
            return values
        if len(self._padded) < frames * self.frame_size:
            self._padded = np.zeros(frames * self.frame_size, self._padded.dtype)
        padded = self._padded[: frames * self.frame_size].reshape(frames, *self.framed_shape)
        source = values.reshape(frames, *self.step.source[:2], self.cell)
        top, left = self._layer.frame[:2]
        self.workers.share(
            lambda lo, hi: kernels.pad_map(source, top, left, padded, lo, hi), frames
        )
        return padded


@OF_DESCRIPTION.computes(description.Product)
def _of_description(layer: description.Product, contents: Contents) -> Layer:
    number = contents.memories[layer.weights].layer
    order = Folding(layer.pe, layer.simd)
    bits = unfold_weights(contents.arrays[f"weights.{number}"], layer.mh, layer.mw, order)
    limits = contents.arrays[f"threshold.{number}"].reshape(-1) if layer.threshold else None
    buffer = contents.buffer(layer.buffer)
    window = layer.window
    if window is None:
        return Linear(layer.name, bits, limits, folding=order, buffer=buffer)
    bits = bits.reshape(-1, *window.kernel, window.input[2])
    return Conv(
        layer.name,
        bits,
        limits,
        padding=window.padding,
        stride=window.stride,
        folding=order,
        buffer=buffer,
        padding_value=window.padding_value,
    )


@OF_SPEC.computes("linear")
def _linear_of_spec(layer: Any, trained: Trained) -> Layer:
    limits = trained.thresholds.get(layer.name)
    return Linear(layer.name, trained.bits[layer.name], limits, buffer=layer.name in trained.stored)


@OF_SPEC.computes("conv")
def _conv_of_spec(layer: Any, trained: Trained) -> Layer:
    return Conv(
        layer.name,
        trained.bits[layer.name],
        trained.thresholds.get(layer.name),
        padding=layer.padding,
        stride=layer.stride,
        buffer=layer.name in trained.stored,
    )
