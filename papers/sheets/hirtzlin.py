"""Hirtzlin 2019: programming energies by Sun's law with a gamma distribution."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from spinflow.host.mtj.sun_gamma import PAPER_SPREADS, SunGamma
from spinflow.papers import style
from spinflow.papers.sheets.sheet import Cell, Sheet, columns_to_rows

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def hirtzlin_4() -> Sheet:
    """Return Hirtzlin 2019, figure 4: programming energy against bit-error rate, both curves."""
    rates = np.logspace(-9, np.log10(0.3), 61)
    parts = []
    for model in (SunGamma(), SunGamma(**PAPER_SPREADS)):
        for bit in (1, 0):
            pulses = model.pulse_for(rates, None, bit)
            parts += [1e9 * pulses, 1e15 * model.energy_per_bit(None, pulses, bit)]
    means = 0.5 * (parts[1] + parts[3]), 0.5 * (parts[5] + parts[7])

    def draw(axes: Axes) -> None:
        axes.semilogx(
            rates, means[0], color=style.BLACK, label="intrinsic, mean of both directions"
        )
        axes.semilogx(
            rates, means[1], color=style.RED, linewidth=2.2, label="with variability, mean of both"
        )
        for energies, dash, label in (
            (parts[5], "--", "with variability, P to AP (writing 1)"),
            (parts[7], ":", "with variability, AP to P (writing 0)"),
        ):
            axes.semilogx(rates, energies, color=style.RED, linestyle=dash, label=label)
        axes.set_xlabel("bit-error rate")
        axes.set_ylabel("programming energy [fJ per bit]")
        axes.set_ylim(bottom=0.0)
        axes.legend()

    names = [
        f"{what}{bit}_{kind}_{unit}"
        for kind in ("intrinsic", "varied")
        for bit in (1, 0)
        for what, unit in (("pulse", "ns"), ("energy", "fj"))
    ]
    return Sheet(
        "curve", "hirtzlin-4",
        "Programming energy against bit-error rate (Hirtzlin 2019, figure 4)",
        ("rate", *names, "energy_intrinsic_fj", "energy_varied_fj"),
        columns_to_rows(rates, *parts, *means),
        "tau0 = 1 ns assumed: absolute pulses and energies scale with it. Variability: 5 % of TMR "
        f"and R_P (printed), {100 * PAPER_SPREADS['drive_spread']:g} % of the drive (deduced).",
        draw,
    )  # fmt: skip


def hirtzlin_saving() -> Sheet:
    """Return the saving of Hirtzlin 2019 at 1e-3 and 1e-2 against 1e-6, by assumed spread."""
    cases: list[tuple[str, dict[str, float]]] = [
        ("intrinsic", {}),
        ("drive 5 %", {"drive_spread": 0.05}),
        ("drive 7.5 %", {"drive_spread": 0.075}),
        ("TMR, R_P 5 %", {"tmr_spread": 0.05, "resistance_spread": 0.05}),
        ("TMR, R_P 5 %, drive 7.2 %", PAPER_SPREADS),
    ]
    rows: list[tuple[Cell, ...]] = []
    for label, spreads in cases:
        model = SunGamma(**spreads)
        rates = np.array([1e-6, 1e-3, 1e-2])
        pulses = np.stack([model.pulse_for(rates, None, bit) for bit in (1, 0)])
        energies = model.energy_per_bit(None, pulses, np.array([[1], [0]])).sum(axis=0)
        rows.append((
            label, *(float(pulses[0, 0] / pulses[0, n]) for n in (1, 2)),
            *(float(pulses[1, 0] / pulses[1, n]) for n in (1, 2)),
            *(float(energies[0] / energies[n]) for n in (1, 2)),
        ))  # fmt: skip

    def draw(axes: Axes) -> None:
        at = np.arange(len(rows))
        for number, (column, label, colour) in enumerate(
            ((5, "rate 1e-3", style.BLUE), (6, "rate 1e-2", style.ORANGE))
        ):
            values = [float(row[column]) for row in rows]
            bars = axes.barh(at + 0.38 * number - 0.19, values, 0.34, color=colour, label=label)
            axes.bar_label(bars, fmt="%.2f", label_type="center", color="white")
        axes.axvline(2.0, color=style.BLACK, linestyle="--", label="factor two that is printed")
        axes.set_yticks(at, [str(row[0]) for row in rows])
        axes.invert_yaxis()
        axes.set_xlim(0.0, 3.6)
        axes.set_xlabel("energy at 1e-6 over energy at the rate, mean of both directions")
        axes.legend(loc="upper right")

    return Sheet(
        "table", "hirtzlin-saving",
        "Saving against a rate of 1e-6, by variability (Hirtzlin 2019, section III)",
        ("spreads", "time_saving1_1e-3", "time_saving1_1e-2", "time_saving0_1e-3",
         "time_saving0_1e-2", "energy_saving_1e-3", "energy_saving_1e-2"),
        rows,
        "Savings are ratios. Time of writing 1 and 0; energy: mean of both. The drive's spread of "
        "the last row is deduced from the printed factor two at 1e-3.", draw,
    )  # fmt: skip
