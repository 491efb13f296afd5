"""Tzoufras et al. 2019: networks trained with errors in activations and tested without."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from spinflow.model import store
from spinflow.papers import draw, measure, style, wording
from spinflow.papers.device import of_sheet
from spinflow.papers.item import Draw, Item, Line, Role, Setting, Table, skipped_rows
from spinflow.papers.sheets import tzoufras as sheets

if TYPE_CHECKING:
    from matplotlib.axes import Axes

LENET = Role("LeNet-4, MNIST", "lenet4-mnist")
NIN = tuple(
    Role(f"NiN, {label}", f"nin-{data}")
    for label, data in (("CIFAR-10", "cifar10"), ("CIFAR-100", "cifar100"), ("SVHN", "svhn"))
)
CLASSES = {f"alexnet-imagenet-{count}": count for count in (1000, 100, 10, 2)}
"""AlexNets by the number of their classes."""
ALEXNET = tuple(
    Role(f"binarized AlexNet, ImageNet, {count} classes", name) for name, count in CLASSES.items()
)

FIGURES: dict[str, tuple[Role, ...]] = {
    "tzoufras-1": (LENET,),
    "tzoufras-2": NIN,
    "tzoufras-3": ALEXNET[:3],
    "tzoufras-4": ALEXNET[3:],
}
"""The figures that ``--train`` trains for, with their networks."""

RATES = (0.0, 0.005, 0.01, 0.02, 0.05, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5)
"""Bit-error rates of the binary activations while training."""

SEEDS = (1, 2, 3, 4, 5)
"""One training each at every rate."""

COLUMNS = (
    "network", "memory", "rate", "repeat", "seed", "images", "accuracy", "epochs",
    "weights_sha256", "training", "skipped", "command",
)  # fmt: skip
"""Of a table of trainings; ``training`` is the command of one of them."""

MEMORY = "activations"

_SHAPES = {
    "tzoufras-1": "best at a few percent, lower at higher rates; its numbers are lost",
    "tzoufras-2": "no loss at low rates, clear loss at high; its numbers are lost",
    "tzoufras-3": "more tolerance with fewer classes",
    "tzoufras-4": "more tolerance with fewer classes",
}


def trainings(name: str) -> Path:
    """Return where the zoo keeps the table of a figure's trainings."""
    return store.ZOO / f"{name}.csv"


def _trained(name: str) -> Callable[[Setting], Table]:
    """Return what takes a figure's trainings from the zoo; training is no part of it."""

    def collect(setting: Setting) -> Table:
        path = trainings(name)
        rows = list(Table.read(path).rows) if path.is_file() else []
        there = {row["network"] for row in rows}
        command = f"{Setting().command(name)} --train --out FOLDER"
        missing = {
            role.network: f"no trainings of {role.network} in model/zoo/{path.name}"
            + (", which need ImageNet and GPUs" if role.network in CLASSES else "")
            for role in FIGURES[name]
            if role.network not in there
        }
        return Table.of(COLUMNS, [*rows, *skipped_rows(FIGURES[name], missing, command)])

    return collect


def _lines_trained(name: str) -> Callable[[Table], list[Line]]:
    def lines(table: Table) -> list[Line]:
        found = measure.points(table)
        said: list[Line] = []
        for role in FIGURES[name]:
            said += wording.skipped(role, table, _SHAPES[name])
            for point in found.get((role.network, MEMORY), []):
                rate = f"rate {point.rate:g}" if point.rate else "no errors"
                said.append(
                    wording.accuracy(f"{role.label}, trained with {rate}", _SHAPES[name], point)
                )
        return said

    return lines


def _drawn(name: str) -> Callable[[Table], list[str]]:
    return lambda table: [
        role.label for role in FIGURES[name] if (role.network, MEMORY) in measure.points(table)
    ]


def _draw_trained(name: str) -> Draw:
    def draw_trained(table: Table, panels: Sequence[Axes]) -> None:
        curves = [
            curve
            for role in FIGURES[name]
            if (curve := measure.points(table).get((role.network, MEMORY)))
        ]
        for axes, curve in zip(panels, curves, strict=True):
            draw.plot(axes, 0, [p.rate for p in curve], curve, "mean, 95 % interval over seeds")
            for number in range(max(len(p.values) for p in curve)):
                trace = [(p.rate, 100 * p.values[number]) for p in curve if number < len(p.values)]
                axes.plot(
                    *zip(*trace, strict=True), color=style.GREY, linewidth=0.7, marker=".",
                    markersize=4, label=None if number else "single trainings",
                )  # fmt: skip
            axes.set_xlabel("bit-error rate of the binary activations while training")
            axes.set_ylabel("test accuracy without errors [%]")
            axes.legend(loc="lower left")

    return draw_trained


def _lines5(table: Table) -> list[Line]:
    volts, pulses = (
        [float(row[name]) for row in table.rows]
        for name in ("voltage_over_vsw", "pulse_ns_at_1e-06")
    )
    return [
        Line(
            "pulse at rate 1e-6 and V/Vsw = 2.78",
            "5 ns (the point that table 1 prints)",
            f"{float(np.interp(2.78, volts, pulses)):.2f} ns",
        )
    ]


def _lines_table1(table: Table) -> list[Line]:
    lines = []
    for row in table.rows:
        pulse = float(row["pulse_ns"])
        lines.append(
            Line(
                f"rate {row['rate_target']}, {pulse:.3g} ns: V/Vsw, ECC, endurance",
                f"{row['printed_voltage_over_vsw']}, {row['printed_ecc']}, "
                f"{row['printed_endurance']}",
                f"{float(row['voltage_over_vsw']):.3f}, {row['ecc']}, "
                f"{float(row['endurance_cycles']):.0e} cycles ({row['endurance_class']}); "
                f"energy {float(row['energy_change_percent']):+.0f} %",
            )
        )
    return lines


_SEEDS = "Repeats are trainings from different seeds; the command resumes what was begun."
_DRAWN = " The seed draws the classes, too; accuracies are top-1."

ITEMS = (
    Item(
        "tzoufras-1", "Tzoufras 2019, figure 1",
        "Accuracy without errors after training with errors in activations, LeNet-4, MNIST",
        _trained("tzoufras-1"), _lines_trained("tzoufras-1"), _SEEDS, _draw_trained("tzoufras-1"),
        _drawn("tzoufras-1"),
    ),
    Item(
        "tzoufras-2", "Tzoufras 2019, figure 2",
        "Accuracy without errors after training with errors in activations, NiN",
        _trained("tzoufras-2"), _lines_trained("tzoufras-2"), _SEEDS, _draw_trained("tzoufras-2"),
        _drawn("tzoufras-2"),
    ),
    Item(
        "tzoufras-3", "Tzoufras 2019, figure 3",
        "Accuracy without errors after training with errors in activations, AlexNet",
        _trained("tzoufras-3"), _lines_trained("tzoufras-3"), _SEEDS + _DRAWN,
        _draw_trained("tzoufras-3"), _drawn("tzoufras-3"),
    ),
    Item(
        "tzoufras-4", "Tzoufras 2019, figure 4",
        "Accuracy without errors after training with errors in activations, AlexNet, two classes",
        _trained("tzoufras-4"), _lines_trained("tzoufras-4"), _SEEDS + _DRAWN,
        _draw_trained("tzoufras-4"), _drawn("tzoufras-4"),
    ),
    Item(
        "tzoufras-5", "Tzoufras 2019, figure 5",
        "Write voltage and pulse width for write-error rates",
        of_sheet("tzoufras-5", sheets.tzoufras_5), _lines5,
        "Delta = 40 and t_D = 1 ns are deduced, and so are all rates but 1e-6.",
        picture="mtj-tzoufras-5.svg", sheet=sheets.tzoufras_5,
    ),
    Item(
        "tzoufras-table-1", "Tzoufras 2019, table 1", "Operating at moderate error rates",
        of_sheet("tzoufras-table-1", sheets.tzoufras_1), _lines_table1,
        "Deduced: all rate targets, and the 10 % less voltage of the last two rows. Assumed: the "
        "endurance law. Lost: a cell that the surviving text of the paper lacks.",
        picture="mtj-tzoufras-1.svg", sheet=sheets.tzoufras_1,
    ),
)  # fmt: skip
"""The figures and the table of the paper."""
