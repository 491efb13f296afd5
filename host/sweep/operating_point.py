"""Operating points: how bits are written, and what follows for the registers and the energy.

An operating point is a write condition of a device model. It can be given as such, by the error
rate that it is to reach, or as a bare rate, which means the exponential model's condition of that
rate. A point can also hold a condition of its own for each memory. How written weights age follows
from it as well: retention and the disturbance by reads.
"""

from __future__ import annotations

import hashlib
import re
import sys
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field

from spinflow.host.core import stream
from spinflow.host.core.errors import HostError, InputError, RateError
from spinflow.host.core.networks import base_of
from spinflow.host.core.text import one_line
from spinflow.host.mtj.checks import DomainWarning
from spinflow.host.mtj.devices import device
from spinflow.host.mtj.exponential import ASANO, CONVENTIONAL_RATE
from spinflow.host.mtj.models import (
    FokkerPlanck,
    Model,
    WriteCondition,
    condition,
    condition_for_rate,
    named,
)
from spinflow.host.mtj.reliability import read_disturb_rate, retention_error_rate
from spinflow.host.sweep.aging import Aging
from spinflow.host.sweep.energy import Costs

DEFAULT_MODEL = ASANO.name

READ_VOLTAGE_V = 0.1
"""Voltage of a read, volts: half the switching voltage of the macrospin model's junction."""

READ_PULSE_S = 5e-9
"""Width of a read, seconds."""

_PREFIXES = {"": 1.0, "m": 1e-3, "u": 1e-6, "µ": 1e-6, "n": 1e-9, "p": 1e-12}
_QUANTITY = re.compile(r"([0-9.]+(?:[eE][-+]?[0-9]+)?) *([munpµ]?)([VAs]?)\Z")
_DRIVES = {"voltage": "V", "current": "A"}
_DEVICE = "device"


@dataclass(frozen=True)
class OperatingPoint:
    """How bits are written: the thresholds that the registers get, and what a write costs.

    The thresholds are whole numbers from here to the register; a rate is derived from them for
    printing and for the results.

    Attributes:
        threshold1, threshold0: what RATE1 and RATE0 hold for a written 1 and a written 0.
        model: name of the device model, with what differs from its own parameters behind a colon,
            and the device whose energies these are, if one was named.
        drive: write voltage or current, in ``drive_unit``.
        drive_unit: ``V`` or ``A``.
        pulse_s: pulse width, seconds.
        costs: what a write of each kind takes.
        conventional: the same at the conventional write of this model and drive.
        each: the points of the memories by name, where each has its own; empty where all share
            this one. The thresholds beside it are the highest of them, ``model`` is
            ``conditions:`` with their digest, drive and pulse are those that they share, else 0,
            and the costs, of which there is no one, are 0.
        network: that these are for, if their file names one; no part of what a point is.
    """

    threshold1: int
    threshold0: int
    model: str
    drive: float
    drive_unit: str
    pulse_s: float
    costs: Costs
    conventional: Costs
    each: tuple[tuple[str, OperatingPoint], ...] = ()
    network: str = field(default="", compare=False)

    def of(self, memory: str) -> OperatingPoint:
        """Return the point of a memory by its name: its own, or the one of all.

        Raises:
            InputError: each memory has its own, and this one has none.
        """
        if not self.each:
            return self
        for name, point in self.each:
            if name == memory:
                return point
        raise InputError(f"the conditions have none of {one_line(memory, 60)}: add one")

    def check_network(self, network: str) -> None:
        """Raise InputError if these are conditions of another network; its variants are it, too."""
        if self.network and base_of(self.network) != base_of(network):
            words = f"the conditions are of {one_line(self.network, 60)}, not of {network}"
            raise InputError(f"{words}: take the line out that says so to use them nonetheless")

    @property
    def rate1(self) -> float:
        """Bit-error rate of a written 1."""
        return stream.rate(self.threshold1)

    @property
    def rate0(self) -> float:
        """Bit-error rate of a written 0."""
        return stream.rate(self.threshold0)

    @property
    def has_errors(self) -> bool:
        """Whether any written bit can err."""
        return bool(self.threshold1 or self.threshold0)


def of_device(model: str, name: str | None) -> str:
    """Return the words of a model or of a write condition, with the energies of a device.

    Args:
        model: a model with its parameters, or a write condition.
        name: one of ``host.mtj.devices.DEVICES``, None for the model's own energies.
    """
    return model if name is None else f"{model}{',' if ':' in model else ':'}{_DEVICE}={name}"


def point_of_rate(
    rate1: float, rate0: float | None = None, device_name: str | None = None
) -> OperatingPoint:
    """Return the point of a bare rate: the exponential model's condition that has this rate.

    Rate 0 is costed at the conventional write, whose rate no image set of this size can tell from
    0. Where the two targets differ, each bit is costed at the longer of the two pulses, since a
    word is written with one pulse.

    Args:
        rate1: bit-error rate of a written 1.
        rate0: of a written 0; as ``rate1`` if not given.
        device_name: the device whose energies are taken, None for the model's own.

    Raises:
        InputError: no such device.
        RateError: a rate that the registers cannot hold.
    """
    threshold1 = stream.threshold(rate1)
    threshold0 = threshold1 if rate0 is None else stream.threshold(rate0)
    lower = stream.rate(min(threshold1, threshold0))
    pulse_s = _pulse_of(lower if lower > 0.0 else CONVENTIONAL_RATE)
    _, label = _junction(*_parts(of_device(ASANO.name, device_name)))
    return _point(threshold1, threshold0, condition(ASANO, None, pulse_s), ASANO, label)


def _pulse_of(rate: float) -> float:
    # A rate of 1 is a pulse of no length, which the model's own inverse has no place for.
    return 0.0 if rate == 1.0 else float(ASANO.pulse_for(rate))


def point_of_target(
    rate: float, model: str = DEFAULT_MODEL, drive: str | None = None
) -> OperatingPoint:
    """Return the point of the write condition that reaches a target rate, in (0, 1).

    Args:
        rate: the rate of the worse of the two directions.
        model: name of the device model, parameters behind a colon, as ``sun-gamma:tmr=1.2``;
            ``device=NAME`` among them takes the energies of that device.
        drive: write voltage or current with its unit, as ``0.5V``; the model's own if not given.

    Raises:
        InputError: no such model, parameter or drive.
        RateError: no pulse has that rate, or the registers cannot hold it.
    """
    junction, name = junction_of(model)
    with _named(f"target rate {rate:g}"):
        written = condition_for_rate(junction, rate, _drive(junction, drive))
        return point_of_condition(written, junction, name)


def point_of_pulse(
    pulse_s: float, model: str = DEFAULT_MODEL, drive: str | None = None
) -> OperatingPoint:
    """Return the point of a pulse width in seconds; arguments as :func:`point_of_target`.

    Raises:
        InputError: no such model, parameter or drive.
        RateError: not a pulse width, or its rate is too small for the registers.
    """
    junction, name = junction_of(model)
    with _named(f"pulse of {pulse_s:g} s"):
        written = condition(junction, _drive(junction, drive), pulse_s)
        return point_of_condition(written, junction, name)


def point_of_write_condition(text: str) -> OperatingPoint:
    """Return the point of a write condition in words.

    Args:
        text: ``MODEL:voltage=0.5V,pulse=10ns``, ``current=150uA`` where the model is driven by a
            current. The drive may be left out; further parts are parameters of the junction by
            their names in the model, in SI units, as ``tmr_spread=0.05``, and ``device=NAME``.

    Raises:
        InputError: no such model, part or unit.
        RateError: a rate that the registers cannot hold.
    """
    with _named(f"write condition {text}"):
        junction, drive, pulse_s, label = _written(text)
        return point_of_condition(condition(junction, drive, pulse_s), junction, label)


def point_of_each(points: Mapping[str, OperatingPoint], network: str = "") -> OperatingPoint:
    """Return the point at which each memory has one of its own.

    Args:
        points: by the memories' names, at least one; none of them such a point itself.
        network: whose memories they are, if that is known.

    Raises:
        InputError: a memory is driven by a voltage and another by a current.
    """
    first, *others = points.values()
    for other in others:
        if other.drive_unit != first.drive_unit:
            raise InputError(
                f"{first.model} is driven in {first.drive_unit}, {other.model} in "
                f"{other.drive_unit}: one kind of drive is needed for all memories"
            )
    each = tuple(points.items())
    words = [
        f"{name} {p.model} {p.drive!r} {p.pulse_s!r} {p.threshold1} {p.threshold0}"
        for name, p in sorted(each)
    ]
    drives, pulses = {p.drive for p in points.values()}, {p.pulse_s for p in points.values()}
    nothing = Costs(0.0, 0.0, 0.0, 0.0)
    return OperatingPoint(
        max(p.threshold1 for p in points.values()),
        max(p.threshold0 for p in points.values()),
        f"conditions:{hashlib.sha256(chr(10).join(words).encode()).hexdigest()[:12]}",
        drives.pop() if len(drives) == 1 else 0.0,
        first.drive_unit,
        pulses.pop() if len(pulses) == 1 else 0.0,
        nothing,
        nothing,
        each,
        network,
    )


def parts_of_condition(text: str) -> tuple[Model, float | None, float]:
    """Return the junction of a write condition in words, the drive if it names one, and its pulse.

    Raises:
        InputError: as of :func:`point_of_write_condition`.
    """
    with _named(f"write condition {text}"):
        junction, drive, pulse_s, _ = _written(text)
        return junction, drive, pulse_s


def _written(text: str) -> tuple[Model, float | None, float, str]:
    """Return the parts of a write condition: junction, drive, pulse and the junction's name."""
    name, parts = _parts(text)
    if "pulse" not in parts:
        raise InputError("no pulse: add one, as pulse=10ns")
    pulse_s = quantity(parts.pop("pulse"), "s")
    drives = [parts.pop(key) for key in _DRIVES if key in parts]
    if len(drives) > 1:
        raise InputError("a voltage and a current: give one of them")
    wanted = [key for key in _DRIVES if f"{key}=" in text]
    junction, label = _junction(name, parts)
    if wanted and _DRIVES[wanted[0]] != junction.drive_unit:
        right = next(key for key, unit in _DRIVES.items() if unit == junction.drive_unit)
        raise InputError(f"{name} is driven by a {right}, not by a {wanted[0]}")
    return junction, quantity(drives[0], junction.drive_unit) if drives else None, pulse_s, label


def point_without_errors(point: OperatingPoint) -> OperatingPoint:
    """Return rate 0 for the model and drive of a point: its conventional write, without errors."""
    if point.each:
        return point_of_each({name: point_without_errors(own) for name, own in point.each})
    junction, label = _junction(*_parts(point.model))
    written = condition_for_rate(junction, CONVENTIONAL_RATE, point.drive)
    return _point(0, 0, written, junction, label)


def point_of_condition(
    written: WriteCondition, junction: Model = ASANO, label: str | None = None
) -> OperatingPoint:
    """Return the point of a write condition.

    Args:
        written: the condition.
        junction: the model that made it.
        label: its name in the results.

    Raises:
        RateError: a rate that the registers cannot hold.
    """
    thresholds = []
    for bit in (1, 0):
        rate = getattr(written, f"rate{bit}")
        try:
            if rate == 0.0:  # of a pulse so long that floats hold no rate for it
                raise RateError(
                    "no write fails: the smallest bit-error rate of the 32-bit register is "
                    f"{stream.SMALLEST_RATE:.3e}, and writes without errors are rate 0 alone"
                )
            thresholds.append(stream.threshold(rate))
        except RateError as error:
            which = f"writing a {bit}: " if written.rate1 != written.rate0 else ""
            raise RateError(f"{which}{error}") from None
    return _point(thresholds[0], thresholds[1], written, junction, label or written.model)


def _point(
    threshold1: int, threshold0: int, written: WriteCondition, junction: Model, label: str
) -> OperatingPoint:
    conventional = condition_for_rate(junction, CONVENTIONAL_RATE, written.drive)
    scale = _scale(label, conventional)
    return OperatingPoint(
        threshold1,
        threshold0,
        label,
        _rounded(written.drive),
        written.drive_unit,
        _rounded(written.pulse_s),
        _costs(written, scale),
        _costs(conventional, scale),
    )


def _scale(label: str, conventional: WriteCondition) -> float:
    """Return what energies are multiplied by, so that the conventional ones are the device's."""
    name = _parts(label)[1].get(_DEVICE)
    if name is None:
        return 1.0
    return device(name).energy_j / ((conventional.energy1_j + conventional.energy0_j) / 2)


def _costs(written: WriteCondition, scale: float) -> Costs:
    energies = (
        written.energy1_j,
        written.energy0_j,
        written.energy1_same_j,
        written.energy0_same_j,
    )
    return Costs(*(_rounded(scale * energy) for energy in energies))


def _rounded(value: float) -> float:
    """Return a quantity to ten digits: versions of numpy and scipy differ in the last few."""
    return float(f"{value:.9e}")


def quantity(text: str, unit: str) -> float:
    """Return a quantity in SI units, given as a number with or without its unit: 10ns, 0.5V, 1e-8.

    Raises:
        InputError: it is not a number, or has another unit.
    """
    found = _QUANTITY.match(text.strip())
    number = None
    if (
        found is not None
        and found.group(3) in ("", unit)
        and not (found.group(2) and not found.group(3))
    ):
        try:
            number = float(found.group(1)) * _PREFIXES[found.group(2)]
        except ValueError:
            number = None
    if number is None:
        raise InputError(f"{text!r} is not a quantity in {unit}: write 1.5{unit} or 15m{unit}")
    return number


def _parts(text: str) -> tuple[str, dict[str, str]]:
    """Return the model's name and the parts behind it, by name."""
    name, _, rest = text.partition(":")
    parts: dict[str, str] = {}
    for part in filter(None, rest.split(",")):
        key, equals, value = (piece.strip() for piece in part.partition("="))
        if not equals or not value or key in parts:
            raise InputError(f"{part.strip()!r}: each part is NAME=VALUE, once")
        parts[key] = value
    return name.strip(), parts


def _junction(name: str, parameters: dict[str, str]) -> tuple[Model, str]:
    """Return a device model with some of its parameters changed, and its name in the results."""
    values, words = {}, []
    for key, text in sorted(parameters.items()):
        if key == _DEVICE:
            words.append(f"{_DEVICE}={text}")
            continue
        try:
            values[key] = float(text)
        except ValueError:
            raise InputError(f"{key}={text}: a number in SI units expected") from None
        words.append(f"{key}={values[key]!r}")
    try:
        model = named(name, **values)
        if _DEVICE in parameters:
            device(parameters[_DEVICE])
    except ValueError as error:
        raise InputError(str(error)) from None
    return model, f"{name}:{','.join(words)}" if words else name


def aging_of(
    point: OperatingPoint,
    retention_s: float,
    reads: int,
    *,
    delta: float | None = None,
    read_voltage_v: float = READ_VOLTAGE_V,
    read_pulse_s: float = READ_PULSE_S,
) -> Aging:
    """Return how weights written at a point age.

    The law of retention lets a cell turn over once; here it may turn back, which makes of its
    probability p the p - p^2 / 2 that a memoryless cell is in its other state. A read voltage above
    0 drives towards a 1, so it disturbs stored zeros, and one below 0 stored ones.

    Args:
        point: how the weights were written. Its junction is that which is aged where it has a
            thermal stability, a macrospin; else a macrospin with ``delta`` is.
        retention_s: time since the writing, seconds.
        reads: reads of every weight.
        delta: thermal stability, 40 if not given.
        read_voltage_v: voltage of a read, volts.
        read_pulse_s: width of a read, seconds.

    Raises:
        InputError: a quantity is out of its range, or ``delta`` is another than the junction's.
    """
    if not retention_s and not reads:
        return Aging()
    if point.each:
        raise InputError("retention and reads go with one write condition, not with conditions")
    try:
        junction, _ = _junction(*_parts(point.model))
        if not isinstance(junction, FokkerPlanck):
            junction = FokkerPlanck() if delta is None else FokkerPlanck(delta=delta)
        elif delta not in (None, junction.delta):
            raise InputError(
                f"delta {delta:g} for {point.model}, whose own is {junction.delta:g}: write it as "
                f"{junction.name}:delta={delta:g}"
            )
        once = float(retention_error_rate(retention_s, junction.delta))
        disturbed = [
            float(read_disturb_rate(junction, volts, read_pulse_s, reads, stored))
            for volts, stored in ((-read_voltage_v, 1), (read_voltage_v, 0))
        ]
    except HostError:
        raise
    except ValueError as error:
        raise InputError(str(error)) from None
    return Aging(
        retention_s,
        reads,
        junction.delta,
        read_voltage_v if reads else 0.0,
        read_pulse_s if reads else 0.0,
        *map(_rounded, (once - once**2 / 2, *disturbed)),
    )


def junction_of(model: str) -> tuple[Model, str]:
    """Return a device model by its name, with parameters behind a colon, and its name in results.

    Raises:
        InputError: no such model or parameter.
    """
    with _named(f"model {model}"):
        return _junction(*_parts(model))


def _drive(model: Model, text: str | None) -> float | None:
    return None if text is None else quantity(text, model.drive_unit)


@contextmanager
def _named(what: str) -> Iterator[None]:
    """Say what an error or a warning of the model is about, in one line."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", DomainWarning)
        try:
            yield
        except HostError as error:
            raise type(error)(f"{what}: {error}") from None
        except ValueError as error:
            raise RateError(f"{what}: {error}") from None
    domain = [each for each in caught if issubclass(each.category, DomainWarning)]
    for message in dict.fromkeys(str(each.message) for each in domain):
        print(f"warning: {what}: {message}", file=sys.stderr)
