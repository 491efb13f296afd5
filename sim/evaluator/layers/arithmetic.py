"""How weight layers compute: the kernels for what they take and for the processor."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spinflow.sim.evaluator.kernels import bits as bit_kernels
from spinflow.sim.evaluator.kernels import products, tables
from spinflow.sim.evaluator.kernels.vectors import LANES
from spinflow.sim.evaluator.layers.zero_padding import Groups
from spinflow.sim.evaluator.processor import BY_TABLES

Job = Callable[[int, int], None]
"""Computes a range of frames."""


@dataclass(frozen=True)
class Terms:
    """What the sums of a layer add up.

    Attributes:
        inputs: terms of each sum.
        runs: of inputs that each begin a word, or a pair of pixels.
        frame_size: words or bytes of a frame of its input.
        places: where each output pixel's inputs begin in a frame.
        offsets: what an output reads, from its place on, in words or bytes.
        words: of packed outputs.
    """

    inputs: int
    runs: int
    frame_size: int
    places: NDArray[np.int64]
    offsets: NDArray[np.int64]
    words: int


@dataclass(frozen=True)
class Comparison:
    """What sums are compared with.

    Attributes:
        limits: for each lane; where there are groups (groups, lanes).
        invert: which results are inverted, packed.
        groups: of output pixels, with limits of their own.
    """

    limits: NDArray[np.int32]
    invert: NDArray[np.uint32]
    groups: Groups | None = None


class Arithmetic(ABC):
    """The weights in the order of a kernel's loop, and the kernel."""

    def __init__(self, terms: Terms) -> None:
        self._terms = terms
        self._place = terms.frame_size, terms.places, terms.offsets

    @abstractmethod
    def load(self, rows: NDArray[np.uint32]) -> None:
        """Take the weights: a packed row for each output."""

    @abstractmethod
    def bits(self, x: NDArray[Any], against: Comparison, out: NDArray[np.uint32]) -> Job:
        """Return what sets out (rows, words) to the outputs, packed; x is flat."""

    @abstractmethod
    def sums(self, x: NDArray[Any], sums: NDArray[np.int32]) -> Job:
        """Return what sets sums (rows, outputs)."""


class OnPixels(Arithmetic):
    """Signed sums of UINT8 pixels."""

    def __init__(self, terms: Terms) -> None:
        super().__init__(terms)
        shape = (-(-terms.words // 2), len(terms.offsets), 2 * LANES, 2)
        self._weights = np.zeros(shape, np.int16)

    def load(self, rows: NDArray[np.uint32]) -> None:
        """Bring the weights into the order of the loop."""
        terms = self._terms
        bit_kernels.transpose_weights(rows, terms.runs, terms.inputs // terms.runs, self._weights)

    def bits(self, x: NDArray[Any], against: Comparison, out: NDArray[np.uint32]) -> Job:
        """Return what gives bits."""
        return self._job(x, (against.limits, against.invert, out, np.zeros((0, 1), np.int32)))

    def sums(self, x: NDArray[Any], sums: NDArray[np.int32]) -> Job:
        """Return what gives sums."""
        out = np.zeros((0, 1), np.uint32)
        return self._job(x, (np.zeros(0, np.int32), np.zeros(0, np.uint32), out, sums))

    def _job(self, x: NDArray[Any], rest: tuple[NDArray[Any], ...]) -> Job:
        wide = np.zeros(x.size + 1, np.uint16)  # a pair may begin at the last
        wide[:-1] = x
        given = (wide, *self._place, self._weights.reshape(-1), *rest)
        compute: Callable[..., None] = products.pixel_layer
        return lambda lo, hi: compute(*given, lo, hi)


class Counted(Arithmetic):
    """XNOR, and the bits of words counted."""

    def __init__(self, terms: Terms) -> None:
        super().__init__(terms)
        self._weights = np.zeros((terms.words, len(terms.offsets), LANES), np.uint32)

    def load(self, rows: NDArray[np.uint32]) -> None:
        """Bring the weights into the order of the loop."""
        terms = self._terms
        bit_kernels.interleave_weights(rows, terms.runs, terms.inputs // terms.runs, self._weights)

    def bits(self, x: NDArray[Any], against: Comparison, out: NDArray[np.uint32]) -> Job:
        """Return what gives bits."""
        place, weights, groups = self._place, self._weights.reshape(-1), against.groups
        rest = against.limits, against.invert, out
        if groups is None:
            return lambda lo, hi: products.binary_layer(x, *place, weights, *rest, lo, hi)
        group = groups.order, groups.ends
        return lambda lo, hi: products.binary_layer_in_groups(
            x, *place, weights, *rest, *group, lo, hi
        )

    def sums(self, x: NDArray[Any], sums: NDArray[np.int32]) -> Job:
        """Return what gives sums."""
        place, weights, terms = self._place, self._weights.reshape(-1), self._terms.inputs
        return lambda lo, hi: products.binary_sums(x, *place, weights, terms, sums, lo, hi)


class LookedUp(Counted):
    """The same by tables."""

    def __init__(self, terms: Terms) -> None:
        super().__init__(terms)
        blocks = -(-terms.words * LANES // tables.OUTPUTS)
        shape = (blocks, len(terms.offsets), tables.NIBBLES, tables.OUTPUTS)
        self._nibbles = np.zeros(shape, np.uint8)
        self._all = np.arange(len(terms.places)), np.array([len(terms.places)])

    def load(self, rows: NDArray[np.uint32]) -> None:
        """Bring the weights into the order of the loop."""
        super().load(rows)
        tables.spread_weights(self._weights, self._nibbles)

    def bits(self, x: NDArray[Any], against: Comparison, out: NDArray[np.uint32]) -> Job:
        """Return what gives bits."""
        groups, limits = against.groups, against.limits
        order, ends = self._all if groups is None else (groups.order, groups.ends)
        limits = limits.reshape(len(ends), -1)
        none = np.zeros((0, 1), np.int32)
        return self._job(x, (limits, against.invert, order, ends, out, none))

    def sums(self, x: NDArray[Any], sums: NDArray[np.int32]) -> Job:
        """Return what gives sums."""
        no_limits, invert = np.zeros((0, 0), np.int32), np.zeros(0, np.uint32)
        none = np.zeros((0, 1), np.uint32)
        return self._job(x, (no_limits, invert, *self._all, none, sums))

    def _job(self, x: NDArray[Any], rest: tuple[NDArray[Any], ...]) -> Job:
        weights, terms = self._nibbles.reshape(-1), self._terms.inputs
        given = (x, *self._place, weights, terms, *rest)
        compute: Callable[..., None] = tables.table_layer
        return lambda lo, hi: compute(*given, lo, hi)


def arithmetic(terms: Terms, pixels: bool) -> Arithmetic:
    """Return the fastest for what a layer takes on this processor."""
    if pixels:
        return OnPixels(terms)
    return LookedUp(terms) if BY_TABLES else Counted(terms)
