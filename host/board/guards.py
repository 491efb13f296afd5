"""What guards an access: its name in errors, a limit of time, and Ctrl-C held back."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from spinflow.host.core.errors import DeviceError


@contextmanager
def named(what: str) -> Iterator[None]:
    """Name the access in the error when the device does not answer it or answers with an error."""
    try:
        yield
    except OSError as error:
        raise DeviceError(f"{what}: {error}") from None


@contextmanager
def ctrl_c_held_back() -> Iterator[None]:
    """Hold Ctrl-C back until the block ends: for what can neither be undone nor begun anew.

    Only the main thread is interrupted by signals, so there is nothing to hold back in others.
    """
    before = signal.getsignal(signal.SIGINT)
    if threading.current_thread() is not threading.main_thread() or not callable(before):
        yield
        return
    came = []
    try:
        signal.signal(signal.SIGINT, lambda number, frame: came.append(number))
        yield
    finally:
        signal.signal(signal.SIGINT, before)
        if came:
            signal.raise_signal(signal.SIGINT)


@contextmanager
def dma_named(what: str) -> Iterator[None]:
    """Name a transfer in the error when the DMA or pynq's driver of it fails."""
    with named(what):
        try:
            yield
        except RuntimeError as error:
            raise DeviceError(f"{what}: {error}") from None


def wait_for(done: Callable[[], bool], what: str, wait_s: float) -> None:
    """Wait until something is done.

    Args:
        done: whether it is.
        what: does not answer, in words for the message.
        wait_s: seconds after which it is given up.

    Raises:
        DeviceError: it was not done in time.
    """
    limit, is_late = time.monotonic() + wait_s, False
    while not done():
        if is_late:
            raise DeviceError(f"{what} did not answer within {wait_s:g} s")
        # It may have been done while this process was kept from running: it is asked once more.
        is_late = time.monotonic() > limit
