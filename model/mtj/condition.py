"""How a bit is written, and what follows from that: the one thing models give to the host."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class WriteCondition:
    """A way of writing bits, with the error rates and energies that a device model gives it.

    Make one with a model's constructor, e.g. ``model.mtj.exponential.from_pulse`` or
    ``from_rate``, so that rates and energies always belong together.

    Attributes:
        model: name of the device model.
        pulse_s: pulse width, seconds.
        voltage_v: write voltage, volts.
        rate1: probability that writing a 1 fails, 0 to 1.
        rate0: probability that writing a 0 fails, 0 to 1.
        energy1_j: energy of writing a 1, joules.
        energy0_j: energy of writing a 0, joules.

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

    def __post_init__(self) -> None:
        for name in ("rate1", "rate0"):
            value = getattr(self, name)
            if not 0.0 <= value <= 1.0:
                raise ValueError(f"write-error rate {name} is {value:g}, valid: 0 to 1")
        for name, unit in (("pulse_s", "s"), ("energy1_j", "J"), ("energy0_j", "J")):
            value = getattr(self, name)
            if not value >= 0.0:
                raise ValueError(f"{name} is {value:g} {unit}, valid: 0 {unit} or more")
