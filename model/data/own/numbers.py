"""How numbers that are not bytes become bytes: features of a table, vectors of an array."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spinflow.host.core.text import shown
from spinflow.model.data.common import Bytes, DataError

MINMAX = "minmax"
_NUMBER = r"[-+]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][-+]?[0-9]+)?"
_RANGE = re.compile(rf"({_NUMBER}):({_NUMBER})\Z")
LEVELS = 255


@dataclass(frozen=True)
class Scaling:
    """How the features of a data set become bytes; the same for all of its parts.

    Attributes:
        numbers: what a byte x stands for, in the form of ``--input``; empty if it is x itself or
            a part of a range.
        note: in words.
        low, high: the numbers that become 0 and 255, shape (features,); None without a range.
        shift: what is added to a whole number; of ±1, None: +1 becomes 1 and -1 becomes 0.
    """

    numbers: str
    note: str
    low: NDArray[np.float64] | None = None
    high: NDArray[np.float64] | None = None
    shift: int | None = 0

    def bytes_of(self, values: NDArray[Any], where: str) -> Bytes:
        """Return the bytes of numbers, shape (n, features); those beyond a range are at its ends.

        Raises:
            DataError: a number is none, or, without a range, is not one of those stated.
        """
        _check_finite(values, where)
        if self.low is not None and self.high is not None:
            span = np.where(self.high > self.low, self.high - self.low, 1.0)
            parts = (values.astype(np.float64) - self.low) / span
            return np.rint(np.clip(parts, 0, 1) * LEVELS).astype(np.uint8)
        if self.shift is None:
            fits = bool(np.isin(values, (-1, 1)).all())
        else:
            fits = _is_whole(values, -self.shift, LEVELS - self.shift)
        if not fits:
            raise DataError(f"{where}: its numbers are not those of the other part: {self.note}")
        if self.shift is None:
            return (values > 0).astype(np.uint8)
        return (values + self.shift).astype(np.uint8)

    @property
    def scale(self) -> NDArray[np.float64] | None:
        """Low and high, shape (2, features), or None."""
        if self.low is None or self.high is None:
            return None
        return np.stack([self.low, self.high])


def scaling_of(values: NDArray[Any], scale: str, where: str) -> Scaling:
    """Find out how numbers become bytes.

    Args:
        values: shape (n, features), of the part that says it: the training part where there is one.
        scale: as ``--scale`` says it, or empty.
        where: for messages.

    Raises:
        DataError: a number is none, the scale is of another form, or there is no scale and the
            numbers are none of the whole ones.
    """
    _check_finite(values, where)
    if scale == MINMAX:
        low, high = values.min(axis=0).astype(np.float64), values.max(axis=0).astype(np.float64)
        return Scaling("", "each feature from its least to its largest number", low, high)
    if scale:
        found = _RANGE.match(scale)
        ends = [float(text) for text in found.groups()] if found else [0.0, 0.0]
        if not (np.isfinite(ends).all() and ends[0] < ends[1]):
            raise DataError(
                f"--scale {shown(scale)}: minmax or LOW:HIGH is expected, as -1:1 or 0:100"
            )
        low, high = (np.full(values.shape[1], end) for end in ends)
        return Scaling("", f"numbers from {ends[0]:g} to {ends[1]:g}", low, high)
    kind = _kind(values)
    if kind is None:
        raise DataError(
            f"{where}: numbers from {values.min():g} to {values.max():g} are no bytes (whole, 0 to "
            "255 or -128 to 127, or ±1): say with --scale minmax or --scale LOW:HIGH how they "
            "become bytes"
        )
    return {
        "": Scaling("", "whole numbers of 0 to 255, as they are"),
        "x-128": Scaling("x-128", "whole numbers of -128 to 127, with 128 added", shift=128),
        "2x-1": Scaling("2x-1", "+1 as 1 and -1 as 0", shift=None),
    }[kind]


def _kind(values: NDArray[Any]) -> str | None:
    """Return what bytes of these numbers stand for; None if they need a scale."""
    if np.isin(values, (-1, 1)).all() and (values == -1).any():
        return "2x-1"
    if _is_whole(values, 0, LEVELS):
        return ""
    return "x-128" if _is_whole(values, -128, 127) else None


def _is_whole(values: NDArray[Any], least: int, most: int) -> bool:
    return bool(values.min() >= least and values.max() <= most and (values % 1 == 0).all())


def _check_finite(values: NDArray[Any], where: str) -> None:
    if values.dtype.kind == "f" and not np.isfinite(values).all():
        row, column = np.argwhere(~np.isfinite(values))[0]
        raise DataError(
            f"{where}: row {row + 1}, feature {column + 1} is {values[row, column]}, a number is "
            "expected"
        )
