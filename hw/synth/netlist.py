"""A netlist of Xilinx 7-series cells: its area as a whole, and block by block.

The design is flat. Which instance a cell belongs to follows from what the cell was made of and, for
LUTs, from its neighbours. `paths` says how deep the logic is.
"""

from __future__ import annotations

import json
import re
from collections import Counter, defaultdict
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from spinflow.hw.synth.cells import LOGIC, WIDE, Area, area_of, net_names, nets_of
from spinflow.hw.synth.paths import Route, worst

STRUCTURAL = {*LOGIC, *WIDE}
"""Kinds that technology mapping makes anew, without a name from the source."""

VOTES = 20
"""Rounds at most in which cells without an instance ask their neighbours; few change after five."""


class Netlist:
    """A flat netlist as yosys writes it in JSON.

    Attributes:
        module: the module as write_json describes it.
        instances: paths of the instances that it was made of, as in u_shell.u_regs, and the names
            of their modules.
        cells: the module's cells by name.
    """

    def __init__(self, module: Mapping[str, Any], instances: Mapping[str, str]) -> None:
        self.module = module
        self.instances = instances
        self.cells: Mapping[str, Any] = module["cells"]

    def area(self) -> Area:
        """Return the area of the whole design."""
        return area_of(Counter(cell["type"] for cell in self.cells.values()))

    def areas(self) -> dict[str, Area]:
        """Return the area of each instance without those below it, by its path.

        The path of the top module is empty. The areas add up to that of the design. Registers,
        memories and carry chains are counted where they come from. A LUT, or a register that was
        moved, has no such name: it goes to the instance that most of its neighbours belong to,
        those that it reads having as many votes as those that it feeds.
        """
        kinds: dict[str, Counter[str]] = defaultdict(Counter)
        for name, owner in self._owners().items():
            kinds[owner][self.cells[name]["type"]] += 1
        return {owner: area_of(kinds[owner]) for owner in sorted(kinds)}

    def deepest(self) -> Route:
        """Return the path with the most levels of logic; among equals the longest one.

        Ports of the module count as registers without a delay.

        Raises:
            NetlistError: the logic has a loop.
        """
        return worst(self.module, by_delay=False)

    def slowest(self) -> Route:
        """Return the path with the longest assumed delay; see `deepest`."""
        return worst(self.module, by_delay=True)

    def _owners(self) -> dict[str, str]:
        """Return the instance that each cell is counted to."""
        known = self._certain_owners()
        driver, readers = self._connections()
        # The neighbours of each cell whose owner is not certain: those it reads, those it feeds.
        sides: dict[str, tuple[list[str], list[str]]] = {}
        for name, cell in self.cells.items():
            if name not in known:
                reads = [driver[bit] for bit in _pins(cell, "input") if bit in driver]
                feeds = [reader for bit in _pins(cell, "output") for reader in readers[bit]]
                sides[name] = reads, feeds
        owners = known
        for _ in range(VOTES):
            now = dict(known)
            for name, neighbours in sides.items():
                chosen = _vote(neighbours, owners)
                if chosen is not None:
                    now[name] = chosen
            if now == owners:
                break
            owners = now
        return {name: owners.get(name, "") for name in self.cells}

    def _certain_owners(self) -> dict[str, str]:
        """Return the instances of the cells that carry a name from the source."""
        of_net = {
            bit: net["attributes"]["owner"].strip('\\"')
            for net in self.module["netnames"].values()
            if "owner" in net["attributes"]
            for bit in nets_of(net["bits"])
        }
        names = net_names(self.module)
        owners: dict[str, str] = {}
        for name, cell in self.cells.items():
            if cell["type"] in STRUCTURAL:
                continue
            drives = nets_of(cell["connections"].get("Q", []))
            signature = _signature(cell)
            if drives and drives[0] in of_net:
                owners[name] = of_net[drives[0]]
            elif signature is not None:
                owners[name] = signature
            elif inside := self._innermost(names.get(drives[0], name) if drives else name):
                owners[name] = inside
        return owners

    def _innermost(self, name: str) -> str:
        """Return the innermost instance that a hierarchical name is in; empty if it is in none."""
        while name and name not in self.instances:
            name = name.rpartition(".")[0]
        return name

    def _connections(self) -> tuple[dict[int, str], dict[int, list[str]]]:
        """Return the cell that drives each net, and those that read it, once for each pin."""
        driver: dict[int, str] = {}
        readers: dict[int, list[str]] = defaultdict(list)
        for name, cell in self.cells.items():
            driver |= dict.fromkeys(_pins(cell, "output"), name)
            for bit in _pins(cell, "input"):
                readers[bit].append(name)
        return driver, readers


def read_netlist(path: Path, modules: Path, top: str) -> Netlist:
    """Return module ``top`` of what yosys's write_json has written, cell library included.

    Args:
        path: what write_json has written.
        modules: the list of the modules before they were flattened, as yosys's ls prints it.
        top: name of the module.
    """
    return Netlist(
        json.loads(path.read_text(encoding="utf-8"))["modules"][top],
        instances_in(modules.read_text(encoding="utf-8")),
    )


def instances_in(listing: str) -> dict[str, str]:
    """Return paths of the instances in what yosys's ls prints, and the names of their modules.

    slang calls a module after its place, as in stream_fifo$accel.u_fc0.u_out_fifo.
    """
    names = [line.strip() for line in listing.split("\n") if line.startswith("  ")]
    return {
        path.partition(".")[2]: module
        for module, _, path in (name.partition("$") for name in names)
    }


def _pins(cell: Mapping[str, Any], direction: str) -> list[int]:
    """Return the nets at a cell's inputs or outputs, once for each pin."""
    return [
        bit
        for pin, bits in cell["connections"].items()
        if cell["port_directions"][pin] == direction
        for bit in nets_of(bits)
    ]


def _vote(sides: tuple[list[str], list[str]], owners: Mapping[str, str]) -> str | None:
    """Return the owner that most neighbours have, each side having one vote; None without any."""
    votes: dict[str, float] = defaultdict(float)
    for side in sides:
        known = [owners[name] for name in side if name in owners]
        for owner in known:
            votes[owner] += 1 / len(known)
    return max(sorted(votes), key=votes.__getitem__) if votes else None


def _signature(cell: Mapping[str, Any]) -> str | None:
    """Return the instance that signed a cell, the innermost if there are several."""
    signed = re.findall(r"@([^@|]*)@", cell["attributes"].get("src", ""))
    return max(signed, key=len) if signed else None
