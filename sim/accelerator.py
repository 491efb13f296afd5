"""The Verilated accelerator with the operations of `sim.emulator.Emulator`, over its registers.

What one can do, the other can do under the same name, so a test runs the same lines on both.
"""

from __future__ import annotations

import os

import numpy as np

from spinflow.sim.library import Library
from spinflow.sim.memories import MODES, Counters

BUSY_POLLS = 10_000


class Accelerator:
    """The accelerator of one bundle. `checked` takes the library in which assertions are alive."""

    def __init__(self, bundle: str | os.PathLike[str], checked: bool = False) -> None:
        self.library = Library(bundle, checked)
        self.description = self.library.description
        self._registers = self.description["registers"]

    def get(self, name: str) -> int:
        """Reads a global register."""
        return int(self.library.read(self._registers["global"][name]["offset"], 1)[0])

    def put(self, name: str, value: int) -> None:
        """Writes a global register."""
        self.library.write(self._registers["global"][name]["offset"], value)

    def get_memory(self, memory: int, name: str) -> int:
        """Reads a register of a memory."""
        return int(self.library.read(self._memory_register(memory, name), 1)[0])

    def put_memory(self, memory: int, name: str, value: int) -> None:
        """Writes a register of a memory."""
        self.library.write(self._memory_register(memory, name), value)

    def command(self, name: str) -> None:
        """Gives the command soft_reset, clear or snapshot and waits until it is done.

        Raises TimeoutError when STATUS.busy stays up.
        """
        field = self._registers["global"]["CONTROL"]["fields"][name]
        self.put("CONTROL", 1 << field["lsb"])
        busy = 1 << self._registers["global"]["STATUS"]["fields"]["busy"]["lsb"]
        for _ in range(BUSY_POLLS):
            if not self.get("STATUS") & busy:
                return
        raise TimeoutError(f"STATUS.busy stayed up for {BUSY_POLLS} reads after the command {name}")

    def set_errors(
        self, memory: int, mode: str, threshold1: int, threshold0: int, seed: int
    ) -> None:
        """Programs a memory's mode, both 32-bit thresholds and seed; restarts its stream."""
        self.put_memory(memory, "MODE", MODES[mode])
        self.put_memory(memory, "RATE1", threshold1)
        self.put_memory(memory, "RATE0", threshold0)
        self.put_memory(memory, "SEED", seed)

    def write_weights(self, memory: int, segments: np.ndarray) -> None:
        """Writes a whole weight memory, uint32 (depth, segments)."""
        entry = self.description["memories"][memory]
        if entry["stride"] == 4 * entry["segments"]:
            self.library.write(entry["base"], segments)
            return
        for word, row in enumerate(segments):
            self.library.write(entry["base"] + entry["stride"] * word, row)

    def read_weights(self, memory: int) -> np.ndarray:
        """What a weight memory holds: uint32 (depth, segments)."""
        entry = self.description["memories"][memory]
        columns = [
            self.library.read(entry["base"] + 4 * segment, entry["depth"], entry["stride"])
            for segment in range(entry["segments"])
        ]
        return np.stack(columns, axis=1)

    def run(self, images: np.ndarray) -> tuple[np.ndarray, dict[str, np.ndarray]]:
        """Labels (n,) and each layer boundary (n, elements) of images (n, pixels), uint8."""
        self.library.record()
        labels = self.library.run(images)
        taps = self.library.recorded()
        self.library.record([])
        return labels, taps

    def counters(self, memory: int) -> Counters:
        """Takes a snapshot and returns what a memory counted since the last clear or soft reset."""
        self.command("snapshot")
        values = [
            self.get_memory(memory, f"{name}_LO") | self.get_memory(memory, f"{name}_HI") << 32
            for name in ("WRITTEN", "SWITCHED", "ERR1", "ERR0")
        ]
        return Counters(*values)

    def clear(self) -> None:
        """Zeroes the counters."""
        self.command("clear")

    def soft_reset(self) -> None:
        """Restarts every stream, zeroes counters and buffer addresses; keeps weights and errors."""
        self.command("soft_reset")

    def _memory_register(self, memory: int, name: str) -> int:
        registers = self._registers["memory"]
        offset: int = registers["registers"][name]["offset"]
        return int(registers["base"]) + int(registers["stride"]) * memory + offset
