"""Write energies of published parts, as the device table has them."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from spinflow.host.mtj.devices import DEVICES, LEVELS
from spinflow.host.mtj.exponential import ASANO, CONVENTIONAL_RATE
from spinflow.papers import style
from spinflow.papers.sheets.sheet import Cell, Sheet

if TYPE_CHECKING:
    from matplotlib.axes import Axes

RATES = (1e-3, 1e-2)
"""Accepted error rates whose energies are shown beside the conventional ones."""


def share(rate: float) -> float:
    """Return what a write of this rate takes over a conventional one, in exponential switching."""
    written, conventional = ASANO.pulse_for([rate, CONVENTIONAL_RATE])
    return float(written / conventional)


def devices() -> Sheet:
    """Return the devices: energy of a bit, conventional and where errors are accepted."""
    rows: list[tuple[Cell, ...]] = [
        (
            each.name, each.level, each.basis,
            "" if math.isnan(each.pulse_s) else float(f"{1e9 * each.pulse_s:.4g}"),
            1e12 * each.energy_j, *(1e12 * each.energy_j * share(rate) for rate in RATES),
            each.what, each.source,
        )
        for each in DEVICES.values()
    ]  # fmt: skip

    def draw(axes: Axes) -> None:
        names = [str(row[0]) for row in rows]
        for number, level in enumerate(LEVELS):
            at = [index for index, row in enumerate(rows) if row[1] == level]
            axes.plot(
                [float(rows[index][4]) for index in at], at, linestyle="none",
                marker=style.marker(number), color=style.colour(number), label=level,
            )  # fmt: skip
        for index, row in enumerate(rows):
            axes.plot([float(row[6]), float(row[4])], [index, index], color=style.GREY, zorder=0)
            axes.plot(float(row[6]), index, marker="|", markersize=10, color=style.BLACK)
        axes.set_yticks(range(len(names)), names)
        axes.set_xscale("log")
        axes.set_xlabel("write energy [pJ per bit]; bars: at an error rate of 1e-2, 75 % less")
        axes.legend(loc="lower right")

    return Sheet(
        "table", "devices", "Write energies of published parts, a bit",
        ("device", "level", "basis", "pulse_ns", "conventional_pj",
         *(f"at_{rate:g}_pj" for rate in RATES), "part", "source"),
        rows,
        "Energies at a rate are the conventional one times what exponential switching leaves of "
        "it: 62.5 and 75.0 % less.", draw,
    )  # fmt: skip
