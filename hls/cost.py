"""What parts that several ops share cost, after yosys; what only one op has is in that op's file.

Every figure of a cost is stated once, here or there. The figures are fits to designs that yosys
made; `docs/size.md` shows what it makes of the networks.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from spinflow.host.core.description import Code

RESOURCES = ("LUT", "RAMB36", "DSP48")

FILL = 0.80
"""Share of each of the part's resources that accelerator and shell together may take, by the
estimate. The rest is for some percent of error in the estimate, and for routing, which gets hard in
a part that is fuller."""

BOARD_SHELL = {"LUT": 4_500, "RAMB36": 4, "DSP48": 0}
"""What is kept for the board's shell (`hw/boards/design.tcl`): an AXI DMA in simple mode with both
channels of 32 bits (about 1,700 LUT and 3 RAMB36), a SmartConnect of one slave and two masters for
registers and one of two slaves and one master for memory (about 700 and 1,900 LUT), and the reset
(about 20). These are round figures for such blocks, not reports of this design: it has about 6,000
flip-flops, of which there are always enough."""

MEMORY_REGISTERS = 20.0
"""LUTs of the registers of one memory in the control block."""

LUT_RAM_BIT = 1 / 48
"""LUTs of one bit of LUT RAM with one read port, from 32 words on."""

ENCODER_BIT = 0.86
"""LUTs of an encoder, for each data bit of a word."""

DECODER_BIT = 2.5
"""LUTs of a decoder, for each data bit of a word."""

CODE_COUNTERS = 45.0
"""LUTs of what counts the code words of a coded memory."""

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


def encoder(code: Code | None) -> float:
    """Return the LUTs of the encoder of a memory; 0 of one that is not coded."""
    return 0.0 if code is None else ENCODER_BIT * code.data


def decoder(code: Code | None) -> float:
    """Return the LUTs of the decoder of a memory and its counters; 0 of one that is not coded."""
    return 0.0 if code is None else DECODER_BIT * code.data + CODE_COUNTERS


def lut_ram(width: int, depth: int, ports: int = 1) -> float:
    """Return the LUTs of a LUT RAM with ``ports`` read ports."""
    return LUT_RAM_BIT * width * 32 * math.ceil(depth / 32) * ports


def block_ram(width: int, depth: int) -> Cost:
    """Return the cost of the module `block_ram`.

    Vivado extends a depth to a power of two on the 7 series (AR 61995). The module is of two
    memories where these take less: the next lower power of two, and what is left of the depth. A
    bit of the word is then chosen by a LUT.
    """
    lower = 1 << max(0, (depth - 1).bit_length() - 1)
    whole = _halves(width, depth)
    parts = _halves(width, lower) + _halves(width, depth - lower) if depth > lower else whole
    return Cost(float(width), 0.5 * parts) if parts < whole else Cost(0.0, 0.5 * whole)


def _halves(width: int, depth: int) -> int:
    """Return the RAMB18 of a memory whose depth is extended to a power of two."""
    extended = 1 << (depth - 1).bit_length()
    return min(
        math.ceil(width / bits) * math.ceil(extended / words) for bits, words in RAMB18_SHAPES
    )


def budget(part: Mapping[str, int]) -> dict[str, int]:
    """Return what of a part's resources an accelerator may take: FILL of them less the BOARD_SHELL.

    Args:
        part: what the part has; at least RESOURCES.
    """
    return {name: max(0, math.floor(FILL * part[name]) - BOARD_SHELL[name]) for name in RESOURCES}
