"""Reads hardware handover files (.hwh): what is at which address, as pynq will see it.

A bundle's own accel.hwh and the one that Vivado writes for the bitstream are read alike, and must
say the same of everything that the driver relies on.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any
from xml.etree import ElementTree
from xml.etree.ElementTree import Element

from common import BoardError

PROCESSOR = "processing_system7_0"
CELLS = {
    PROCESSOR: "xilinx.com:ip:processing_system7:5.5",
    "dma": "xilinx.com:ip:axi_dma:7.1",
    "accel": "spinflow:accel:accel:1.0",
}
"""The cells that the driver needs, and what they are."""

IO_PLL_MHZ = 1000.0
"""Clock of the IO PLL as the PYNQ-Z2's boot image sets it; pynq divides the fabric's from it."""

_DMA = (
    "c_include_mm2s",
    "c_include_s2mm",
    "c_include_sg",
    "c_sg_length_width",
    "c_m_axi_mm2s_data_width",
    "c_m_axi_s2mm_data_width",
)

Fields = dict[str, tuple[int, int]]


@dataclass(frozen=True)
class Handover:
    """What a handover file says.

    Attributes:
        cells: VLNV by cell, of CELLS only.
        ranges: base and size of accel and dma in the processor's map, in bytes.
        dma: parameters of the DMA.
        clock_mhz: clock 0 of the fabric, as pynq sets it.
        registers: of accel: byte offset, and (lowest bit, width) by field.
    """

    cells: dict[str, str]
    ranges: dict[str, tuple[int, int]]
    dma: dict[str, str]
    clock_mhz: float
    registers: dict[str, tuple[int, Fields]]


def read(path: Path) -> Handover:
    """Read a handover file.

    Raises:
        BoardError: it is no such file, or lacks a cell, an address or a parameter.
    """
    try:
        modules = {
            module.get("INSTANCE", ""): module
            for module in ElementTree.parse(path).getroot().iter("MODULE")
        }
    except (OSError, ElementTree.ParseError) as error:
        raise BoardError(f"{path} is not a hardware handover file: {error}") from None
    for cell, vlnv in CELLS.items():
        if cell not in modules:
            raise BoardError(f"{path} has no cell {cell}")
        if modules[cell].get("VLNV") != vlnv:
            raise BoardError(f"{path}: cell {cell} is a {modules[cell].get('VLNV')}, not a {vlnv}")
    try:
        return Handover(
            cells={cell: modules[cell].get("VLNV", "") for cell in CELLS},
            ranges={cell: _range(modules[PROCESSOR], cell, path) for cell in ("accel", "dma")},
            dma={name: _parameter(modules["dma"], name, path) for name in _DMA},
            clock_mhz=_clock(modules[PROCESSOR], path),
            registers=_registers(modules["accel"]),
        )
    except (TypeError, ValueError, ZeroDivisionError) as error:
        raise BoardError(f"{path} is damaged: {error}") from None


def compare(found: Handover, expected: Handover, path: Path) -> list[str]:
    """Check one handover file against another.

    Args:
        found: what Vivado wrote.
        expected: what the bundle says.
        path: file of ``found``, for the messages.

    Returns:
        Names of registers that ``found`` does not list. The driver has its own list; without them
        only pynq's ``register_map`` is poorer.

    Raises:
        BoardError: an address, a DMA parameter, the clock or a register's place differs.
    """
    for cell, (base, size) in expected.ranges.items():
        if found.ranges[cell] != (base, size):
            at, reach = found.ranges[cell]
            raise BoardError(
                f"{path}: {cell} is at {at:#010x} with {reach:#x} bytes, the bundle says "
                f"{base:#010x} with {size:#x}"
            )
    for name, value in expected.dma.items():
        if int(found.dma[name]) != int(value):
            raise BoardError(
                f"{path}: the DMA's {name} is {found.dma[name]}, the bundle says {value}"
            )
    if abs(found.clock_mhz - expected.clock_mhz) > 1e-6 * expected.clock_mhz:
        raise BoardError(
            f"{path}: clock 0 is {found.clock_mhz:g} MHz, the bundle says {expected.clock_mhz:g}"
        )
    for name, place in expected.registers.items():
        if name in found.registers and found.registers[name] != place:
            raise BoardError(
                f"{path}: register {name} of accel is at {found.registers[name]}, the bundle says "
                f"{place} (offset, fields)"
            )
    return [name for name in expected.registers if name not in found.registers]


def check_bundle(handover: Handover, described: dict[str, Any], path: Path) -> None:
    """Check a bundle's handover file against its accel.json.

    Raises:
        BoardError: they differ.
    """
    for cell in ("accel", "dma"):
        place = described["address_map"][cell]
        if handover.ranges[cell] != (place["base"], place["range"]):
            raise BoardError(f"{path}: {cell} is elsewhere than accel.json says: build it again")
    if int(handover.dma["c_sg_length_width"]) != described["dma"]["length_bits"]:
        raise BoardError(f"{path}: the DMA is another than accel.json says: build it again")


def _range(processor: Element, cell: str, path: Path) -> tuple[int, int]:
    ranges = [
        (int(entry.get("BASEVALUE", ""), 16), int(entry.get("HIGHVALUE", ""), 16))
        for entry in processor.iter("MEMRANGE")
        if entry.get("INSTANCE") == cell
    ]
    # With several ranges pynq gives each a name of its own, and the driver finds none of them.
    if len(ranges) != 1:
        raise BoardError(f"{path}: {cell} has {len(ranges)} address ranges, not 1")
    base, high = ranges[0]
    return base, high - base + 1


def _parameter(module: Element, name: str, path: Path) -> str:
    for entry in module.iter("PARAMETER"):
        if entry.get("NAME", "").lower() == name.lower():
            return entry.get("VALUE", "")
    raise BoardError(f"{path}: cell {module.get('INSTANCE')} has no parameter {name}")


def _clock(processor: Element, path: Path) -> float:
    if int(_parameter(processor, "PCW_FPGA_FCLK0_ENABLE", path)) != 1:
        raise BoardError(f"{path}: clock 0 of the fabric is off")
    divisors = [
        int(_parameter(processor, f"PCW_FCLK0_PERIPHERAL_DIVISOR{number}", path))
        for number in (0, 1)
    ]
    return IO_PLL_MHZ / (divisors[0] * divisors[1])


def _registers(module: Element) -> dict[str, tuple[int, Fields]]:
    registers = {}
    for register in module.iter("REGISTER"):
        fields = {
            field.get("NAME", ""): (
                int(_property(field, "BIT_OFFSET"), 0),
                int(_property(field, "BIT_WIDTH"), 0),
            )
            for field in register.iter("FIELD")
        }
        registers[register.get("NAME", "")] = (
            int(_property(register, "ADDRESS_OFFSET"), 0),
            fields,
        )
    return registers


def _property(element: Element, name: str) -> str:
    for entry in element.findall("PROPERTY"):
        if entry.get("NAME") == name:
            return entry.get("VALUE", "")
    raise ValueError(f"{element.tag} {element.get('NAME')} has no {name}")
