"""The exponential switching model, against the printed numbers of Asano 2024."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest

from spinflow.host.mtj import exponential
from spinflow.host.mtj.condition import WriteCondition
from spinflow.host.mtj.exponential import (
    energy_per_bit,
    error_rate,
    from_pulse,
    from_rate,
    pulse_for,
)

# Asano 2024, table 2: acceptable bit-error rate in percent, write energy in picojoules.
TABLE_2 = [
    (2.40, 8.94), (2.40, 8.94), (2.80, 8.57), (2.60, 8.75), (2.80, 8.57),
    (8.60, 5.88), (8.20, 6.00), (8.20, 6.00), (7.20, 6.31), (7.40, 6.24),
]  # fmt: skip


@pytest.mark.parametrize(("percent", "picojoules"), TABLE_2)
def test_energies_of_table_2(percent: float, picojoules: float) -> None:
    energy = float(energy_per_bit(pulse_for(percent / 100)))
    assert abs(energy * 1e12 - picojoules) <= 0.02
    assert from_rate(percent / 100).energy1_j == pytest.approx(energy)


@pytest.mark.parametrize(("percent", "saving"), [(2.40, 79.8), (2.80, 80.6), (8.60, 86.7)])
def test_savings_against_the_conventional_write(percent: float, saving: float) -> None:
    conventional = from_rate(exponential.CONVENTIONAL_RATE).energy1_j
    assert conventional == pytest.approx(44.2e-12, abs=0.05e-12)
    assert 100 * (1 - from_rate(percent / 100).energy1_j / conventional) == pytest.approx(
        saving, abs=0.05
    )


def test_rate_and_pulse_are_inverses() -> None:
    rates = np.logspace(-12, 0, 49).reshape(7, 7)
    assert error_rate(pulse_for(rates)).shape == (7, 7)
    np.testing.assert_allclose(error_rate(pulse_for(rates)), rates, rtol=1e-13)


def test_edges() -> None:
    assert error_rate(0.0) == 1.0 and energy_per_bit(0.0) == 0.0
    assert math.copysign(1.0, float(pulse_for(1.0))) == 1.0
    assert error_rate(exponential.TAU_S) == pytest.approx(1 / math.e)


def test_condition_is_of_one_piece() -> None:
    condition = from_pulse(5e-8)
    assert condition.rate1 == condition.rate0 == float(error_rate(5e-8))
    assert condition.energy1_j == condition.energy0_j == float(energy_per_bit(5e-8))
    assert condition.model == exponential.MODEL and condition.pulse_s == 5e-8
    assert from_rate(condition.rate1).pulse_s == pytest.approx(5e-8)
    with pytest.raises(dataclasses.FrozenInstanceError):
        condition.rate1 = 0.5  # type: ignore[misc]


@pytest.mark.parametrize("rate", [0.0, -0.1, 1.1, math.nan, math.inf])
def test_rate_out_of_range(rate: float) -> None:
    with pytest.raises(ValueError, match=r"write-error rate is .*, valid: above 0, at most 1"):
        pulse_for([0.5, rate])


@pytest.mark.parametrize("pulse", [-1e-9, math.nan, math.inf])
def test_pulse_out_of_range(pulse: float) -> None:
    for function in (error_rate, energy_per_bit, from_pulse):
        with pytest.raises(ValueError, match=r"pulse width is .* s, valid: 0 s or more"):
            function(pulse)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"rate1": 1.5}, "rate1 is 1.5, valid: 0 to 1"),
        ({"rate0": math.nan}, "rate0 is nan"),
        ({"energy0_j": -1e-12}, "energy0_j is -1e-12 J"),
        ({"pulse_s": -1.0}, "pulse_s is -1 s"),
    ],
)
def test_condition_refuses(changed: dict[str, float], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        dataclasses.replace(from_pulse(1e-8), **changed)  # type: ignore[arg-type]
    assert isinstance(from_pulse(1e-8), WriteCondition)
