"""Rates, thresholds, seeds and write conditions, against the contracts."""

from __future__ import annotations

import math

import numpy as np
import pytest

from spinflow.host.core import stream
from spinflow.host.core.errors import RateError
from spinflow.host.sweep.operating_point import point_of_pulse, point_of_rate, point_of_target
from tests.hw.models import draw, word


@pytest.mark.parametrize(
    ("rate", "expected"),
    [
        (0.0, 0),
        (1.0, 2**32 - 1),
        (0.5, 2**31),
        (1e-3, 4294967),
        (2.0**-32, 1),
        (1 - 1e-12, 2**32 - 1),
    ],
)
def test_threshold_is_the_rounded_rate(rate: float, expected: int) -> None:
    assert stream.threshold(rate) == expected


@pytest.mark.parametrize("threshold", [0, 1, 12345, 2**31, 2**32 - 2, 2**32 - 1])
def test_rate_of_a_threshold_gives_it_back(threshold: int) -> None:
    assert stream.threshold(stream.rate(threshold)) == threshold


def test_all_ones_is_always() -> None:
    assert stream.rate(2**32 - 1) == 1.0
    assert stream.rate(2**32 - 2) < 1.0


@pytest.mark.parametrize("rate", [-1e-9, 1.0000001, math.nan, math.inf, -math.inf])
def test_what_is_no_probability_is_refused(rate: float) -> None:
    with pytest.raises(RateError, match="from 0 to 1"):
        stream.threshold(rate)


def test_a_rate_too_small_is_refused_with_the_smallest() -> None:
    with pytest.raises(RateError, match=r"smallest is 2\.328e-10"):
        stream.threshold(1e-10)


def test_draws_are_those_of_the_contract() -> None:
    positions = np.array([0, 1, 2, 3, 4, 1000, 2**32 - 1, 2**33 - 1, 2**34 - 1, 2**34 + 1])
    for seed in (0, 1, 0xDEADBEEF):
        assert stream.draws(seed, positions).tolist() == [draw(seed, int(p)) for p in positions]


def test_memory_seeds_are_those_of_the_contract() -> None:
    for base, repeat, index in ((0, 0, 0), (1, 3, 6), (2**32 - 1, 2**26 - 1, 63)):
        expected = word(base ^ 0x5EED0000, 64 * repeat + index)
        assert stream.memory_seed(base, repeat, index) == expected


@pytest.mark.parametrize(("seed", "repeat", "index"), [(-1, 0, 0), (2**32, 0, 0), (0, 2**26, 0)])
def test_seeds_beyond_their_fields_are_refused(seed: int, repeat: int, index: int) -> None:
    with pytest.raises(RateError):
        stream.memory_seed(seed, repeat, index)


def test_a_bare_rate_costs_the_pulse_that_has_it() -> None:
    # Asano 2024: t = -tau ln(rate), E = V I t.
    point = point_of_rate(1e-2)
    pulse = -1.48e-8 * math.log(round(1e-2 * 2**32) / 2**32)
    assert point.pulse_s == pytest.approx(pulse, rel=1e-9)
    energies = (point.costs.switched1_j, point.costs.switched0_j, point.costs.same1_j)
    assert energies == pytest.approx([1.08 * 150e-6 * pulse] * 3, rel=1e-9)
    assert point.rate1 == point.rate0 == round(1e-2 * 2**32) / 2**32


def test_rate_0_costs_the_conventional_write() -> None:
    point = point_of_rate(0.0)
    assert point.costs == point.conventional
    assert point.costs.same0_j == pytest.approx(44.2e-12, rel=2e-3)


def test_unequal_rates_cost_the_longer_pulse() -> None:
    point = point_of_rate(1e-1, 1e-3)
    assert (point.rate1, point.rate0) == (point_of_rate(1e-1).rate1, point_of_rate(1e-3).rate1)
    assert point.costs == point_of_rate(1e-3).costs


def test_target_rate_and_pulse_are_one_condition() -> None:
    target = point_of_target(1e-3)
    by_pulse = point_of_pulse(target.pulse_s)
    assert (by_pulse.rate1, by_pulse.pulse_s) == (target.rate1, target.pulse_s)
    assert by_pulse.costs.same1_j == pytest.approx(target.costs.same1_j, rel=1e-8)
    assert target.rate1 == pytest.approx(1e-3, rel=1e-6)


@pytest.mark.parametrize("pulse", [-1e-9, math.nan, math.inf, 1e-6])
def test_pulses_that_the_registers_cannot_hold_are_refused(pulse: float) -> None:
    with pytest.raises(RateError, match="pulse"):
        point_of_pulse(pulse)


@pytest.mark.parametrize("rate", [0.0, -0.1, 1.1, math.nan, 1e-12])
def test_target_rates_that_no_pulse_has_are_refused(rate: float) -> None:
    with pytest.raises(RateError):
        point_of_target(rate)


@pytest.mark.parametrize("start", [0, 1, 7, 12, 2**32 - 3, 2**33 - 5, 2**34 - 9, 2**63 + 5])
@pytest.mark.parametrize("count", [0, 1, 2, 9, 3000])
def test_hits_are_the_draws_below_their_thresholds(start: int, count: int) -> None:
    """Whatever the threshold: at both ends, with a lead of each value, and where a draw is near."""
    drawn = stream.draws(3, np.uint64(start) + np.arange(count, dtype=np.uint64))
    rng = np.random.default_rng(start)
    edges = [0, 1, 2**24 - 1, 2**24, 2**31, 2**32 - 2**24, 2**32 - 2, 2**32 - 1]
    for thresholds in (
        rng.choice(np.array(edges, np.uint32), count),
        rng.integers(0, 2**32, count, dtype=np.uint32),
        drawn,
        drawn + np.uint32(1),
        drawn ^ rng.integers(0, 2**24, count, dtype=np.uint32),
    ):
        found = stream.hits(3, start, thresholds)
        assert found.dtype == np.bool_ and found.shape == (count,)
        np.testing.assert_array_equal(found, stream.errs(drawn, thresholds))


def test_draws_have_the_shape_of_their_positions() -> None:
    positions = np.arange(12).reshape(3, 4)
    assert stream.draws(7, positions).shape == (3, 4)
    assert stream.draws(7, 5).shape == () and stream.draws(7, 5) == stream.draws(7, positions)[1, 1]
    assert stream.draws(7, [0, 5])[1] == stream.draws(7, 5)
