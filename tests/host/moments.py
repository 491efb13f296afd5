"""Moments of a call at which an exception may come: accesses to the device, lines of the code."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterator
from typing import Any

import pytest


class Moment:
    """Raises an exception at a chosen moment: at the n-th of those that are counted, and on.

    Attributes:
        seen: moments so far.
    """

    def __init__(self, at: int | None = None, times: int = 1) -> None:
        self._at = at
        self._times = times
        self.seen = 0

    def __call__(self) -> None:
        """Count a moment, and raise where it is one of those."""
        number, self.seen = self.seen, self.seen + 1
        if self._at is not None and self._at <= number < self._at + self._times:
            raise (KeyboardInterrupt, MemoryError, SystemExit)[self._at % 3]


@contextlib.contextmanager
def at_accesses(moment: Moment) -> Iterator[None]:
    """Make every access to the device, and every buffer, a moment before and one after it."""
    board = sys.modules["spinflow.sim.board"]
    with pytest.MonkeyPatch.context() as patch:
        for owner, names in (
            (board.AcceleratorSlave, ("read", "write")),
            (board.Dma, ("read", "write")),
            (board.VirtualBoard, ("allocate", "flush", "invalidate", "download", "mmap")),
        ):
            for name in names:
                patch.setattr(owner, name, _between(moment, getattr(owner, name)))
        yield


def _between(moment: Moment, call: Callable[..., Any]) -> Callable[..., Any]:
    def inner(*args: Any, **kwargs: Any) -> Any:
        moment()
        result = call(*args, **kwargs)
        moment()
        return result

    return inner


@contextlib.contextmanager
def at_lines(moment: Moment) -> Iterator[None]:
    """Make every line of the driver, the virtual board and pynq a moment.

    Python itself interrupts at calls and jumps back alone, so that ``with`` and ``finally`` work.
    Where the driver relies on that, lines are no moments.
    """
    exempt = {"entered", "_close", "ctrl_c_held_back"}

    def trace(frame: Any, event: str, _: Any) -> Any:
        if frame.f_code.co_name in exempt or "contextlib" in frame.f_code.co_filename:
            return None
        if event == "line":
            moment()
        return trace

    sys.settrace(trace)
    try:
        yield
    finally:
        sys.settrace(None)
