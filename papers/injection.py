"""Tables of ours: what margins and errors while training are worth, in weights and in maps."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from spinflow.host.core.networks import base_of
from spinflow.model import store
from spinflow.papers import draw, measure, wording
from spinflow.papers.comparisons import LEAST_DRAWN, difference, drawn, interval_of, said_of
from spinflow.papers.item import TEST_IMAGES, Item, Line, Role, Setting, Table

if TYPE_CHECKING:
    from matplotlib.axes import Axes

REPEATS = 10

MOST = 1e-1
"""Highest rate of the tables: above it no training of ours is of use."""


class Variant(NamedTuple):
    """A way of training: what the page calls it, the label of its files, and how it is drawn."""

    what: str
    label: str
    short: str

    def of(self, network: str) -> str:
        """Return the name of a network that was trained so."""
        return f"{network}+{self.label}" if self.label else network


PLAIN = Variant("plain", "plain", "plain")
VARIANTS = (
    PLAIN,
    Variant("flips in weights at 1e-2", "weights-1e-2", "weights 1e-2"),
    Variant("flips in weights at 3e-2", "weights-3e-2", "weights 3e-2"),
    Variant("flips in weights, rate drawn from 1e-3 to 1e-1", "weights-drawn", "weights drawn"),
    Variant("flips in weights, a rate for each layer", "weights-layers", "weights by layer"),
    Variant("flips in maps, rate drawn from 1e-3 to 1e-1", "maps-drawn", "maps drawn"),
    Variant("flips of the optimiser's conditions for a point", "conditions-1", "conditions"),
    Variant("margin loss", "margin", "margin loss"),
    Variant("MCEL, m = 4", "mcel-4", "MCEL, m = 4"),
    Variant("MCEL, m = 16", "mcel-16", "MCEL, m = 16"),
    Variant("plain, the longer recipe of the zoo", "", "the zoo's"),
)
"""All but the last were trained for equally many epochs."""


class Base(NamedTuple):
    """A network that is trained in these ways.

    Attributes:
        label: what the page calls it.
        network: its name.
        data: its data set, in a heading.
        images: of every accuracy, at most.
        variants: ways that it is trained in.
    """

    label: str
    network: str
    data: str
    images: int = TEST_IMAGES
    variants: tuple[Variant, ...] = VARIANTS


FURTHER = (
    *(
        variant for variant in VARIANTS
        if variant.label in ("plain", "weights-1e-2", "maps-drawn", "conditions-1", "mcel-4")
    ),
    Variant("MCEL, m = 4, 22 epochs in place of 5", "mcel-4-longer", "MCEL, longer"),
    Variant("MCEL, m = 4, 32 epochs more", "mcel-4-longest", "MCEL, longest"),
    Variant("the zoo's, with which the others begin", "", "the zoo's"),
)  # fmt: skip
"""Ways that a network is trained in further, where it takes hours to train it."""

BASES = (
    Base("MLP", "mlp-mnist", "MNIST"),
    Base("LeNet-4", "lenet-mnist", "MNIST"),
    Base("CNV", "cnv-cifar10", "CIFAR-10", 2000, FURTHER),
)
"""The networks. The variants of CNV begin with the one of the zoo."""

TRAINED = tuple(
    Role(f"{base.label}, {variant.what}", variant.of(base.network))
    for base in BASES
    for variant in base.variants
)
"""The networks that are tested."""

TESTED = tuple(rate for rate in measure.RATES if not rate or LEAST_DRAWN <= rate <= MOST)
"""Rates of all points."""

COMPARED = (1e-2, 3e-2, 1e-1)
"""Rates at which a variant is held against the plain training."""

_UNPRINTED = "not in the papers"
_WHERE = {"weights": "weights", "buffers": "feature maps"}


def _collect(setting: Setting, memory: str, name: str) -> Table:
    command = setting.command(name)
    # A variant that was never trained says nothing of the others, nor a network without any.
    there = {base_of(role.network) for role in TRAINED if "+" in role.network and _is_there(role)}
    rows = []
    for base in BASES:
        roles = [role for role in TRAINED if base_of(role.network) == base.network]
        if there:
            roles = [role for role in roles if base.network in there and _is_there(role)]
        fewer = replace(setting, images=min(setting.images, base.images))
        rows += measure.curves(roles, (memory,), REPEATS, fewer, command, error_rates=TESTED)
    return Table.of((*measure.COLUMNS, *measure.ENDING), rows)


def _against(label: str, mine: measure.Point, plain: measure.Point) -> Line:
    """Return the line of how much more accurate a variant is than the plain training."""
    ends = difference(mine, plain)
    said = said_of(ends, "better", "worse")
    return Line(
        f"{label}, tested at {mine.rate:g}, less plain", _UNPRINTED,
        f"{100 * mine.mean:.2f} - {100 * plain.mean:.2f} = {100 * (mine.mean - plain.mean):+.2f} "
        f"points: {said}",
        interval_of(ends, len(mine.values)), str(len(mine.values)), str(mine.images),
    )  # fmt: skip


def _lines(table: Table, memory: str) -> list[Line]:
    found = measure.points(table)
    lines: list[Line] = []
    for base in BASES:
        plain = found.get((PLAIN.of(base.network), memory))
        for variant in base.variants:
            role = Role(f"{base.label}, {variant.what}", variant.of(base.network))
            lines += wording.skipped(role, table, _UNPRINTED)
            curve = found.get((role.network, memory))
            if not curve:
                continue
            exact = measure.at(curve, 0.0)
            lines.append(wording.accuracy(f"{role.label}, without errors", _UNPRINTED, exact))
            if plain and variant is not PLAIN:
                lines += [
                    _against(role.label, measure.at(curve, rate), measure.at(plain, rate))
                    for rate in COMPARED
                ]
    return lines


def _draw(table: Table, panels: Sequence[Axes], memory: str) -> None:
    from matplotlib.ticker import LogLocator, NullLocator

    found = measure.points(table)
    # A variant has one colour in all panels, and one that is not there takes none.
    ways = {way.label: way for way in (*VARIANTS, *(way for b in BASES for way in b.variants))}
    there = [
        way for way in ways.values() if any((way.of(b.network), memory) in found for b in BASES)
    ]
    for axes, base in zip(panels, _drawn(table), strict=True):
        for number, variant in enumerate(there):
            curve = found.get((variant.of(base.network), memory))
            if curve:
                shown = drawn(curve)
                rates = [point.rate for point in shown]
                draw.plot(axes, number, rates, shown, variant.short, wrong=True)
        draw.rate_axis(axes, LEAST_DRAWN, f"bit-error rate of the {_WHERE[memory]} when tested")
        # Differences near all and far from all images right are both seen.
        axes.set_yscale("log")
        axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axes.yaxis.set_major_formatter("{x:g}")
        axes.yaxis.set_minor_locator(NullLocator())
        axes.set_ylabel("wrong labels [%]")
        axes.legend(loc="upper left", ncols=2, fontsize="small")


def _drawn(table: Table) -> list[Base]:
    """Return the networks that have a panel: those of which something was measured."""
    names = {base_of(row["network"]) for row in table.rows if not row["skipped"]}
    return [base for base in BASES if base.network in names]


def _panels(table: Table) -> Sequence[str]:
    return [f"{base.label}, {base.data}" for base in _drawn(table)]


def _is_there(role: Role) -> bool:
    return store.files_of(role.network, store.ZOO)[0].is_file()


_NOTE = (
    "All but the last of each network were trained for equally many epochs, once each, from the "
    "same seed, those of CNV from its trained weights: the intervals are over error patterns, not "
    "over trainings. How each was trained "
    "stands beside its weights in model/zoo; `python -m tools.variants` repeats all of it. A "
    "variant differs from plain here if the 95 % interval of the difference leaves out 0."
)


def _item(name: str, title: str, memory: str) -> Item:
    collect: Callable[[Setting], Table] = partial(_collect, memory=memory, name=name)
    return Item(
        name, "ours", title, collect, partial(_lines, memory=memory), _NOTE,
        partial(_draw, memory=memory), _panels,
    )  # fmt: skip


ITEMS = (
    _item("training", "Trained with errors or margins, tested with errors in weights", "weights"),
    _item("training-maps", "The same, tested with errors in feature maps", "buffers"),
)
"""The tables."""
