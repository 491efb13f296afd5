"""Checks of what a caller passes: one line that says which value is wrong, and what would be right.

They stand before anything is written, so that a refused call has changed nothing.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from numbers import Real
from typing import Any

import numpy as np

from spinflow.host.core.bundle import MemoryInfo
from spinflow.host.core.errors import InputError
from spinflow.host.core.packing import Words
from spinflow.host.core.text import shown

WORD = 2**32 - 1
"""The largest value of a register, a seed or a segment."""


def is_whole(value: Any) -> bool:
    """Return whether a value is a whole number, of Python or of numpy; True and False are none."""
    return isinstance(value, (int, np.integer)) and not isinstance(value, bool)


def is_real(value: Any) -> bool:
    """Return whether a value is a real number, of Python or of numpy; True and False are none."""
    return isinstance(value, Real) and not isinstance(value, (bool, np.bool_))


def whole(what: str, value: Any, low: int, high: int | None = None) -> int:
    """Return a whole number within its range, as Python's own.

    Raises:
        InputError: it is of another type, or out of its range.
    """
    if not is_whole(value) or value < low or (high is not None and value > high):
        span = f"from {low} to {high}" if high is not None else f"of at least {low}"
        raise InputError(f"{what} {shown(value)}: must be a whole number {span}")
    return int(value)


def seconds(what: str, value: Any) -> float:
    """Return a time above 0, which may be infinite.

    Raises:
        InputError: it is not a number, or not above 0.
    """
    if not is_real(value) or math.isnan(value) or value <= 0:
        raise InputError(f"{what} {shown(value)}: must be a number of seconds above 0")
    return float(value)


def names(what: str, value: Any) -> list[str]:
    """Return names as a list, each once.

    Raises:
        InputError: one name alone, which would be taken for its letters, or no names.
    """
    if isinstance(value, str):
        raise InputError(f"{what} {shown(value)}: must be a list of names, as [{shown(value)}]")
    if isinstance(value, (bytes, Mapping)) or not hasattr(value, "__iter__"):
        raise InputError(f"{what} {shown(value)}: must be a list of names")
    found = list(value)
    for name in found:
        if not isinstance(name, str):
            raise InputError(f"{what}: {shown(name)} is not the name of a memory")
    return list(dict.fromkeys(str(name) for name in found))


def addresses(memory: MemoryInfo, value: Any) -> list[int]:
    """Return the addresses of words in a weight memory, in their order; one may come twice.

    Raises:
        InputError: they are not whole numbers below the memory's depth.
    """
    if isinstance(value, np.ndarray):
        listed = value.ndim == 1
    else:
        listed = isinstance(value, Sequence) and not isinstance(value, (str, bytes))
    if not listed:
        raise InputError(
            f"addresses {shown(value)}: must be a list of whole numbers below {memory.depth}, the "
            f"depth of {memory.name}"
        )
    for address in value:
        if not is_whole(address) or not 0 <= address < memory.depth:
            raise InputError(
                f"address {shown(address)}: {memory.name} has words 0 to {memory.depth - 1}"
            )
    return [int(address) for address in value]


def some_words(memory: MemoryInfo, words: Any, count: int | None = None) -> Words:
    """Return words that may be written into a weight memory.

    Args:
        memory: the memory.
        words: what is to be uint32 of shape (n, segments).
        count: how many there must be; as many as the memory holds, or fewer, if not given.

    Raises:
        InputError: they are of another type or shape, or set bits beyond the width.
    """
    if not isinstance(words, np.ndarray) or words.dtype != np.uint32:
        found = words.dtype if isinstance(words, np.ndarray) else type(words).__name__
        raise InputError(f"words for {memory.name}: must be a uint32 array, not {found}")
    most = memory.depth if count is None else count
    fits = words.ndim == 2 and words.shape[1] == memory.segments
    if not fits or (len(words) > most if count is None else len(words) != count):
        number = f"n at most {most}" if count is None else f"n = {most}, one for each address"
        raise InputError(
            f"words for {memory.name}: must be of shape (n, {memory.segments}) with {number}, not "
            f"{words.shape}"
        )
    if np.any(words & ~memory.segment_masks):
        raise InputError(
            f"words for {memory.name}: bits beyond the {memory.width} of a word are set"
        )
    return words
