"""What every engine offers: all that computes what the accelerator computes, behind one protocol.

`spinflow.sim.engines.engine` makes an engine by its name. What one can do, the others can do under
the same name, so a test or a sweep runs the same lines on each.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from spinflow.host.core.cells import CellRates
from spinflow.host.core.description import Layer, MemoryInfo
from spinflow.host.core.memory import Counts
from spinflow.host.core.secded import CodeCounts

Taps = dict[str, NDArray[Any]]
"""Values of layer boundaries by name, each (n, elements)."""


class Described(Protocol):
    """What an engine says of its network; the `Description` of a bundle says so, too."""

    @property
    def network(self) -> str:
        """The name of the network."""

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of an image, (pixels,) or (rows, columns, channels)."""

    @property
    def layers(self) -> tuple[Layer, ...]:
        """The layers in order."""

    @property
    def memories(self) -> tuple[MemoryInfo, ...]:
        """The memories in order."""


@dataclass(frozen=True)
class NetworkDescription:
    """A network without a bundle as a bundle would describe it, as far as software reads that."""

    network: str
    shape: tuple[int, ...]
    layers: tuple[Layer, ...]
    memories: tuple[MemoryInfo, ...]


class Place(Protocol):
    """A memory as an engine lists it; an engine may have more of it."""

    @property
    def index(self) -> int:
        """Its number."""

    @property
    def name(self) -> str:
        """Its layer's name with ``.weights`` or ``.buffer`` behind it."""

    @property
    def kind(self) -> str:
        """``weights`` or ``buffer``."""

    @property
    def layer(self) -> int:
        """The number of the weight layer that it belongs to."""

    @property
    def width(self) -> int:
        """Bits of a word."""

    @property
    def depth(self) -> int:
        """Words."""


class Engine(Protocol):
    """The accelerator of one network. Weights start as 0, errors off.

    Memories go by their index, weight layers by their number.
    """

    @property
    def description(self) -> Described:
        """What it computes."""

    @property
    def memories(self) -> Sequence[Place]:
        """Its memories by index."""

    def weights(self, layer: int) -> NDArray[np.uint32]:
        """Return the trained weights of a layer as they are written: uint32 (depth, segments)."""

    def set_errors(
        self, memory: int, mode: str, threshold1: int, threshold0: int, seed: int
    ) -> None:
        """Program a memory's mode, both 32-bit thresholds and seed; restart its stream."""

    def write_weights(self, memory: int, segments: NDArray[Any]) -> None:
        """Write a whole weight memory, uint32 (depth, segments), over what is stored."""

    def read_weights(self, memory: int) -> NDArray[np.uint32]:
        """Return what a weight memory holds: uint32 (depth, segments)."""

    def run(self, images: NDArray[Any], taps: bool = True) -> tuple[NDArray[Any], Taps]:
        """Run images (n, pixels), uint8, each flat in the order (row, column, channel).

        Returns:
            The labels (n,), and each layer boundary by the name of its tap; without `taps` none.
        """

    def counters(self, memory: int) -> Counts:
        """Return what a memory counted since the last clear or soft reset."""

    def code_counters(self, memory: int) -> CodeCounts:
        """Return what the decoder of a memory counted since then; 0 of one that has none."""

    def clear(self) -> None:
        """Zero the counters."""

    def soft_reset(self) -> None:
        """Restart every stream, zero counters and buffers; keep weights and error settings."""


@runtime_checkable
class Celled(Protocol):
    """An engine whose cells can have rates of their own."""

    def set_cells(self, memory: int, cells: CellRates | None) -> None:
        """Give each cell of a memory its own rates in the modes flip and switch; None ends it."""
