"""What a netlist of Xilinx 7-series cells takes of the part, and how deep its logic is.

Area is counted in the cells of the netlist. Vivado may put two small LUTs with at most five
different inputs into one, which is not done here: in this respect `LUT` is an upper figure.
"""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from math import log2
from pathlib import Path
from typing import Any, NamedTuple

# LUTs that a cell takes. An inverter that is left over becomes a LUT.
LOGIC = {**{f"LUT{n}": 1 for n in range(1, 7)}, "INV": 1}
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
UNCOUNTED = {"$scopeinfo", "BUFG", "VCC", "GND"}
COUNTED = {*LOGIC, *LUT_RAM, *FLIP_FLOPS, *BLOCK_RAM, *DSPS, *WIDE, "CARRY4"}

# Rounded cell delays of the slowest speed grade in ns, and a net by how many pins it feeds. Nothing
# is placed, so this orders designs; it says nothing certain about a clock.
CLOCK_TO_OUT = {"ff": 0.46, "lut_ram": 1.3, "block_ram": 2.45, "dsp": 0.43, "port": 0.0}
SETUP = {"ff": 0.1, "lut_ram": 0.3, "block_ram": 0.5, "dsp": 1.5, "port": 0.0}
LUT_DELAY = 0.12
CARRY_ENTER, CARRY_PASS, CARRY_LEAVE = 0.5, 0.03, 0.25  # PASS a bit
WIDE_DELAY = 0.25
DSP_DELAY = 4.0


def net_delay(fan_out: int) -> float:
    """Assumed delay in ns of a net that feeds `fan_out` pins."""
    return 0.45 + 0.1 * log2(max(fan_out, 1))


class NetlistError(ValueError):
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


class Route(NamedTuple):
    """A path from a register, memory or port of the module to the next one."""

    levels: int  # LUTs, carry cells, wide multiplexers and LUT RAM reads in between
    delay_ns: float  # by the assumed delays of this module, start to setup
    start: str
    end: str
    steps: list[str]  # kinds of the cells in between


def area_of(kinds: Mapping[str, int]) -> Area:
    """The area of so many cells of each kind.

    Raises NetlistError for a kind of cell that is not known.
    """
    unknown = sorted(set(kinds) - COUNTED - UNCOUNTED)
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


class Netlist:
    """A netlist as yosys writes it in JSON: a top module and those that were kept apart."""

    def __init__(self, modules: Mapping[str, Any], top: str) -> None:
        """Takes the modules by name; those that are only cell libraries may be among them."""
        self.top = top
        self.modules = {
            name: module
            for name, module in modules.items()
            if not {"blackbox", "whitebox"} & set(module.get("attributes", {}))
        }
        if top not in self.modules:
            raise NetlistError(f"the netlist has no module {top}")

    def area(self) -> Area:
        """The area of the whole design."""
        return sum(self.areas().values(), Area())

    def areas(self) -> dict[str, Area]:
        """The area of each module without those below it, by the path of its instance.

        The path of the top module is empty; the others are as in u_shell.u_regs.
        """
        areas: dict[str, Area] = defaultdict(Area)
        for path, name in self._instances(self.top, ""):
            cells = self.modules[name]["cells"].values()
            kinds = Counter(cell["type"] for cell in cells)
            areas[path] += area_of({k: n for k, n in kinds.items() if k not in self.modules})
        return dict(areas)

    def kind_of(self, path: str) -> str:
        """The name in the source of the module whose instance has this path."""
        return {p: name.split("$")[0] for p, name in self._instances(self.top, "")}[path]

    def _instances(self, module: str, path: str) -> Iterator[tuple[str, str]]:
        yield path, module
        for name, cell in self.modules[module]["cells"].items():
            if cell["type"] in self.modules:
                yield from self._instances(cell["type"], f"{path}.{name}".lstrip("."))

    def deepest(self) -> Route:
        """The path with the most levels of logic; among equals the one with the longest delay.

        Ports of the top module count as registers without a delay. Raises NetlistError for a
        design with modules that were kept apart, and for a loop of logic.
        """
        return _Paths(self._flat()).worst(by_delay=False)

    def slowest(self) -> Route:
        """The path with the longest assumed delay; see `deepest`."""
        return _Paths(self._flat()).worst(by_delay=True)

    def _flat(self) -> Mapping[str, Any]:
        if len(self.modules) != 1:
            raise NetlistError("paths are looked for in a flat netlist only")
        return self.modules[self.top]


def read_netlist(path: Path, top: str) -> Netlist:
    """Reads what yosys's write_json has written, with the cell library or without."""
    return Netlist(json.loads(path.read_text())["modules"], top)


class _Arc(NamedTuple):
    """From an input pin of a cell to one of its outputs."""

    net: int
    levels: int
    delay: float
    is_routed: bool = True  # carry chains and wide multiplexers have wires of their own


class _Arrival(NamedTuple):
    """The worst way to a net."""

    levels: int
    delay: float
    start: str
    before: int | None  # the net before this one
    kind: str  # of the cell that drives it


CLOCK_PINS = {"C", "G", "CLK", "WCLK", "CLKARDCLK", "CLKBWRCLK"}
CLASSES = {
    **dict.fromkeys(FLIP_FLOPS, "ff"),
    **dict.fromkeys(LUT_RAM, "lut_ram"),
    **dict.fromkeys(BLOCK_RAM, "block_ram"),
    **dict.fromkeys(DSPS, "dsp"),
}
# Which address a data output of a LUT RAM or shift register belongs to.
READ_PORTS = {
    **{f"DO{port}": f"ADDR{port}" for port in "ABCD"},
    "DPO": "DPRA",
    "SPO": "A",
    "O": "A",
    "Q": "A",
}


def _bits(values: list[Any]) -> list[int]:
    """The nets among bits that may be constants."""
    return [bit for bit in values if isinstance(bit, int)]


class _Paths:
    """Longest paths through the cells of a flat module."""

    def __init__(self, module: Mapping[str, Any]) -> None:
        self.cells: Mapping[str, Any] = module["cells"]
        self.ports: Mapping[str, Any] = module["ports"]
        self.driver: dict[int, tuple[str, str, int]] = {}  # cell, pin and bit of the pin
        self.fan_out: Counter[int] = Counter()
        for name, cell in self.cells.items():
            for pin, bits in cell["connections"].items():
                if cell["port_directions"][pin] == "output":
                    for index, bit in enumerate(bits):
                        if isinstance(bit, int):
                            self.driver[bit] = name, pin, index
                else:
                    self.fan_out.update(_bits(bits))
        self.names: dict[int, str] = {}
        for name, net in sorted(module["netnames"].items(), key=lambda item: _worth(*item)):
            for index, bit in enumerate(net["bits"]):
                if isinstance(bit, int):
                    self.names[bit] = name + (f"[{index}]" if len(net["bits"]) > 1 else "")

    def worst(self, by_delay: bool) -> Route:
        """The worst path, by assumed delay or by levels of logic."""
        arrivals = self._arrivals(by_delay)

        def rank(levels: int, delay: float) -> tuple[float, float]:
            return (delay, levels) if by_delay else (levels, delay)

        found, last = Route(0, 0.0, "", "", []), None
        for end, setup, bit in self._ends():
            at = arrivals[bit]
            delay = at.delay + net_delay(self.fan_out[bit]) + setup
            if last is None or rank(at.levels, delay) > rank(found.levels, found.delay_ns):
                found, last = Route(at.levels, round(delay, 2), at.start, end, []), bit
        steps = []
        while last is not None:
            at = arrivals[last]
            if at.before is not None:
                steps.append(at.kind)
            last = at.before
        return found._replace(steps=steps[::-1])

    def _arrivals(self, by_delay: bool) -> dict[int, _Arrival]:
        """The worst way to every net that is driven or comes from a port."""
        arrivals: dict[int, _Arrival] = {}
        open_nets: set[int] = set()
        for end in {bit for _, _, bit in self._ends()}:
            stack = [end]
            while stack:
                bit = stack[-1]
                if bit in arrivals:
                    stack.pop()
                    continue
                arcs = self._arcs(bit)
                waiting = [arc.net for arc in arcs if arc.net not in arrivals]
                if not waiting:
                    arrivals[bit] = self._arrival(bit, arcs, arrivals, by_delay)
                    open_nets.discard(bit)
                    stack.pop()
                    continue
                if bit in open_nets and any(net in open_nets for net in waiting):
                    raise NetlistError(f"a loop of logic goes through {self._name(bit)}")
                open_nets.add(bit)
                stack += waiting
        return arrivals

    def _arrival(
        self, bit: int, arcs: list[_Arc], arrivals: dict[int, _Arrival], by_delay: bool
    ) -> _Arrival:
        cell, _, _ = self.driver.get(bit, (None, "", 0))
        kind = self.cells[cell]["type"] if cell else "port"
        clocked = CLASSES.get(kind, "port")
        found = _Arrival(0, CLOCK_TO_OUT[clocked], self._place(bit), None, kind)
        for arc in arcs:
            before = arrivals[arc.net]
            wire = net_delay(self.fan_out[arc.net]) if arc.is_routed else 0.0
            levels, delay = before.levels + arc.levels, before.delay + wire + arc.delay
            if (
                ((delay, levels) > (found.delay, found.levels))
                if by_delay
                else ((levels, delay) > (found.levels, found.delay))
            ):
                found = _Arrival(levels, delay, before.start, arc.net, kind)
        return found

    def _arcs(self, bit: int) -> list[_Arc]:
        """The arcs to the cell output that drives this net; none from a register or a port."""
        if bit not in self.driver:
            return []
        name, pin, index = self.driver[bit]
        cell = self.cells[name]
        kind, pins = cell["type"], cell["connections"]

        def inputs(*wanted: str) -> list[int]:
            return [net for pin in wanted for net in _bits(pins.get(pin, []))]

        if kind in LOGIC:
            names = [p for p, way in cell["port_directions"].items() if way == "input"]
            return [_Arc(net, 1, LUT_DELAY) for net in inputs(*names)]
        if kind in WIDE:
            return [
                *(_Arc(net, 1, WIDE_DELAY, is_routed=False) for net in inputs("I0", "I1")),
                *(_Arc(net, 1, WIDE_DELAY) for net in inputs("S")),
            ]
        if kind == "CARRY4":
            leave = CARRY_LEAVE if pin == "O" else 0.0
            enter = CARRY_ENTER + leave + CARRY_PASS * index
            inside = _bits(pins["S"][: index + 1])
            inside += _bits(pins["DI"][: index + (pin == "CO")])
            through = leave + CARRY_PASS * (index + 1)
            return [
                *(_Arc(net, 1, enter) for net in [*inside, *inputs("CYINIT")]),
                *(_Arc(net, 1, through, is_routed=False) for net in inputs("CI")),
            ]
        if kind in LUT_RAM and pin in READ_PORTS:
            port = READ_PORTS[pin]
            address = [p for p in pins if p == port or (p[:-1] == port and p[-1].isdigit())]
            return [_Arc(net, 1, LUT_DELAY) for net in inputs(*address)]
        if kind in DSPS and not self._is_registered(cell):
            return [_Arc(net, 1, DSP_DELAY) for net in inputs("A", "B", "C", "D", "CARRYIN")]
        return []

    @staticmethod
    def _is_registered(dsp: Mapping[str, Any]) -> bool:
        registers = [dsp["parameters"].get(name, "1") for name in ("MREG", "PREG")]
        return any(int(str(value), 2) for value in registers)

    def _ends(self) -> Iterator[tuple[str, float, int]]:
        """Name, set-up time and net of every pin at which a path ends."""
        for name, cell in self.cells.items():
            clocked = CLASSES.get(cell["type"])
            if clocked is None:
                continue
            for pin, bits in cell["connections"].items():
                if cell["port_directions"][pin] == "input" and pin not in CLOCK_PINS:
                    end = self._cell_place(name, cell) + f" ({cell['type']}.{pin})"
                    yield from ((end, SETUP[clocked], bit) for bit in _bits(bits))
        for name, port in self.ports.items():
            if port["direction"] == "output":
                yield from ((f"port {name}", SETUP["port"], bit) for bit in _bits(port["bits"]))

    def _place(self, bit: int) -> str:
        """What drives a net, for people."""
        if bit not in self.driver:
            return f"port {self._name(bit)}"
        name, pin, _ = self.driver[bit]
        cell = self.cells[name]
        return self._cell_place(name, cell) + f" ({cell['type']}.{pin})"

    def _cell_place(self, name: str, cell: Mapping[str, Any]) -> str:
        """A register by the net it drives, anything else by its own name."""
        outputs = _bits(cell["connections"].get("Q", []))
        return self._name(outputs[0]) if outputs else name.rsplit("\\", maxsplit=1)[-1]

    def _name(self, bit: int) -> str:
        return self.names.get(bit, f"net {bit}")


def _worth(name: str, net: Mapping[str, Any]) -> tuple[bool, bool, int]:
    """Sorts a net's names, the best last: from the source, of a register, deep in the design."""
    return not net.get("hide_name", 0), name.endswith("_q"), len(name)
