"""What a sweep in software hands to its workers, and how their rows come back in order.

Workers get all they need with the first task: bundle and images travel, no path is shared. What
must be there is this package, in the same version, with the same numpy and numba.
"""

from __future__ import annotations

import functools
import hashlib
import itertools
import json
import math
import os
import pickle
import platform
import signal
import tempfile
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import BrokenExecutor, ProcessPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from importlib import metadata
from multiprocessing import active_children, connection, get_context, parent_process
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from spinflow.host.board.driver import Snapshot, background_words
from spinflow.host.core import bundle as bundles
from spinflow.host.core import description
from spinflow.host.core.bundle import Bundle, MemoryInfo, Registers, Words, check_words
from spinflow.host.core.description import LabelSelect, Layer, MaxPool, Product
from spinflow.host.core.errors import HostError
from spinflow.host.core.memory import Counts
from spinflow.host.core.test_sets import TestSet
from spinflow.host.sweep.bench import Bench
from spinflow.host.sweep.results import Row
from spinflow.host.sweep.running import Measure, Measured
from spinflow.host.sweep.trials import Trial

BACKENDS = ("evaluator", "evaluator-fast", "emulator")

REPOSITORY = Path(__file__).parents[1]

AHEAD = 4  # trials that are under way or done but not yet written, for each worker
DEATHS = 3  # workers that may die one after the other, with no row finished between


class SweepError(HostError):
    """Workers or a cluster that cannot do what is asked of them."""


class SoftwareAccelerator:
    """The operations of ``host.board.driver.Accelerator`` on the emulator or the evaluator.

    Args:
        bundle: the bundle that ``engine`` was made from.
        engine: it has the operations of ``spinflow.sim.emulator.Emulator``.
        backend: its name in the results.
    """

    def __init__(self, bundle: Bundle, engine: Any, backend: str) -> None:
        self.bundle = bundle
        self.backend = backend
        self._engine = engine
        self._frames = 0
        # What the registers hold, so that a background can be written between.
        self._settings = {memory.name: ("off", 0, 0, 0) for memory in bundle.memories}

    def set_thresholds(
        self, memory: str, mode: str, threshold1: int = 0, threshold0: int = 0, seed: int = 0
    ) -> None:
        """Set how the writes of one memory err; restarts its random stream."""
        self._settings[memory] = (mode, threshold1, threshold0, seed)
        index = self.bundle.memory(memory).index
        self._engine.set_errors(index, mode, threshold1, threshold0, seed)

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
        network: of an evaluator without a bundle, ``spinflow.sim.evaluator.Network`` or
            ``spinflow.sim.fixed_point.QuantizedNetwork``; None with one.
        name: name of the network.
        tests: the images.
        backend: one of BACKENDS.
    """

    files: dict[str, bytes]
    network: Any
    name: str
    tests: TestSet
    backend: str

    @functools.cached_property
    def digest(self) -> str:
        """A name of its own for every job."""
        content = pickle.dumps((self.files, self.network, self.tests.fingerprint, self.backend))
        return hashlib.sha256(content).hexdigest()[:16]

    @property
    def packages(self) -> tuple[str, ...]:
        """The packages whose versions take part in a row."""
        from spinflow.sim.evaluator import Network

        own = self.network is None or isinstance(self.network, Network)
        return PACKAGES if own else (*PACKAGES, "torch")

    def device(self, threads: int | None = None) -> SoftwareAccelerator:
        """Return what measures trials, on so many threads, by default one for each core.

        Raises:
            HostError: it is not the bundle that this machine's source can run.
        """
        try:
            return self._device(threads)
        except HostError:
            raise
        except ValueError as error:
            raise SweepError(f"{self.name}: {str(error).splitlines()[0]}") from None

    def _device(self, threads: int | None) -> SoftwareAccelerator:
        stream = "fast" if self.backend == "evaluator-fast" else "hardware"
        if self.network is not None:
            from spinflow.sim.evaluator import Evaluator

            engine: Any = Evaluator.from_network(self.network, stream, threads)
            return SoftwareAccelerator(bundle_of(self.name, engine), engine, self.backend)
        with tempfile.TemporaryDirectory(prefix="spinflow-") as folder:
            for name, content in self.files.items():
                if name not in (description.NAME, *description.FILES):
                    raise SweepError(f"a job has a file {name[:40]!r}, which no bundle has")
                Path(folder, name).write_bytes(content)
            bundle = bundles.load(Path(folder), runnable=False)
            if self.backend == "emulator":
                from spinflow.sim.emulator import Emulator

                engine = Emulator(folder)
            else:
                from spinflow.sim.evaluator import Evaluator

                engine = Evaluator.from_bundle(folder, stream, threads)
        return SoftwareAccelerator(bundle, engine, self.backend)

    def bench(self, threads: int | None) -> Bench:
        """Set up what measures the trials of this job."""
        return Bench(self.device(threads), self.tests)


def job_of_bundle(folder: Path, tests: TestSet, backend: str) -> Job:
    """Return the job of a bundle's folder."""
    described = description.read(folder)
    files = {name: described.content(name) for name in described.files}
    files[description.NAME] = json.dumps(described.document).encode()
    return Job(files, None, described.network, tests, backend)


def job_of_network(name: str, tests: TestSet, backend: str) -> Job:
    """Return the job of a trained network of the zoo that has no bundle.

    Raises:
        SweepError: the emulator is asked for, which has nothing to emulate, or the network's
            weights are damaged.
    """
    if backend == "emulator":
        raise SweepError(f"{name} has no bundle, which the emulator needs: use the evaluator")
    from spinflow.sim.evaluator import Evaluator

    try:
        network = Evaluator.from_network(name).network
    except ValueError as error:
        raise SweepError(str(error).splitlines()[0]) from None
    return Job({}, network, name, tests, backend)


def bundle_of(name: str, engine: Any) -> Bundle:
    """Return a network without a bundle as one, as far as trials need it.

    Its memories lie in the natural order of the evaluator. It has no accelerator: the clock is 0,
    and the build id is a digest of its weights.
    """
    memories = tuple(
        MemoryInfo(
            m["index"], m["name"], m["kind"], m["layer"], m["width"], m["depth"],
            segments=-(-m["width"] // 32) if m["kind"] == "weights" else 0,
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
        layers=tuple(map(_layer, engine.description.get("layers", []))),
        registers=Registers(0, {}, {}, 0, 0, {}),
        memories=memories,
        weights=weights,
        overlay=None,
        dataset="",  # the images come with the job
    )


def _layer(entry: Mapping[str, Any]) -> Layer:
    """Return an entry of an engine's list of layers as far as a bundle needs it."""
    name, shape = entry["name"], tuple(entry["shape"])
    if entry["op"] == "mvu":
        weights, buffer = entry["weights"], entry["buffer"]
        return Product(name, 0, 0, 1, 1, False, buffer is not None, None, shape, weights, buffer)
    if entry["op"] == "max_pool":
        return MaxPool(name, 0, shape, entry["buffer"])
    return LabelSelect(name, 0)


PACKAGES = ("numpy", "numba")
"""Packages whose versions take part in every row."""


@functools.cache
def version() -> str:
    """Return a digest of the source that takes part in a row: all of host, sim and model."""
    digest = hashlib.sha256()
    for folder in ("host", "model", "sim"):
        for path in sorted((REPOSITORY / folder).rglob("*.py")):
            digest.update(path.relative_to(REPOSITORY).as_posix().encode() + path.read_bytes())
    return digest.hexdigest()


def facts(packages: Sequence[str]) -> dict[str, str]:
    """Return what must be the same wherever rows of one file are measured, by name."""
    found = {"Python": ".".join(platform.python_version_tuple()[:2])}
    for name in packages:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            found[name] = "none"
    return {**found, "source": version()}


def difference(wanted: Mapping[str, str], found: Mapping[str, str]) -> str:
    """Return what of the facts of a worker is another than here, in words; empty if nothing is."""
    for name, value in wanted.items():
        if found.get(name) != value:
            if name == "source":
                return "runs another version of Spinflow: give it the source of this machine"
            return (
                f"has {name} {found.get(name, 'none')}, this machine {value}: install there what "
                "requirements/build.lock says"
            )
    return ""


@dataclass
class _Held:
    """A job that a worker process has.

    Attributes:
        job: the job.
        threads: for it; None is one for each core.
        takers: how often it was given and not yet forgotten: two sweeps may share a cluster.
        bench: made of it when its first trial comes.
    """

    job: Job
    threads: int | None
    takers: int = 0
    bench: Bench | None = None


_held: dict[str, _Held] = {}  # by the job's digest
_lock = threading.Lock()  # a Dask worker may run tasks in several threads


def take(job: Job, threads: int | None) -> None:
    """Give this process a job, and so many threads for it (None: one for each core)."""
    _held.setdefault(job.digest, _Held(job, threads)).takers += 1


def take_if_alike(job: bytes, threads: int | None, wanted: Mapping[str, str]) -> None:
    """Give this process a job of another machine, pickled, if it would give the same rows.

    Raises:
        SweepError: it would not.
    """
    found = difference(wanted, facts([name for name in wanted if name not in ("Python", "source")]))
    if found:
        raise SweepError(f"this worker {found}")
    take(pickle.loads(job), threads)


def forget(digest: str) -> None:
    """Drop what this process has of a job, once for each time that it was given."""
    held = _held.get(digest)
    if held is not None:
        held.takers -= 1
        if not held.takers:
            del _held[digest]


def measure_one(digest: str, trial: Trial) -> tuple[Row, float]:
    """Measure a trial of a job that this process was given; return its row and the seconds."""
    with _lock:
        held = _held.get(digest)
        if held is None:
            raise SweepError("a worker was not given what it is to measure")
        if held.bench is None:
            held.bench = held.job.bench(held.threads)
        start = time.perf_counter()
        row = held.bench.row(trial)
        return row, time.perf_counter() - start


def _start_worker(job: Job) -> None:
    """Make this process a worker of one job that ends with its parent, however that ends."""
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
    def pool() -> Iterator[Pool]:
        with _one_thread_each():
            before = set(active_children())
            executor = ProcessPoolExecutor(workers, get_context("spawn"), _start_worker, (job,))

            def submit(trial: Trial) -> Pending:
                with _no_interrupts():  # processes are started here
                    return executor.submit(measure_one, job.digest, trial)

            try:
                yield submit, lambda: workers
            except BaseException:
                # Interrupted or failed: what is under way is of no use, and waiting for workers
                # that may be stuck could take for ever.
                for child in set(active_children()) - before:
                    child.terminate()
                raise
            finally:
                executor.shutdown(wait=True, cancel_futures=True)

    return in_order(pool)


@contextmanager
def _no_interrupts() -> Iterator[None]:
    """Hold Ctrl-C back; processes that start now never get it: the terminal sends it to all."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


class Pending(Protocol):
    """A trial that is under way."""

    def result(self) -> tuple[Row, float]:
        """Return its row, and the seconds that it took, when it is there."""


Pool = tuple[Callable[[Trial], Pending], Callable[[], int]]
"""What starts a trial, and how many workers there are now."""


def in_order(pool: Callable[[], AbstractContextManager[Pool]]) -> Measure:
    """Return what measures trials on a pool and yields their rows in the order of the trials.

    A few trials for each worker are under way at once, so that none waits for the slowest, and an
    interruption loses little. When a worker process dies, a new pool measures what is missing.
    """

    def measure(trials: Sequence[Trial]) -> Measured:
        done = deaths = 0
        while done < len(trials):
            try:
                with pool() as (submit, workers):
                    waiting = iter(trials[done:])
                    pending: deque[Pending] = deque()
                    while True:
                        room = AHEAD * max(workers(), 1) - len(pending)
                        for trial in itertools.islice(waiting, max(room, 0)):
                            pending.append(submit(trial))
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
