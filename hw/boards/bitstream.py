"""Makes the bitstream of a bundle: `spinflow bitstream build/<network>`.

Prepares the bundle, runs Vivado on build.tcl, checks what it made and installs it. Vivado's own
output goes to `build/<network>/vivado/vivado.log`. `--check` only looks whether Vivado is there.
"""

from __future__ import annotations

import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

from spinflow.host.core import description, start
from spinflow.hw.boards import common, logged, sizes
from spinflow.hw.boards.common import SCRIPTS
from spinflow.hw.boards.facts import BoardError
from spinflow.hw.boards.install import install, summary
from spinflow.hw.boards.prepare import prepare

LOG = "vivado.log"


def find_vivado() -> str:
    """Return the path of Vivado.

    Raises:
        BoardError: it is not on PATH.
    """
    vivado = shutil.which("vivado")
    if vivado is None:
        raise BoardError(
            "vivado is not on PATH: a bitstream needs Vivado 2022.2 or newer; install it and "
            "source its settings64.sh"
        )
    return vivado


def run_vivado(vivado: str, work: Path) -> None:
    """Run build.tcl on a prepared folder.

    Raises:
        BoardError: it failed; the message is its own line, or Vivado's first error.
    """
    log = work / LOG
    command = [vivado, "-mode", "batch", "-notrace", "-nojournal", "-nolog"]
    command += ["-source", str(SCRIPTS / "build.tcl"), "-tclargs", str(work.resolve())]
    problem = logged.run(command, work, log, "Vivado")
    if problem:
        raise BoardError(problem)


def make(bundle: Path) -> None:
    """Make a bundle's bitstream and install it."""
    vivado = find_vivado()
    work = prepare(bundle)
    print(f"running Vivado on {bundle}; its output goes to {work / LOG}", flush=True)
    run_vivado(vivado, work)
    entry = install(bundle)
    print(summary(bundle, entry))
    made = sizes.write(description.read(bundle), work, entry)
    if made is not None:
        print(f"sizes by module: {made}; spinflow synth-page {made} puts them beside yosys's")
    else:
        print("note: Vivado's report names no module of the accelerator, so there are no sizes")


def check() -> None:
    """Look for Vivado."""
    find_vivado()


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; return the exit status."""
    parser = start.Parser(
        prog="spinflow bitstream",
        description=__doc__.split("\n")[0],
        epilog="example: spinflow bitstream build/mlp-mnist",
    )
    parser.add_argument("bundle", type=Path, nargs="?", help="the folder build/<network>")
    parser.add_argument("--check", action="store_true", help="only look whether Vivado is there")
    options = parser.parse_args(arguments)
    if options.check:
        return common.run(check)
    if options.bundle is None:
        parser.error("the folder of a bundle is needed")
    return common.run(lambda: make(options.bundle))


if __name__ == "__main__":
    sys.exit(main())
