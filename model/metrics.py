"""How much bit errors change a network: degradation of the accuracy and RRMSE of its feature maps.

Both after Asano et al. 2024, "Error-Tolerance-Aware Write-Energy Reduction of MTJ-Based Quantized
Neural Network Hardware".
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

ROWS_AT_ONCE = 16
"""Images whose values are float64 at the same time."""


def degradation(a0: float, a: float) -> float:
    """Return the degradation rate of an accuracy, (A0 - A) / A0, a share of 1.

    Asano 2024 gives no formula (section 4.1, fig. 8); the loss relative to the accuracy without
    errors is ours.

    Args:
        a0: accuracy without errors, above 0.
        a: accuracy with errors, in the same unit; above a0 the rate is negative.

    Raises:
        ValueError: a0 is not above 0, or a is below 0.
    """
    if not (a0 > 0 and math.isfinite(a0)):
        raise ValueError(f"the accuracy without errors is {a0}, valid: above 0")
    if not (a >= 0 and math.isfinite(a)):
        raise ValueError(f"the accuracy with errors is {a}, valid: 0 or more")
    return (a0 - a) / a0


def rrmse(clean: Mapping[str, NDArray[Any]], faulty: Mapping[str, NDArray[Any]]) -> float:
    """Return the root mean squared error ratio of a network's layers (Asano 2024, eq. 3).

    The square root of the sum over layers l of var(Delta_l) / var(x_l), where x_l is the input of
    layer l without errors and Delta_l what errors add to it. The paper leaves open what a variance
    is taken over; here it is all elements of all images. A layer whose input has no errors adds 0
    and may be left out. Scale and offset do not count: bits may be 0 and 1, fixed-point numbers
    codes.

    Args:
        clean: by name, the inputs of layers without errors, shape (images, ...).
        faulty: the same with errors, under the same names and of the same shapes.

    Raises:
        ValueError: names or shapes differ, or an input is the same everywhere without errors.
    """
    if not clean or clean.keys() != faulty.keys():
        raise ValueError(
            f"inputs of layers {', '.join(faulty) or 'none'} with errors, "
            f"of {', '.join(clean) or 'none'} without: they must be the same"
        )
    total = 0.0
    for name, x in clean.items():
        y = faulty[name]
        if x.shape != y.shape or not x.size:
            raise ValueError(f"input of layer {name}: {y.shape} with errors, {x.shape} without")
        # From integers up to 2^31, so a value of each is taken away before squaring.
        origin = float(x.flat[0])
        sums = np.zeros(4)
        for start in range(0, len(x), ROWS_AT_ONCE):
            part = x[start : start + ROWS_AT_ONCE].astype(np.float64)
            delta = y[start : start + ROWS_AT_ONCE] - part
            part -= origin
            sums += part.sum(), np.square(part).sum(), delta.sum(), np.square(delta).sum()
        mean, square, delta_mean, delta_square = sums / x.size
        variance = square - mean**2
        if not variance > 0:
            raise ValueError(f"input of layer {name} is the same everywhere: its variance is 0")
        total += max(delta_square - delta_mean**2, 0.0) / variance
    return math.sqrt(total)
