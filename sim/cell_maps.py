"""Cell maps: ``spinflow cell-map make|show|export|import|faults|replay``.

spinflow cell-map make mlp-mnist --law beta --rate 1e-2 --shape 0.5 --seed 1 --out map.npz
spinflow cell-map show map.npz
spinflow sweep --on evaluator --network mlp-mnist --cell-map map.npz
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from spinflow.host.core import bundle as bundles
from spinflow.host.core import cell_files, description, faults
from spinflow.host.core import options as types
from spinflow.host.core.bundle import Bundle
from spinflow.host.core.cells import (
    FREE,
    STUCK_AT_0,
    STUCK_AT_1,
    CellMap,
    rates_of,
    refuse_coded,
)
from spinflow.host.core.errors import InputError
from spinflow.host.core.files import replace_text
from spinflow.host.core.networks import called
from spinflow.host.core.packing import bits_of
from spinflow.host.core.start import Parser, finish
from spinflow.host.core.tables import aligned
from spinflow.host.core.test_sets import AtMost, TestSet, images_for
from spinflow.host.core.text import one_line
from spinflow.host.mtj.sun_gamma import SunGamma
from spinflow.host.sweep import grid as grids
from spinflow.host.sweep.bench import Bench
from spinflow.host.sweep.cell_laws import LAWS, Law, cells_of
from spinflow.host.sweep.operating_point import parts_of_condition
from spinflow.model.zoo import find
from spinflow.sim import bundle_build
from spinflow.sim.engines import engine
from spinflow.sim.sweeps.device import SoftwareAccelerator, bundle_of


def network_of(name: str) -> Bundle:
    """Return a network's memories: of a bundle's folder, of its bundle, else in the natural order.

    Its bundle is that of a sweep: build/NAME, and of a description one of these weights.

    Raises:
        HostError: there is no such bundle or network.
    """
    if (Path(name) / description.NAME).is_file():
        return bundles.load(Path(name), runnable=False)
    try:
        words = called(name)
        folder = bundle_build.BUILD / words.name
        is_there = (folder / description.NAME).is_file()
        if bundle_build.is_built(find(name), folder) if words.path else is_there:
            return bundles.load(folder, runnable=False)
        made = engine("evaluator", network=name, threads=1)
        return bundle_of(words.name, made, "evaluator")
    except ValueError as error:
        raise InputError(str(error).splitlines()[0]) from None


def made(
    bundle: Bundle, law: Law, selection: str, seed: int, *, condition: str = "", index: int = 0
) -> CellMap:
    """Draw the map of a selection of a network's memories; another index, another map."""
    words = [f"{law.name}, rates {law.rate1:g} and {law.rate0:g}"]
    if law.name == "beta":
        words.append(f"shape {law.shape:g}")
    if law.junction is not None:
        words = [f"spread at {one_line(condition, 300)}"]
    if law.by_word:
        words.append("a word's cells alike")
    if law.stuck0 or law.stuck1:
        words.append(f"stuck at 0 {law.stuck0:g}, at 1 {law.stuck1:g}")
    words.append(f"seed {seed}" + (f", map {index}" if index else ""))
    cells = {m.name: cells_of(law, m, seed, index) for m in bundle.select(selection)}
    return CellMap(bundle.network, cells, ", ".join(words), condition)


_OF_LAWS = {
    "rate": ("uniform", "beta"),
    "rate0": ("uniform", "beta"),
    "shape": ("beta",),
}
"""Options that some laws take and others do not."""


def _make(options: argparse.Namespace) -> None:
    """Draw a map of a network's memories."""
    for name, laws in _OF_LAWS.items():
        if getattr(options, name) is not None and options.law not in laws:
            raise InputError(f"--{name} is of the law {' or '.join(laws)}, not of {options.law}")
    rate = options.rate or 0.0
    law = Law(
        "uniform" if options.law == "spread" else options.law,
        rate,
        rate if options.rate0 is None else options.rate0,
        1.0 if options.shape is None else options.shape,
        options.stuck0,
        options.stuck1,
        by_word=options.by_word,
    )
    condition = options.write_condition or ""
    if (options.law == "spread") != bool(condition):
        raise InputError(
            "the law spread takes --write-condition sun-gamma:pulse=..,drive_spread=.., and only it"
        )
    if condition:
        junction, drive, pulse_s = parts_of_condition(condition)
        if not isinstance(junction, SunGamma):
            raise InputError(f"{condition}: the junctions that spread are those of sun-gamma")
        law = replace(law, name="spread", junction=junction, drive=drive, pulse_s=pulse_s)
    bundle = network_of(options.network)
    found = made(bundle, law, options.memory, options.seed, condition=condition)
    _write(options.out, found, bundle)


def _write(path: Path, cell_map: CellMap, bundle: Bundle) -> None:
    """Write a map of a bundle's memories, if they can have one."""
    refuse_coded(bundle.memory(name) for name in cell_map.memories)
    cell_files.write(path, cell_map)
    print(f"wrote {path}: {_words(cell_map)}")


def _words(cell_map: CellMap) -> str:
    cells = sum(each.stuck.size for each in cell_map.memories.values())
    return f"cell map {cell_map.digest} of {cell_map.network}, {cells} cells"


def _show(options: argparse.Namespace) -> None:
    """Print what a map holds."""
    found = cell_files.read(options.map)
    print(_words(found))
    if found.about:
        print(found.about)
    rows = [["memory", "words", "bits", "mean rate1", "mean rate0", "deviation1", "highest1",
             "stuck at 0", "stuck at 1"]]  # fmt: skip
    for name, cells in found.memories.items():
        rates = rates_of(cells.threshold1)[cells.stuck == FREE]
        one, zero = cells.mean_rates
        rows.append([
            name, str(cells.shape[0]), str(cells.shape[1]), f"{one:.4g}", f"{zero:.4g}",
            f"{rates.std() if rates.size else 0:.4g}", f"{rates.max() if rates.size else 0:.4g}",
            str(int((cells.stuck == STUCK_AT_0).sum())),
            str(int((cells.stuck == STUCK_AT_1).sum())),
        ])  # fmt: skip
    print("\n".join(aligned(rows, [False] + [True] * 8)))


def _export(options: argparse.Namespace) -> None:
    """Write a map as CSV."""
    replace_text(options.out, "".join(cell_files.to_csv(cell_files.read(options.map))))
    print(f"wrote {options.out}")


def _import(options: argparse.Namespace) -> None:
    """Make a map of a CSV file of measured cells."""
    bundle = network_of(options.network)
    about = f"imported from {one_line(options.csv.name, 100)}"
    found = cell_files.from_csv(options.csv, bundle.network, bundle.memories, about)
    _write(options.out, found, bundle)


def _faults(options: argparse.Namespace) -> None:
    """Write which bits a trial of a sweep stores wrong."""
    bundle = network_of(options.network)
    plan = grids.make({
        name: value
        for name in ("memory", "mode", "rates", "cell_map", "background", "seed")
        if (value := getattr(options, name)) is not None
    })  # fmt: skip
    trials = plan.trials(bundle)
    trial = replace(trials[0], repeat=options.repeat)
    if len({replace(each, repeat=0) for each in trials}) > 1:
        raise InputError("faults are of one trial: give one memory, mode, rate or map, background")
    chosen = bundle.select(trial.selection)
    buffers = [memory for memory in chosen if not memory.is_weights]
    coded = next((memory.name for memory in buffers if memory.code is not None), None)
    if coded is not None:
        raise InputError(
            f"{coded} has check bits (ecc), and what is stored is not seen behind its decoder: "
            "export the faults of weights alone"
        )
    own = {"bundle": bundle.folder} if bundle.dataset else {"network": options.network}
    made = engine("evaluator", threads=1, **own)
    images = np.zeros((1, bundle.pixels), np.uint8)
    if buffers:
        if not bundle.dataset:
            raise InputError(f"{options.network} has no bundle, whose images buffers would store")
        images = images_for(bundle, options.images, options.data_dir, None).images
    tests = TestSet(images, np.zeros(len(images), np.uint8), "of the faults")
    held = Bench(SoftwareAccelerator(bundle, made, "evaluator"), tests).write(trial)
    found = []
    for memory in chosen:
        if memory.is_weights:
            words = bundle.weights[memory.name], held[memory.name]
            both = [bits_of(each, memory.width) for each in words]
            found.append(faults.faults_of(memory, both[0], both[1]))
    taps = made.run(images)[1] if buffers else {}
    for memory in buffers:
        names = memory.name.removesuffix(".buffer"), memory.name
        both = [taps[name].reshape(-1, memory.width) for name in names]
        found.append(faults.faults_of(memory, both[0], both[1]))
    faults.write(options.out, bundle.network, found)
    print(f"wrote {options.out}: {sum(len(each.cell) for each in found)} faults")


def _replay(options: argparse.Namespace) -> None:
    """Make the map in which the faulty cells of weights are stuck as they were."""
    bundle = network_of(options.network)
    network, found = faults.read(options.faults)
    if network != bundle.network:
        raise InputError(f"{options.faults} is of {network}, not of {bundle.network}")
    made = faults.replayed(options.faults, network, bundle.memories, bundle.weights, found)
    _write(options.out, made, bundle)


def _parser() -> Parser:
    parser = Parser(
        prog="spinflow cell-map",
        description="Maps in which each cell of a memory errs at its own rates.",
        epilog="example: spinflow cell-map make mlp-mnist --law beta --rate 1e-2 --out map.npz",
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    def command(name: str, call: Any) -> argparse.ArgumentParser:
        found: argparse.ArgumentParser = commands.add_parser(
            name, help=call.__doc__, description=call.__doc__
        )
        found.set_defaults(call=call)
        return found

    make = command("make", _make)
    make.add_argument("network", help="its name, or the folder of a bundle")
    make.add_argument("--out", type=Path, required=True, help="the npz file")
    make.add_argument("--memory", default="all", help="which memories (default all)")
    make.add_argument("--law", choices=LAWS, default="uniform", help="default uniform")
    make.add_argument("--rate", type=types.rate, help="mean rate (default 0)")
    make.add_argument("--rate0", type=types.rate, help="of a written 0 (default: as --rate)")
    make.add_argument("--shape", type=types.number(1e-3, 1e6), help="of beta (default 1)")
    make.add_argument("--by-word", action="store_true", help="all cells of a word have one rate")
    make.add_argument("--stuck0", type=types.rate, default=0.0, help="share of cells stuck at 0")
    make.add_argument("--stuck1", type=types.rate, default=0.0, help="share of cells stuck at 1")
    make.add_argument(
        "--write-condition", metavar="CONDITION",
        help="of the law spread, as sun-gamma:pulse=2ns,drive_spread=0.05,resistance_spread=0.05",
    )  # fmt: skip
    make.add_argument("--seed", type=types.seed, default=1, help="default 1")
    show = command("show", _show)
    show.add_argument("map", type=Path, help="npz file")
    export = command("export", _export)
    export.add_argument("map", type=Path, help="npz file")
    export.add_argument("--out", type=Path, required=True, help="the CSV file")
    take = command("import", _import)
    take.add_argument("network", help="its name, or the folder of a bundle")
    take.add_argument("csv", type=Path, help="columns memory, word, bit, rate1, rate0, stuck")
    take.add_argument("--out", type=Path, required=True, help="the npz file")
    list_ = command("faults", _faults)
    list_.add_argument("network", help="its name, or the folder of a bundle")
    for name in ("memory", "mode", "background"):
        list_.add_argument(f"--{name}", help=f"as of spinflow sweep --{name}")
    errs = list_.add_mutually_exclusive_group(required=True)
    errs.add_argument("--rate", type=types.rate, dest="rates", help="of all cells")
    errs.add_argument("--cell-map", help="npz file")
    list_.add_argument("--seed", type=types.seed, help="base seed (default 1)")
    list_.add_argument("--repeat", type=types.whole(0, 2**26 - 1), default=0, help="default 0")
    list_.add_argument(
        "--images",
        type=types.whole(1, 10**4),
        default=AtMost(10),
        help="that buffers take (default %(default)s, or all if there are fewer)",
    )
    list_.add_argument("--data-dir", type=Path, help="folder of the data set's files")
    list_.add_argument("--out", type=Path, required=True, help="the npz file")
    replay = command("replay", _replay)
    replay.add_argument("network", help="its name, or the folder of a bundle")
    replay.add_argument("faults", type=Path, help="npz file of `faults`")
    replay.add_argument("--out", type=Path, required=True, help="the npz file")
    return parser


def main(arguments: list[str] | None = None) -> int:
    """Run the command line; return the exit status."""
    options = _parser().parse_args(arguments)
    return finish(lambda: options.call(options))


if __name__ == "__main__":
    sys.exit(main())
