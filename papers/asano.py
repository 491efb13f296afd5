"""Asano et al. 2024: binary and fixed-point networks with errors in weights or feature maps."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from spinflow.host.mtj import exponential
from spinflow.model.metrics import degradation
from spinflow.papers import draw, measure, style, wording
from spinflow.papers.item import Item, Line, Role, Setting, SkippedError, Table, skipped_rows
from spinflow.papers.sheets import asano as sheets

if TYPE_CHECKING:
    from matplotlib.axes import Axes

REPEATS = 10
"""Repeats of figure 7."""

RRMSE_IMAGES = 1000
"""Images of figure 9."""

RRMSE_REPEATS = 3
"""Repeats of figure 9, which the paper does not print."""

RRMSE_RATES = (1e-3, 2e-3, 5e-3, 1e-2, 2e-2, 5e-2, 1e-1, 2e-1)

ACCEPTED = (3, 30)
"""Accepted degradation rates of table 2, percent."""

_PRINTED_ACCURACY = {
    "Binary": "85.07 %", "Binary_x3": "86.62 %", "Fxp8": "87.29 %", "Fxp16": "87.36 %",
    "Fxp32": "87.23 %",
}  # fmt: skip

_NETWORKS = {
    "Binary": "vgg-cifar10",
    "Binary_x3": "vgg3-cifar10",
    "Fxp8": "vgg-fxp8-cifar10",
    "Fxp16": "vgg-fxp16-cifar10",
    "Fxp32": "vgg-fxp32-cifar10",
}

ROLES = (
    *(
        Role(label, name, published={"accuracy": _PRINTED_ACCURACY[label]})
        for label, name in _NETWORKS.items()
    ),
    Role("CNV, binary", "cnv-cifar10", stands_in=True),
)

_MEMORIES = {"weights": "weights", "buffers": "feature maps"}
_PANELS = ("(a) errors in weights", "(b) errors in feature maps")


def two_panels(_: Table) -> tuple[str, ...]:
    """Return the titles of a panel for weights and one for feature maps."""
    return _PANELS


_SHOWN = (1e-2, 3e-2, 1e-1)


def _table1(setting: Setting) -> Table:
    command = setting.command("asano-table-1")
    rows = measure.curves(ROLES, ("weights",), 1, setting, command, error_rates=(0.0,))
    return Table.of((*measure.COLUMNS, *measure.ENDING), rows)


def _lines1(table: Table) -> list[Line]:
    lines: list[Line] = []
    found = measure.points(table)
    for role in ROLES:
        lines += wording.skipped(role, table, role.printed("accuracy"))
        for point in found.get((role.network, "weights"), []):
            lines.append(wording.accuracy(role.label, role.printed("accuracy"), point))
    return lines


def _accuracies(name: str, setting: Setting) -> list[dict[str, object]]:
    return measure.curves(ROLES, tuple(_MEMORIES), REPEATS, setting, setting.command(name))


def _figure_7(setting: Setting) -> Table:
    return Table.of((*measure.COLUMNS, *measure.ENDING), _accuracies("asano-7", setting))


def _figure_8(setting: Setting) -> Table:
    plain = Table.of((*measure.COLUMNS, *measure.ENDING), _accuracies("asano-8", setting))
    first = {
        (row["network"], row["memory"]): float(row["accuracy"])
        for row in plain.rows
        if not row["skipped"] and float(row["rate"]) == 0.0
    }
    rows: list[dict[str, object]] = []
    for row in plain.rows:
        more: dict[str, object] = {}
        if not row["skipped"]:
            a0 = first[row["network"], row["memory"]]
            more["degradation"] = degradation(a0, float(row["accuracy"]))
        rows.append({**row, **more})
    return Table.of((*measure.COLUMNS, "degradation", *measure.ENDING), rows)


def _lines_of_rates(table: Table, degradation: bool) -> list[Line]:
    lines: list[Line] = []
    found = measure.points(table)
    for role in ROLES:
        lines += wording.skipped(role, table, "not printed")
        for memory, label in _MEMORIES.items():
            curve = found.get((role.network, memory), [])
            for point in measure.degradations(curve) if degradation and curve else curve:
                if point.rate in _SHOWN:
                    what = f"{role.label}, rate {point.rate:g} in {label}"
                    lines.append(wording.accuracy(what, role.printed(None), point))
    return lines


def _draw_rates(table: Table, panels: Sequence[Axes], degradation: bool) -> None:
    found = measure.points(table)
    for axes, memory in zip(panels, _MEMORIES, strict=True):
        for number, role in enumerate(ROLES):
            curve = found.get((role.network, memory), [])
            if curve:
                shown = measure.degradations(curve) if degradation else curve
                draw.plot(axes, number, [p.rate for p in shown], shown, role.legend)
        if degradation:
            for accepted in ACCEPTED:
                axes.axhline(accepted, color=style.GREY, linewidth=0.9, linestyle=":")
        draw.rate_axis(axes, measure.RATES[1])
        axes.set_ylim(-3 if degradation else 0, 100)
        axes.set_ylabel("degradation of the accuracy [%]" if degradation else "accuracy [%]")
        axes.legend(loc="upper left" if degradation else "lower left")


def _figure_9(setting: Setting) -> Table:
    command = setting.command("asano-9")
    count = min(setting.images, RRMSE_IMAGES)
    rows: list[dict[str, object]] = []
    reasons: dict[str, str] = {}
    for role in ROLES:
        try:
            for memory in _MEMORIES:
                found = measure.spread(
                    role.network,
                    memory,
                    RRMSE_RATES,
                    setting.repeats or RRMSE_REPEATS,
                    Setting(setting.out, count, setting.repeats, setting.seed),
                )
                rows += [
                    {
                        "network": role.network, "memory": memory, "rate": rate, "repeat": repeat,
                        "seed": setting.seed, "images": count, "rrmse": f"{value:.9g}",
                        "command": command,
                    }
                    for (rate, repeat), value in found.items()
                ]  # fmt: skip
        except SkippedError as reason:
            reasons[role.network] = str(reason)
    rows += skipped_rows(ROLES, reasons, command)
    columns = ("network", "memory", "rate", "repeat", "seed", "images", "rrmse")
    return Table.of((*columns, *measure.ENDING), rows)


def _lines9(table: Table) -> list[Line]:
    lines: list[Line] = []
    found = measure.points(table, "rrmse")
    for role in ROLES:
        lines += wording.skipped(role, table, "not printed")
        for memory, label in _MEMORIES.items():
            for point in found.get((role.network, memory), []):
                if point.rate in (1e-2, 1e-1):
                    half = measure.half_width(point.values)
                    lines.append(
                        Line(
                            f"{role.label}, rate {point.rate:g} in {label}",
                            role.printed(None),
                            f"{point.mean:.3f}",
                            f"{point.mean - half:.3f} to {point.mean + half:.3f} "
                            f"(t over {len(point.values)} repeats)",
                            str(len(point.values)),
                            str(point.images),
                        )
                    )
    return lines


def _draw9(table: Table, panels: Sequence[Axes]) -> None:
    found = measure.points(table, "rrmse")
    for axes, memory in zip(panels, _MEMORIES, strict=True):
        for number, role in enumerate(ROLES):
            curve = found.get((role.network, memory), [])
            if curve:
                axes.semilogx(
                    [p.rate for p in curve], [p.mean for p in curve], marker=style.marker(number),
                    markersize=5, color=style.colour(number), label=role.legend,
                )  # fmt: skip
        axes.set_xlabel("bit-error rate")
        axes.set_ylabel("RRMSE")
        axes.set_ylim(bottom=0)
        axes.legend(loc="upper left")


_COLUMNS2 = (
    "network", "degradation_percent", "repeat", "seed", "images", "rate", "energy_pj",
    "change_percent",
)  # fmt: skip


def _conventional_j() -> float:
    return float(exponential.energy_per_bit(exponential.pulse_for(exponential.CONVENTIONAL_RATE)))


def _acceptable(name: str, setting: Setting) -> list[dict[str, object]]:
    """Return rows of table 2: the printed rates' energies, and the networks' own rates."""
    command = setting.command(name)
    rows: list[dict[str, object]] = []

    def energies(rate: float) -> dict[str, object]:
        energy_j = float(exponential.energy_per_bit(exponential.pulse_for(rate)))
        return {
            "rate": f"{rate:.9g}", "energy_pj": f"{1e12 * energy_j:.9g}",
            "change_percent": f"{100 * (energy_j / _conventional_j() - 1):.9g}",
        }  # fmt: skip

    for label, accepted, percent, _, _ in sheets.ASANO_TABLE_2:
        rows.append(
            {"network": f"printed {label}", "degradation_percent": accepted, "command": command}
            | energies(percent / 100)
        )
    measured = Table.of((*measure.COLUMNS, *measure.ENDING), _accuracies(name, setting))
    for (network, memory), curve in measure.points(measured).items():
        if memory != "buffers":
            continue
        for accepted in ACCEPTED:
            for repeat, rate in enumerate(measure.acceptable(curve, accepted / 100)):
                rows.append(
                    {
                        "network": network, "degradation_percent": accepted, "repeat": repeat,
                        "seed": setting.seed, "images": curve[0].images, "command": command,
                    }
                    | energies(rate)
                )  # fmt: skip
    rows += [dict(row) for row in measured.rows if row["skipped"]]
    return rows


def _table2(setting: Setting) -> Table:
    return Table.of((*_COLUMNS2, *measure.ENDING), _acceptable("asano-table-2", setting))


def _of(table: Table, network: str, accepted: int, column: str) -> tuple[float, ...]:
    return tuple(
        float(row[column])
        for row in table.rows
        if row["network"] == network and row["degradation_percent"] == str(accepted)
    )


def _lines2(table: Table) -> list[Line]:
    lines: list[Line] = []
    printed = {(label, accepted): rest for label, accepted, *rest in sheets.ASANO_TABLE_2}
    for role in ROLES:
        for accepted in ACCEPTED:
            start = f"{role.label}, {accepted} % degradation"
            rate_text = energy_text = role.printed(None)
            if not role.stands_in:
                percent, energy_pj, change = printed[role.label, accepted]
                rate_text = f"{percent:.2f} %"
                energy_text = f"{energy_pj:.2f} pJ ({change:+.1f} %)"
                (energy,) = _of(table, f"printed {role.label}", accepted, "energy_pj")
                (changed,) = _of(table, f"printed {role.label}", accepted, "change_percent")
                lines.append(
                    Line(
                        f"{start}: energy at the printed rate", energy_text,
                        f"{energy:.2f} pJ ({changed:+.1f} %)",
                    )
                )  # fmt: skip
            rates = _of(table, role.network, accepted, "rate")
            if rates:
                images = next(r["images"] for r in table.rows if r["network"] == role.network)
                at = measure.Point(role.network, "buffers", 0.0, rates, int(images))
                low, high, kind = at.interval
                count = str(len(rates))
                lines.append(
                    Line(
                        f"{start}: acceptable rate", rate_text, wording.percent(at.mean),
                        f"{100 * low:.2f} to {100 * high:.2f} ({kind})", count, images,
                    )
                )  # fmt: skip
                spent = _of(table, role.network, accepted, "energy_pj")
                saved = _of(table, role.network, accepted, "change_percent")
                half = measure.half_width(spent)
                mean = float(np.mean(spent))
                lines.append(
                    Line(
                        f"{start}: energy at that rate", energy_text,
                        f"{mean:.2f} pJ ({np.mean(saved):+.1f} %)",
                        f"{mean - half:.2f} to {mean + half:.2f} ({kind})", count, images,
                    )
                )  # fmt: skip
        lines += wording.skipped(role, table, "see above")
    return lines


def _figure10(setting: Setting) -> Table:
    sheet = sheets.asano_10()
    command = setting.command("asano-10")
    rows: list[dict[str, object]] = [
        {
            "network": "curve", "rate": f"{rate:.9g}", "energy_pj": f"{energy:.9g}",
            "command": command,
        }
        for rate, energy in zip(sheet.column("rate"), sheet.column("energy_pj"), strict=True)
    ]  # fmt: skip
    return Table.of((*_COLUMNS2, *measure.ENDING), rows + _acceptable("asano-10", setting))


def _lines10(table: Table) -> list[Line]:
    return [
        line for line in _lines2(table) if "energy" in line.what or line.ours.startswith("skipped")
    ]


def _draw10(table: Table, panels: Sequence[Axes]) -> None:
    (axes,) = panels
    curve = [row for row in table.rows if row["network"] == "curve"]
    axes.semilogx(
        [float(r["rate"]) for r in curve], [float(r["energy_pj"]) for r in curve],
        color=style.BLACK, label="exponential switching",
    )  # fmt: skip
    for accepted, marker, colour in zip(ACCEPTED, "os", style.COLOURS, strict=False):
        printed = [row for row in sheets.ASANO_TABLE_2 if row[1] == accepted]
        axes.plot(
            [row[2] / 100 for row in printed], [row[3] for row in printed], marker, color=colour,
            label=f"printed in table 2, {accepted} % degradation",
        )  # fmt: skip
        for role, mark in zip(ROLES, "PXv^D*", strict=True):
            rates = _of(table, role.network, accepted, "rate")
            if rates:
                energy = _of(table, role.network, accepted, "energy_pj")
                axes.plot(
                    [np.mean(rates)], [np.mean(energy)], mark, color=colour, markersize=11,
                    markeredgecolor=style.BLACK, linestyle="none",
                    label=f"ours, {role.legend}, {accepted} %",
                )  # fmt: skip
    axes.set_ylim(bottom=0)
    axes.set_xlabel("bit-error rate")
    axes.set_ylabel("write energy [pJ per bit]")
    axes.legend()


_STANDS_IN = "The CNV is not one of the paper's networks: it is smaller and without padding. "
_DEGRADATION = "Degradation is (A0 - A) / A0, ours: the paper gives no formula. "

ITEMS = (
    Item(
        "asano-table-1", "Asano 2024, table 1", "Test accuracy without errors", _table1, _lines1,
        _STANDS_IN,
    ),
    Item(
        "asano-table-2", "Asano 2024, table 2", "Acceptable bit-error rate and write energy",
        _table2, _lines2,
        _STANDS_IN + _DEGRADATION + "The acceptable rate of a repeat is where "
        "the straight line between two measured rates passes the accepted degradation, with errors "
        "in feature maps. Energies: 1.08 V is deduced from the table itself; changes are against "
        "the conventional write at 1e-8.",
        picture="papers-asano-10.svg", sheet=sheets.asano_2,
    ),
    Item(
        "asano-7", "Asano 2024, figure 7", "Accuracy against the bit-error rate", _figure_7,
        lambda table: _lines_of_rates(table, False), _STANDS_IN,
        lambda table, panels: _draw_rates(table, panels, False), two_panels,
    ),
    Item(
        "asano-8", "Asano 2024, figure 8", "Degradation of the accuracy against the bit-error rate",
        _figure_8, lambda table: _lines_of_rates(table, True), _STANDS_IN + _DEGRADATION
        + "Dotted: the degradations that table 2 accepts.",
        lambda table, panels: _draw_rates(table, panels, True), two_panels,
    ),
    Item(
        "asano-9", "Asano 2024, figure 9", "RRMSE against the bit-error rate", _figure_9, _lines9,
        _STANDS_IN + "The paper plots the increase of RRMSE; without errors ours is 0, so it is "
        "its own increase. x is the input of a layer as stored; variances are over all elements "
        "of all images.",
        _draw9, two_panels,
    ),
    Item(
        "asano-10", "Asano 2024, figure 10", "Write energy against bit-error rate", _figure10,
        _lines10, _STANDS_IN + _DEGRADATION + "1.08 V is deduced.", _draw10,
    ),
)  # fmt: skip
"""The figures and tables of the paper."""
