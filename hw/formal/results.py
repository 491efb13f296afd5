"""What is found of a core: its proof, its covers, its mutants; and the table of that."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from spinflow.host.core.sources import WORK
from spinflow.hw.formal import sby
from spinflow.hw.formal.cores import Core, Mutant
from spinflow.hw.formal.sby import FormalError, Verdict

BUILDS = WORK / "build/formal"


class Result(NamedTuple):
    """What was found of a core."""

    core: Core
    found: str  # in words
    asserts: int
    covers: int
    mutants: int  # how many were refuted
    seconds: float
    faults: tuple[str, ...]  # what is not as it should be, each in one line


def examine(core: Core, *, quick: bool = False, mutants: int | None = None) -> Result:
    """Prove a core's properties, reach its covers, refute its mutants.

    Args:
        core: the core.
        quick: look at the first cycles only where the proof takes long.
        mutants: how many of its mutants are tried; all by default.

    Raises:
        FormalError: a tool is missing, or sources are not accepted.
    """
    kind = "quick" if quick and core.quick_depth else core.prover
    main = sby.run(core, kind, BUILDS / f"{core.name}-{kind}")
    cover = sby.run(core, "cover", BUILDS / f"{core.name}-cover")
    found, faults = _found(core, kind, main)
    if cover.status != "PASS":
        faults.append(f"{core.name}: cover not reached: {', '.join(cover.missed)}")
    tried = core.mutants[:mutants]
    verdicts = [refute(core, number) for number in range(len(tried))]
    for mutant, verdict in zip(tried, verdicts, strict=True):
        if verdict.status != "FAIL":
            faults.append(f"{core.name}: holds although {mutant.file} has {mutant.new!r}")
    return Result(
        core=core,
        found=found,
        asserts=cover.asserts,
        covers=cover.covers,
        mutants=sum(verdict.status == "FAIL" for verdict in verdicts),
        seconds=main.seconds + cover.seconds + sum(verdict.seconds for verdict in verdicts),
        faults=tuple(faults),
    )


def refute(core: Core, number: int) -> Verdict:
    """Look for a counterexample of a core's mutant of this number, which must have one.

    Raises:
        FormalError: a tool is missing, or the mutant is not accepted.
    """
    folder = BUILDS / f"{core.name}-mutant{number}"
    rtl = folder.with_name(f"{folder.name}-rtl")
    mutate(core.mutants[number], rtl)
    return sby.run(core, "mutant", folder, rtl=rtl)


def mutate(mutant: Mutant, folder: Path) -> None:
    """Copy the sources of the cores into a folder that is made anew, with the mutant in them.

    Raises:
        FormalError: the text that the mutant replaces is not there exactly once.
    """
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(sby.RTL, folder)
    path = folder / mutant.file
    text = path.read_text(encoding="utf-8")
    if text.count(mutant.old) != 1:
        raise FormalError(f"{mutant.file} has {mutant.old!r} {text.count(mutant.old)} times, not 1")
    path.write_text(text.replace(mutant.old, mutant.new), encoding="utf-8")


def _found(core: Core, kind: str, verdict: Verdict) -> tuple[str, list[str]]:
    """Return what a job found in words, and its faults."""
    cycles = sby.core_depth(core, kind)
    words = {
        "pdr": "proven (PDR)",
        "induction": f"proven (induction, k = {cycles})",
        "bounded": f"holds for {cycles} cycles",
        "quick": f"holds for {cycles} cycles",
    }
    if verdict.status == "PASS":
        return words[kind], []
    if verdict.status == "FAIL":
        places = f" ({', '.join(verdict.missed)})" if verdict.missed else ""
        return "fails", [f"{core.name}: does not hold{places}, trace {_short(verdict.trace)}"]
    if verdict.status == "TIMEOUT":
        return "no answer in time", [f"{core.name}: no answer in {verdict.seconds:.0f} s"]
    fault = f"{core.name}: no induction with k = {cycles}, trace {_short(verdict.trace)}"
    return "not decided", [fault]


def _short(path: Path | None) -> str:
    return str(path).replace(f"{WORK}/", "")


def table(results: Sequence[Result]) -> str:
    """Return the results as a table in Markdown."""
    lines = [
        "| core | parameters | promises | found | asserts | covers | mutants refuted | s |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for result in results:
        core = result.core
        parameters = ", ".join(f"{name} {value}" for name, value in core.parameters.items())
        note = f"; {core.note}" if core.note else ""
        lines.append(
            f"| `{core.module}` | {parameters} | {core.promise}{note} | {result.found} "
            f"| {result.asserts} | {result.covers} | {result.mutants} of {len(core.mutants)} "
            f"| {result.seconds:.0f} |"
        )
    return "\n".join(lines)
