"""The Fokker-Planck solver against the stochastic equation of motion itself, as cmtj integrates it.

cmtj is a macrospin simulator by others (Mojsiejuk et al.): the Landau-Lifshitz-Gilbert-Slonczewski
equation of a unit vector in three dimensions with a thermal field, by stochastic Heun steps. What
it counts needs none of the solver's steps to a density in one dimension.

Its random numbers cannot be seeded, so the bounds are exact ones of a binomial count that a right
solver leaves once in a million runs of this file.
"""

from __future__ import annotations

import importlib
import math
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.stats import binom

from spinflow.host.mtj.fokker_planck import butler_error_rate, error_rate

FALSE_ALARMS = 1e-6
"""Of all bounds of this file together."""

BOUNDS = 11
"""Counts that are compared."""

TIME_S = 1e-9
"""t_D. Only the pulse over it counts."""

DAMPING = 0.5
"""Only t_D has it; a high one needs few steps, since the precession is slow."""

STEP_S = TIME_S / 100
"""The precession turns by a fiftieth of a radian in it. A tenth of t_D gives rates too low."""

# cmtj's own constants: gyromagnetic ratio times mu0 in m/(A s), the others in SI units.
_GYRO, _HBAR, _CHARGE = 220880.0, 6.62607015e-34 / (2 * math.pi), 1.60217662e-19
_BOLTZMANN = 1.380649e-23
_MAGNETISATION_T, _THICKNESS_M, _TEMPERATURE_K = 1.0, 1e-9, 300.0


def start(runs: int, delta: float, seed: int) -> NDArray[np.float64]:
    """Return magnetisations of thermal equilibrium on the upper hemisphere, (runs, 3)."""
    random = np.random.default_rng(seed)
    grid = np.linspace(0.0, 1.0, 20001)
    density = np.exp(delta * (grid**2 - 1.0))
    below = np.concatenate([[0.0], np.cumsum((density[1:] + density[:-1]) / 2)])
    x = np.interp(random.random(runs), below / below[-1], grid)
    angle = 2 * math.pi * random.random(runs)
    across = np.sqrt(1.0 - x**2)
    return np.stack([across * np.cos(angle), across * np.sin(angle), x], axis=1)


def unswitched(
    runs: int, pulses: int, delta: float, current: float, field: float
) -> NDArray[np.int64]:
    """Return how many of the runs are still up after 1, 2, ... times t_D."""
    cmtj: Any = importlib.import_module("cmtj")
    anisotropy_field = (1 + DAMPING**2) / (DAMPING * _GYRO * TIME_S)  # A/m
    anisotropy = anisotropy_field * _MAGNETISATION_T / 2  # J/m3
    surface = delta * _BOLTZMANN * _TEMPERATURE_K / (anisotropy * _THICKNESS_M)  # m2
    torque = current * (1 + DAMPING**2) / TIME_S  # 1/s, what turns i into the equation's term
    # Half of the current is torque, since the spacer's parameter is 1 and the polarisation too.
    density = torque * _CHARGE * _MAGNETISATION_T * _THICKNESS_M / (_HBAR * _GYRO * 0.5)  # A/m2
    constant = cmtj.ScalarDriver.getConstantDriver
    none = cmtj.NullDriver()
    along = cmtj.AxialDriver(none, none, constant(field * anisotropy_field))
    up, demagnetisation = cmtj.CVector(0, 0, 1), [cmtj.CVector(0, 0, 0)] * 3
    left = np.zeros(pulses, np.int64)
    for magnetisation in start(runs, delta, seed=1):
        layer = cmtj.Layer.createSTTLayer(
            "free", cmtj.CVector(*magnetisation), up, _MAGNETISATION_T, _THICKNESS_M, surface,
            demagnetisation, DAMPING, 1.0, 0.0, 1.0,
        )  # fmt: skip
        layer.setReferenceLayer(cmtj.CVector(0, 0, -1))
        junction = cmtj.Junction([layer])
        junction.setLayerCurrentDriver("free", constant(density))
        junction.setLayerTemperatureDriver("free", constant(_TEMPERATURE_K))
        junction.setLayerAnisotropyDriver("free", constant(anisotropy))
        if field:
            junction.setLayerExternalFieldDriver("free", along)
        for pulse in range(pulses):
            # It writes its log once, since only the end counts.
            junction.runSimulation(
                TIME_S, STEP_S, TIME_S, False, False, cmtj.SolverMode.Heun
            )  # fmt: skip
            left[pulse] += junction.getLayerMagnetisation("free").z > 0
    return left


def bounds(runs: int, rates: NDArray[np.float64]) -> tuple[Any, Any]:
    """Return the least and the most counts that are in agreement with rates."""
    tail = FALSE_ALARMS / BOUNDS / 2
    return binom.ppf(tail, runs, rates), binom.isf(tail, runs, rates)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("runs", "pulses", "delta", "current", "field"),
    [(60000, 6, 40.0, 2.0, 0.0), (20000, 5, 60.0, 1.2, -0.6)],
)
def test_counts_of_the_equation_of_motion(
    runs: int, pulses: int, delta: float, current: float, field: float
) -> None:
    tau = np.arange(1, pulses + 1)
    rates = error_rate(current, tau, delta, field)
    counted = unswitched(runs, pulses, delta, current, field)
    low, high = bounds(runs, rates)
    assert np.all((low <= counted) & (counted <= high)), (counted / runs, rates)


def test_the_bounds_tell_a_solver_from_an_approximation() -> None:
    tau, runs = np.arange(1, 5), 60000
    low, high = bounds(runs, error_rate(2.0, tau, 40.0))
    butler = runs * butler_error_rate(2.0, tau, 40.0)
    assert np.all((butler < low) | (butler > high))
    assert np.all((low < runs * error_rate(2.0, tau, 40.0)) & (high > low))
    assert high[-1] > low[-1] >= 0 and np.all(
        high[:4] < 1.4 * 60000 * error_rate(2.0, tau, 40.0)[:4]
    )
