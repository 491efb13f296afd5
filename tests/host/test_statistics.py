"""Intervals on synthetic data whose accuracy is known, and the repeats that a width takes."""

from __future__ import annotations

import numpy as np
import pytest

from spinflow.host.sweep.statistics import mean_interval, repeats_for_width, wilson_interval

IMAGES = 500


def measured(rng: np.random.Generator, mean: float, spread: float, repeats: int) -> list[float]:
    """Accuracies of repeats whose true accuracies vary around a mean, on a finite set of images."""
    true = np.clip(rng.normal(mean, spread, repeats), 0, 1)
    return (rng.binomial(IMAGES, true) / IMAGES).tolist()


@pytest.mark.parametrize("repeats", [2, 3, 5, 20])
@pytest.mark.parametrize(("mean", "spread"), [(0.95, 0.005), (0.5, 0.1), (0.9, 0.03)])
def test_t_intervals_cover_the_known_accuracy(repeats: int, mean: float, spread: float) -> None:
    rng = np.random.default_rng(1)
    runs = 2000
    inside = 0
    for _ in range(runs):
        low, high, _ = mean_interval(measured(rng, mean, spread, repeats), IMAGES)
        inside += low <= mean <= high
    # Four standard deviations of 2000 runs at 95 %.
    assert inside / runs == pytest.approx(0.95, abs=0.0195)


@pytest.mark.parametrize("accuracy", [0.3, 0.9, 0.98])
def test_wilsons_intervals_cover_the_known_accuracy(accuracy: float) -> None:
    rng = np.random.default_rng(2)
    right = rng.binomial(IMAGES, accuracy, 4000) / IMAGES
    intervals = [wilson_interval(each, IMAGES) for each in right]
    inside = np.mean([low <= accuracy <= high for low, high in intervals])
    assert inside == pytest.approx(0.95, abs=0.02)  # accuracies are steps of 1/500


def until(rng: np.random.Generator, spread: float, width: float) -> list[float]:
    """A point that is repeated until its interval is narrow enough."""
    seen = measured(rng, 0.9, spread, 5)
    while (wanted := repeats_for_width(seen, width, 1000)) > len(seen):
        seen += measured(rng, 0.9, spread, wanted - len(seen))
    return seen


@pytest.mark.parametrize("spread", [0.005, 0.02, 0.05])
def test_adaptive_repeats_reach_the_width_and_still_cover(spread: float) -> None:
    rng = np.random.default_rng(3)
    inside, runs, width = 0, 1500, 0.03
    for _ in range(runs):
        seen = until(rng, spread, width)
        low, high, _ = mean_interval(seen, IMAGES)
        assert high - low <= width * (1 + 1e-12)
        inside += low <= 0.9 <= high
    # Stopping by the data costs a little of the level, which is that of a fixed number.
    assert inside / runs >= 0.91


def test_only_wide_intervals_get_more_repeats() -> None:
    rng = np.random.default_rng(4)
    narrow = np.mean([len(until(rng, 0.001, 0.05)) for _ in range(200)])
    wide = np.mean([len(until(rng, 0.05, 0.05)) for _ in range(200)])
    assert narrow < 6
    assert wide > 12


def test_stages_depend_on_the_accuracies_alone() -> None:
    seen = [0.90, 0.92, 0.94]
    # t(0.975; 2) = 4.30265: the width is 2 * 4.30265 * 0.02 / sqrt(3) = 0.0994.
    assert repeats_for_width(seen, 0.1, 100) == 3
    assert repeats_for_width(seen, 0.099, 100) == 4
    assert repeats_for_width(seen, 0.05, 100) == 12
    assert repeats_for_width(seen, 0.001, 100) == 100
    assert repeats_for_width(seen, 0.001, 3) == 3
    assert repeats_for_width([0.9, 0.9], 0.001, 100) == 2
