"""Exponential switching of a junction under a constant write current (Asano et al. 2024, eq. 2).

    P_sw(t) = 1 - exp(-t / tau_P)

A write of pulse width t fails with rate exp(-t / tau_P) and takes the energy E = V I t, so rate and
energy both follow from the pulse width. The model is the same for both directions of switching.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from model.mtj.condition import WriteCondition

MODEL = "asano2024-exponential"

TAU_S = 1.48e-8
"""Switching time constant tau_P, seconds (Asano 2024, below eq. 2; printed without a unit)."""

CURRENT_A = 150e-6
"""Write current, amperes (Asano 2024)."""

VOLTAGE_V = 1.08
"""Write voltage, volts. The paper does not print it: it is deduced. All ten energies of table 2
are V I t with t = -tau_P ln(BER) for V = 1.08 V (7.2 kOhm), each within 0.02 pJ."""

CONVENTIONAL_RATE = 1e-8
"""Bit-error rate of a conventional write (Asano 2024: 1e-6 %), the base of the paper's savings."""


def error_rate(pulse_s: ArrayLike) -> NDArray[np.float64]:
    """Return the rate at which writes of a pulse width fail, exp(-t / tau_P).

    Args:
        pulse_s: pulse width t in seconds, any shape, each >= 0 and finite.

    Returns:
        Probabilities in [0, 1], float64, the shape of ``pulse_s``.

    Raises:
        ValueError: a pulse width is negative, infinite or NaN.

    Source: Asano 2024, eq. 2; the rate is 1 - P_sw.
    """
    return np.exp(-_pulse(pulse_s) / TAU_S)


def pulse_for(rate: ArrayLike) -> NDArray[np.float64]:
    """Return the pulse width that fails at a given rate, -tau_P ln(rate).

    Args:
        rate: probability of a failed write, any shape, each above 0 and at most 1.

    Returns:
        Pulse widths in seconds, float64, the shape of ``rate``.

    Raises:
        ValueError: a rate is not above 0 and at most 1 (rate 0 would need an endless pulse).

    Source: Asano 2024, eq. 2, solved for t.
    """
    p = np.asarray(rate, np.float64)
    bad = ~((p > 0.0) & (p <= 1.0))
    if np.any(bad):
        raise ValueError(f"write-error rate is {p[bad].flat[0]:g}, valid: above 0, at most 1")
    # + 0.0 turns the -0.0 of rate 1 into 0.0.
    return -TAU_S * np.log(p) + 0.0


def energy_per_bit(pulse_s: ArrayLike) -> NDArray[np.float64]:
    """Return the energy of writing one bit, E = V I t.

    Args:
        pulse_s: pulse width t in seconds, any shape, each >= 0 and finite.

    Returns:
        Energies in joules, float64, the shape of ``pulse_s``.

    Raises:
        ValueError: a pulse width is negative, infinite or NaN.

    Source: Asano 2024, table 2, whose energies fit this with the constants above.
    """
    return VOLTAGE_V * CURRENT_A * _pulse(pulse_s)


def from_pulse(pulse_s: float) -> WriteCondition:
    """Return the write condition of one pulse width in seconds; errors as :func:`error_rate`."""
    rate, energy = float(error_rate(pulse_s)), float(energy_per_bit(pulse_s))
    return WriteCondition(MODEL, float(pulse_s), VOLTAGE_V, rate, rate, energy, energy)


def from_rate(rate: float) -> WriteCondition:
    """Return the write condition that fails at ``rate``; errors as :func:`pulse_for`.

    The pulse is what is chosen: the condition's rates are those that follow back from it, equal to
    ``rate`` up to float64 rounding.
    """
    return from_pulse(float(pulse_for(rate)))


def _pulse(pulse_s: ArrayLike) -> NDArray[np.float64]:
    t = np.asarray(pulse_s, np.float64)
    bad = ~((t >= 0.0) & np.isfinite(t))
    if np.any(bad):
        raise ValueError(f"pulse width is {t[bad].flat[0]:g} s, valid: 0 s or more, finite")
    return t
