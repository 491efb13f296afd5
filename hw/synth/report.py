"""Size and depth of a bundle's accelerator: what yosys makes of it for the board's part.

The accelerator is synthesised twice, with the write errors of its memories and without
(`WithErrors`); the difference is what the MRAM wrappers cost. A report says which yosys it is from
and holds a digest of all that it depends on, so that an unchanged bundle is not synthesised again.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from spinflow.host.core.description import Description, Product, read
from spinflow.host.core.files import replace_text
from spinflow.host.core.sources import source_files
from spinflow.hw import boards
from spinflow.hw.synth.cells import Area
from spinflow.hw.synth.netlist import Netlist
from spinflow.hw.synth.paths import Route
from spinflow.hw.synth.yosys import Result, synthesise, version

RESOURCES = "LUT", "FF", "RAMB36", "DSP48"
TOP = "accel"
ERRORS = "WithErrors"

# BNN-PYNQ, on the same part at 100 MHz; products are those of its layers, 784-1024-1024-1024-10 and
# 64-64-128-128-256-256-512-512-10 behind 32 x 32 x 3 pixels.
PUBLISHED: dict[str, dict[str, Any]] = {
    "BNN-PYNQ LFC-W1A1": {"LUT": 28360, "RAMB36": 110, "cycles_per_frame": 512, "macs": 2910208},
    "BNN-PYNQ CNV-W1A1": {"LUT": 26072, "RAMB36": 124, "cycles_per_frame": 32768, "macs": 59461376},
}
PUBLISHED_CLOCK_MHZ = 100.0

# What an MRAM wrapper is made of, by the module that a cell is in or that is above it; first match.
ITEMS: dict[str, Callable[[set[str]], bool]] = {
    "run-ahead": lambda kinds: "run_ahead" in kinds,
    "draw engines": lambda kinds: "draw_engines" in kinds,
    "buffer writes": lambda kinds: "buffer_mem" in kinds,
    "weight engine": lambda kinds: "weight_port" in kinds,
    "counters": lambda kinds: "counter_bank" in kinds,
    "registers": lambda kinds: bool({"memory_regs", "spinflow_regs"} & kinds),
    "elsewhere": lambda kinds: True,
}
# Modules of this folder that a report depends on.
MAKERS = "report", "yosys", "child", "cells", "netlist", "paths"
# Modules of which the parts are listed too.
OPENED = {"accel_shell", "control_block", "buffer_mem", "draw_engines", "draw_engine"}


def report(bundle: Path, out: Path, logs: Path | None = None) -> dict[str, Any]:
    """Return the report of a bundle: that in ``out`` if it is up to date, else a new one.

    Args:
        bundle: the folder of the bundle.
        out: the JSON file of the report; a new report is written there.
        logs: folder for the logs of yosys.

    Raises:
        BundleError: the bundle is not whole.
        BoardError: the bundle's board is not known.
        SynthesisError: yosys fails.
        NetlistError: the netlist cannot be counted.
    """
    description = read(bundle)
    sources = source_files(bundle)
    board = boards.board_named(description.board)
    digest = _digest(description, board, sources)
    old = _read(out)
    if old.get("digest") == digest:
        return old

    def run(with_errors: bool) -> Result:
        name = f"{out.stem}{'' if with_errors else '-without-errors'}.log"
        log = logs / name if logs is not None else None
        errors = {ERRORS: f"1'b{int(with_errors)}"}
        return synthesise(sources, TOP, errors, primitives=board.primitives, log=log)

    with ThreadPoolExecutor() as pool:  # each run is a process of its own
        made = describe(description, *pool.map(run, (True, False)))
    made["digest"] = digest
    out.parent.mkdir(parents=True, exist_ok=True)
    replace_text(out, json.dumps(made, indent=2) + "\n")
    return made


def describe(description: Description, whole: Result, plain: Result) -> dict[str, Any]:
    """Return the report.

    Args:
        description: of the bundle.
        whole: the synthesis with write errors.
        plain: the synthesis without.
    """
    total = whole.netlist.area()
    return {
        "network": description.network,
        "build_id": description.build_id,
        "part": description.part,
        "tool": f"yosys ({version()}), synth_xilinx -family xc7, flattened, not placed",
        "note": "These are yosys's figures, not Vivado's. LUT counts cells: no two share a LUT.",
        "total": _resources(total),
        "cells": {
            "LUT_memory": total.LUT_memory,
            "RAMB18": total.RAMB18,
            "CARRY4": total.CARRY4,
            "MUXF": total.MUXF,
            "LC_estimate": whole.estimated_lcs + total.LUT_memory,
        },
        "fit": _fit(total, description.board),
        "blocks": _blocks(whole.netlist),
        "without_wrappers": _resources(plain.netlist.area()),
        "wrappers": _wrappers(whole.netlist, plain.netlist),
        "logic": {
            "deepest": _route(whole.netlist.deepest()),
            "slowest": _route(whole.netlist.slowest()),
        },
        "work": _work(description, total.LUT),
        "run": {
            "cpu_seconds": round(whole.cpu_seconds + plain.cpu_seconds, 1),
            "peak_bytes": max(whole.peak_bytes, plain.peak_bytes),
        },
    }


def _fit(total: Area, board: str) -> dict[str, dict[str, float]]:
    """Return of each resource how much the board's part has, and how much is left."""
    available = boards.board_named(board).resources
    return {
        name: {"available": available[name], "left": available[name] - used}
        for name, used in _resources(total).items()
    }


def _wrappers(whole: Netlist, plain: Netlist) -> dict[str, Any]:
    """Return what the write errors add, in all and part by part."""
    total, without = whole.area(), plain.area()
    added = total - without
    return {
        **_resources(added),
        "percent_of_design": _percent(added, total),
        "percent_added": _percent(added, without),
        "items": {item: _resources(area) for item, area in _items(whole, plain).items()},
    }


def macs(layers: Sequence[Product]) -> tuple[int, int]:
    """Return the products of a weight and a bit, and of a weight and a pixel, of a frame."""
    bits = pixels = 0
    for layer in layers:
        rows, columns, _ = layer.shape
        products = layer.mw * layer.mh * rows * columns
        if layer.pixels:
            pixels += products
        else:
            bits += products
    return bits, pixels


def rates(products: int, cycles: int, clock_mhz: float, luts: int) -> dict[str, float]:
    """Return frames and products a second, and products a second for each LUT.

    Args:
        products: of a frame.
        cycles: of a frame.
        clock_mhz: of the design.
        luts: that it takes.
    """
    frames = 1e6 * clock_mhz / cycles
    return {
        "frames_per_s": frames,
        "macs_per_s": products * frames,
        "macs_per_s_per_LUT": products * frames / luts,
    }


def _work(description: Description, luts: int) -> dict[str, Any]:
    """Return what a frame takes, and how fast frames are."""
    bits, pixels = macs(description.products)
    cycles, clock = description.cycles_per_frame, description.clock_mhz
    return {
        "xnor_per_frame": bits,
        "pixel_macs_per_frame": pixels,
        "cycles_per_frame": cycles,
        "clock_mhz": clock,
        **rates(bits + pixels, cycles, clock, luts),
    }


def _resources(area: Area) -> dict[str, float]:
    return {name: getattr(area, name) for name in RESOURCES}


def _percent(part: Area, whole: Area) -> dict[str, float]:
    mine, its = _resources(part), _resources(whole)
    return {name: round(100 * mine[name] / its[name], 2) if its[name] else 0.0 for name in mine}


def _route(route: Route) -> dict[str, Any]:
    return {
        "levels": route.levels,
        "delay_estimate_ns": route.delay_ns,
        "from": route.start,
        "to": route.end,
        "through": route.steps,
    }


def _above(path: str, instances: Mapping[str, str]) -> list[str]:
    """Return the instance and those around it, the outermost first, without the top module."""
    parts = path.split(".")
    ways = (".".join(parts[:n]) for n in range(1, len(parts) + 1))
    return [way for way in ways if way in instances]


def _blocks(netlist: Netlist) -> list[dict[str, Any]]:
    """Return every instance of the top module, followed by its parts where it is opened.

    A block counts all that is inside it. The blocks of level 1 add up to the total.
    """
    instances = netlist.instances
    inside: dict[str, Area] = {}
    for path, area in netlist.areas().items():
        shown = []
        for way in _above(path, instances) if path else [""]:
            shown.append(way)
            if instances.get(way) not in OPENED:
                break
        for way in shown:
            inside[way] = inside.get(way, Area()) + area
    return [
        {
            "name": ".".join(part.removeprefix("u_") for part in path.split(".")) or "(between)",
            "module": instances[path],
            "level": len(_above(path, instances)) or 1,
            **_resources(area),
        }
        for path, area in sorted(inside.items())
    ]


def _items(whole: Netlist, plain: Netlist) -> dict[str, Area]:
    """Return what the wrappers add, part by part; the parts add up to the difference."""
    added = {item: Area() for item in ITEMS}
    for netlist, is_added in (whole, True), (plain, False):
        for path, area in netlist.areas().items():
            kinds = {netlist.instances[way] for way in _above(path, netlist.instances)}
            item = next(name for name, fits in ITEMS.items() if fits(kinds))
            added[item] = added[item] + area if is_added else added[item] - area
    return added


def _read(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, json.JSONDecodeError):
        return {}
    return found if isinstance(found, dict) else {}


def _digest(description: Description, board: boards.Board, sources: list[Path]) -> str:
    """Return a hash of all that a report depends on."""
    facts = (
        *(version(), description.network, description.build_id, description.part),
        *(description.cycles_per_frame, description.clock_mhz, description.products),
        *(board.resources, board.primitives),
    )
    digest = hashlib.sha256(repr(facts).encode())
    ours = [Path(__file__).with_name(f"{name}.py") for name in MAKERS]
    for path in [*ours, *sources]:
        digest.update(path.name.encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()
