"""Takes a kernel through Vitis HLS: C simulation, synthesis, co-simulation and an IP for Vivado."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

from spinflow.hls.kernels.catalogue import FOLDER, Kernel
from spinflow.hls.paths import BuildError
from spinflow.hw.boards import Board, logged

STEPS = ("csim", "csynth", "cosim", "export")
"""What can be done, in this order."""

OLDEST = (2022, 2)
"""The oldest Vitis HLS that the kernels and vitis.tcl are written for."""

SCRIPT = FOLDER / "vitis.tcl"
LOG = "vitis.log"
REPORT = "project/solution/syn/report/{top}_csynth.xml"


@dataclass(frozen=True)
class Estimate:
    """What C synthesis says of a block before anything is placed.

    Attributes:
        area: LUT, FF, BRAM_18K and DSP.
        period_ns: estimated period of the clock.
        cycles: from the start of a call to its end, least and most; None where they are not known.
    """

    area: dict[str, int]
    period_ns: float
    cycles: tuple[int | None, int | None]


def find() -> list[str]:
    """Return the command that takes a Tcl script, without the script.

    Raises:
        BuildError: Vitis HLS is not on PATH, or too old.
    """
    tool = shutil.which("vitis_hls")
    if tool is None:
        runner = shutil.which("vitis-run")  # from 2023.2 on, and alone from 2025.1 on
        if runner is None:
            raise BuildError(
                "neither vitis_hls nor vitis-run is on PATH: an IP needs Vitis HLS 2022.2 or "
                "newer; install it and source its settings64.sh"
            )
        return [runner, "--mode", "hls", "--tcl"]
    said = subprocess.run(
        [tool, "-version"], capture_output=True, encoding="utf-8", errors="replace", check=False
    ).stdout
    version = re.search(r"\bv?(20\d\d)\.(\d+)", said)
    if version and (int(version[1]), int(version[2])) < OLDEST:
        raise BuildError(f"this is Vitis HLS {version[1]}.{version[2]}; 2022.2 or newer is needed")
    return [tool, "-f"]


def facts(kernel: Kernel, board: Board, steps: Sequence[str]) -> str:
    """Return the text of facts.tcl."""
    values = {
        "top": kernel.top,
        "bench": f"{kernel.name}_bench",
        "kernels": str(FOLDER),
        "part": board.part,
        "period": f"{1000 / board.clock_mhz:g}",
        "steps": " ".join(step for step in STEPS if step in steps),
    }
    lines = [f"  {name} {{{value}}} \\" for name, value in values.items()]
    return "\n".join(["set facts [dict create \\", *lines, "]", ""])


def run(kernel: Kernel, board: Board, steps: Sequence[str], work: Path) -> Estimate | None:
    """Run Vitis HLS on a prepared folder (`csim.prepare`).

    Args:
        kernel: that the folder is prepared for.
        board: whose part and clock are meant.
        steps: of STEPS; export and co-simulation need synthesis.
        work: the folder; the IP goes to `out/TOP.zip`, all that the tool says to `vitis.log`.

    Returns:
        What synthesis says; None without synthesis.

    Raises:
        BuildError: there is no Vitis HLS, or a step failed.
    """
    if {"cosim", "export"} & set(steps) and "csynth" not in steps:
        raise BuildError("cosim and export need csynth before them")
    command = [*find(), str(SCRIPT)]
    (work / "facts.tcl").write_text(facts(kernel, board, steps), encoding="utf-8")
    problem = logged.run(command, work, work / LOG, "Vitis HLS")
    if problem:
        raise BuildError(problem)
    return read_estimate(work / REPORT.format(top=kernel.top)) if "csynth" in steps else None


def read_estimate(path: Path) -> Estimate:
    """Return what a report of C synthesis says.

    Raises:
        BuildError: there is none, or it is not of the form that is known.
    """
    try:
        root = ElementTree.parse(path).getroot()
        area = root.find("AreaEstimates/Resources")
        timing = root.findtext("PerformanceEstimates/SummaryOfTimingAnalysis/EstimatedClockPeriod")
        if area is None or timing is None:
            raise ValueError("no area or no timing")
        latency = "PerformanceEstimates/SummaryOfOverallLatency/"
        ends = [root.findtext(f"{latency}{end}-caseLatency", "") for end in ("Best", "Worst")]
        least, most = (int(end) if end.isdigit() else None for end in ends)
        return Estimate(
            {name: int(area.findtext(name, "0")) for name in ("LUT", "FF", "BRAM_18K", "DSP")},
            float(timing),
            (least, most),
        )
    except (OSError, ElementTree.ParseError, ValueError) as error:
        raise BuildError(
            f"{path}: not the report of C synthesis that is expected ({error})"
        ) from None
