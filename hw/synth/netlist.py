"""What a netlist of Xilinx 7-series cells takes of the part, and how deep its logic is.

Area is counted in the cells of the netlist. Vivado may put two small LUTs with at most five
different inputs into one, which is not done here: in this respect `LUT` is an upper figure.
"""

from __future__ import annotations

import json
import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from math import log2
from pathlib import Path
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
STRUCTURAL = {*LOGIC, *WIDE}  # made anew by technology mapping, without a name from the source
VOTES = 20  # rounds at most; few change after five

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


class NetlistError(SpinflowError, ValueError):
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


class Netlist:
    """A flat netlist as yosys writes it in JSON."""

    def __init__(self, module: Mapping[str, Any], instances: Mapping[str, str]) -> None:
        """Takes the module as write_json describes it, and the instances that it was made of.

        The instances are those with paths as in u_shell.u_regs, and the names of their modules.
        """
        self.module = module
        self.instances = instances
        self.cells: Mapping[str, Any] = module["cells"]

    def area(self) -> Area:
        """The area of the whole design."""
        return area_of(Counter(cell["type"] for cell in self.cells.values()))

    def areas(self) -> dict[str, Area]:
        """The area of each instance without those below it, by its path as in u_shell.u_regs.

        The path of the top module is empty. The areas add up to that of the design. Registers,
        memories and carry chains are counted where they come from. A LUT, or a register that was
        moved, has no such name: it goes to the instance that most of its neighbours belong to,
        those that it reads having as many votes as those that it feeds.
        """
        kinds: dict[str, Counter[str]] = defaultdict(Counter)
        for name, owner in self._owners().items():
            kinds[owner][self.cells[name]["type"]] += 1
        return {owner: area_of(kinds[owner]) for owner in sorted(kinds)}

    def _owners(self) -> dict[str, str]:
        """The instance that each cell is counted to."""
        of_net = {
            bit: _plain(net["attributes"]["owner"])
            for net in self.module["netnames"].values()
            if "owner" in net["attributes"]
            for bit in _bits(net["bits"])
        }
        names = _net_names(self.module)
        owners: dict[str, str] = {}
        for name, cell in self.cells.items():
            drives = _bits(cell["connections"].get("Q", []))
            signature = _signature(cell)
            if cell["type"] in STRUCTURAL:
                continue
            if drives and drives[0] in of_net:
                owners[name] = of_net[drives[0]]
            elif signature is not None:
                owners[name] = signature
            elif inside := self._innermost(names.get(drives[0], name) if drives else name):
                owners[name] = inside
        return self._with_others(owners)

    def _innermost(self, name: str) -> str:
        """The innermost instance that a hierarchical name is in."""
        while name and name not in self.instances:
            name = name.rpartition(".")[0]
        return name

    def _with_others(self, owners: dict[str, str]) -> dict[str, str]:
        """The owners of all cells, from those that are known for certain."""
        driver, readers = self._connections()
        before: dict[str, list[str]] = {}
        behind: dict[str, list[str]] = {}
        for name, cell in self.cells.items():
            if name not in owners:
                before[name] = [
                    driver[bit]
                    for pin, bits in cell["connections"].items()
                    if cell["port_directions"][pin] == "input"
                    for bit in _bits(bits)
                    if bit in driver
                ]
                behind[name] = [
                    reader
                    for pin, bits in cell["connections"].items()
                    if cell["port_directions"][pin] == "output"
                    for bit in _bits(bits)
                    for reader in readers[bit]
                ]
        fixed = dict(owners)
        for _ in range(VOTES):
            changed = {}
            for name, reads in before.items():
                votes: dict[str, float] = defaultdict(float)
                for side in reads, behind[name]:
                    known = [owners[other] for other in side if other in owners]
                    for owner in known:
                        votes[owner] += 1 / len(known)
                if votes:
                    changed[name] = max(sorted(votes), key=votes.__getitem__)
            now = {**fixed, **changed}
            if now == owners:
                break
            owners = now
        return {name: owners.get(name, "") for name in self.cells}

    def _connections(self) -> tuple[dict[int, str], dict[int, list[str]]]:
        """The cell that drives each net, and those that read it, once for each pin."""
        driver: dict[int, str] = {}
        readers: dict[int, list[str]] = defaultdict(list)
        for name, cell in self.cells.items():
            for pin, bits in cell["connections"].items():
                for bit in _bits(bits):
                    if cell["port_directions"][pin] == "output":
                        driver[bit] = name
                    else:
                        readers[bit].append(name)
        return driver, readers

    def deepest(self) -> Route:
        """The path with the most levels of logic; among equals the one with the longest delay.

        Ports of the module count as registers without a delay. Raises NetlistError for a loop of
        logic.
        """
        return _Paths(self.module).worst(by_delay=False)

    def slowest(self) -> Route:
        """The path with the longest assumed delay; see `deepest`."""
        return _Paths(self.module).worst(by_delay=True)


def read_netlist(path: Path, modules: Path, top: str) -> Netlist:
    """Reads module `top` of what yosys's write_json has written, cell library included.

    `modules` is a list of the modules before they were flattened, as yosys's ls prints it.
    """
    return Netlist(
        json.loads(path.read_text(encoding="utf-8"))["modules"][top],
        instances_in(modules.read_text(encoding="utf-8")),
    )


def instances_in(listing: str) -> dict[str, str]:
    """Paths of the instances in what yosys's ls prints, and the names of their modules.

    slang calls a module after its place, as in stream_fifo$accel.u_fc0.u_out_fifo.
    """
    names = [line.strip() for line in listing.split("\n") if line.startswith("  ")]
    return {
        path.partition(".")[2]: module
        for module, _, path in (name.partition("$") for name in names)
    }


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


def _plain(text: str) -> str:
    """An attribute without the quotes that it was set with."""
    return text.strip('\\"')


def _signature(cell: Mapping[str, Any]) -> str | None:
    """The instance that signed a cell, the innermost if there are several."""
    signed = re.findall(r"@([^@|]*)@", cell["attributes"].get("src", ""))
    return max(signed, key=len) if signed else None


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
        self.names = _net_names(module)

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


def _net_names(module: Mapping[str, Any]) -> dict[int, str]:
    """The best name of each net: from the source, of a register or an output, deep inside."""

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
