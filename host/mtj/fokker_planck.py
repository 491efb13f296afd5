"""Macrospin switching from the Fokker-Planck equation (Tzoufras 2018; used by Tzoufras 2019).

The angle theta between the free layer and its initial direction follows, with x = cos theta,

    d rho / d tau = d/dx [ -(1 - x^2) (x - f) rho + (1 - x^2) / (2 Delta) d rho / dx ]

with tau = t / t_D, overdrive f = i - h, i = I / Ic (taken as V / Vsw), h the field over the
anisotropy field and Delta the thermal stability. Before the pulse rho is Boltzmann's,
exp(-Delta sin^2 theta), on the hemisphere x > 0; what is left there after the pulse has not
switched. Tzoufras expands rho in Legendre polynomials (``legendre_error_rate``), whose terms
cancel: in float64 a rate below some 1e-10 is lost, and may come out negative. Here the equation is
solved in finite volumes with exponential fitting, where every operation adds or multiplies
positive numbers: the smallest rate keeps its digits and none is negative.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import ArrayLike
from scipy.linalg import expm

from spinflow.host.mtj import checks
from spinflow.host.mtj.base import Model, solve
from spinflow.host.mtj.checks import Floats
from spinflow.host.mtj.finite_volumes import (
    equilibrium,
    overdrive_for,
    probabilities_at,
    propagators,
)

MODEL = "fokker-planck"

DELTA = 40.0
"""Thermal stability. Lost from the paper's text: a common value. Table 1 does not constrain it."""

TIME_S = 1e-9
"""Characteristic time t_D = (1 + alpha^2) / (alpha gamma mu0 Hk), seconds. Lost from the paper's
text, deduced: V / Vsw = 2.78 at 5 ns, the first row of table 1, is a rate of 1e-6 for 1 ns."""

SWITCHING_VOLTAGE_V = 0.2
"""Switching voltage Vsw, volts. Lost from the paper's text and assumed; only V / Vsw matters to
rates, and energies scale with its square."""

RESISTANCE_P_OHM = 5e3
"""Resistance of the parallel state, ohms. The paper gives none: about that of Hirtzlin's junction
(4 ohm um2 on 32 nm), assumed."""

TMR = 1.5
"""Tunnel magnetoresistance. The paper gives none: Hirtzlin's 150 %, assumed."""

# Longest pulse, in doublings of the shortest time step: 2^70 steps exceed the age of any device.
_DOUBLINGS = 70


@dataclass(frozen=True)
class FokkerPlanck(Model):
    """Junction of Tzoufras 2019, driven by a voltage.

    Attributes:
        delta: thermal stability Delta, above 0.
        time_s: characteristic time t_D, seconds.
        switching_voltage1_v: Vsw of writing a 1 (P to AP), volts.
        switching_voltage0_v: Vsw of writing a 0 (AP to P), volts.
        field: field h along the easy axis over the anisotropy field, inside (-1, 1); a positive
            one favours the parallel state, so it hinders writing a 1 and helps writing a 0.
        resistance_p_ohm: resistance of the parallel state, ohms.
        tmr: (R_AP - R_P) / R_P.

    Raises:
        ValueError: a parameter is outside its range; Delta is limited to 300.
    """

    delta: float = DELTA
    time_s: float = TIME_S
    switching_voltage1_v: float = SWITCHING_VOLTAGE_V
    switching_voltage0_v: float = SWITCHING_VOLTAGE_V
    field: float = 0.0
    resistance_p_ohm: float = RESISTANCE_P_OHM
    tmr: float = TMR

    name: ClassVar[str] = MODEL
    drive_unit: ClassVar[str] = "V"
    drive_name: ClassVar[str] = "write voltage"

    def __post_init__(self) -> None:
        _stability(self.delta)
        checks.quantity("field over anisotropy field", self.field, "", above=-1.0, below=1.0)
        for key, unit in (
            ("time_s", "s"), ("switching_voltage1_v", "V"), ("switching_voltage0_v", "V"),
            ("resistance_p_ohm", "ohm"), ("tmr", ""),
        ):  # fmt: skip
            checks.quantity(key, getattr(self, key), unit, above=0.0)

    @property
    def nominal_drive(self) -> float:
        """2.78 times the higher switching voltage, volts (Tzoufras 2019, table 1, first row)."""
        return 2.78 * max(self.switching_voltage1_v, self.switching_voltage0_v)

    def error_rate(
        self, drive: ArrayLike | None, pulse_s: ArrayLike, direction: ArrayLike = 1
    ) -> Floats:
        """Return the probability not to have switched (Tzoufras 2018, eqs. 11-12).

        Shapes, units and errors as :class:`Model`. Within 0.3 % of the expansion in exact
        arithmetic wherever that was computed: Delta from 20 to 80, V / Vsw up to 4, rates down to
        1e-15. Rates under 1e-140 may come out as 0. One voltage takes some 30 ms, further pulses
        at it 1 ms together.
        """
        return self._probability(self._drive(drive), checks.pulse(pulse_s), direction, False)

    def switching_rate(
        self, drive: ArrayLike | None, pulse_s: ArrayLike, direction: ArrayLike = 1
    ) -> Floats:
        """Return the probability to have switched, with all its digits where it is small.

        This is what disturbs a read and what spoils retention: the current may be small, zero or
        (a negative drive) of the polarity that writes the other bit.

        Args:
            drive: voltage in volts, any sign, or None for the nominal one.
            pulse_s: time in seconds, each 0 or more and finite.
            direction: the bit that the drive, where positive, writes.

        Returns:
            Probabilities in [0, 1], of the broadcast shape.

        Raises:
            ValueError: a quantity is outside its valid range.

        Source: Tzoufras 2018, eqs. 11-12; Tzoufras 2019, section III.1 (c) and (e).
        """
        value = self.nominal_drive if drive is None else drive
        volts = checks.quantity("voltage", value, "V")
        return self._probability(volts, checks.pulse(pulse_s), direction, True)

    def pulse_for(
        self, rate: ArrayLike, drive: ArrayLike | None = None, direction: ArrayLike = 1
    ) -> Floats:
        """Return the pulse width of a rate, as a root of :meth:`error_rate`.

        Shapes, units and errors as :class:`Model`. At an overdrive of 0 or less no pulse writes,
        and just above it rates below the thermal equilibrium cannot be had: ValueError.
        """
        p, volts, one = np.broadcast_arrays(
            checks.rate(rate), self._drive(drive), checks.target_bit(direction)
        )
        pulses = np.empty(p.shape)
        overdrive = self._overdrive(volts, one)
        for index in np.ndindex(p.shape):
            pulses[index] = self._pulse(float(p[index]), float(overdrive[index]))
        return pulses * self.time_s

    def drive_for(self, rate: ArrayLike, pulse_s: ArrayLike, direction: ArrayLike = 1) -> Floats:
        """Return the voltage of a rate and a pulse, as a root of :meth:`error_rate`.

        Shapes, units and errors as :class:`Model`. Takes some 0.2 s per element.
        """
        pulses = checks.quantity("pulse width", pulse_s, "s", above=0.0)
        p, t, one = np.broadcast_arrays(checks.rate(rate), pulses, checks.target_bit(direction))
        drives = np.empty(p.shape)
        for index in np.ndindex(p.shape):
            tau = float(t[index]) / self.time_s
            field = self.field if one[index] else -self.field
            drives[index] = overdrive_for(float(p[index]), tau, self.delta) + field
        if np.any(drives < 0.0):
            raise ValueError(
                f"write-error rate is {p[drives < 0.0].flat[0]:g}, valid: at most what the field "
                "leaves without any voltage"
            )
        return drives * np.where(one, self.switching_voltage1_v, self.switching_voltage0_v)

    def energy_per_bit(
        self,
        drive: ArrayLike | None,
        pulse_s: ArrayLike,
        direction: ArrayLike = 1,
        switched: ArrayLike = True,
    ) -> Floats:
        """Return the mean energy taken from a pulse of constant voltage.

        V^2 / R(before) while the bit has not switched and V^2 / R(after) from then on; the mean
        time before switching is the integral of :meth:`error_rate` over the pulse. A bit that is
        there already takes V^2 t / R. The resistances are assumptions (see the constants).

        Shapes, units and errors as :class:`Model`.
        """
        volts, t, one, must = np.broadcast_arrays(
            self._drive(drive), checks.pulse(pulse_s), checks.target_bit(direction),
            np.asarray(switched, np.bool_),
        )  # fmt: skip
        resistance_ap = self.resistance_p_ohm * (1.0 + self.tmr)
        after = np.where(one, resistance_ap, self.resistance_p_ohm)
        before = np.where(one, self.resistance_p_ohm, resistance_ap)
        waiting = np.zeros(t.shape)
        if np.any(must):
            # The rate is smooth in time, so 40 Gauss points integrate it to rounding.
            x, w = np.polynomial.legendre.leggauss(40)
            times = t[must, np.newaxis] * 0.5 * (x + 1.0)
            rates = self.error_rate(volts[must, np.newaxis], times, one[must, np.newaxis])
            waiting[must] = t[must] * (rates @ (0.5 * w))
        return volts**2 * (waiting / before + (t - waiting) / after)

    def _overdrive(self, volts: Floats, one: ArrayLike) -> Floats:
        switching = np.where(one, self.switching_voltage1_v, self.switching_voltage0_v)
        return volts / switching - np.where(one, self.field, -self.field)

    def _probability(
        self, volts: Floats, pulse: Floats, direction: ArrayLike, switched: bool
    ) -> Floats:
        overdrive, tau = np.broadcast_arrays(
            self._overdrive(volts, checks.target_bit(direction)), pulse / self.time_s
        )
        rates = np.empty(overdrive.shape)
        # All pulses of one overdrive share its propagator.
        for value in np.unique(overdrive):
            chosen = overdrive == value
            rates[chosen] = probabilities_at(float(value), self.delta, tau[chosen])[int(switched)]
        return rates

    def _pulse(self, rate: float, overdrive: float) -> float:
        longest = math.log(propagators(overdrive, self.delta)[1].step) + _DOUBLINGS * math.log(2.0)

        def excess(log_tau: float) -> float:
            got = float(
                probabilities_at(overdrive, self.delta, np.array([math.exp(log_tau)]))[0][0]
            )
            return math.log(got / rate) if got > 0.0 else -700.0

        left = equilibrium(overdrive, self.delta)
        low = high = math.log(2.0)
        # The equilibrium is that of the equation, a little off that of the finite volumes.
        while rate > 0.9 * left and overdrive > 0.0 and excess(high) > 0.0 and high < longest:
            low, high = high, high + 0.5
        if excess(high) > 0.0:
            raise ValueError(
                f"write-error rate is {rate:g}, valid: above the {left:g} that any pulse at "
                f"overdrive i - h = {overdrive:g} leaves"
            )
        while excess(low) <= 0.0:
            low -= 0.5
            if low < -50.0:
                return 0.0
        return math.exp(solve(excess, low, high))


def error_rate(
    current: ArrayLike, tau: ArrayLike, delta: float = DELTA, field: ArrayLike = 0.0
) -> Floats:
    """Return the probability not to have switched, in reduced units.

    Args:
        current: i = I / Ic.
        tau: pulse width over t_D, each 0 or more.
        delta: thermal stability, above 0 and at most 300.
        field: h over the anisotropy field; positive hinders the switching.

    Returns:
        Probabilities in [0, 1], float64, of the broadcast shape of the other three.

    Raises:
        ValueError: a quantity is outside its valid range or not finite.

    Source: Tzoufras 2018 (AIP Advances 8, 056002), eqs. 11-12.
    """
    i, t, h = np.broadcast_arrays(
        checks.quantity("current over critical current", current, ""),
        checks.quantity("pulse width over t_D", tau, "", least=0.0),
        checks.quantity("field over anisotropy field", field, ""),
    )
    _stability(delta)
    rates = np.empty(i.shape)
    overdrive = i - h
    for value in np.unique(overdrive):
        chosen = overdrive == value
        rates[chosen] = probabilities_at(float(value), float(delta), t[chosen])[0]
    return rates


def legendre_error_rate(
    current: float, tau: float, delta: float = DELTA, field: float = 0.0, terms: int = 120
) -> float:
    """Return the same probability by the paper's Legendre expansion, for comparison.

    Exact in the limit of many terms, but in float64 only to an absolute error of some 1e-12 to
    1e-9, so that small rates have no digit right and may be negative.

    Args:
        current: i = I / Ic.
        tau: pulse width over t_D, 0 or more.
        delta: thermal stability, above 0 and at most 300.
        field: h over the anisotropy field; positive hinders the switching.
        terms: terms of the expansion, 2 to 400.

    Raises:
        ValueError: a quantity is outside its valid range or not finite.

    Source: Tzoufras 2018, eqs. 11-12.
    """
    f = float(checks.quantity("overdrive i - h", current - field, ""))
    t = float(checks.quantity("pulse width over t_D", tau, "", least=0.0))
    count = int(checks.quantity("terms of the expansion", terms, "", least=2, most=400))
    _stability(delta)
    n = np.arange(count, dtype=np.float64)
    matrix = np.diag(-n * (n + 1) * (1 / (2 * delta) - 1 / ((2 * n + 3) * (2 * n - 1))))
    matrix += np.diag((-n * (n - 1) * (n - 2) / ((2 * n + 1) * (2 * n - 1)))[2:], 2)
    matrix += np.diag((f * n * (n - 1) / (2 * n + 1))[1:], 1)
    matrix += np.diag((-f * (n + 1) * (n + 2) / (2 * n + 1))[:-1], -1)
    matrix += np.diag(((n + 1) * (n + 2) * (n + 3) / ((2 * n + 1) * (2 * n + 3)))[:-2], -2)
    nodes, weights = np.polynomial.legendre.leggauss(max(2 * count, 200))
    x = 0.5 * (nodes + 1.0)
    boltzmann = weights * np.exp(delta * (x * x - 1.0))
    boltzmann /= boltzmann.sum()
    # Without the factors of 2 pi, which cancel between density and integral.
    start = (n + 0.5) * (np.polynomial.legendre.legvander(x, count - 1).T @ boltzmann)
    at_zero = np.polynomial.legendre.legvander(np.zeros(1), count)[0]
    half = np.ones(count)
    half[1:] = (at_zero[: count - 1] - at_zero[2 : count + 1]) / (2 * n[1:] + 1)
    return float(half @ (expm(matrix * t) @ start))


def butler_error_rate(current: ArrayLike, tau: ArrayLike, delta: float = DELTA) -> Floats:
    """Return Butler's closed form of the write-error rate, without a field.

    1 - exp(-(pi^2 Delta (i - 1) / 4) / (i exp(2 (i - 1) tau) - 1))

    Args:
        current: i = I / Ic, each above 1: the form is one of driven switching.
        tau: pulse width over t_D, each 0 or more.
        delta: thermal stability, above 0 and at most 300.

    Returns:
        Probabilities in [0, 1], float64, of the broadcast shape.

    Raises:
        ValueError: a quantity is outside its valid range.

    Source: Butler et al., IEEE Trans. Magn. 48, 4684 (2012), arXiv 1202.2621.
    """
    i = checks.quantity("current over critical current", current, "", above=1.0)
    t = checks.quantity("pulse width over t_D", tau, "", least=0.0)
    _stability(delta)
    exponent = np.minimum(2.0 * (i - 1.0) * t, 700.0)
    return -np.expm1(-(np.pi**2 * delta * (i - 1.0) / 4.0) / (i * np.exp(exponent) - 1.0))


def _stability(delta: float) -> None:
    checks.quantity("thermal stability Delta", delta, "", above=0.0, most=300.0)
