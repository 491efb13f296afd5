"""The cells of a Xilinx 7-series netlist: what each kind takes of the part.

Area is counted in the cells of the netlist. Vivado may put two small LUTs with at most five
different inputs into one, which is not done here: in this respect `LUT` is an upper figure.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from spinflow.host.core.errors import SpinflowError

# LUTs that a cell takes. An inverter that is left over becomes a LUT.
LOGIC = {**{f"LUT{n}": 1 for n in range(1, 7)}, "LUT6_2": 1, "INV": 1}
# (UG474, "Distributed RAM Configuration"; a shift register fills a LUT)
LUT_RAM = {
    "RAM32X1S": 1,
    "RAM32X1D": 2,
    "RAM32M": 4,
    "RAM64X1S": 1,
    "RAM64X1D": 2,
    "RAM64M": 4,
    "RAM128X1S": 2,
    "RAM128X1D": 4,
    "RAM256X1S": 4,
    "SRL16E": 1,
    "SRLC32E": 1,
}
FLIP_FLOPS = {"FDRE", "FDSE", "FDCE", "FDPE", "LDCE", "LDPE"}
BLOCK_RAM = {"RAMB36E1": 1.0, "RAMB18E1": 0.5}
DSPS = {"DSP48E1"}
WIDE = {"MUXF7", "MUXF8"}
COUNTED = {*LOGIC, *LUT_RAM, *FLIP_FLOPS, *BLOCK_RAM, *DSPS, *WIDE, "CARRY4"}


class NetlistError(SpinflowError):
    """A netlist that cannot be counted: a cell of a kind that is not known, or a loop."""


class Area(NamedTuple):
    """Resources of a part. RAMB36 counts an 18-kbit block as a half."""

    LUT: int = 0  # all cells that take LUTs, those below included
    LUT_memory: int = 0  # of these, as RAM or shift register
    FF: int = 0
    RAMB36: float = 0.0
    RAMB18: int = 0  # how many of RAMB36 are halves
    DSP48: int = 0
    CARRY4: int = 0
    MUXF: int = 0

    def __add__(self, other: object) -> Area:
        if not isinstance(other, Area):
            return NotImplemented
        return Area._make(mine + its for mine, its in zip(self, other, strict=True))

    def __sub__(self, other: Area) -> Area:
        return Area._make(mine - its for mine, its in zip(self, other, strict=True))


def area_of(kinds: Mapping[str, int]) -> Area:
    """Return the area of so many cells of each kind.

    Raises:
        NetlistError: there is a kind of cell that is not known.
    """
    unknown = sorted(set(kinds) - COUNTED)
    if unknown:
        raise NetlistError(f"cells of kind {unknown[0]} are left in the netlist")

    def total(costs: Mapping[str, float]) -> float:
        return sum(costs.get(kind, 0) * number for kind, number in kinds.items())

    return Area(
        LUT=int(total(LOGIC) + total(LUT_RAM)),
        LUT_memory=int(total(LUT_RAM)),
        FF=int(total(dict.fromkeys(FLIP_FLOPS, 1))),
        RAMB36=float(total(BLOCK_RAM)),
        RAMB18=kinds.get("RAMB18E1", 0),
        DSP48=int(total(dict.fromkeys(DSPS, 1))),
        CARRY4=kinds.get("CARRY4", 0),
        MUXF=int(total(dict.fromkeys(WIDE, 1))),
    )


def nets_of(values: Iterable[Any]) -> list[int]:
    """Return the nets among bits that may be constants, in their order."""
    return [bit for bit in values if isinstance(bit, int)]


def net_names(module: Mapping[str, Any]) -> dict[int, str]:
    """Return the best name of each net: from the source, of a register or output, deep inside."""

    def worth(item: tuple[str, Mapping[str, Any]]) -> tuple[bool, bool, bool, int]:
        name, net = item
        plain = name.rpartition("[")[0] or name
        return not net.get("hide_name", 0), plain.endswith("_q"), plain.endswith("_o"), len(name)

    names = {}
    for name, net in sorted(module["netnames"].items(), key=worth):
        for index, bit in enumerate(net["bits"]):
            if isinstance(bit, int):
                names[bit] = name + (f"[{index}]" if len(net["bits"]) > 1 else "")
    return names
