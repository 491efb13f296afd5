"""Errors other than those of writing, and what wears a junction out.

Retention, read disturb, read errors and breakdown are the categories (b) to (e) of Tzoufras 2019,
section III.1; with the write errors they bound the operation windows of its equations 8 and 9.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import erfc

from spinflow.host.mtj import checks
from spinflow.host.mtj.base import Model, solve
from spinflow.host.mtj.checks import Floats
from spinflow.host.mtj.fokker_planck import RESISTANCE_P_OHM, TMR, FokkerPlanck

ATTEMPT_TIME_S = 1e-9
"""Attempt time t0 of the Neel-Arrhenius law, seconds: the value in common use."""

YEAR_S = 365.25 * 86400.0
"""A year, seconds."""

UNLIMITED_CYCLES = 1e16
"""Writes that count as unlimited endurance: one every 30 ns for ten years. The paper gives no
number for its "unlimited"."""


def retention_error_rate(
    time_s: ArrayLike, delta: ArrayLike, attempt_time_s: float = ATTEMPT_TIME_S
) -> Floats:
    """Return the probability that an idle bit has flipped, 1 - exp(-t / (t0 exp(Delta))).

    Thermal activation in zero field and current. The law lets a bit flip once; over times near
    t0 exp(Delta) it may flip back, and the true probability tends to 1/2. The same from the
    Fokker-Planck equation is ``FokkerPlanck.switching_rate(0, t)``, whose attempt time for
    Delta >> 1 is t_D sqrt(pi / Delta) (Brown 1963).

    Args:
        time_s: idle time in seconds, each 0 or more and finite.
        delta: thermal stability Delta, each above 0.
        attempt_time_s: attempt time t0, seconds, above 0.

    Returns:
        Probabilities in [0, 1], float64, of the broadcast shape.

    Raises:
        ValueError: a quantity is outside its valid range.

    Source: Neel-Arrhenius law, Neel 1949, as in Tzoufras 2019, section III.1 (c).
    """
    t = checks.quantity("retention time", time_s, "s", least=0.0)
    d = checks.quantity("thermal stability Delta", delta, "", above=0.0)
    t0 = checks.quantity("attempt time", attempt_time_s, "s", above=0.0)
    return -np.expm1(-t / t0 * np.exp(-d)) + 0.0


def retention_time(
    rate: ArrayLike, delta: ArrayLike, attempt_time_s: float = ATTEMPT_TIME_S
) -> Floats:
    """Return the idle time in seconds after which a bit has flipped with a probability.

    Args:
        rate: probability, each inside (0, 1).
        delta: thermal stability Delta, each above 0.
        attempt_time_s: attempt time t0, seconds, above 0.

    Returns:
        Seconds, float64, of the broadcast shape.

    Raises:
        ValueError: a quantity is outside its valid range.

    Source: as :func:`retention_error_rate`, solved for t.
    """
    p = checks.quantity("retention error rate", rate, "", above=0.0, below=1.0)
    d = checks.quantity("thermal stability Delta", delta, "", above=0.0)
    t0 = checks.quantity("attempt time", attempt_time_s, "s", above=0.0)
    return -np.log1p(-p) * t0 * np.exp(d)


def read_disturb_rate(
    model: FokkerPlanck,
    voltage_v: ArrayLike,
    read_s: ArrayLike,
    reads: ArrayLike = 1,
    stored: ArrayLike = 0,
) -> Floats:
    """Return the probability that reads have flipped a bit.

    A read is an inadvertent write at a low voltage: the Fokker-Planck switching probability. The
    bit settles between reads, so they are independent.

    Args:
        model: the junction.
        voltage_v: read voltage in volts; a positive one drives the stored bit towards the other,
            a negative one holds it. Any finite value.
        read_s: width of one read pulse in seconds, each 0 or more.
        reads: number of reads, each 0 or more.
        stored: the stored bit, each 0 or 1.

    Returns:
        Probabilities in [0, 1], float64, of the broadcast shape.

    Raises:
        ValueError: a quantity is outside its valid range.

    Source: Tzoufras 2019, section III.1 (e); Tzoufras 2018, eqs. 11-12.
    """
    count = checks.quantity("number of reads", reads, "", least=0.0)
    written = np.where(checks.target_bit(stored), 0, 1)
    once = model.switching_rate(voltage_v, read_s, written)
    with np.errstate(divide="ignore", invalid="ignore"):
        disturbed = -np.expm1(count * np.log1p(-once))
    return np.where(count > 0.0, disturbed, 0.0)


@dataclass(frozen=True)
class SenseAmplifier:
    """Reading of a junction by comparing its current with the middle of the two states'.

    A stated model, since the paper has none: the signal is half the difference of the two
    currents; against it stand, as independent normal deviations, the spread of the resistances,
    the amplifier's offset, and white noise that averages out over the read pulse.

    Attributes:
        resistance_p_ohm: mean resistance of the parallel state, ohms.
        tmr: (R_AP - R_P) / R_P.
        resistance_spread: relative standard deviation of either resistance (Hirtzlin 2019: 5 %).
        offset_a: standard deviation of the amplifier's offset, amperes (assumed).
        noise_a_per_rthz: density of the current noise, amperes per root hertz (assumed).

    Raises:
        ValueError: a resistance or the TMR is not above 0, or another number below 0.
    """

    resistance_p_ohm: float = RESISTANCE_P_OHM
    tmr: float = TMR
    resistance_spread: float = 0.05
    offset_a: float = 0.3e-6
    noise_a_per_rthz: float = 5e-11

    def __post_init__(self) -> None:
        checks.quantity("resistance_p_ohm", self.resistance_p_ohm, "ohm", above=0.0)
        checks.quantity("tmr", self.tmr, "", above=0.0)
        checks.quantity("resistance_spread", self.resistance_spread, "", least=0.0, below=1.0)
        checks.quantity("offset_a", self.offset_a, "A", least=0.0)
        checks.quantity("noise_a_per_rthz", self.noise_a_per_rthz, "A/rtHz", least=0.0)

    def error_rate(self, voltage_v: ArrayLike, read_s: ArrayLike, stored: ArrayLike = 0) -> Floats:
        """Return the probability of reading the wrong bit, erfc(margin / sigma / sqrt 2) / 2.

        Args:
            voltage_v: read voltage in volts, each 0 or more; without one every bit is a guess.
            read_s: width of the read pulse in seconds, each above 0.
            stored: the stored bit, each 0 (parallel) or 1 (antiparallel).

        Returns:
            Probabilities in [0, 1/2], float64, of the broadcast shape.

        Raises:
            ValueError: a quantity is outside its valid range.

        Source: the category (d) of Tzoufras 2019, section III.1; the Gaussian is ours.
        """
        volts = checks.quantity("read voltage", voltage_v, "V", least=0.0)
        t = checks.quantity("read pulse width", read_s, "s", above=0.0)
        one = checks.target_bit(stored)
        parallel = volts / self.resistance_p_ohm
        antiparallel = parallel / (1.0 + self.tmr)
        margin = 0.5 * (parallel - antiparallel)
        current = np.where(one, antiparallel, parallel)
        # White noise averaged over t has the variance density^2 / (2 t).
        variance = (
            (self.resistance_spread * current) ** 2
            + self.offset_a**2
            + self.noise_a_per_rthz**2 / (2.0 * t)
        )
        with np.errstate(divide="ignore", invalid="ignore"):
            sigmas = np.where(margin > 0.0, margin / np.sqrt(variance), 0.0)
        found: Floats = 0.5 * erfc(sigmas / math.sqrt(2.0))
        return found


@dataclass(frozen=True)
class Breakdown:
    """Wear of the tunnel barrier: a power law in the voltage with a Weibull spread.

    Stress adds up over the pulses, and a fraction F(t) = 1 - exp(-(t / t63)^beta) of junctions is
    broken after a time t at a voltage V, with t63 = reference_s (V / voltage_v)^-exponent. That
    barriers break this way under pulses is what Kan et al. 2017 and Carboni et al. 2018 report for
    MRAM (both cited by Tzoufras 2019); the power law with its exponent of 44 is that of thin
    oxides (Wu and Sune, Microelectron. Reliab. 45, 1809, 2005). The numbers of the paper are lost,
    so these are assumptions: trust ratios and trends, not cycles.

    Attributes:
        voltage_v: breakdown voltage, at which 63 % break within ``reference_s``, volts.
        exponent: exponent of the power law.
        slope: Weibull slope beta.
        reference_s: time that defines the breakdown voltage, seconds.

    Raises:
        ValueError: an attribute is not above 0 and finite.
    """

    voltage_v: float = 1.2
    exponent: float = 44.0
    slope: float = 1.5
    reference_s: float = 1e-8

    def __post_init__(self) -> None:
        checks.quantity("breakdown voltage", self.voltage_v, "V", above=0.0)
        checks.quantity("exponent", self.exponent, "", above=0.0)
        checks.quantity("Weibull slope", self.slope, "", above=0.0)
        checks.quantity("reference_s", self.reference_s, "s", above=0.0)

    def probability(self, voltage_v: ArrayLike, pulse_s: ArrayLike, cycles: ArrayLike) -> Floats:
        """Return the fraction of junctions broken after a number of write pulses.

        Args:
            voltage_v: write voltage in volts, each 0 or more.
            pulse_s: pulse width in seconds, each 0 or more.
            cycles: number of writes, each 0 or more.

        Returns:
            Fractions in [0, 1], float64, of the broadcast shape.

        Raises:
            ValueError: a quantity is outside its valid range.

        Source: see the class.
        """
        volts = checks.quantity("write voltage", voltage_v, "V", least=0.0)
        stress = checks.pulse(pulse_s) * checks.quantity("cycles", cycles, "", least=0.0)
        aged = stress / self.reference_s * (volts / self.voltage_v) ** self.exponent
        return -np.expm1(-(aged**self.slope)) + 0.0

    def endurance(self, voltage_v: ArrayLike, pulse_s: ArrayLike, fraction: float = 1e-6) -> Floats:
        """Return the number of writes after which a fraction of junctions is broken.

        Args:
            voltage_v: write voltage in volts, each above 0.
            pulse_s: pulse width in seconds, each above 0.
            fraction: accepted fraction of broken junctions, inside (0, 1).

        Returns:
            Cycles, float64, of the broadcast shape.

        Raises:
            ValueError: a quantity is outside its valid range.

        Source: see the class.
        """
        volts = checks.quantity("write voltage", voltage_v, "V", above=0.0)
        t = checks.quantity("pulse width", pulse_s, "s", above=0.0)
        f = checks.quantity("fraction of broken junctions", fraction, "", above=0.0, below=1.0)
        lifetime = self.reference_s * (self.voltage_v / volts) ** self.exponent
        return lifetime * (-np.log1p(-f)) ** (1.0 / self.slope) / t

    def voltage_for(self, cycles: ArrayLike, pulse_s: ArrayLike, fraction: float = 1e-6) -> Floats:
        """Return the highest write voltage in volts that lasts for a number of writes.

        Args:
            cycles: number of writes, each above 0.
            pulse_s: pulse width in seconds, each above 0.
            fraction: accepted fraction of broken junctions, inside (0, 1).

        Returns:
            Volts, float64, of the broadcast shape.

        Raises:
            ValueError: a quantity is outside its valid range.

        Source: see the class; :meth:`endurance` solved for V.
        """
        count = checks.quantity("cycles", cycles, "", above=0.0)
        at_breakdown = self.endurance(self.voltage_v, pulse_s, fraction)
        return self.voltage_v * (at_breakdown / count) ** (1.0 / self.exponent)


@dataclass(frozen=True)
class Window:
    """Voltages between which an operation works; empty where ``low_v`` is not below ``high_v``.

    Attributes:
        low_v: lowest voltage, volts: below it, too many errors.
        high_v: highest voltage, volts: above it, too much wear or disturb.
    """

    low_v: float
    high_v: float

    @property
    def is_open(self) -> bool:
        """Whether any voltage works."""
        return self.low_v < self.high_v


def write_window(
    model: Model,
    pulse_s: float,
    rate: float,
    cycles: float,
    *,
    breakdown: Breakdown | None = None,
    direction: int = 1,
) -> Window:
    """Return the operation window of writing: V(rate) <= V <= V(endurance).

    The paper's conventional window (eq. 8) has ``rate`` small enough for an error-correcting code
    to finish the work (1e-6); its error-resilient one (eq. 9) a moderate rate and no code.

    Args:
        model: a junction driven by a voltage.
        pulse_s: pulse width, seconds, above 0.
        rate: highest accepted write-error rate, inside (0, 1).
        cycles: writes that the barrier must last, above 0.
        breakdown: the barrier; None for the default one.
        direction: the written bit, 0 or 1.

    Raises:
        ValueError: a quantity is outside its valid range, or the model is driven by a current.

    Source: Tzoufras 2019, eqs. 8-9, whose printed bounds are lost: the bounds here are the two
    that the text around them names.
    """
    if model.drive_unit != "V":
        raise ValueError(f"model is {model.name}, driven in {model.drive_unit}, valid: one in V")
    barrier = breakdown or Breakdown()
    low = float(model.drive_for(rate, pulse_s, direction))
    return Window(low, float(barrier.voltage_for(cycles, pulse_s)))


def read_window(
    model: FokkerPlanck,
    read_s: float,
    error_rate: float,
    disturb_rate: float,
    *,
    amplifier: SenseAmplifier | None = None,
    stored: int = 0,
) -> Window:
    """Return the operation window of reading: V(read errors) <= V <= V(read disturb).

    Args:
        model: the junction.
        read_s: width of the read pulse, seconds, above 0.
        error_rate: highest accepted rate of wrong reads, inside (0, 1/2).
        disturb_rate: highest accepted rate of flips per read, inside (0, 1/2).
        amplifier: the reading circuit; None for the default one.
        stored: the stored bit, 0 or 1.

    Raises:
        ValueError: a quantity is outside its valid range, or no voltage of at most a thousand
            switching voltages reaches a rate.

    Source: Tzoufras 2019, section III.1 (d) and (e).
    """
    sense = amplifier or SenseAmplifier()
    for name, value in (("read-error rate", error_rate), ("read-disturb rate", disturb_rate)):
        checks.quantity(name, value, "", above=0.0, below=0.5)
    highest = 1e3 * max(model.switching_voltage1_v, model.switching_voltage0_v)

    def error_excess(volts: float) -> float:
        got = float(sense.error_rate(volts, read_s, stored))
        return math.log(max(got, 1e-300) / error_rate)

    def disturb_excess(volts: float) -> float:
        got = float(read_disturb_rate(model, volts, read_s, 1, stored))
        return math.log(max(got, 1e-300) / disturb_rate)

    if error_excess(highest) > 0.0:
        raise ValueError(
            f"read-error rate is {error_rate:g}, valid: above "
            f"{float(sense.error_rate(highest, read_s, stored)):g}, which the spread of the "
            "resistances leaves at any voltage"
        )
    start = -0.5 * highest / 1e3
    high = 2.0 * highest / 1e3
    if disturb_excess(start) > 0.0:
        raise ValueError(
            f"read-disturb rate is {disturb_rate:g}, valid: above that of retention alone"
        )
    while disturb_excess(high) < 0.0:
        high *= 2.0
        if high > highest:
            raise ValueError(
                f"read pulse width is {read_s:g} s, valid: one in which the bit can be disturbed"
            )
    return Window(
        solve(error_excess, 0.0, highest, 1e-10), solve(disturb_excess, start, high, 1e-10)
    )
