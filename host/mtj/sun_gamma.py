"""Sun's mean switching time with a gamma law around it (Hirtzlin et al. 2019, eqs. 3-5).

    tau = tau0 Vc / (V - Vc),    switching time ~ Gamma(k, tau / k),    k = 16

A write of pulse width t fails when the switching time exceeds t: the rate is Q(k, k t / tau), the
regularised upper incomplete gamma function. Junctions differ from each other, and so do the
transistors that drive them: with spreads above 0 the rate is the mean over such a population.
"""

from __future__ import annotations

import functools
import math
import warnings
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import gammainc, gammaincc, gammainccinv, gammaln, ndtr

from spinflow.host.mtj import checks
from spinflow.host.mtj.base import Model, solve
from spinflow.host.mtj.checks import DomainWarning, Floats

MODEL = "sun-gamma"

TAU0_S = 1e-9
"""Characteristic time tau0, seconds. The paper prints none: 1 ns is assumed, so that absolute
pulses and energies scale with it; ratios, and therefore savings, do not depend on it."""

DRIVE_SPREAD = 0.072
"""Relative standard deviation of the drive that stands for the mismatch of the paper's 28 nm
transistors, which are not available. Deduced: with it and the printed 5 % of TMR and R_P, the mean
energy of the two directions at 1e-3 is half that at 1e-6, which is the saving that is printed."""

PAPER_SPREADS = {"tmr_spread": 0.05, "resistance_spread": 0.05, "drive_spread": DRIVE_SPREAD}
"""The spreads of figure 4's second curve: 5 % of TMR and of R_P as printed, drive as deduced."""

NEAR_CRITICAL = 1.2
"""V / Vc below which Sun's law is outside its domain: thermal activation, which it leaves out,
then takes part in switching. The paper says only "significantly higher than Vc"."""

# Trapezoid rule over standard normal variables. Its error for a smooth function falls with
# exp(-2 pi^2 / step^2): steps of half a standard deviation give rates down to 1e-9 to some 1e-6
# relative. Nodes beyond the radius carry less than 1e-16 of the population.
_STEP = 0.5
_RADIUS = 9.0

# Width of the population's overdrive, in units of the gamma law's variable, above which the rate
# is integrated over switching times instead: for long pulses a sample either switches surely or is
# too close to its critical voltage, and that step in the spreads needs no resolving then.
_LONG = 16.0


@dataclass(frozen=True)
class SunGamma(Model):
    """Junction of Hirtzlin 2019, driven by a voltage.

    The spreads describe a population: R_P, TMR and the drive are normal around their means. The
    critical current is that of the magnet and does not vary, so a junction whose resistance is
    higher than the mean draws less current and is overdriven less:
    v = V (1 + z_drive drive_spread) / Vc x R_mean / R, with R that of the state before the write.
    A sample at or below its critical voltage counts as failed.

    Attributes:
        diameter_m: diameter of the junction, metres.
        resistance_area_ohm_m2: resistance-area product of the parallel state, ohm square metres.
        tmr: (R_AP - R_P) / R_P (eq. 3).
        critical_voltage1_v: critical voltage Vc of writing a 1 (P to AP), volts.
        critical_voltage0_v: critical voltage Vc of writing a 0 (AP to P), volts.
        tau0_s: characteristic time tau0 of eq. 4, seconds.
        shape: shape k of the gamma law of eq. 5.
        tmr_spread: relative standard deviation of the TMR.
        resistance_spread: relative standard deviation of R_P.
        drive_spread: relative standard deviation of the voltage that the transistors deliver.

    Raises:
        ValueError: a spread is outside [0, 0.1], or another parameter not above 0 and finite.
    """

    diameter_m: float = 32e-9
    resistance_area_ohm_m2: float = 4e-12
    tmr: float = 1.5
    critical_voltage1_v: float = 0.19
    critical_voltage0_v: float = 0.19
    tau0_s: float = TAU0_S
    shape: float = 16.0
    tmr_spread: float = 0.0
    resistance_spread: float = 0.0
    drive_spread: float = 0.0

    name: ClassVar[str] = MODEL
    drive_unit: ClassVar[str] = "V"
    drive_name: ClassVar[str] = "write voltage"

    def __post_init__(self) -> None:
        for key, unit in (
            ("diameter_m", "m"), ("resistance_area_ohm_m2", "ohm m2"), ("tmr", ""),
            ("critical_voltage1_v", "V"), ("critical_voltage0_v", "V"), ("tau0_s", "s"),
            ("shape", ""),
        ):  # fmt: skip
            checks.quantity(key, getattr(self, key), unit, above=0.0)
        for key in ("tmr_spread", "resistance_spread", "drive_spread"):
            # At 10 % a sample at ten standard deviations would have no resistance left.
            checks.quantity(key, getattr(self, key), "", least=0.0, most=0.1)

    @property
    def nominal_drive(self) -> float:
        """Twice the higher critical voltage, volts (the paper programs at 2.0 Vc)."""
        return 2.0 * max(self.critical_voltage1_v, self.critical_voltage0_v)

    @property
    def resistance_p_ohm(self) -> float:
        """Resistance R_P of the parallel state, ohms: RA over the area of the disc."""
        return self.resistance_area_ohm_m2 / (math.pi * self.diameter_m**2 / 4.0)

    @property
    def resistance_ap_ohm(self) -> float:
        """Resistance R_AP of the antiparallel state, ohms (Hirtzlin 2019, eq. 3)."""
        return self.resistance_p_ohm * (1.0 + self.tmr)

    def switching_time(self, drive: ArrayLike | None, direction: ArrayLike = 1) -> Floats:
        """Return the mean switching time tau of the mean junction, seconds (eq. 4).

        Args:
            drive: write voltage in volts, above the critical one, or None for the nominal one.
            direction: written bit, each 0 or 1.

        Raises:
            ValueError: a voltage is at or below the critical one, where the law does not hold.

        Warns:
            DomainWarning: a voltage is below 1.2 Vc.
        """
        return self.tau0_s / (self._overdrive(drive, direction) - 1.0)

    def error_rate(
        self, drive: ArrayLike | None, pulse_s: ArrayLike, direction: ArrayLike = 1
    ) -> Floats:
        """Return Q(k, k t / tau), averaged over the population (Hirtzlin 2019, eqs. 4-5).

        Shapes, units and errors as :class:`Model`; refusals and warnings near the critical
        voltage as :meth:`switching_time`. A population is integrated by quadrature over its
        spreads, not sampled.
        """
        overdrive = self._overdrive(drive, direction)
        v, t, one = np.broadcast_arrays(
            overdrive, checks.pulse(pulse_s), checks.target_bit(direction)
        )
        if not self._varies:
            return _survival(self.shape, self.shape * (v - 1.0) * t / self.tau0_s)
        rates = np.empty(v.shape)
        for index in np.ndindex(v.shape):
            rates[index] = self._population_rate(float(v[index]), float(t[index]), bool(one[index]))
        return rates

    def pulse_for(
        self, rate: ArrayLike, drive: ArrayLike | None = None, direction: ArrayLike = 1
    ) -> Floats:
        """Return the pulse of a rate: closed form for one junction, a root for a population.

        Shapes, units and errors as :class:`Model`; near the critical voltage as
        :meth:`switching_time`. A population has a floor, the fraction of samples at or below
        their critical voltage, and lower rates raise ValueError.
        Source: Hirtzlin 2019, eq. 5, solved for t.
        """
        overdrive = self._overdrive(drive, direction)
        v, p, one = np.broadcast_arrays(overdrive, checks.rate(rate), checks.target_bit(direction))
        mean = gammainccinv(self.shape, p) * self.tau0_s / (self.shape * (v - 1.0))
        if not self._varies:
            found: Floats = mean
            return found
        pulses = np.empty(v.shape)
        for index in np.ndindex(v.shape):
            pulses[index] = self._population_pulse(
                float(p[index]), float(v[index]), bool(one[index]), float(mean[index])
            )
        return pulses

    def drive_for(self, rate: ArrayLike, pulse_s: ArrayLike, direction: ArrayLike = 1) -> Floats:
        """Return the voltage of a rate and a pulse, volts; always above the critical one.

        Shapes, units and errors as :class:`Model`.
        Source: Hirtzlin 2019, eqs. 4-5, solved for V.

        Warns:
            DomainWarning: the voltage is below 1.2 Vc.
        """
        pulses = checks.quantity("pulse width", pulse_s, "s", above=0.0)
        p, t, one = np.broadcast_arrays(checks.rate(rate), pulses, checks.target_bit(direction))
        critical = np.where(one, self.critical_voltage1_v, self.critical_voltage0_v)
        v = 1.0 + gammainccinv(self.shape, p) * self.tau0_s / (self.shape * t)
        if self._varies:
            v = np.array(v)
            for index in np.ndindex(v.shape):
                v[index] = self._population_overdrive(
                    float(p[index]), float(t[index]), bool(one[index]), float(v[index])
                )
        _warn_near_critical(v)
        found: Floats = v * critical
        return found

    def energy_per_bit(
        self,
        drive: ArrayLike | None,
        pulse_s: ArrayLike,
        direction: ArrayLike = 1,
        switched: ArrayLike = True,
    ) -> Floats:
        """Return the energy that the mean junction takes from a pulse of constant voltage.

        V^2 / R(before) until it switches and V^2 / R(after) from then on, with the mean time
        before switching within the pulse E[min(T, t)] = tau P(k + 1, k t / tau) + t Q(k, k t / tau)
        of the gamma law. A bit that is there already takes V^2 t / R. The spreads would change
        these means by their squares only (below 1 %), which is left out, as is the energy in the
        transistors.

        Shapes, units and errors as :class:`Model`; for a bit that switches, refusals and warnings
        near the critical voltage as :meth:`switching_time`.
        """
        volts, t = self._drive(drive), checks.pulse(pulse_s)
        one, must = checks.target_bit(direction), np.asarray(switched, np.bool_)
        volts, t, one, must = np.broadcast_arrays(volts, t, one, must)
        after = np.where(one, self.resistance_ap_ohm, self.resistance_p_ohm)
        before = np.where(one, self.resistance_p_ohm, self.resistance_ap_ohm)
        energy = np.array(volts**2 * t / after)
        if np.any(must):
            overdrive = self._overdrive(volts[must], one[must])
            tau, pulse = self.tau0_s / (overdrive - 1.0), t[must]
            x = self.shape * pulse / tau
            waiting = tau * gammainc(self.shape + 1.0, x) + pulse * _survival(self.shape, x)
            energy[must] = volts[must] ** 2 * (
                waiting / before[must] + (pulse - waiting) / after[must]
            )
        return energy

    def sample_switching_times(
        self, drive: float | None, samples: int, direction: int = 1, seed: int = 0
    ) -> Floats:
        """Return switching times drawn at random, seconds: the check of the quadrature.

        Every sample is a junction of the population with one switching time of the gamma law;
        one at or below its critical voltage never switches (infinity).

        Args:
            drive: write voltage in volts, or None for the nominal one.
            samples: how many.
            direction: written bit, 0 or 1.
            seed: of numpy's default generator.

        Returns:
            Seconds, shape (samples,).

        Raises:
            ValueError: as :meth:`switching_time`.
        """
        overdrive = float(self._overdrive(drive, direction))
        rng = np.random.default_rng(seed)
        times = rng.standard_gamma(self.shape, samples)
        times *= self.tau0_s / self.shape
        spreads = self._spreads(direction == 1)
        normal = [rng.standard_normal(samples) if s > 0.0 else np.zeros(1) for s in spreads]
        above = self._sampled_overdrive(overdrive, normal, direction == 1) - 1.0
        with np.errstate(divide="ignore"):
            return np.where(above > 0.0, times / above, np.inf)

    def cell_error_rates(
        self, drive: float | None, pulse_s: float, normal: Floats, direction: int = 1
    ) -> Floats:
        """Return the write-error rate of each junction of a population, whose mean is the rate.

        Args:
            drive: write voltage in volts, or None for the nominal one.
            pulse_s: pulse width in seconds.
            normal: of each junction how many standard deviations drive, R_P and TMR are above
                their means, shape (3, n). A junction keeps them in both directions.
            direction: written bit, 0 or 1.

        Returns:
            Shape (n,).

        Raises:
            ValueError: as :meth:`error_rate`.
        """
        mean, one = float(self._overdrive(drive, direction)), direction == 1
        x = self.shape * float(checks.pulse(pulse_s)) / self.tau0_s
        above = self._sampled_overdrive(mean, list(normal), one) - 1.0
        return _survival(self.shape, x * np.maximum(above, 0.0))

    def reference_error_rate(
        self, drive: float | None, pulse_s: float, direction: int = 1
    ) -> float:
        """Return :meth:`error_rate` by a quadrature of half the step and a wider radius.

        Args:
            drive: write voltage in volts, or None for the nominal one.
            pulse_s: pulse width in seconds.
            direction: written bit, 0 or 1.

        Raises:
            ValueError: as :meth:`error_rate`.
        """
        mean, one = float(self._overdrive(drive, direction)), direction == 1
        x = self.shape * float(checks.pulse(pulse_s)) / self.tau0_s
        weights, above = self._population(mean, one, 0.5 * _STEP, _RADIUS + 1.0)
        return float(weights @ _survival(self.shape, x * np.maximum(above, 0.0)))

    @property
    def _varies(self) -> bool:
        return max(self.tmr_spread, self.resistance_spread, self.drive_spread) > 0.0

    def _overdrive(self, drive: ArrayLike | None, direction: ArrayLike) -> Floats:
        volts, one = np.broadcast_arrays(self._drive(drive), checks.target_bit(direction))
        critical = np.where(one, self.critical_voltage1_v, self.critical_voltage0_v)
        bad = ~(volts > critical)
        if np.any(bad):
            raise ValueError(
                f"write voltage is {volts[bad].flat[0]:g} V, valid: above the critical voltage of "
                f"{critical[bad].flat[0]:g} V, below which Sun's law does not hold"
            )
        ratio = volts / critical
        _warn_near_critical(ratio)
        return ratio

    def _spreads(self, one: bool) -> tuple[float, float, float]:
        # R_P before writing a 1 has no part of the TMR.
        return self.drive_spread, self.resistance_spread, 0.0 if one else self.tmr_spread

    def _sampled_overdrive(self, mean: float, normal: list[Floats], one: bool) -> Floats:
        drive, resistance, tmr = (
            1.0 + spread * z for spread, z in zip(self._spreads(one), normal, strict=True)
        )
        if not one:
            resistance = resistance * (1.0 + self.tmr * tmr) / (1.0 + self.tmr)
        return mean * drive / resistance

    def _population(
        self, mean: float, one: bool, step: float = _STEP, radius: float = _RADIUS
    ) -> tuple[Floats, Floats]:
        varies = tuple(spread > 0.0 for spread in self._spreads(one))
        weights, normal = _normal_nodes(varies, step, radius)
        return weights, self._sampled_overdrive(mean, list(normal), one) - 1.0

    def _population_rate(self, mean: float, pulse: float, one: bool) -> float:
        steepness = self.shape * pulse / self.tau0_s
        if steepness * mean * max(self._spreads(one)) > _LONG:
            step = math.sqrt(self.shape) / 8.0
            y = step * (0.5 + np.arange(math.ceil((self.shape + 60.0) / step), dtype=np.float64))
            law = np.exp((self.shape - 1.0) * np.log(y) - y - gammaln(self.shape)) * step
            return min(1.0, float(law @ self._fraction_below(np.asarray(y / steepness), mean, one)))
        weights, above = self._population(mean, one)
        x = np.maximum(above, 0.0) * steepness
        return min(1.0, float(weights @ _survival(self.shape, x)))

    def _fraction_below(self, above: Floats, mean: float, one: bool) -> Floats:
        """Return the fractions of samples whose overdrive less 1 is below ``above``, shape (n,).

        Exact in the variable that spreads most; nodes in the others.
        """
        spreads = self._spreads(one)
        if not any(spreads):
            # The TMR alone varies, and R_P has no part of it: all samples are the mean one.
            return np.asarray(1.0 + above >= mean, np.float64)
        main = int(np.argmax(spreads))
        weights, normal = _normal_nodes(
            tuple(spread > 0.0 and n != main for n, spread in enumerate(spreads)), _STEP, _RADIUS
        )
        drive, resistance, tmr = (
            1.0 + spread * z for spread, z in zip(spreads, normal, strict=True)
        )
        share = 1.0 if one else (1.0 + self.tmr * tmr) / (1.0 + self.tmr)
        limit = 1.0 + above[:, np.newaxis]
        if main == 0:
            z = (limit * resistance * share / mean - 1.0) / spreads[0]
        elif main == 1:
            z = (1.0 - mean * drive / (limit * share)) / spreads[1]
        else:
            lowest = (mean * drive / (limit * resistance) * (1.0 + self.tmr) - 1.0) / self.tmr
            z = (1.0 - lowest) / spreads[2]
        found: Floats = ndtr(z) @ weights
        return found

    def _population_pulse(self, rate: float, mean: float, one: bool, guess: float) -> float:
        floor = float(self._fraction_below(np.zeros(1), mean, one)[0])
        if not rate > floor * (1.0 + 1e-6):
            raise ValueError(
                f"write-error rate is {rate:g}, valid: above {floor:g}, the fraction of junctions "
                f"that {mean:g} times the critical voltage cannot switch"
            )

        def excess(log_pulse: float) -> float:
            return math.log(self._population_rate(mean, math.exp(log_pulse), one) / rate)

        low = high = math.log(guess)
        while excess(low) < 0.0:
            low -= 0.5
        while excess(high) > 0.0:
            high += 0.5
        return math.exp(solve(excess, low, high) if high > low else low)

    def _population_overdrive(self, rate: float, pulse: float, one: bool, guess: float) -> float:
        def excess(log_above: float) -> float:
            got = self._population_rate(1.0 + math.exp(log_above), pulse, one)
            return math.log(got / rate) if got > 0.0 else -math.inf

        low = high = math.log(guess - 1.0)
        while excess(low) < 0.0:
            low -= 0.2
        while excess(high) > 0.0:
            high += 0.2
        return 1.0 + math.exp(solve(excess, low, high) if high > low else low)


def _survival(shape: float, x: Floats) -> Floats:
    """Return Q(shape, x), for a whole shape by its finite sum: all terms positive, 30x as fast."""
    if not (shape.is_integer() and shape <= 64.0):
        found: Floats = gammaincc(shape, x)
        return found
    terms = np.ones_like(x)
    for j in range(int(shape) - 1, 0, -1):
        terms = 1.0 + terms * x / j
    return np.minimum(np.exp(-x) * terms, 1.0)


@functools.lru_cache(maxsize=8)
def _normal_nodes(varies: tuple[bool, ...], step: float, radius: float) -> tuple[Floats, Floats]:
    """Return weights (n,) and nodes (3, n) of standard normal variables; constant ones are 0."""
    count = math.ceil(radius / step)
    axis = step * np.arange(-count, count + 1)
    axes = [axis if varied else np.zeros(1) for varied in varies]
    z = np.stack([part.ravel() for part in np.meshgrid(*axes, indexing="ij")])
    square = np.sum(z * z, axis=0)
    inside = square <= radius**2
    weights = np.exp(-0.5 * square[inside])
    return weights / weights.sum(), z[:, inside]


def _warn_near_critical(overdrive: Floats) -> None:
    lowest = float(np.min(overdrive, initial=math.inf))
    if lowest < NEAR_CRITICAL:
        warnings.warn(
            f"write voltage is {lowest:g} times the critical one: Sun's law holds well above it, "
            f"from about {NEAR_CRITICAL:g} times",
            DomainWarning,
            stacklevel=4,
        )
