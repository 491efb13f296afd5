"""Write conditions in words, and what is said of those that are none."""

from __future__ import annotations

import pytest

from spinflow.host.core import stream
from spinflow.host.core.errors import HostError, InputError, RateError
from spinflow.host.mtj import models
from spinflow.host.sweep.operating_point import (
    OperatingPoint,
    point_of_pulse,
    point_of_rate,
    point_of_target,
    point_of_write_condition,
    quantity,
)


@pytest.mark.parametrize(
    ("text", "unit", "value"),
    [("10ns", "s", 1e-8), ("1.5e-9", "s", 1.5e-9), ("0.5V", "V", 0.5), ("500 mV", "V", 0.5),
     ("150uA", "A", 150e-6), ("1e-4A", "A", 1e-4)],
)  # fmt: skip
def test_quantities(text: str, unit: str, value: float) -> None:
    assert quantity(text, unit) == pytest.approx(value)


@pytest.mark.parametrize("text", ["", "10", "-5ns", "5V", "5n", "ten ns", "1.2.3ns", "1e999s"])
def test_what_is_no_quantity_is_refused(text: str) -> None:
    if text == "10":
        assert quantity(text, "s") == 10.0  # a bare number is in SI units
        return
    if text == "1e999s":
        assert quantity(text, "s") == float("inf")  # which every model refuses
        return
    with pytest.raises(InputError, match="is not a quantity in s"):
        quantity(text, "s")


def test_a_condition_is_that_of_its_model() -> None:
    point = point_of_write_condition("sun-gamma:voltage=400mV,pulse=2ns,tmr_spread=0.05")
    junction = models.named("sun-gamma", tmr_spread=0.05)
    condition = models.condition(junction, 0.4, 2e-9)
    assert point.rate1 == round(condition.rate1 * 2**32) / 2**32
    assert point.rate0 == round(condition.rate0 * 2**32) / 2**32
    assert point.model == "sun-gamma:tmr_spread=0.05"
    assert point.costs.switched0_j == pytest.approx(condition.energy0_j)
    assert point.costs.same1_j == pytest.approx(condition.energy1_same_j)
    conventional = models.condition_for_rate(junction, 1e-8, 0.4)
    assert point.conventional.same0_j == pytest.approx(conventional.energy0_same_j)


def test_one_condition_in_three_ways() -> None:
    target = point_of_target(1e-3, "fokker-planck", "0.5V")
    assert max(target.rate1, target.rate0) == pytest.approx(1e-3, rel=1e-5)
    by_pulse = point_of_pulse(target.pulse_s, "fokker-planck", "0.5V")
    words = f"fokker-planck:voltage=0.5V,pulse={target.pulse_s!r}"
    for other in (by_pulse, point_of_write_condition(words)):
        assert other.rate1 == pytest.approx(target.rate1, rel=1e-6)
        assert other.costs.same1_j == pytest.approx(target.costs.same1_j, rel=1e-8)


def test_a_bare_rate_of_1_is_no_pulse_at_all() -> None:
    point: OperatingPoint = point_of_rate(1.0)
    assert (point.rate1, point.pulse_s, point.costs.same1_j) == (1.0, 0.0, 0.0)


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("moon-gamma:pulse=2ns", "device model is 'moon-gamma', valid: exponential, fokker-planck"),
        ("sun-gamma:voltage=0.4V", "no pulse"),
        ("sun-gamma:current=1uA,pulse=2ns", "is driven by a voltage, not by a current"),
        ("sun-gamma:voltage=0.4V,current=1uA,pulse=2ns", "a voltage and a current"),
        ("sun-gamma:voltage=0.4V,pulse=2ns,pulse=3ns", "NAME=VALUE, once"),
        ("sun-gamma:0.4V,pulse=2ns", "NAME=VALUE"),
        ("sun-gamma:pulse=2ns,tmr=high", "tmr=high: a number"),
        ("sun-gamma:pulse=2ns,colour=3", "'colour', valid: diameter_m"),
        ("sun-gamma:pulse=2ns,tmr=-1", "tmr is -1"),
        ("sun-gamma:voltage=0.1V,pulse=2ns", "0.1 V"),
        ("sun-gamma:voltage=0.4V,pulse=-2ns", "'-2ns' is not a quantity in s"),
        ("sun-gamma:voltage=0.4A,pulse=2ns", "'0.4A' is not a quantity in V"),
        ("fokker-planck:pulse=20ns", "smallest is 2.328e-10"),
        ("exponential:pulse=50", "no write fails: the smallest bit-error rate of the 32-bit"),
        ("exponential:current=1uA,pulse=2ns", "the one current"),
    ],
)
def test_a_condition_that_is_none_gets_one_line(text: str, line: str) -> None:
    with pytest.raises(HostError) as caught:
        point_of_write_condition(text)
    assert isinstance(caught.value, (InputError, RateError))
    assert str(caught.value).startswith(f"write condition {text}: ")
    assert line in str(caught.value) and "\n" not in str(caught.value)


def test_a_direction_whose_rate_is_too_small_is_named() -> None:
    text = "sun-gamma:voltage=0.5V,pulse=4ns,critical_voltage0_v=0.35"
    with pytest.raises(RateError, match=r"writing a 1: bit-error rate .* smallest is 2\.328e-10"):
        point_of_write_condition(text)


def test_warnings_of_a_model_are_one_line(capsys: pytest.CaptureFixture) -> None:
    point_of_write_condition("sun-gamma:voltage=0.2V,pulse=20ns")
    text = capsys.readouterr().err
    assert text.startswith("warning: write condition sun-gamma") and text.count("\n") == 1


@pytest.mark.parametrize("rate1", [0.0, 2.0**-32, 1e-9, 1 / 3, 0.1, 1 - 2.0**-32, 1.0])
def test_thresholds_are_whole_numbers_and_rates_follow_from_them(rate1: float) -> None:
    point = point_of_rate(rate1, 0.5)
    assert (point.threshold1, point.threshold0) == (stream.threshold(rate1), 2**31)
    assert type(point.threshold1) is int and type(point.threshold0) is int
    assert (point.rate1, point.rate0) == (stream.rate(point.threshold1), 0.5)
    assert point.has_errors and not point_of_rate(0.0).has_errors
