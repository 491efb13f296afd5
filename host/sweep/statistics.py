"""Intervals of measured accuracies, and how many repeats an interval of a given width takes.

Two things make a measured accuracy uncertain: the error patterns, of which every repeat draws
others, and the choice of test images, which all repeats share. Student's t over the repeats
answers for the first, Wilson's score interval over the images for the second.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from scipy import stats

from spinflow.host.core.errors import InputError

LEVEL = 0.95
"""Level of every interval."""


def wilson_interval(accuracy: float, images: int) -> tuple[float, float]:
    """Return Wilson's 95 % score interval of an accuracy that was measured on so many images.

    Raises:
        InputError: not an accuracy, or no images.
    """
    _check(accuracy, images)
    z2 = float(stats.norm.ppf((1 + LEVEL) / 2)) ** 2
    centre = (accuracy + z2 / (2 * images)) / (1 + z2 / images)
    spread = z2 * (accuracy * (1 - accuracy) + z2 / (4 * images)) / images
    half = math.sqrt(spread) / (1 + z2 / images)
    return max(0.0, centre - half), min(1.0, centre + half)


def mean_interval(accuracies: Sequence[float], images: int) -> tuple[float, float, str]:
    """Return the 95 % interval of the mean of the repeats, and its kind in words.

    Repeats give Student's t-interval: how much the error patterns matter on these images. A single
    repeat has no spread to go by and gives Wilson's interval over the images.

    Raises:
        InputError: an accuracy is not a fraction, or there are no images.
    """
    for accuracy in accuracies:
        _check(accuracy, images)
    count, mean = len(accuracies), float(np.mean(accuracies))
    if count == 1:
        return (*wilson_interval(mean, images), f"Wilson over {images} images")
    half = _half_width(accuracies)
    return max(0.0, mean - half), min(1.0, mean + half), f"t over {count} repeats"


def _check(accuracy: float, images: int) -> None:
    if not (0.0 <= accuracy <= 1.0 and images >= 1):
        raise InputError(
            f"accuracy {accuracy} on {images} images: must be from 0 to 1, on at least one"
        )


def _half_width(accuracies: Sequence[float]) -> float:
    count = len(accuracies)
    deviation = float(np.std(accuracies, ddof=1))
    return float(stats.t.ppf((1 + LEVEL) / 2, count - 1)) * deviation / math.sqrt(count)


def repeats_for_width(accuracies: Sequence[float], width: float, most: int) -> int:
    """Return how many repeats a point needs until its t-interval is no wider than asked for.

    Stein's rule: the spread of the repeats so far says how many are needed. It is asked again only
    when all of those are there, never after each repeat: stopping at the first lucky moment would
    make the interval too narrow.

    Args:
        accuracies: of repeats 0, 1, ..., at least two.
        width: width of the 95 % interval that is asked for, as a fraction.
        most: repeats at which a point is given up.

    Returns:
        ``len(accuracies)`` if that is enough or ``most`` is reached, else more.
    """
    count = len(accuracies)
    now = 2 * _half_width(accuracies)
    if now <= width or count >= most:
        return count
    return int(min(max(math.ceil(count * (now / width) ** 2), count + 1), most))


def binomial_range(trials: int, rate: float, outside: float) -> tuple[int, int]:
    """Return the exact range that a binomial count leaves with at most this probability.

    Args:
        trials: number of independent trials.
        rate: probability of each.
        outside: probability of a count beyond either end, both together.
    """
    low, high = stats.binom.ppf([outside / 2, 1 - outside / 2], trials, rate)
    return max(int(low), 0), int(high)
