"""A bundle's accelerator as an IP-XACT component (IEEE 1685-2014): `rtl/accel.xml`.

Interfaces, ports, registers with their fields, windows of the weights, and the list of sources. The
registers are those that hw/regs makes by PeakRDL-ipxact, the rest is what accel.json says.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from xml.etree import ElementTree
from xml.etree.ElementTree import Element, SubElement

from spinflow.host.core.description import Description, MemoryInfo
from spinflow.hw.boards.prepare import Port, interfaces, ports

NAME = "accel.xml"
REGISTERS = "spinflow_regs.xml"
NAMESPACE = "http://www.accellera.org/XMLSchema/IPXACT/1685-2014"
VENDOR, LIBRARY = "spinflow", "accel"
ROOT = "${SPINFLOW}"
"""What stands for the checkout in names of files that are not beside the component."""


def component(
    described: Description, address_bits: int, sources: Sequence[str], registers: Path
) -> str:
    """Return the component's XML.

    Args:
        described: the bundle.
        address_bits: of the accelerator's AXI-Lite side.
        sources: as in rtl/files.f.
        registers: the component of the register block, which hw/regs makes.
    """
    ElementTree.register_namespace("ipxact", NAMESPACE)
    whole = Element(_tag("component"))
    _identify(whole, VENDOR, LIBRARY, name_of(described.network), f"{described.build_id:08x}")
    found = ports(address_bits)
    _interfaces(SubElement(whole, _tag("busInterfaces")), found, described.clock_mhz)
    whole.append(_memory_maps(described.memories, registers))
    _model(SubElement(whole, _tag("model")), found)
    _files(SubElement(whole, _tag("fileSets")), sources)
    _text(whole, "description", f"Accelerator of the binary neural network {described.network}")
    ElementTree.indent(whole)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + ElementTree.tostring(
        whole, encoding="unicode"
    )


def name_of(network: str) -> str:
    """Return what a core of a network is called: `NAME.LABEL` for a variant `NAME+LABEL`.

    Names of IP-XACT have no `+` (NMTOKEN).
    """
    return network.replace("+", ".")


def _tag(name: str) -> str:
    return f"{{{NAMESPACE}}}{name}"


def _text(parent: Element, name: str, content: object) -> Element:
    element = SubElement(parent, _tag(name))
    element.text = str(content)
    return element


def _identify(whole: Element, *parts: str) -> None:
    for name, part in zip(("vendor", "library", "name", "version"), parts, strict=True):
        _text(whole, name, part)


def _interfaces(parent: Element, found: Iterable[Port], clock_mhz: float) -> None:
    """Add the bus interfaces, in the order of their ports."""
    members: dict[str, list[Port]] = {}
    for port in found:
        members.setdefault(port.interface, []).append(port)
    known = interfaces(clock_mhz)
    for name, signals in members.items():
        library, bus, parameters = known[name]
        interface = SubElement(parent, _tag("busInterface"))
        _text(interface, "name", name)
        of = {"vendor": "xilinx.com", "library": library, "version": "1.0"}
        SubElement(interface, _tag("busType"), {**of, "name": bus})
        kind = SubElement(SubElement(interface, _tag("abstractionTypes")), _tag("abstractionType"))
        SubElement(kind, _tag("abstractionRef"), {**of, "name": f"{bus}_rtl"})
        maps = SubElement(kind, _tag("portMaps"))
        for port in signals:
            connected = SubElement(maps, _tag("portMap"))
            for place, signal in (("logicalPort", port.signal), ("physicalPort", port.name)):
                _text(SubElement(connected, _tag(place)), "name", signal)
        side = SubElement(interface, _tag("master" if name == "m_axis" else "slave"))
        if name == "s_axi":
            SubElement(side, _tag("memoryMapRef"), memoryMapRef=name)
        listed = SubElement(interface, _tag("parameters"))
        for key, value in parameters.items():
            parameter = SubElement(listed, _tag("parameter"), parameterId=f"{name}.{key}")
            _text(parameter, "name", key)
            _text(parameter, "value", value)


def _memory_maps(memories: Sequence[MemoryInfo], registers: Path) -> Element:
    """Return the registers, of as many memories as there are, and the windows of the weights."""
    found = ElementTree.parse(registers).getroot().find(_tag("memoryMaps"))
    assert found is not None
    number = found.find(f".//{_tag('registerFile')}//{_tag('dim')}")
    assert number is not None
    number.text = str(len(memories))
    only = found[0]
    name = only.find(_tag("name"))
    assert name is not None
    name.text = "s_axi"
    # Address blocks come before the width of a byte, which is what PeakRDL's map ends with.
    place = 1 + max(n for n, child in enumerate(only) if child.tag == _tag("addressBlock"))
    for memory in memories:
        if memory.is_weights:
            block = Element(_tag("addressBlock"))
            _text(block, "name", memory.name.replace(".", "_"))
            _text(block, "description", f"{memory.depth} words of {memory.width} bits")
            _text(block, "baseAddress", f"'h{memory.base:x}")
            _text(block, "range", f"'h{memory.stride * memory.depth:x}")
            _text(block, "width", 32)
            _text(block, "usage", "memory")
            _text(block, "access", "read-write")
            only.insert(place, block)
            place += 1
    return found


def _model(parent: Element, found: Iterable[Port]) -> None:
    """Add the one view, RTL, and the ports."""
    view = SubElement(SubElement(parent, _tag("views")), _tag("view"))
    _text(view, "name", "rtl")
    _text(view, "componentInstantiationRef", "rtl_implementation")
    made = SubElement(SubElement(parent, _tag("instantiations")), _tag("componentInstantiation"))
    _text(made, "name", "rtl_implementation")
    _text(made, "language", "SystemVerilog")
    _text(made, "moduleName", "accel")
    _text(SubElement(made, _tag("fileSetRef")), "localName", "rtl_files")
    listed = SubElement(parent, _tag("ports"))
    for port in found:
        element = SubElement(listed, _tag("port"))
        _text(element, "name", port.name)
        wire = SubElement(element, _tag("wire"))
        _text(wire, "direction", {"input": "in", "output": "out"}[port.direction])
        if port.bits > 1:
            vector = SubElement(SubElement(wire, _tag("vectors")), _tag("vector"))
            _text(vector, "left", port.bits - 1)
            _text(vector, "right", 0)


def _files(parent: Element, sources: Iterable[str]) -> None:
    """Add the one set of files, in the order of compilation."""
    listed = SubElement(parent, _tag("fileSet"))
    _text(listed, "name", "rtl_files")
    for source in sources:
        file = SubElement(listed, _tag("file"))
        _text(file, "name", f"{ROOT}/{source}" if "/" in source else source)
        language = "verilogSource" if Path(source).suffix == ".v" else "systemVerilogSource"
        _text(file, "fileType", language)
