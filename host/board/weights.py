"""Where the words of the weight memories lie in their windows, and how they are moved there."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from spinflow.host.board.guards import named
from spinflow.host.board.registers import RegisterAccess
from spinflow.host.board.window import get, put
from spinflow.host.core.bundle import MemoryInfo, Words


class WeightWindows:
    """The weight memories of a loaded accelerator, as the processor reaches them.

    Args:
        mmio: pynq's MMIO of the accelerator.
        registers: of the same accelerator.
    """

    def __init__(self, mmio: Any, registers: RegisterAccess) -> None:
        self._mmio = mmio
        self._registers = registers

    def store(
        self, memory: MemoryInfo, words: Words, addresses: Sequence[int] | None = None
    ) -> None:
        """Write words at some addresses, from the first one on where none are given.

        Words go out in order, least significant segment first: the random stream counts so.

        Raises:
            DeviceError: the accelerator did not become idle, or refused a word.
        """
        self._registers.wait_idle()
        places = _places(memory, range(len(words)) if addresses is None else addresses)
        with named(f"writing the weights of {memory.name}"):
            put(self._mmio.array, places, words)
        self._registers.check_whole_words(f"writing the weights of {memory.name}")
        self._registers.wait_idle()

    def read(self, memory: MemoryInfo, addresses: Sequence[int] | None = None) -> Words:
        """Read words at some addresses, all where none are given; uint32, (words, segments)."""
        places = _places(memory, range(memory.depth) if addresses is None else addresses)
        with named(f"reading the weights of {memory.name}"):
            return get(self._mmio.array, places)


def _places(memory: MemoryInfo, addresses: Iterable[int]) -> npt.NDArray[np.intp]:
    """Return where words of a weight memory lie in the window, by word and segment.

    The gap behind a word whose segments do not fill its stride is in no window.
    """
    words = np.array(list(addresses), dtype=np.intp)
    starts = memory.base // 4 + words * (memory.stride // 4)
    return starts[:, None] + np.arange(memory.segments)
