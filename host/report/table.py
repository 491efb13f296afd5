"""The table of a report, and the notes that a reader needs to read it right."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from spinflow.host.core.tables import ruled
from spinflow.host.core.text import with_unit
from spinflow.host.mtj.exponential import CONVENTIONAL_RATE
from spinflow.host.report.summary import Group, networks, rate_of

HEADINGS = (
    "memory", "mode", "on", "rate", "write", "background", "accuracy %", "95 % interval", "of",
    "images' 95 %", "errors / bit", "pJ / bit", "energy", "saved", "cycles / frame",
)  # fmt: skip

SORTED_BY = (
    "memory", "mode", "backend", "mean_rate", "pulse_s", "background", "accuracy", "low",
    "interval", "images_low", "error_rate", "energy_per_bit_j", "energy_j", "saving",
    "cycles_per_frame",
)  # fmt: skip
"""What each column is sorted by: a field of a point."""


def cells(group: Group) -> tuple[str, ...]:
    """Return the line of a point, a cell for each of HEADINGS."""
    bound = (
        f" ± {with_unit(group.energy_bound_j, 'J')}"
        if group.energy_bound_j > 5e-4 * group.energy_j
        else ""
    )
    return (
        group.memory,
        group.mode,
        group.backend,
        rate_of(group),
        f"{group.model.partition(':')[0]} {with_unit(group.drive, group.drive_unit)} "
        f"{with_unit(group.pulse_s, 's')}",
        group.background,
        f"{100 * group.accuracy:.2f}",
        f"{100 * group.low:.2f} to {100 * group.high:.2f}",
        group.interval,
        f"{100 * group.images_low:.2f} to {100 * group.images_high:.2f}",
        f"{group.error_rate:.3g}",
        f"{1e12 * group.energy_per_bit_j:.3g}",
        f"{with_unit(group.energy_j, 'J')}{bound}",
        f"{100 * group.saving:.1f} %",
        f"{group.cycles_per_frame:.1f}" if group.cycles_per_frame else "–",
    )


def table(groups: Sequence[Group]) -> str:
    """Return the table as text for a terminal, one part for each network."""
    parts = []
    for members in networks(groups):
        lines = ruled(HEADINGS, [cells(group) for group in members])
        parts.append("\n".join([title(members), *lines, *notes_of(members)]))
    return "\n\n".join(parts)


def title(members: Sequence[Group]) -> str:
    """Return what the points of a network are of: its builds and its sets of images."""
    builds = dict.fromkeys(f"build {group.build_id:#010x}" for group in members)
    sets = dict.fromkeys(
        f"{group.images} images of {group.data} (set {group.image_set})" for group in members
    )
    return f"{members[0].network}, {' and '.join(builds)}, {' and '.join(sets)}"


def notes_of(members: Sequence[Group]) -> list[str]:
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
    return f"{group.model} at {with_unit(group.drive, group.drive_unit)}"
