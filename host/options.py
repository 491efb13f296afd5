"""Numbers of command lines, checked where they enter, and texts that are quoted in errors.

It needs nothing but Python, so that any program can use it.
"""

from __future__ import annotations

import argparse
import math
import re
from collections.abc import Callable

SEEDS = 2**32 - 1
"""The largest seed: registers hold 32 bits."""

_WHOLE = re.compile(r"[-+]?[0-9]{1,30}\Z")


def one_line(text: object, most: int) -> str:
    """Return a text as one line that a terminal shows: no control characters, the middle left out.

    Args:
        text: what a file or an option held, say.
        most: characters that the line may have.
    """
    words = " ".join(str(text).split())
    if not words.isprintable():
        words = "".join(
            c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in words
        )
    if len(words) <= most:
        return words
    half = (most - 5) // 2
    return f"{words[:half]} ... {words[-half:]}"


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
