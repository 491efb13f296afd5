"""Blocks of images, and what trials on the same block share: clean results and draws.

Blocks are the outer loop of an evaluator and trials the inner one, so that what the layers give
without errors is computed once for all trials and memory stays bounded.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Generic, Protocol, TypeVar

from numpy.typing import NDArray

from spinflow.sim.evaluator.draws import Draws

_Clean = TypeVar("_Clean")


class _Trial(Protocol):
    memories: list[Any]


class Kept(Generic[_Clean]):
    """What blocks of the same images give without errors, kept for the trials that come later.

    Args:
        most: bytes that are kept.
        make: what a block of images gives.
        size: bytes of that.
    """

    def __init__(
        self, most: int, make: Callable[[NDArray[Any]], _Clean], size: Callable[[_Clean], int]
    ) -> None:
        self._most, self._make, self._size = most, make, size
        self._images: NDArray[Any] | None = None
        self._kept: dict[int, _Clean] = {}
        self._bytes = 0

    def begin(self, images: NDArray[Any]) -> None:
        """Say which images come; what is known of others is forgotten."""
        if images is not self._images:
            self._images, self._kept, self._bytes = images, {}, 0

    def block(self, start: int, images: NDArray[Any]) -> _Clean:
        """Return what the block of images that begins at number `start` gives."""
        found = self._kept.get(start)
        if found is None:
            found = self._make(images)
            size = self._size(found)
            if self._bytes + size <= self._most:
                self._kept[start] = found
                self._bytes += size
        return found


@contextmanager
def shared_draws(trials: Iterable[_Trial]) -> Iterator[None]:
    """Let the buffers of trials draw once for all while this lasts."""
    draws = Draws()
    buffers = [each for trial in trials for each in trial.memories if each.kind == "buffer"]
    for buffer in buffers:
        buffer.want_draws(draws)
    try:
        yield
    finally:
        for buffer in buffers:
            buffer.want_draws(None)


def starts(images: Sequence[Any] | NDArray[Any], at_once: int) -> range:
    """Return the numbers at which blocks begin; without images there is one, which is empty."""
    return range(0, max(len(images), 1), at_once)
