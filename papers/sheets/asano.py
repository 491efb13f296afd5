"""Asano 2024: write energies, as printed and by exponential switching."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from spinflow.host.mtj import exponential
from spinflow.host.mtj.exponential import Exponential
from spinflow.papers import style
from spinflow.papers.sheets.sheet import Cell, Sheet, columns_to_rows

if TYPE_CHECKING:
    from matplotlib.axes import Axes

ASANO_TABLE_2 = [
    ("Binary", 3, 2.40, 8.94, -79.8),
    ("Binary_x3", 3, 2.40, 8.94, -79.8),
    ("Fxp8", 3, 2.80, 8.57, -80.6),
    ("Fxp16", 3, 2.60, 8.75, -80.2),
    ("Fxp32", 3, 2.80, 8.57, -80.6),
    ("Binary", 30, 8.60, 5.88, -86.7),
    ("Binary_x3", 30, 8.20, 6.00, -86.4),
    ("Fxp8", 30, 8.20, 6.00, -86.4),
    ("Fxp16", 30, 7.20, 6.31, -85.7),
    ("Fxp32", 30, 7.40, 6.24, -85.9),
]
"""Asano 2024, table 2: representation, accepted degradation in percent, acceptable bit-error rate
in percent, write energy in pJ and its change in percent, as printed."""


def asano_2() -> Sheet:
    """Return Asano 2024, table 2: write energies at the acceptable bit-error rates."""
    conventional = float(
        exponential.energy_per_bit(exponential.pulse_for(exponential.CONVENTIONAL_RATE))
    )
    rows: list[tuple[Cell, ...]] = []
    for representation, degradation, percent, printed_pj, printed_change in ASANO_TABLE_2:
        pulse = float(exponential.pulse_for(percent / 100.0))
        energy = float(exponential.energy_per_bit(pulse))
        rows.append((
            representation, degradation, percent, 1e9 * pulse, 1e12 * energy, printed_pj,
            100.0 * (energy / conventional - 1.0), printed_change,
        ))  # fmt: skip

    def draw(axes: Axes) -> None:
        at = np.arange(5)
        for number, (degradation, colour) in enumerate(((3, style.BLUE), (30, style.ORANGE))):
            mine = [float(row[4]) for row in rows if row[1] == degradation]
            printed = [float(row[5]) for row in rows if row[1] == degradation]
            axes.bar(
                at + 0.4 * number - 0.2, mine, 0.36, color=colour,
                label=f"ours, {degradation} % degradation",
            )  # fmt: skip
            axes.plot(
                at + 0.4 * number - 0.2, printed, linestyle="none", marker="_", markersize=22,
                markeredgewidth=2, color=style.BLACK, label="printed" if number else None,
            )  # fmt: skip
        axes.set_xticks(at, [str(row[0]) for row in rows[:5]])
        axes.set_ylim(0.0, 12.5)
        axes.set_ylabel("write energy [pJ per bit]")
        axes.legend(ncols=3, loc="upper center")

    return Sheet(
        "table", "asano-2", "Write energy at the acceptable bit-error rate (Asano 2024, table 2)",
        ("representation", "degradation_percent", "rate_percent", "pulse_ns", "energy_pj",
         "printed_energy_pj", "change_percent", "printed_change_percent"),
        rows, "Voltage 1.08 V deduced. Changes are against the conventional write at 1e-8.", draw,
    )  # fmt: skip


def asano_10() -> Sheet:
    """Return Asano 2024, figure 10: write energy against bit-error rate."""
    model = Exponential()
    rates = np.logspace(-8, np.log10(0.5), 97)
    pulses = model.pulse_for(rates)
    energies = model.energy_per_bit(None, pulses)

    def draw(axes: Axes) -> None:
        axes.semilogx(rates, 1e12 * energies, color=style.BLACK, label="exponential switching")
        for degradation, marker, colour in ((3, "o", style.BLUE), (30, "s", style.ORANGE)):
            printed = [row for row in ASANO_TABLE_2 if row[1] == degradation]
            axes.plot(
                [row[2] / 100 for row in printed], [row[3] for row in printed], marker,
                color=colour, label=f"printed in table 2, {degradation} % degradation",
            )  # fmt: skip
        axes.set_xlabel("bit-error rate")
        axes.set_ylabel("write energy [pJ per bit]")
        axes.set_ylim(bottom=0.0)
        axes.legend()

    return Sheet(
        "curve", "asano-10", "Write energy against bit-error rate (Asano 2024, figure 10)",
        ("rate", "pulse_ns", "energy_pj"), columns_to_rows(rates, 1e9 * pulses, 1e12 * energies),
        "Voltage 1.08 V deduced.", draw,
    )  # fmt: skip
