"""What each memory loses alone, as a smooth curve over the levels, from measured points."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Measured:
    """What a memory loses at a rate: the mean over repeats, and its standard error."""

    rate: float
    loss: float
    error: float


def curve(points: Sequence[Measured], rates: Sequence[float]) -> list[float]:
    """Return the loss at rates, rising strictly.

    Losses rise with the rate, so points that do not are averaged with their neighbours. From the
    first point on that stands out of its error they are taken as they are, between them linearly in
    the logarithm of the rate; below it the loss is in proportion to the rate, as that of few errors
    is.

    Args:
        points: in order of their rates.
        rates: ascending, above 0.
    """
    losses = _rising([point.loss for point in points])
    clear = [loss > 2 * point.error for loss, point in zip(losses, points, strict=True)]
    first = clear.index(True) if any(clear) else len(points) - 1
    least = max(losses[first], points[first].error, 1e-6)
    logs = [math.log(point.rate) for point in points[first:]]
    tops = [max(loss, least) for loss in losses[first:]]
    found = []
    for rate in rates:
        if rate <= points[first].rate:
            found.append(least * rate / points[first].rate)
        else:
            found.append(float(np.interp(math.log(rate), logs, tops)))
    # Strictly: steps without any loss would have no best one among them.
    return [loss + 1e-9 * place for place, loss in enumerate(found)]


def _rising(values: Sequence[float]) -> list[float]:
    """Return the closest values that never fall, at least 0 (pool adjacent violators)."""
    pools: list[tuple[float, int]] = []
    for value in values:
        mean, count = value, 1
        while pools and pools[-1][0] > mean:
            before, number = pools.pop()
            mean = (mean * count + before * number) / (count + number)
            count += number
        pools.append((mean, count))
    return [max(mean, 0.0) for mean, count in pools for _ in range(count)]
