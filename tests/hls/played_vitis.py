"""Plays Vitis HLS by vitis_hls.tcl: programs `vitis_hls` or `vitis-run` in a folder for PATH.

The Tcl interpreter is the one in Python's tkinter, which needs no display, or else tclsh.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

from spinflow.hls.kernels import csim
from spinflow.hls.paths import REPO

PLAYER = Path(__file__).with_name("vitis_hls.tcl")

REPORT = """\
<profile>
  <PerformanceEstimates>
    <SummaryOfTimingAnalysis>
      <unit>ns</unit>
      <EstimatedClockPeriod>6.912</EstimatedClockPeriod>
    </SummaryOfTimingAnalysis>
    <SummaryOfOverallLatency>
      <Best-caseLatency>70</Best-caseLatency>
      <Worst-caseLatency>undef</Worst-caseLatency>
    </SummaryOfOverallLatency>
  </PerformanceEstimates>
  <AreaEstimates>
    <Resources><BRAM_18K>1</BRAM_18K><FF>412</FF><LUT>977</LUT></Resources>
  </AreaEstimates>
</profile>
"""

VITIS_HLS = """#!/bin/sh
[ "$1" = -version ] && {{ echo "Vitis HLS - High-Level Synthesis v{version} (64-bit)"; exit; }}
[ "$1" = -f ] || exit 9
exec {python} {player} "$2"
"""
VITIS_RUN = """#!/bin/sh
[ "$1 $2 $3" = "--mode hls --tcl" ] || exit 9
exec {python} {player} "$4"
"""


class Played:
    """A played Vitis HLS, and the command line in front of it."""

    def __init__(self, folder: Path, version: str = "2022.2") -> None:
        self.folder = folder
        self.bins = folder / "bin"
        self.bins.mkdir()
        tool, text = ("vitis_hls", VITIS_HLS) if version else ("vitis-run", VITIS_RUN)
        path = self.bins / tool
        path.write_text(text.format(version=version, python=sys.executable, player=__file__))
        path.chmod(0o755)
        (folder / "report.xml").write_text(REPORT)

    def run(self, *words: str, fails: str = "") -> subprocess.CompletedProcess[str]:
        """Run `spinflow hls-kernel`."""
        return subprocess.run(
            [sys.executable, "-m", "spinflow", "hls-kernel", *words],
            env=os.environ
            | {
                "PATH": f"{self.bins}:{os.environ['PATH']}",
                "VITIS_CALLS": str(self.folder / "calls.txt"),
                "VITIS_FAILS": fails,
                "VITIS_HEADERS": str(csim.headers()),
                "VITIS_REPORT": str(self.folder / "report.xml"),
            },
            cwd=REPO,
            capture_output=True,
            text=True,
            check=False,
        )

    def calls(self) -> list[str]:
        """The commands that the script called, with their arguments."""
        return (self.folder / "calls.txt").read_text().splitlines()


def evaluate(script: str) -> None:
    """Become the played tool; does not return."""
    try:
        import tkinter
    except ImportError:
        tclsh = shutil.which("tclsh")
        if tclsh is None:
            sys.exit("neither Python's tkinter nor tclsh is there: install one of them")
        os.execv(tclsh, [tclsh, "-c", f"set vitis_script {{{script}}}; source {{{PLAYER}}}"])
    tcl = tkinter.Tcl()

    def leave(status: str = "0") -> None:
        sys.stdout.flush()
        os._exit(int(status))

    tcl.createcommand("exit", leave)
    tcl.setvar("vitis_script", script)
    tcl.evalfile(str(PLAYER))


if __name__ == "__main__":
    evaluate(sys.argv[1])
