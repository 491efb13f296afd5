"""Tzoufras et al. 2019: networks trained with errors in activations and tested without."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np

from model import store
from model.mtj import published
from model.reproduce import draw, measure, words
from model.reproduce.base import Item, Line, Role, Setting, Table
from model.reproduce.device import of_sheet

if TYPE_CHECKING:
    from matplotlib.axes import Axes

TRAININGS = store.ZOO / "tzoufras-1.csv"
"""Results of the trainings of figure 1, one row for each rate and seed."""

LENET = Role("LeNet-4, MNIST", "lenet-mnist")

RATES = (0.0, 0.005, 0.01, 0.02, 0.05, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5)
"""Bit-error rates of the binary activations while training."""

SEEDS = (1, 2, 3, 4, 5)
"""One training each at every rate."""

COLUMNS = (
    "network", "memory", "rate", "repeat", "seed", "images", "accuracy", "epochs",
    "weights_sha256", "skipped", "command",
)  # fmt: skip
"""Of the table of the trainings."""

_SHAPE = "best at a few percent, lower at higher rates; its numbers are lost"
_SKIPPED = ("network", "skipped", "command")


def _figure1(setting: Setting) -> Table:
    command = setting.command("tzoufras-1")
    if TRAININGS.is_file():
        return Table.read(TRAININGS)
    reason = "no trainings model/zoo/tzoufras-1.csv (--train --out FOLDER makes them)"
    return Table.of(_SKIPPED, [{"network": LENET.network, "skipped": reason, "command": command}])


def _lines1(table: Table) -> list[Line]:
    if "accuracy" not in table.columns:
        return words.skipped(LENET, table, _SHAPE)
    lines = []
    curve = _curve(table)
    for point in curve:
        rate = f"rate {point.rate:g} in training" if point.rate else "no errors in training"
        line = words.accuracy(f"{LENET.label}, {rate}", _SHAPE, point)
        lines.append(line)
    return lines


def _curve(table: Table) -> list[measure.Point]:
    (curve,) = measure.points(table).values()
    return curve


def _draw1(table: Table, panels: Sequence[Axes]) -> None:
    (axes,) = panels
    if "accuracy" not in table.columns:
        draw.empty(axes)
        return
    curve = _curve(table)
    draw.plot(axes, 0, [p.rate for p in curve], curve, "mean and 95 % interval over seeds")
    for number in range(max(len(p.values) for p in curve)):
        trace = [(p.rate, 100 * p.values[number]) for p in curve if number < len(p.values)]
        axes.plot(
            *zip(*trace, strict=True), color="#8c8c8c", linewidth=0.7, marker=".", markersize=4,
            label="single trainings" if number == 0 else None,
        )  # fmt: skip
    axes.set_xlabel("bit-error rate of the binary activations while training")
    axes.set_ylabel("test accuracy without errors [%]")
    axes.legend(loc="lower left")


def _missing(name: str, roles: Sequence[Role]) -> Callable[[Setting], Table]:
    """Return what collects trainings that nobody has done: every network with the reason."""

    def collect(setting: Setting) -> Table:
        reason = "needs trainings with errors on a GPU: none are in the zoo"
        return Table.of(
            _SKIPPED,
            [
                {
                    "network": role.network, "command": setting.command(name),
                    "skipped": reason if not data else f"{reason}, nor is {data} here",
                }
                for role, data in ((role, _DATA.get(role.network, "")) for role in roles)
            ],
        )  # fmt: skip

    return collect


_DATA = {
    "nin-cifar100": "CIFAR-100",
    "nin-svhn": "SVHN",
    **{f"alexnet-imagenet-{count}": "ImageNet" for count in (1000, 100, 10, 2)},
}

_NIN = tuple(
    Role(f"NiN, {label}", f"nin-{data}")
    for label, data in (("CIFAR-10", "cifar10"), ("CIFAR-100", "cifar100"), ("SVHN", "svhn"))
)
_ALEXNET = tuple(
    Role(f"binarized AlexNet, ImageNet, {count} classes", f"alexnet-imagenet-{count}")
    for count in (1000, 100, 10, 2)
)


def _lines_of(roles: Sequence[Role], wanted: str) -> Callable[[Table], list[Line]]:
    return lambda table: [line for role in roles for line in words.skipped(role, table, wanted)]


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


ITEMS = (
    Item(
        "tzoufras-1", "Tzoufras 2019, figure 1",
        "Accuracy without errors after training with errors in activations, LeNet-4, MNIST",
        _figure1, _lines1,
        "Training: python -m model.reproduce tzoufras-1 --train --out FOLDER. Repeats are "
        "trainings from different seeds.",
        _draw1,
    ),
    Item(
        "tzoufras-2", "Tzoufras 2019, figure 2",
        "Accuracy without errors after training with errors in activations, NiN",
        _missing("tzoufras-2", _NIN), _lines_of(_NIN, "no loss at low rates, clear loss at high"),
    ),
    Item(
        "tzoufras-3", "Tzoufras 2019, figure 3",
        "Accuracy without errors after training with errors in activations, AlexNet",
        _missing("tzoufras-3", _ALEXNET[:3]),
        _lines_of(_ALEXNET[:3], "more tolerance with fewer classes"),
    ),
    Item(
        "tzoufras-4", "Tzoufras 2019, figure 4",
        "Accuracy without errors after training with errors in activations, AlexNet, two classes",
        _missing("tzoufras-4", _ALEXNET[3:]),
        _lines_of(_ALEXNET[3:], "more tolerance with fewer classes"),
    ),
    Item(
        "tzoufras-5", "Tzoufras 2019, figure 5",
        "Write voltage and pulse width for write-error rates",
        of_sheet("tzoufras-5", published.tzoufras_5), _lines5,
        "Delta = 40 and t_D = 1 ns are deduced, and so are all rates but 1e-6.",
        picture="mtj-tzoufras-5.svg",
    ),
    Item(
        "tzoufras-table-1", "Tzoufras 2019, table 1", "Operating at moderate error rates",
        of_sheet("tzoufras-table-1", published.tzoufras_1), _lines_table1,
        "Deduced: all rate targets, and the 10 % less voltage of the last two rows. Assumed: the "
        "endurance law. docs/mtj.md says more.",
        picture="mtj-tzoufras-1.svg",
    ),
)  # fmt: skip
"""The figures and the table of the paper."""
