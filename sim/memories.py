"""What every twin of the accelerator has: MRAM memories with error modes, streams and counters."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Generic, TypeVar

import numpy as np

MODES = {"off": 0, "flip": 1, "switch": 2}


@dataclass
class Counters:
    """What one memory counted since the last clear: bits."""

    written: int = 0
    switched: int = 0
    err1: int = 0
    err0: int = 0


class Cells:
    """One memory as its registers show it: kind, size, how writing it errs, what was counted.

    Attributes:
        kind: "weights" or "buffer".
        depth, width: words, and bits of a word.
        position: bits that took a draw since the last restart of the stream.
    """

    def __init__(self, kind: str, depth: int, width: int) -> None:
        self.kind, self.depth, self.width = kind, depth, width
        self.mode = "off"
        self.threshold1 = self.threshold0 = self.seed = self.position = 0
        self.counters = Counters()

    def set_errors(self, mode: str, threshold1: int, threshold0: int, seed: int) -> None:
        """Programs mode, thresholds and seed, and restarts the stream; ValueError as registers."""
        if mode not in MODES:
            raise ValueError(f"there is no error mode {mode!r}; the modes are {', '.join(MODES)}")
        for name, value in ("threshold1", threshold1), ("threshold0", threshold0), ("seed", seed):
            if not 0 <= value < 1 << 32:
                raise ValueError(f"{name} {value} does not fit its 32-bit register")
        self.mode, self.seed, self.position = mode, int(seed), 0
        self.threshold1, self.threshold0 = int(threshold1), int(threshold0)

    def soft_reset(self) -> None:
        """Restarts the stream, zeroes the counters; the old bits of a buffer count as 0 again."""
        self.position = 0
        self.counters = Counters()
        if self.kind == "buffer":
            self.zero()

    def zero(self) -> None:
        """Makes every stored bit 0."""
        raise NotImplementedError


Kind = TypeVar("Kind", bound=Cells)


class MemoryOperations(Generic[Kind]):
    """The operations on memories that the twins share; `memories` goes by index."""

    memories: Sequence[Kind]

    def set_errors(
        self, memory: int, mode: str, threshold1: int, threshold0: int, seed: int
    ) -> None:
        """Programs a memory's error mode, both 32-bit thresholds and its seed; restarts its stream.

        Raises ValueError for a mode or memory that does not exist and for numbers wider than the
        registers.
        """
        self._memory(memory).set_errors(mode, threshold1, threshold0, seed)

    def counters(self, memory: int) -> Counters:
        """What a memory counted since the last clear or soft reset, in bits."""
        return replace(self._memory(memory).counters)

    def clear(self) -> None:
        """Zeroes the counters."""
        for cells in self.memories:
            cells.counters = Counters()

    def soft_reset(self) -> None:
        """Restarts every stream, zeroes counters and buffers; keeps weights and errors."""
        for cells in self.memories:
            cells.soft_reset()

    def _memory(self, memory: int) -> Kind:
        if not 0 <= memory < len(self.memories):
            raise ValueError(f"there is no memory {memory}, only 0 to {len(self.memories) - 1}")
        return self.memories[memory]

    def _weight_memory(self, memory: int, segments: Any = None) -> Kind:
        """A weight memory, into which `segments`, if given, can be written; else ValueError."""
        cells = self._memory(memory)
        if cells.kind != "weights":
            raise ValueError(f"memory {memory} is a buffer, not a weight memory")
        expected = (cells.depth, -(-cells.width // 32))
        if segments is not None and np.shape(segments) != expected:
            raise ValueError(f"memory {memory} takes {expected} segments, not {np.shape(segments)}")
        return cells


def check_images(images: Any, pixels: int) -> np.ndarray:
    """Images as an array; ValueError unless they are (n, pixels), uint8."""
    images = np.asarray(images)
    if images.dtype != np.uint8:
        raise ValueError(f"images must be uint8, not {images.dtype}")
    if images.ndim != 2 or images.shape[1] != pixels:
        raise ValueError(f"images must be (n, {pixels}), not {images.shape}")
    return images
