"""Dask clusters of real processes for tests: a scheduler and workers, each to be spoilt alone."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import sysconfig
import time
from collections.abc import Sequence
from pathlib import Path

REPOSITORY = Path(__file__).parents[2]

_MAIN = "import sys; from dask.__main__ import main; sys.argv[0] = 'dask'; main()"
_LIMIT_S = 120.0  # of anything that is waited for: the machine may be busy


def free_port() -> int:
    """A port that nothing listens on."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port: int = taken.getsockname()[1]
        return port


class Cluster:
    """A scheduler on this machine, and workers with one thread each; a context manager.

    Args:
        log: folder of the processes' outputs.
        certificates: options of `dask scheduler` and `dask worker` for TLS.
    """

    def __init__(self, log: Path, certificates: Sequence[str] = ()) -> None:
        self._log, self._certificates = log, list(certificates)
        log.mkdir(parents=True, exist_ok=True)
        self.port = free_port()
        self.address = f"{'tls' if certificates else 'tcp'}://127.0.0.1:{self.port}"
        self.workers: list[subprocess.Popen[bytes]] = []
        self.scheduler = self._start_scheduler()

    def __enter__(self) -> Cluster:
        return self

    def __exit__(self, *_: object) -> None:
        for process in (*self.workers, self.scheduler):
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()

    def _start_scheduler(self) -> subprocess.Popen[bytes]:
        options = ["--host", f"{self.address.partition(':')[0]}://127.0.0.1", "--no-dashboard"]
        process = self._start("scheduler", ["scheduler", *options, "--port", str(self.port)])
        end = time.monotonic() + _LIMIT_S
        while True:
            assert process.poll() is None and time.monotonic() < end, self.said("scheduler")
            try:
                socket.create_connection(("127.0.0.1", self.port), 1.0).close()
                return process
            except OSError:
                time.sleep(0.05)

    def add_worker(
        self,
        *options: str,
        path: Path | None = REPOSITORY,
        preload: str = "",
        nanny: bool = False,
        wait: bool = True,
    ) -> subprocess.Popen[bytes]:
        """Start a worker.

        Args:
            options: of `dask worker`.
            path: where it finds this package; None for nowhere.
            preload: Python that it runs before all else.
            nanny: start it again when it dies.
            wait: until it has joined.
        """
        name = f"worker-{len(self.workers)}"
        if preload:
            (self._log / f"{name}.py").write_text(preload)
            options = (*options, "--preload", str(self._log / f"{name}.py"))
        how = [] if nanny else ["--no-nanny"]
        process = self._start(
            name,
            ["worker", self.address, "--nthreads", "1", "--no-dashboard", *how, *options],
            path,
        )
        self.workers.append(process)
        end = time.monotonic() + _LIMIT_S
        while wait and "Registered to" not in self.said(name):
            assert process.poll() is None and time.monotonic() < end, self.said(name)
            time.sleep(0.05)
        return process

    def said(self, name: str) -> str:
        """What a process of this name has printed."""
        return (self._log / f"{name}.log").read_text(errors="replace")

    def _start(
        self, name: str, arguments: list[str], path: Path | None = REPOSITORY
    ) -> subprocess.Popen[bytes]:
        # This package may be installed as a checkout, by a file that -S leaves out.
        options = [] if path is not None else ["-S"]
        found = str(path) if path is not None else sysconfig.get_path("purelib")
        environment = os.environ | {"PYTHONPATH": found}
        folder = self._log / name
        folder.mkdir()
        with open(self._log / f"{name}.log", "wb") as log:
            return subprocess.Popen(
                [sys.executable, *options, "-c", _MAIN, *arguments, *self._certificates],
                cwd=folder,
                env=environment,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
