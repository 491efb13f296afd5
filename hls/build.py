"""Builds a bundle: `spinflow bundle NETWORK` takes `build/NETWORK/model.onnx` through FINN.

The bundle is what docs/contracts.md says, without the simulator's library, which `sim.verilate`
adds.
A build either replaces the whole bundle or leaves the old one as it was, even if it is killed:
everything is made in a folder beside it, and then the two change places in one step.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING

from spinflow.hls.paths import BUILD, REPO, BuildError
from spinflow.hls.trained import read_trained
from spinflow.host.core import start
from spinflow.host.core.coding import PLAIN, Coding, add_options, chosen
from spinflow.host.core.description import Description, RegisterMap, read, registers_of
from spinflow.host.core.errors import BundleError
from spinflow.host.core.files import held, put_in_place, remove_leftovers, replace_text, work_beside
from spinflow.host.core.networks import called
from spinflow.host.core.options import whole
from spinflow.host.core.reading import read_json
from spinflow.hw import boards

if TYPE_CHECKING:
    from spinflow.hls.bundle import Order

REGISTERS = BUILD / "regs"
REGISTER_SOURCES = (REPO / "hw" / "regs" / "spinflow.rdl", REPO / "hw" / "regs" / "generate.py")


def build(
    source: Path,
    cycles: int | None = None,
    out: Path | None = None,
    given: dict[str, dict[str, int]] | None = None,
    board: boards.Board | None = None,
    *,
    coding: Coding = PLAIN,
) -> Description:
    """Build the bundle of a network.

    Args:
        source: folder of model.onnx and model.json; its name is the network's.
        cycles: most cycles that a frame may take in any layer; if None the network's own target,
            and without one the fastest that leaves room on the part.
        out: folder of the bundle; ``source`` if None.
        given: PE and SIMD by layer name that the search is not to choose.
        board: that it is for; the default board if None.
        coding: which memories are coded.

    Returns:
        What was written to accel.json.

    Raises:
        BuildError: a file is missing or damaged, the target cannot be met, the design does not fit
            the part or FINN failed.
    """
    out = (out or source).resolve()
    remove_leftovers(out)
    trained = read_trained(source)
    if cycles is None:
        cycles = trained.cycles
    if cycles is not None and cycles < 1:
        raise BuildError(f"cycles per frame must be at least 1, not {cycles}")
    from spinflow.hls import graph  # imports ONNX, which takes a while

    graph.read(source / "model.onnx")
    registers = _read_registers()
    # FINN takes seconds to import; bad input is refused before that.
    from spinflow.hls.bundle import Order

    board = board or boards.board()
    order = Order(source, trained, cycles, given, board, registers, REGISTERS, coding)
    return _make(order, out)


def _make(order: Order, out: Path) -> Description:
    """Make a bundle beside its folder, and put it in the folder's place."""
    from spinflow.hls import bundle

    with work_beside(out) as work:
        made, finn = work.path / "made", work.path / "finn"
        made.mkdir()
        finn.mkdir()
        try:
            description = bundle.make(order, made, finn)
        except BuildError as error:
            if "finn.log" in str(error):
                _keep_log(finn, out)
            raise
        _keep_log(finn, made)
        replace_text(made / "accel.json", json.dumps(description.as_json(), indent=2) + "\n")
        try:
            read(made).check_files()  # as every program will
        except BundleError as error:
            raise BuildError(
                f"the bundle that was made cannot be read, which is a fault of the build: {error}"
            ) from error
        # spinflow.sim.verilate may be at work there.
        with held(out) if out.is_dir() else nullcontext():
            put_in_place(made, out)
    return description


def _keep_log(finn: Path, folder: Path) -> None:
    if (finn / "finn.log").is_file():
        folder.mkdir(parents=True, exist_ok=True)
        (finn / "finn.log").replace(folder / "finn.log")


def _read_registers() -> RegisterMap:
    """Return the register map, made again if its description is newer."""
    path = REGISTERS / "regmap.json"
    newest = max(source.stat().st_mtime for source in REGISTER_SOURCES)
    if not path.is_file() or path.stat().st_mtime < newest:
        made = subprocess.run(
            [sys.executable, "-m", "spinflow.hw.regs.generate", REGISTERS],
            cwd=REPO,
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            check=False,
        )
        if made.returncode:
            last = (made.stderr.strip().splitlines() or ["no message"])[-1]
            raise BuildError(f"the register block cannot be made: {last}")
    return registers_of(json.loads(path.read_text(encoding="utf-8")))


def read_folding(path: Path) -> dict[str, dict[str, int]]:
    """Read PE and SIMD by layer name: {"conv0": {"PE": 4, "SIMD": 27}, ...}.

    Raises:
        BuildError: the file is missing or of another form.
    """
    given = read_json(path, 1 << 20, BuildError)
    if not all(
        isinstance(entry, dict) and all(type(v) is int and v >= 1 for v in entry.values())
        for entry in given.values()
    ):
        raise BuildError(f'folding {path} must be of the form {{"conv0": {{"PE": 4, "SIMD": 27}}}}')
    return given


def summary(described: Description, part: Mapping[str, int] | None = None) -> str:
    """Return what a build made, for people: the folding, its estimate, the depths.

    Args:
        described: the bundle.
        part: what the part has, by resource, if the target was the search's to choose.
    """
    chosen = described.folding
    lines = [f"{'layer':<8}{'PE':>5}{'SIMD':>6}{'window':>13}{'LUT':>8}{'RAMB36':>8}"]
    for name, layer in chosen.layers.items():
        window = f"{layer.window_simd or ''}{' x all' if layer.parallel else ''}"
        lines.append(
            f"{name:<8}{layer.pe:>5}{layer.simd:>6}{window:>13}"
            f"{layer.estimate['LUT']:>8}{layer.estimate['RAMB36']:>8}"
        )
    total = ", ".join(f"{count} {resource}" for resource, count in chosen.estimate.items())
    why = ""
    if part is not None:
        shares = {name: count / max(1, part[name]) for name, count in chosen.estimate.items()}
        fullest = max(shares, key=lambda name: shares[name])
        why = (
            f", the fastest that was found; it takes {shares[fullest]:.0%} of the part's {fullest}"
        )
    memories = described.memories
    words = ", ".join(
        f"{memory.name} {memory.depth}" for memory in memories if not memory.is_weights
    )
    weights = [memory for memory in memories if memory.is_weights]
    bits = str(sum(memory.bits for memory in weights))
    if any(memory.code is not None for memory in weights):
        bits += f" stored for {sum(memory.data_width * memory.depth for memory in weights)}"
    return "\n".join(
        [
            *lines,
            f"target {chosen.target_cycles} cycles per frame{why}",
            f"estimate {total}; words of the buffers ({described.depths.how}): {words}",
            f"{described.network}: build {described.build_id:08x}, {described.cycles_per_frame} "
            f"cycles per frame, {bits} weight bits, {len(memories)} memories",
        ]
    )


def main(arguments: list[str] | None = None) -> int:
    """Build what the command line asks for; return the exit status."""
    parser = start.Parser(
        prog="spinflow bundle",
        description="Take a network in QONNX, build/NETWORK/model.onnx, through FINN to a bundle.",
        epilog="example: spinflow bundle tfc-mnist --cycles 512",
    )
    parser.add_argument(
        "network", help="a network exported to build/NETWORK, by name or by its .toml"
    )
    parser.add_argument(
        "--cycles",
        type=whole(1, 10**9),
        help="most cycles a frame may take in any layer (default: the network's own target, or "
        "the fastest that leaves room on the part)",
    )
    parser.add_argument("--folding", type=Path, help="JSON file of PE and SIMD by layer")
    parser.add_argument("--out", type=Path, help="folder of the bundle (build/NETWORK)")
    parser.add_argument("--board", help="kind of board that it is for, a folder of hw/boards")
    add_options(parser)
    options = parser.parse_args(arguments)

    def make() -> None:
        network = called(options.network).name
        given = read_folding(options.folding) if options.folding else None
        board = boards.board(options.board)
        source = BUILD / network
        coding = chosen(options)
        described = build(source, options.cycles, options.out, given, board, coding=coding)
        has_target = options.cycles is not None or read_trained(source).cycles is not None
        print(summary(described, None if has_target else board.resources))

    return start.finish(make)


if __name__ == "__main__":
    sys.exit(main())
