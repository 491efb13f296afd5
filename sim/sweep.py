"""Sweeps in software, on all cores or on a cluster: ``python -m sim.sweep --grid FILE``.

The grid, the trials, their seeds and energies, the results file and the report are those of
``python -m host sweep``; only what measures a trial is another. A row depends on its trial alone,
and rows are written in the order of the grid, whoever measured them first: the file is the same
for any number of workers, for local ones and a Dask cluster, and after any interruption.

Workers get all they need with the first task: bundle and images travel, no path is shared. What
must be there is this package, in the same version.
"""

from __future__ import annotations

import argparse
import functools
import hashlib
import importlib
import itertools
import logging
import math
import os
import pickle
import signal
import sys
import tempfile
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import (
    BrokenExecutor,
    CancelledError,
    Executor,
    Future,
    ProcessPoolExecutor,
)
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass, replace
from multiprocessing import active_children, connection, get_context, parent_process
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from host import bundle as bundles
from host import grid as grids
from host import rates
from host.__main__ import Parser, add_sweep_options, finish, run_sweeps
from host.bundle import Bundle, Memory, Registers, Words, check_words
from host.driver import Counts, Snapshot, background_words
from host.errors import HostError
from host.images import TestSet, images_for, images_of
from host.results import Row
from host.sweep import Bench, Measure, Measured, Trial, identity
from sim.bundle import read_description

BACKENDS = ("evaluator", "evaluator-fast", "emulator")

REPOSITORY = Path(__file__).parents[1]

CLUSTER_WAIT_S = 20.0
AHEAD = 4  # trials that are under way or done but not yet written, for each worker
DEATHS = 3  # workers that may die one after the other, with no row finished between


class SweepError(HostError):
    """Workers or a cluster that cannot do what is asked of them."""


class SoftwareAccelerator:
    """The operations of ``host.driver.Accelerator`` on the emulator or the evaluator.

    Args:
        bundle: the bundle that ``engine`` was made from.
        engine: it has the operations of ``sim.emulator.Emulator``.
        backend: its name in the results.
    """

    def __init__(self, bundle: Bundle, engine: Any, backend: str) -> None:
        self.bundle = bundle
        self.backend = backend
        self._engine = engine
        self._frames = 0
        # What the registers hold, so that a background can be written between.
        self._settings = {memory.name: ("off", 0, 0, 0) for memory in bundle.memories}

    def set_errors(
        self, memory: str, mode: str, rate1: float = 0.0, rate0: float | None = None, seed: int = 0
    ) -> None:
        """Set how the writes of one memory err; restarts its random stream."""
        one = rates.threshold(rate1)
        zero = one if rate0 is None else rates.threshold(rate0)
        self._settings[memory] = (mode, one, zero, seed)
        self._engine.set_errors(self.bundle.memory(memory).index, mode, one, zero, seed)

    def write_weights(
        self,
        arrays: Mapping[str, Words] | None = None,
        memories: Sequence[str] | None = None,
        background: str = "previous",
    ) -> dict[str, Counts]:
        """Write weights over a background, return what was counted, and reset."""
        given = dict(arrays or {})
        names = (
            memories if memories is not None else [m.name for m in self.bundle.select("weights")]
        )
        chosen = [self.bundle.memory(name) for name in dict.fromkeys([*names, *given])]
        for memory in chosen:
            check_words(memory, given.setdefault(memory.name, self.bundle.weights[memory.name]))
            before = background_words(memory, background)
            if before is not None:
                self._engine.set_errors(memory.index, "off", 0, 0, 0)
                self._engine.write_weights(memory.index, before)
            self._engine.set_errors(memory.index, *self._settings[memory.name])
        self._engine.clear()
        for memory in chosen:
            self._engine.write_weights(memory.index, given[memory.name])
        counts = {memory.name: self._counts(memory.index) for memory in chosen}
        self.soft_reset()
        return counts

    def read_weights(self, memory: str) -> Words:
        """Read a weight memory back: uint32, shape (depth, segments)."""
        words: Words = self._engine.read_weights(self.bundle.memory(memory).index)
        return words

    def run(self, images: npt.NDArray[Any]) -> npt.NDArray[np.uint8]:
        """Classify images, uint8, shape (n, pixels); labels, uint8, shape (n,)."""
        labels = self._engine.run(images, taps=False)[0]
        self._frames += len(labels)
        return labels.astype(np.uint8)

    def snapshot(self) -> Snapshot:
        """Read all counters. Software has no cycles: they are 0."""
        counts = {memory.name: self._counts(memory.index) for memory in self.bundle.memories}
        return Snapshot(counts, self._frames, cycles=0, stalls=0)

    def soft_reset(self) -> None:
        """Clear stream positions, buffers and counters."""
        self._engine.soft_reset()
        self._frames = 0

    def _counts(self, index: int) -> Counts:
        counters = self._engine.counters(index)
        return Counts(
            int(counters.written), int(counters.switched), int(counters.err1), int(counters.err0)
        )


@dataclass(frozen=True)
class Job:
    """All that a worker needs to measure trials; it is pickled and sent there once.

    Attributes:
        files: the bundle's files by name, as far as software reads them; empty without a bundle.
        network: of an evaluator without a bundle, ``sim.evaluator.Network`` or
            ``sim.quantized.QuantizedNetwork``; None with one.
        name: name of the network.
        tests: the images.
        backend: one of BACKENDS.
        version: digest of the source that measures, where that could be another than here;
            a worker refuses to work with another.
    """

    files: dict[str, bytes]
    network: Any
    name: str
    tests: TestSet
    backend: str
    version: str = ""

    @functools.cached_property
    def digest(self) -> str:
        """A name of its own for every job."""
        content = pickle.dumps((self.files, self.network, self.tests.fingerprint, self.backend))
        return hashlib.sha256(content).hexdigest()[:16]

    def device(self, threads: int | None = None) -> SoftwareAccelerator:
        """Return what measures trials, on so many threads, by default one for each core.

        Raises:
            HostError: it is not the bundle that this machine's source can run.
        """
        stream = "fast" if self.backend == "evaluator-fast" else "hardware"
        if self.network is not None:
            from sim.evaluator import Evaluator

            engine: Any = Evaluator.from_network(self.network, stream, threads)
            return SoftwareAccelerator(bundle_of(self.name, engine), engine, self.backend)
        with tempfile.TemporaryDirectory(prefix="spinflow-") as folder:
            for name, content in self.files.items():
                Path(folder, name).write_bytes(content)
            bundle = bundles.load(Path(folder), runnable=False)
            if self.backend == "emulator":
                from sim.emulator import Emulator

                engine = Emulator(folder)
            else:
                from sim.evaluator import Evaluator

                engine = Evaluator.from_bundle(folder, stream, threads)
        return SoftwareAccelerator(bundle, engine, self.backend)

    def bench(self, threads: int | None) -> Bench:
        """Set up what measures the trials of this job.

        Raises:
            SweepError: this process has another version of the source.
        """
        if self.version not in ("", version()):
            raise SweepError(
                "a worker runs another version of Spinflow: update it to that of this machine"
            )
        return Bench(self.device(threads), self.tests)


def job_of_bundle(folder: Path, tests: TestSet, backend: str) -> Job:
    """Return the job of a bundle's folder."""
    bundle = bundles.load(folder, runnable=False)
    names = ["accel.json", *read_description(folder)["files"]]
    files = {name: (folder / name).read_bytes() for name in names}
    return Job(files, None, bundle.network, tests, backend)


def job_of_network(name: str, tests: TestSet, backend: str) -> Job:
    """Return the job of a trained network of the zoo that has no bundle.

    Raises:
        SweepError: the emulator is asked for, which has nothing to emulate.
    """
    if backend == "emulator":
        raise SweepError(f"{name} has no bundle, which the emulator needs: use the evaluator")
    from sim.evaluator import Evaluator

    return Job({}, Evaluator.from_network(name).network, name, tests, backend)


def bundle_of(name: str, engine: Any) -> Bundle:
    """Return a network without a bundle as one, as far as trials need it.

    Its memories lie in the natural order of the evaluator. It has no accelerator: the clock is 0,
    and the build id is a digest of its weights.
    """
    memories = tuple(
        Memory(
            m["index"], m["name"], m["kind"], m["layer"], m["width"], m["depth"],
            -(-m["width"] // 32) if m["kind"] == "weights" else 0,
        )
        for m in engine.description["memories"]
    )  # fmt: skip
    weights = {m.name: engine.weights(m.layer) for m in memories if m.is_weights}
    digest = hashlib.sha256(b"".join(weights[name].tobytes() for name in sorted(weights)))
    shape = tuple(engine.description["input"]["shape"])
    return Bundle(
        folder=Path(name),
        network=name,
        build_id=int.from_bytes(digest.digest()[:4], "little"),
        clock_mhz=0.0,
        cycles_per_frame=0,
        input_shape=shape,
        classes=0,
        length_bits=0,
        software_accuracy=math.nan,
        layers=engine.description.get("layers", []),
        registers=Registers(0, {}, {}, 0, 0, {}),
        memories=memories,
        weights=weights,
        overlay=None,
        dataset="",  # the images come with the job
    )


@functools.cache
def version() -> str:
    """Return a digest of the source that makes a row of a trial."""
    digest = hashlib.sha256()
    for folder in ("host", "sim", "sim/evaluator"):
        for path in sorted((REPOSITORY / folder).glob("*.py")):
            if path.name not in _NO_PART:
                digest.update(path.relative_to(REPOSITORY).as_posix().encode() + path.read_bytes())
    return digest.hexdigest()


_NO_PART = ("__main__.py", "grid.py", "report.py", "statistics.py", "board.py", "build.py")
"""Files of the source that take no part in measuring a trial."""


# What a worker process has: the job that it was given, and the bench that it made of it.
_jobs: dict[str, Job] = {}
_benches: dict[str, Bench] = {}
_threads: dict[str, int | None] = {}
_lock = threading.Lock()  # a Dask worker may run tasks in several threads


def take(job: Job, threads: int | None) -> None:
    """Give this process a job, and so many threads for it (None: one for each core)."""
    _jobs[job.digest] = job
    _threads[job.digest] = threads


def forget(digest: str) -> None:
    """Drop what this process has of a job."""
    for kept in (_jobs, _threads, _benches):
        kept.pop(digest, None)


def measure_one(digest: str, trial: Trial) -> tuple[Row, float]:
    """Measure a trial of a job that this process was given; return its row and the seconds."""
    with _lock:
        if digest not in _benches:
            _benches[digest] = _jobs[digest].bench(_threads[digest])
        start = time.perf_counter()
        row = _benches[digest].row(trial)
        return row, time.perf_counter() - start


def _start_worker(job: Job) -> None:
    """Make this process a worker of one job that ends with its parent, however that ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the terminal sends it to all; the parent acts
    take(job, 1)
    parent = parent_process()
    if parent is not None:
        sentinel = parent.sentinel

        def follow() -> None:
            connection.wait([sentinel])
            os._exit(1)

        threading.Thread(target=follow, daemon=True).start()


def in_this_process(job: Job) -> Measure:
    """Return what measures trials one after the other, here, with all cores for each."""

    def measure(trials: Sequence[Trial]) -> Measured:
        take(job, None)
        try:
            for trial in trials:
                yield measure_one(job.digest, trial)
        finally:
            forget(job.digest)

    return measure


def in_processes(job: Job, workers: int) -> Measure:
    """Return what measures trials in worker processes of this machine, one core each."""

    @contextmanager
    def pool() -> Iterator[_Pool]:
        with _one_thread_each():
            before = set(active_children())
            executor = ProcessPoolExecutor(workers, get_context("spawn"), _start_worker, (job,))
            try:
                yield executor, lambda: workers
            except BaseException:
                # Interrupted or failed: what is under way is of no use, and waiting for workers
                # that may be stuck could take for ever.
                for child in set(active_children()) - before:
                    child.terminate()
                raise
            finally:
                executor.shutdown(wait=True, cancel_futures=True)

    return _in_order(job, pool)


_Pool = tuple[Executor, Callable[[], int]]
"""What takes tasks, and how many workers it has now."""


def _in_order(job: Job, pool: Callable[[], AbstractContextManager[_Pool]]) -> Measure:
    """Return what measures trials on a pool and yields their rows in the order of the trials.

    A few trials for each worker are under way at once, so that none waits for the slowest, and an
    interruption loses little. When a worker process dies, a new pool measures what is missing.
    """

    def measure(trials: Sequence[Trial]) -> Measured:
        done = deaths = 0
        while done < len(trials):
            try:
                with pool() as (executor, workers):
                    waiting = iter(trials[done:])
                    pending: deque[Future[tuple[Row, float]]] = deque()
                    while True:
                        room = AHEAD * max(workers(), 1) - len(pending)
                        for trial in itertools.islice(waiting, max(room, 0)):
                            pending.append(executor.submit(measure_one, job.digest, trial))
                        if not pending:
                            break
                        row = pending.popleft().result()
                        done, deaths = done + 1, 0
                        yield row
            except BrokenExecutor:
                deaths += 1
                if deaths == DEATHS:
                    raise SweepError(
                        f"worker processes died {DEATHS} times before they finished a trial: is "
                        "there memory for all of them? Try fewer --workers"
                    ) from None

    return measure


@contextmanager
def _one_thread_each() -> Iterator[None]:
    """Let processes that start now keep to one thread: they share the cores among them."""
    names = ("NUMBA_NUM_THREADS", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
    before = {name: os.environ.get(name) for name in names}
    os.environ.update(dict.fromkeys(names, "1"))
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def on_cluster(job: Job, address: str) -> Measure:
    """Return what measures trials on the workers of a Dask cluster.

    Dask measures again what a worker did not finish that died or left; workers may join any time.
    """
    from distributed import KilledWorker, WorkerPlugin

    job = replace(job, version=version())

    class Give(WorkerPlugin):
        """Gives the job to every worker, those that join later included."""

        name = f"spinflow-{job.digest}"

        def setup(self, worker: Any) -> None:
            """Take the job."""
            take(job, worker.state.nthreads)

        def teardown(self, worker: Any) -> None:
            """Forget the job."""
            forget(job.digest)

    @contextmanager
    def pool() -> Iterator[_Pool]:
        with _connected(address) as client:
            try:
                client.register_plugin(Give())
            except ImportError as error:
                raise SweepError(
                    f"the workers at {address} cannot import Spinflow ({error}): start them in its "
                    "folder, with its build environment and PYTHONPATH=."
                ) from None
            executor = client.get_executor(pure=False)
            try:
                yield executor, _Counted(client)
            except KilledWorker as error:
                raise SweepError(
                    f"workers died one after the other: {str(error).splitlines()[0]}"
                ) from None
            except CancelledError:
                raise SweepError(f"the Dask scheduler at {address} is gone") from None
            finally:
                executor.shutdown(wait=False)
                with suppress(Exception):  # the scheduler may be gone
                    client.unregister_worker_plugin(Give.name)

    return _in_order(job, pool)


class _Counted:
    """The number of workers of a cluster, asked for now and then: each asking is a round trip."""

    def __init__(self, client: Any) -> None:
        self._client = client
        self._asked = -math.inf
        self._count = 1

    def __call__(self) -> int:
        if time.monotonic() > self._asked + 5.0:
            self._asked, self._count = time.monotonic(), len(self._client.nthreads())
        return self._count


@contextmanager
def _connected(address: str) -> Iterator[Any]:
    """A client of the scheduler at an address, which has workers.

    Raises:
        SweepError: no scheduler answers there, or it has no worker.
    """
    from distributed import Client

    # The client's own words about a connection that fails come on many lines.
    logging.getLogger("distributed").setLevel(logging.CRITICAL)
    try:
        client = Client(address, timeout=CLUSTER_WAIT_S, set_as_default=False)
    except (OSError, ValueError, TimeoutError) as error:
        reason = str(error).partition("\n")[0] or type(error).__name__
        raise SweepError(f"no Dask scheduler answers at {address}: {reason}") from None
    with client:
        try:
            client.wait_for_workers(1, timeout=CLUSTER_WAIT_S)
        except TimeoutError:
            raise SweepError(
                f"the Dask scheduler at {address} has no worker: start some with "
                f"`dask worker {address}`"
            ) from None
        yield client


def run(options: argparse.Namespace) -> None:
    """Run a sweep in software, or the rest of it, and write its report."""
    plan = grids.from_options(options)
    if options.workers is not None and options.workers < 1:
        raise SweepError(f"{options.workers} workers: at least 1 is needed")
    workers = options.workers or os.cpu_count() or 1
    if options.scheduler is not None:
        with _connected(options.scheduler):
            pass  # nothing is written for a cluster that is not there
    sweeps = []
    jobs = _jobs_of(plan, options.data_dir, options.backend)
    for job in jobs:
        bundle = job.device(1).bundle
        measure = (
            on_cluster(job, options.scheduler)
            if options.scheduler is not None
            else in_processes(job, workers)
            if workers > 1
            else in_this_process(job)
        )
        of = identity(bundle, job.tests, options.backend)
        sweeps.append((of, plan.trials(bundle), measure))
    run_sweeps(plan, [job.tests for job in jobs], sweeps, options.out, options.set_aside)


def _jobs_of(plan: grids.Grid, data_dir: Path | None, backend: str) -> list[Job]:
    """Return a job for each network of a grid: of its bundle, else of the zoo."""
    found = []
    for place, folder in enumerate(plan.bundles):
        name = plan.networks[place] if place < len(plan.networks) else ""
        trained = name and (REPOSITORY / "model" / "zoo" / f"{name}.safetensors").is_file()
        if trained and not (folder / "accel.json").is_file():
            from model.zoo import network

            dataset = network(name).dataset
            tests = images_of(dataset, plan.images, data_dir, plan.image_seed)
            found.append(job_of_network(name, tests, backend))
        else:
            names = plan.networks[place : place + 1]
            (there,) = replace(plan, networks=names, bundles=(folder,)).folders()
            bundle = bundles.load(there, runnable=False)
            tests = images_for(bundle, plan.images, data_dir, plan.image_seed)
            found.append(job_of_bundle(there, tests, backend))
    if not found:
        plan.folders()  # says what is missing
    return found


def main(arguments: list[str] | None = None) -> int:
    """Run the command line; return the exit status."""
    parser = Parser(prog="python -m sim.sweep", description=run.__doc__)
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
        "--scheduler", metavar="ADDRESS", help="of a Dask cluster, as tcp://10.0.0.1:8786"
    )
    options = parser.parse_args(arguments)
    return finish(lambda: run(options))


if __name__ == "__main__":
    # Workers know this module as sim.sweep: what is sent to them must be of that name.
    sys.exit(importlib.import_module("sim.sweep").main())
