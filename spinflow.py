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

__path__ = [str(Path(__file__).resolve().parent)]
__version__ = "0.1.0"

# What each sub-command is for, and the module whose `main` it is. Those of `host` run on a board.
COMMANDS = {
    "data": ("spinflow.model.data.__main__", "find or fetch a data set, and check it"),
    "train": ("spinflow.model.train", "train a network"),
    "evaluate": ("spinflow.model.evaluate", "accuracy of a trained network, in software"),
    "export": ("spinflow.model.export", "write a trained network as QONNX"),
    "build": (
        "spinflow.sim.bundle_build",
        "take a network through all steps, to a bundle that runs",
    ),
    "bundle": ("spinflow.hls.build", "take an exported network through FINN, to a bundle"),
    "simulator": ("spinflow.sim.verilate", "compile the RTL of a bundle into its simulator"),
    "depths": ("spinflow.sim.depths", "find the depths that a bundle's buffers need"),
    "info": ("spinflow.host.__main__", "what a bundle holds"),
    "run": ("spinflow.host.__main__", "measure one setting of the memories' errors"),
    "throughput": ("spinflow.host.__main__", "images a second, on a board or simulated"),
    "selftest": ("spinflow.host.__main__", "check an accelerator, part by part"),
    "sweep": ("spinflow.sim.sweep", "accuracy and write energy against write errors"),
    "report": ("spinflow.host.__main__", "tables and figures of results"),
    "papers": ("spinflow.papers.__main__", "the papers' figures and tables, measured"),
    "physics": ("spinflow.papers.physics", "tables and curves of the junction models"),
    "synth": ("spinflow.hw.synth.__main__", "size of a bundle's accelerator, by yosys"),
    "synth-block": ("spinflow.hw.synth.block", "size of one module of the RTL, by yosys"),
    "synth-page": ("spinflow.hw.synth.page", "docs/size.md, from the reports of synth"),
    "bitstream": ("spinflow.hw.boards.bitstream", "bitstream of a bundle, with Vivado"),
    "deploy": ("spinflow.hw.boards.deploy", "copy a bundle and the driver to a board"),
    "board-sweep": ("spinflow.hw.boards.board_sweep", "run a sweep on a board, fetch its results"),
}


def usage() -> str:
    """Return what `spinflow --help` says."""
    lines = [f"  {name:12} {what}" for name, (_, what) in COMMANDS.items()]
    return "\n".join(
        [
            "usage: spinflow COMMAND ...",
            "",
            "Binary neural networks on FPGAs whose memories are MRAM.",
            "",
            *lines,
            "",
            "example: spinflow sweep --on evaluator --networks tfc-mnist --images 500",
            "spinflow COMMAND --help says more, spinflow --version which it is. Completion:",
            ' eval "$(register-python-argcomplete spinflow)"',
        ]
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one sub-command; return the exit status."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    if "_ARGCOMPLETE" in os.environ:
        return _complete()
    if words[:1] in (["--help"], ["-h"], []):
        print(usage(), file=sys.stdout if words else sys.stderr)
        return 0 if words else 2
    if words == ["--version"]:
        print(f"spinflow {__version__}")
        return 0
    start = import_module("spinflow.host.core.start")
    start.begin()
    if words[0] not in COMMANDS:
        start.say(f"spinflow: {words[0]!r} is no command; there are {', '.join(COMMANDS)}")
        return 2
    return _run(words)


def _run(words: list[str]) -> int:
    module = COMMANDS[words[0]][0]
    own = module == "spinflow.host.__main__"  # it has several commands and looks at the name itself
    try:
        program = import_module(module)
    except ModuleNotFoundError as error:
        start = import_module("spinflow.host.core.start")
        start.say(
            f"spinflow: {words[0]} needs {error.name}, which is not installed here: README, Install"
        )
        return 1
    return int(program.main(words if own else words[1:]) or 0)


def _complete() -> int:
    """Let argcomplete print what may follow; the words are in its variable COMP_LINE."""
    words = os.environ.get("COMP_LINE", "").split()
    name = words[1] if len(words) > 1 else ""
    if name in COMMANDS:
        own = COMMANDS[name][0] == "spinflow.host.__main__"
        os.environ["_ARGCOMPLETE"] = "1" if own else "2"
        return _run([name])
    argcomplete = import_module("argcomplete")
    argparse = import_module("argparse")
    parser = argparse.ArgumentParser(prog="spinflow")
    parser.add_argument("command", choices=list(COMMANDS))
    argcomplete.autocomplete(parser)
    return 0


if __name__ == "__main__":
    sys.exit(main())
