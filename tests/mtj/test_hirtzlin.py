"""The Sun and gamma model with variability, against what Hirtzlin 2019 prints."""

from __future__ import annotations

import math
import warnings

import numpy as np
import pytest
from scipy import integrate, stats

from spinflow.host.mtj.checks import DomainWarning
from spinflow.host.mtj.sun_gamma import PAPER_SPREADS, SunGamma
from spinflow.papers import monte_carlo as bench

PAPER = SunGamma()
VARIED = SunGamma(**PAPER_SPREADS)


def saving(model: SunGamma, rate: float, bit: int = 1) -> float:
    long, short = model.pulse_for([1e-6, rate], None, bit)
    return float(long / short)


def test_junction_of_the_paper() -> None:
    assert PAPER.resistance_p_ohm == pytest.approx(4e-12 / (math.pi * 16e-9**2))
    assert PAPER.resistance_ap_ohm == pytest.approx(2.5 * PAPER.resistance_p_ohm)
    assert PAPER.nominal_drive == pytest.approx(0.38)
    assert float(PAPER.switching_time(None)) == pytest.approx(PAPER.tau0_s)


def test_rate_is_the_tail_of_the_gamma_law() -> None:
    pulses = np.linspace(0.0, 5e-9, 21)
    law = stats.gamma(16.0, scale=float(PAPER.switching_time(0.3)) / 16.0)
    np.testing.assert_allclose(PAPER.error_rate(0.3, pulses), law.sf(pulses), rtol=1e-10)
    odd = SunGamma(shape=7.3)
    law = stats.gamma(7.3, scale=float(odd.switching_time(0.3)) / 7.3)
    np.testing.assert_allclose(odd.error_rate(0.3, pulses), law.sf(pulses), rtol=1e-10)


@pytest.mark.parametrize(
    ("spread", "at_1e3", "at_1e2"), [(0.0, 1.36, 1.59), (0.05, 1.48, 1.77), (0.075, 1.84, 2.32)]
)
def test_savings_of_the_targets_page(spread: float, at_1e3: float, at_1e2: float) -> None:
    model = SunGamma(drive_spread=spread)
    assert saving(model, 1e-3) == pytest.approx(at_1e3, abs=0.005)
    assert saving(model, 1e-2) == pytest.approx(at_1e2, abs=0.005)


def test_the_printed_factor_two_comes_with_the_stated_variability() -> None:
    rates = np.array([1e-6, 1e-3])
    both = np.zeros(2)
    for bit in (1, 0):
        both += VARIED.energy_per_bit(None, VARIED.pulse_for(rates, None, bit), bit)
    assert both[0] / both[1] == pytest.approx(2.0, abs=0.01)


@pytest.mark.parametrize("bit", [1, 0])
def test_quadrature_agrees_with_monte_carlo(bit: int) -> None:
    samples = 10_000_000
    times = VARIED.sample_switching_times(None, samples, bit, seed=20 + bit)
    for rate in (1e-2, 1e-3, 1e-4):
        pulse = float(VARIED.pulse_for(rate, None, bit))
        failed = int(np.count_nonzero(times > pulse))
        low, high = stats.binomtest(failed, samples).proportion_ci(0.99, method="exact")
        assert low <= float(VARIED.error_rate(None, pulse, bit)) <= high


def test_quadrature_agrees_with_an_adaptive_one() -> None:
    model = SunGamma(drive_spread=0.06)
    for rate in (1e-2, 1e-6, 1e-9):
        pulse = float(model.pulse_for(rate))

        def density(z: float, pulse: float = pulse) -> float:
            over = 2.0 * (1.0 + 0.06 * z)
            failed = stats.gamma.sf(pulse, 16.0, scale=1e-9 / 16.0 / (over - 1.0))
            return float(failed * stats.norm.pdf(z))

        exact, _ = integrate.quad(density, -8.2, 8.0, epsabs=0.0, epsrel=1e-9, limit=400)
        assert rate == pytest.approx(exact, rel=1e-6)


def test_quadrature_agrees_with_finer_steps() -> None:
    for bit in (1, 0):
        for pulse in VARIED.pulse_for([1e-3, 1e-6, 1e-9], None, bit):
            fine = VARIED.reference_error_rate(None, float(pulse), bit)
            assert float(VARIED.error_rate(None, pulse, bit)) == pytest.approx(fine, rel=1e-5)


def test_a_whole_curve_at_once() -> None:
    for bit in (1, 0):
        end = float(VARIED.pulse_for(1e-9, None, bit))
        found = VARIED.error_rate(None, np.linspace(1e-10, end, 100), bit)
        assert found[-1] == pytest.approx(1e-9)
        assert np.all(np.diff(found) < 0)


def test_quadrature_is_ten_thousand_times_as_fast() -> None:
    measured = bench.quadrature_against_monte_carlo(samples=200_000)
    assert measured["quadrature_relative_error"] < measured["relative_error"]
    assert measured["ratio"] > 1e4


@pytest.mark.parametrize("bit", [1, 0])
def test_energy_by_summing_over_switching_times(bit: int) -> None:
    pulse, volts = 1.1e-9, 0.38
    times = np.minimum(PAPER.sample_switching_times(volts, 400_000, bit), pulse)
    before, after = PAPER.resistance_p_ohm, PAPER.resistance_ap_ohm
    if bit == 0:
        before, after = after, before
    energy = volts**2 * np.mean(times / before + (pulse - times) / after)
    assert float(PAPER.energy_per_bit(volts, pulse, bit)) == pytest.approx(energy, rel=1e-3)
    same = volts**2 * pulse / after
    assert float(PAPER.energy_per_bit(volts, pulse, bit, False)) == pytest.approx(same)


def test_energy_of_bits_that_stay_needs_no_law() -> None:
    assert float(PAPER.energy_per_bit(0.1, 1e-9, 1, False)) > 0.0
    with pytest.raises(ValueError, match="critical voltage"):
        PAPER.energy_per_bit(0.1, 1e-9, 1, [False, True])


def test_a_warning_near_the_critical_voltage() -> None:
    with pytest.warns(DomainWarning, match=r"1\.05263 times the critical one"):
        PAPER.error_rate(0.2, 1e-9)
    with pytest.warns(DomainWarning):
        PAPER.drive_for(0.1, 1e-7)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        PAPER.error_rate(0.38, 1e-9)


@pytest.mark.parametrize(
    "spreads",
    [
        {"drive_spread": 0.08},
        {"resistance_spread": 0.08},
        {"tmr_spread": 0.1},
        {"tmr_spread": 0.05, "resistance_spread": 0.06, "drive_spread": 0.05},
    ],
)
def test_samples_below_the_critical_voltage_never_switch(spreads: dict[str, float]) -> None:
    model, volts = SunGamma(**spreads), 1.25 * PAPER.critical_voltage1_v
    bit = 0
    times = model.sample_switching_times(volts, 2_000_000, bit)
    for pulse in (1e-3, 40e-9, 20e-9, 5e-9):
        failed = int(np.count_nonzero(times > pulse))
        low, high = stats.binomtest(failed, len(times)).proportion_ci(0.999, method="exact")
        assert low <= float(model.error_rate(volts, pulse, bit)) <= high


def test_the_two_ways_to_integrate_meet(monkeypatch: pytest.MonkeyPatch) -> None:
    pulses = VARIED.pulse_for([1e-2, 1e-4, 1e-6, 1e-7], None, 0)
    over_spreads = VARIED.error_rate(None, pulses, 0)
    monkeypatch.setattr("spinflow.host.mtj.sun_gamma._LONG", 0.0)
    np.testing.assert_allclose(VARIED.error_rate(None, pulses, 0), over_spreads, rtol=1e-6)


@pytest.mark.filterwarnings("error")
def test_spread_of_the_tmr_alone_leaves_the_parallel_state_as_it_is() -> None:
    varied, plain = SunGamma(tmr_spread=0.05), SunGamma()
    assert varied.pulse_for(1e-3, 0.5, 1) == pytest.approx(plain.pulse_for(1e-3, 0.5, 1), rel=1e-9)
    assert varied.pulse_for(1e-3, 0.5, 0) > plain.pulse_for(1e-3, 0.5, 0)
