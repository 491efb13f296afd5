"""Sweeps: ``spinflow sweep --on rtl|board|evaluator|evaluator-fast|emulator``.

The grid, the trials, their seeds and energies, the results file and the report are the same
wherever a sweep runs; only what measures a trial is another. ``rtl`` is virtual boards, one for
each core, and ``board`` a real one, through the driver; the others measure in software, on all
cores or on a cluster. A row depends on its trial alone, and rows are written in the order of the
grid, whoever measured them first: the file is the same for any number of workers, for local ones
and a Dask cluster, and after any interruption.
"""

from __future__ import annotations

import argparse
import math
import os
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from spinflow.host.__main__ import (
    Planned,
    add_sweep_options,
    finish,
    run_sweep,
    run_sweeps,
)
from spinflow.host.board.driver import backend
from spinflow.host.core import bundle as bundles
from spinflow.host.core import description
from spinflow.host.core.errors import InputError
from spinflow.host.core.networks import SUFFIX, base_of
from spinflow.host.core.start import Parser
from spinflow.host.core.test_sets import images_for
from spinflow.host.sweep import grid as grids
from spinflow.host.sweep.trials import identity
from spinflow.model.zoo import NETWORKS, Found, find, how_to_train
from spinflow.sim import bundle_build
from spinflow.sim.engines import SOFTWARE
from spinflow.sim.sweeps.boards import on_boards
from spinflow.sim.sweeps.jobs import (
    Job,
    SweepError,
    images_of_network,
    job_of_bundle,
    job_of_network,
)
from spinflow.sim.sweeps.workers import in_processes, in_this_process

if TYPE_CHECKING:
    from spinflow.sim.sweeps.cluster import Cluster

HARDWARE = ("rtl", "board")
"""Where the driver measures: on the virtual board, or on a real one."""

ON = (*HARDWARE, *SOFTWARE)
"""Where a sweep can run."""


def run(options: argparse.Namespace) -> int:
    """Run a sweep, or the rest of it, and write its report."""
    plan = grids.from_options(options)
    if options.on == "rtl":
        status = _build_missing(plan)
        if status:
            return status
    on = options.on or _default(plan, options)
    if on in HARDWARE:
        _check_hardware(plan, options, on)
        boards = _workers(options) if on == "rtl" else 1
        run_sweep(options, lambda bundle, tests: on_boards(bundle, tests, boards))
    else:
        _run_in_software(plan, options, on)
    return 0


def _build_missing(plan: grids.Grid) -> int:
    """Build the networks that were imported or trained and not built yet; return the exit status.

    A network is meant by its name; a bundle that is given as a folder is taken as it is.
    """
    for place, (name, folder) in enumerate(zip(plan.networks, plan.bundles, strict=False)):
        is_named = folder.resolve() == bundle_build.BUILD / name
        trained = _trained(plan, place)
        files = (description.NAME, description.LIBRARIES["simulator"])
        is_built = all((folder / file).is_file() for file in files) and (
            trained is None or bundle_build.is_built(trained, folder)
        )
        asked = plan.asked[place]
        if is_named and not is_built and bundle_build.can_build(asked):
            status = bundle_build.run_step(["build", asked])
            if status:
                return status  # the step said why
    return 0


_WORKERS = {
    "--workers": "workers",
    "--scheduler": "scheduler",
    "--patience": "patience",
    "--tls-ca-file": "tls_ca_file",
    "--tls-cert": "tls_cert",
    "--tls-key": "tls_key",
}
"""Options that say who measures, and what the parser calls them."""


def _default(plan: grids.Grid, options: argparse.Namespace) -> str:
    """Return where a sweep runs that does not say so.

    That is the RTL (or the board) if all bundles have what runs them, unless an option says who is
    to measure in software, or how.
    """
    if options.whole or any(getattr(options, name) is not None for name in _WORKERS.values()):
        return SOFTWARE[0]
    trained = [_trained(plan, place) for place in range(len(plan.bundles))]
    if plan.bundles and all((f / description.BITSTREAM).is_file() for f in plan.bundles):
        return "board"
    library = description.LIBRARIES["simulator"]
    if plan.bundles and all(
        (folder / library).is_file() and (found is None or bundle_build.is_built(found, folder))
        for folder, found in zip(plan.bundles, trained, strict=True)
    ):
        return "rtl"
    return SOFTWARE[0]


def _check_hardware(plan: grids.Grid, options: argparse.Namespace, on: str) -> None:
    """Check that a sweep can run on the RTL or on a board.

    Raises:
        SweepError: an option is of sweeps in software, or a bundle is not for this.
    """
    for option, name in _WORKERS.items():
        where = ("rtl", *SOFTWARE) if option == "--workers" else SOFTWARE
        if getattr(options, name) is not None and on not in where:
            raise SweepError(f"{option} beside --on {on}: it is for {', '.join(where)} only")
    if options.whole:
        raise SweepError(f"--whole beside --on {on}: it is for {', '.join(SOFTWARE)} only")
    _check_built(plan)
    for folder in plan.folders():
        found = backend(bundles.load(folder))
        if found != on:
            what = {"rtl": "a simulator and no bitstream", "board": "a bitstream"}[found]
            raise SweepError(
                f"--on {on}: {folder} has {what}, so it runs with --on {found}"
                + (" (spinflow board-sweep runs one on a board)" if on == "board" else "")
            )


def _run_in_software(plan: grids.Grid, options: argparse.Namespace, on: str) -> None:
    """Run a sweep on an engine, by workers of this machine or of a cluster."""
    from spinflow.sim.sweeps.cluster import on_cluster

    workers = _workers(options)
    if options.scheduler and plan.maps:
        raise SweepError("cell_map with --scheduler: maps are files here, so take --workers")
    cluster = _cluster(options)
    sweeps = []
    for made, folder in _jobs_of(plan, options.data_dir, on):
        job = replace(made, whole=options.whole)
        bundle = job.device(1).bundle
        measure = (
            on_cluster(job, cluster)
            if cluster is not None
            else in_processes(job, workers)
            if workers > 1
            else in_this_process(job)
        )
        of = identity(bundle, job.tests, on)
        sweeps.append(Planned(of, plan.trials(bundle), measure, job.tests, folder))
    run_sweeps(plan, sweeps, options.out, options.set_aside)


def _workers(options: argparse.Namespace) -> int:
    """Return how many worker processes measure: as many as asked for, else one for each core."""
    if options.workers is not None and options.workers < 1:
        raise SweepError(f"{options.workers} workers: at least 1 is needed")
    return options.workers or os.cpu_count() or 1


def _cluster(options: argparse.Namespace) -> Cluster | None:
    """Return the cluster that is asked for and is there; None if none is.

    Raises:
        SweepError: it is not there, or its certificates are not.
    """
    from spinflow.sim.sweeps.certificates import security_of
    from spinflow.sim.sweeps.cluster import PATIENCE_S, Cluster

    patience_s = PATIENCE_S if options.patience is None else options.patience
    if not 0 < patience_s < math.inf:
        raise SweepError(f"patience of {patience_s:g} s: more than 0 is needed")
    address = options.scheduler or ""
    security = security_of(address, options.tls_ca_file, options.tls_cert, options.tls_key)
    if not address:
        if options.patience is not None:
            raise SweepError("--patience goes with --scheduler")
        return None
    cluster = Cluster(address, security, patience_s)
    with cluster.connected():
        pass  # nothing is written for a cluster that is not there
    return cluster


def _jobs_of(plan: grids.Grid, data_dir: Path | None, on: str) -> list[tuple[Job, Path]]:
    """Return a job for each network of a grid, of its bundle, else as it was trained; and where."""
    found = []
    for place, folder in enumerate(plan.bundles):
        name = plan.networks[place] if place < len(plan.networks) else ""
        trained = _trained(plan, place)
        if trained is not None and not bundle_build.is_built(trained, folder):
            tests = images_of_network(
                trained.entry.spec.dataset, plan.images, data_dir, plan.image_seed
            )
            found.append((job_of_network(plan.asked[place], tests, on), Path(name)))
        else:
            try:
                names = plan.networks[place : place + 1]
                (there,) = replace(plan, networks=names, bundles=(folder,)).folders()
            except InputError as error:
                raise _untrained(plan, place) or error from None
            bundle = bundles.load(there, runnable=False)
            tests = images_for(bundle, plan.images, data_dir, plan.image_seed)
            found.append((job_of_bundle(there, tests, on), there))
    if not found:
        plan.folders()  # says what is missing
    return found


def _trained(plan: grids.Grid, place: int) -> Found | None:
    """Return a network of a grid if its trained weights are there; None if they are not.

    Raises:
        SweepError: its description is damaged, or there is none.
    """
    asked = plan.asked[place] if place < len(plan.asked) else ""
    is_path = SUFFIX in asked
    if not is_path and base_of(asked) not in NETWORKS:
        return None
    try:
        found = find(asked)
    except ValueError as error:
        raise SweepError(f"{plan.source}: {error}" if plan.source else str(error)) from None
    return found if found.weights.is_file() else None


def _check_built(plan: grids.Grid) -> None:
    """Raise SweepError if the bundle of a network of one's own is missing, or another's."""
    for place, folder in enumerate(plan.bundles):
        found = _trained(plan, place)
        if found is not None and found.is_own and not bundle_build.is_built(found, folder):
            what = "is of other weights" if (folder / description.NAME).is_file() else "is missing"
            raise SweepError(
                f"{folder} {what}: `spinflow build {plan.asked[place]}` makes the bundle of "
                f"{found.weights}"
            )


def _untrained(plan: grids.Grid, place: int) -> SweepError | None:
    """Return the error of a network that is known but not trained; None if it is unknown."""
    asked = plan.asked[place] if place < len(plan.asked) else ""
    if SUFFIX not in asked and base_of(asked) not in NETWORKS:
        return None
    where = f"{plan.source}: " if plan.source else ""
    return SweepError(
        f"{where}network {asked!r} is not trained, and has no bundle: "
        f"`{how_to_train(find(asked).name)}` trains it"
    )


def _parser() -> Parser:
    parser = Parser(
        prog="spinflow sweep",
        description=run.__doc__,
        epilog="example: spinflow sweep --on evaluator --network tfc-mnist --images 500 "
        "--rates 0 1e-3 1e-2",
    )
    add_sweep_options(parser)
    parser.add_argument(
        "--data-dir", type=Path, help="folder of the data set's files (default: the cache)"
    )
    parser.add_argument(
        "--on",
        choices=ON,
        help="rtl (the virtual board; a network that is not built is built first), board, "
        "evaluator (the hardware's random stream), evaluator-fast (its own, faster at low rates) "
        "or emulator (default: rtl where all bundles have a simulator, board where all have a "
        "bitstream, if no option says how software is to measure; else evaluator)",
    )
    where = parser.add_mutually_exclusive_group()
    where.add_argument(
        "--workers",
        type=int,
        help="worker processes, with --on rtl each with a virtual board (default: one for each "
        "core)",
    )
    where.add_argument(
        "--scheduler",
        metavar="ADDRESS",
        help="of a Dask cluster, as tcp://10.0.0.1:8786 or tls://10.0.0.1:8786",
    )
    parser.add_argument(
        "--whole",
        action="store_true",
        help="compute every trial whole, in software: the rows are the same, and take longer than "
        "what the errors change",
    )
    parser.add_argument(
        "--patience",
        type=float,
        metavar="SECONDS",
        help="how long a cluster may take to answer (default 5)",
    )
    for name, what in (
        ("ca-file", "certificate of the authority that signed the cluster's"),
        ("cert", "certificate of this machine"),
        ("key", "key of this machine's certificate"),
    ):
        parser.add_argument(
            f"--tls-{name}", type=Path, metavar="FILE", help=f"{what}, PEM, for tls://"
        )
    return parser


def main(arguments: list[str] | None = None) -> int:
    """Run the command line; return the exit status."""
    options = _parser().parse_args(arguments)
    return finish(lambda: run(options))


if __name__ == "__main__":
    sys.exit(main())
