"""Retention, read disturb, read errors, breakdown, operation windows and error correction."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from spinflow.host.mtj.ecc import Secded
from spinflow.host.mtj.fokker_planck import FokkerPlanck
from spinflow.host.mtj.models import Exponential
from spinflow.host.mtj.reliability import (
    UNLIMITED_CYCLES,
    YEAR_S,
    Breakdown,
    SenseAmplifier,
    read_disturb_rate,
    read_window,
    retention_error_rate,
    retention_time,
    write_window,
)

JUNCTION = FokkerPlanck(delta=60.0)


def test_retention_is_neel_arrhenius() -> None:
    assert float(retention_error_rate(0.0, 40.0)) == 0.0
    assert float(retention_error_rate(YEAR_S, 40.0)) == pytest.approx(
        1 - math.exp(-YEAR_S / (1e-9 * math.exp(40.0)))
    )
    # A tiny probability keeps its digits.
    assert float(retention_error_rate(1.0, 100.0)) == pytest.approx(1e9 * math.exp(-100.0))
    assert retention_error_rate(np.ones((3, 1)), [40.0, 60.0]).shape == (3, 2)


@settings(deadline=None)
@given(st.floats(1e-12, 0.999), st.floats(20.0, 80.0))
def test_retention_round_trip(rate: float, delta: float) -> None:
    assert float(retention_error_rate(retention_time(rate, delta), delta)) == pytest.approx(
        rate, rel=1e-9
    )


def test_reads_add_up() -> None:
    once = float(read_disturb_rate(JUNCTION, 0.08, 5e-9))
    assert 0.0 < once < 1e-9
    assert float(read_disturb_rate(JUNCTION, 0.08, 5e-9, 1e6)) == pytest.approx(
        1e6 * once, rel=1e-3
    )
    assert float(read_disturb_rate(JUNCTION, 0.08, 5e-9, 0)) == 0.0
    assert float(read_disturb_rate(JUNCTION, 0.08, 5e-9, 1e18)) == pytest.approx(1.0)
    # The polarity that writes the stored bit again holds it.
    assert float(read_disturb_rate(JUNCTION, -0.08, 5e-9)) < 1e-6 * once
    assert float(read_disturb_rate(JUNCTION, 0.08, 5e-9, 1, 1)) == once


def test_read_disturb_at_a_write_voltage_is_the_write() -> None:
    written = float(JUNCTION.error_rate(0.5, 5e-9))
    assert float(read_disturb_rate(JUNCTION, 0.5, 5e-9)) == pytest.approx(1.0 - written)


def test_read_errors_by_sampling() -> None:
    amplifier, volts, width = SenseAmplifier(), 0.03, 5e-9
    rng, count = np.random.default_rng(3), 2_000_000
    mean = volts / 5e3 * 0.5 * (1 + 1 / 2.5)
    noise = rng.standard_normal((3, count))
    for bit, current in ((0, volts / 5e3), (1, volts / 12.5e3)):
        seen = current * (1 + 0.05 * noise[0]) + 0.3e-6 * noise[1]
        seen = seen + 5e-11 / math.sqrt(2 * width) * noise[2]
        wrong = np.mean(seen < mean if bit == 0 else seen > mean)
        assert float(amplifier.error_rate(volts, width, bit)) == pytest.approx(wrong, rel=0.05)


def test_read_errors_fall_with_voltage_and_time() -> None:
    amplifier = SenseAmplifier()
    assert float(amplifier.error_rate(0.0, 1e-9)) == 0.5
    assert np.all(np.diff(amplifier.error_rate(np.linspace(0, 0.3, 20), 5e-9, 1)) < 0.0)
    assert np.all(np.diff(amplifier.error_rate(0.05, np.geomspace(1e-10, 1e-6, 20))) < 0.0)


def test_read_window_bounds_are_where_the_rates_are_met() -> None:
    window = read_window(JUNCTION, 5e-9, 1e-6, 1e-9)
    assert window.is_open
    assert float(SenseAmplifier().error_rate(window.low_v, 5e-9)) == pytest.approx(1e-6, rel=1e-6)
    assert float(read_disturb_rate(JUNCTION, window.high_v, 5e-9)) == pytest.approx(1e-9, rel=1e-6)
    assert not read_window(FokkerPlanck(delta=30.0), 5e-9, 1e-6, 1e-9).is_open


def test_endurance_and_its_inverses() -> None:
    barrier = Breakdown()
    cycles = barrier.endurance(0.5, 5e-9, 1e-4)
    assert float(barrier.probability(0.5, 5e-9, cycles)) == pytest.approx(1e-4)
    assert float(barrier.voltage_for(cycles, 5e-9, 1e-4)) == pytest.approx(0.5)
    assert float(barrier.probability(1.2, 1e-8, 1)) == pytest.approx(1 - 1 / math.e)
    assert float(barrier.endurance(0.25, 5e-9) / barrier.endurance(0.5, 5e-9)) == pytest.approx(
        2.0**44
    )


def test_the_error_resilient_window_has_unlimited_endurance() -> None:
    model = FokkerPlanck()
    conventional = write_window(model, 5e-9, 1e-6, UNLIMITED_CYCLES)
    resilient = write_window(model, 5e-9, 1e-2, UNLIMITED_CYCLES)
    assert not conventional.is_open and resilient.is_open
    assert float(model.error_rate(resilient.low_v, 5e-9)) == pytest.approx(1e-2, rel=1e-6)


@pytest.mark.parametrize(
    ("width", "checks"), [(1, 3), (4, 4), (8, 5), (16, 6), (32, 7), (64, 8), (128, 9)]
)
def test_check_bits(width: int, checks: int) -> None:
    code = Secded(width)
    assert code.check_bits == checks
    assert float(code.energy_per_data_bit(2e-12)) == pytest.approx(2e-12 * (width + checks) / width)


def test_word_failures_are_binomial() -> None:
    code, rates = Secded(64), np.array([0.0, 1e-9, 1e-4, 0.1, 1.0])
    np.testing.assert_allclose(
        code.word_failure_rate(rates), stats.binom.sf(1, 72, rates), rtol=1e-9
    )


def test_residual_rate_against_a_real_decoder() -> None:
    # Extended Hamming (8, 4), every error pattern: its decoder's errors over its stored bits.
    columns = [(1, *bits) for bits in itertools.product((0, 1), repeat=3)]
    check = np.array(columns).T
    rate, wrong = 0.02, 0.0
    for pattern in itertools.product((0, 1), repeat=8):
        syndrome = tuple(check @ pattern % 2)
        left = list(pattern)
        if syndrome[0] == 1:
            left[columns.index(tuple(int(s) for s in syndrome))] ^= 1
        weight = sum(pattern)
        wrong += rate**weight * (1 - rate) ** (8 - weight) * sum(left) / 8
    bound = float(Secded(4).residual_rate(rate))
    assert Secded(4).code_bits == 8
    assert wrong <= bound + 1e-15 and bound == pytest.approx(wrong, rel=0.02)


def test_residual_rate_is_quadratic_where_it_is_small() -> None:
    code = Secded(64)
    np.testing.assert_allclose(
        code.residual_rate([0.0, 1e-12, 1e-6]), [0.0, 71e-24, 71e-12], rtol=1e-3
    )
    assert code.residual_rate(np.full((2, 3), 0.01)).shape == (2, 3)
    assert float(code.residual_rate(1.0)) <= 1.0


@settings(deadline=None)
@given(st.floats(math.log(1e-14), math.log(0.05)).map(math.exp), st.integers(1, 512))
def test_raw_rate_round_trip(residual: float, width: int) -> None:
    code = Secded(width)
    assert float(code.residual_rate(code.raw_rate_for(residual))) == pytest.approx(
        residual, rel=1e-9
    )


def test_price_of_the_code() -> None:
    # The same 1e-10 after the code costs less with it than with longer pulses alone, and more than
    # accepting the raw rate.
    model, code = Exponential(), Secded(64)
    raw = float(code.raw_rate_for(1e-10))
    coded = float(code.energy_per_data_bit(model.energy_per_bit(None, model.pulse_for(raw))))
    plain = float(model.energy_per_bit(None, model.pulse_for(1e-10)))
    tolerant = float(model.energy_per_bit(None, model.pulse_for(raw)))
    assert tolerant < coded < plain


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: retention_error_rate(-1.0, 40.0), "retention time is -1 s, valid: 0 s or more"),
        (lambda: retention_error_rate(1.0, 0.0), "thermal stability Delta is 0, valid: above 0"),
        (lambda: retention_time(1.0, 40.0), "retention error rate is 1, valid: above 0, below 1"),
        (lambda: read_disturb_rate(JUNCTION, 0.1, -1.0), "pulse width is -1 s, valid"),
        (lambda: read_disturb_rate(JUNCTION, 0.1, 1e-9, -1), "number of reads is -1, valid"),
        (lambda: SenseAmplifier().error_rate(-0.1, 1e-9), "read voltage is -0.1 V, valid: 0 V"),
        (lambda: SenseAmplifier(tmr=0.0), "tmr is 0, valid: above 0"),
        (lambda: Breakdown(voltage_v=0.0), "breakdown voltage is 0 V, valid: above 0 V"),
        (lambda: Breakdown().endurance(0.0, 1e-9), "write voltage is 0 V, valid: above 0 V"),
        (lambda: write_window(Exponential(), 1e-9, 0.1, 1e6), "valid: one in V"),
        (lambda: read_window(JUNCTION, 5e-9, 1e-12, 1e-9), "read-error rate is 1e-12, valid"),
        (lambda: read_window(JUNCTION, 5e-9, 1e-6, 0.7), "read-disturb rate is 0.7, valid"),
        (lambda: Secded(0), "word width is 0 bits, valid: 1 bits or more, at most 4096 bits"),
        (lambda: Secded(8).residual_rate(1.1), "bit-error rate is 1.1, valid: 0 or more"),
        (lambda: Secded(8).raw_rate_for(0.2), "residual bit-error rate is 0.2, valid: above 0"),
    ],
)
def test_refusals(call: object, message: str) -> None:
    assert callable(call)
    with pytest.raises(ValueError) as caught:
        call()
    assert message in str(caught.value)
