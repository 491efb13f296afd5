"""What parts that several ops share cost, after yosys; what only one op has is in that op's file.

Every figure of a cost is stated once, here or there. The figures are fits to designs that yosys
made; `docs/size.md` shows what it makes of the networks.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

RESOURCES = ("LUT", "RAMB36", "DSP48")

FILL = 0.75
"""Share of each of the part's resources that a design without a target of its own may take, by the
estimate. The rest is for what the estimate does not know (the board's shell, some percent of
error) and for routing, which gets hard in a part that is fuller."""

MEMORY_REGISTERS = 20.0
"""LUTs of the registers of one memory in the control block."""

LUT_RAM_BIT = 1 / 48
"""LUTs of one bit of LUT RAM with one read port, from 32 words on."""

RAMB18_SHAPES = ((36, 512), (18, 1024), (9, 2048), (4, 4096), (2, 8192), (1, 16384))
"""Bits of a word and words that half a RAMB36 can hold."""


@dataclass(frozen=True)
class Cost:
    """Resources of a part of the design, as estimated."""

    lut: float = 0.0
    ramb36: float = 0.0
    dsp48: float = 0.0

    def __add__(self, other: Cost) -> Cost:
        return Cost(self.lut + other.lut, self.ramb36 + other.ramb36, self.dsp48 + other.dsp48)

    def of(self, resource: str) -> float:
        """Return the amount of one of RESOURCES."""
        return self.by_name()[resource]

    def by_name(self) -> dict[str, float]:
        """Return the amounts by the names of RESOURCES."""
        return dict(zip(RESOURCES, (self.lut, self.ramb36, self.dsp48), strict=True))


NOTHING = Cost()


def lut_ram(width: int, depth: int, ports: int = 1) -> float:
    """Return the LUTs of a LUT RAM with ``ports`` read ports."""
    return LUT_RAM_BIT * width * 32 * math.ceil(depth / 32) * ports


def block_ram(width: int, depth: int) -> float:
    """Return the RAMB36 of a memory, in halves."""
    halves = min(
        math.ceil(width / columns) * math.ceil(depth / words) for columns, words in RAMB18_SHAPES
    )
    return halves / 2
