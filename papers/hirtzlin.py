"""Hirtzlin et al. 2019: accuracy against errors in weights, and against programming energy."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from typing import TYPE_CHECKING

import numpy as np

from spinflow.host.mtj.sun_gamma import DRIVE_SPREAD, PAPER_SPREADS, SunGamma
from spinflow.papers import draw, measure, style, wording
from spinflow.papers.device import of_sheet
from spinflow.papers.item import Draw, Item, Line, Role, Setting, Table
from spinflow.papers.sheets import hirtzlin as sheets

if TYPE_CHECKING:
    from matplotlib.axes import Axes

REPEATS = 5
"""Repeats of figure 2."""

HIGHEST_ENERGY_RATE = 1e-6
"""Rate of the points of the highest programming energy in figures 5 and 6."""

_SAME = "as without errors"
MLP = Role(
    "MLP 784-1024-1024-10, MNIST",
    "mlp-mnist",
    published={0.0: "98.3 %", 1e-4: _SAME, 1e-3: "practically " + _SAME, 1e-2: "98.1 %"},
    short="MLP, MNIST",
)
CNN = Role(
    "CNN 384-384-384-768-768-1536 + 1024-1024-10, CIFAR-10",
    "cnn-cifar10",
    published={0.0: "87.65 %", 1e-4: _SAME, 1e-3: "practically " + _SAME, 1e-2: "86.9 %"},
    short="CNN, CIFAR-10",
)
ALEXNET = Role(
    "binarized AlexNet, ImageNet, top-5",
    "alexnet-imagenet",
    published={0.0: "69.7 %", 1e-4: _SAME, 1e-3: "69.5 %", 1e-2: "67.9 %"},
    short="AlexNet, ImageNet, top-5",
)
VGG = Role("VGG of Asano 2024, CIFAR-10", "vgg-cifar10", stands_in=True, short="VGG, CIFAR-10")
CNV = Role("CNV, CIFAR-10", "cnv-cifar10", stands_in=True)
_NETWORKS2 = (MLP, CNN, ALEXNET, VGG, CNV)

SHOWN = (0.0, 1e-4, 1e-3, 1e-2)
"""Rates that the paper prints something for."""


@cache
def energies(rate: float) -> tuple[float, float]:
    """Return the mean programming energy of both directions at a rate, joules per bit.

    Returns:
        Without and with variability. At rate 0, which no pulse reaches, that of 1e-6, the highest
        that the paper plots.

    Source: Hirtzlin 2019, figure 4; tau0 = 1 ns is assumed, the drive's spread deduced.
    """
    rate = rate or HIGHEST_ENERGY_RATE
    found = []
    for model in (SunGamma(), SunGamma(**PAPER_SPREADS)):
        bits = np.array([1, 0])
        found.append(
            float(np.mean(model.energy_per_bit(None, model.pulse_for(rate, None, bits), bits)))
        )
    return found[0], found[1]


def _figure2(setting: Setting) -> Table:
    command = setting.command("hirtzlin-2")
    rows = measure.curves(_NETWORKS2, ("weights",), REPEATS, setting, command)
    return Table.of((*measure.COLUMNS, *measure.ENDING), rows)


def _lines2(table: Table) -> list[Line]:
    lines: list[Line] = []
    found = measure.points(table)
    for role in _NETWORKS2:
        whole = ", ".join(
            f"{text} at {rate:g}" for rate, text in (role.published or {}).items() if "%" in text
        )
        lines += wording.skipped(role, table, whole)
        for point in found.get((role.network, "weights"), []):
            if point.rate in SHOWN:
                what = f"{role.label}, " + (f"rate {point.rate:g}" if point.rate else "no errors")
                lines.append(wording.accuracy(what, role.printed(point.rate), point))
    return lines


def _draw2(table: Table, panels: Sequence[Axes]) -> None:
    (axes,) = panels
    found = measure.points(table)
    for number, role in enumerate(_NETWORKS2):
        curve = found.get((role.network, "weights"), [])
        if curve:
            draw.plot(axes, number, [p.rate for p in curve], curve, role.legend)
        printed = [
            (float(str(rate)), float(text.split()[0]))
            for rate, text in (role.published or {}).items()
            if text.endswith("%")
        ]
        if printed:
            axes.plot(
                *zip(*printed, strict=True), linestyle="none", marker="_", markersize=14,
                markeredgewidth=2.2, color=style.colour(number), alpha=0.55,
                label=f"printed: {role.legend}",
            )  # fmt: skip
    draw.rate_axis(axes, measure.RATES[1], "bit-error rate of the weights")
    axes.set_ylabel("accuracy [%]")
    axes.legend(loc="lower left")


_NETWORKS5 = (
    Role(CNN.label, CNN.network, published={}),
    VGG,
    CNV,
    Role(MLP.label, MLP.network, stands_in=True, short=MLP.short),
)
_NETWORKS6 = (ALEXNET,)


def _against_energy(name: str, networks: Sequence[Role]) -> Callable[[Setting], Table]:
    """Return what measures accuracies and puts the energies of their rates beside them."""

    def collect(setting: Setting) -> Table:
        rows = measure.curves(networks, ("weights",), REPEATS, setting, setting.command(name))
        for row in rows:
            if "rate" in row:
                plain, varied = energies(float(str(row["rate"])))
                row["energy_intrinsic_fj"] = f"{1e15 * plain:.9g}"
                row["energy_varied_fj"] = f"{1e15 * varied:.9g}"
        extra = ("energy_intrinsic_fj", "energy_varied_fj")
        return Table.of((*measure.COLUMNS, *extra, *measure.ENDING), rows)

    return collect


def _energy_columns(table: Table) -> dict[float, tuple[float, float]]:
    return {
        float(row["rate"]): (float(row["energy_intrinsic_fj"]), float(row["energy_varied_fj"]))
        for row in table.rows
        if not row["skipped"]
    }


def _lines_of_energy(networks: Sequence[Role]) -> Callable[[Table], list[Line]]:
    """Return what says of each network how much energy a rate saves, at what accuracy."""

    def lines_of(table: Table) -> list[Line]:
        lines: list[Line] = []
        found, energy = measure.points(table), _energy_columns(table)
        wanted = "factor two in energy with no impact"
        for role in networks:
            lines += wording.skipped(role, table, wanted)
            curve = found.get((role.network, "weights"))
            if not curve:
                continue
            for rate in (1e-3, 1e-2):
                point = measure.at(curve, rate)
                factors = [energy[HIGHEST_ENERGY_RATE][n] / energy[rate][n] for n in (0, 1)]
                lines.append(
                    Line(
                        f"{role.label}, rate {rate:g}: energy at 1e-6 over energy, accuracy",
                        wanted if not role.stands_in else role.printed(rate),
                        f"{factors[0]:.2f} intrinsic, {factors[1]:.2f} with variability; "
                        f"{wording.percent(point.mean)} against "
                        f"{wording.percent(measure.exact(curve))}",
                        wording.interval(point),
                        str(len(point.values)),
                        str(point.images),
                    )
                )
        return lines

    return lines_of


def _measured(networks: Sequence[Role], table: Table) -> list[Role]:
    return [role for role in networks if (role.network, "weights") in measure.points(table)]


def _draw_energy(networks: Sequence[Role]) -> Draw:
    def drawn(table: Table, panels: Sequence[Axes]) -> None:
        found, energy = measure.points(table), _energy_columns(table)
        for axes, role in zip(panels, _measured(networks, table), strict=True):
            curve = [point for point in found[role.network, "weights"] if point.rate]
            for number, (which, label) in enumerate(((0, "intrinsic"), (1, "with variability"))):
                x = [energy[p.rate][which] for p in curve]
                draw.plot(axes, (6, 1)[number], x, curve, label)
                for place, point in zip(x, curve, strict=True):
                    if which and point.rate in (1e-6, 1e-4, 1e-3, 1e-2, 1e-1):
                        axes.annotate(
                            f"{point.rate:g}", (place, 100 * point.mean), fontsize=8,
                            xytext=(3, -13), textcoords="offset points", color="#333333",
                        )  # fmt: skip
            axes.set_xlim(0, 1.1 * max(energy[p.rate][1] for p in curve))
            axes.set_ylim(bottom=0)
            axes.set_xlabel("programming energy [fJ per bit]")
            axes.set_ylabel("accuracy [%]")
            axes.legend(loc="lower right")

    return drawn


def _panels(networks: Sequence[Role]) -> Callable[[Table], list[str]]:
    return lambda table: [role.legend for role in _measured(networks, table)]


def _lines4(table: Table) -> list[Line]:
    rates = [float(row["rate"]) for row in table.rows]
    columns = [
        [float(row[name]) for row in table.rows]
        for name in ("energy_intrinsic_fj", "energy_varied_fj")
    ]
    lines = []
    for rate in (1e-3, 1e-2):
        # The sheet's energies are smooth in the logarithm of the rate.
        at = [
            [float(np.interp(np.log(r), np.log(rates), column)) for r in (1e-6, rate)]
            for column in columns
        ]
        ours = [high / low for high, low in at]
        lines.append(
            Line(
                f"energy at 1e-6 over energy at {rate:g}",
                "approximately a factor two, with variability",
                f"{ours[0]:.2f} intrinsic, {ours[1]:.2f} with variability"
                + (" (deduced from the printed factor)" if rate == 1e-3 else ""),
            )
        )
    return lines


_ASSUMED = (
    "Absolute energies are deduced: the paper prints no tau0, 1 ns is assumed, and all energies "
    "scale with it. Variability: 5 % of TMR and R_P (printed) and "
    f"{100 * DRIVE_SPREAD:g} % of the drive (deduced from the printed factor two). "
)

ITEMS = (
    Item(
        "hirtzlin-2",
        "Hirtzlin 2019, figure 2",
        "Accuracy against the bit-error rate of the weights",
        _figure2,
        _lines2,
        "The printed accuracies without errors are those of the paper's own training. The VGG "
        "and the CNV stand in for the CNN: the one has a third of its channels, the other a sixth "
        "and no padding.",
        _draw2,
    ),
    Item(
        "hirtzlin-4",
        "Hirtzlin 2019, figure 4",
        "Programming energy against bit-error rate",
        of_sheet("hirtzlin-4", sheets.hirtzlin_4),
        _lines4,
        _ASSUMED + "The rates are interpolated in the curve; docs/mtj.md has the exact savings.",
        picture="mtj-hirtzlin-4.svg",
        sheet=sheets.hirtzlin_4,
    ),
    Item(
        "hirtzlin-5",
        "Hirtzlin 2019, figure 5",
        "Accuracy against programming energy, CIFAR-10",
        _against_energy("hirtzlin-5", _NETWORKS5),
        _lines_of_energy(_NETWORKS5),
        _ASSUMED + "Numbers in the picture are bit-error rates. VGG, CNV and MLP are not the "
        "paper's networks of this figure.",
        _draw_energy(_NETWORKS5),
        _panels(_NETWORKS5),
    ),
    Item(
        "hirtzlin-6",
        "Hirtzlin 2019, figure 6",
        "Accuracy against programming energy, ImageNet",
        _against_energy("hirtzlin-6", _NETWORKS6),
        _lines_of_energy(_NETWORKS6),
        "The energy axis is that of hirtzlin-5.",
        _draw_energy(_NETWORKS6),
        _panels(_NETWORKS6),
    ),
)
"""The figures of the paper."""
