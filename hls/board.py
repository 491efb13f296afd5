"""The board that an accelerator is built for: the one place of the build that reads its facts."""

from __future__ import annotations

from dataclasses import dataclass

import tomllib

from spinflow.hls.paths import REPO


@dataclass(frozen=True)
class Range:
    """A slave's place in the processor's address map, in bytes."""

    base: int
    size: int


@dataclass(frozen=True)
class Dma:
    """The AXI DMA: bits of a word that it moves, and of its length register."""

    data_bits: int
    length_bits: int


@dataclass(frozen=True)
class Board:
    """What the build has to know of a board.

    Attributes:
        name: as accel.json has it.
        part: device, as Vivado calls it.
        clock_mhz: clock of the accelerator.
        resources: of the part: LUT, FF, RAMB36, DSP48.
        address_map: of the cells accel and dma.
        dma: what the DMA is.
    """

    name: str
    part: str
    clock_mhz: float
    resources: dict[str, int]
    address_map: dict[str, Range]
    dma: Dma


def board() -> Board:
    """Return the board that is meant where none is named."""
    (path,) = (REPO / "hw" / "boards").glob("*/board.toml")
    facts = tomllib.loads(path.read_text(encoding="utf-8"))
    return Board(
        **facts["board"],
        resources=facts["resources"],
        address_map={
            cell: Range(place["base"], place["range"])
            for cell, place in facts["address_map"].items()
        },
        dma=Dma(**facts["dma"]),
    )
