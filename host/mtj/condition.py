"""How a bit is written, and what follows from that: the one thing models give to the host."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class WriteCondition:
    """A way of writing bits, with the error rates and energies that a device model gives it.

    Make one with ``host.mtj.models.condition`` or ``condition_for_rate``, so that rates and
    energies always belong together.

    Attributes:
        model: name of the device model, as in ``spinflow.host.mtj.models.MODELS``.
        pulse_s: pulse width, seconds.
        voltage_v: write voltage, volts.
        rate1: probability that writing a 1 over a 0 fails, 0 to 1.
        rate0: probability that writing a 0 over a 1 fails, 0 to 1.
        energy1_j: energy of writing a 1 over a 0, joules.
        energy0_j: energy of writing a 0 over a 1, joules.
        energy1_same_j: energy of writing a 1 over a 1, joules; left out, equal to ``energy1_j``.
        energy0_same_j: energy of writing a 0 over a 0, joules; left out, equal to ``energy0_j``.
        drive: what is applied, in ``drive_unit``; left out, the voltage.
        drive_unit: "V" or "A".
        parameters: the junction's parameters by name, SI units in the names.

    Raises:
        ValueError: a rate is outside 0 to 1, or a pulse width or energy is negative or NaN.
    """

    model: str
    pulse_s: float
    voltage_v: float
    rate1: float
    rate0: float
    energy1_j: float
    energy0_j: float
    energy1_same_j: float = math.nan
    energy0_same_j: float = math.nan
    drive: float = math.nan
    drive_unit: str = "V"
    parameters: Mapping[str, float] = field(default_factory=dict, hash=False)

    def __post_init__(self) -> None:
        for name, other in (
            ("energy1_same_j", self.energy1_j),
            ("energy0_same_j", self.energy0_j),
            ("drive", self.voltage_v),
        ):
            if math.isnan(getattr(self, name)):
                object.__setattr__(self, name, other)
        for name in ("rate1", "rate0"):
            value = getattr(self, name)
            if not 0.0 <= value <= 1.0:
                raise ValueError(f"write-error rate {name} is {value:g}, valid: 0 to 1")
        energies = ("energy1_j", "energy0_j", "energy1_same_j", "energy0_same_j")
        for name, unit in (("pulse_s", "s"), *((name, "J") for name in energies)):
            value = getattr(self, name)
            if not value >= 0.0:
                raise ValueError(f"{name} is {value:g} {unit}, valid: 0 {unit} or more")

    @property
    def tells_bits_apart(self) -> bool:
        """Whether the energy of a bit depends on its value or on the bit that was there."""
        return not (self.energy1_j == self.energy0_j == self.energy1_same_j == self.energy0_same_j)

    def energy_j(self, switched1: int, switched0: int, same1: int, same0: int) -> float:
        """Return the energy of a count of written bits, joules.

        Args:
            switched1: bits written 1 over a 0.
            switched0: bits written 0 over a 1.
            same1: bits written 1 over a 1.
            same0: bits written 0 over a 0.
        """
        return (
            switched1 * self.energy1_j
            + switched0 * self.energy0_j
            + same1 * self.energy1_same_j
            + same0 * self.energy0_same_j
        )
