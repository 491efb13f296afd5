"""The Fokker-Planck solver against the Legendre expansion in exact arithmetic, and its limits."""

from __future__ import annotations

import itertools
import math

import mpmath
import numpy as np
import pytest

from spinflow.host.mtj import fokker_planck
from spinflow.host.mtj.fokker_planck import (
    FokkerPlanck,
    butler_error_rate,
    error_rate,
    legendre_error_rate,
)


def exact_legendre(i: float, tau: float, delta: float, terms: int, bits: int) -> float:
    """Return Tzoufras 2018, eqs. 11-12, in numbers of ``bits`` binary digits after the point.

    exp(A tau) is a Taylor series in many steps over integers, so nothing is lost to cancellation.
    """
    one = 1 << bits
    with mpmath.workprec(bits + 40):
        n = [mpmath.mpf(k) for k in range(terms)]
        f, spread = mpmath.mpf(i), 1 / (2 * mpmath.mpf(delta))
        bands = {
            -2: [-k * (k - 1) * (k - 2) / ((2 * k + 1) * (2 * k - 1)) for k in n],
            -1: [f * k * (k - 1) / (2 * k + 1) for k in n],
            0: [-k * (k + 1) * (spread - 1 / ((2 * k + 3) * (2 * k - 1))) for k in n],
            1: [-f * (k + 1) * (k + 2) / (2 * k + 1) for k in n],
            2: [(k + 1) * (k + 2) * (k + 3) / ((2 * k + 1) * (2 * k + 3)) for k in n],
        }
        norm = max(sum(abs(band[k]) for band in bands.values()) for k in range(terms))
        steps = int(mpmath.ceil(norm * tau / 8))
        scaled = {
            by: np.array([int(mpmath.nint(v * tau / steps * one)) for v in band], object)
            for by, band in bands.items()
        }
        start, half = _moments(delta, terms)
        state = np.array([int(mpmath.nint(v * one)) for v in start], object)
        for _ in range(steps):
            term, number = state, 1
            while np.max(np.abs(term)) > 2:
                moved = np.zeros(terms, object)
                for by, band in scaled.items():
                    part = (band * term) >> bits
                    if by >= 0:
                        moved[by:] += part[: terms - by]
                    else:
                        moved[:by] += part[-by:]
                term = moved // number
                state, number = state + term, number + 1
        return float(sum(h * mpmath.mpf(int(s)) / one for h, s in zip(half, state, strict=True)))


def _moments(delta: float, terms: int) -> tuple[list[mpmath.mpf], list[mpmath.mpf]]:
    # Moments of exp(delta x^2) on (0, 1) by Gauss's rule, its nodes polished from float64.
    count = 120
    total, sums = mpmath.mpf(0), [mpmath.mpf(0)] * terms
    for guess in np.polynomial.legendre.leggauss(count)[0]:
        x = mpmath.mpf(float(guess))
        for _ in range(4):
            below, here = mpmath.mpf(1), x
            for k in range(2, count + 1):
                below, here = here, ((2 * k - 1) * x * here - (k - 1) * below) / k
            slope = count * (x * here - below) / (x * x - 1)
            x -= here / slope
        y = (x + 1) / 2
        weight = mpmath.exp(delta * (y * y - 1)) / ((1 - x * x) * slope * slope)
        total += weight
        below, here = mpmath.mpf(1), y
        sums[0] += weight
        for k in range(1, terms):
            sums[k] += weight * here
            below, here = here, ((2 * k + 1) * y * here - k * below) / (k + 1)
    start = [(2 * k + 1) * value / (2 * total) for k, value in enumerate(sums)]
    at_zero = [mpmath.legendre(k, 0) for k in range(terms + 1)]
    half = [mpmath.mpf(1)]
    half += [(at_zero[k - 1] - at_zero[k + 1]) / (2 * k + 1) for k in range(1, terms)]
    return start, half


# (i, tau, Delta, terms, rate): exact_legendre with 200 bits.
EXACT = [
    (2.0, 5.0, 40.0, 120, 0.00132848953595),
    (2.78, 5.0, 40.0, 120, 1.02627421008e-6),
    (2.78, 5.0, 60.0, 200, 1.54749671145e-6),
    (3.0, 6.0, 40.0, 160, 2.31549154482e-9),
    (4.0, 4.0, 80.0, 260, 6.19052818467e-9),
    (1.5, 30.0, 60.0, 200, 5.51916107735e-13),
    (2.0, 18.0, 40.0, 160, 5.01660420448e-15),
    (3.0, 9.5, 40.0, 200, 1.92695404807e-15),
    (4.0, 6.5, 40.0, 220, 9.78096797873e-16),
    (1.0, 10.0, 20.0, 120, 0.109731926528),
    (0.5, 5.0, 20.0, 120, 0.99513261929),
]


@pytest.mark.parametrize(("i", "tau", "delta", "terms", "rate"), EXACT)
def test_rates_within_a_percent_of_exact_arithmetic(
    i: float, tau: float, delta: float, terms: int, rate: float
) -> None:
    assert float(error_rate(i, tau, delta)) == pytest.approx(rate, rel=0.003)


def test_exact_arithmetic_gives_the_rates_above() -> None:
    # Enough digits and terms for this row; the others take up to half a minute each.
    assert exact_legendre(2.0, 5.0, 40.0, 100, 130) == pytest.approx(EXACT[0][4], rel=1e-6)


@pytest.mark.slow
@pytest.mark.parametrize(("i", "tau", "delta", "terms", "rate"), EXACT)
def test_exact_arithmetic_gives_all_rates_above(
    i: float, tau: float, delta: float, terms: int, rate: float
) -> None:
    assert exact_legendre(i, tau, delta, terms, 200) == pytest.approx(rate, rel=1e-9)


@pytest.mark.parametrize(
    ("i", "tau", "legendre", "butler"),
    [(2, 5, 1.33e-3, 2.24e-3), (2.78, 5, 1.03e-6, 1.18e-6), (3, 6, 2.32e-9, 2.48e-9)],
)
def test_values_of_the_targets_page(i: float, tau: float, legendre: float, butler: float) -> None:
    assert f"{float(error_rate(i, tau)):.2e}" == f"{legendre:.2e}"
    assert float(butler_error_rate(i, tau)) == pytest.approx(butler, rel=0.01)


@pytest.mark.slow
def test_voltages_of_the_targets_page() -> None:
    wanted = {1e-8: 3.26, 1e-6: 2.78, 1e-4: 2.29, 1e-3: 2.03, 1e-2: 1.76, 5e-2: 1.56, 1e-1: 1.46}
    for rate, ratio in wanted.items():
        above, below = error_rate([ratio - 0.005, ratio + 0.005], 5.0)
        assert below < rate < above
    assert float(FokkerPlanck().drive_for(1e-6, 5e-9)) == pytest.approx(2.78 * 0.2, abs=0.001)


def test_legendre_converges_in_the_number_of_terms() -> None:
    exact = EXACT[0][4]
    errors = [abs(legendre_error_rate(2.0, 5.0, terms=n) - exact) for n in (40, 60, 80, 100, 150)]
    assert all(late < early for early, late in itertools.pairwise(errors[:4]))
    assert errors[3] < 1e-6 * exact and errors[4] < 1e-6 * exact


def test_the_plain_expansion_loses_what_the_solver_keeps() -> None:
    assert legendre_error_rate(6.0, 6.0, terms=150) < 0.0
    assert 0.9e-24 < float(error_rate(6.0, 6.0)) < 1.1e-24


@pytest.mark.slow
def test_never_negative_never_nan_never_above_one() -> None:
    drive = np.array([-2.0, -0.5, 0.0, 0.3, 1.0, 1.7, 4.0, 12.0])[:, np.newaxis]
    tau = np.array([0.0, 1e-9, 1e-3, 0.7, 5.0, 60.0, 1e4, 1e12, 1e19])
    for delta, drives in ((0.5, drive), (5.0, drive), (40.0, drive[::2]), (300.0, drive[6:7])):
        found = error_rate(drives, tau, delta)
        assert np.all((found >= 0.0) & (found <= 1.0))
        assert np.all(found[:, 0] == 1.0)


@pytest.mark.parametrize("delta", [10.0, 40.0, 90.0])
def test_monotone_in_pulse_and_current(delta: float) -> None:
    tau = np.linspace(0.0, 12.0, 121)
    for current in (0.8, 1.5, 3.0):
        assert np.all(np.diff(error_rate(current, tau, delta)) <= 1e-15)
    falling = error_rate(np.linspace(0.5, 5.0, 21), 4.0, delta)
    assert np.all(np.diff(falling) < 0.0)


def test_limits() -> None:
    assert float(error_rate(3.0, 0.0)) == 1.0
    # Without a current the bit stays; after long it has forgotten, half and half.
    assert float(error_rate(0.0, 5.0)) == pytest.approx(1.0, abs=1e-12)
    assert float(error_rate(0.0, 1e19)) == pytest.approx(0.5, abs=1e-4)
    # In the end only thermal equilibrium under the drive is left.
    x, w = np.polynomial.legendre.leggauss(200)
    weight = w * np.exp(10.0 * (x * x - 2.0 * 0.4 * x))
    left = weight[x > 0.0].sum() / weight.sum()
    assert float(error_rate(0.4, 1e9, 10.0)) == pytest.approx(left, rel=2e-3)
    # Large rates: Butler's form, good near 1.8 and longer pulses.
    assert float(error_rate(3.0, 8.0)) == pytest.approx(float(butler_error_rate(3.0, 8.0)), rel=0.1)


def test_a_field_acts_like_a_current() -> None:
    assert float(error_rate(2.5, 5.0, 40.0, 0.5)) == float(error_rate(2.0, 5.0))
    assert legendre_error_rate(2.5, 5.0, field=0.5) == legendre_error_rate(2.0, 5.0)
    model = FokkerPlanck(field=0.1)
    assert float(model.error_rate(0.5, 5e-9, 1)) == pytest.approx(float(error_rate(2.4, 5.0)))
    assert float(model.error_rate(0.5, 5e-9, 0)) == pytest.approx(float(error_rate(2.6, 5.0)))


def test_switched_and_not_switched_add_up() -> None:
    model = FokkerPlanck()
    volts, pulses = np.array([[0.0], [0.15], [0.3]]), np.array([1e-9, 5e-9, 2e-8])
    both = model.error_rate(volts, pulses) + model.switching_rate(volts, pulses)
    np.testing.assert_allclose(both, 1.0, atol=2e-4)


def test_escape_without_a_drive_is_that_of_brown() -> None:
    # Brown 1963: rate of one well over a high barrier sqrt(Delta / pi) (1 - 1 / Delta) exp(-Delta).
    for delta in (30.0, 50.0):
        model = FokkerPlanck(delta=delta)
        early, late = 1e-6, 2e-6
        rate = np.diff(model.switching_rate(0.0, [early, late]))[0] / (late - early) * model.time_s
        brown = math.sqrt(delta / math.pi) * (1.0 - 1.0 / delta) * math.exp(-delta)
        assert rate == pytest.approx(brown, rel=0.01)


def test_energy_by_summing_over_time() -> None:
    model = FokkerPlanck()
    times = np.linspace(0.0, 5e-9, 2001)
    kept = model.error_rate(0.5, times, 1)
    power = 0.25 * (kept / 5e3 + (1.0 - kept) / 12.5e3)
    energy = float(np.sum(0.5 * (power[1:] + power[:-1]) * np.diff(times)))
    assert float(model.energy_per_bit(0.5, 5e-9, 1)) == pytest.approx(energy, rel=1e-6)
    assert float(model.energy_per_bit(0.5, 5e-9, 1, False)) == pytest.approx(0.25 * 5e-9 / 12.5e3)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: error_rate(2.0, -1.0), "pulse width over t_D is -1, valid: 0 or more"),
        (lambda: error_rate(math.nan, 1.0), "current over critical current is nan, valid"),
        (lambda: error_rate(2.0, 1.0, 0.0), "thermal stability Delta is 0, valid: above 0"),
        (lambda: butler_error_rate(1.0, 5.0), "current over critical current is 1, valid: above 1"),
        (lambda: legendre_error_rate(2.0, 5.0, terms=1), "terms of the expansion is 1, valid: 2"),
    ],
)
def test_refusals(call: object, message: str) -> None:
    assert callable(call)
    with pytest.raises(ValueError) as caught:
        call()
    assert message in str(caught.value)


def test_conventional_condition_is_row_one_of_table_1() -> None:
    assert float(fokker_planck.FokkerPlanck().error_rate(None, 5e-9)) == pytest.approx(
        1e-6, rel=0.03
    )
