"""Routes a bundle's accelerator and reports on it: clock, use of the part, slowest path, bitstream.

A report holds a digest of all that it depends on, so that an unchanged bundle is not routed again.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

from spinflow.host.core.description import Description, read
from spinflow.host.core.files import check_replaceable, replace_bytes, replace_text, work_beside
from spinflow.host.core.sources import source_files
from spinflow.hw import boards
from spinflow.hw.boards.prepare import check_ports, ports
from spinflow.hw.route import harness, paths, tools
from spinflow.hw.route.paths import RouteError
from spinflow.hw.route.tools import Part, Routed
from spinflow.hw.synth import yosys
from spinflow.hw.synth.netlist import instances_in

KIND = "spinflow route"
"""By this a report is told from one of synthesis."""
PRIMITIVES = "generic"
MOST_SEEDS = 100
# Modules of this folder that a report depends on, and data.
MAKERS = "report.py", "harness.py", "paths.py", "tools.py", "xilinx_ram.v"


class Order(NamedTuple):
    """What is to be routed.

    Attributes:
        bundle: folder of the bundle.
        out: file of the report; the bitstream and the logs lie beside it.
        seeds: how many; they are 1, 2 and so on.
        chipdb: chip database of nextpnr-xilinx for the xc7z020; None routes for ECP5.
        say: is told how far it is, in lines.
    """

    bundle: Path
    out: Path
    seeds: int = 1
    chipdb: Path | None = None
    say: Callable[[str], object] = print

    @property
    def part(self) -> Part:
        """The part."""
        return tools.ZYNQ if self.chipdb else tools.ECP5

    @property
    def image(self) -> Path:
        """What is made for the part: its bitstream, or the FASM that one is made of."""
        return self.out.with_suffix(self.part.suffix)


def report(order: Order) -> dict[str, Any]:
    """Return the report of a bundle: that in ``out`` if it is up to date, else a new one.

    Raises:
        BundleError: the bundle is not whole.
        BoardError: the bundle's board is not known, or the accelerator has other ports.
        SynthesisError: yosys fails.
        RouteError: the design does not fit, or a tool is missing or fails.
        OSError: a file cannot be written, or is something else.
    """
    if not 1 <= order.seeds <= MOST_SEEDS:
        raise RouteError(f"{order.seeds} seeds: it must be 1 to {MOST_SEEDS}")
    for file in order.out, order.image:
        check_replaceable(file)
    description = read(order.bundle)
    board = boards.board_named(description.board)
    sources = source_files(order.bundle)
    tool = _tool(order, description)
    digest = _digest(order, description, board, sources, tool)
    old = _up_to_date(order, digest)
    if old is not None:
        return old
    range_bits = (board.address_map["accel"].size - 1).bit_length()
    text = harness.verilog(ports(check_ports(order.bundle / "rtl" / "accel.sv", range_bits)))
    with work_beside(order.out.with_suffix("")) as work:
        instances = _synthesise(order, sources, text, work.path)
        every, image = _route(order, work.path, work.lock)
        made = {
            **_facts(order, description, tool),
            **describe(every, instances),
            "image": {
                "file": order.image.name,
                "bytes": len(image),
                "sha256": hashlib.sha256(image).hexdigest(),
            },
            "digest": digest,
        }
        for log in sorted(work.path.glob("*.log")):
            replace_bytes(order.out.with_name(f"{order.out.stem}-{log.name}"), log.read_bytes())
    order.out.unlink(missing_ok=True)  # it speaks of the image that is replaced
    replace_bytes(order.image, image)
    replace_text(order.out, json.dumps(made, indent=2) + "\n")
    return made


def describe(every: Mapping[int, Routed], instances: Mapping[str, str]) -> dict[str, Any]:
    """Return what a report says of the routed design.

    Args:
        every: what became of it with each seed.
        instances: paths of the instances in the harness, and the names of their modules.
    """
    clocks = {seed: round(routed.fmax_mhz, 2) for seed, routed in every.items()}
    best = max(clocks, key=lambda seed: (clocks[seed], -seed))
    return {
        "fmax_mhz": clocks[best],
        "best_seed": best,
        "seeds": {str(seed): clock for seed, clock in clocks.items()},
        "least_mhz": min(clocks.values()),
        "median_mhz": round(median(clocks.values()), 2),
        "use": every[best].use,
        "slowest": paths.describe(every[best].steps, instances),
        "latest_by_block": paths.by_block(every[best].ends, instances),
        "slowest_by_seed": {
            str(seed): paths.describe(routed.steps, instances) for seed, routed in every.items()
        },
    }


def _synthesise(order: Order, sources: list[Path], text: str, work: Path) -> dict[str, str]:
    """Leave a netlist in a folder; return the instances that it is made of."""
    order.say(f"synthesising for {order.part.name}")
    top = work / "route_harness.sv"
    top.write_text(text, encoding="utf-8")
    write = ["delete t:$scopeinfo", f"write_json {work / tools.NETLIST}"]
    yosys.run(
        [*sources, top], harness.TOP, [*order.part.synthesis, *write], work,
        primitives=PRIMITIVES, log=work / "yosys.log",
    )  # fmt: skip
    return instances_in((work / yosys.MODULES).read_text(encoding="utf-8"))


def _route(order: Order, work: Path, lock: int) -> tuple[dict[int, Routed], bytes]:
    """Route with each seed; return what became of it, and the best one's image."""
    every: dict[int, Routed] = {}
    best = work / "best"
    for seed in range(1, order.seeds + 1):
        order.say(f"placing and routing, seed {seed} of {order.seeds}")
        if order.chipdb is None:
            routed = tools.route_ecp5(work, seed, lock)
        else:
            routed = tools.route_zynq(work, seed, lock, order.chipdb)
        if all(routed.fmax_mhz > other.fmax_mhz for other in every.values()):
            (work / tools.CONFIGURATION).replace(best)
        every[seed] = routed
    best.replace(work / tools.CONFIGURATION)
    image = (
        tools.pack_ecp5(work, lock)
        if order.chipdb is None
        else (work / tools.CONFIGURATION).read_bytes()
    )
    return every, image


def _facts(order: Order, description: Description, tool: str) -> dict[str, Any]:
    return {
        "kind": KIND,
        "network": description.network,
        "build_id": description.build_id,
        "cycles_per_frame": description.cycles_per_frame,
        "part": order.part.name,
        "grade": order.part.grade,
        "primitives": PRIMITIVES,
        "tool": tool,
        "note": order.part.about,
    }


def _tool(order: Order, description: Description) -> str:
    """Return the tools that are used, which have to be there."""
    if order.chipdb is None:
        router = tools.version()
    else:
        if not description.part.startswith("xc7z020clg400"):
            raise RouteError(f"the bundle is for {description.part}: only xc7z020clg400 is known")
        if not order.chipdb.is_file():
            raise RouteError(f"the chip database {order.chipdb} is no file")
        router = tools.xilinx_version()
    synthesis = " ".join(order.part.synthesis[0].split()[:-2])
    return f"yosys ({yosys.version()}), {synthesis}; {router}"


def _digest(
    order: Order, description: Description, board: boards.Board, sources: list[Path], tool: str
) -> str:
    """Return a hash of all that a report depends on."""
    facts = (
        *(tool, order.part, order.seeds, description.network, description.build_id),
        *(description.cycles_per_frame, board.address_map["accel"].size),
    )
    digest = hashlib.sha256(repr(facts).encode())
    files = [Path(__file__).with_name(name) for name in MAKERS]
    files.append(Path(yosys.__file__).with_name("child.py"))
    for path in [*files, *sources, *([order.chipdb] if order.chipdb else [])]:
        digest.update(path.name.encode() + b"\0")
        with open(path, "rb") as content:
            digest.update(hashlib.file_digest(content, "sha256").digest())
    return digest.hexdigest()


def _up_to_date(order: Order, digest: str) -> dict[str, Any] | None:
    """Return the report that is there, if it and the image are what would be made."""
    try:
        found = json.loads(order.out.read_text(encoding="utf-8"))
        image = hashlib.sha256(order.image.read_bytes()).hexdigest()
        return found if (found["digest"], found["image"]["sha256"]) == (digest, image) else None
    except (OSError, ValueError, KeyError, TypeError):
        return None
