"""Cell maps in a sweep: their points, and their writes where only software knows the cells.

Rate registers know no cells. So on the RTL and on a board this module computes what a weight memory
stores, by the same draws that the hardware would make, and writes it with errors off: the memory
then holds, bit for bit, what the emulator's holds, and the counts are software's. What a buffer
takes is known to the hardware alone: there a map of buffers is refused.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt

from spinflow.host.board.arguments import words_by_memory
from spinflow.host.board.driver import Snapshot, background_words
from spinflow.host.core import cell_files, stream
from spinflow.host.core.bundle import Bundle, Words
from spinflow.host.core.cells import CellMap, CellRates, written
from spinflow.host.core.errors import HostError, InputError
from spinflow.host.core.memory import Counts
from spinflow.host.sweep.operating_point import (
    OperatingPoint,
    of_device,
    point_of_rate,
    point_of_write_condition,
)


@dataclass(frozen=True)
class MapFile:
    """A cell map by its place and the digest of its cells; workers of this machine read it again.

    Attributes:
        path: of the npz file.
        digest: sixteen hexadecimal digits.
        device: whose energies its writes take (``host.mtj.devices``), None for the model's own.
    """

    path: str
    digest: str
    device: str | None = None

    @classmethod
    def of(cls, path: str, device: str | None = None) -> MapFile:
        """Return what a file holds; InputError if it is no cell map."""
        place = Path(path).resolve()
        return cls(str(place), cell_files.read(place).digest, device)

    def read(self) -> CellMap:
        """Return the map; InputError if it is no longer what it was."""
        return cell_files.read_again(Path(self.path), self.digest)


def point_of_map(file: MapFile, bundle: Bundle, selection: str) -> OperatingPoint:
    """Return the point of a map: its mean rates over a selection's cells, and what its writes take.

    That is the write condition that it names, else that of bare rates as high as its means.

    Raises:
        InputError: it has not all memories of the selection, in their sizes.
    """
    try:
        found, memories = file.read(), bundle.select(selection)
        found.check(memories, bundle.network)
        rates = found.mean_rates(memory.name for memory in memories)
        limits = [min(round(rate * 2**32), stream.ALWAYS) for rate in rates]
        point = (
            point_of_write_condition(of_device(found.condition, file.device))
            if found.condition
            else point_of_rate(stream.rate(limits[0]), stream.rate(limits[1]), file.device)
        )
    except HostError as error:
        raise InputError(f"{file.path}: {error}") from None
    return OperatingPoint(
        limits[0],
        limits[1],
        point.model,
        point.drive,
        point.drive_unit,
        point.pulse_s,
        point.costs,
        point.conventional,
    )


@runtime_checkable
class Mapped(Protocol):
    """A device whose cells can have rates of their own: software."""

    def set_cells(self, memory: str, cells: CellRates | None) -> None:
        """Give each cell of a memory its own rates; None ends it."""


class CellWriter:
    """A device without cells, of which it knows what its weight memories store.

    Args:
        device: the driver's accelerator.
    """

    def __init__(self, device: Any) -> None:
        self._device = device
        self._cells: dict[str, CellRates] = {}
        self._settings: dict[str, tuple[str, int]] = {}

    @property
    def bundle(self) -> Bundle:
        """The bundle that is loaded."""
        bundle: Bundle = self._device.bundle
        return bundle

    @property
    def backend(self) -> str:
        """The name of the device in the results."""
        return str(self._device.backend)

    def set_cells(self, memory: str, cells: CellRates | None) -> None:
        """Give each cell of a weight memory its own rates; None ends it.

        Raises:
            InputError: it is a buffer.
        """
        if cells is None:
            self._cells.pop(memory, None)
            return
        if not self.bundle.memory(memory).is_weights:
            raise InputError(
                f"{memory} is a buffer, whose cells differ in software only: take --on emulator, "
                f"evaluator or evaluator-fast, or memory = weights on {self.backend}"
            )
        self._cells[memory] = cells
        self._device.set_thresholds(memory, "off")

    def set_thresholds(
        self, memory: str, mode: str, threshold1: int = 0, threshold0: int = 0, seed: int = 0
    ) -> None:
        """Set how the writes of one memory err; one with cells of its own errs here."""
        self._settings[memory] = mode, seed
        if memory in self._cells:
            mode, threshold1, threshold0, seed = "off", 0, 0, 0
        self._device.set_thresholds(memory, mode, threshold1, threshold0, seed)

    def write_weights(
        self,
        arrays: Mapping[str, Words] | None = None,
        memories: Sequence[str] | None = None,
        background: str = "previous",
    ) -> dict[str, Counts]:
        """Write weights over a background, with the errors of cells in them already."""
        given = words_by_memory(self.bundle, arrays, memories)
        counted: dict[str, Counts] = {}
        for memory, target in given.items():
            name = memory.name
            mode, seed = self._settings.get(name, ("off", 0))
            if name in self._cells and mode != "off":
                before = background_words(memory, background)
                old = self._device.read_weights(name) if before is None else before
                given[memory], counted[name] = written(self._cells[name], mode, seed, target, old)
        words = {memory.name: each for memory, each in given.items()}
        counts: dict[str, Counts] = self._device.write_weights(words, [], background)
        return {**counts, **counted}

    def read_weights(self, memory: str) -> Words:
        """Read a weight memory back."""
        found: Words = self._device.read_weights(memory)
        return found

    def run(self, images: npt.NDArray[Any]) -> npt.NDArray[np.uint16]:
        """Classify images."""
        labels: npt.NDArray[np.uint16] = self._device.run(images)
        return labels

    def snapshot(self) -> Snapshot:
        """Read all counters."""
        found: Snapshot = self._device.snapshot()
        return found

    def soft_reset(self) -> None:
        """Clear stream positions, buffers and counters."""
        self._device.soft_reset()
