"""Draws that are made once for several trials.

Seeds do not contain the rate, so the trials of a repeat take the same draws, each against its own
thresholds. The first that asks has the hits of all.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from spinflow.sim.evaluator.kernels import fast_stream, streams

_Stream = tuple[int, int, str]
"""The index of a memory, its seed, and the kind of stream."""


@dataclass
class _Made:
    hits: dict[int, NDArray[np.uint64]]
    takers: int


@dataclass
class Draws:
    """The draws of several trials on the same images.

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
            thresholds_of_all = {each for both in trials for each in both}
            made = _Made(_made(stream, start, words, thresholds_of_all), len(trials))
            self._made[place] = made
        made.takers -= 1
        if made.takers <= 0:
            del self._made[place]
        return [made.hits[threshold] for threshold in thresholds]


def _made(
    stream: _Stream, start: int, words: int, thresholds: Iterable[int]
) -> dict[int, NDArray[np.uint64]]:
    index, seed, kind = stream
    ordered = np.array(sorted(thresholds), np.int64)
    parts = words // streams.MASK_WORDS + 1  # a word to spare
    found = np.empty((len(ordered), parts * streams.MASK_WORDS), np.uint64)
    if kind == "fast":
        flags = found.view(np.uint32)
        fast_stream.hits_of_fast(seed, index, start, ordered, flags, 0, flags.shape[1])
    else:
        streams.hits_of_many(seed, start, ordered, found, 0, parts)
    return dict(zip(ordered.tolist(), found, strict=True))
