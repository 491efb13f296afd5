"""Reads what a board is: `board.toml` of its folder, typed and checked.

A kind of board is the name of its folder. A bundle names its board as the board's image does; so
there are two ways to find one, :func:`board` by the folder and :func:`board_named` by that name.
"""

from __future__ import annotations

import importlib
import re
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from spinflow.host.core.checked import At, WrongError
from spinflow.host.core.errors import HostError
from spinflow.host.core.plain import MIB, read_plain
from spinflow.host.core.text import shown

FOLDER = Path(__file__).resolve().parent
"""The folder that holds a folder for each kind of board."""

FACTS = "board.toml"
PROCESSOR = "ps7.tcl"

SMALLEST_RANGE = 4096

PRIMITIVES = {"generic": "Generic", "xilinx7": "Xilinx7", "ultrascale": "UltraScale"}
"""Primitives that the RTL may place by hand, and what hw/rtl/spinflow_pkg.sv calls them."""
MACRO = "SPINFLOW_PRIMITIVES"
"""The macro by which a tool is told which of them."""

_PRIMITIVES = re.compile(rf"({'|'.join(PRIMITIVES)})\Z")
_PIN = re.compile(r"[A-Z][A-Z0-9_]{0,63}\Z")
_VERSION = re.compile(r"\d{1,4}(\.\d{1,4}){1,3}\Z")
_SHELL_FOLDER = re.compile(r"(\$HOME|/)[A-Za-z0-9._/-]{0,200}\Z")
_END = 1 << 32


class BoardError(HostError):
    """Something about a board that the user can act on; the message is one line."""


@dataclass(frozen=True)
class Range:
    """A range of addresses.

    Attributes:
        base: its first address.
        size: its bytes.
    """

    base: int
    size: int

    @property
    def end(self) -> int:
        """The address behind its last."""
        return self.base + self.size

    def entry(self) -> dict[str, int]:
        """Return it as accel.json has it."""
        return {"base": self.base, "range": self.size}


@dataclass(frozen=True)
class Port:
    """A port between processing system and fabric.

    Attributes:
        name: of its pins in Vivado.
        range: the addresses behind it.
        segment: name of the address segment in Vivado; empty for a port that has none.
    """

    name: str
    range: Range
    segment: str = ""


@dataclass(frozen=True)
class Dma:
    """The AXI DMA: bits of a word that it moves, and of its length register."""

    data_bits: int
    length_bits: int

    def entry(self) -> dict[str, int]:
        """Return it as accel.json has it."""
        return {"data_bits": self.data_bits, "length_bits": self.length_bits}


@dataclass(frozen=True)
class Clocks:
    """Clocks in MHz as the boot image sets them: the reference, three PLLs, those of the fabric."""

    reference: float
    arm_pll: float
    ddr_pll: float
    io_pll: float
    fabric: float


@dataclass(frozen=True)
class Image:
    """What boots on the board.

    Attributes:
        pynq: versions of pynq that it may carry; 3.1 stands for 3.1.2 as well.
        folders: where its Jupyter shows files, for the board's shell; the first that is there.
        note: one line that a user of this board should know.
        dma_memory: the contiguous memory that it sets aside.
    """

    pynq: tuple[str, ...]
    folders: tuple[str, ...]
    note: str
    dma_memory: Range


@dataclass(frozen=True)
class Board:
    """A kind of board.

    Attributes:
        folder: its folder.
        name: as its image calls it, and accel.json.
        part: device, as Vivado calls it.
        clock_mhz: clock of the accelerator.
        primitives: of the part that the RTL places by hand, a key of PRIMITIVES.
        default: whether it is meant where no board is named.
        resources: of the part: LUT, FF, RAMB36, DSP48.
        address_map: of the cells accel and dma.
        dma: what the DMA is.
        logic: where the processor reaches the programmable logic.
        control_port: the port to the registers.
        memory_port: the port to the memory.
        clocks: after booting.
        image: what boots.
    """

    folder: Path
    name: str
    part: str
    clock_mhz: float
    primitives: str
    default: bool
    resources: dict[str, int]
    address_map: dict[str, Range]
    dma: Dma
    logic: Range
    control_port: Port
    memory_port: Port
    clocks: Clocks
    image: Image

    @property
    def kind(self) -> str:
        """Name of its folder, as BOARD= of make gives it."""
        return self.folder.name

    def entries(self) -> dict[str, Any]:
        """Return what accel.json says of the board, by its keys."""
        return {
            "board": self.name,
            "part": self.part,
            "clock_mhz": self.clock_mhz,
            "address_map": {cell: place.entry() for cell, place in self.address_map.items()},
            "dma": self.dma.entry(),
        }


def kinds() -> list[str]:
    """Return the kinds of board that there are, sorted."""
    return sorted(path.parent.name for path in FOLDER.glob(f"*/{FACTS}"))


def board(kind: str | None = None) -> Board:
    """Return what a kind of board is.

    Args:
        kind: name of its folder; the default board if None or empty.

    Raises:
        BoardError: there is no such board, or its board.toml is not as it must be.
    """
    if not kind:
        return _default()
    if kind not in kinds():
        hint = ": the login of a board is given with TARGET=" if "@" in kind else ""
        raise BoardError(f"no board {shown(kind)}; there are {', '.join(kinds())}{hint}")
    return read(FOLDER / kind)


def board_named(name: str) -> Board:
    """Return the board that a bundle was built for.

    Args:
        name: of the board, as accel.json has it.

    Raises:
        BoardError: no board, or more than one, has this name, or a board.toml is damaged.
    """
    every = [board(kind) for kind in kinds()]
    found = [one for one in every if one.name.lower() == name.lower()]
    if len(found) > 1:
        raise BoardError(
            f"the boards {found[0].kind} and {found[1].kind} both have the name {name}: each needs "
            f"a name of its own in {FACTS}"
        )
    if not found:
        known = ", ".join(f"{one.name} ({one.kind})" for one in every)
        raise BoardError(f"no board {shown(name)} is known; there are {known}")
    return found[0]


def _default() -> Board:
    every = [board(kind) for kind in kinds()]
    chosen = [one for one in every if one.default] if len(every) > 1 else every
    if len(chosen) != 1:
        listed = " and ".join(one.kind for one in chosen) or "none"
        raise BoardError(
            f"default = true in {FACTS} is said by {listed}: exactly one of {', '.join(kinds())} "
            "must say it"
        )
    return chosen[0]


def read(folder: Path) -> Board:
    """Read a board's folder.

    Raises:
        BoardError: there is no board.toml, or something in it is not as it must be.
    """
    path = folder / FACTS
    # Python 3.10, under which the simulator runs as well, does not have it.
    toml = importlib.import_module("tomllib" if sys.version_info >= (3, 11) else "tomli")
    try:
        found = _board(folder, At(toml.loads(read_plain(path, MIB).decode("utf-8")), ""))
        _check_map(found)
    except (WrongError, UnicodeDecodeError, toml.TOMLDecodeError) as wrong:
        raise BoardError(f"{path}: {wrong}") from None
    except HostError as error:
        raise BoardError(str(error)) from None
    return found


def _board(folder: Path, at: At) -> Board:
    tables = ("board", "resources", "address_map", "dma", "logic", "control_port", "memory_port")
    of = at.object((*tables, "clocks", "image"))
    head = of["board"].object(("name", "part", "clock_mhz", "primitives"), ("default",))
    resources = of["resources"].object(("LUT", "FF", "RAMB36", "DSP48"))
    dma = of["dma"].object(("data_bits", "length_bits"))
    control = of["control_port"].object(("name", "base", "range"))
    memory = of["memory_port"].object(("name", "segment", "base", "range"))
    return Board(
        folder=folder,
        name=head["name"].name(),
        part=head["part"].name(),
        clock_mhz=head["clock_mhz"].number(1, 1000),
        primitives=_primitives(head["primitives"]),
        default=head["default"].flag() if "default" in head else False,
        resources={name: value.whole(0, 1 << 24) for name, value in resources.items()},
        address_map={
            cell: _range(entry.object(("base", "range")))
            for cell, entry in of["address_map"].object(("accel", "dma")).items()
        },
        dma=Dma(dma["data_bits"].whole(32, 32), dma["length_bits"].whole(8, 26)),
        logic=_range(of["logic"].object(("base", "range"))),
        control_port=Port(_pin(control["name"]), _range(control)),
        memory_port=Port(_pin(memory["name"]), _range(memory), _pin(memory["segment"])),
        clocks=_clocks(of["clocks"]),
        image=_image(of["image"]),
    )


def _range(of: dict[str, At]) -> Range:
    size = of["range"].whole(1, _END)
    return Range(of["base"].whole(0, _END - size), size)


def _primitives(at: At) -> str:
    return at.text(_PRIMITIVES, f"one of {', '.join(PRIMITIVES)}")


def _pin(at: At) -> str:
    return at.text(_PIN, "a name of Vivado's in capital letters")


def _clocks(at: At) -> Clocks:
    names = ("reference", "arm_pll", "ddr_pll", "io_pll", "fabric")
    of = at.object(names)
    found = Clocks(**{name: of[name].number(1, 10000) for name in names})
    for name in ("arm_pll", "ddr_pll", "io_pll"):
        # The registers hold whole multiples of the reference.
        if not (getattr(found, name) / found.reference).is_integer():
            of[name].fail(f"a multiple of the reference, {found.reference:g}")
    return found


def _image(at: At) -> Image:
    of = at.object(("pynq", "folders", "note", "dma_memory"))
    return Image(
        pynq=tuple(
            entry.text(_VERSION, 'a version as "3.1"') for entry in of["pynq"].entries(1, 16)
        ),
        folders=tuple(
            entry.text(_SHELL_FOLDER, "a folder that begins with / or $HOME")
            for entry in of["folders"].entries(1, 16)
        ),
        note=of["note"].line(),
        dma_memory=_range(of["dma_memory"].object(("base", "range"))),
    )


def _check_map(board: Board) -> None:
    """Raise WrongError for an address map that the processor's port cannot have."""
    port = board.control_port
    end, before = port.range.base, f"the start of {port.name}"
    for cell, place in sorted(board.address_map.items(), key=lambda item: item[1].base):
        size = place.size
        if size < SMALLEST_RANGE or size & (size - 1) or place.base % size:
            raise WrongError(
                f"{cell} at {place.base:#x} with {size:#x} bytes: the range must be a power of "
                f"two, at least {SMALLEST_RANGE}, and the base a multiple of it"
            )
        if place.base < end:
            raise WrongError(f"{cell} at {place.base:#x} lies before the end of {before}")
        end, before = place.end, cell
    if end > port.range.end:
        raise WrongError(
            f"{before} ends at {end:#x}, behind {port.name}'s end at {port.range.end:#x}"
        )
