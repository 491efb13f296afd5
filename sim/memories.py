"""MRAM memories as software engines have them: error modes, random streams and counters."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

from spinflow.host.core.cells import CellRates, refuse_coded
from spinflow.host.core.description import MemoryInfo, segments_of
from spinflow.host.core.memory import MODES, Counts
from spinflow.host.core.secded import CodeCounts


class Cells(ABC):
    """One memory as its registers show it: kind, size, how writing it errs, what was counted.

    Attributes:
        info: number, name, kind and size.
        mode: "off", "flip" or "switch".
        threshold1, threshold0, seed: what its registers hold.
        position: of the stream at which the next write begins.
        address: of the word that a buffer takes next.
        cells: the cells' own rates, in place of the thresholds; None where all cells are alike.
        counts: since the last clear.
        code_counts: what its decoder counted since then.
    """

    def __init__(self, info: MemoryInfo) -> None:
        self.info = info
        self.mode = "off"
        self.threshold1 = self.threshold0 = self.seed = self.position = 0
        self.address = 0
        self.cells: CellRates | None = None
        self.clear()

    def clear(self) -> None:
        """Zero the counters."""
        self.counts = Counts()
        self.code_counts = CodeCounts()

    @property
    def index(self) -> int:
        """Its number."""
        return self.info.index

    @property
    def name(self) -> str:
        """Its layer's name with ``.weights`` or ``.buffer`` behind it."""
        return self.info.name

    @property
    def kind(self) -> str:
        """``weights`` or ``buffer``."""
        return self.info.kind

    @property
    def layer(self) -> int:
        """The number of the weight layer that it belongs to."""
        return self.info.layer

    @property
    def width(self) -> int:
        """Bits of a word, check bits included."""
        return self.info.width

    @property
    def depth(self) -> int:
        """Words."""
        return self.info.depth

    def positions(self, words: int) -> int:
        """Return how many positions of the stream so many words take."""
        return words * (32 * segments_of(self.width) if self.kind == "weights" else self.width)

    def set_errors(self, mode: str, threshold1: int, threshold0: int, seed: int) -> None:
        """Program mode, thresholds and seed, and restart the stream; ValueError as registers."""
        if mode not in MODES:
            raise ValueError(f"there is no error mode {mode!r}; the modes are {', '.join(MODES)}")
        for name, value in ("threshold1", threshold1), ("threshold0", threshold0), ("seed", seed):
            if not 0 <= value < 1 << 32:
                raise ValueError(f"{name} {value} does not fit its 32-bit register")
        self.mode, self.seed, self.position = mode, int(seed), 0
        self.threshold1, self.threshold0 = int(threshold1), int(threshold0)

    def set_cells(self, cells: CellRates | None) -> None:
        """Give each cell its own rates; None ends it. ValueError if it is of another size."""
        if cells is not None:
            refuse_coded([self.info])
        if cells is not None and cells.shape != (self.depth, self.width):
            raise ValueError(
                f"{self.name} has {self.depth} words of {self.width} bits, not the "
                f"{cells.shape[0]} of {cells.shape[1]} of the cells"
            )
        self.cells = cells

    def pass_words(self, words: int) -> None:
        """Note that so many words were written."""
        if self.kind == "buffer":
            self.address = (self.address + words) % self.depth

    def soft_reset(self) -> None:
        """Restart the stream, zero the counters; the old bits of a buffer count as 0 again."""
        self.position = self.address = 0
        self.clear()
        if self.kind == "buffer":
            self.zero()

    @abstractmethod
    def zero(self) -> None:
        """Make every stored bit 0."""


Kind = TypeVar("Kind", bound=Cells)


class MemoryOperations(Generic[Kind]):
    """The operations on memories that software engines share; `memories` goes by index."""

    memories: Sequence[Kind]

    def set_errors(
        self, memory: int, mode: str, threshold1: int, threshold0: int, seed: int
    ) -> None:
        """Program a memory's error mode, both 32-bit thresholds and its seed; restart its stream.

        Raises:
            ValueError: there is no such mode or memory, or a number is wider than its register.
        """
        self._memory(memory).set_errors(mode, threshold1, threshold0, seed)

    def set_cells(self, memory: int, cells: CellRates | None) -> None:
        """Give each cell of a memory its own rates in the modes flip and switch; None ends it.

        Raises:
            ValueError: there is no such memory, or it has another size.
        """
        self._memory(memory).set_cells(cells)

    def counters(self, memory: int) -> Counts:
        """Return what a memory counted since the last clear or soft reset, in bits."""
        return self._memory(memory).counts

    def code_counters(self, memory: int) -> CodeCounts:
        """Return what the decoder of a memory counted since then; 0 of one that has none."""
        return self._memory(memory).code_counts

    def clear(self) -> None:
        """Zero the counters."""
        for cells in self.memories:
            cells.clear()

    def soft_reset(self) -> None:
        """Restart every stream, zero counters and buffers; keep weights and error settings."""
        for cells in self.memories:
            cells.soft_reset()

    def _memory(self, memory: int) -> Kind:
        if not 0 <= memory < len(self.memories):
            raise ValueError(f"there is no memory {memory}, only 0 to {len(self.memories) - 1}")
        return self.memories[memory]

    def _weight_memory(self, memory: int, segments: NDArray[Any] | None = None) -> Kind:
        """Return a weight memory, into which `segments`, if given, can be written.

        Raises:
            ValueError: it is a buffer, or the segments have another shape.
        """
        cells = self._memory(memory)
        if cells.kind != "weights":
            raise ValueError(f"memory {memory} is a buffer, not a weight memory")
        expected = (cells.depth, segments_of(cells.width))
        if segments is not None and np.shape(segments) != expected:
            raise ValueError(f"memory {memory} takes {expected} segments, not {np.shape(segments)}")
        return cells


def check_images(images: Any, pixels: int) -> NDArray[np.uint8]:
    """Return images as an array.

    Raises:
        ValueError: they are not (n, pixels), uint8.
    """
    found: NDArray[Any] = np.asarray(images)
    if found.dtype != np.uint8:
        raise ValueError(f"images must be uint8, not {found.dtype}")
    if found.ndim != 2 or found.shape[1] != pixels:
        raise ValueError(f"images must be (n, {pixels}), not {found.shape}")
    return found
