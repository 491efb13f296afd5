"""Checks of physical quantities: refusals that name quantity, value, unit and valid range."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]


class DomainWarning(UserWarning):
    """A formula was used outside the range for which its source vouches."""


def quantity(
    name: str,
    value: ArrayLike,
    unit: str,
    *,
    above: float = -math.inf,
    least: float = -math.inf,
    below: float = math.inf,
    most: float = math.inf,
) -> Floats:
    """Return ``value`` as float64 if all of it is within bounds.

    Args:
        name: the quantity, as a message names it.
        value: numbers, any shape.
        unit: its unit, or "" for a pure number.
        above: exclusive lower bound.
        least: inclusive lower bound.
        below: exclusive upper bound; infinity and NaN are refused in any case.
        most: inclusive upper bound.

    Raises:
        ValueError: a number is outside the bounds; the message names the first that is.
    """
    x = np.asarray(value, np.float64)
    bad = ~((x > above) & (x >= least) & (x < below) & (x <= most))
    if np.any(bad):
        of = f" {unit}" if unit else ""
        bounds = [
            f"above {above:g}{of}" if above > -math.inf else "",
            f"{least:g}{of} or more" if least > -math.inf else "",
            f"below {below:g}{of}" if below < math.inf else "",
            f"at most {most:g}{of}" if most < math.inf else "finite",
        ]
        valid = ", ".join(bound for bound in bounds if bound)
        if below < math.inf:
            valid = valid.replace(", finite", "")
        raise ValueError(f"{name} is {x[bad].flat[0]:g}{of}, valid: {valid}")
    return x


def pulse(value: ArrayLike) -> Floats:
    """Return pulse widths in seconds; raise ValueError unless each is 0 or more and finite."""
    return quantity("pulse width", value, "s", least=0.0)


def rate(value: ArrayLike) -> Floats:
    """Return error rates; raise ValueError unless each is inside (0, 1)."""
    return quantity("write-error rate", value, "", above=0.0, below=1.0)


def target_bit(value: ArrayLike) -> NDArray[np.bool_]:
    """Return which target bits are 1; raise ValueError unless each is 0 or 1."""
    bit = np.asarray(value)
    bad = ~((bit == 0) | (bit == 1))
    if np.any(bad):
        raise ValueError(f"direction (the written bit) is {bit[bad].flat[0]}, valid: 0 or 1")
    is_one: NDArray[np.bool_] = bit == 1
    return is_one
