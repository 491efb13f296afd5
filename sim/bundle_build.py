"""Takes a network through all steps, to a bundle that runs: `spinflow build NETWORK`.

The steps are the commands `spinflow export`, `spinflow bundle` and `spinflow simulator`, each in a
process of its own, since FINN changes the process that it runs in. What a step says, also when it
fails, is the user's to read, and each leaves its files whole or as they were.
"""

from __future__ import annotations

import argparse
import re
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from spinflow.host.core import start
from spinflow.host.core.errors import InputError
from spinflow.host.core.options import whole
from spinflow.host.core.sources import COMMAND, REPOSITORY, WORK
from spinflow.host.core.text import shown

BUILD = WORK / "build"
ZOO = REPOSITORY / "model" / "zoo"

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+-]{0,63}\Z")


def steps(network: str, cycles: int | None, out: Path | None) -> list[list[str]]:
    """Return the arguments of `spinflow` for each step.

    Args:
        network: its name. One that the zoo does not hold is taken as it was exported before.
        cycles: most cycles a frame may take in any layer; None is the network's default.
        out: the bundle's folder, by default build/NETWORK.

    Raises:
        InputError: the name is a path, or is none.
    """
    if not _NAME.match(network):
        raise InputError(f"network {shown(network)}: a name is expected, as tfc-mnist, not a path")
    model = BUILD / network / "model.onnx"
    folder = str(out or BUILD / network)
    found = []
    if (ZOO / f"{network}.safetensors").is_file() or not model.is_file():
        found.append(["export", network, "--out", str(model)])
    target = [] if cycles is None else ["--cycles", str(cycles)]
    found.append(["bundle", network, "--out", folder, *target])
    found.append(["simulator", folder])
    return found


def can_build(network: str) -> bool:
    """Return whether there is a network of this name to build: trained, or imported."""
    files = ZOO / f"{network}.safetensors", BUILD / network / "model.onnx"
    return any(path.is_file() for path in files)


def run_step(arguments: Sequence[str]) -> int:
    """Run one command of `spinflow` and return its exit status.

    A signal that ends this program is passed on, and waited for: the step tidies up and says so.
    """
    process = subprocess.Popen([sys.executable, *COMMAND, *arguments], start_new_session=True)
    try:
        return _status(process.wait())
    except KeyboardInterrupt as signalled:
        process.send_signal(getattr(signalled, "number", signal.SIGINT))
        try:
            status = _status(process.wait())
        except KeyboardInterrupt:  # the user does not want to wait
            process.kill()
            process.wait()
            raise
        if not status:
            raise
        return status


def _status(code: int) -> int:
    """The exit status that a shell gives a process that ended with this code."""
    return 128 - code if code < 0 else code


def run(options: argparse.Namespace) -> int:
    """Take a network through all steps; return the exit status of the last that ran."""
    for arguments in steps(options.network, options.cycles, options.out):
        status = run_step(arguments)
        if status:
            return status
    return 0


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; return the exit status."""
    parser = start.Parser(
        prog="spinflow build",
        description="Take a network through all steps, to a bundle that runs: export it, build "
        "the accelerator with FINN, and compile the simulator.",
        epilog="example: spinflow build tfc-mnist",
    )
    parser.add_argument("network", help="name of a network of the zoo, or of one in build/NETWORK")
    parser.add_argument(
        "--cycles",
        type=whole(1, 10**9),
        help="most cycles a frame may take in any layer (default: the network's own)",
    )
    parser.add_argument("--out", type=Path, help="folder of the bundle (default build/NETWORK)")
    options = parser.parse_args(arguments)
    return start.finish(lambda: run(options))


if __name__ == "__main__":
    sys.exit(main())
