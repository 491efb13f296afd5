"""The Fokker-Planck equation of a macrospin in finite volumes, with exponential fitting.

Every operation adds or multiplies positive numbers, so the smallest probability keeps its digits.
:mod:`spinflow.host.mtj.fokker_planck` states the equation.
"""

from __future__ import annotations

import functools
import math

import numpy as np

from spinflow.host.mtj.base import solve
from spinflow.host.mtj.checks import Floats

# Hops less probable than this are left out.
_NEGLIGIBLE = 1e-150


class Propagator:
    """The equation in finite volumes of equal angle, and its solution at any time.

    Between the cells j and j + 1 probability hops at rates with the ratio of the Boltzmann
    weights, so that thermal equilibrium is exact and all rates are positive (Scharfetter and
    Gummel's fit; Chang and Cooper's for Fokker-Planck). exp(Q t) is built from powers
    exp(Q step 2^k) of a positive series; products of positive matrices lose no digits.
    """

    def __init__(self, overdrive: float, delta: float, cells: int) -> None:
        edge = np.linspace(0.0, np.pi, cells + 1)
        centre = 0.5 * (edge[1:] + edge[:-1])
        x = np.cos(centre)
        # The weight of a cell is exp(delta (x^2 - 2 f x)); its logarithm's rise decides the hops.
        rise = np.diff(delta * (x * x - 2.0 * overdrive * x))
        size = np.cos(edge[:-1]) - np.cos(edge[1:])
        flow = np.sin(edge[1:-1]) / (2.0 * delta * np.diff(centre))
        self._forth = flow * _bernoulli(-rise) / size[:-1]
        self._back = flow * _bernoulli(rise) / size[1:]
        leave = np.zeros(cells)
        leave[:-1] += self._forth
        leave[1:] += self._back
        self._rate = float(leave.max())
        self._stay = self._rate - leave
        self.step = 1.0 / self._rate
        self._start = _boltzmann(edge, delta)
        self._powers: list[Floats] = []

    def probabilities(self, tau: Floats) -> tuple[Floats, Floats]:
        """Return the probabilities of the initial and of the other hemisphere at times (n,)."""
        steps = np.floor(tau / self.step)
        state = self._series(np.tile(self._start[:, np.newaxis], tau.size), tau / self.step - steps)
        counts = [int(count) for count in steps]
        for bit in range(max((count.bit_length() for count in counts), default=0)):
            chosen = np.array([bool(count >> bit & 1) for count in counts])
            if np.any(chosen):
                state[:, chosen] = self._power(bit) @ state[:, chosen]
        half = len(self._start) // 2
        state /= state.sum(axis=0)
        return state[:half].sum(axis=0), state[half:].sum(axis=0)

    def _series(self, state: Floats, fraction: float | Floats) -> Floats:
        # exp(Q s) = exp(-rate s) exp((Q + rate) s), of which all entries are positive; s is at
        # most one step, where 20 terms reach rounding.
        total, term = state.copy(), state
        for n in range(1, 21):
            moved = self._stay[:, np.newaxis] * term
            moved[1:] += self._forth[:, np.newaxis] * term[:-1]
            moved[:-1] += self._back[:, np.newaxis] * term[1:]
            term = moved * (fraction / (n * self._rate))
            total += term
        found: Floats = total * np.exp(-np.asarray(fraction))
        return found

    def _power(self, bit: int) -> Floats:
        if not self._powers:
            self._powers.append(self._series(np.eye(len(self._start)), 1.0))
        while len(self._powers) <= bit:
            square = self._powers[-1] @ self._powers[-1]
            # Products of smaller entries would be subnormal, which is ten times as slow.
            square[square < _NEGLIGIBLE] = 0.0
            # Probability is conserved; rounding alone would drift over many squarings.
            self._powers.append(square / square.sum(axis=0))
        return self._powers[bit]


def _cells(delta: float) -> int:
    """Return the number of the wide cells: a part of the thermal angle 1 / sqrt(2 Delta) each."""
    return 2 * max(16, math.ceil(8.0 * math.sqrt(delta)))


@functools.lru_cache(maxsize=4)
def propagators(overdrive: float, delta: float) -> tuple[Propagator, Propagator]:
    """Return the solutions of a drive with wide and with narrow cells."""
    coarse = _cells(delta)
    return Propagator(overdrive, delta, coarse), Propagator(overdrive, delta, 2 * coarse)


def probabilities_at(overdrive: float, delta: float, tau: Floats) -> tuple[Floats, Floats]:
    """Return the probabilities (not switched, switched) at times (n,), both to relative accuracy.

    The error of the finite volumes falls with the square of their width, so two widths are
    extrapolated, in the logarithm, which cannot become negative.
    """
    coarse, fine = (part.probabilities(tau) for part in propagators(overdrive, delta))
    both = []
    for wide, narrow in zip(coarse, fine, strict=True):
        ratio = np.ones_like(narrow)
        np.divide(narrow, wide, out=ratio, where=(wide > 0.0) & (narrow > 0.0))
        both.append(np.minimum(narrow * np.cbrt(ratio), 1.0))
    return both[0], both[1]


def overdrive_for(rate: float, tau: float, delta: float) -> float:
    """Return the overdrive at which a pulse of ``tau`` leaves a rate unswitched.

    Raises:
        ValueError: the pulse is too long or too short for any.
    """
    times = np.array([tau])

    def rough(overdrive: float) -> float:
        got = float(Propagator(overdrive, delta, _cells(delta)).probabilities(times)[0][0])
        return math.log(got / rate) if got > 0.0 else -700.0

    def excess(overdrive: float) -> float:
        got = float(probabilities_at(overdrive, delta, times)[0][0])
        return math.log(got / rate) if got > 0.0 else -700.0

    low, high = -1.0, 1.5
    if rough(low) < 0.0:
        raise ValueError(
            f"pulse width over t_D is {tau:g}, valid: one that leaves more than {rate:g} "
            "unswitched without a drive"
        )
    while rough(high) > 0.0:
        low, high = high, 1.5 * high
        if high > 1e3:
            raise ValueError(
                f"pulse width over t_D is {tau:g}, valid: one that reaches a rate of {rate:g} "
                "below 1,000 times the critical current"
            )
    # The wide cells alone take a tenth of the time and are nearly right.
    guess = solve(rough, low, high, 1e-4)
    low = high = guess
    width = 2e-3 * max(abs(guess), 0.1)
    while excess(low) < 0.0:
        low, high, width = low - width, low, 2.0 * width
    while excess(high) > 0.0:
        low, high, width = high, high + width, 2.0 * width
    # A rate changes by at most some hundred times what the overdrive does.
    return solve(excess, low, high, 1e-11) if low < high else guess


def equilibrium(overdrive: float, delta: float) -> float:
    """Return the probability of the initial hemisphere in thermal equilibrium under the drive."""
    x, w = np.polynomial.legendre.leggauss(400)
    log_weight = delta * (x * x - 2.0 * overdrive * x)
    weight = w * np.exp(log_weight - log_weight.max())
    return float(weight[x > 0.0].sum() / weight.sum())


def _boltzmann(edge: Floats, delta: float) -> Floats:
    """Return exp(-delta sin^2 theta) on the upper hemisphere, integrated over the cells."""
    x, w = np.polynomial.legendre.leggauss(8)
    high, low = np.cos(edge[:-1]), np.cos(edge[1:])
    points = 0.5 * (high + low)[:, np.newaxis] + 0.5 * (high - low)[:, np.newaxis] * x
    mass = (np.exp(delta * (points * points - 1.0)) @ w) * 0.5 * (high - low)
    mass[len(mass) // 2 :] = 0.0
    found: Floats = mass / mass.sum()
    return found


def _bernoulli(z: Floats) -> Floats:
    """Return z / (exp(z) - 1), which is positive everywhere."""
    small = np.abs(z) < 1e-6
    safe = np.where(small, 1.0, np.clip(z, -700.0, 700.0))
    return np.where(small, 1.0 - 0.5 * z, safe / np.expm1(safe))
