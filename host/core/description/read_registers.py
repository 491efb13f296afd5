"""Reads the control block and the addresses of a bundle's description, and checks them."""

from __future__ import annotations

import re

from spinflow.host.core.addresses import WINDOWS_START
from spinflow.host.core.checked import At, WrongError
from spinflow.host.core.description.limits import MAP_VERSION, MOST_MEMORIES
from spinflow.host.core.description.registers import (
    GLOBAL_REGISTERS,
    MEMORY_REGISTERS,
    Field,
    Range,
    Register,
    RegisterMap,
)
from spinflow.host.core.text import shown

# Where the processor of every Zynq-7000 reaches the fabric.
_FABRIC = (0x4000_0000, 0xC000_0000)
_PAGE = 4096

_REGISTER = re.compile(r"[A-Z][A-Z0-9_]{0,63}\Z")
_FIELD = re.compile(r"[a-z][a-z0-9_]{0,63}\Z")


def read_registers(at: At) -> RegisterMap:
    """Return the control block; raises WrongError where it is not one that the driver knows."""
    of = at.object(("id", "version", "size", "global", "memory"))
    version = of["version"].whole(MAP_VERSION, MAP_VERSION)
    size = of["size"].whole(_PAGE, WINDOWS_START)
    if size % _PAGE:
        of["size"].fail(f"a multiple of {_PAGE}")
    layout = of["memory"].object(("base", "stride", "count", "registers"))
    base = layout["base"].whole(0, size)
    stride = layout["stride"].whole(4, size)
    count = layout["count"].whole(1, MOST_MEMORIES)
    if base % 4 or stride % 4 or base + stride * count > size:
        raise WrongError(
            f"registers.memory: {count} times {stride} bytes from {base} on do not fit the "
            f"{size} bytes of the control block as whole words"
        )
    return RegisterMap(
        identity=of["id"].whole(0, 2**32 - 1),
        version=version,
        size=size,
        globals=_block(of["global"], GLOBAL_REGISTERS, base),
        base=base,
        stride=stride,
        count=count,
        memory=_block(layout["registers"], MEMORY_REGISTERS, stride),
    )


def _block(at: At, known: dict[str, tuple[str, ...]], end: int) -> dict[str, Register]:
    """Read registers that lie apart and before ``end``."""
    members = at.members()
    for name in known:
        if name not in members:
            raise WrongError(f"{at.place} describes no register {name}")
    found: dict[str, Register] = {}
    taken: dict[int, str] = {}
    for name, entry in members.items():
        if not _REGISTER.match(name):
            raise WrongError(f"{at.place}: {shown(name)} is not the name of a register, as RATE1")
        of = entry.object(("offset", "fields"))
        offset = of["offset"].whole(0, end - 4)
        if offset % 4:
            of["offset"].fail("a multiple of 4")
        if offset in taken:
            raise WrongError(f"{at.place}: {name} has the same offset as {taken[offset]}, {offset}")
        taken[offset] = name
        found[name] = Register(offset, _fields(of["fields"], known.get(name, ())))
    return found


def _fields(at: At, known: tuple[str, ...]) -> dict[str, Field]:
    members = at.members()
    for name in known:
        if name not in members:
            raise WrongError(f"{at.place} describes no field {name}")
    found, taken = {}, 0
    for name, entry in members.items():
        if not _FIELD.match(name):
            raise WrongError(f"{at.place}: {shown(name)} is not the name of a field, as value")
        of = entry.object(("lsb", "width"))
        lsb, width = of["lsb"].whole(0, 31), of["width"].whole(1, 32)
        bits = (1 << width) - 1 << lsb
        if lsb + width > 32 or bits & taken:
            entry.fail("bits of a 32-bit word that no other field uses")
        taken |= bits
        found[name] = Field(lsb, width)
    return found


def read_address_map(at: At) -> tuple[Range, Range]:
    """Return the places of the accelerator and of the DMA; raises WrongError if they overlap."""
    of = at.object(("accel", "dma"))
    found = []
    for entry in (of["accel"], of["dma"]):
        place = entry.object(("base", "range"))
        size = place["range"].whole(_PAGE, _FABRIC[1] - _FABRIC[0])
        base = place["base"].whole(_FABRIC[0], _FABRIC[1] - size)
        if size & (size - 1) or base % size:
            entry.fail("a size that is a power of two, at a base that is a multiple of the size")
        found.append(Range(base, size))
    accel, dma = found
    if accel.base < dma.end and dma.base < accel.end:
        at.fail("two ranges that do not overlap")
    return accel, dma
