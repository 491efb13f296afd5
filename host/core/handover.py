"""Reads hardware handover files (.hwh): what is at which address, as pynq will see it.

A bundle's own accel.hwh and the one that Vivado writes for the bitstream are read alike, and must
say the same of everything that the driver relies on. The file is checked here before pynq reads it:
pynq believes what it finds. It needs Python 3.10 and nothing else.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn
from xml.etree.ElementTree import Element, TreeBuilder
from xml.parsers import expat

from spinflow.host.core.description import Description, Register, RegisterMap
from spinflow.host.core.errors import BundleError
from spinflow.host.core.text import shown

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
    dma: dict[str, int]
    clock_mhz: float
    registers: dict[str, tuple[int, Fields]]


def read(path: Path, content: bytes) -> Handover:
    """Read a handover file.

    Args:
        path: where it lies, for the messages.
        content: of the file.

    Raises:
        BundleError: it is not such a file, or lacks a cell, an address or a parameter.
    """
    try:
        modules: dict[str, Element] = {}
        for module in _tree(content).iter("MODULE"):
            name = module.get("INSTANCE", "")
            if name in modules and name in CELLS:
                raise ValueError(f"it has two cells {name}")
            modules[name] = module
        for cell, vlnv in CELLS.items():
            if cell not in modules:
                raise ValueError(f"it has no cell {cell}")
            if modules[cell].get("VLNV") != vlnv:
                found = shown(modules[cell].get("VLNV"))
                raise ValueError(f"cell {cell} is a {found}: it must be a {vlnv}")
        return Handover(
            cells={cell: modules[cell].get("VLNV", "") for cell in CELLS},
            ranges={cell: _range(modules[PROCESSOR], cell) for cell in ("accel", "dma")},
            dma={name: _number(_parameter(modules["dma"], name)) for name in _DMA},
            clock_mhz=_clock(modules[PROCESSOR]),
            registers=_registers(modules["accel"]),
        )
    except (ValueError, LookupError, expat.ExpatError) as error:
        raise BundleError(
            f"{path} is not a handover file of a bundle: {str(error)[:200]}"
        ) from None


_MOST_ELEMENTS = 200_000
_MOST_DEPTH = 64


def _tree(content: bytes) -> Element:
    """Return the root element of XML without a document type, which alone can define entities."""
    builder = TreeBuilder()
    elements = depth = 0

    def start(tag: str, attributes: dict[str, str]) -> None:
        nonlocal elements, depth
        elements, depth = elements + 1, depth + 1
        if elements > _MOST_ELEMENTS or depth > _MOST_DEPTH:
            raise ValueError(
                f"more than {_MOST_ELEMENTS} elements, or more than {_MOST_DEPTH} levels"
            )
        builder.start(tag, attributes)

    def end(tag: str) -> None:
        nonlocal depth
        depth -= 1
        builder.end(tag)

    def doctype(*_: Any) -> NoReturn:
        raise ValueError("it defines a document type, which handover files never do")

    parser = expat.ParserCreate()
    parser.StartElementHandler = start
    parser.EndElementHandler = end
    parser.StartDoctypeDeclHandler = doctype
    parser.Parse(content, True)
    root: Element = builder.close()
    return root


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
        BundleError: an address, a DMA parameter, the clock or a register's place differs.
    """
    for cell, (base, size) in expected.ranges.items():
        if found.ranges[cell] != (base, size):
            at, reach = found.ranges[cell]
            raise BundleError(
                f"{path}: {cell} is at {at:#010x} with {reach:#x} bytes, the bundle says "
                f"{base:#010x} with {size:#x}"
            )
    for name, value in expected.dma.items():
        if found.dma[name] != value:
            raise BundleError(
                f"{path}: the DMA's {name} is {found.dma[name]}, the bundle says {value}"
            )
    if abs(found.clock_mhz - expected.clock_mhz) > 1e-6 * expected.clock_mhz:
        raise BundleError(
            f"{path}: clock 0 is {found.clock_mhz:g} MHz, the bundle says {expected.clock_mhz:g}"
        )
    for name, place in expected.registers.items():
        if name in found.registers and found.registers[name] != place:
            raise BundleError(
                f"{path}: register {name} of accel is at {shown(found.registers[name])}, the "
                f"bundle says {shown(place)} (offset, fields)"
            )
    return [name for name in expected.registers if name not in found.registers]


def check(handover: Handover, description: Description, path: Path) -> None:
    """Check a bundle's handover file against its description.

    Vivado's may leave out registers; those that it has must be where the description says.

    Raises:
        BundleError: they differ.
    """
    said = Handover(
        cells=CELLS,
        ranges={
            "accel": (description.accel.base, description.accel.size),
            "dma": (description.dma.base, description.dma.size),
        },
        dma={
            **{"c_include_mm2s": 1, "c_include_s2mm": 1, "c_include_sg": 0},
            **{"c_sg_length_width": description.length_bits},
            **{"c_m_axi_mm2s_data_width": 32, "c_m_axi_s2mm_data_width": 32},
        },
        clock_mhz=_closest_clock(description.clock_mhz),
        registers=_said(description),
    )
    compare(handover, said, path)


def _said(description: Description) -> dict[str, tuple[int, Fields]]:
    """Return the registers that a description means, as a handover file lists them."""
    layout: RegisterMap = description.registers

    def place(register: Register, base: int) -> tuple[int, Fields]:
        fields = {name: (field.lsb, field.width) for name, field in register.fields.items()}
        return base + register.offset, fields

    found = {name: place(register, 0) for name, register in layout.globals.items()}
    for memory in description.memories:
        base = layout.base + layout.stride * memory.index
        prefix = memory.name.upper().replace(".", "_")
        for name, register in layout.memory.items():
            found[f"{prefix}_{name}"] = place(register, base)
    return found


def divisors(clock_mhz: float) -> tuple[int, int]:
    """Return the pair of 6-bit divisors of the IO PLL that comes closest to a clock."""
    pairs = [(first, second) for first in range(1, 64) for second in range(1, first + 1)]
    return min(pairs, key=lambda pair: (abs(IO_PLL_MHZ / (pair[0] * pair[1]) - clock_mhz), pair))


def _closest_clock(clock_mhz: float) -> float:
    first, second = divisors(clock_mhz)
    return IO_PLL_MHZ / (first * second)


def _range(processor: Element, cell: str) -> tuple[int, int]:
    ranges = [
        (_number(entry.get("BASEVALUE", ""), 16), _number(entry.get("HIGHVALUE", ""), 16))
        for entry in processor.iter("MEMRANGE")
        if entry.get("INSTANCE") == cell
    ]
    # If there are several ranges, pynq names them differently, and the driver cannot find them.
    if len(ranges) != 1:
        raise ValueError(f"{cell} has {len(ranges)} address ranges, not 1")
    base, high = ranges[0]
    return base, high - base + 1


def _number(text: str, base: int = 10) -> int:
    """Return a number of at most 32 bits."""
    if len(text) > 12 or not text.isascii():
        raise ValueError(f"{shown(text)} is not a number of 32 bits")
    try:
        value = int(text, base)
    except ValueError:
        raise ValueError(f"{shown(text)} is not a number") from None
    if not 0 <= value < 2**32:
        raise ValueError(f"{shown(text)} is not a number of 32 bits")
    return value


def _parameter(module: Element, name: str) -> str:
    found = [
        entry.get("VALUE", "")
        for entry in module.iter("PARAMETER")
        if entry.get("NAME", "").lower() == name.lower()
    ]
    if len(found) != 1:
        raise ValueError(f"cell {module.get('INSTANCE')} has {len(found)} parameters {name}, not 1")
    return found[0]


def _clock(processor: Element) -> float:
    if _number(_parameter(processor, "PCW_FPGA_FCLK0_ENABLE")) != 1:
        raise ValueError("clock 0 of the fabric is off")
    product = 1
    for place in (0, 1):
        divisor = _number(_parameter(processor, f"PCW_FCLK0_PERIPHERAL_DIVISOR{place}"))
        if not 1 <= divisor <= 63:
            raise ValueError(f"divisor {place} of clock 0 is {divisor}, not 1 to 63")
        product *= divisor
    return IO_PLL_MHZ / product


def _registers(module: Element) -> dict[str, tuple[int, Fields]]:
    registers: dict[str, tuple[int, Fields]] = {}
    for register in module.iter("REGISTER"):
        fields = {
            field.get("NAME", ""): (
                _number(_property(field, "BIT_OFFSET"), 0),
                _number(_property(field, "BIT_WIDTH"), 0),
            )
            for field in register.iter("FIELD")
        }
        name = register.get("NAME", "")
        if name in registers:
            raise ValueError(f"it has two registers {shown(name)}")
        registers[name] = (_number(_property(register, "ADDRESS_OFFSET"), 0), fields)
    return registers


def _property(element: Element, name: str) -> str:
    for entry in element.findall("PROPERTY"):
        if entry.get("NAME") == name:
            return entry.get("VALUE", "")
    raise ValueError(f"{element.tag} {shown(element.get('NAME'))} has no {name}")
