"""The command line: ``python -m host info|run|sweep|report``; every error is one line."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from host import bundle as bundles
from host import report
from host.driver import Accelerator
from host.errors import HostError, InputError
from host.images import TestSet, mnist_test
from host.results import read, set_aside
from host.sweep import (
    Bench,
    Point,
    Trial,
    grid,
    identity,
    point_of_pulse,
    point_of_rate,
    point_of_target,
    sweep,
)

DEFAULT_RATES = (0.0, 1e-4, 1e-3, 1e-2, 3e-2, 1e-1)
DEFAULT_IMAGES = 500
DEFAULT_REPEATS = 5


class _Parser(argparse.ArgumentParser):
    """A parser whose errors are one line, as all errors of this program."""

    def error(self, message: str) -> None:  # type: ignore[override]
        self.exit(2, f"error: {message} (see {self.prog} --help)\n")


def info(options: argparse.Namespace) -> None:
    """Print what a bundle holds, and what its registers hold once it is loaded."""
    bundle = bundles.load(options.bundle)
    print(f"{bundle.network}, build {bundle.build_id:#010x}, {bundle.clock_mhz:g} MHz")
    print(f"trained network: accuracy {bundle.software_accuracy:.4f}")
    print(
        f"folding: {bundle.cycles_per_frame} cycles a frame, "
        f"{bundle.clock_mhz * 1e6 / bundle.cycles_per_frame:.0f} frames/s at most"
    )
    for layer in bundle.layers:
        facts = ", ".join(f"{k} {v}" for k, v in layer.items() if k not in ("name", "op"))
        print(f"  {layer['name']:8} {layer['op']:13} {facts}")
    with Accelerator(bundle) as accelerator:
        print("memories:")
        print("  no  name            kind      words   bits  mode    rate1       rate0       seed")
        for memory in bundle.memories:
            mode, rate1, rate0, seed = accelerator.errors(memory.name)
            print(
                f"  {memory.index:2}  {memory.name:15} {memory.kind:8} {memory.depth:6} "
                f"{memory.width:6}  {mode:6}  {rate1:<10.4g}  {rate0:<10.4g}  {seed:#010x}"
            )


def run(options: argparse.Namespace) -> None:
    """Measure one trial and print it."""
    bundle, tests = bundles.load(options.bundle), _images(options)
    point = point_of_rate(options.rate, options.rate0)
    mode = options.mode or ("flip" if point.rate1 or point.rate0 else "off")
    trial = grid(
        bundle,
        selections=[options.memory],
        modes=[mode],
        points=[point],
        backgrounds=[options.background],
        repeats=options.repeat + 1,
        seed=options.seed,
    )[-1]
    with Accelerator(bundle) as accelerator:
        row = Bench(accelerator, tests).row(trial)
    cycles = row.cycles / row.images
    print(f"{row.network}, build {row.build_id:#010x}, {tests.choice}")
    print(f"{_written(trial)}: {row.bits_written} bits written, {row.switched} of them switched")
    print(f"errors     {row.errors} ({row.err1} on a written 1, {row.err0} on a written 0)")
    print(f"energy     {row.energy_j:.4g} J at {row.energy_per_bit_j * 1e12:.4g} pJ a bit")
    print(f"accuracy   {row.accuracy:.4f}")
    print(
        f"cycles     {row.cycles} ({cycles:.1f} a frame, {row.stalls} stalled): "
        f"{row.clock_mhz * 1e6 / cycles:.0f} frames/s at {row.clock_mhz:g} MHz"
    )


def run_sweep(options: argparse.Namespace) -> None:
    """Run a sweep, or the rest of it, and write its report."""
    bundle, tests = bundles.load(options.bundle), _images(options)
    trials = grid(
        bundle,
        selections=options.memory,
        modes=options.mode,
        points=_points(options),
        backgrounds=options.background,
        repeats=options.repeats,
        seed=options.seed,
    )
    path = options.out / "results.csv"
    if options.set_aside and (old := set_aside(path, identity(bundle, tests))):
        print(f"earlier results of another build or other images are now {old}", file=sys.stderr)
    print(f"{len(trials)} trials, each on {tests.choice}; rows go to {path}", file=sys.stderr)
    sweep(bundle, tests, trials, path)
    _report([path], options.out)


def run_report(options: argparse.Namespace) -> None:
    """Write the report of results files."""
    _report(options.results, options.out)


def _report(paths: list[Path], folder: Path) -> None:
    rows = [row for path in paths for row in read(path)]
    groups = report.summarise(rows)
    print(report.table(groups))
    report.write(groups, folder)
    print(f"wrote {folder / 'summary.json'} and {folder / 'report.html'}")


def _written(trial: Trial) -> str:
    rates = f"rate1 {trial.point.rate1:g}, rate0 {trial.point.rate0:g}"
    return f"{trial.selection} in mode {trial.mode}, {rates}"


def _images(options: argparse.Namespace) -> TestSet:
    return mnist_test(options.images, options.data_dir, options.image_seed)


def _points(options: argparse.Namespace) -> list[Point]:
    if options.rate0 is not None:
        if options.pulse or options.target_rate:
            raise InputError("--rate0 goes with --rates: a write condition gives both rates")
        if len(options.rate0) not in (1, len(options.rates)):
            raise InputError(
                f"--rate0 has {len(options.rate0)} values: give one, or as many as --rates"
            )
        zeros = options.rate0 * (len(options.rates) if len(options.rate0) == 1 else 1)
        return [point_of_rate(one, zero) for one, zero in zip(options.rates, zeros, strict=True)]
    if options.pulse:
        return [point_of_pulse(pulse) for pulse in options.pulse]
    if options.target_rate:
        return [point_of_target(rate) for rate in options.target_rate]
    return [point_of_rate(rate) for rate in options.rates]


def _parser() -> _Parser:
    parser = _Parser(prog="python -m host", description="Run a Spinflow accelerator.")
    commands = parser.add_subparsers(required=True, metavar="info|run|sweep|report")

    with_bundle = _Parser(add_help=False)
    with_bundle.add_argument(
        "--bundle", type=Path, required=True, help="folder of the bundle, as build/tfc-mnist"
    )
    with_images = _Parser(add_help=False)
    with_images.add_argument(
        "--images",
        type=int,
        default=DEFAULT_IMAGES,
        help="test images to run (default %(default)s)",
    )
    with_images.add_argument(
        "--image-seed", type=int, help="choose the images at random with this seed, not the first"
    )
    with_images.add_argument(
        "--data-dir", type=Path, help="folder with MNIST's IDX files (default: the cache)"
    )
    with_images.add_argument(
        "--seed", type=int, default=1, help="base seed of the random streams (default %(default)s)"
    )
    memories = "a memory's name, or weights, buffers, all"
    backgrounds = "zeros, ones, random:SEED or previous: what the weights are written over"

    command = commands.add_parser("info", parents=[with_bundle], help=info.__doc__)
    command.set_defaults(command=info)

    command = commands.add_parser("run", parents=[with_bundle, with_images], help=run.__doc__)
    command.set_defaults(command=run)
    command.add_argument("--memory", default="all", help=f"{memories} (default all)")
    command.add_argument("--mode", help="off, flip or switch (default flip, or off at rate 0)")
    command.add_argument("--rate", type=float, default=0.0, help="bit-error rate (default 0)")
    command.add_argument("--rate0", type=float, help="that of a written 0, if another")
    command.add_argument(
        "--background", default="random:1", help=f"{backgrounds} (default random:1)"
    )
    command.add_argument("--repeat", type=int, default=0, help="number of the repeat (default 0)")

    command = commands.add_parser(
        "sweep", parents=[with_bundle, with_images], help=run_sweep.__doc__
    )
    command.set_defaults(command=run_sweep)
    command.add_argument(
        "--memory",
        nargs="+",
        default=["weights", "buffers"],
        help=f"each: {memories} (default weights buffers)",
    )
    command.add_argument(
        "--mode", nargs="+", default=["flip"], help="each: off, flip or switch (default flip)"
    )
    points = command.add_mutually_exclusive_group()
    points.add_argument(
        "--rates",
        nargs="+",
        type=float,
        default=DEFAULT_RATES,
        help=f"bit-error rates (default {' '.join(f'{rate:g}' for rate in DEFAULT_RATES)})",
    )
    points.add_argument(
        "--target-rate", nargs="+", type=float, help="write conditions by the rate that they reach"
    )
    points.add_argument(
        "--pulse", nargs="+", type=float, help="write conditions by their pulse width in seconds"
    )
    command.add_argument(
        "--rate0", nargs="+", type=float, help="rates of a written 0, if others: one, or as --rates"
    )
    command.add_argument(
        "--background",
        nargs="+",
        default=["random:1"],
        help=f"each: {backgrounds}; repeat n rewrites over `previous` n times (default random:1)",
    )
    command.add_argument(
        "--repeats", type=int, default=DEFAULT_REPEATS, help="repeats (default %(default)s)"
    )
    command.add_argument(
        "--out",
        type=Path,
        default=Path("out/run"),
        help="folder of the results (default %(default)s)",
    )
    command.add_argument(
        "--set-aside",
        action="store_true",
        help="rename results of another network, build or set of images instead of refusing them",
    )

    command = commands.add_parser("report", help=run_report.__doc__)
    command.set_defaults(command=run_report)
    command.add_argument("results", nargs="+", type=Path, help="results files")
    command.add_argument(
        "--out",
        type=Path,
        default=Path("out/run"),
        help="folder of the report (default %(default)s)",
    )
    return parser


def main(arguments: list[str] | None = None) -> int:
    """Run one command; return the exit status."""
    options = _parser().parse_args(arguments)
    try:
        options.command(options)
    except HostError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except OSError as error:
        print(f"error: {error.filename or 'input/output'}: {error.strerror}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("interrupted: finished rows are kept, the same command goes on", file=sys.stderr)
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
