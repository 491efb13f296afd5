"""What all device models promise: round trips, limits, monotony, refusals, write conditions."""

from __future__ import annotations

import dataclasses
import math
import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spinflow.host.mtj.checks import DomainWarning
from spinflow.host.mtj.condition import WriteCondition
from spinflow.host.mtj.models import (
    MODELS,
    Exponential,
    FokkerPlanck,
    Model,
    SunGamma,
    condition,
    condition_for_rate,
    named,
)
from spinflow.host.mtj.sun_gamma import PAPER_SPREADS

ALL = [named(name) for name in MODELS]
VARIED = SunGamma(**PAPER_SPREADS)

rates = st.floats(math.log(1e-12), math.log(0.5)).map(math.exp)
bits = st.integers(0, 1)


def label(model: Model) -> str:
    return model.name


@settings(deadline=None)
@given(rate=rates, bit=bits)
def test_exponential_round_trip(rate: float, bit: int) -> None:
    model = Exponential(tau1_s=2e-8)
    pulse = model.pulse_for(rate, None, bit)
    assert float(model.error_rate(None, pulse, bit)) == pytest.approx(rate, rel=1e-9)
    assert float(model.drive_for(rate, pulse, bit)) == model.current_a


@settings(deadline=None)
@given(rate=rates, bit=bits, over=st.floats(1.2, 6.0))
def test_sun_gamma_round_trip(rate: float, bit: int, over: float) -> None:
    model = SunGamma(critical_voltage0_v=0.25)
    volts = over * (model.critical_voltage1_v if bit else model.critical_voltage0_v)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DomainWarning)
        pulse = model.pulse_for(rate, volts, bit)
        assert float(model.error_rate(volts, pulse, bit)) == pytest.approx(rate, rel=1e-9)
        assert float(model.drive_for(rate, pulse, bit)) == pytest.approx(volts, rel=1e-9)


@settings(max_examples=25, deadline=None)
@given(rate=rates, bit=bits, over=st.floats(2.5, 5.0))
def test_varied_round_trip(rate: float, bit: int, over: float) -> None:
    volts = over * VARIED.critical_voltage1_v
    pulse = VARIED.pulse_for(rate, volts, bit)
    assert float(VARIED.error_rate(volts, pulse, bit)) == pytest.approx(rate, rel=1e-9)
    assert float(VARIED.drive_for(rate, pulse, bit)) == pytest.approx(volts, rel=1e-9)


@pytest.mark.slow
@settings(max_examples=30, deadline=None)
@given(
    rate=rates, bit=bits, over=st.floats(1.1, 6.0), delta=st.floats(15.0, 80.0),
    field=st.floats(-0.1, 0.1),
)  # fmt: skip
def test_fokker_planck_round_trip_in_the_pulse(
    rate: float, bit: int, over: float, delta: float, field: float
) -> None:
    model = FokkerPlanck(delta=delta, field=field, switching_voltage0_v=0.3)
    volts = over * (0.2 if bit else 0.3)
    pulse = model.pulse_for(rate, volts, bit)
    assert float(model.error_rate(volts, pulse, bit)) == pytest.approx(rate, rel=1e-6)


@pytest.mark.slow
@settings(max_examples=8, deadline=None)
@given(rate=rates, pulse=st.floats(2e-9, 3e-8))
def test_fokker_planck_round_trip_in_the_drive(rate: float, pulse: float) -> None:
    model = FokkerPlanck()
    volts = model.drive_for(rate, pulse)
    assert float(model.error_rate(volts, pulse)) == pytest.approx(rate, rel=1e-6)


@pytest.mark.parametrize("model", [*ALL, VARIED], ids=label)
def test_arrays_broadcast(model: Model) -> None:
    drive = np.full((3, 1), model.nominal_drive)
    pulse, bit = np.array([1e-9, 2e-9]), np.array([0, 1])
    grid = model.error_rate(drive, pulse, bit)
    assert grid.shape == (3, 2) and grid.dtype == np.float64
    single = [float(model.error_rate(None, t, b)) for t, b in zip(pulse, bit, strict=True)]
    np.testing.assert_allclose(grid, [single] * 3, rtol=1e-12)
    assert model.energy_per_bit(drive, pulse, bit, True).shape == (3, 2)
    assert model.pulse_for(0.1, drive, bit).shape == (3, 2)


@pytest.mark.parametrize("model", [*ALL, VARIED], ids=label)
@pytest.mark.parametrize("bit", [1, 0])
def test_a_longer_pulse_errs_less(model: Model, bit: int) -> None:
    pulses = np.linspace(0.0, 2e-8, 201)
    found = model.error_rate(None, pulses, bit)
    assert found[0] == pytest.approx(1.0, abs=1e-14)
    assert np.all(np.diff(found) <= 1e-14) and np.all(found >= 0.0)
    assert found[-1] < (0.3 if isinstance(model, Exponential) else 1e-9)
    # No pulse is too long to get an answer.
    assert 0.0 <= float(model.error_rate(None, 1e-3, bit)) < 1e-9


@pytest.mark.parametrize("model", [SunGamma(), VARIED, FokkerPlanck()], ids=label)
def test_a_higher_voltage_errs_less(model: Model) -> None:
    volts = np.linspace(1.25, 6.0, 25) * 0.2
    found = model.error_rate(volts, 4e-9)
    assert np.all(np.diff(found) < 0.0) and np.all((found > 0.0) & (found <= 1.0))


@pytest.mark.parametrize("model", ALL, ids=label)
def test_condition_is_of_one_piece(model: Model) -> None:
    made = condition_for_rate(model, 1e-3)
    assert made.model == model.name and named(made.model, **made.parameters) == model
    assert made.rate1 == pytest.approx(1e-3, rel=1e-6)
    assert made.drive == model.nominal_drive and made.drive_unit == model.drive_unit
    for bit in (1, 0):
        assert getattr(made, f"rate{bit}") == model.error_rate(None, made.pulse_s, bit)
        for switched, suffix in ((True, ""), (False, "_same")):
            energy = getattr(made, f"energy{bit}{suffix}_j")
            assert energy == model.energy_per_bit(None, made.pulse_s, bit, switched)
    assert condition(model, None, made.pulse_s) == made
    total = made.energy_j(switched1=5, switched0=3, same1=2, same0=1)
    assert total == pytest.approx(
        5 * made.energy1_j + 3 * made.energy0_j + 2 * made.energy1_same_j + made.energy0_same_j
    )
    assert made.tells_bits_apart == (not isinstance(model, Exponential))


@pytest.mark.parametrize(
    "model",
    [
        Exponential(tau1_s=2e-8),
        SunGamma(critical_voltage1_v=0.22),
        FokkerPlanck(switching_voltage1_v=0.22),
        FokkerPlanck(field=0.05),
    ],
    ids=label,
)
def test_the_two_directions_have_their_own_rates(model: Model) -> None:
    made = condition_for_rate(model, 1e-3)
    assert made.rate1 == pytest.approx(1e-3, rel=1e-6)
    assert made.rate0 < 0.6 * made.rate1


def test_a_condition_fills_what_is_left_out() -> None:
    made = WriteCondition("mine", 1e-9, 0.5, 0.1, 0.2, 3e-12, 4e-12)
    assert (made.energy1_same_j, made.energy0_same_j) == (3e-12, 4e-12)
    assert (made.drive, made.drive_unit) == (0.5, "V")
    hash(made)
    with pytest.raises(ValueError, match="energy1_same_j is -1 J"):
        dataclasses.replace(made, energy1_same_j=-1.0)


@pytest.mark.parametrize("model", ALL, ids=label)
@pytest.mark.parametrize("rate", [0.0, 1.0, -0.1, 1.5, math.nan, math.inf])
def test_rates_outside_0_to_1_are_refused(model: Model, rate: float) -> None:
    with pytest.raises(ValueError, match=r"write-error rate is .*valid: above 0, below 1"):
        model.pulse_for(rate)
    with pytest.raises(ValueError, match=r"write-error rate is .*valid: above 0, below 1"):
        model.drive_for(rate, 1e-9)


@pytest.mark.parametrize("model", ALL, ids=label)
@pytest.mark.parametrize("pulse", [-1e-9, math.nan, math.inf])
def test_bad_pulses_are_refused(model: Model, pulse: float) -> None:
    for function in (model.error_rate, model.energy_per_bit):
        with pytest.raises(ValueError, match=r"pulse width is .* s, valid: 0 s or more, finite"):
            function(None, [1e-9, pulse])
    with pytest.raises(ValueError, match=r"pulse width is .* s, valid"):
        model.drive_for(0.1, pulse)


@pytest.mark.parametrize("model", ALL, ids=label)
def test_bad_directions_and_drives_are_refused(model: Model) -> None:
    with pytest.raises(ValueError, match=r"direction .* is 2, valid: 0 or 1"):
        model.error_rate(None, 1e-9, 2)
    for drive in (-0.1, math.nan):
        with pytest.raises(
            ValueError, match=rf"{model.drive_name} is .* {model.drive_unit}, valid"
        ):
            model.error_rate(drive, 1e-9)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: named("spin"), "device model is 'spin', valid: exponential, fokker-planck"),
        (lambda: named("sun-gamma", tau=1), "parameter of sun-gamma is 'tau', valid: diameter_m"),
        (lambda: FokkerPlanck(delta=0.0), "thermal stability Delta is 0, valid: above 0"),
        (lambda: FokkerPlanck(delta=-3.0), "thermal stability Delta is -3, valid: above 0"),
        (lambda: FokkerPlanck(field=1.0), "field over anisotropy field is 1, valid: above -1"),
        (lambda: FokkerPlanck(time_s=0.0), "time_s is 0 s, valid: above 0 s"),
        (lambda: SunGamma(tmr_spread=0.2), "tmr_spread is 0.2, valid: 0 or more, at most 0.1"),
        (lambda: SunGamma(shape=0.0), "shape is 0, valid: above 0"),
        (lambda: Exponential(tau0_s=0.0), "tau0_s is 0 s, valid: above 0 s"),
        (
            lambda: Exponential().error_rate(1e-4, 1e-8),
            "write current is 0.0001 A, valid: 0.00015 A",
        ),
        (lambda: Exponential().drive_for(0.1, 1e-9), "pulse width is 1e-09 s, valid: 3.4"),
        (
            lambda: SunGamma().error_rate(0.19, 1e-9),
            "write voltage is 0.19 V, valid: above the critical voltage of 0.19 V",
        ),
        (lambda: VARIED.pulse_for(1e-9, 0.3), "write-error rate is 1e-09, valid: above"),
        (lambda: FokkerPlanck().pulse_for(1e-9, 0.0), "write-error rate is 1e-09, valid: above"),
        (lambda: FokkerPlanck().drive_for(0.5, 1e-13), "pulse width over t_D is 0.0001, valid"),
    ],
)
def test_refusals_name_value_and_range(make: object, message: str) -> None:
    assert callable(make)
    with pytest.raises(ValueError) as caught:
        make()
    assert message in str(caught.value)
