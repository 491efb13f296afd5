"""Exponential switching of a junction under a constant write current (Asano et al. 2024, eq. 2).

    P_sw(t) = 1 - exp(-t / tau_P)

A write of pulse width t fails with rate exp(-t / tau_P) and takes the energy E = V I t, so rate and
energy both follow from the pulse width. The paper gives one tau_P for both directions.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import ArrayLike

from spinflow.host.mtj import checks
from spinflow.host.mtj.base import Model, condition
from spinflow.host.mtj.checks import Floats
from spinflow.host.mtj.condition import WriteCondition

MODEL = "exponential"

TAU_S = 1.48e-8
"""Switching time constant tau_P, seconds (Asano 2024, below eq. 2; printed without a unit)."""

CURRENT_A = 150e-6
"""Write current, amperes (Asano 2024)."""

VOLTAGE_V = 1.08
"""Write voltage, volts. The paper does not print it: it is deduced. All ten energies of table 2
are V I t with t = -tau_P ln(BER) for V = 1.08 V (7.2 kOhm), each within 0.02 pJ."""

CONVENTIONAL_RATE = 1e-8
"""Bit-error rate of a conventional write (Asano 2024: 1e-6 %), the base of the paper's savings."""


@dataclass(frozen=True)
class Exponential(Model):
    """Junction of Asano 2024, driven by a current.

    The paper knows tau_P at one current and says only that it falls as the current rises. The
    model holds for that current alone and refuses any other; a junction measured at another
    current is another object with its own time constants.

    Attributes:
        tau1_s: time constant of writing a 1, seconds.
        tau0_s: time constant of writing a 0, seconds.
        current_a: write current at which the time constants hold, amperes.
        voltage1_v: voltage while a 1 is written, volts.
        voltage0_v: voltage while a 0 is written, volts.

    Raises:
        ValueError: a parameter is not above 0 and finite.
    """

    tau1_s: float = TAU_S
    tau0_s: float = TAU_S
    current_a: float = CURRENT_A
    voltage1_v: float = VOLTAGE_V
    voltage0_v: float = VOLTAGE_V

    name: ClassVar[str] = MODEL
    drive_unit: ClassVar[str] = "A"
    drive_name: ClassVar[str] = "write current"

    def __post_init__(self) -> None:
        for key, unit in (
            ("tau1_s", "s"), ("tau0_s", "s"), ("current_a", "A"),
            ("voltage1_v", "V"), ("voltage0_v", "V"),
        ):  # fmt: skip
            checks.quantity(key, getattr(self, key), unit, above=0.0)

    @property
    def nominal_drive(self) -> float:
        """The write current, amperes."""
        return self.current_a

    def _drive(self, drive: ArrayLike | None) -> Floats:
        current = super()._drive(drive)
        bad = ~np.isclose(current, self.current_a, rtol=1e-9, atol=0.0)
        if np.any(bad):
            raise ValueError(
                f"write current is {current[bad].flat[0]:g} A, valid: {self.current_a:g} A, the "
                "one current at which the time constant of exponential switching is known"
            )
        return current

    def error_rate(
        self, drive: ArrayLike | None, pulse_s: ArrayLike, direction: ArrayLike = 1
    ) -> Floats:
        """Return exp(-t / tau_P) (Asano 2024, eq. 2, as 1 - P_sw); else as :class:`Model`."""
        current, t = self._drive(drive), checks.pulse(pulse_s)
        return np.exp(-t / self._tau(direction) + 0.0 * current)

    def pulse_for(
        self, rate: ArrayLike, drive: ArrayLike | None = None, direction: ArrayLike = 1
    ) -> Floats:
        """Return -tau_P ln(rate) (Asano 2024, eq. 2, solved for t); else as :class:`Model`."""
        current, p = self._drive(drive), checks.rate(rate)
        return -self._tau(direction) * np.log(p) + 0.0 * current

    def drive_for(self, rate: ArrayLike, pulse_s: ArrayLike, direction: ArrayLike = 1) -> Floats:
        """Refuse, unless the one known current happens to fit; see the class.

        Raises:
            ValueError: the known current does not give ``rate`` with ``pulse_s``.
        """
        p, t = checks.rate(rate), checks.pulse(pulse_s)
        needed = self.pulse_for(p, None, direction)
        needed, t = np.broadcast_arrays(needed, t)
        bad = ~np.isclose(needed, t, rtol=1e-9, atol=0.0)
        if np.any(bad):
            raise ValueError(
                f"pulse width is {t[bad].flat[0]:g} s, valid: {needed[bad].flat[0]:g} s, the one "
                f"that gives the rate at {self.current_a:g} A; exponential switching is known at "
                "that current only, so no other current can be chosen"
            )
        return np.full(t.shape, self.current_a)

    def energy_per_bit(
        self,
        drive: ArrayLike | None,
        pulse_s: ArrayLike,
        direction: ArrayLike = 1,
        switched: ArrayLike = True,
    ) -> Floats:
        """Return V I t; switched or not makes no difference (Asano 2024, table 2).

        Shapes, units and errors as :class:`Model`.
        """
        current, t = self._drive(drive), checks.pulse(pulse_s)
        one = checks.target_bit(direction)
        volts = np.where(one, self.voltage1_v, self.voltage0_v)
        return volts * current * t + 0.0 * np.asarray(switched, np.float64)

    def voltage(self, drive: ArrayLike | None = None) -> Floats:
        """Return the higher of the two write voltages, of the shape of ``drive``."""
        return np.full(self._drive(drive).shape, max(self.voltage1_v, self.voltage0_v))

    def _tau(self, direction: ArrayLike) -> Floats:
        return np.where(checks.target_bit(direction), self.tau1_s, self.tau0_s)


ASANO = Exponential()
"""The junction of the paper, which the functions below are about."""


def error_rate(pulse_s: ArrayLike) -> Floats:
    """Return the rate at which writes of a pulse width fail, exp(-t / tau_P).

    Args:
        pulse_s: pulse width t in seconds, any shape, each >= 0 and finite.

    Returns:
        Probabilities in [0, 1], float64, the shape of ``pulse_s``.

    Raises:
        ValueError: a pulse width is negative, infinite or NaN.

    Source: Asano 2024, eq. 2; the rate is 1 - P_sw.
    """
    return ASANO.error_rate(None, pulse_s)


def pulse_for(rate: ArrayLike) -> Floats:
    """Return the pulse width that fails at a given rate, -tau_P ln(rate).

    Args:
        rate: probability of a failed write, any shape, each above 0 and at most 1.

    Returns:
        Pulse widths in seconds, float64, the shape of ``rate``.

    Raises:
        ValueError: a rate is not above 0 and at most 1 (rate 0 would need an endless pulse).

    Source: Asano 2024, eq. 2, solved for t.
    """
    p = checks.quantity("write-error rate", rate, "", above=0.0, most=1.0)
    # + 0.0 turns the -0.0 of rate 1 into 0.0.
    return -TAU_S * np.log(p) + 0.0


def energy_per_bit(pulse_s: ArrayLike) -> Floats:
    """Return the energy of writing one bit, E = V I t.

    Args:
        pulse_s: pulse width t in seconds, any shape, each >= 0 and finite.

    Returns:
        Energies in joules, float64, the shape of ``pulse_s``.

    Raises:
        ValueError: a pulse width is negative, infinite or NaN.

    Source: Asano 2024, table 2, whose energies fit this with the constants above.
    """
    return ASANO.energy_per_bit(None, pulse_s)


def from_pulse(pulse_s: float) -> WriteCondition:
    """Return the write condition of one pulse width in seconds; errors as :func:`error_rate`."""
    return condition(ASANO, None, pulse_s)


def from_rate(rate: float) -> WriteCondition:
    """Return the write condition that fails at ``rate``; errors as :func:`pulse_for`.

    The pulse is what is chosen: the condition's rates are those that follow back from it, equal to
    ``rate`` up to float64 rounding.
    """
    return from_pulse(float(pulse_for(rate)))
