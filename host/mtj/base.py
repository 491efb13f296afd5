"""What every device model offers: errors, pulses, drives and energies, arrays in, arrays out."""

from __future__ import annotations

import dataclasses
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import ClassVar

import numpy as np
from numpy.typing import ArrayLike
from scipy.optimize import brentq

from spinflow.host.mtj import checks
from spinflow.host.mtj.checks import Floats
from spinflow.host.mtj.condition import WriteCondition


class Model(ABC):
    """A junction with its write circuit. Subclasses are frozen dataclasses of its parameters.

    In all methods, arguments broadcast against each other and results are float64 arrays of the
    broadcast shape. ``drive`` is what is applied, in ``drive_unit``, or None for the model's
    ``nominal_drive``. ``direction`` is the bit that is written: 1 switches P to AP, 0 AP to P.
    """

    name: ClassVar[str]
    drive_unit: ClassVar[str]
    drive_name: ClassVar[str]

    @property
    @abstractmethod
    def nominal_drive(self) -> float:
        """The drive at which the model's paper writes, in ``drive_unit``."""

    @abstractmethod
    def error_rate(
        self, drive: ArrayLike | None, pulse_s: ArrayLike, direction: ArrayLike = 1
    ) -> Floats:
        """Return the probability that a bit which must switch does not.

        Args:
            drive: voltage in V or current in A (see ``drive_unit``), or None for the nominal one.
            pulse_s: pulse width in seconds, each 0 or more and finite.
            direction: written bit, each 0 or 1.

        Returns:
            Probabilities in [0, 1].

        Raises:
            ValueError: a quantity is outside its valid range; the message names both.
        """

    @abstractmethod
    def pulse_for(
        self, rate: ArrayLike, drive: ArrayLike | None = None, direction: ArrayLike = 1
    ) -> Floats:
        """Return the pulse width that fails at a given rate.

        Args:
            rate: write-error rate, each inside (0, 1).
            drive: as in :meth:`error_rate`.
            direction: written bit, each 0 or 1.

        Returns:
            Pulse widths in seconds.

        Raises:
            ValueError: a quantity is outside its valid range, or no pulse reaches the rate.
        """

    @abstractmethod
    def drive_for(self, rate: ArrayLike, pulse_s: ArrayLike, direction: ArrayLike = 1) -> Floats:
        """Return the drive that fails at a given rate with a given pulse.

        Args:
            rate: write-error rate, each inside (0, 1).
            pulse_s: pulse width in seconds, each above 0 and finite.
            direction: written bit, each 0 or 1.

        Returns:
            Voltages in V or currents in A (see ``drive_unit``).

        Raises:
            ValueError: a quantity is outside its valid range, or no drive reaches the rate.
        """

    @abstractmethod
    def energy_per_bit(
        self,
        drive: ArrayLike | None,
        pulse_s: ArrayLike,
        direction: ArrayLike = 1,
        switched: ArrayLike = True,
    ) -> Floats:
        """Return the mean energy of writing one bit.

        Args:
            drive: as in :meth:`error_rate`.
            pulse_s: pulse width in seconds, each 0 or more and finite.
            direction: written bit, each 0 or 1.
            switched: whether the bit had to switch, that is, the other bit was stored before.

        Returns:
            Energies in joules.

        Raises:
            ValueError: a quantity is outside its valid range.
        """

    def voltage(self, drive: ArrayLike | None = None) -> Floats:
        """Return the voltage across the junction in volts, of the shape of ``drive``."""
        return self._drive(drive)

    def _drive(self, drive: ArrayLike | None) -> Floats:
        value = self.nominal_drive if drive is None else drive
        return checks.quantity(self.drive_name, value, self.drive_unit, least=0.0)

    def parameters(self) -> dict[str, float]:
        """Return the junction's parameters by name, for a record of results."""
        return {
            field.name: float(getattr(self, field.name))
            for field in dataclasses.fields(self)  # type: ignore[arg-type] # models are
        }


def condition(model: Model, drive: float | None, pulse_s: float) -> WriteCondition:
    """Return the write condition of a model at one drive and pulse width.

    Args:
        model: the device model.
        drive: in the model's ``drive_unit``, or None for the nominal one.
        pulse_s: pulse width, seconds.

    Raises:
        ValueError: as the model's ``error_rate``.
    """
    applied = model.nominal_drive if drive is None else float(drive)
    rate1, rate0 = (float(model.error_rate(applied, pulse_s, bit)) for bit in (1, 0))
    energies = {
        f"energy{bit}{suffix}_j": float(model.energy_per_bit(applied, pulse_s, bit, switched))
        for bit in (1, 0)
        for suffix, switched in (("", True), ("_same", False))
    }
    return WriteCondition(
        model=model.name,
        pulse_s=float(pulse_s),
        voltage_v=float(model.voltage(applied)),
        rate1=rate1,
        rate0=rate0,
        drive=applied,
        drive_unit=model.drive_unit,
        parameters=model.parameters(),
        **energies,
    )


def condition_for_rate(model: Model, rate: float, drive: float | None = None) -> WriteCondition:
    """Return the write condition whose worse direction fails at ``rate``.

    A word is written with one pulse, so the pulse is the longer one of the two directions; the
    rates are those that follow from it.

    Args:
        model: the device model.
        rate: write-error rate, inside (0, 1).
        drive: in the model's ``drive_unit``, or None for the nominal one.

    Raises:
        ValueError: as the model's ``pulse_for``.
    """
    pulses = model.pulse_for(rate, drive, np.array([1, 0]))
    return condition(model, drive, float(np.max(pulses)))


def solve(
    function: Callable[[float], float], low: float, high: float, tolerance: float = 1e-14
) -> float:
    """Return the root of a function between two arguments of opposite sign.

    The root is within ``tolerance``, relative; float64 allows 1e-15.
    """
    return float(brentq(function, low, high, xtol=1e-300, rtol=tolerance, maxiter=200))
