"""The control block of an accelerator and the addresses of its slaves, of ``accel.json``."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

GLOBAL_REGISTERS = {
    **dict.fromkeys(("ID", "MAP_VERSION", "BUILD_ID", "NUM_MEMORIES"), ("value",)),
    "CONTROL": ("soft_reset", "clear", "snapshot"),
    "STATUS": ("idle", "busy", "refused"),
    **dict.fromkeys(("FRAMES_PER_TRANSFER", "FRAMES_DONE"), ("value",)),
    **dict.fromkeys(("CYCLES_LO", "CYCLES_HI", "STALLS_LO", "STALLS_HI"), ("value",)),
    **dict.fromkeys(("LATENCY", "LATENCY_MIN", "LATENCY_MAX"), ("value",)),
    **dict.fromkeys(("DISTANCE_MIN", "DISTANCE_MAX"), ("value",)),
}
"""Registers and the fields of them that the driver uses; a map may have more."""

MEMORY_REGISTERS = {
    "INFO": ("kind", "layer"),
    **dict.fromkeys(("WIDTH", "DEPTH", "MODE", "RATE1", "RATE0", "SEED"), ("value",)),
    **dict.fromkeys(("WRITTEN_LO", "WRITTEN_HI", "SWITCHED_LO", "SWITCHED_HI"), ("value",)),
    **dict.fromkeys(("ERR1_LO", "ERR1_HI", "ERR0_LO", "ERR0_HI"), ("value",)),
}
"""The same for the registers that every memory has."""


@dataclass(frozen=True)
class Field:
    """A bit field of a register."""

    lsb: int
    width: int

    def as_json(self) -> dict[str, Any]:
        """Return the entry of accel.json."""
        return {"lsb": self.lsb, "width": self.width}


@dataclass(frozen=True)
class Register:
    """A register: its byte offset in its block, and its fields by name."""

    offset: int
    fields: dict[str, Field]

    def as_json(self) -> dict[str, Any]:
        """Return the entry of accel.json."""
        fields = {name: field.as_json() for name, field in self.fields.items()}
        return {"offset": self.offset, "fields": fields}


def _block(registers: dict[str, Register]) -> dict[str, Any]:
    return {name: register.as_json() for name, register in registers.items()}


@dataclass(frozen=True)
class RegisterMap:
    """The control block.

    Attributes:
        identity: what ID reads.
        version: what MAP_VERSION reads.
        size: bytes of the block.
        globals: registers by name.
        base: byte offset of the registers of memory 0.
        stride: bytes from those of one memory to those of the next.
        count: memories that there is room for.
        memory: registers of each memory, by name.
    """

    identity: int
    version: int
    size: int
    globals: dict[str, Register]
    base: int
    stride: int
    count: int
    memory: dict[str, Register]

    def as_json(self) -> dict[str, Any]:
        """Return the entry ``registers`` of accel.json, which is the file regmap.json."""
        return {
            "id": self.identity,
            "version": self.version,
            "size": self.size,
            "global": _block(self.globals),
            "memory": {
                "base": self.base,
                "stride": self.stride,
                "count": self.count,
                "registers": _block(self.memory),
            },
        }


@dataclass(frozen=True)
class Range:
    """A slave's place in the processor's address map, in bytes."""

    base: int
    size: int

    @property
    def end(self) -> int:
        """The first address behind it."""
        return self.base + self.size

    def as_json(self) -> dict[str, Any]:
        """Return the entry of accel.json."""
        return {"base": self.base, "range": self.size}
