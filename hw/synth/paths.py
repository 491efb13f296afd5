"""How deep the logic of a netlist is: the longest paths from register to register.

Levels are counted in cells. The delays are rounded cell delays of the slowest speed grade and a
guess for each wire. Nothing is placed, so they order designs; they say nothing certain about a
clock.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from math import log2
from typing import Any, NamedTuple

from spinflow.hw.synth.cells import (
    BLOCK_RAM,
    DSPS,
    FLIP_FLOPS,
    LOGIC,
    LUT_RAM,
    WIDE,
    NetlistError,
    net_names,
    nets_of,
)

# In ns.
CLOCK_TO_OUT = {"ff": 0.46, "lut_ram": 1.3, "block_ram": 2.45, "dsp": 0.43, "port": 0.0}
SETUP = {"ff": 0.1, "lut_ram": 0.3, "block_ram": 0.5, "dsp": 1.5, "port": 0.0}
LUT_DELAY = 0.12
CARRY_ENTER, CARRY_PASS, CARRY_LEAVE = 0.5, 0.03, 0.25  # PASS a bit
WIDE_DELAY = 0.25
DSP_DELAY = 4.0


def net_delay(fan_out: int) -> float:
    """Return the assumed delay in ns of a net that feeds ``fan_out`` pins."""
    return 0.45 + 0.1 * log2(max(fan_out, 1))


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


class Route(NamedTuple):
    """A path from a register, memory or port of the module to the next one."""

    levels: int  # LUTs, carry cells, wide multiplexers and LUT RAM reads in between
    delay_ns: float  # by the assumed delays of this module, start to setup
    start: str
    end: str
    steps: list[str]  # kinds of the cells in between


def worst(module: Mapping[str, Any], by_delay: bool) -> Route:
    """Return the worst path of a flat module, as yosys writes it in JSON.

    Args:
        module: the module as write_json describes it.
        by_delay: whether the longest delay counts first; else the most levels of logic.

    Raises:
        NetlistError: the logic has a loop.
    """
    return _Paths(module, by_delay).worst()


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


def _arcs(cell: Mapping[str, Any], pin: str, index: int) -> list[_Arc]:
    """Return the arcs to bit ``index`` of a cell's output; none where a path begins."""
    kind, pins = cell["type"], cell["connections"]
    if kind in LOGIC:
        names = [name for name, way in cell["port_directions"].items() if way == "input"]
        return [_Arc(net, 1, LUT_DELAY) for net in _at(pins, *names)]
    if kind in WIDE:
        return [
            *(_Arc(net, 1, WIDE_DELAY, is_routed=False) for net in _at(pins, "I0", "I1")),
            *(_Arc(net, 1, WIDE_DELAY) for net in _at(pins, "S")),
        ]
    if kind == "CARRY4":
        return _carry_arcs(pins, pin, index)
    if kind in LUT_RAM and pin in READ_PORTS:
        port = READ_PORTS[pin]
        address = [name for name in pins if name == port or _is_bit_of(name, port)]
        return [_Arc(net, 1, LUT_DELAY) for net in _at(pins, *address)]
    if kind in DSPS and not _is_registered(cell):
        return [_Arc(net, 1, DSP_DELAY) for net in _at(pins, "A", "B", "C", "D", "CARRYIN")]
    return []


def _carry_arcs(pins: Mapping[str, Any], pin: str, index: int) -> list[_Arc]:
    """Return the arcs through a CARRY4, in which a carry goes up and not down."""
    leave = CARRY_LEAVE if pin == "O" else 0.0
    enter = CARRY_ENTER + leave + CARRY_PASS * index
    inside = nets_of(pins["S"][: index + 1])
    inside += nets_of(pins["DI"][: index + (pin == "CO")])
    through = leave + CARRY_PASS * (index + 1)
    return [
        *(_Arc(net, 1, enter) for net in [*inside, *_at(pins, "CYINIT")]),
        *(_Arc(net, 1, through, is_routed=False) for net in _at(pins, "CI")),
    ]


def _at(pins: Mapping[str, Any], *names: str) -> list[int]:
    """Return the nets at some pins of a cell."""
    return [net for name in names for net in nets_of(pins.get(name, []))]


def _is_bit_of(name: str, port: str) -> bool:
    """Return whether a pin is one bit of an address, as A3 of A."""
    return name[:-1] == port and name[-1].isdigit()


def _is_registered(dsp: Mapping[str, Any]) -> bool:
    """Return whether a DSP has a register between its inputs and its output."""
    registers = [dsp["parameters"].get(name, "1") for name in ("MREG", "PREG")]
    return any(int(str(value), 2) for value in registers)


class _Paths:
    """Longest paths through the cells of a flat module."""

    def __init__(self, module: Mapping[str, Any], by_delay: bool) -> None:
        self.by_delay = by_delay
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
                    self.fan_out.update(nets_of(bits))
        self.names = net_names(module)

    def worst(self) -> Route:
        """Return the worst path."""
        arrivals = self._arrivals()
        found, last = Route(0, 0.0, "", "", []), None
        for end, setup, bit in self._ends():
            at = arrivals[bit]
            delay = at.delay + net_delay(self.fan_out[bit]) + setup
            if last is None or self._is_worse(at.levels, delay, found.levels, found.delay_ns):
                found, last = Route(at.levels, round(delay, 2), at.start, end, []), bit
        steps = []
        while last is not None:
            at = arrivals[last]
            if at.before is not None:
                steps.append(at.kind)
            last = at.before
        return found._replace(steps=steps[::-1])

    def _is_worse(self, levels: int, delay: float, than_levels: int, than_delay: float) -> bool:
        """Return whether a path is worse than another one."""
        if self.by_delay:
            return (delay, levels) > (than_delay, than_levels)
        return (levels, delay) > (than_levels, than_delay)

    def _arrivals(self) -> dict[int, _Arrival]:
        """Return the worst way to every net that is driven or comes from a port."""
        arrivals: dict[int, _Arrival] = {}
        open_nets: set[int] = set()
        for end in {bit for _, _, bit in self._ends()}:
            stack = [end]
            while stack:
                bit = stack[-1]
                if bit in arrivals:
                    stack.pop()
                    continue
                arcs = self._arcs_to(bit)
                waiting = [arc.net for arc in arcs if arc.net not in arrivals]
                if not waiting:
                    arrivals[bit] = self._arrival(bit, arcs, arrivals)
                    open_nets.discard(bit)
                    stack.pop()
                    continue
                if bit in open_nets and any(net in open_nets for net in waiting):
                    raise NetlistError(f"a loop of logic goes through {self._name(bit)}")
                open_nets.add(bit)
                stack += waiting
        return arrivals

    def _arcs_to(self, bit: int) -> list[_Arc]:
        """Return the arcs to a net; none from a register or a port."""
        if bit not in self.driver:
            return []
        name, pin, index = self.driver[bit]
        return _arcs(self.cells[name], pin, index)

    def _arrival(self, bit: int, arcs: list[_Arc], arrivals: dict[int, _Arrival]) -> _Arrival:
        """Return the worst way to a net, from those to the nets before it."""
        cell, _, _ = self.driver.get(bit, (None, "", 0))
        kind = self.cells[cell]["type"] if cell else "port"
        clocked = CLASSES.get(kind, "port")
        found = _Arrival(0, CLOCK_TO_OUT[clocked], self._place(bit), None, kind)
        for arc in arcs:
            before = arrivals[arc.net]
            wire = net_delay(self.fan_out[arc.net]) if arc.is_routed else 0.0
            levels, delay = before.levels + arc.levels, before.delay + wire + arc.delay
            if self._is_worse(levels, delay, found.levels, found.delay):
                found = _Arrival(levels, delay, before.start, arc.net, kind)
        return found

    def _ends(self) -> Iterator[tuple[str, float, int]]:
        """Yield name, set-up time and net of every pin at which a path ends."""
        for name, cell in self.cells.items():
            clocked = CLASSES.get(cell["type"])
            if clocked is None:
                continue
            for pin, bits in cell["connections"].items():
                if cell["port_directions"][pin] == "input" and pin not in CLOCK_PINS:
                    end = self._cell_place(name, cell) + f" ({cell['type']}.{pin})"
                    yield from ((end, SETUP[clocked], bit) for bit in nets_of(bits))
        for name, port in self.ports.items():
            if port["direction"] == "output":
                yield from ((f"port {name}", SETUP["port"], bit) for bit in nets_of(port["bits"]))

    def _place(self, bit: int) -> str:
        """Return what drives a net, for people."""
        if bit not in self.driver:
            return f"port {self._name(bit)}"
        name, pin, _ = self.driver[bit]
        cell = self.cells[name]
        return self._cell_place(name, cell) + f" ({cell['type']}.{pin})"

    def _cell_place(self, name: str, cell: Mapping[str, Any]) -> str:
        """Return a register by the net it drives, anything else by its own name."""
        outputs = nets_of(cell["connections"].get("Q", []))
        return self._name(outputs[0]) if outputs else name.rsplit("\\", maxsplit=1)[-1]

    def _name(self, bit: int) -> str:
        return self.names.get(bit, f"net {bit}")
