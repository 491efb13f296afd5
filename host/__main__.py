"""The command line: ``spinflow COMMAND``; every error is one line."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from spinflow.host.board import selftest, throughput
from spinflow.host.board.driver import FRAMES_A_TRANSFER, Accelerator, backend
from spinflow.host.board.info import show
from spinflow.host.core import bundle as bundles
from spinflow.host.core import start
from spinflow.host.core.errors import InputError
from spinflow.host.core.files import check_replaceable
from spinflow.host.core.options import number, rate, seed, whole
from spinflow.host.core.start import Parser
from spinflow.host.core.test_sets import TestSet, images_for
from spinflow.host.report import report
from spinflow.host.sweep import grid as grids
from spinflow.host.sweep.bench import Bench
from spinflow.host.sweep.conditions import read_conditions
from spinflow.host.sweep.grid import Grid
from spinflow.host.sweep.operating_point import (
    OperatingPoint,
    aging_of,
    of_device,
    point_of_rate,
    point_of_write_condition,
)
from spinflow.host.sweep.results import Identity, ResultsFile, Row, read
from spinflow.host.sweep.running import Measure, Measuring, fill, on_accelerator
from spinflow.host.sweep.trials import Trial, grid, identity, in_grid


def info(options: argparse.Namespace) -> None:
    """Print what a bundle holds, and what its registers hold once it is loaded."""
    show(options.bundle)


def run(options: argparse.Namespace) -> None:
    """Measure one trial and print it."""
    bundle = bundles.load(options.bundle)
    tests = images_for(bundle, options.images, options.data_dir, options.image_seed)
    point = _point(options)
    mode = options.mode or ("flip" if point.has_errors else "off")
    trial = grid(
        bundle,
        selections=[options.memory],
        modes=[mode],
        points=[point],
        backgrounds=[options.background],
        repeats=options.repeat + 1,
        seed=options.seed,
        agings=lambda point: [aging_of(point, options.retention_s, options.reads)],
    )[-1]
    with Accelerator(bundle) as accelerator:
        (sample,) = Bench(accelerator, tests).samples([trial])
    row = sample.row
    cycles = row.cycles / row.images
    print(f"{row.network}, build {row.build_id:#010x}, {tests.choice}")
    print(f"{_written(trial)}: {row.bits_written} bits written, {row.switched} of them switched")
    print(f"errors     {row.errors} ({row.err1} on a written 1, {row.err0} on a written 0)")
    if any(memory.code for memory in bundle.memories):
        print(f"codes      {sample.codes}")
    if trial.aging:
        print(f"aged       {row.upsets} stored bits turned over")
    bound = f" ± {row.energy_bound_j:.2g}" if row.energy_bound_j else ""
    print(f"energy     {row.energy_j:.4g}{bound} J at {row.energy_per_bit_j * 1e12:.4g} pJ a bit")
    print(f"condition  {_condition(point)}")
    print(f"accuracy   {row.accuracy:.4f}")
    print(
        f"cycles     {row.cycles} ({cycles:.1f} a frame, {row.stalls} stalled): "
        f"{row.clock_mhz * 1e6 / cycles:.0f} frames/s at {row.clock_mhz:g} MHz"
    )
    print(f"latency    {row.latency_min} to {row.latency_max} cycles from first word to label")


def run_throughput(options: argparse.Namespace) -> None:
    """Measure images a second, by the wall clock and by counted cycles."""
    bundle = bundles.load(options.bundle)
    with Accelerator(bundle) as accelerator:
        print(f"{bundle.network}, build {bundle.build_id:#010x}, on {accelerator.backend}")
        measured = throughput.measure(accelerator, options.images, options.batch)
    print("\n".join(measured.lines()))


def run_sweep(options: argparse.Namespace, on: Measuring = on_accelerator) -> None:
    """Run a sweep, or the rest of it, and write its report.

    Args:
        options: of the command line.
        on: makes what measures: one accelerator, where the caller has no others.
    """
    plan = grids.from_options(options)
    loaded = [bundles.load(folder) for folder in plan.folders()]
    tests = [
        images_for(bundle, plan.images, options.data_dir, plan.image_seed) for bundle in loaded
    ]
    for bundle in loaded:
        with Accelerator(bundle):
            pass  # nothing is written for an accelerator that is another or does not answer
    sweeps = []
    for bundle, images in zip(loaded, tests, strict=True):
        of = identity(bundle, images, backend(bundle))
        sweeps.append(Planned(of, plan.trials(bundle), on(bundle, images), images, bundle.folder))
    run_sweeps(plan, sweeps, options.out, options.set_aside)


@dataclass(frozen=True)
class Planned:
    """The sweep of one network of a grid.

    Attributes:
        of: what its rows share.
        trials: the trials.
        measure: what measures them.
        tests: the images.
        bundle: folder of the bundle, or the network's name where it has none.
    """

    of: Identity
    trials: Sequence[Trial]
    measure: Measure
    tests: TestSet
    bundle: Path


def run_sweeps(plan: Grid, sweeps: Sequence[Planned], folder: Path, aside: bool) -> None:
    """Run the sweeps of a grid, one a network, and write the report of all.

    The results files of all are held from the beginning, and the report is of the rows in them.

    Args:
        plan: the grid.
        sweeps: of the networks.
        folder: where results and report go; with several networks the results of each go into a
            folder of its name.
        aside: rename results of another sweep instead of refusing them.
    """
    names = _names(plan, sweeps)
    places = [folder] if len(sweeps) == 1 else [folder / name for name in names]
    rows: list[Row] = []
    with ExitStack() as stack:
        opened = [
            stack.enter_context(
                ResultsFile(place / "results.csv", s.of, in_grid(s.of, s.trials), aside)
            )
            for place, s in zip(places, sweeps, strict=True)
        ]
        for each in opened:
            if each.moved is not None:
                print(f"earlier results of another sweep are now {each.moved}", file=sys.stderr)
        for each, s in zip(opened, sweeps, strict=True):
            print(
                f"{s.of.network}: {len(s.trials)} trials{' at least' if plan.until else ''}, each "
                f"on {s.tests.choice}; rows go to {each.path}",
                file=sys.stderr,
            )
            rows += fill(each, s.of, s.trials, s.measure, plan.until)
        _report(rows, [each.path for each in opened], folder)


def _names(plan: Grid, sweeps: Sequence[Planned]) -> list[str]:
    """Return a name for the folder of each network: its own, else that of its bundle.

    Raises:
        InputError: a build appears twice, or no bundle holds a network that the grid names.
    """
    for place, s in enumerate(sweeps):
        if s.of in [before.of for before in sweeps[:place]]:
            raise InputError(
                f"{s.of.network} build {s.of.build_id:#010x} appears twice: give each build once"
            )
    networks = [s.of.network for s in sweeps]
    for name in plan.networks:
        if name not in networks:
            raise InputError(f"no bundle holds the network {name}: give a bundle that does")
    names = [
        s.bundle.resolve().name if networks.count(s.of.network) > 1 else s.of.network
        for s in sweeps
    ]
    return [
        f"{name}-{s.of.build_id:08x}" if names.count(name) > 1 else name
        for name, s in zip(names, sweeps, strict=True)
    ]


def run_selftest(options: argparse.Namespace) -> int:
    """Check the accelerator of a bundle, on the board or on the virtual board."""
    bundle = bundles.load(options.bundle)
    golden = selftest.read_golden(bundle)
    if options.json is not None:
        check_replaceable(options.json)  # before minutes of checks, not after them
    results = []
    with Accelerator(bundle, wait_s=20.0, check=False) as accelerator:
        print(
            f"{bundle.network}, build {bundle.build_id:#010x}, on {accelerator.backend}, "
            f"pynq {accelerator.pynq_version}"
        )
        for result in selftest.Selftest(accelerator, golden, options.full, options.seed).results():
            print(selftest.line(result), flush=True)
            results.append(result)
        if options.json is not None:
            selftest.write_report(options.json, accelerator, results, options.full, options.seed)
    if not options.full:
        print("Words and images are a choice where a line says so; --full takes them all.")
    print(selftest.verdict(results))
    return 0 if all(result.passed for result in results) else 1


def run_report(options: argparse.Namespace) -> None:
    """Write the report of results files, of one network or several, board, RTL or evaluator."""
    rows = [row for path in options.results for row in read(path)]
    _report(rows, options.results, options.out, options.keep, options.keep_loss)


def _report(
    rows: Sequence[Row],
    paths: Sequence[Path],
    folder: Path,
    keep: float | None = None,
    loss: float | None = None,
) -> None:
    """Print the table of rows, which are those of these files, and write their report."""
    groups = report.summarise(rows)
    found = report.kept(groups, keep, loss)
    print(report.table(groups))
    for line in report.kept_lines(found):
        print(line)
    written = report.write(groups, folder, found)
    print(f"wrote {' and '.join(map(str, written))}")
    if len(written) == 1:
        print(
            "no report.html: this Python has no matplotlib; where there is one, spinflow "
            f"report {' '.join(map(str, paths))} makes it"
        )


def _written(trial: Trial) -> str:
    point = trial.point
    rates = f"rate1 {point.rate1:g}, rate0 {point.rate0:g}"
    if point.each:
        found = sorted({rate for _, own in point.each for rate in (own.rate1, own.rate0)})
        rates = f"rates of the memories {found[0]:g} to {found[-1]:g}"
    return f"{trial.selection} in mode {trial.mode}, {rates}"


def _point(options: argparse.Namespace) -> OperatingPoint:
    if options.conditions is not None:
        for name in ("rate", "rate0", "write_condition"):
            if getattr(options, name) is not None:
                raise InputError(
                    f"--{name.replace('_', '-')} together with --conditions: a file of conditions "
                    "already gives the rates of every memory"
                )
        return read_conditions(options.conditions, options.device)
    if options.write_condition is None:
        return point_of_rate(options.rate or 0.0, options.rate0, options.device)
    if options.rate is not None or options.rate0 is not None:
        raise InputError(
            "--rate together with --write-condition: a write condition already gives both rates"
        )
    return point_of_write_condition(of_device(options.write_condition, options.device))


def _condition(point: OperatingPoint) -> str:
    if point.each:
        return f"{len(point.each)} {point.model}, one for each memory"
    drive = f"{point.drive:.4g} {point.drive_unit}"
    return f"{point.model}, {drive}, pulse of {point.pulse_s * 1e9:.4g} ns"


def add_sweep_options(command: argparse.ArgumentParser) -> None:
    """Add the options of a sweep, wherever it runs: its grid, and what becomes of the results."""
    grids.add_options(command)
    command.add_argument(
        "--out",
        type=Path,
        default=Path("out/run"),
        help="folder of the results (default %(default)s)",
    )
    command.add_argument(
        "--set-aside",
        action="store_true",
        help="rename results of another network, build, set of images or grid instead of refusing "
        "them",
    )


Job = Callable[[argparse.Namespace], int | None]
"""What a sub-command does; it returns the exit status, None for 0."""

Commands = Any
"""What argparse's ``add_subparsers`` returns, which it gives no public type."""


def _command(commands: Commands, name: str, job: Job, example: str, *parents: Parser) -> Parser:
    """Add a sub-command that does a job, with an example of its use in its help."""
    what = (job.__doc__ or "").split("\n")[0]
    command: Parser = commands.add_parser(
        name, parents=parents, help=what, description=what, epilog=f"example: {example}"
    )
    command.set_defaults(command=job)
    return command


def _folder(text: str) -> Path | str:
    """Return a folder; argparse also asks for the type of what stands for an argument left out."""
    return text if text is argparse.SUPPRESS else Path(text)


def _with_bundle() -> Parser:
    options = Parser(add_help=False)
    either = options.add_mutually_exclusive_group(required=True)
    either.add_argument(
        "bundle",
        nargs="?",
        type=_folder,
        default=argparse.SUPPRESS,
        help="folder of the bundle, as build/tfc-mnist",
    )
    either.add_argument("--bundle", type=Path, help="the same, as spinflow sweep calls it")
    return options


def _with_data() -> Parser:
    options = Parser(add_help=False)
    options.add_argument(
        "--data-dir",
        type=Path,
        help="folder with the data set's files (default: data/ of the bundle, or the cache)",
    )
    return options


def _add_info(commands: Commands) -> None:
    _command(commands, "info", info, "spinflow info build/tfc-mnist", _with_bundle())


def _add_run(commands: Commands) -> None:
    example = "spinflow run build/tfc-mnist --memory weights --mode flip --rate 1e-2"
    command = _command(commands, "run", run, example, _with_bundle(), _with_data())
    command.add_argument(
        "--images",
        type=whole(1, 10**9),
        default=grids.DEFAULT_IMAGES,
        help="test images to run (default %(default)s, or all if there are fewer)",
    )
    command.add_argument(
        "--image-seed",
        type=whole(0, 2**63),
        help="choose the images at random with this seed; without it, the first are taken",
    )
    command.add_argument(
        "--seed",
        type=seed,
        default=grids.DEFAULT_SEED,
        help="base seed; each memory and repeat gets a stream of its own from it (default "
        "%(default)s)",
    )
    command.add_argument("--memory", default="all", help=f"{grids.MEMORIES} (default all)")
    command.add_argument("--mode", help="off, flip or switch (default flip, or off at rate 0)")
    command.add_argument("--rate", type=rate, help="bit-error rate (default 0)")
    command.add_argument("--rate0", type=rate, help="that of a written 0, if it differs")
    command.add_argument("--write-condition", help=grids.SETTINGS["write_condition"].help)
    command.add_argument("--device", help=grids.SETTINGS["device"].help)
    command.add_argument(
        "--conditions",
        type=Path,
        metavar="FILE",
        help="file of write conditions, one for each memory",
    )
    command.add_argument(
        "--retention-s", type=number(0, 1e30), default=0.0, help=grids.SETTINGS["retention_s"].help
    )
    command.add_argument(
        "--reads", type=whole(0, 2**63 - 1), default=0, help=grids.SETTINGS["reads"].help
    )
    command.add_argument(
        "--background", default="random:1", help=f"{grids.BACKGROUNDS} (default random:1)"
    )
    command.add_argument(
        "--repeat", type=whole(0, 2**26 - 1), default=0, help="number of the repeat (default 0)"
    )


def _add_throughput(commands: Commands) -> None:
    example = "spinflow throughput build/tfc-mnist --images 10000"
    command = _command(commands, "throughput", run_throughput, example, _with_bundle())
    command.add_argument(
        "--images",
        type=whole(1, 10**9),
        default=grids.DEFAULT_IMAGES,
        help="random images to run (default %(default)s)",
    )
    command.add_argument(
        "--batch",
        type=whole(1, 10**9),
        default=FRAMES_A_TRANSFER,
        help="images that one DMA transfer carries, at most (default %(default)s)",
    )


def _add_sweep(commands: Commands) -> None:
    example = "spinflow sweep --network tfc-mnist --rates 0 1e-3 1e-2 --out out/run"
    add_sweep_options(_command(commands, "sweep", run_sweep, example, _with_data()))


def _add_report(commands: Commands) -> None:
    example = "spinflow report out/run/results.csv --keep-loss 1 --out out/run"
    command = _command(commands, "report", run_report, example)
    command.add_argument("results", nargs="+", type=Path, help="results files")
    keep = command.add_mutually_exclusive_group()
    keep.add_argument(
        "--keep",
        type=float,
        metavar="ACCURACY",
        help="name the highest rate and the lowest energy that keep this accuracy, as 0.98",
    )
    keep.add_argument(
        "--keep-loss",
        type=float,
        metavar="POINTS",
        help="the same for the accuracy without errors minus this number of percentage points",
    )
    command.add_argument(
        "--out",
        type=Path,
        default=Path("out/run"),
        help="folder of the report (default %(default)s)",
    )


def _add_selftest(commands: Commands) -> None:
    example = "spinflow selftest build/tfc-mnist --full"
    command = _command(commands, "selftest", run_selftest, example, _with_bundle())
    command.add_argument(
        "--full", action="store_true", help="every word and every golden image, not a choice"
    )
    command.add_argument(
        "--seed",
        type=seed,
        default=1,
        help="base seed of patterns and errors; each memory gets its own from it (default "
        "%(default)s)",
    )
    command.add_argument(
        "--json", type=Path, metavar="FILE", help="also write the results to this file"
    )


def _parser() -> Parser:
    parser = Parser(prog="spinflow", description="Run a Spinflow accelerator.")
    commands = parser.add_subparsers(
        required=True, metavar="info|run|throughput|sweep|report|selftest"
    )
    for add in (_add_info, _add_run, _add_throughput, _add_sweep, _add_report, _add_selftest):
        add(commands)
    return parser


def finish(command: Callable[[], int | None]) -> int:
    """Run a command; print its error as one line. Return the exit status."""
    return start.finish(command, interrupted="a sweep keeps its rows, the same command goes on")


def main(arguments: list[str] | None = None) -> int:
    """Run one command; return the exit status."""
    options = _parser().parse_args(arguments)
    return finish(lambda: options.command(options))


if __name__ == "__main__":
    sys.exit(main())
