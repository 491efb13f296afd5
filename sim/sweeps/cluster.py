"""Sweeps on a Dask cluster: what measures trials there, and one line for all that goes wrong.

Dask has many ways to wait for ever or to end in pages of traceback: a scheduler that is not there,
or goes, or does not answer; no workers, workers that are paused or die; workers with another
Python, another Dask, no Spinflow or another. So a cluster is looked at every few seconds, a worker
is asked what it is before it counts, and a worker itself takes no job that it would measure
otherwise.
"""

from __future__ import annotations

import functools
import logging
import math
import pickle
import queue
import re
import socket
import threading
import time
import uuid
import warnings
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import CancelledError
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any

from spinflow.host.core.errors import HostError
from spinflow.host.sweep.results import Row
from spinflow.host.sweep.running import Measure
from spinflow.host.sweep.trials import Trial
from spinflow.sim.sweeps.certificates import first_line
from spinflow.sim.sweeps.jobs import Job, SweepError, difference, facts
from spinflow.sim.sweeps.workers import Pending, Pool, in_order

PATIENCE_S = 5.0
"""How long a cluster may take to answer, or to have a first worker, seconds."""

RESTART_S = 30.0
"""How long a cluster may be without a worker that works: a killed one is started again, seconds."""

CHECK_S = 2.0
"""How often a cluster is looked at, seconds."""

PROBE_S = 60.0
"""How long a worker may take to import this package, seconds."""


class ClusterError(SweepError):
    """A cluster that is not there, does not go on, or has workers that are not as this machine."""


def on_cluster(job: Job, cluster: Cluster) -> Measure:
    """Return what measures trials on the workers of a Dask cluster.

    Dask measures again what a worker did not finish that died or left; workers may join any time.
    """

    @contextmanager
    def pool() -> Iterator[Pool]:
        with cluster.connected() as client:
            watched = _Watched(cluster, client, job)
            look = functools.partial(watched.check, at_once=True)
            with _one_line(cluster, look):
                look()
                with _given(client, job, watched.wanted):
                    yield watched.submit, watched.workers

    return in_order(pool, job)


@dataclass(frozen=True)
class Cluster:
    """Where a Dask cluster is, and how to reach it.

    Attributes:
        address: of its scheduler.
        security: certificates, ``distributed.Security``; None without encryption.
        patience_s: how long it may take to answer, seconds.
    """

    address: str
    security: Any = None
    patience_s: float = PATIENCE_S

    @contextmanager
    def connected(self) -> Iterator[Any]:
        """A client of the scheduler, which has workers.

        Raises:
            ClusterError: no scheduler answers, or it has no worker.
        """
        from distributed import Client
        from distributed.versions import VersionMismatchWarning

        class Quiet(Client):
            """A client that is closed by us alone: one that never connected cannot be."""

            def __del__(self) -> None:
                pass

        quiet: Any = Quiet  # its constructor is not typed

        # What Dask says about connections that fail comes on many lines, even after the end; what
        # is wrong with versions is said by name later.
        logging.disable(logging.CRITICAL)
        warnings.simplefilter("ignore", VersionMismatchWarning)
        try:
            self._wait_for_port()
            client = _in_time(
                lambda: quiet(
                    self.address,
                    timeout=self.patience_s,
                    set_as_default=False,
                    security=self.security,
                ),
                2 * self.patience_s + 1.0,
            )
        except Exception as error:
            raise ClusterError(
                f"no Dask scheduler answers at {self.address}: {first_line(error)}"
            ) from None
        try:
            self._wait_for_worker(client)
            yield client
        finally:
            with suppress(Exception):  # the scheduler may be gone
                client.close(timeout=2.0)

    def _wait_for_worker(self, client: Any) -> None:
        """Wait until there is a worker that works.

        Raises:
            ClusterError: there is none.
        """
        try:
            with suppress(TimeoutError):
                client.wait_for_workers(1, timeout=self.patience_s)
                return
            there = _in_time(client.scheduler_info, self.patience_s)["workers"]
        except Exception as error:
            raise self.lost(error) from None
        raise ClusterError(
            f"the Dask cluster at {self.address} does not go on: {_PAUSED}"
            if there
            else f"the Dask scheduler at {self.address} has no worker: start some with "
            f"`dask worker {self.address}`"
        )

    def _wait_for_port(self) -> None:
        """Wait until something listens at the address.

        Raises:
            ValueError: it is no address of a port.
            OSError: nothing listens there.
        """
        found = _ADDRESS.match(self.address)
        if found is None:
            raise ValueError("an address is tcp://HOST:PORT or tls://HOST:PORT")
        end = time.monotonic() + self.patience_s
        while True:
            left = max(end - time.monotonic(), 0.1)
            try:
                with socket.create_connection((found[1].strip("[]"), int(found[2])), left):
                    return
            except TimeoutError:
                raise TimeoutError(f"no answer in {self.patience_s:g} s") from None
            except ConnectionRefusedError as error:
                if time.monotonic() > end:
                    raise OSError(error.strerror) from None
                time.sleep(0.1)  # it may be starting

    def lost(self, reason: BaseException) -> ClusterError:
        """Return the error of a scheduler that does not answer any more."""
        return ClusterError(
            f"the Dask scheduler at {self.address} is gone ({first_line(reason)}): when it is "
            "back, the same command goes on"
        )


_PAUSED = (
    "all workers are paused, being short of memory: start them with more (`dask worker` has "
    "--memory-limit), or fewer of them, and give this command again"
)

_ADDRESS = re.compile(r"(?:tcp|tls)://(\[[0-9a-fA-F:.%]+\]|[^\s:/]+):([0-9]{1,5})\Z")


def _in_time(call: Callable[[], Any], seconds: float) -> Any:
    """Return what a call returns.

    Raises:
        TimeoutError: it takes longer; it goes on in a thread that ends with the program. (What
            answers in another language than Dask's makes its client wait for ever.)
        Exception: what it raises.
    """
    done: queue.SimpleQueue[tuple[Any, Exception | None]] = queue.SimpleQueue()

    def run() -> None:
        try:
            done.put((call(), None))
        except Exception as error:
            done.put((None, error))

    threading.Thread(target=run, daemon=True).start()
    try:
        result, error = done.get(timeout=seconds)
    except queue.Empty:
        raise TimeoutError("what answers there does not speak as Dask does") from None
    if error is not None:
        raise error
    return result


@contextmanager
def _one_line(cluster: Cluster, check: Callable[[], None]) -> Iterator[None]:
    """Make one line of whatever the tasks of a cluster end with.

    Args:
        cluster: the cluster.
        check: says by an error of its own what is wrong with scheduler or workers, if it can.
    """
    from distributed import KilledWorker

    try:
        yield
    except ClusterError:
        raise
    except HostError:
        check()  # if a worker refused: which, and why
        raise
    except KilledWorker as error:
        last = getattr(error.last_worker, "address", "unknown")
        raise ClusterError(
            f"{error.allowed_failures + 1} workers at {cluster.address} died of one trial, the "
            f"last was {last}: is there memory for it? `dask worker` has --memory-limit"
        ) from None
    except CancelledError as error:
        raise cluster.lost(error) from None
    except Exception as error:
        check()
        raise ClusterError(
            f"a task failed on the Dask cluster at {cluster.address}: {type(error).__name__}: "
            f"{first_line(error)}"
        ) from None


@contextmanager
def _given(client: Any, job: Job, wanted: dict[str, str]) -> Iterator[None]:
    """Give a job to every worker of a cluster, those that join meanwhile included."""
    from distributed import WorkerPlugin

    class Give(WorkerPlugin):
        """Gives the job.

        It travels by value, and imports nothing before it is asked to: a worker that lacks this
        package can still say so.
        """

        def __init__(self, name: str, digest: str, job: bytes, wanted: dict[str, str]) -> None:
            self.name, self.digest, self.job, self.wanted = name, digest, job, wanted

        def setup(self, worker: Any) -> None:
            """Take the job."""
            from spinflow.sim.sweeps import workers

            workers.take_if_alike(self.job, worker.state.nthreads, self.wanted)

        def teardown(self, worker: Any) -> None:
            """Forget the job."""
            from spinflow.sim.sweeps import workers

            workers.forget(self.digest)

    name = f"spinflow-{job.digest}-{uuid.uuid4().hex[:8]}"  # two sweeps may be of one job
    give = Give(name, job.digest, pickle.dumps(job), wanted)
    client.sync(client.register_plugin, give, callback_timeout=PROBE_S)
    try:
        yield
    finally:
        if client.status == "running":
            with suppress(Exception):
                client.sync(client.unregister_worker_plugin, name, callback_timeout=2.0)


def _remote_measure() -> Callable[[str, bytes], list[tuple[Row, float]]]:
    def measure(digest: str, trials: bytes) -> list[tuple[Row, float]]:
        """Travels by value, so that the scheduler need not have this package."""
        import pickle

        from spinflow.sim.sweeps import workers

        return workers.measure_some(digest, pickle.loads(trials))

    return measure


def _remote_facts() -> Callable[[list[str]], dict[str, str] | str]:
    def facts(packages: list[str]) -> dict[str, str] | str:
        """Return the facts of a worker, or why there are none; travels by value."""
        try:
            from spinflow.sim.sweeps import jobs
        except ImportError as error:
            return str(error)
        return jobs.facts(packages)

    return facts


class _Watched:
    """A cluster at work: starts trials there, and sees to it that nobody waits for ever.

    Args:
        cluster: the cluster.
        client: a client of it.
        job: what its workers measure.

    Attributes:
        wanted: the facts that a worker must have.
    """

    def __init__(self, cluster: Cluster, client: Any, job: Job) -> None:
        self.wanted = facts(job.packages)
        self._cluster, self._client, self._job = cluster, client, job
        self._measure = _remote_measure()
        self._alike: set[str] = set()  # workers that were asked for their facts
        self._looked = -math.inf
        self._working = time.monotonic()  # when a worker that works was last seen
        self._count = 1

    def submit(self, trials: Sequence[Trial]) -> Pending:
        """Start some trials."""
        future = self._client.submit(
            self._measure, self._job.digest, pickle.dumps(trials), pure=False
        )
        return _Remote(future, self)

    def workers(self) -> int:
        """Return how many workers there are, or were a moment ago."""
        self.check()
        return self._count

    def check(self, at_once: bool = False) -> None:
        """Look whether the scheduler answers and has workers that work and are as this machine.

        Args:
            at_once: look even if the last look was a moment ago.

        Raises:
            ClusterError: it does not.
        """
        if not at_once and time.monotonic() < self._looked + CHECK_S:
            return
        workers = self._ask(self._client.scheduler.identity, n_workers=-1)["workers"]
        new = sorted(set(workers) - self._alike)
        if new:
            self._compare(new)
            self._alike.update(new)
        now = time.monotonic()
        self._looked = now
        states = [worker.get("status", "running") for worker in workers.values()]
        self._count = max(states.count("running"), 1)
        if "running" in states:
            self._working = now
        elif now > self._working + max(RESTART_S, self._cluster.patience_s):
            what = (
                _PAUSED if states else "no worker is left: start some, and give this command again"
            )
            raise ClusterError(
                f"the Dask cluster at {self._cluster.address} does not go on: {what}"
            )

    def _ask(self, what: Callable[..., Any], *arguments: Any, **options: Any) -> Any:
        """Ask the scheduler something.

        Raises:
            ClusterError: it does not answer.
        """
        wait_s = options.pop("wait_s", max(self._cluster.patience_s, PATIENCE_S))
        try:
            if self._client.status != "running":
                raise OSError("the connection is lost")
            return self._client.sync(what, *arguments, callback_timeout=wait_s, **options)
        except Exception as error:
            raise self._cluster.lost(error) from None

    def _compare(self, workers: list[str]) -> None:
        """Check that workers would measure what this machine would.

        Raises:
            ClusterError: one would not; the message says which and why.
        """
        # Without pickles first: those of another Python or Dask cannot be read.
        versions = self._ask(self._client.get_versions)
        here = versions["client"]
        named = {"scheduler": versions["scheduler"], **versions["workers"]}
        for address in ("scheduler", *workers):
            there = named.get(address)
            if there is None:
                continue  # it left meanwhile
            for name in ("Python", "distributed", "cloudpickle"):
                if name == "Python":
                    mine, other = (
                        ".".join(each["host"]["python"].split(".")[:2]) for each in (here, there)
                    )
                else:
                    mine, other = (each["packages"].get(name) for each in (here, there))
                if mine != other:
                    self._refuse(address, difference({name: mine}, {name: str(other)}))
        found = self._ask(
            self._client.run, _remote_facts(), list(self._job.packages), workers=workers,
            on_error="return", wait_s=PROBE_S,
        )  # fmt: skip
        for address, there in found.items():
            if isinstance(there, str):
                self._refuse(
                    address,
                    f"cannot import Spinflow ({there}): start it in its folder, with the "
                    "Python of its .venv",
                )
            if isinstance(there, dict):
                self._refuse(address, difference(self.wanted, there))
            # Else it died or left while it was asked: the next look finds out.

    def _refuse(self, address: str, why: str) -> None:
        if why:
            who = (
                f"the Dask scheduler at {self._cluster.address}"
                if address == "scheduler"
                else f"the worker {address} of {self._cluster.address}"
            )
            raise ClusterError(f"{who} {why}")


@dataclass(frozen=True)
class _Remote:
    """Trials on a cluster."""

    future: Any
    watched: _Watched

    def result(self) -> list[tuple[Row, float]]:
        """Return their rows, and the seconds that each took, when they are there."""
        while not self.future.done():
            with suppress(TimeoutError):
                self.future.result(timeout=CHECK_S)
            self.watched.check()
        found: list[tuple[Row, float]] = self.future.result()
        return found
