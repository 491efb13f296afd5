"""Reliability: retention, reads, and error correction (SECDED)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from spinflow.host.mtj import reliability
from spinflow.host.mtj.ecc import Secded
from spinflow.host.mtj.exponential import Exponential
from spinflow.host.mtj.fokker_planck import FokkerPlanck
from spinflow.host.mtj.reliability import SenseAmplifier
from spinflow.papers import style
from spinflow.papers.sheets.sheet import Cell, Sheet, columns_to_rows

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def retention() -> Sheet:
    """Return bit-error rates of idle bits against time, by thermal stability."""
    times = np.logspace(0, np.log10(20 * reliability.YEAR_S), 41)
    deltas = (30.0, 40.0, 50.0, 60.0)
    laws = [reliability.retention_error_rate(times, delta) for delta in deltas]
    solved = FokkerPlanck(delta=40.0).switching_rate(0.0, times)

    def draw(axes: Axes) -> None:
        for number, (delta, rates) in enumerate(zip(deltas, laws, strict=True)):
            axes.loglog(
                times, rates, **style.curve(number),
                label=f"Neel-Arrhenius, Delta = {delta:g}",
            )  # fmt: skip
        axes.loglog(
            times[::4], solved[::4], "o", color=style.BLUE, label="Fokker-Planck, Delta = 40"
        )
        for seconds, label in (
            (3600.0, "hour"), (86400.0, "day"), (reliability.YEAR_S, "year"),
            (10 * reliability.YEAR_S, "10 years"),
        ):  # fmt: skip
            axes.axvline(seconds, color=style.GREY, linewidth=0.7)
            axes.annotate(label, (seconds, 1.5), ha="right", va="bottom", rotation=90, fontsize=8)
        axes.set_ylim(1e-17, 1e4)
        axes.set_xlabel("time [s]")
        axes.set_ylabel("retention error rate")
        axes.legend(loc="lower right")

    return Sheet(
        "curve", "retention", "Retention errors against time (Tzoufras 2019, section III.1 c)",
        ("time_s", *(f"rate_delta_{delta:g}" for delta in deltas), "rate_fokker_planck_delta_40"),
        columns_to_rows(times, *laws, solved), "Attempt time 1 ns and t_D = 1 ns.", draw,
    )  # fmt: skip


def read() -> Sheet:
    """Return read errors and read disturb against the read voltage."""
    volts = np.linspace(0.0, 0.2, 41)
    amplifier = SenseAmplifier()
    wrong = amplifier.error_rate(volts, 5e-9, np.array([[0], [1]])).mean(axis=0)
    disturbed = [
        reliability.read_disturb_rate(FokkerPlanck(delta=delta), volts, 5e-9)
        for delta in (40.0, 60.0)
    ]

    def draw(axes: Axes) -> None:
        axes.semilogy(volts, wrong, color=style.BLACK, label="read errors")
        for rates, colour, dash, delta in zip(
            disturbed, (style.RED, style.BLUE), ("--", "-."), (40, 60), strict=True
        ):
            axes.semilogy(
                volts, np.maximum(rates, 1e-300), color=colour, linestyle=dash,
                label=f"read disturb, Delta = {delta}",
            )  # fmt: skip
        axes.set_ylim(1e-20, 2.0)
        axes.set_xlabel("read voltage [V]")
        axes.set_ylabel("error rate per read of 5 ns")
        axes.legend(loc="lower right")

    return Sheet(
        "curve", "read", "Read errors and read disturb (Tzoufras 2019, section III.1 d-e)",
        ("voltage_v", "rate_read_error", "rate_disturb_delta_40", "rate_disturb_delta_60"),
        columns_to_rows(volts, wrong, *disturbed),
        "Vsw = 0.2 V, R_P = 5 kOhm and the sense amplifier are assumed.", draw,
    )  # fmt: skip


def ecc() -> Sheet:
    """Return what SECDED costs and leaves, by word width and error rate of the stored bits."""
    widths, model = (8, 16, 32, 64, 128), Exponential()
    rows: list[tuple[Cell, ...]] = []
    for width in widths:
        code = Secded(width)
        for rate in (1e-6, 1e-4, 1e-3, 1e-2):
            residual = float(code.residual_rate(rate))
            raw, plain = (
                float(model.energy_per_bit(None, model.pulse_for(value)))
                for value in (rate, residual)
            )
            coded = float(code.energy_per_data_bit(raw))
            rows.append((
                width, code.check_bits, 100.0 * (code.energy_factor - 1.0), rate, residual,
                float(code.word_failure_rate(rate)), 1e12 * raw, 1e12 * coded, 1e12 * plain,
            ))  # fmt: skip

    def draw(axes: Axes) -> None:
        raw = np.logspace(-7, -1, 61)
        for number, width in enumerate(widths):
            axes.loglog(
                raw, Secded(width).residual_rate(raw), **style.curve(number),
                label=f"{width} data bits",
            )  # fmt: skip
        axes.loglog(raw, raw, color=style.GREY, linewidth=1, label="without ECC")
        axes.set_xlabel("bit-error rate of stored bits")
        axes.set_ylabel("bit-error rate after SECDED")
        axes.legend()

    return Sheet(
        "table", "ecc", "SECDED: what it costs and what it leaves",
        ("word_bits", "check_bits", "extra_bits_percent", "rate_stored", "rate_residual",
         "rate_word_failure", "energy_no_ecc_pj", "energy_ecc_pj",
         "energy_no_ecc_at_residual_pj"),
        rows,
        "Energies per data bit in exponential switching: without a code at the stored rate, with "
        "the code, and without a code at the rate that the code leaves.", draw,
    )  # fmt: skip
