"""Spinflow: binary neural networks on FPGAs with MRAM memories that make write errors.

In a checkout this file makes the rooms beside it one package: `spinflow.host` is `host/`,
`spinflow.sim` is `sim/`. Installed, it is the package's own `__init__.py`, and the rooms lie beside
it just the same. It is also the command `spinflow`, which knows its sub-commands by name only and
imports the one that is asked for. It needs nothing but Python, so that it runs on a board, too.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import NamedTuple

__path__ = [str(Path(__file__).resolve().parent)]
__version__ = "0.1.0"

HOST = "spinflow.host.__main__"


class Command(NamedTuple):
    """A sub-command: the module whose `main` it is, what the module needs, and what it is for."""

    module: str
    extra: str
    what: str


COMMANDS = {
    "data": Command("spinflow.model.data.__main__", "", "find or fetch a data set, and check it"),
    "train": Command("spinflow.model.train", "train", "train a network"),
    "evaluate": Command("spinflow.model.evaluate", "train", "accuracy of trained weights"),
    "export": Command("spinflow.model.export", "train", "write a trained network as QONNX"),
    "import": Command("spinflow.hls.foreign.command", "build", "take a network made elsewhere"),
    "bundle": Command("spinflow.hls.build", "build", "take QONNX through FINN, to a bundle"),
    "simulator": Command("spinflow.sim.verilate", "build", "compile the RTL of a bundle"),
    "build": Command("spinflow.sim.bundle_build", "build", "export, bundle and simulator in one"),
    "depths": Command("spinflow.sim.depths", "build", "find how deep a bundle's buffers must be"),
    "hls-kernel": Command("spinflow.hls.kernels.__main__", "hls", "units in C++: C simulation, IP"),
    "finn-hls": Command(
        "spinflow.hls.finn_hls", "build", "a network of FINN's own HLS units, as C++"
    ),
    "synth": Command("spinflow.hw.synth.__main__", "build", "size of an accelerator, by yosys"),
    "synth-block": Command("spinflow.hw.synth.block", "build", "size of one module of the RTL"),
    "formal": Command(
        "spinflow.hw.formal.__main__", "formal", "prove what cores of the RTL promise"
    ),
    "synth-page": Command("spinflow.hw.synth.page", "build", "docs/size.md, from synth's reports"),
    "cores-page": Command(
        "spinflow.hw.synth.cores_page", "build", "table of cores in hw/README.md"
    ),
    "route": Command("spinflow.hw.route.__main__", "route", "place and route an accelerator"),
    "info": Command(HOST, "board", "what a bundle holds"),
    "selftest": Command(HOST, "board", "check an accelerator, part by part"),
    "throughput": Command(HOST, "board", "images a second"),
    "run": Command(HOST, "board", "accuracy and write energy at one setting of the errors"),
    "sweep": Command("spinflow.sim.sweep", "sim", "the same over a grid of settings"),
    "optimise": Command(
        "spinflow.papers.optimise.command", "sim", "least write energy at an accuracy, by memory"
    ),
    "cell-map": Command("spinflow.sim.cell_maps", "sim", "cells with rates of their own: maps"),
    "report": Command(HOST, "", "tables and figures of results"),
    "serve": Command("spinflow.host.report.serve", "", "a local page that follows a sweep"),
    "papers": Command("spinflow.papers.__main__", "train", "the papers' results, measured"),
    "ecc": Command("spinflow.papers.ecc", "train", "error correction against none, measured"),
    "physics": Command("spinflow.papers.physics", "", "tables and curves of the junction models"),
    "bitstream": Command("spinflow.hw.boards.bitstream", "", "bitstream of a bundle, by Vivado"),
    "deploy": Command("spinflow.hw.boards.deploy", "", "copy a bundle and the driver to a board"),
    "board-sweep": Command("spinflow.hw.boards.board_sweep", "", "a sweep on a board, from here"),
}


def usage() -> str:
    """Return what `spinflow --help` says."""
    lines = [f"  {name:12} {command.what}" for name, command in COMMANDS.items()]
    return "\n".join(
        [
            "usage: spinflow COMMAND ...",
            "",
            "Binary neural networks on FPGAs with MRAM memories that make write errors.",
            "",
            *lines,
            "",
            "example: spinflow sweep --on evaluator --network tfc-mnist --rates 0 1e-3 1e-2",
            "",
            "spinflow COMMAND --help says what a command takes, spinflow --version the version.",
            'Completion in bash: eval "$(register-python-argcomplete spinflow)"',
        ]
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one sub-command; return the exit status: 0 done, 1 an error, 2 wrong use."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    if "_ARGCOMPLETE" in os.environ:
        return _complete()
    start = import_module("spinflow.host.core.start")
    start.begin()
    if not words:
        start.say("spinflow: a command is missing (see spinflow --help)")
        return 2
    if words[0] in ("--help", "-h"):
        return int(start.finish(lambda: print(usage())))
    if words == ["--version"]:
        return int(start.finish(lambda: print(f"spinflow {__version__}")))
    if words[0] not in COMMANDS:
        start.say(f"spinflow: {words[0]!r} is no command: there are {', '.join(COMMANDS)}")
        return 2
    return _run(words)


def _run(words: list[str]) -> int:
    """Import the module of a command and call its `main`."""
    command = COMMANDS[words[0]]
    module = command.module
    if words[0] == "sweep" and not Path(__path__[0], "sim").is_dir():
        module = HOST  # a board has no other engine than itself
    try:
        program = import_module(module)
    except ModuleNotFoundError as error:
        start = import_module("spinflow.host.core.start")
        name = error.name or module
        if name.startswith("spinflow."):
            start.say(f"spinflow: {words[0]} is not here, as on a board: run it where all of it is")
        else:
            extra = f"[{command.extra}]" if command.extra else ""
            start.say(
                f"spinflow: {words[0]} needs the package {name}, which this Python lacks: "
                f"make setup in a checkout, or pip install 'spinflow{extra}'"
            )
        return 1
    # The programs of `host` share one parser, which looks at the command's name itself.
    return int(program.main(words if module == HOST else words[1:]) or 0)


def _complete() -> int:
    """Let argcomplete print what may follow the words in COMP_LINE."""
    typed = os.environ.get("COMP_LINE", "").split()
    name = typed[1] if len(typed) > 1 else ""
    if name in COMMANDS:
        # How many words stand before those that the command's own parser takes.
        os.environ["_ARGCOMPLETE"] = "1" if COMMANDS[name].module == HOST else "2"
        return _run([name])
    parser = import_module("argparse").ArgumentParser(prog="spinflow")
    parser.add_argument("command", choices=list(COMMANDS))
    import_module("argcomplete").autocomplete(parser)
    return 0


if __name__ == "__main__":
    sys.exit(main())
