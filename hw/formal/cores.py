"""Reads `cores.toml`: of each core that has properties, what is proven of it, and how."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import tomllib

FOLDER = Path(__file__).resolve().parent
TABLE = FOLDER / "cores.toml"

PROVERS = ("pdr", "induction", "bounded")


class Mutant(NamedTuple):
    """A wrong variant of a core, which its properties must refute."""

    file: str  # of hw/rtl
    old: str  # text that stands in it exactly once
    new: str


class Core(NamedTuple):
    """What is proven of one core at one choice of its parameters."""

    name: str  # in the table; the same core may be there with other parameters
    module: str  # the core's; the properties are the module MODULE_formal of hw/formal/MODULE.sv
    promise: str  # in one line
    parameters: Mapping[str, str]  # of the properties' module, as SystemVerilog writes them
    free: tuple[str, ...]  # modules below it that are left out: what they give out is free
    prover: str  # one of PROVERS
    depth: int  # cycles: of a bounded check, of the induction's k, and within which mutants fail
    cover_depth: int  # cycles within which every cover is reached
    quick_depth: int  # cycles that `--quick` looks at instead of a long job; 0 where it is short
    note: str  # what a reader of the results should know of their limits
    mutants: tuple[Mutant, ...]


def cores() -> dict[str, Core]:
    """Return the table, by name."""
    with open(TABLE, "rb") as file:
        return {name: _core(name, entry) for name, entry in tomllib.load(file).items()}


def _core(name: str, entry: Mapping[str, Any]) -> Core:
    module = entry.get("module", name)
    core = Core(
        name=name,
        module=module,
        promise=entry["promise"],
        parameters={key: str(value) for key, value in entry.get("parameters", {}).items()},
        free=tuple(entry.get("free", ())),
        prover=entry["prover"],
        depth=entry["depth"],
        cover_depth=entry.get("cover_depth", entry["depth"]),
        quick_depth=entry.get("quick_depth", 0),
        note=entry.get("note", ""),
        mutants=tuple(
            Mutant(mutant.get("file", f"{module}.sv"), mutant["old"], mutant["new"])
            for mutant in entry["mutants"]
        ),
    )
    if core.prover not in PROVERS:
        raise ValueError(f"{TABLE}: {name}: prover {core.prover} is none of {', '.join(PROVERS)}")
    return core
