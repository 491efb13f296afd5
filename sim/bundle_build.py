"""Takes a network through all steps, to a bundle that runs: `spinflow build NETWORK`.

The steps are the commands `spinflow export`, `spinflow bundle` and `spinflow simulator`, each in a
process of its own, since FINN changes the process that it runs in. What a step says, also when it
fails, is the user's to read, and each leaves its files whole or as they were.
"""

from __future__ import annotations

import argparse
import hashlib
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from spinflow.host.core import coding, description, start
from spinflow.host.core.networks import Called, called
from spinflow.host.core.options import whole
from spinflow.host.core.reading import read_bytes, read_json
from spinflow.host.core.sources import COMMAND, WORK
from spinflow.model.zoo import ENTRIES, Found, find

BUILD = WORK / "build"

MOST_BYTES = 1 << 30
"""Bytes of the largest file of weights."""


def steps(
    network: str, cycles: int | None, out: Path | None, ecc: Sequence[str] = ()
) -> list[list[str]]:
    """Return the arguments of `spinflow` for each step.

    Args:
        network: its name, or the path of its description. One that neither has trained weights nor
            a description is taken as build/NETWORK holds it: imported, or exported before.
        cycles: most cycles a frame may take in any layer; None is the network's default.
        out: the bundle's folder, by default build/NETWORK.
        ecc: options that say which memories are coded.

    Raises:
        InputError: it is no name.
    """
    words = called(network)
    model = BUILD / words.name / "model.onnx"
    folder = str(out or BUILD / words.name)
    found = []
    if not model.is_file() or words.path or _is_trained(words):
        found.append(["export", network, "--out", str(model)])
    target = [] if cycles is None else ["--cycles", str(cycles)]
    found.append(["bundle", words.name, "--out", folder, *target, *ecc])
    found.append(["simulator", folder])
    return found


def _is_trained(words: Called) -> bool:
    """Return whether the zoo has a network, and trained weights of it."""
    return words.base in ENTRIES and find(words.name).weights.is_file()


def is_built(found: Found, folder: Path) -> bool:
    """Return whether a folder has the bundle of a trained network.

    The bundle of a network of the zoo is taken as it is. One of another folder may be of earlier
    weights, or of another network of its name: then it is not its bundle.
    """
    if not (folder / description.NAME).is_file():
        return False
    if not found.is_own:
        return True
    facts = read_json(folder / "model.json", 1 << 20)
    weights = read_bytes(found.weights, MOST_BYTES)
    return bool(facts.get("weights_sha256") == hashlib.sha256(weights).hexdigest())


def can_build(network: str) -> bool:
    """Return whether there is a network to build: trained, or imported or exported before."""
    words = called(network)
    is_there = (BUILD / words.name / "model.onnx").is_file()
    return is_there or words.path is not None or _is_trained(words)


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
    for arguments in steps(options.network, options.cycles, options.out, coding.arguments(options)):
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
    parser.add_argument(
        "network", help="a network of the zoo or in build/NETWORK, or the path of a .toml"
    )
    parser.add_argument(
        "--cycles",
        type=whole(1, 10**9),
        help="most cycles a frame may take in any layer (default: the network's own target, or the "
        "fastest that leaves room on the part)",
    )
    parser.add_argument("--out", type=Path, help="folder of the bundle (default build/NETWORK)")
    coding.add_options(parser)
    options = parser.parse_args(arguments)
    return start.finish(lambda: run(options))


if __name__ == "__main__":
    sys.exit(main())
