"""Repeats taken together: the points of a report, their curves, and what a curve can afford.

A point is all repeats of one setting, a curve all points that differ in how errors were made. Asked
for an accuracy to keep, :func:`kept` names the highest rate and the lowest energy that keep it.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np

from spinflow.host.core.errors import InputError, ResultsError
from spinflow.host.core.text import with_unit
from spinflow.host.sweep.row import Key, Row
from spinflow.host.sweep.statistics import mean_interval, wilson_interval

_SHARED = ("data", "drive_unit", "clock_mhz")
"""Columns that all repeats of a point have alike, beside those of its key."""


@dataclass(frozen=True)
class Group:
    """All repeats of one point, taken together.

    Attributes:
        rate: bit-error rate of a written 1.
        rate0: bit-error rate of a written 0.
        accuracy: mean over the repeats, fraction.
        low, high: 95 % interval of the accuracy.
        interval: how it was got: ``t over 5 repeats`` or ``Wilson over 500 images``.
        images_low, images_high: Wilson's 95 % interval for the choice of images.
        accuracies: accuracy of each repeat, in their order.
        bits_written, errors, switched, upsets: means over the repeats.
        error_rate: errors by bits written, over all repeats.
        energy_per_bit_j: write energy by bits written, joules.
        energy_j: mean write energy of a repeat, joules.
        energy_bound_j: how far that can be off, since buffers do not tell all bits apart.
        conventional_j: the same writes at the conventional write, joules.
        saving: fraction of the conventional write's energy that was saved.
        cycles_per_frame: mean over repeats; 0 where nothing has cycles.
        frames_per_second: at ``clock_mhz``; 0 where nothing has cycles.
    """

    network: str
    build_id: int
    images: int
    image_set: str
    data: str
    backend: str
    memory: str
    mode: str
    rate: float
    rate0: float
    model: str
    drive: float
    drive_unit: str
    pulse_s: float
    retention_s: float
    reads: int
    delta: float
    read_voltage_v: float
    read_pulse_s: float
    background: str
    seed: int
    cell_map: str
    repeats: int
    accuracy: float
    low: float
    high: float
    interval: str
    images_low: float
    images_high: float
    accuracies: tuple[float, ...]
    bits_written: float
    errors: float
    switched: float
    upsets: float
    error_rate: float
    energy_per_bit_j: float
    energy_j: float
    energy_bound_j: float
    conventional_j: float
    saving: float
    stalls: int
    cycles_per_frame: float
    clock_mhz: float
    frames_per_second: float

    @property
    def mean_rate(self) -> float:
        """The bit-error rate where ones and zeros are written alike often."""
        return (self.rate + self.rate0) / 2


def summarise(rows: Iterable[Row]) -> list[Group]:
    """Group the rows that differ in their repeat only, in order of network, memory and rate.

    Raises:
        ResultsError: there are no rows, or a trial appears twice.
    """
    grouped: dict[Key, dict[int, Row]] = {}
    for row in rows:
        repeats = grouped.setdefault(row.key._replace(repeat=0), {})
        if row.repeat in repeats:
            raise ResultsError(
                f"the results hold {row.network} {row.memory} at rate {row.rate:g}, repeat "
                f"{row.repeat}, twice: give each results file once"
            )
        repeats[row.repeat] = row
    if not grouped:
        raise ResultsError("the results files hold no finished row")
    groups = [
        _group([repeats[number] for number in sorted(repeats)]) for repeats in grouped.values()
    ]
    order = {"weights": 0, "buffers": 1, "all": 2}
    return sorted(
        groups,
        key=lambda g: (
            g.network, g.build_id, order.get(g.memory, 3), g.memory, g.mode, g.background,
            g.backend, g.images, g.image_set, g.seed, g.retention_s, g.reads, g.delta, g.model,
            g.mean_rate, g.rate, g.drive, -g.pulse_s, g.cell_map,
        ),
    )  # fmt: skip


def _group(rows: list[Row]) -> Group:
    first = rows[0]
    accuracies = tuple(row.accuracy for row in rows)
    accuracy = float(np.mean(accuracies))
    low, high, interval = mean_interval(accuracies, first.images)
    images_low, images_high = wilson_interval(accuracy, first.images)

    def mean(name: str) -> float:
        found: float = sum(getattr(row, name) for row in rows) / len(rows)
        return found

    bits, energy_j, conventional_j = mean("bits_written"), mean("energy_j"), mean("conventional_j")
    cycles = mean("cycles") / first.images
    shared = {name: getattr(first, name) for name in (*Key._fields, *_SHARED)}
    del shared["repeat"]
    return Group(
        **shared,
        repeats=len(rows),
        accuracy=accuracy,
        low=low,
        high=high,
        interval=interval,
        images_low=images_low,
        images_high=images_high,
        accuracies=accuracies,
        bits_written=bits,
        errors=mean("errors"),
        switched=mean("switched"),
        upsets=mean("upsets"),
        error_rate=mean("errors") / bits if bits else 0.0,
        energy_per_bit_j=energy_j / bits if bits else 0.0,
        energy_j=energy_j,
        energy_bound_j=mean("energy_bound_j"),
        conventional_j=conventional_j,
        saving=1 - energy_j / conventional_j if conventional_j else 0.0,
        stalls=sum(row.stalls for row in rows),
        cycles_per_frame=cycles,
        frames_per_second=first.clock_mhz * 1e6 / cycles if cycles else 0.0,
    )


def networks(groups: Sequence[Group]) -> list[list[Group]]:
    """Return the points of each network, in the order in which the networks come."""
    found: dict[str, list[Group]] = {}
    for group in groups:
        found.setdefault(group.network, []).append(group)
    return list(found.values())


def curves(members: Sequence[Group]) -> dict[str, list[Group]]:
    """Return the points of each line of a picture by its label, which says what differs only."""

    @cache  # of the whole network, once and not for each point
    def several(name: str) -> bool:
        return _differ(name, members)

    backgrounds = len({g.background for g in members if g.background != "none"}) > 1
    # A line over conditions of one model goes over its pulses, or its drives if the pulse is one.
    by_drive = {
        model: _differ("drive", same) and _differ("pulse_s", same)
        for model in {group.model for group in members}
        for same in [[group for group in members if group.model == model]]
    }
    aged = [group for group in members if group.delta]
    ages = [n for n in ("delta", "read_voltage_v", "read_pulse_s") if _differ(n, aged)]
    curves: dict[str, list[Group]] = {}
    for group in members:
        label = group.memory
        if several("mode"):
            label += f", {group.mode}"
        if several("backend"):
            label += f", {group.backend}"
        if several("build_id"):
            label += f", build {group.build_id:#010x}"
        if several("image_set"):
            same_number = len({g.image_set for g in members if g.images == group.images}) > 1
            label += f", {group.images} images{f' {group.image_set}' if same_number else ''}"
        if backgrounds and group.background != "none":
            label += f", over {group.background}"
        if several("model"):
            label += f", {_model_name(group, members)}"
        if by_drive[group.model]:
            label += f", {with_unit(group.drive, group.drive_unit)}"
        if group.model.partition(":")[0] == "exponential" and group.rate0 != group.rate:
            # This model has one rate: unequal ones were given by hand, the zeros' as a choice.
            label += f", written 0: {group.rate0:.4g}"
        if several("cell_map"):
            label += ", cells alike" if group.cell_map == "none" else ", cells that differ"
        if several("retention_s"):
            label += f", kept {group.retention_s:g} s"
        if several("reads"):
            label += f", {group.reads} reads"
        for name in ages if group.delta else ():
            # Only what differs among those that age at all.
            label += f", {name} {getattr(group, name):g}"
        if several("seed"):
            label += f", seed {group.seed}"
        curves.setdefault(label, []).append(group)
    return curves


def _differ(name: str, among: Iterable[Group]) -> bool:
    return len({getattr(group, name) for group in among}) > 1


def _model_name(group: Group, members: Sequence[Group]) -> str:
    """Return a model's name, with its parameters where another of this name has others."""
    name = group.model.partition(":")[0]
    same = {g.model for g in members if g.model.partition(":")[0] == name}
    return name if len(same) == 1 else group.model


def _kind(group: Group) -> str:
    """Return weights, buffers or both: what a selection writes."""
    if group.background == "none":  # a trial without weights is written over none
        return "buffers"
    return "weights" if group.memory.endswith("weights") else "both"


def basis_of(group: Group) -> str:
    """Return what the energy of a selection is stated for."""
    return {
        "weights": "one load of the weights",
        "buffers": "one image",
        "both": "weights and images",
    }[_kind(group)]


def share_of(group: Group) -> float:
    """Return what a trial's energy is multiplied by to be that of its basis."""
    return 1 / group.images if _kind(group) == "buffers" else 1.0


def energy_of(group: Group) -> tuple[float, str]:
    """Return the write energy of a point's basis, joules, and its unit."""
    return group.energy_j * share_of(group), "J"


def rate_of(group: Group) -> str:
    """Return the rate without the digits that its rounding to 32 bits put there."""
    if group.rate == group.rate0:
        return f"{group.rate:.4g}"
    return f"{group.rate:.4g} / {group.rate0:.4g}"


def accuracy_of(group: Group) -> str:
    """Return the accuracy of a point with its interval, in words."""
    return f"{100 * group.accuracy:.2f} %, interval {100 * group.low:.2f} to {100 * group.high:.2f}"


@dataclass(frozen=True)
class Kept:
    """What one curve can afford and still keep an accuracy.

    Only measured points count, and of those with the same rate or energy the whole 95 % interval
    over the error patterns must be at the accuracy or above it. The highest rate is that below
    which every measured rate keeps it too.

    Attributes:
        curve: the memory, and what distinguishes this curve from the others.
        accuracy: what is to be kept, fraction.
        rate: the point of the highest rate, None if no point keeps the accuracy.
        energy: the point of the lowest write energy, None if no point keeps the accuracy.
    """

    network: str
    curve: str
    accuracy: float
    rate: Group | None
    energy: Group | None


def kept(
    groups: Sequence[Group], accuracy: float | None = None, loss_points: float | None = None
) -> list[Kept]:
    """Return for each curve the highest rate and the lowest energy that keep an accuracy.

    Args:
        groups: the points.
        accuracy: what is to be kept, a fraction.
        loss_points: instead, how many percentage points below the same images' accuracy without
            errors it may be.

    Raises:
        InputError: not a fraction, a negative loss, or no point without errors to lose from.
    """
    if accuracy is not None and not 0.0 < accuracy <= 1.0:
        raise InputError(f"accuracy {accuracy:g} to keep: must be above 0 and at most 1, as 0.98")
    if loss_points is not None and not 0.0 <= loss_points < 100.0:
        raise InputError(f"loss of {loss_points:g} points: must be from 0 to 100")
    found = []
    for members in networks(groups):
        for curve, points in curves(members).items():
            wanted = accuracy
            if wanted is None:
                if loss_points is None:
                    continue
                wanted = _reference(points[0], members) - loss_points / 100
            keeping = [group for group in points if group.low >= wanted]
            lost = min((g.mean_rate for g in points if g.low < wanted), default=math.inf)
            safe = [group for group in keeping if group.mean_rate < lost]
            found.append(
                Kept(
                    members[0].network,
                    curve,
                    wanted,
                    max(safe, key=lambda g: g.mean_rate, default=None),
                    min(keeping, key=lambda g: g.energy_j, default=None),
                )
            )
    return found


def exact_accuracy(group: Group, members: Sequence[Group]) -> float | None:
    """Return the accuracy of the same network on the same images without errors, if measured."""
    images = (group.build_id, group.image_set)
    for other in members:
        exact = other.rate == other.rate0 == 0.0 and not other.upsets
        if exact and (other.build_id, other.image_set) == images:
            return other.accuracy
    return None


def _reference(group: Group, members: Sequence[Group]) -> float:
    """Return what a loss is counted from."""
    exact = exact_accuracy(group, members)
    if exact is None:
        raise InputError(
            f"accuracy loss of {group.network} ({group.images} images of set {group.image_set}): "
            "it is counted from the accuracy without errors, but the results have no row at rate "
            "0; add rate 0 to the sweep, or give an accuracy"
        )
    return exact


def kept_lines(found: Sequence[Kept]) -> list[str]:
    """Return what the curves can afford, a line each."""
    lines = []
    for each in found:
        start, accuracy = f"{each.network}, {each.curve}", f"{100 * each.accuracy:.2f} %"
        if each.energy is None:
            lines.append(f"{start}: no measured point keeps an accuracy of {accuracy}")
            continue
        best = each.energy
        rate = (
            f"up to rate {rate_of(each.rate)} ({accuracy_of(each.rate)})"
            if each.rate is not None
            else "at some rates only: a point at the lowest measured rate does not keep it"
        )
        lines.append(
            f"{start}: an accuracy of {accuracy} is kept {rate}; lowest energy "
            f"{with_unit(*energy_of(best))} for {basis_of(best)} at rate {rate_of(best)} "
            f"({accuracy_of(best)}), {100 * best.saving:.1f} % below the conventional write"
        )
    return lines
