"""Processes that a test starts beside its own: none of them outlives the test.

A test that fails half way would else leave them behind, or wait for what goes on by itself.
"""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Sequence
from typing import Any

_STARTED: list[subprocess.Popen[Any]] = []


def start(words: Sequence[str | os.PathLike[str]], **options: Any) -> subprocess.Popen[Any]:
    """Start a process that the end of the test will end; takes what `subprocess.Popen` takes."""
    process = subprocess.Popen(words, **options)
    _STARTED.append(process)
    return process


def end_all() -> None:
    """Kill what goes on of all that was started, with its session if it has one of its own."""
    while _STARTED:
        process = _STARTED.pop()
        if process.poll() is None:
            if os.getpgid(process.pid) == process.pid:
                os.killpg(process.pid, signal.SIGKILL)
            else:
                process.kill()
            process.wait()
        for pipe in process.stdin, process.stdout, process.stderr:
            if pipe is not None:
                pipe.close()
