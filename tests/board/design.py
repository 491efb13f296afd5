"""A model of Vivado's block designs: replays recorded calls and refuses what Vivado would refuse.

It knows the IP that the board design uses: pins, interfaces, address spaces and segments, by the
products' guides (PG021 AXI DMA, PG082 PS7, PG164 resets, PG247 SmartConnect), and the accelerator
as the attributes of its Verilog module say it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tests.board.vivado import Call

AXI, STREAM = "aximm", "axis"
DMA_SETTINGS = {
    "c_include_sg", "c_include_mm2s", "c_include_s2mm", "c_sg_length_width", "c_micro_dma",
    "c_m_axi_mm2s_data_width", "c_m_axis_mm2s_tdata_width", "c_m_axi_s2mm_data_width",
    "c_mm2s_burst_size", "c_s2mm_burst_size", "c_include_mm2s_dre", "c_include_s2mm_dre",
    "c_addr_width", "c_sg_include_stscntrl_strm",
}  # fmt: skip


class DesignError(Exception):
    """The design is not one that Vivado would build, or not the one it should be."""


def need(condition: object, message: str) -> None:
    """Raise DesignError unless a condition holds."""
    if not condition:
        raise DesignError(message)


@dataclass(frozen=True)
class Interface:
    """An interface pin: its protocol, whether it is a master, its stream's width in bits."""

    kind: str
    is_master: bool
    bits: int = 0


@dataclass
class Cell:
    """A cell of the design; `inputs` are those that must be driven."""

    vlnv: str
    settings: dict[str, str] = field(default_factory=dict)
    inputs: dict[str, str] = field(default_factory=dict)  # pin: clock, low reset or reset
    outputs: dict[str, str] = field(default_factory=dict)
    interfaces: dict[str, Interface] = field(default_factory=dict)
    spaces: dict[str, str] = field(default_factory=dict)  # address space: its interface
    segments: dict[str, str] = field(default_factory=dict)  # segment: its interface


@dataclass
class Design:
    """The block design that was made."""

    cells: dict[str, Cell] = field(default_factory=dict)
    ports: dict[str, str] = field(default_factory=dict)
    nets: dict[str, str] = field(default_factory=dict)  # input pin: driving pin
    links: dict[str, str] = field(default_factory=dict)  # interface: the other end
    mapped: dict[tuple[str, str], tuple[int, int]] = field(default_factory=dict)
    registers: dict[str, tuple[int, dict[str, tuple[int, int]]]] = field(default_factory=dict)
    block: dict[str, str] = field(default_factory=dict)  # properties of the address block
    sources: list[str] = field(default_factory=list)


def processing_system(settings: dict[str, str]) -> Cell:
    """PS7 with the ports that its settings switch on."""
    on: Callable[[str], bool] = lambda name: settings.get(name) == "1"  # noqa: E731
    cell = Cell("xilinx.com:ip:processing_system7:5.5", settings)
    cell.interfaces = {"DDR": Interface("ddrx", True), "FIXED_IO": Interface("fixedio", True)}
    if on("PCW_EN_CLK0_PORT") and on("PCW_FPGA_FCLK0_ENABLE"):
        cell.outputs["FCLK_CLK0"] = "clock"
    if on("PCW_EN_RST0_PORT"):
        cell.outputs["FCLK_RESET0_N"] = "low reset"
    if on("PCW_USE_M_AXI_GP0"):
        cell.inputs["M_AXI_GP0_ACLK"] = "clock"
        cell.interfaces["M_AXI_GP0"] = Interface(AXI, True)
        cell.spaces["Data"] = "M_AXI_GP0"
    if on("PCW_USE_S_AXI_HP0"):
        cell.inputs["S_AXI_HP0_ACLK"] = "clock"
        cell.interfaces["S_AXI_HP0"] = Interface(AXI, False)
        cell.segments["S_AXI_HP0/HP0_DDR_LOWOCM"] = "S_AXI_HP0"
    return cell


def reset(settings: dict[str, str]) -> Cell:
    """proc_sys_reset; its other inputs have defaults."""
    need(not settings, f"proc_sys_reset has no setting {list(settings)}")
    cell = Cell("xilinx.com:ip:proc_sys_reset:5.0")
    cell.inputs = {"slowest_sync_clk": "clock", "ext_reset_in": "low reset"}
    cell.outputs = {
        "interconnect_aresetn": "low reset",
        "peripheral_aresetn": "low reset",
        "peripheral_reset": "reset",
        "bus_struct_reset": "reset",
        "mb_reset": "reset",
    }
    return cell


def smartconnect(settings: dict[str, str]) -> Cell:
    """SmartConnect with its numbers of slaves and masters."""
    need(set(settings) <= {"NUM_SI", "NUM_MI"}, f"SmartConnect has no setting {list(settings)}")
    cell = Cell("xilinx.com:ip:smartconnect:1.0", settings)
    cell.inputs = {"aclk": "clock", "aresetn": "low reset"}
    for number in range(int(settings["NUM_SI"])):
        cell.interfaces[f"S{number:02}_AXI"] = Interface(AXI, False)
    for number in range(int(settings["NUM_MI"])):
        cell.interfaces[f"M{number:02}_AXI"] = Interface(AXI, True)
    return cell


def axi_dma(settings: dict[str, str]) -> Cell:
    """AXI DMA without scatter-gather."""
    need(set(settings) <= DMA_SETTINGS, f"AXI DMA has no setting {set(settings) - DMA_SETTINGS}")
    need(settings.get("c_include_sg") == "0", "the driver knows the DMA in simple mode only")
    need(8 <= int(settings["c_sg_length_width"]) <= 26, "AXI DMA's length has 8 to 26 bits")
    cell = Cell("xilinx.com:ip:axi_dma:7.1", settings)
    cell.inputs = {"s_axi_lite_aclk": "clock", "axi_resetn": "low reset"}
    cell.interfaces["S_AXI_LITE"] = Interface(AXI, False)
    cell.segments["S_AXI_LITE/Reg"] = "S_AXI_LITE"
    if settings.get("c_include_mm2s") == "1":
        bits = int(settings["c_m_axis_mm2s_tdata_width"])
        cell.inputs["m_axi_mm2s_aclk"] = "clock"
        cell.interfaces["M_AXI_MM2S"] = Interface(AXI, True)
        cell.interfaces["M_AXIS_MM2S"] = Interface(STREAM, True, bits)
        cell.spaces["Data_MM2S"] = "M_AXI_MM2S"
    if settings.get("c_include_s2mm") == "1":
        bits = int(settings["c_m_axi_s2mm_data_width"])
        cell.inputs["m_axi_s2mm_aclk"] = "clock"
        cell.interfaces["M_AXI_S2MM"] = Interface(AXI, True)
        cell.interfaces["S_AXIS_S2MM"] = Interface(STREAM, False, bits)
        cell.spaces["Data_S2MM"] = "M_AXI_S2MM"
    return cell


def accelerator(wrapper: str) -> Callable[[dict[str, str]], Cell]:
    """The packaged accelerator, by the attributes of its Verilog module."""

    def make(settings: dict[str, str]) -> Cell:
        need(not settings, "the accelerator has no settings")
        cell = Cell("spinflow:accel:accel:1.0")
        members: dict[tuple[str, str], dict[str, tuple[str, int]]] = {}
        for kind, name, signal, direction, upper, port in re.findall(
            r'X_INTERFACE_INFO = "xilinx\.com:(\S+):1\.0 (\w+) (\w+)" \*\)\s*(?:\(\*[^)]*\*\)\s*)?'
            r"(input|output)\s+wire\s+(?:\[(\d+):0\])?\s*(\w+)",
            wrapper,
        ):
            width = int(upper or 0) + 1
            if kind == "signal:clock":
                cell.inputs[port] = "clock"
            elif kind == "signal:reset":
                low = f'XIL_INTERFACENAME {name}, POLARITY ACTIVE_LOW"' in wrapper
                cell.inputs[port] = "low reset" if low else "reset"
            else:
                members.setdefault((kind, name), {})[signal] = (direction, width)
        for (kind, name), signals in members.items():
            if kind == "interface:aximm":
                is_master = signals["AWVALID"][0] == "output"
                cell.interfaces[name] = Interface(AXI, is_master)
                cell.segments[f"{name}/reg0"] = name
            else:
                is_master = signals["TVALID"][0] == "output"
                cell.interfaces[name] = Interface(STREAM, is_master, signals["TDATA"][1])
        return cell

    return make


def replay(calls: Sequence[Call], wrapper: str) -> Design:
    """Build the design that recorded calls describe; raises DesignError where Vivado would stop.

    Args:
        calls: of the whole script.
        wrapper: text of accel_ip.v.
    """
    player = Player(wrapper)
    for call in calls:
        player.package(call)
        player.build(call)
    order = [call.name for call in calls]
    for earlier, later in (
        ("ipx::save_core", "create_bd_design"),
        ("validate_bd_design", "generate_target"),
        ("save_bd_design", "generate_target"),
        ("make_wrapper", "launch_runs"),
    ):
        need(earlier in order and later in order, f"{earlier} or {later} is never called")
        need(order.index(earlier) < order.index(later), f"{later} is called before {earlier}")
    return player.design


class Player:
    """What Vivado knows while a script runs: IP, cells by kind, and the design so far."""

    def __init__(self, wrapper: str) -> None:
        self.design = Design()
        self._wrapper = wrapper
        self._packaged: dict[str, str] = {}
        self._kinds: dict[str, str] = {}
        self._known: dict[str, Callable[[dict[str, str]], Cell]] = {
            "xilinx.com:ip:processing_system7:5.5": processing_system,
            "xilinx.com:ip:proc_sys_reset:5.0": reset,
            "xilinx.com:ip:smartconnect:1.0": smartconnect,
            "xilinx.com:ip:axi_dma:7.1": axi_dma,
        }

    def package(self, call: Call) -> None:
        """Follow a call that packages the accelerator."""
        words, options, design = call.arguments, call.options, self.design
        match call.name:
            case "add_files":
                design.sources += words[0].split()
            case "ipx::package_project":
                self._packaged |= {key: options[f"-{key}"] for key in ("vendor", "library")}
            case "set_property" if words[-1] == "core":
                self._packaged[words[0]] = words[1]
            case "ipx::save_core":
                named = ("vendor", "library", "name", "version")
                vlnv = ":".join(self._packaged.get(part, "") for part in named)
                self._known[vlnv] = accelerator(self._wrapper)
            case "ipx::add_register":
                need(words[0] not in design.registers, f"register {words[0]} is there twice")
                design.registers[words[0]] = (-1, {})
            case "ipx::add_field":
                design.registers[words[1].split("/")[-1]][1][words[0]] = (-1, -1)
            case "set_property" if words[-1].startswith("core/"):
                _register_property(design, words)

    def build(self, call: Call) -> None:
        """Follow a call that makes or connects the block design."""
        words, options, design = call.arguments, call.options, self.design
        match call.name:
            case "create_bd_cell":
                need(options["-vlnv"] in self._known, f"no IP {options['-vlnv']} is known")
                need(words[0] not in self._kinds, f"cell {words[0]} is there twice")
                self._kinds[words[0]] = options["-vlnv"]
            case "set_property" if "-dict" in options:
                pairs = re.findall(r"CONFIG\.(\w+) (\{[^}]*\}|\S+)", options["-dict"])
                settings = {name: value.strip("{}") for name, value in pairs}
                design.cells[words[-1]] = self._known[self._kinds[words[-1]]](settings)
            case "create_bd_intf_port":
                design.ports[words[0]] = options["-vlnv"].split(":")[2].removesuffix("_rtl")
            case "get_bd_intf_pins":
                name = _split(words[0], self._kinds)[1]
                need(
                    name in self._cell(words[0]).interfaces,
                    f"{words[0]}: there is no such interface",
                )
            case "get_bd_pins":
                name, made = _split(words[0], self._kinds)[1], self._cell(words[0])
                need(name in made.inputs or name in made.outputs, f"{words[0]}: no such pin")
            case "connect_bd_intf_net":
                _link(design, *words)
            case "connect_bd_net":
                _drive(design, words)
            case "assign_bd_address":
                place = (int(options["-offset"], 0), int(options["-range"], 0))
                _map(design, options["-target_address_space"], words[0], place)
            case "validate_bd_design":
                _validate(design)

    def _cell(self, pin: str) -> Cell:
        """The cell of a pin, made without settings if it has none yet."""
        return _cell(self.design, _split(pin, self._kinds)[0], self._kinds, self._known)


def _register_property(design: Design, words: list[str]) -> None:
    name, value, target = words
    path = target.split("/")[1:]
    if len(path) == 2:
        design.block[name] = value
    elif len(path) == 3:
        if name == "address_offset":
            design.registers[path[2]] = (int(value), design.registers[path[2]][1])
        else:
            need((name, value) == ("size", "32"), f"register {path[2]}: {name} is {value}")
    elif len(path) == 4:
        lowest, bits = design.registers[path[2]][1][path[3]]
        new = (int(value), bits) if name == "bit_offset" else (lowest, int(value))
        design.registers[path[2]][1][path[3]] = new


def _split(pin: str, kinds: dict[str, str]) -> tuple[str, str]:
    cell, _, name = pin.partition("/")
    need(cell in kinds, f"{pin}: there is no cell {cell}")
    return cell, name


def _cell(
    design: Design,
    name: str,
    kinds: dict[str, str],
    known: dict[str, Callable[[dict[str, str]], Cell]],
) -> Cell:
    if name not in design.cells:
        design.cells[name] = known[kinds[name]]({})
    return design.cells[name]


def _interface(design: Design, end: str) -> Interface:
    if end in design.ports:
        return Interface(design.ports[end], False)
    cell, _, name = end.partition("/")
    return design.cells[cell].interfaces[name]


def _link(design: Design, one: str, other: str) -> None:
    ends = [_interface(design, end) for end in (one, other)]
    for end in (one, other):
        need(end not in design.links, f"{end} is connected twice")
    need(ends[0].kind == ends[1].kind, f"{one} is {ends[0].kind}, {other} is {ends[1].kind}")
    need(ends[0].is_master and not ends[1].is_master, f"{one} to {other}: not master to slave")
    need(ends[0].bits == ends[1].bits, f"{one}: {ends[0].bits} bits, {other}: {ends[1].bits}")
    design.links |= {one: other, other: one}


def _drive(design: Design, pins: list[str]) -> None:
    def kind(pin: str, of: str) -> str | None:
        cell, _, name = pin.partition("/")
        pins: dict[str, str] = getattr(design.cells[cell], of)
        return pins.get(name)

    drivers = [pin for pin in pins if kind(pin, "outputs")]
    need(len(drivers) == 1, f"{len(drivers)} drivers on one net: {drivers}")
    for pin in pins:
        if pin != drivers[0]:
            need(pin not in design.nets, f"{pin} is driven twice")
            need(
                kind(pin, "inputs") == kind(drivers[0], "outputs"),
                f"{pin} is a {kind(pin, 'inputs')}, {drivers[0]} a {kind(drivers[0], 'outputs')}",
            )
            design.nets[pin] = drivers[0]


def _map(design: Design, space: str, segment: str, place: tuple[int, int]) -> None:
    master, _, space_name = space.partition("/")
    slave, _, segment_name = segment.partition("/")
    need(space_name in design.cells[master].spaces, f"{space}: there is no such address space")
    need(segment_name in design.cells[slave].segments, f"{segment}: there is no such segment")
    start = f"{master}/{design.cells[master].spaces[space_name]}"
    end = f"{slave}/{design.cells[slave].segments[segment_name]}"
    need(end in reached(design, start), f"{space} does not reach {segment}")
    base, size = place
    need(size & (size - 1) == 0 and base % size == 0, f"{segment} at {base:#x}, {size:#x} bytes")
    for (other, name), (at, reach) in design.mapped.items():
        apart = at + reach <= base or base + size <= at
        need(other != space or apart, f"{segment} overlaps {name}")
    design.mapped[space, segment] = place


def reached(design: Design, master: str) -> set[str]:
    """The slave interfaces that a master reaches, through any SmartConnect."""
    slave = design.links.get(master)
    if slave is None:
        return set()
    cell = slave.partition("/")[0]
    if "smartconnect" not in design.cells[cell].vlnv:
        return {slave}
    ends = design.cells[cell].interfaces.items()
    masters = [f"{cell}/{name}" for name, interface in ends if interface.is_master]
    return set().union(*(reached(design, name) for name in masters))


def _validate(design: Design) -> None:
    clocks = set()
    for name, cell in design.cells.items():
        for pin, kind in cell.inputs.items():
            need(f"{name}/{pin}" in design.nets, f"{name}/{pin} is not driven")
            if kind == "clock":
                clocks.add(design.nets[f"{name}/{pin}"])
        for interface in cell.interfaces:
            need(f"{name}/{interface}" in design.links, f"{name}/{interface} is not connected")
        for space, interface in cell.spaces.items():
            slaves = reached(design, f"{name}/{interface}")
            mapped = {
                f"{segment.partition('/')[0]}/{segment.split('/')[1]}"
                for of, segment in design.mapped
                if of == f"{name}/{space}"
            }
            need(mapped == slaves, f"{name}/{space} reaches {slaves}, {mapped} are mapped")
    need(len(clocks) == 1, f"{len(clocks)} clocks in one clock domain")


def existing(paths: Sequence[str]) -> list[str]:
    """Those of some paths that do not exist."""
    return [path for path in paths if not Path(path).exists()]
