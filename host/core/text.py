"""Texts and values as the lines of errors quote them.

It needs nothing but Python, so that any program can use it.
"""

from __future__ import annotations

import reprlib
from typing import Any

_short = reprlib.Repr()
_short.maxstring = _short.maxother = _short.maxlong = 60
_short.maxlevel, _short.maxlist, _short.maxtuple, _short.maxdict = 2, 4, 4, 3


def one_line(text: object, most: int) -> str:
    """Return a text as one line that a terminal shows: no control characters, the middle left out.

    Args:
        text: for example what a file or an option held.
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


def shown(value: Any) -> str:
    """Return a value as an error quotes it: one line, the middle left out where it is long."""
    return one_line(_short.repr(value), 80)


def prefix_of(value: float) -> tuple[float, str]:
    """Return the SI prefix in which a value is read best: what it stands for, and its letter."""
    for scale, prefix in ((1.0, ""), (1e-3, "m"), (1e-6, "µ"), (1e-9, "n")):
        if abs(value) >= scale:
            return scale, prefix
    return 1e-12, "p"


def with_unit(value: float, unit: str) -> str:
    """Return a value to three digits with its unit, as ``1.5 ns``."""
    scale, prefix = prefix_of(value)
    return f"{value / scale:.3g} {prefix}{unit}"
