"""What the evaluator's memories have of a SECDED code: lines of words, encoded and decoded."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from spinflow.host.core.description import Code
from spinflow.host.core.secded import CodeCounts, byte_tables, places
from spinflow.sim.evaluator.kernels import bits as kernels

ROWS = 32
"""Threads share words by so many, which begin in a word of any line."""

LEAST = 16
"""So many times ROWS are worth a thread."""


class Workers(Protocol):
    """Threads, as `spinflow.sim.evaluator.memory` has them."""

    def room(self, name: str, *shape: int) -> NDArray[np.uint64]:
        """Return an array that is used again under its name."""

    def share(self, job: Callable[[int, int], Any], size: int, least: int = 1) -> None:
        """Call job(lo, hi) for parts of range(size)."""


class Coder:
    """Encodes and decodes the words of a memory.

    Args:
        code: of the memory.
        workers: threads.
    """

    def __init__(self, code: Code, workers: Workers) -> None:
        self.code, self._workers = code, workers
        self._sizes = code.data, code.word, code.check
        self._tables, self._places = byte_tables(code.word), places(code.word)

    def encode(self, line: NDArray[Any], words: int) -> NDArray[np.uint64]:
        """Return packed words with their check bits, uint64; valid until the next call."""
        out = self._room("coded", words * self.code.width)
        given, coded = line.view(np.uint32), out.view(np.uint32)

        def job(lo: int, hi: int) -> None:
            end = min(words, ROWS * hi)
            kernels.encode(given, *self._sizes, self._tables, coded, ROWS * lo, end)

        self._workers.share(job, -(-words // ROWS), LEAST)
        return out

    def decode(
        self, line: NDArray[Any], words: int, out: NDArray[np.uint64] | None = None
    ) -> tuple[NDArray[np.uint64], CodeCounts]:
        """Return what is read of packed words, and what that counts.

        Args:
            line: the words with their check bits, uint32 with a word to spare.
            words: how many.
            out: where it goes; by default room that is valid until the next call.
        """
        found = self._room("decoded", words * self.code.data) if out is None else out
        bits = found.view(np.uint32)
        parts: list[NDArray[np.int64]] = []

        def job(lo: int, hi: int) -> None:
            parts.append(np.zeros(2, np.int64))
            end = min(words, ROWS * hi)
            kernels.decode(
                line, *self._sizes, self._tables, self._places, bits, parts[-1], ROWS * lo, end
            )

        self._workers.share(job, -(-words // ROWS), LEAST)
        corrected, detected = (sum(int(part[n]) for part in parts) for n in range(2))
        return found, CodeCounts(words * self.code.words, corrected, detected)

    def _room(self, name: str, bits: int) -> NDArray[np.uint64]:
        return self._workers.room(name, -(-bits // 64) + 1)
