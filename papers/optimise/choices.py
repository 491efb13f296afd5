"""What the optimiser chooses from: rates, and for each rate and memory the cheapest condition.

Accuracy depends on rates alone. So of all drives and pulses that reach a rate only the cheapest
counts, and a setting is one number, a level, for each memory. Level 0 is the rate of a conventional
write; the others lie evenly in the logarithm of the rate.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from tqdm import tqdm

from spinflow.host.core.errors import InputError, RateError
from spinflow.host.mtj.base import Model
from spinflow.host.mtj.exponential import CONVENTIONAL_RATE
from spinflow.host.mtj.models import condition_for_rate
from spinflow.host.sweep.energy import WriteCounts
from spinflow.host.sweep.operating_point import (
    OperatingPoint,
    junction_of,
    point_of_condition,
    point_of_write_condition,
)

PER_DECADE = 24
"""Rates in a factor of ten: one is 10 % above the one before."""

LOWEST, HIGHEST = 1e-6, 0.5
"""Rates of level 1 and of the last one. At 1/2 a memory in mode flip holds noise."""

DRIVES = (0.7, 0.8, 0.9, 1.0, 1.1, 1.2, 1.3, 1.4, 1.5)
"""Drives that are tried, over the model's nominal one; those that a model refuses fall out."""


def rates() -> tuple[float, ...]:
    """Return the rates of all levels, ascending, from that of a conventional write on."""
    count = math.floor(math.log10(HIGHEST / LOWEST) * PER_DECADE)
    found = [HIGHEST / 10 ** (number / PER_DECADE) for number in range(count, -1, -1)]
    return (CONVENTIONAL_RATE, *found)


@dataclass(frozen=True)
class Choice:
    """A write condition of a level: in the words of a file of conditions, and as a point."""

    text: str
    point: OperatingPoint


@dataclass
class Choices:
    """The conditions of a device model by level, and what they take in each memory.

    Attributes:
        model: the device model, as ``--model`` has it.
        writes: bits by kind that are written into each memory, by its name.
        weight: how often that writing happens for a frame, by the memory's name.
        rates: of the levels, without those of which the model has no condition whose rates the
            registers can hold: of two directions one may hardly ever fail.

    Raises:
        InputError: no such model, or it has conditions of less than two rates.
    """

    model: str
    writes: Mapping[str, WriteCounts]
    weight: Mapping[str, float]
    rates: tuple[float, ...] = field(default_factory=rates)
    _at: dict[float, list[Choice]] = field(default_factory=dict, repr=False)
    _best: dict[tuple[str, int], tuple[float, Choice]] = field(default_factory=dict, repr=False)

    def __post_init__(self) -> None:
        self._junction, self._label = junction_of(self.model)
        # A model that solves a differential equation takes many seconds for each.
        shown = tqdm(self.rates, "conditions", delay=2.0, leave=False, disable=None)
        self.rates = tuple(rate for rate in shown if self._found(rate))
        if len(self.rates) < 2:
            raise InputError(
                f"model {self.model} has conditions of {len(self.rates)} rates from 1e-8 to 1/2: "
                "at least 2 are needed"
            )

    def choice(self, memory: str, level: int) -> Choice:
        """Return the cheapest condition of a memory that has the rate of a level."""
        return self._cheapest(memory, level)[1]

    def energy(self, memory: str, level: int) -> float:
        """Return the write energy of a memory for a frame, joules, at the cheapest condition."""
        return self._cheapest(memory, level)[0]

    def shared(self, memories: Sequence[str], level: int) -> Choice:
        """Return the condition of a level that is cheapest for several memories together."""
        return min(
            self._choices(level), key=lambda c: sum(self.energy_at(m, c.point) for m in memories)
        )

    def energy_at(self, memory: str, point: OperatingPoint) -> float:
        """Return the write energy of a memory for a frame at a point, joules."""
        return self.writes[memory].energy(point.of(memory).costs)[0] * self.weight[memory]

    def conventional(self, memory: str) -> float:
        """Return the energy of the conventional write: rate 1e-8 at the model's own drive."""
        drive = self._junction.nominal_drive
        nominal = min(self._choices(len(self.rates) - 1), key=lambda c: abs(c.point.drive - drive))
        return self.writes[memory].energy(nominal.point.conventional)[0] * self.weight[memory]

    def _cheapest(self, memory: str, level: int) -> tuple[float, Choice]:
        found = self._best.get((memory, level))
        if found is None:
            best = self.shared([memory], level)
            found = self._best[memory, level] = (self.energy_at(memory, best.point), best)
        return found

    def _choices(self, level: int) -> list[Choice]:
        return self._found(self.rates[level])

    def _found(self, rate: float) -> list[Choice]:
        if rate not in self._at:
            self._at[rate] = _conditions(self._junction, self._label, rate)
        return self._at[rate]


def _conditions(junction: Model, label: str, rate: float) -> list[Choice]:
    """Return the conditions of a rate at all drives that the model takes."""
    name, _, parameters = label.partition(":")
    key, unit, scale = {"V": ("voltage", "V", 1.0), "A": ("current", "uA", 1e6)}[
        junction.drive_unit
    ]
    found = []
    for share in DRIVES:
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("error")  # outside the model's domain
                written = condition_for_rate(junction, rate, share * junction.nominal_drive)
            point_of_condition(written, junction, label)
        except (ValueError, Warning, RateError):
            continue
        parts = [f"{key}={_number(written.drive * scale)}{unit}"]
        parts += [f"pulse={_number(written.pulse_s * 1e9)}ns", *filter(None, [parameters])]
        text = f"{name}:{','.join(parts)}"
        found.append(Choice(text, point_of_write_condition(text)))
    return found


def _number(value: float) -> str:
    return np.format_float_positional(float(f"{value:.7g}"), trim="-")
