"""Numbers of command lines, checked where they enter.

It needs nothing but Python, so that any program can use it.
"""

from __future__ import annotations

import argparse
import math
import re
from collections.abc import Callable

from spinflow.host.core.text import one_line

SEEDS = 2**32 - 1
"""The largest seed: registers hold 32 bits."""

_WHOLE = re.compile(r"[-+]?[0-9]{1,30}\Z")


def whole(low: int, high: int) -> Callable[[str], int]:
    """Return the type of an option that takes whole numbers from ``low`` to ``high``."""

    def parse(text: str) -> int:
        if not _WHOLE.match(text) or not low <= int(text) <= high:
            raise argparse.ArgumentTypeError(
                f"{one_line(text, 60)!r}: a whole number from {low} to {high} is expected"
            )
        return int(text)

    return parse


def number(low: float, high: float) -> Callable[[str], float]:
    """Return the type of an option that takes numbers from ``low`` to ``high``."""

    def parse(text: str) -> float:
        try:
            value = float(text)
        except ValueError:
            value = math.nan
        if not low <= value <= high:
            raise argparse.ArgumentTypeError(
                f"{one_line(text, 60)!r}: a number from {low:g} to {high:g} is expected"
            )
        return value

    return parse


seed = whole(0, SEEDS)
"""The type of an option that takes a seed."""

rate = number(0.0, 1.0)
"""The type of an option that takes a bit-error rate."""
