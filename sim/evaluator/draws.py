"""Draws that are made once for several trials.

Seeds do not contain the rate, so the trials of a repeat take the same draws, each against its own
thresholds. The first that asks has the hits of all.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from spinflow.sim.evaluator.kernels import streams

_Stream = tuple[int, int]
"""The index of a memory, and its seed."""


@dataclass
class _Made:
    hits: dict[int, NDArray[np.uint64]]
    takers: int


@dataclass
class Draws:
    """The draws of several trials on the same images, of the hardware's stream.

    Attributes:
        wanted: by stream, the thresholds of each trial that writes with it.
    """

    wanted: dict[_Stream, list[tuple[int, int]]] = field(default_factory=dict)
    _made: dict[tuple[_Stream, int, int], _Made] = field(default_factory=dict)

    def want(self, stream: _Stream, thresholds: tuple[int, int]) -> None:
        """Say that a trial will write with a stream, against two thresholds."""
        self.wanted.setdefault(stream, []).append(thresholds)

    def are_shared(self, stream: _Stream) -> bool:
        """Whether more than one trial writes with a stream."""
        return len(self.wanted.get(stream, ())) > 1

    def hits(
        self, stream: _Stream, start: int, words: int, thresholds: tuple[int, int]
    ) -> list[NDArray[np.uint64]]:
        """Return which bits err against each of two thresholds, from a position on.

        Args:
            stream: that was wanted.
            start: the position of the first bit, a multiple of 32.
            words: of 64 bits; there is at least one more.
            thresholds: of a written 1 and a written 0.
        """
        place = stream, start, words
        trials = self.wanted[stream]
        made = self._made.get(place)
        if made is None:
            made = _Made(_made(stream[1], start, words, {each for t in trials for each in t}),
                         len(trials))  # fmt: skip
            self._made[place] = made
        made.takers -= 1
        if made.takers <= 0:
            del self._made[place]
        return [made.hits[threshold] for threshold in thresholds]


def _made(
    seed: int, start: int, words: int, thresholds: Iterable[int]
) -> dict[int, NDArray[np.uint64]]:
    ordered = sorted(thresholds)
    parts = words // streams.MASK_WORDS + 1  # a word to spare
    found = np.empty((len(ordered), parts * streams.MASK_WORDS), np.uint64)
    streams.hits_of_many(seed, start, np.array(ordered, np.int64), found, 0, parts)
    return dict(zip(ordered, found, strict=True))
