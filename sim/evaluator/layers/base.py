"""What all kinds of layers have: their data, their shapes, and their work on packed maps.

Maps have the order (row, column, channel), bits are 1 for +1 and 0 for -1. A packed map has a row
for each pixel of each frame, its channels in uint32 words.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from spinflow.host.core import description
from spinflow.host.core.description import MemoryInfo, Shape
from spinflow.sim.evaluator.folding import Folding
from spinflow.sim.evaluator.kernels import bits as bit_kernels
from spinflow.sim.evaluator.memory import PackedMemory, Workers
from spinflow.sim.kinds import Kinds


class Values(Enum):
    """What a map holds."""

    PIXELS = "UINT8 pixels"
    BITS = "bits"
    SUMS = "sums"
    LABELS = "labels"


@dataclass(frozen=True)
class Map:
    """What goes from one layer to the next."""

    shape: Shape
    values: Values


@dataclass(frozen=True)
class Buffer:
    """The MRAM between a layer and the next: `depth` words of `width` bits."""

    depth: int
    width: int


@dataclass(frozen=True)
class Step:
    """A layer with the shapes of its input and output map (rows, columns, channels)."""

    layer: Layer
    source: Shape
    result: Shape
    pixels: bool
    """Whether the input is UINT8 pixels."""


class Layer(ABC):
    """A layer as plain data.

    Attributes:
        name: what taps and memories are called after.
        buffer: whether the output is stored in MRAM: a shape, True for a buffer of one frame in
            words of one bit, or False.
        takes: what its input may hold.
        refusal: what is said of an input that holds anything else.
    """

    name: str
    buffer: Buffer | bool = False
    takes: ClassVar[tuple[Values, ...]]
    refusal: ClassVar[str]

    @abstractmethod
    def result(self, source: Map) -> Map:
        """Return what it gives; ValueError says what does not fit."""

    @abstractmethod
    def stage(self, step: Step, place: Place) -> Stage:
        """Return the layer at work."""

    @abstractmethod
    def described(self, step: Step, weights: int, buffer: int | None) -> description.Layer:
        """Return the layer as a bundle describes it, with the numbers of its memories."""

    def order(self) -> Folding | None:
        """Return how its weights lie in their memory; None if it has none."""
        return None

    def trained(self) -> NDArray[np.uint32]:
        """Return its weights as they are written: uint32 (depth, segments)."""
        raise ValueError(f"layer {self.name} has no weights")

    def buffer_behind(self, result: Shape) -> Buffer | None:
        """Return the buffer on its output, or None."""
        if isinstance(self.buffer, Buffer):
            return self.buffer
        return Buffer(result[0] * result[1] * result[2], 1) if self.buffer else None


@dataclass(frozen=True)
class Place:
    """What a layer works with.

    Attributes:
        workers: threads.
        weights: the memory of its weights, if it has any.
        buffer: the memory behind it, if there is one.
    """

    workers: Workers
    weights: PackedMemory | None
    buffer: PackedMemory | None


class Stage(ABC):
    """A layer at work: its map's memory, reused from block to block."""

    def __init__(self, step: Step, place: Place) -> None:
        self.step, self.workers = step, place.workers
        self.weights, self.buffer = place.weights, place.buffer
        self.pixels = step.result[0] * step.result[1]
        self.channels = step.result[2]
        self.words = -(-self.channels // 32)
        self.bytes_a_frame = 4 * self.pixels * self.words
        self._out: NDArray[np.uint64] = np.zeros(0, np.uint64)

    def prepare(self, weights: PackedMemory | None = None) -> None:  # noqa: B027 - most do nothing
        """Called before a run, when the weights may have changed.

        Args:
            weights: the memory that holds them, by default the layer's own.
        """

    @abstractmethod
    def compute(self, values: NDArray[Any], frames: int) -> NDArray[Any]:
        """Return the output of `frames` frames: packed rows (frames * pixels, words), or numbers.

        Numbers are sums, int32 (frames * pixels, outputs), or labels, int64 (frames, 1).
        """

    def store(self, values: NDArray[Any], buffer: PackedMemory, frames: int) -> NDArray[Any]:
        """Write the map into the buffer behind it, and return what it reads: packed rows."""
        rows = frames * self.pixels
        bits = rows * self.channels
        line = self._out
        if self.channels % 32:
            line = np.zeros(-(-bits // 64) + 1, np.uint64)
            bit_kernels.pack_rows(values, self.channels, line.view(np.uint32), 0, rows)
        if buffer.coder is not None:
            return self._read(buffer.write_data(line, bits), rows)
        stored = buffer.write(line, bits)
        if self.channels % 32:
            result = np.zeros((rows, self.words), np.uint32)
            bit_kernels.unpack_rows(stored, 0, self.channels, result)
        else:
            result = stored[: rows * self.words].reshape(rows, self.words)
        buffer.settle(bits)
        return result

    def _read(self, stored: NDArray[np.uint32], rows: int) -> NDArray[np.uint32]:
        """The packed rows of a line that will be written over."""
        found = np.zeros((rows, self.words), np.uint32)
        bit_kernels.unpack_rows(stored, 0, self.channels, found)
        return found

    def store_rows(self, values: NDArray[Any], buffer: PackedMemory, frames: int) -> NDArray[Any]:
        """As store, for values that may lie anywhere; they come back where none of them erred."""
        bits = frames * self.pixels * self.channels
        out = self.rows(frames)
        plain = buffer.coder is None
        if plain and self.channels % 32 == 0 and bits % 64 == 0 and values.ctypes.data % 8 == 0:
            line = values.reshape(-1).view(np.uint64)
            stored = buffer.pass_on(line, self._out, bits)
            if stored is not None:
                return values if stored is line else out
        if values.ctypes.data != out.ctypes.data:
            out[:] = values
        stored = self.store(out, buffer, frames)
        return values if not plain and np.array_equal(stored, values) else stored

    def tap(self, values: NDArray[Any], frames: int) -> NDArray[Any]:
        """Return values as (frames, elements)."""
        if values.dtype != np.uint32:
            return values.reshape(frames, self.pixels * self.channels).copy()
        little = np.ascontiguousarray(values).view(np.uint8)
        bits = np.unpackbits(little, axis=1, count=self.channels, bitorder="little")
        return bits.reshape(frames, self.pixels * self.channels)

    def rows(self, frames: int) -> NDArray[np.uint32]:
        """Return room for the packed output of `frames` frames."""
        size = frames * self.pixels * self.words
        words = -(-size // 2) + 8  # vectors may be read from the last word on
        if len(self._out) < words:
            self._out = np.zeros(words, np.uint64)
        return self._out.view(np.uint32)[:size].reshape(-1, self.words)


@dataclass(frozen=True)
class Contents:
    """What the layers of a bundle are read from: its list of memories and its arrays.npz."""

    memories: Sequence[MemoryInfo]
    arrays: Mapping[str, NDArray[Any]]

    def buffer(self, number: int | None) -> Buffer | bool:
        """Return the buffer that a layer names by its number, or False."""
        if number is None:
            return False
        return Buffer(self.memories[number].depth, self.memories[number].data_width)


@dataclass(frozen=True)
class Trained:
    """What the layers of a trained network of `spinflow.model.networks` are read from.

    Attributes:
        spec: of the network.
        bits: weights by layer, 0 and 1.
        thresholds: by layer, of those that give bits.
        stored: layers that have a buffer behind them.
    """

    spec: Any
    bits: Mapping[str, NDArray[Any]]
    thresholds: Mapping[str, NDArray[Any]]
    stored: frozenset[str]


OF_DESCRIPTION: Kinds[Callable[[Any, Contents], Layer]] = Kinds("the evaluator")
"""What reads a layer of a bundle, by the type of its description."""

OF_SPEC: Kinds[Callable[[Any, Trained], Layer]] = Kinds("the evaluator")
"""What reads a layer of a trained network, by its operation."""
