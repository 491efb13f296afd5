"""Writes `accel.hwh`, the hardware handover file from which pynq learns what is at which address.

Vivado writes such a file for a board; this one describes the same shell (processing system, AXI DMA
and the accelerator) with what pynq reads: cells, parameters, the memory map and the registers.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from xml.etree import ElementTree
from xml.etree.ElementTree import Element, SubElement

from spinflow.host.core.description import MemoryInfo, Register, RegisterMap
from spinflow.host.core.handover import divisors
from spinflow.hw.boards import Board
from spinflow.hw.boards.facts import Range

PS7_VLNV = "xilinx.com:ip:processing_system7:5.5"
DMA_VLNV = "xilinx.com:ip:axi_dma:7.1"
ACCEL_VLNV = "spinflow:accel:accel:1.0"


def document(board: Board, registers: RegisterMap, memories: Iterable[MemoryInfo]) -> str:
    """Return the text of the handover file.

    Args:
        board: that the accelerator is built for.
        registers: the control block.
        memories: of the accelerator; each gets its own registers by name.
    """
    system = Element("EDKSYSTEM", EDWVERSION="1.2", VERSION="2.0")
    SubElement(system, "SYSTEMINFO", ARCH="zynq", DEVICE=board.part, NAME="accel", PART=board.part)
    SubElement(system, "EXTERNALPORTS")
    modules = SubElement(system, "MODULES")
    _processing_system(modules, board)
    _dma(modules, board)
    _accelerator(modules, registers, memories, board.address_map["accel"])
    ElementTree.indent(system)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + ElementTree.tostring(
        system, encoding="unicode"
    )


def _module(
    modules: Element,
    name: str,
    vlnv: str,
    parameters: Mapping[str, object],
    kind: str = "PERIPHERAL",
) -> Element:
    ip_name = vlnv.split(":")[2]
    module = SubElement(
        modules,
        "MODULE",
        FULLNAME=f"/{name}",
        INSTANCE=name,
        IPTYPE=kind,
        IS_ENABLE="1",
        MODCLASS=kind,
        MODTYPE=ip_name,
        VLNV=vlnv,
    )
    table = SubElement(module, "PARAMETERS")
    for parameter, value in parameters.items():
        SubElement(table, "PARAMETER", NAME=parameter, VALUE=str(value))
    return module


def _bus(module: Element, name: str, kind: str) -> None:
    interfaces = module.find("BUSINTERFACES")
    if interfaces is None:
        interfaces = SubElement(module, "BUSINTERFACES")
    SubElement(
        interfaces,
        "BUSINTERFACE",
        BUSNAME=f"processing_system7_0_{name}",
        DATAWIDTH="32",
        NAME=name,
        TYPE=kind,
        VLNV="xilinx.com:interface:aximm:1.0",
    )


def _processing_system(modules: Element, board: Board) -> None:
    clock_mhz = board.clock_mhz
    divisor0, divisor1 = divisors(clock_mhz, board.clocks.io_pll)
    parameters: dict[str, object] = {
        "C_INCLUDE_ACP_TRANS_CHECK": 0,
        "PCW_FPGA_FCLK0_ENABLE": 1,
        "PCW_FPGA_FCLK1_ENABLE": 0,
        "PCW_FPGA_FCLK2_ENABLE": 0,
        "PCW_FPGA_FCLK3_ENABLE": 0,
        "PCW_FPGA0_PERIPHERAL_FREQMHZ": clock_mhz,
    }
    for clock in range(4):
        parameters |= {
            f"PCW_FCLK{clock}_PERIPHERAL_CLKSRC": "IO PLL",
            f"PCW_FCLK{clock}_PERIPHERAL_DIVISOR0": divisor0 if clock == 0 else 1,
            f"PCW_FCLK{clock}_PERIPHERAL_DIVISOR1": divisor1 if clock == 0 else 1,
        }
    module = _module(modules, "processing_system7_0", PS7_VLNV, parameters, "PROCESSOR")
    _bus(module, board.control_port.name, "MASTER")
    memory_map = SubElement(module, "MEMORYMAP")
    for cell, (slave, block) in {
        "accel": ("s_axi", "reg0"),
        "dma": ("S_AXI_LITE", "Reg"),
    }.items():
        base, size = board.address_map[cell].base, board.address_map[cell].size
        SubElement(
            memory_map,
            "MEMRANGE",
            ADDRESSBLOCK=block,
            BASENAME="C_BASEADDR",
            BASEVALUE=f"0x{base:08X}",
            HIGHNAME="C_HIGHADDR",
            HIGHVALUE=f"0x{base + size - 1:08X}",
            INSTANCE=cell,
            IS_DATA="TRUE",
            IS_INSTRUCTION="TRUE",
            MASTERBUSINTERFACE=board.control_port.name,
            MEMTYPE="REGISTER",
            SLAVEBUSINTERFACE=slave,
        )


def _dma(modules: Element, board: Board) -> None:
    """AXI DMA 7.1 in simple mode, both directions; its registers are those pynq knows by itself."""
    parameters = {
        "c_include_mm2s": 1,
        "c_include_s2mm": 1,
        "c_include_sg": 0,
        "c_micro_dma": 0,
        "c_sg_length_width": board.dma.length_bits,
        "c_m_axi_mm2s_data_width": board.dma.data_bits,
        "c_m_axi_s2mm_data_width": board.dma.data_bits,
        **_address(board.address_map["dma"]),
    }
    _bus(_module(modules, "dma", DMA_VLNV, parameters), "S_AXI_LITE", "SLAVE")


def _accelerator(
    modules: Element,
    registers: RegisterMap,
    memories: Iterable[MemoryInfo],
    address: Range,
) -> None:
    module = _module(modules, "accel", ACCEL_VLNV, _address(address))
    blocks = SubElement(module, "ADDRESSBLOCKS")
    block = SubElement(
        blocks,
        "ADDRESSBLOCK",
        ACCESS="",
        INTERFACE="s_axi",
        NAME="reg0",
        RANGE=str(address.size),
        USAGE="register",
    )
    table = SubElement(block, "REGISTERS")
    for name, register in registers.globals.items():
        _register(table, name, register.offset, register)
    for memory in memories:
        start = registers.base + registers.stride * memory.index
        prefix = memory.name.upper().replace(".", "_")
        for name, register in registers.memory.items():
            _register(table, f"{prefix}_{name}", start + register.offset, register)
    _bus(module, "s_axi", "SLAVE")


def _address(address: Range) -> dict[str, str]:
    return {
        "C_BASEADDR": f"0x{address.base:08X}",
        "C_HIGHADDR": f"0x{address.base + address.size - 1:08X}",
    }


def _register(table: Element, name: str, offset: int, register: Register) -> None:
    entry = SubElement(table, "REGISTER", NAME=name)
    _properties(
        entry,
        {"DESCRIPTION": name, "ADDRESS_OFFSET": offset, "ACCESS": "read-write", "SIZE": 32},
    )
    fields = SubElement(entry, "FIELDS")
    for field_name, bits in register.fields.items():
        field = SubElement(fields, "FIELD", NAME=field_name)
        _properties(
            field,
            {
                "DESCRIPTION": field_name,
                "ADDRESS_OFFSET": bits.lsb,
                "ACCESS": "read-write",
                "BIT_OFFSET": bits.lsb,
                "BIT_WIDTH": bits.width,
            },
        )


def _properties(element: Element, values: Mapping[str, object]) -> None:
    for name, value in values.items():
        SubElement(element, "PROPERTY", NAME=name, VALUE=str(value))
