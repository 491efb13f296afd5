"""What all command lines share: errors of one line, and numbers that are checked where they enter.

It needs nothing but Python, so that any program can use it.
"""

from __future__ import annotations

import argparse
import math
import re
import sys
from collections.abc import Callable
from typing import NoReturn

LINE = 299
"""Most characters of an error."""

SEEDS = 2**32 - 1
"""The largest seed: registers hold 32 bits."""

_WHOLE = re.compile(r"[-+]?[0-9]{1,30}\Z")


def one_line(text: object, most: int = LINE) -> str:
    """Return a text as one line that a terminal shows: no control characters, the middle left out.

    Args:
        text: an error, say, that names what a file or an option held.
        most: characters that the line may have.
    """
    words = " ".join(str(text).split())
    if not words.isprintable():
        words = "".join(
            c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in words
        )
    if len(words) <= most:
        return words
    # What is wrong stands at the beginning, what would be right at the end.
    half = (most - 5) // 2
    return f"{words[:half]} ... {words[-half:]}"


def complain(text: object) -> None:
    """Print an error as one line."""
    print(one_line(text), file=sys.stderr)


class Parser(argparse.ArgumentParser):
    """A parser whose errors are one line."""

    def error(self, message: str) -> NoReturn:
        """End the program with one line."""
        hint = f"(see {self.prog} --help)"
        self.exit(2, f"error: {one_line(message, LINE - len(hint) - 8)} {hint}\n")


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
