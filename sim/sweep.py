"""Sweeps in software, on all cores or on a cluster: ``spinflow sweep --grid FILE``.

The grid, the trials, their seeds and energies, the results file and the report are those of
``spinflow sweep``; only what measures a trial is another. A row depends on its trial alone,
and rows are written in the order of the grid, whoever measured them first: the file is the same
for any number of workers, for local ones and a Dask cluster, and after any interruption.
"""

from __future__ import annotations

import argparse
import math
import os
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

from spinflow.host.__main__ import Parser, Planned, add_sweep_options, finish, run_sweeps
from spinflow.host.core import bundle as bundles
from spinflow.host.core.errors import InputError
from spinflow.host.core.test_sets import images_for, images_of
from spinflow.host.sweep import grid as grids
from spinflow.host.sweep.trials import identity
from spinflow.sim.workers import (
    BACKENDS,
    REPOSITORY,
    Job,
    SweepError,
    in_processes,
    in_this_process,
    job_of_bundle,
    job_of_network,
)


def run(options: argparse.Namespace) -> None:
    """Run a sweep in software, or the rest of it, and write its report."""
    from spinflow.sim.cluster import on_cluster

    plan = grids.from_options(options)
    if options.workers is not None and options.workers < 1:
        raise SweepError(f"{options.workers} workers: at least 1 is needed")
    workers = options.workers or os.cpu_count() or 1
    cluster = _cluster(options)
    sweeps = []
    for job, folder in _jobs_of(plan, options.data_dir, options.backend):
        bundle = job.device(1).bundle
        measure = (
            on_cluster(job, cluster)
            if cluster is not None
            else in_processes(job, workers)
            if workers > 1
            else in_this_process(job)
        )
        of = identity(bundle, job.tests, options.backend)
        sweeps.append(Planned(of, plan.trials(bundle), measure, job.tests, folder))
    run_sweeps(plan, sweeps, options.out, options.set_aside)


def _cluster(options: argparse.Namespace) -> Any:
    """Return the ``spinflow.sim.cluster.Cluster`` that is asked for and is there; None if none is.

    Raises:
        SweepError: it is not there, or its certificates are not.
    """
    from spinflow.sim.cluster import PATIENCE_S, Cluster, security_of

    patience_s = PATIENCE_S if options.patience is None else options.patience
    if not 0 < patience_s < math.inf:
        raise SweepError(f"patience of {patience_s:g} s: more than 0 is needed")
    address = options.scheduler or ""
    security = security_of(address, options.tls_ca_file, options.tls_cert, options.tls_key)
    if not address:
        return None
    cluster = Cluster(address, security, patience_s)
    with cluster.connected():
        pass  # nothing is written for a cluster that is not there
    return cluster


def _jobs_of(plan: grids.Grid, data_dir: Path | None, backend: str) -> list[tuple[Job, Path]]:
    """Return a job for each network of a grid, of its bundle, else of the zoo; and where it is."""
    found = []
    for place, folder in enumerate(plan.bundles):
        name = plan.networks[place] if place < len(plan.networks) else ""
        trained = name and (REPOSITORY / "model" / "zoo" / f"{name}.safetensors").is_file()
        if trained and not (folder / "accel.json").is_file():
            from spinflow.model.zoo import network

            dataset = network(name).dataset
            tests = images_of(dataset, plan.images, data_dir, plan.image_seed)
            found.append((job_of_network(name, tests, backend), Path(name)))
        else:
            try:
                names = plan.networks[place : place + 1]
                (there,) = replace(plan, networks=names, bundles=(folder,)).folders()
            except InputError as error:
                raise _untrained(name, plan.source) or error from None
            bundle = bundles.load(there, runnable=False)
            tests = images_for(bundle, plan.images, data_dir, plan.image_seed)
            found.append((job_of_bundle(there, tests, backend), there))
    if not found:
        plan.folders()  # says what is missing
    return found


def _untrained(name: str, source: str) -> SweepError | None:
    """Return the error of a network that is known but not trained; None if it is unknown."""
    from spinflow.model.zoo import NETWORKS

    base, _, label = name.partition("+")
    if base not in NETWORKS:
        return None
    where = f"{source}: " if source else ""
    return SweepError(
        f"{where}network {name!r} is not trained, and has no bundle: `spinflow train {base}"
        f"{f' --label {label}' if label else ''}` trains it"
    )


def main(arguments: list[str] | None = None) -> int:
    """Run the command line; return the exit status."""
    parser = Parser(prog="spinflow sweep", description=run.__doc__)
    add_sweep_options(parser)
    parser.add_argument(
        "--data-dir", type=Path, help="folder of the data set's files (default: the cache)"
    )
    parser.add_argument(
        "--backend",
        choices=BACKENDS,
        default=BACKENDS[0],
        help="evaluator (the hardware's random stream), evaluator-fast (its own, faster at low "
        "rates) or emulator (default %(default)s)",
    )
    where = parser.add_mutually_exclusive_group()
    where.add_argument("--workers", type=int, help="worker processes (default: one for each core)")
    where.add_argument(
        "--scheduler",
        metavar="ADDRESS",
        help="of a Dask cluster, as tcp://10.0.0.1:8786 or tls://10.0.0.1:8786",
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
    options = parser.parse_args(arguments)
    return finish(lambda: run(options))


if __name__ == "__main__":
    sys.exit(main())
