"""The report of sweeps: a table with 95 % intervals, ``summary.json`` and ``report.html``.

It takes the rows of any set of results files: what was measured on a board, on the RTL and by the
evaluator stands side by side, one section for each network. Asked for an accuracy to keep, it
names the highest rate and the lowest energy that keep it. The page is one file that opens without
a network: its pictures are inline SVG. The same rows give the same bytes.
"""

from __future__ import annotations

import importlib.util
import io
import json
import math
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from spinflow.host.core.errors import InputError, ResultsError
from spinflow.host.core.files import replace_text
from spinflow.host.mtj.exponential import CONVENTIONAL_RATE
from spinflow.host.sweep.results import Key, Row
from spinflow.host.sweep.statistics import LEVEL, mean_interval, wilson_interval

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
"""Okabe and Ito's palette, which the colour-blind can tell apart."""
_MARKERS = "osD^vPX*<>"
_LINES = ("-", "--", ":", "-.")


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
        ResultsError: there are no rows, or one trial is there twice.
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
    kinds = {"weights": 0, "buffers": 1, "all": 2}
    return sorted(
        groups,
        key=lambda g: (
            g.network, g.build_id, kinds.get(g.memory, 3), g.memory, g.mode, g.background,
            g.backend, g.images, g.image_set, g.seed, g.retention_s, g.reads, g.delta, g.model,
            g.mean_rate, g.rate, g.drive, -g.pulse_s,
        ),
    )  # fmt: skip


def _group(rows: list[Row]) -> Group:
    first = rows[0]
    accuracies = tuple(row.accuracy for row in rows)
    accuracy = float(np.mean(accuracies))
    low, high, interval = mean_interval(accuracies, first.images)
    images_low, images_high = wilson_interval(accuracy, first.images)

    def mean(name: str) -> float:
        return sum(getattr(row, name) for row in rows) / len(rows)

    bits, energy_j, conventional_j = mean("bits_written"), mean("energy_j"), mean("conventional_j")
    cycles = mean("cycles") / first.images
    shared = {name: getattr(first, name) for name in (*Key._fields, "drive_unit", "clock_mhz")}
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


@dataclass(frozen=True)
class Kept:
    """What one curve can afford and still keep an accuracy.

    Only measured points count, and of those with the same rate or energy the whole 95 % interval
    over the error patterns must be at the accuracy or above it. The highest rate is that below
    which every measured rate keeps it too.

    Attributes:
        curve: the memory, and whatever tells this curve from others.
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
    for members in _networks(groups):
        for curve, points in _curves(members).items():
            wanted = accuracy
            if wanted is None:
                if loss_points is None:
                    continue
                wanted = _exact_accuracy(points[0], members) - loss_points / 100
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


def _exact_accuracy(group: Group, members: Sequence[Group]) -> float:
    """Return the accuracy of the same network on the same images without errors."""
    images = (group.build_id, group.image_set)
    for other in members:
        exact = other.rate == other.rate0 == 0.0 and not other.upsets
        if exact and (other.build_id, other.image_set) == images:
            return other.accuracy
    raise InputError(
        f"a loss for {group.network} ({group.images} images of set {group.image_set}): the results "
        "hold no row at rate 0 to lose from; give an accuracy, or add rate 0 to the sweep"
    )


def kept_lines(found: Sequence[Kept]) -> list[str]:
    """Return what the curves can afford, a line each."""
    lines = []
    for each in found:
        start = f"{each.network}, {each.curve}: accuracy of {100 * each.accuracy:.2f} %"
        if each.energy is None:
            lines.append(f"{start} is kept by no measured point")
            continue
        best = each.energy
        rate = (
            f"up to rate {_rate(each.rate)} ({_accuracy(each.rate)})"
            if each.rate is not None
            else "at no rate below which all others keep it"
        )
        lines.append(
            f"{start} is kept {rate}; lowest energy {_quantity(*_energy(best))} for "
            f"{_basis(best)} at rate {_rate(best)} ({_accuracy(best)}), "
            f"{100 * best.saving:.1f} % below the conventional write"
        )
    return lines


def _accuracy(group: Group) -> str:
    return f"{100 * group.accuracy:.2f} %, interval {100 * group.low:.2f} to {100 * group.high:.2f}"


_HEADINGS = (
    "memory", "mode", "on", "rate", "write", "background", "accuracy %", "95 % interval", "of",
    "images' 95 %", "errors / bit", "pJ / bit", "energy", "saved", "cycles / frame",
)  # fmt: skip


def _cells(group: Group) -> tuple[str, ...]:
    bound = (
        f" ± {_quantity(group.energy_bound_j, 'J')}"
        if group.energy_bound_j > 5e-4 * group.energy_j
        else ""
    )
    return (
        group.memory,
        group.mode,
        group.backend,
        _rate(group),
        f"{group.model.partition(':')[0]} {_quantity(group.drive, group.drive_unit)} "
        f"{_quantity(group.pulse_s, 's')}",
        group.background,
        f"{100 * group.accuracy:.2f}",
        f"{100 * group.low:.2f} to {100 * group.high:.2f}",
        group.interval,
        f"{100 * group.images_low:.2f} to {100 * group.images_high:.2f}",
        f"{group.error_rate:.3g}",
        f"{1e12 * group.energy_per_bit_j:.3g}",
        f"{_quantity(group.energy_j, 'J')}{bound}",
        f"{100 * group.saving:.1f} %",
        f"{group.cycles_per_frame:.1f}" if group.cycles_per_frame else "–",
    )


def _rate(group: Group) -> str:
    """Return the rate without the digits that its rounding to 32 bits put there."""
    if group.rate == group.rate0:
        return f"{group.rate:.4g}"
    return f"{group.rate:.4g} / {group.rate0:.4g}"


def _quantity(value: float, unit: str) -> str:
    scale, prefix = _prefix(value)
    return f"{value / scale:.3g} {prefix}{unit}"


def _prefix(value: float) -> tuple[float, str]:
    for scale, prefix in ((1.0, ""), (1e-3, "m"), (1e-6, "µ"), (1e-9, "n")):
        if abs(value) >= scale:
            return scale, prefix
    return 1e-12, "p"


def table(groups: Sequence[Group]) -> str:
    """Return the table as text for a terminal, one part for each network."""
    parts = []
    for members in _networks(groups):
        lines = [_HEADINGS, *(_cells(group) for group in members)]
        widths = [max(len(line[column]) for line in lines) for column in range(len(_HEADINGS))]
        rows = [
            "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True))
            for line in lines
        ]
        rows.insert(1, "  ".join("-" * width for width in widths))
        parts.append(
            "\n".join([_title(members), *(row.rstrip() for row in rows), *_notes(members)])
        )
    return "\n\n".join(parts)


def _networks(groups: Sequence[Group]) -> list[list[Group]]:
    networks: dict[str, list[Group]] = {}
    for group in groups:
        networks.setdefault(group.network, []).append(group)
    return list(networks.values())


def _title(members: Sequence[Group]) -> str:
    builds = dict.fromkeys(f"build {group.build_id:#010x}" for group in members)
    sets = dict.fromkeys(f"{group.images} images (set {group.image_set})" for group in members)
    return f"{members[0].network}, {' and '.join(builds)}, {' and '.join(sets)}"


def _notes(members: Sequence[Group]) -> list[str]:
    """Return what a reader must know to read the table right, a sentence or two each."""
    notes = [
        "Accuracy is the mean over the repeats, all on the same images. Its interval is Student's "
        "t over the repeats: the spread over error patterns on these images (with one repeat: "
        "Wilson's over the images). The images' own interval is Wilson's: what another choice of "
        "images could change.",
    ]
    timed = [group for group in members if group.cycles_per_frame]
    for clock in dict.fromkeys(group.clock_mhz for group in timed):
        at = [group for group in timed if group.clock_mhz == clock]
        cycles = float(np.mean([group.cycles_per_frame for group in at]))
        stalls = sum(group.stalls for group in at)
        notes.append(
            f"Speed: {cycles:.1f} cycles a frame by the accelerator's counter, so "
            f"{clock * 1e6 / cycles:,.0f} frames/s at {clock:g} MHz (on the simulator, rtl: "
            f"simulated cycles at {clock:g} MHz, no wall-clock time). Stalled by errors: {stalls}."
        )
    notes += [
        "Rates are those that the registers hold, T / 2^32. Bits, errors and energy are sums over "
        "the selected memories: weights are written once a repeat, buffers for every image.",
        "Energy: counted bits times what the device model says a write of their kind takes. "
        f"Model{'s' if len({g.model for g in members}) > 1 else ''}: "
        f"{', '.join(dict.fromkeys(_condition_words(group) for group in members))}. "
        f"Saved: against the same writes at rate {CONVENTIONAL_RATE:g}, the conventional write.",
    ]
    if any(group.rate == 0 and group.rate0 == 0 for group in members):
        notes.append(
            "Rate 0 is run without errors and costed at the conventional write, rate "
            f"{CONVENTIONAL_RATE:g}."
        )
    if any(group.rate != group.rate0 for group in members):
        notes.append(
            "Rates of a written 1 / a written 0 are given where they differ. One pulse serves "
            "both: of bare rates, the longer of the two."
        )
    if any(group.energy_bound_j for group in members):
        notes.append(
            "± is how far the energy can be off: buffers do not count how many of their unswitched "
            "bits were ones (docs/sweeps.md)."
        )
    if any(group.retention_s or group.reads for group in members):
        notes.append(
            "Retention and reads turn over stored weights after they were written; such bits are "
            "no write errors and cost no energy."
        )
    return notes


def _condition_words(group: Group) -> str:
    return f"{group.model} at {_quantity(group.drive, group.drive_unit)}"


def write(groups: Sequence[Group], folder: Path, found: Sequence[Kept] = ()) -> list[Path]:
    """Write ``summary.json`` and ``report.html`` into a folder, each in one step.

    Returns:
        What was written: the summary alone where there is no matplotlib, as on a board. A page of
        earlier rows goes away then.
    """
    written = {"summary.json": json.dumps(summary(groups, found), indent=2) + "\n"}
    if importlib.util.find_spec("matplotlib") is not None:
        written["report.html"] = page(groups, found)
    else:
        (folder / "report.html").unlink(missing_ok=True)
    for name, content in written.items():
        replace_text(folder / name, content)
    return [folder / name for name in written]


def summary(groups: Sequence[Group], found: Sequence[Kept] = ()) -> dict[str, Any]:
    """Return the content of ``summary.json``."""
    return {
        "format": 1,
        "level": LEVEL,
        "conventional_rate": CONVENTIONAL_RATE,
        "notes": [note for members in _networks(groups) for note in _notes(members)],
        "points": [asdict(group) for group in groups],
        "kept": [asdict(each) for each in found],
    }


_STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; color: #1a1a1a; background: #fff;
       max-width: 72rem; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.6rem; } h2 { font-size: 1.25rem; margin-top: 2.5rem; }
figure { margin: 1.5rem 0; } figure svg { max-width: 100%; height: auto; }
figcaption, .notes { color: #444; font-size: .9rem; max-width: 50rem; }
.wide { overflow-x: auto; } table { border-collapse: collapse; font-size: .85rem; }
th, td { padding: .3rem .7rem; text-align: right; border-bottom: 1px solid #ddd;
         white-space: nowrap; font-variant-numeric: tabular-nums; }
th:nth-child(-n+2), td:nth-child(-n+2) { text-align: left; }
thead th { border-bottom: 2px solid #444; }
"""


def page(groups: Sequence[Group], found: Sequence[Kept] = ()) -> str:
    """Return the content of ``report.html``."""
    names = " and ".join(dict.fromkeys(group.network for group in groups))
    sections = "".join(
        _section(number, members, [each for each in found if each.network == members[0].network])
        for number, members in enumerate(_networks(groups))
    )
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>Spinflow: {escape(names)}</title>\n<style>{_STYLE}</style>\n</head>\n<body>\n"
        f"<h1>Accuracy and write energy of {escape(names)}</h1>\n{sections}</body>\n</html>\n"
    )


def _section(number: int, members: list[Group], found: Sequence[Kept]) -> str:
    head = "".join(f"<th>{escape(heading)}</th>" for heading in _HEADINGS)
    body = "".join(
        "<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in _cells(group)) + "</tr>\n"
        for group in members
    )
    notes = "".join(f"<p>{escape(note)}</p>\n" for note in _notes(members))
    lines = "".join(f"<li>{escape(line)}</li>\n" for line in kept_lines(found))
    return (
        f"<h2>{escape(_title(members))}</h2>\n"
        f"{f'<ul>{lines}</ul>' if lines else ''}"
        f"<figure>{_svg(rate_figure(members), f'rate{number}')}"
        "<figcaption>Accuracy against the bit-error rate. Lines join the means, bars are 95 % "
        "intervals over repeats, small dots the single repeats, the pale band is the 95 % "
        "interval for the choice of images. 0 has a place of its own, left of the logarithmic "
        "axis.</figcaption></figure>\n"
        f"<figure>{_svg(energy_figure(members), f'energy{number}')}"
        "<figcaption>The same accuracy against the energy of writing: a shorter pulse costs less "
        "and errs more often. The number at a point is its bit-error rate; the dashed line is the "
        "conventional write.</figcaption></figure>\n"
        f'<div class="wide"><table><thead><tr>{head}</tr></thead>\n'
        f"<tbody>{body}</tbody></table></div>\n"
        f'<div class="notes">{notes}</div>\n'
    )


def _svg(figure: Figure, name: str) -> str:
    """Return a figure as an SVG element: text as paths, no date, ids that depend on `name` only."""
    import matplotlib  # Only reports draw: the board need not have it.

    out = io.StringIO()
    with matplotlib.rc_context({"svg.hashsalt": name, "svg.fonttype": "path"}):
        figure.savefig(out, format="svg", metadata={"Date": None, "Creator": None})
    text = out.getvalue()
    return text[text.index("<svg") :]


def _curves(members: Sequence[Group]) -> dict[str, list[Group]]:
    """Return the points of each line of a picture by its label, which says what differs only."""

    def several(name: str, among: Iterable[Group] = members) -> bool:
        return len({getattr(group, name) for group in among}) > 1

    backgrounds = len({g.background for g in members if g.background != "none"}) > 1
    # A line over conditions of one model goes over its pulses, or its drives if the pulse is one.
    by_drive = {
        model: several("drive", same) and several("pulse_s", same)
        for model in {group.model for group in members}
        for same in [[group for group in members if group.model == model]]
    }
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
            label += f", {_quantity(group.drive, group.drive_unit)}"
        if group.model == "exponential" and group.rate0 != group.rate:
            # This model has one rate: unequal ones were given by hand, the zeros' as a choice.
            label += f", written 0: {group.rate0:.4g}"
        if several("retention_s"):
            label += f", kept {group.retention_s:g} s"
        if several("reads"):
            label += f", {group.reads} reads"
        for name in ("delta", "read_voltage_v", "read_pulse_s"):
            # Only what differs among those that age at all.
            if several(name, [g for g in members if g.delta]) and group.delta:
                label += f", {name} {getattr(group, name):g}"
        if several("seed"):
            label += f", seed {group.seed}"
        curves.setdefault(label, []).append(group)
    return curves


def _model_name(group: Group, members: Sequence[Group]) -> str:
    """Return a model's name, with its parameters where another of this name has others."""
    name = group.model.partition(":")[0]
    same = {g.model for g in members if g.model.partition(":")[0] == name}
    return name if len(same) == 1 else group.model


def _new_figure(width: float, height: float, panels: int) -> tuple[Figure, list[Axes]]:
    from matplotlib.figure import Figure

    columns = min(panels, 2)
    lines = -(-panels // columns)
    figure = Figure(figsize=(width, height * lines), layout="constrained")
    grid = figure.subplots(lines, columns, squeeze=False, sharey=True)
    axes = list(grid.flat)
    for spare in axes[panels:]:
        spare.remove()
    for axis in axes[:panels]:
        axis.grid(True, color="#dddddd", linewidth=0.7)
        axis.set_axisbelow(True)
        axis.spines[["top", "right"]].set_visible(False)
        axis.tick_params(labelsize=11, labelleft=True)
    return figure, axes[:panels]


def _plain(text: str) -> str:
    """Return a text in which the dollar signs stand for themselves, not for formulas."""
    return text.replace("$", r"\$")


def _draw(axis: Axes, points: list[Group], x: list[float], number: int, label: str) -> None:
    colour, marker = _COLOURS[number % len(_COLOURS)], _MARKERS[number % len(_MARKERS)]
    line = _LINES[number // len(_COLOURS) % len(_LINES)]
    mean = [100 * group.accuracy for group in points]
    spread = [
        [100 * (group.accuracy - group.low) for group in points],
        [100 * (group.high - group.accuracy) for group in points],
    ]
    axis.errorbar(
        x, mean, np.maximum(spread, 0), color=colour, marker=marker, markersize=6, linewidth=1.8,
        linestyle=line,
        capsize=4, label=_plain(label),
    )  # fmt: skip
    axis.fill_between(
        x, [100 * group.images_low for group in points],
        [100 * group.images_high for group in points], color=colour, alpha=0.1, linewidth=0,
    )  # fmt: skip
    for place, group in zip(x, points, strict=True):
        axis.plot(
            [place] * group.repeats, [100 * accuracy for accuracy in group.accuracies],
            linestyle="", marker=".", markersize=5, color=colour, alpha=0.45,
        )  # fmt: skip


def rate_figure(members: Sequence[Group]) -> Figure:
    """Return accuracy against bit-error rate, all curves in one picture."""
    figure, (axis,) = _new_figure(9.0, 5.2, 1)
    curves = _curves(members)
    rates = sorted({group.mean_rate for group in members if group.mean_rate > 0})
    # Rate 0 stands a good half decade left of the smallest rate.
    zero = rates[0] / 5 if rates else 1.0
    axis.set_xscale("log")
    axis.set_xlim(zero / 1.6, (rates[-1] if rates else zero) * 1.6)
    for number, (label, points) in enumerate(curves.items()):
        # A few hundredths of a decade between curves, so that bars do not hide each other.
        aside = 10 ** (0.03 * (number - (len(curves) - 1) / 2))
        x = [(group.mean_rate or zero) * aside for group in points]
        _draw(axis, points, x, number, label)
    decades = [
        10.0**power
        for power in range(math.ceil(math.log10(rates[0]) - 0.01), 1)
        if power <= math.ceil(math.log10(rates[-1]) - 0.01)
    ] if rates else []  # fmt: skip
    ticks, names = list(decades), [f"$10^{{{round(math.log10(t))}}}$" for t in decades]
    if any(group.mean_rate == 0 for group in members):
        ticks, names = [zero, *ticks], ["0", *names]
        if rates:
            axis.axvline(rates[0] / 5**0.5, color="#999999", linewidth=1, linestyle=(0, (2, 3)))
    axis.set_xticks(ticks, names)
    axis.set_xticks([d * m for d in decades[:-1] for m in range(2, 10)], minor=True)
    both = any(group.rate != group.rate0 for group in members)
    of = (
        "bit-error rate of a write, mean of ones and zeros" if both else "bit-error rate of a write"
    )
    axis.set_xlabel(of, fontsize=12)
    axis.set_ylabel("accuracy [%]", fontsize=12)
    small = 9 if len(curves) > 6 else 11
    axis.legend(fontsize=small, frameon=False, loc="lower left", title="errors in")
    return figure


def _kind(group: Group) -> str:
    """Return weights, buffers or both: what a selection writes."""
    if group.background == "none":  # a trial without weights is written over none
        return "buffers"
    return "weights" if group.memory.endswith("weights") else "both"


def _basis(group: Group) -> str:
    """Return what the energy of a selection is stated for."""
    return {
        "weights": "one load of the weights",
        "buffers": "one image",
        "both": "weights and images",
    }[_kind(group)]


def _share(group: Group) -> float:
    """Return what a trial's energy is multiplied by to be that of its basis."""
    return 1 / group.images if _kind(group) == "buffers" else 1.0


def _energy(group: Group) -> tuple[float, str]:
    return group.energy_j * _share(group), "J"


def _is_free(numbered: list[tuple[float, float]], x: float, percent: float, width: float) -> bool:
    """Note a place for a number, unless one stands so near that they would hide each other."""
    for other_x, other in numbered:
        if abs(x - other_x) < 0.08 * width and abs(percent - other) < 4:
            return False
    numbered.append((x, percent))
    return True


def energy_figure(members: Sequence[Group]) -> Figure:
    """Return accuracy against write energy, one panel for what the energy is of."""
    curves = _curves(members)
    panels = list(dict.fromkeys(points[0].memory for points in curves.values()))
    figure, axes = _new_figure(10.5, 4.6, len(panels))
    for memory, axis in zip(panels, axes, strict=True):
        shown = {label: points for label, points in curves.items() if points[0].memory == memory}
        drawn = [group for points in shown.values() for group in points]
        scale, prefix = _prefix(max(group.conventional_j * _share(group) for group in drawn))
        for number, model in enumerate(dict.fromkeys(group.model for group in drawn)):
            reference = max(g.conventional_j * _share(g) for g in drawn if g.model == model)
            axis.axvline(
                reference / scale, color="#777777", linewidth=1.2,
                linestyle=("--", ":", "-.")[number % 3],
            )  # fmt: skip
        width = max(group.conventional_j * _share(group) for group in drawn) / scale
        numbered: list[tuple[float, float]] = []
        for label, points in shown.items():
            number = list(curves).index(label)
            x = [_energy(group)[0] / scale for group in points]
            _draw(axis, points, x, number, label)
            for place, group in zip(x, points, strict=True):
                if not _is_free(numbered, place, 100 * group.accuracy, width):
                    continue
                axis.annotate(
                    f"{group.mean_rate:.3g}", (place, 100 * group.accuracy), fontsize=9,
                    xytext=(6, -13), textcoords="offset points", color="#333333",
                )  # fmt: skip
        axis.set_xlim(left=0)
        axis.margins(x=0.1)
        axis.set_xlabel(f"write energy of {_basis(drawn[0])} [{prefix}J]", fontsize=12)
        axis.set_ylabel("accuracy [%]", fontsize=12)
        axis.set_title(_plain(f"errors in {memory}"), fontsize=12)
        if len(shown) > 1:
            small = 9 if len(shown) > 4 else 11
            axis.legend(fontsize=small, frameon=False, loc="lower right")
    return figure
