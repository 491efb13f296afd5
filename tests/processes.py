"""Processes that a test starts beside its own: none of them outlives the test.

A test that fails half way would else leave them behind, or wait for what goes on by itself.
"""

from __future__ import annotations

import itertools
import os
import signal
import subprocess
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

_STARTED: list[subprocess.Popen[Any]] = []


def start(words: Sequence[str | os.PathLike[str]], **options: Any) -> subprocess.Popen[Any]:
    """Start a process that the end of the test will end; takes what `subprocess.Popen` takes."""
    process = subprocess.Popen(words, **options)
    _STARTED.append(process)
    return process


def stopped_amid(
    begin: Callable[[Path], subprocess.Popen[Any]],
    folder: Path,
    begun: Callable[[Path], bool],
    over: Callable[[Path], bool],
) -> tuple[subprocess.Popen[Any], Path]:
    """Start a process and stop it amid its work, however busy the machine is.

    One that was done before this process came to stop it is started anew, in a folder of its own.

    Args:
        begin: starts the process; takes the folder for what it writes.
        folder: where these folders are to be.
        begun: whether the process has done as much as is wanted; takes its folder.
        over: whether it has done all that there is to interrupt.

    Returns:
        The process, which a SIGCONT lets go on, and its folder.
    """
    for number in itertools.count():
        place = folder / f"try-{number}"
        process = begin(place)
        while process.poll() is None and not begun(place):
            time.sleep(0.005)
        if process.poll() is None:
            process.send_signal(signal.SIGSTOP)
            if not over(place):
                return process, place
            process.kill()
            process.wait()
        assert process.returncode in (0, -signal.SIGKILL), process.returncode
    raise AssertionError("not reached")


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
