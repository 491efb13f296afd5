"""The Verilated accelerator as an engine, over its registers."""

from __future__ import annotations

import os
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spinflow.host.core import arrays
from spinflow.host.core.description import MemoryInfo
from spinflow.host.core.memory import MODES, Counts
from spinflow.host.core.secded import CodeCounts
from spinflow.sim.library import Library
from spinflow.sim.protocol import Taps

BUSY_POLLS = 10_000


class Accelerator:
    """The accelerator of one bundle, simulated.

    Attributes:
        library: the simulation.
        description: of the bundle.
        memories: by index.
    """

    def __init__(self, bundle: str | os.PathLike[str], checked: bool = False) -> None:
        """Load the simulator of a bundle.

        Args:
            bundle: its folder.
            checked: take the library in which assertions are alive.

        Raises:
            BundleError: the bundle is not whole, or its library was not built or was changed.
        """
        self.library = Library(bundle, checked)
        self.description = self.library.description
        self._registers = self.description.registers

    @property
    def memories(self) -> tuple[MemoryInfo, ...]:
        """See the class."""
        return self.description.memories

    @cached_property
    def _arrays(self) -> arrays.Arrays:
        return arrays.read_arrays(self.description)

    def get(self, name: str) -> int:
        """Read a global register."""
        return int(self.library.read(self._registers.globals[name].offset, 1)[0])

    def put(self, name: str, value: int) -> None:
        """Write a global register."""
        self.library.write(self._registers.globals[name].offset, value)

    def get_memory(self, memory: int, name: str) -> int:
        """Read a register of a memory."""
        return int(self.library.read(self._memory_register(memory, name), 1)[0])

    def put_memory(self, memory: int, name: str, value: int) -> None:
        """Write a register of a memory."""
        self.library.write(self._memory_register(memory, name), value)

    def command(self, name: str) -> None:
        """Give the command soft_reset, clear or snapshot, and wait until it is done.

        Raises:
            TimeoutError: STATUS.busy stays up.
        """
        self.put("CONTROL", 1 << self._registers.globals["CONTROL"].fields[name].lsb)
        busy = 1 << self._registers.globals["STATUS"].fields["busy"].lsb
        for _ in range(BUSY_POLLS):
            if not self.get("STATUS") & busy:
                return
        raise TimeoutError(f"STATUS.busy stayed up for {BUSY_POLLS} reads after the command {name}")

    def weights(self, layer: int) -> NDArray[np.uint32]:
        """Return the trained weights of a layer as they are written: uint32 (depth, segments)."""
        return self._arrays[f"weights.{layer}"]

    def set_errors(
        self, memory: int, mode: str, threshold1: int, threshold0: int, seed: int
    ) -> None:
        """Program a memory's mode, both 32-bit thresholds and seed; restart its stream."""
        self.put_memory(memory, "MODE", MODES.index(mode))
        self.put_memory(memory, "RATE1", threshold1)
        self.put_memory(memory, "RATE0", threshold0)
        self.put_memory(memory, "SEED", seed)

    def write_weights(self, memory: int, segments: NDArray[Any]) -> None:
        """Write a whole weight memory, uint32 (depth, segments)."""
        entry = self.memories[memory]
        if entry.stride == 4 * entry.segments:
            self.library.write(entry.base, segments)
            return
        for word, row in enumerate(segments):
            self.library.write(entry.base + entry.stride * word, row)

    def read_weights(self, memory: int) -> NDArray[np.uint32]:
        """Return what a weight memory holds: uint32 (depth, segments)."""
        entry = self.memories[memory]
        columns = [
            self.library.read(entry.base + 4 * segment, entry.depth, entry.stride)
            for segment in range(entry.segments)
        ]
        return np.stack(columns, axis=1)

    def run(self, images: NDArray[Any], taps: bool = True) -> tuple[NDArray[Any], Taps]:
        """Run images (n, pixels), uint8.

        Returns:
            The labels (n,), and each layer boundary (n, elements) by the name of its tap; without
            `taps`, which takes less time, none.
        """
        if not taps:
            return self.library.run(images), {}
        self.library.record()
        labels = self.library.run(images)
        found = self.library.recorded()
        self.library.record([])
        return labels, found

    def counters(self, memory: int) -> Counts:
        """Take a snapshot, and return what a memory counted since the last clear or soft reset."""
        self.command("snapshot")
        values = [
            self.get_memory(memory, f"{name}_LO") | self.get_memory(memory, f"{name}_HI") << 32
            for name in ("WRITTEN", "SWITCHED", "ERR1", "ERR0")
        ]
        return Counts(*values)

    def code_counters(self, memory: int) -> CodeCounts:
        """Return what the decoder of a memory counted since then; 0 of one that has none."""
        if self.memories[memory].code is None:
            return CodeCounts()
        self.command("snapshot_code")
        read, corrected, detected = (
            self.get_memory(memory, f"{name}_LO") | self.get_memory(memory, f"{name}_HI") << 32
            for name in ("WRITTEN", "SWITCHED", "ERR1")
        )
        return CodeCounts(read, corrected, detected)

    def clear(self) -> None:
        """Zero the counters."""
        self.command("clear")

    def soft_reset(self) -> None:
        """Restart every stream, zero counters and buffer addresses; keep weights and errors."""
        self.command("soft_reset")

    def _memory_register(self, memory: int, name: str) -> int:
        offset = self._registers.memory[name].offset
        return self._registers.base + self._registers.stride * memory + offset
