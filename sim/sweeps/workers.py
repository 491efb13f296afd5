"""Measures the trials of a job in this process or in others, and gives the rows in their order."""

from __future__ import annotations

import itertools
import os
import pickle
import signal
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import BrokenExecutor, ProcessPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from multiprocessing import active_children, connection, get_context, parent_process
from typing import Protocol

from spinflow.host.sweep.bench import Bench
from spinflow.host.sweep.results import Row
from spinflow.host.sweep.running import Measure, Measured
from spinflow.host.sweep.trials import Trial
from spinflow.sim.sweeps.jobs import SweepError, Work, difference, facts

TOGETHER = 16  # trials that are measured at once, at most: what they share is computed once
HELD_BYTES = 128 << 20  # of weights, one copy for each of them
GROUPS = 2  # of trials that each worker gets at least, where there are as many trials
AHEAD = 4  # groups of trials that are under way or done but not yet written, for each worker
DEATHS = 3  # workers that may die one after the other, with no row finished between


@dataclass
class _Held:
    """A job that a worker process has.

    Attributes:
        job: the job.
        threads: for it; None is one for each core.
        takers: how often it was given and not yet forgotten: two sweeps may share a cluster.
        bench: made of it when its first trial comes.
    """

    job: Work
    threads: int | None
    takers: int = 0
    bench: Bench | None = None


_held: dict[str, _Held] = {}  # by the job's digest
_lock = threading.Lock()  # a Dask worker may run tasks in several threads


def take(job: Work, threads: int | None) -> None:
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


def measure_some(digest: str, trials: Sequence[Trial]) -> list[tuple[Row, float]]:
    """Measure trials of a job that this process was given; return their rows and the seconds."""
    with _lock:
        held = _held.get(digest)
        if held is None:
            raise SweepError("a worker was not given what it is to measure")
        if held.bench is None:
            held.bench = held.job.bench(held.threads)
        start = time.perf_counter()
        rows = held.bench.rows(trials)
        seconds = (time.perf_counter() - start) / len(rows)
        return [(row, seconds) for row in rows]


def groups(job: Work, trials: Sequence[Trial], workers: int) -> list[Sequence[Trial]]:
    """Return trials in groups that are measured together, in their order.

    Each worker gets some groups at least, so that none waits long for another at the end.
    """
    size = 1
    if job.shares:
        most = min(TOGETHER, HELD_BYTES // max(job.weight_bytes, 1))
        size = max(1, min(most, len(trials) // (GROUPS * workers)))
    return [trials[first : first + size] for first in range(0, len(trials), size)]


def _start_worker(job: Work) -> None:
    """Make this process a worker of one job that ends with its parent, however that ends."""
    take(job, 1)
    parent = parent_process()
    if parent is not None:
        sentinel = parent.sentinel

        def follow() -> None:
            connection.wait([sentinel])
            os._exit(1)

        threading.Thread(target=follow, daemon=True).start()


def in_this_process(job: Work) -> Measure:
    """Return what measures trials one after the other, here, with all cores for each."""

    def measure(trials: Sequence[Trial]) -> Measured:
        take(job, None)
        try:
            for group in groups(job, trials, 1):
                yield from measure_some(job.digest, group)
        finally:
            forget(job.digest)

    return measure


def in_processes(job: Work, workers: int) -> Measure:
    """Return what measures trials in worker processes of this machine, one core each."""

    @contextmanager
    def pool() -> Iterator[Pool]:
        with _one_thread_each():
            before = set(active_children())
            executor = ProcessPoolExecutor(workers, get_context("spawn"), _start_worker, (job,))

            def submit(trials: Sequence[Trial]) -> Pending:
                with _no_interrupts():  # processes are started here
                    return executor.submit(measure_some, job.digest, trials)

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

    return in_order(pool, job)


@contextmanager
def _no_interrupts() -> Iterator[None]:
    """Hold Ctrl-C back; processes that start now never get it: the terminal sends it to all."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


class Pending(Protocol):
    """Trials that are under way."""

    def result(self) -> list[tuple[Row, float]]:
        """Return their rows, and the seconds that each took, when they are there."""


Pool = tuple[Callable[[Sequence[Trial]], Pending], Callable[[], int]]
"""What starts some trials, and how many workers there are now."""


def in_order(pool: Callable[[], AbstractContextManager[Pool]], job: Work) -> Measure:
    """Return what measures trials on a pool and yields their rows in the order of the trials.

    A few groups of trials for each worker are under way at once, so that none waits for the
    slowest, and an interruption loses little. When a worker process dies, a new pool measures what
    is missing.
    """

    def measure(trials: Sequence[Trial]) -> Measured:
        done = deaths = 0
        while done < len(trials):
            try:
                with pool() as (submit, workers):
                    waiting = iter(groups(job, trials[done:], max(workers(), 1)))
                    pending: deque[Pending] = deque()
                    while True:
                        room = AHEAD * max(workers(), 1) - len(pending)
                        for group in itertools.islice(waiting, max(room, 0)):
                            pending.append(submit(group))
                        if not pending:
                            break
                        for row in pending.popleft().result():
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
