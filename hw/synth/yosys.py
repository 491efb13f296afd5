"""Runs yosys over SystemVerilog sources for Xilinx 7 series and reads the netlist back.

yosys runs in a child process, so that a crash, its log and its memory stay there.
The design is flattened before it is optimised; registers, carry chains and memories carry the name
of the instance that they come from, by which `netlist` counts the result block by block.
"""

from __future__ import annotations

import importlib.metadata
import json
import os
import re
import resource
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from spinflow.host.core.errors import SpinflowError
from spinflow.host.core.sources import WORK
from spinflow.hw.boards import facts
from spinflow.hw.synth.netlist import Netlist, read_netlist

REPOSITORY = Path(__file__).resolve().parents[2]
REGISTERS = WORK / "build/regs"
RTL = REPOSITORY / "hw/rtl"

# Inside the fabric of a bigger design: no pads, and the clock comes from elsewhere.
SYNTHESIS = "synth_xilinx -family xc7 -flatten -noiopad -noclkbuf"
# A wide memory is written bit by bit in a loop that is longer than slang expects.
READ = (
    "read_slang --ignore-assertions --allow-use-before-declare --best-effort-hierarchy "
    "--unroll-limit 1000000 -D SYNTHESIS"
)
PRIMITIVES = "generic", "xilinx7"
"""Primitives placed by hand that a netlist of the 7 series may have."""
MODULES = "modules"
"""What a run leaves in its folder: the modules before they are flattened, as yosys's ls prints."""
RE_LINES = re.MULTILINE | re.DOTALL
DEFAULT_NETTYPE = re.compile(r"^\s*`default_nettype\b.*$", re.MULTILINE)


class SynthesisError(SpinflowError):
    """yosys is missing or did not get through."""


class Result(NamedTuple):
    """A synthesised design and what it took."""

    netlist: Netlist
    estimated_lcs: int  # yosys's own estimate of logic cells, with LUT6_2, without LUT RAM
    cpu_seconds: float
    peak_bytes: int  # of the child process or of one that it started, whichever was larger


class Ran(NamedTuple):
    """A run of yosys: what it said, and what it took."""

    said: str
    usage: resource.struct_rusage


def version() -> str:
    """Return the version of the yosys that is used, as `pyosys 0.70`.

    Raises:
        SynthesisError: there is none.
    """
    try:
        return f"pyosys {importlib.metadata.version('pyosys')}"
    except importlib.metadata.PackageNotFoundError:
        raise SynthesisError("the Python package pyosys is not installed: run make setup") from None


def packages() -> list[Path]:
    """Return the packages and the register block, which every module may need, in order.

    Raises:
        SynthesisError: the register block has not been generated.
    """
    names = "spinflow_map_pkg", "spinflow_regs_pkg", "spinflow_regs"
    made = [REGISTERS / f"{name}.sv" for name in names]
    missing = next((path for path in made if not path.exists()), None)
    if missing:
        raise SynthesisError(f"{missing} is missing: run make {_short(REGISTERS)}/regmap.json")
    return [*made[:2], RTL / "spinflow_pkg.sv", made[2]]


def synthesise(
    sources: Sequence[Path | str],
    top: str,
    parameters: Mapping[str, str] | None = None,
    *,
    primitives: str,
    library: Path | None = None,
    log: Path | None = None,
    also: Sequence[str] = (),
) -> Result:
    """Synthesise module ``top`` of ``sources``; return its netlist.

    Args:
        sources: SystemVerilog files, packages before who uses them; options as +define+A=1 are
            strings.
        top: name of the top module.
        parameters: values for parameters of the top module, as SystemVerilog writes them.
        primitives: that the RTL places by hand; one of PRIMITIVES.
        library: folder in which further modules are looked for, each in a file of its name.
        log: where the log of yosys goes; only if it fails, this is told to the user.
        also: further commands of yosys on the netlist, as one that writes it as Verilog.

    Raises:
        SynthesisError: yosys is missing or fails, the module has no such parameter, or the
            primitives are those of another family.
        NetlistError: there is a cell that cannot be counted.
    """
    if primitives not in PRIMITIVES:
        raise SynthesisError(
            f"cells of the 7 series are counted, with primitives {' or '.join(PRIMITIVES)}, and "
            f"these are {primitives}"
        )
    with tempfile.TemporaryDirectory(prefix="spinflow-synth-") as folder:
        work = Path(folder)
        netlist = work / "netlist.json"
        commands = [f"{SYNTHESIS} -top {top}", "delete t:$scopeinfo", f"write_json {netlist}"]
        commands += also
        ran = run(
            sources, top, commands, work,
            parameters=parameters, primitives=primitives, library=library, log=log,
        )  # fmt: skip
        return Result(
            netlist=read_netlist(netlist, work / MODULES, top),
            estimated_lcs=_estimated(ran.said),
            cpu_seconds=ran.usage.ru_utime + ran.usage.ru_stime,
            peak_bytes=1024 * ran.usage.ru_maxrss,
        )


def run(
    sources: Sequence[Path | str],
    top: str,
    commands: Sequence[str],
    work: Path,
    *,
    primitives: str,
    parameters: Mapping[str, str] | None = None,
    library: Path | None = None,
    log: Path | None = None,
) -> Ran:
    """Read module ``top`` of ``sources`` and run commands of yosys on it.

    Its instances are signed (`child`) and listed in the file MODULES of ``work``.

    Args:
        sources: as those of `synthesise`.
        top: name of the top module.
        commands: of yosys, which find the design read and its hierarchy checked.
        work: folder for files of the run.
        primitives: that the RTL places by hand; a key of facts.PRIMITIVES.
        parameters: as those of `synthesise`.
        library: as that of `synthesise`.
        log: as that of `synthesise`.

    Raises:
        SynthesisError: yosys is missing or fails, or the module has no such parameter.
    """
    version()
    given = parameters or {}
    for name in given:
        _check_parameter(sources, top, name)  # slang takes no notice of one that does not exist
    options = [f"-D {facts.MACRO}={facts.PRIMITIVES[primitives]}"]
    options += [f"-G {name}={value}" for name, value in given.items()]
    if library is not None:
        options.append(f"--libdir {library} --libext .sv")
    files = [part for path in sources for part in _readable(path, work)]
    job = {
        "read": f"{READ} {' '.join(options)} --top {top} {' '.join(files)}",
        "modules": str(work / MODULES),
        "top": top,
        "synthesise": [f"hierarchy -check -top {top}", *commands],
    }
    status, said, usage = _run(job, work / "log")
    if log is not None:
        log.parent.mkdir(parents=True, exist_ok=True)
        log.write_text(said, encoding="utf-8")
    if status != 0:
        where = f" (all of it: {log})" if log is not None else ""
        raise SynthesisError(f"yosys: {_reason(said, status, work)}{where}")
    return Ran(said, usage)


def _run(job: Mapping[str, object], log: Path) -> tuple[int, str, resource.struct_rusage]:
    """Run a job in a process of its own; return its exit status, its log and what it took."""
    with open(log, "w", encoding="utf-8") as text:
        child = subprocess.Popen(
            [sys.executable, "-m", "spinflow.hw.synth.child", json.dumps(job)],
            stdout=text,
            stderr=subprocess.STDOUT,
            cwd=REPOSITORY,
        )
        try:
            _, status, usage = os.wait4(child.pid, 0)
        except BaseException:
            child.kill()
            child.wait()
            raise
        child.returncode = os.waitstatus_to_exitcode(status)
    return child.returncode, log.read_text(encoding="utf-8", errors="replace"), usage


def _estimated(log: str) -> int:
    """Return yosys's last estimate of logic cells, and the LUT6_2 that it leaves out of that."""
    counts = (r"Estimated number of LCs: +(\d+)$", r"^ *(\d+) +LUT6_2$")
    found = (re.findall(count, log, re.MULTILINE) for count in counts)
    return sum(int(numbers[-1]) for numbers in found if numbers)


def _check_parameter(sources: Sequence[Path | str], top: str, name: str) -> None:
    """Raise SynthesisError if the top module has no parameter of this name."""
    for path in sources:
        if isinstance(path, str):
            continue
        module = re.search(rf"^\s*module\s+{top}\b(.*?)^\s*endmodule", path.read_text(), RE_LINES)
        if module:
            known = re.findall(r"\bparameter\b[^=;]*?(\w+)\s*=", module[1])
            if name not in known:
                raise SynthesisError(
                    f"module {top} has no parameter {name}; it has {', '.join(known) or 'none'}"
                )


def _readable(source: Path | str, work: Path) -> list[str]:
    """Return options by which slang reads a file, or a copy in `work` without what it refuses."""
    if isinstance(source, str):
        return [source]
    text = source.read_text()
    plain = DEFAULT_NETTYPE.sub("", text)
    if plain == text:
        return [str(source)]
    folder = work / str(len(list(work.iterdir())))  # two files may have one name
    folder.mkdir()
    (folder / source.name).write_text(plain)
    return ["-I", str(source.parent), str(folder / source.name)]


def _reason(log: str, status: int, work: Path) -> str:
    """Return what went wrong, in one line, from the log of a run that failed."""
    for line in log.split("\n"):
        where, error, what = line.partition("ERROR: ")
        if error:
            return _short(f"{where}{what}".replace(f"{work}/", "")).strip()
    if status == -9:
        return "was killed, probably for want of memory"
    return f"stopped with status {status} and no message"


def _short(path: Path | str) -> str:
    """Return a path or a line with paths, as seen from the repository."""
    return str(path).replace(f"{REPOSITORY}/", "")
