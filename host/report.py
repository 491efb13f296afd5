"""The report of a sweep: a table with 95 % intervals, ``summary.json`` and ``report.html``.

The page is one file that opens without a network: its pictures are inline SVG. The same rows give
the same bytes.
"""

from __future__ import annotations

import io
import json
import math
import os
import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import stats

from host.errors import ResultsError
from host.results import Row
from model.mtj import exponential

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

LEVEL = 0.95

_COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
"""Okabe and Ito's palette, which the colour-blind can tell apart."""
_MARKERS = "osD^vP*"

_CONVENTIONAL_J = float(
    exponential.energy_per_bit(exponential.pulse_for(exponential.CONVENTIONAL_RATE))
)


@dataclass(frozen=True)
class Group:
    """All repeats of one point, taken together.

    Attributes:
        accuracy: mean over the repeats, fraction.
        low, high: 95 % interval of the accuracy.
        interval: how it was got: ``t over 5 repeats`` or ``Wilson over 500 images``.
        images_low, images_high: Wilson's 95 % interval for the choice of images.
        accuracies: accuracy of each repeat, in their order.
        error_rate: errors by bits written, over all repeats.
        energy_j: mean write energy of a repeat, joules.
        saving: fraction of the conventional write's energy that was saved.
        cycles_per_frame: mean over repeats.
        frames_per_second: at ``clock_mhz``.
    """

    network: str
    build_id: int
    images: int
    image_set: str
    memory: str
    mode: str
    rate: float
    rate0: float
    pulse_s: float
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
    error_rate: float
    energy_per_bit_j: float
    energy_j: float
    saving: float
    stalls: int
    cycles_per_frame: float
    clock_mhz: float
    frames_per_second: float


def wilson_interval(accuracy: float, images: int) -> tuple[float, float]:
    """Return Wilson's 95 % score interval of an accuracy that was measured on so many images."""
    z2 = float(stats.norm.ppf((1 + LEVEL) / 2)) ** 2
    centre = (accuracy + z2 / (2 * images)) / (1 + z2 / images)
    spread = z2 * (accuracy * (1 - accuracy) + z2 / (4 * images)) / images
    half = math.sqrt(spread) / (1 + z2 / images)
    return max(0.0, centre - half), min(1.0, centre + half)


def mean_interval(accuracies: Sequence[float], images: int) -> tuple[float, float, str]:
    """Return the 95 % interval of the mean of the repeats, and its kind in words.

    Repeats give Student's t-interval: how much the error patterns matter on these images. A single
    repeat has no spread to go by and gives Wilson's interval over the images.
    """
    count, mean = len(accuracies), float(np.mean(accuracies))
    if count == 1:
        return (*wilson_interval(mean, images), f"Wilson over {images} images")
    deviation = float(np.std(accuracies, ddof=1))
    half = float(stats.t.ppf((1 + LEVEL) / 2, count - 1)) * deviation / math.sqrt(count)
    return max(0.0, mean - half), min(1.0, mean + half), f"t over {count} repeats"


def summarise(rows: Iterable[Row]) -> list[Group]:
    """Group the rows that differ in their repeat only, in order of network, memory and rate.

    Raises:
        ResultsError: there are no rows, or one trial is there twice.
    """
    grouped: dict[tuple[Any, ...], dict[int, Row]] = {}
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
            g.network, g.build_id, g.images, g.image_set, kinds.get(g.memory, 3), g.memory,
            g.mode, g.background, g.seed, g.rate, g.rate0, -g.pulse_s,
        ),
    )  # fmt: skip


def _group(rows: list[Row]) -> Group:
    first = rows[0]
    accuracies = tuple(row.accuracy for row in rows)
    accuracy = float(np.mean(accuracies))
    low, high, interval = mean_interval(accuracies, first.images)
    images_low, images_high = wilson_interval(accuracy, first.images)
    bits, errors = sum(row.bits_written for row in rows), sum(row.errors for row in rows)
    cycles = sum(row.cycles for row in rows) / (len(rows) * first.images)
    return Group(
        network=first.network,
        build_id=first.build_id,
        images=first.images,
        image_set=first.image_set,
        memory=first.memory,
        mode=first.mode,
        rate=first.rate,
        rate0=first.rate0,
        pulse_s=first.pulse_s,
        background=first.background,
        seed=first.seed,
        repeats=len(rows),
        accuracy=accuracy,
        low=low,
        high=high,
        interval=interval,
        images_low=images_low,
        images_high=images_high,
        accuracies=accuracies,
        bits_written=bits / len(rows),
        errors=errors / len(rows),
        error_rate=errors / bits if bits else 0.0,
        energy_per_bit_j=first.energy_per_bit_j,
        energy_j=sum(row.energy_j for row in rows) / len(rows),
        saving=1 - first.energy_per_bit_j / _CONVENTIONAL_J,
        stalls=sum(row.stalls for row in rows),
        cycles_per_frame=cycles,
        clock_mhz=first.clock_mhz,
        frames_per_second=first.clock_mhz * 1e6 / cycles,
    )


_HEADINGS = (
    "memory", "mode", "rate", "background", "accuracy %", "95 % interval", "of", "images' 95 %",
    "errors / bit", "pJ / bit", "energy", "saved", "cycles / frame",
)  # fmt: skip


def _cells(group: Group) -> tuple[str, ...]:
    rate = f"{group.rate:g}" if group.rate == group.rate0 else f"{group.rate:g} / {group.rate0:g}"
    return (
        group.memory,
        group.mode,
        _round_rate(rate),
        group.background,
        f"{100 * group.accuracy:.2f}",
        f"{100 * group.low:.2f} to {100 * group.high:.2f}",
        group.interval,
        f"{100 * group.images_low:.2f} to {100 * group.images_high:.2f}",
        f"{group.error_rate:.3g}",
        f"{1e12 * group.energy_per_bit_j:.2f}",
        _quantity(group.energy_j, "J"),
        f"{100 * group.saving:.1f} %",
        f"{group.cycles_per_frame:.1f}",
    )


def _round_rate(text: str) -> str:
    """Return a rate without the digits that its rounding to 32 bits put there."""
    return " / ".join(f"{float(part):.4g}" for part in text.split(" / "))


def _quantity(value: float, unit: str) -> str:
    scale, prefix = _prefix(value)
    return f"{value / scale:.3g} {prefix}{unit}"


def _prefix(value: float) -> tuple[float, str]:
    for scale, prefix in ((1.0, ""), (1e-3, "m"), (1e-6, "µ"), (1e-9, "n")):
        if abs(value) >= scale:
            return scale, prefix
    return 1e-12, "p"


def table(groups: Sequence[Group]) -> str:
    """Return the table as text for a terminal, one part for each network and set of images."""
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
            "\n".join([_title(members[0]), *(row.rstrip() for row in rows), *_notes(members)])
        )
    return "\n\n".join(parts)


def _networks(groups: Sequence[Group]) -> list[list[Group]]:
    networks: dict[tuple[Any, ...], list[Group]] = {}
    for group in groups:
        identity = (group.network, group.build_id, group.images, group.image_set)
        networks.setdefault(identity, []).append(group)
    return list(networks.values())


def _title(group: Group) -> str:
    build, images = f"build {group.build_id:#010x}", f"{group.images} images"
    return f"{group.network}, {build}, {images} (set {group.image_set})"


def _notes(members: Sequence[Group]) -> list[str]:
    """Return what a reader must know to read the table right, a sentence or two each."""
    clock = members[0].clock_mhz
    cycles = float(np.mean([group.cycles_per_frame for group in members]))
    stalls = sum(group.stalls for group in members)
    notes = [
        "Accuracy is the mean over the repeats, all on the same images. Its interval is Student's "
        "t over the repeats: the spread over error patterns on these images (with one repeat: "
        "Wilson's over the images). The images' own interval is Wilson's: what another choice of "
        "images could change.",
        f"Speed: {cycles:.1f} cycles a frame by the accelerator's counter, so "
        f"{clock * 1e6 / cycles:,.0f} frames/s at {clock:g} MHz (on the simulator: "
        f"simulated cycles at {clock:g} MHz, no wall-clock time). Stalled by errors: {stalls}.",
        "Rates are those that the registers hold, T / 2^32. Bits, errors and energy are sums over "
        "the selected memories: weights are written once a repeat, buffers for every image.",
        "Energy: bits written times the energy of one written bit in the exponential switching "
        f"model (Asano 2024): a pulse of t = -{1e9 * exponential.TAU_S:g} ns ln(rate) costs "
        f"{exponential.VOLTAGE_V:g} V x {1e6 * exponential.CURRENT_A:g} µA x t. "
        f"Saved: against the conventional write at rate {exponential.CONVENTIONAL_RATE:g} "
        f"({1e12 * _CONVENTIONAL_J:.1f} pJ a bit).",
    ]
    if any(group.rate == 0 and group.rate0 == 0 for group in members):
        notes.append(
            "Rate 0 is run without errors and costed at the conventional write, rate "
            f"{exponential.CONVENTIONAL_RATE:g}."
        )
    if any(group.rate != group.rate0 for group in members):
        notes.append(
            "Where the rates of a written 1 / a written 0 differ, every bit is costed at the "
            "longer of the two pulses."
        )
    return notes


def write(groups: Sequence[Group], folder: Path) -> None:
    """Write ``summary.json`` and ``report.html`` into a folder, each in one step."""
    folder.mkdir(parents=True, exist_ok=True)
    _replace(folder / "summary.json", json.dumps(summary(groups), indent=2) + "\n")
    _replace(folder / "report.html", page(groups))


def summary(groups: Sequence[Group]) -> dict[str, Any]:
    """Return the content of ``summary.json``."""
    return {
        "format": 1,
        "level": LEVEL,
        "energy_model": {
            "name": exponential.MODEL,
            "conventional_rate": exponential.CONVENTIONAL_RATE,
            "conventional_energy_per_bit_j": _CONVENTIONAL_J,
            "rate_0": "run without errors, costed at the conventional write",
        },
        "notes": [note for members in _networks(groups) for note in _notes(members)],
        "points": [asdict(group) for group in groups],
    }


def _replace(path: Path, content: str) -> None:
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as out:
            out.write(content)
        os.chmod(temporary, 0o644)
        os.replace(temporary, path)
    finally:
        Path(temporary).unlink(missing_ok=True)


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


def page(groups: Sequence[Group]) -> str:
    """Return the content of ``report.html``."""
    names = " and ".join(dict.fromkeys(group.network for group in groups))
    sections = "".join(_section(number, m) for number, m in enumerate(_networks(groups)))
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>Spinflow: {escape(names)}</title>\n<style>{_STYLE}</style>\n</head>\n<body>\n"
        f"<h1>Accuracy and write energy of {escape(names)}</h1>\n{sections}</body>\n</html>\n"
    )


def _section(number: int, members: list[Group]) -> str:
    head = "".join(f"<th>{escape(heading)}</th>" for heading in _HEADINGS)
    body = "".join(
        "<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in _cells(group)) + "</tr>\n"
        for group in members
    )
    notes = "".join(f"<p>{escape(note)}</p>\n" for note in _notes(members))
    return (
        f"<h2>{escape(_title(members[0]))}</h2>\n"
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
    modes = len({group.mode for group in members}) > 1
    backgrounds = len({g.background for g in members if g.background != "none"}) > 1
    seeds = len({group.seed for group in members}) > 1
    curves: dict[str, list[Group]] = {}
    for group in members:
        label = group.memory
        if modes:
            label += f", {group.mode}"
        if backgrounds and group.background != "none":
            label += f", over {group.background}"
        if group.rate0 != group.rate:
            label += f", written 0: {group.rate0:.4g}"
        if seeds:
            label += f", seed {group.seed}"
        curves.setdefault(label, []).append(group)
    return curves


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


def _draw(axis: Axes, points: list[Group], x: list[float], number: int, label: str) -> None:
    colour, marker = _COLOURS[number % len(_COLOURS)], _MARKERS[number % len(_MARKERS)]
    mean = [100 * group.accuracy for group in points]
    spread = [
        [100 * (group.accuracy - group.low) for group in points],
        [100 * (group.high - group.accuracy) for group in points],
    ]
    axis.errorbar(
        x, mean, np.maximum(spread, 0), color=colour, marker=marker, markersize=6, linewidth=1.8,
        capsize=4, label=label,
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
    rates = sorted({group.rate for group in members if group.rate > 0})
    # Rate 0 stands a good half decade left of the smallest rate.
    zero = rates[0] / 5 if rates else 1.0
    axis.set_xscale("log")
    axis.set_xlim(zero / 1.6, (rates[-1] if rates else zero) * 1.6)
    for number, (label, points) in enumerate(curves.items()):
        # A few hundredths of a decade between curves, so that bars do not hide each other.
        aside = 10 ** (0.03 * (number - (len(curves) - 1) / 2))
        x = [(group.rate or zero) * aside for group in points]
        _draw(axis, points, x, number, label)
    decades = [
        10.0**power
        for power in range(math.ceil(math.log10(rates[0]) - 0.01), 1)
        if power <= math.ceil(math.log10(rates[-1]) - 0.01)
    ] if rates else []  # fmt: skip
    ticks, names = list(decades), [f"$10^{{{round(math.log10(t))}}}$" for t in decades]
    if any(group.rate == 0 for group in members):
        ticks, names = [zero, *ticks], ["0", *names]
        if rates:
            axis.axvline(rates[0] / 5**0.5, color="#999999", linewidth=1, linestyle=(0, (2, 3)))
    axis.set_xticks(ticks, names)
    axis.set_xticks([d * m for d in decades[:-1] for m in range(2, 10)], minor=True)
    axis.set_xlabel("bit-error rate of a write", fontsize=12)
    axis.set_ylabel("accuracy [%]", fontsize=12)
    axis.legend(fontsize=11, frameon=False, loc="best", title="errors in", title_fontsize=11)
    return figure


def _basis(memory: str) -> str:
    if memory == "weights" or memory.endswith(".weights"):
        return "one load of the weights"
    return (
        "one image" if memory == "buffers" or memory.endswith(".buffer") else "weights and images"
    )


def energy_figure(members: Sequence[Group]) -> Figure:
    """Return accuracy against write energy, one panel for what the energy is of."""
    curves = _curves(members)
    panels = list(dict.fromkeys(points[0].memory for points in curves.values()))
    figure, axes = _new_figure(10.5, 4.6, len(panels))
    for memory, axis in zip(panels, axes, strict=True):
        shown = {label: points for label, points in curves.items() if points[0].memory == memory}
        per_image = _basis(memory) == "one image"
        energies = {
            label: [g.energy_j / (g.images if per_image else 1) for g in points]
            for label, points in shown.items()
        }
        reference = max(
            (g.bits_written * _CONVENTIONAL_J / (g.images if per_image else 1))
            for points in shown.values()
            for g in points
        )
        scale, prefix = _prefix(reference)
        axis.axvline(reference / scale, color="#777777", linewidth=1.2, linestyle="--")
        for label, points in shown.items():
            number = list(curves).index(label)
            _draw(axis, points, [e / scale for e in energies[label]], number, label)
            for group, energy in zip(points, energies[label], strict=True):
                axis.annotate(
                    f"{group.rate:.3g}", (energy / scale, 100 * group.accuracy), fontsize=9,
                    xytext=(6, -13), textcoords="offset points", color="#333333",
                )  # fmt: skip
        axis.set_xlim(left=0)
        axis.margins(x=0.1)
        axis.set_xlabel(f"write energy of {_basis(memory)} [{prefix}J]", fontsize=12)
        axis.set_ylabel("accuracy [%]", fontsize=12)
        axis.set_title(f"errors in {memory}", fontsize=12)
        if len(shown) > 1:
            axis.legend(fontsize=11, frameon=False, loc="lower right")
    return figure
