"""Runs a Tcl script in the played Vivado of vivado.tcl: as a module, or as the program `vivado`.

The Tcl interpreter is the one in Python's tkinter, which needs no display, or else tclsh.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

HERE = Path(__file__).resolve().parent
PLAYER = HERE / "vivado.tcl"

UTILIZATION = """\
+----------------------------+------+-------+------------+-----------+-------+
|          Site Type         | Used | Fixed | Prohibited | Available | Util% |
+----------------------------+------+-------+------------+-----------+-------+
| Slice LUTs                 | 6321 |     0 |          0 |     53200 | 11.88 |
|   LUT as Logic             | 5987 |     0 |          0 |     53200 | 11.25 |
| Slice Registers            | 7421 |     0 |          0 |    106400 |  6.97 |
| Block RAM Tile    | 12.5 |     0 |          0 |       140 |  8.93 |
| DSPs      |    0 |     0 |          0 |       220 |  0.00 |
+----------------------------+------+-------+------------+-----------+-------+
"""

# As of the block design, where an IP is a module of its own name.
HIERARCHY = (HERE / "hierarchy.txt").read_text()


class Call(NamedTuple):
    """One call of a Vivado command."""

    name: str
    arguments: list[str]
    options: dict[str, str]


@dataclass
class Run:
    """What became of a script."""

    status: int
    output: str
    calls: list[Call]

    def of(self, name: str) -> list[Call]:
        """The calls of one command."""
        return [call for call in self.calls if call.name == name]


def environment(folder: Path, **settings: Any) -> dict[str, str]:
    """The environment of a played Vivado that writes its calls into a folder.

    Settings, beside those of vivado.tcl in lower case: none.
    """
    report = folder / "utilization-report.txt"
    report.write_text(UTILIZATION)
    hierarchy = folder / "hierarchy-report.txt"
    hierarchy.write_text(HIERARCHY)
    values: dict[str, Any] = {
        "version": "2022.2",
        "setup": 0.25,
        "hold": 0.03,
        "fails": "nothing",
        "hwh": "none",
        "utilization": report,
        "hierarchy": hierarchy,
        "calls": folder / "calls.json",
        **settings,
    }
    return {**os.environ, **{f"VIVADO_{name.upper()}": str(v) for name, v in values.items()}}


def run(script: Path, folder: Path, work: Path, **settings: Any) -> Run:
    """Run a script with the one argument `work`; settings as of environment()."""
    done = subprocess.run(
        [sys.executable, __file__, "-mode", "batch", "-source", script, "-tclargs", work],
        env=environment(folder, **settings),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    return Run(done.returncode, done.stdout, read_calls(folder))


def read_calls(folder: Path) -> list[Call]:
    """The calls that a played Vivado wrote down."""
    lines = (folder / "calls.json").read_text().splitlines()
    return [Call(*json.loads(line)) for line in lines]


def evaluate(words: list[str]) -> None:
    """Become the played Vivado, with the script and its arguments; does not return."""
    try:
        import tkinter
    except ImportError:
        tclsh = shutil.which("tclsh")
        if tclsh is None:
            sys.exit("neither Python's tkinter nor tclsh is there: install one of them")
        os.execv(tclsh, [tclsh, str(PLAYER), *words])
    tcl = tkinter.Tcl()

    def leave(status: str = "0") -> None:
        sys.stdout.flush()
        os._exit(int(status))

    tcl.createcommand("exit", leave)
    tcl.setvar("argv", tcl.call("list", *words))
    tcl.evalfile(str(PLAYER))


def main(arguments: list[str]) -> None:
    """The command line of Vivado, as far as it is used."""
    script = arguments[arguments.index("-source") + 1]
    rest = arguments[arguments.index("-tclargs") + 1 :] if "-tclargs" in arguments else []
    if arguments[arguments.index("-mode") + 1] != "batch":
        sys.exit("only the mode batch is played")
    evaluate([script, *rest])


if __name__ == "__main__":
    main(sys.argv[1:])
