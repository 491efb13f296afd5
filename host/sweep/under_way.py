"""How far a sweep is, for those who look on: a small file beside its results while it runs.

The results file says what is measured, this one how much there is to be. It goes when the sweep
ends; after a kill it stays and counts for nothing, since nothing holds the results file any more.
"""

from __future__ import annotations

import json
import os
import time
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

from spinflow.host.core.errors import ResultsError
from spinflow.host.core.files import replace_text
from spinflow.host.core.reading import read_bytes

NAME = ".progress.json"
_EVERY_S = 1.0
_MOST_BYTES = 4096
_MOST = 10**9


@dataclass(frozen=True)
class UnderWay:
    """How far a sweep is.

    Attributes:
        done: trials that have their rows.
        planned: trials that it has so far; adaptive repeats add to them.
        left_s: seconds left, None while nothing is known.
        is_bound: whether it may take longer, since repeats may be added.
    """

    done: int
    planned: int
    left_s: float | None
    is_bound: bool


class Note:
    """Keeps the file of a sweep up to date, once a second at most.

    What cannot be written is left unsaid: nobody but onlookers needs it.

    Args:
        results: the results file beside which it lies.
    """

    def __init__(self, results: Path) -> None:
        self._path = results.with_name(NAME)
        self._next_s = 0.0

    def __call__(self, state: UnderWay) -> None:
        """Say how far the sweep is."""
        if time.monotonic() >= self._next_s:
            self._next_s = time.monotonic() + _EVERY_S
            with suppress(OSError):
                replace_text(self._path, json.dumps(asdict(state)) + "\n")

    def close(self) -> None:
        """Remove the file."""
        with suppress(OSError):
            os.unlink(self._path)


def read(results: Path) -> UnderWay | None:
    """Return what is said of the sweep of a results file, None if nothing or nothing readable."""
    try:
        content = read_bytes(results.with_name(NAME), _MOST_BYTES, ResultsError)
        found = UnderWay(**json.loads(content))
    except (ResultsError, OSError, ValueError, TypeError):
        return None
    numbers = (found.done, found.planned)
    fits = all(type(number) is int and 0 <= number <= _MOST for number in numbers)
    left = found.left_s
    fits = fits and (left is None or (isinstance(left, int | float) and 0 <= left < _MOST))
    return found if fits and type(found.is_bound) is bool else None
