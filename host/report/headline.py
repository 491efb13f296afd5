"""What a sweep found, in sentences: what errors cost in accuracy and what they save in energy.

A network's first sentence names the point that saves most energy and of which the rows show that it
costs at most :data:`MOST_LOST`. Losses are against the same network on the same images without
errors, so the interval is that over the error patterns; what other images would change is said
beside it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from spinflow.host.report.summary import Group, curves, exact_accuracy

MOST_LOST = 0.01
"""Most accuracy that a point may lose to count as bearable, a fraction: one percentage point."""

_WHERE = {
    "buffers": "the feature maps",
    "weights": "the weights",
    "all": "weights and feature maps",
}


@dataclass(frozen=True)
class Loss:
    """What errors cost at a point, fractions of the images.

    Attributes:
        mean: accuracy without errors less that with them.
        low, high: its 95 % interval over the error patterns; both ``mean`` with one repeat, which
            has no spread to go by.
    """

    mean: float
    low: float
    high: float


def loss_of(group: Group, members: Sequence[Group]) -> Loss | None:
    """Return what errors cost at a point, None where nothing was measured without errors.

    Args:
        group: the point.
        members: all points of its network.
    """
    exact = exact_accuracy(group, members)
    if exact is None:
        return None
    mean = exact - group.accuracy
    if group.repeats == 1:
        return Loss(mean, mean, mean)
    return Loss(mean, exact - group.high, exact - group.low)


def headline(members: Sequence[Group]) -> list[str]:
    """Return what the rows of a network say, the most important sentence first.

    Args:
        members: all points of one network.
    """
    erring = {
        label: [g for g in points if g.mean_rate > 0 and not (g.retention_s or g.reads)]
        for label, points in curves(members).items()
    }
    erring = {label: points for label, points in erring.items() if points}
    network = members[0].network
    if not erring:
        best = max(members, key=lambda group: group.accuracy)
        return [
            f"{network}: no row with write errors yet. Its accuracy is {_percent(best.accuracy)} "
            f"on {best.images:,} images of {best.data}."
        ]
    if all(loss_of(point, members) is None for points in erring.values() for point in points):
        return [_without_reference(network, [g for points in erring.values() for g in points])]
    choices = [
        choice for memories in _parts(erring) if (choice := _choice(memories, members)) is not None
    ]
    choices.sort(key=lambda choice: (not choice.bearable, -choice.point.saving))
    sentences = [_sentence(choice, members) for choice in choices]
    sentences[0] = f"{network}: {sentences[0][0].lower()}{sentences[0][1:]}"
    return [*sentences, *_extremes(erring, members), _of_images(choices[0].point)]


def _parts(erring: dict[str, list[Group]]) -> list[dict[str, list[Group]]]:
    """Return the curves by what they err in; single memories count only where nothing else is."""
    kinds = [kind for kind in _WHERE if any(p[0].memory == kind for p in erring.values())]
    if not kinds:
        return [erring]
    return [
        {label: points for label, points in erring.items() if points[0].memory == kind}
        for kind in kinds
    ]


@dataclass(frozen=True)
class _Choice:
    label: str
    point: Group
    loss: Loss
    bearable: bool


def _choice(lines: dict[str, list[Group]], members: Sequence[Group]) -> _Choice | None:
    """Return the bearable point that saves most, else the one that loses least."""
    found = [
        _Choice(label, point, loss, loss.high <= MOST_LOST and point.saving > 0)
        for label, points in lines.items()
        for point in points
        if (loss := loss_of(point, members)) is not None
    ]
    bearable = [choice for choice in found if choice.bearable]
    if bearable:
        return max(bearable, key=lambda choice: (choice.point.saving, -choice.loss.high))
    return min(found, key=lambda choice: choice.loss.mean, default=None)


def _sentence(choice: _Choice, members: Sequence[Group]) -> str:
    point = choice.point
    where = _WHERE.get(point.memory, point.memory)
    which = choice.label[len(point.memory) + 2 :]
    place = f"{where} ({which})" if which else where
    saves = (
        f"save {100 * point.saving:.0f} % of the energy of writing them"
        if point.saving > 0
        else "save no write energy"
    )
    if choice.bearable:
        return f"Errors of {_rate(point)} in {place} {_cost(choice)} and {saves}."
    return (
        f"Of the measured error rates in {place} none is shown to cost at most "
        f"{100 * MOST_LOST:g} point: errors of {_rate(point)} {_cost(choice)} and {saves}."
    )


def _cost(choice: _Choice) -> str:
    loss, point = choice.loss, choice.point
    digits = 1 if loss.high - loss.low >= 0.005 else 2
    mean, low, high = (_points(value, digits) for value in (loss.mean, loss.low, loss.high))
    if point.repeats == 1:
        return (
            f"cost {mean} points of accuracy in the one error pattern that was tried (more repeats "
            "would tell how far others differ)"
        )
    over = f"95 % interval {low} to {high} over {point.repeats} error patterns"
    if loss.low > 0:
        return f"cost {mean} points of accuracy ({over})"
    if loss.high < 0:
        return f"raise the accuracy by {mean[1:]} points ({over} of what is lost)"
    return f"cost no accuracy that these rows can show ({mean} points, {over})"


def _extremes(erring: dict[str, list[Group]], members: Sequence[Group]) -> list[str]:
    """Return which single memory loses most and least where several were tried at one rate."""
    single = [
        (label, point, loss)
        for label, points in erring.items()
        for point in points
        if point.memory not in _WHERE and (loss := loss_of(point, members)) is not None
    ]
    of_rate: dict[float, dict[str, float]] = {}
    for label, point, loss in single:
        of_rate.setdefault(point.mean_rate, {})[label] = loss.mean
    most = max((len(found) for found in of_rate.values()), default=0)
    if most < 2:
        return []
    rate = max(rate for rate, found in of_rate.items() if len(found) == most)
    losses = of_rate[rate]
    worst, best = max(losses, key=lambda k: losses[k]), min(losses, key=lambda k: losses[k])
    return [
        f"Of {most} parts with errors of {short_rate(rate)} each, {worst} loses most "
        f"({100 * losses[worst]:.1f} points) and {best} least ({100 * losses[best]:.1f})."
    ]


def _of_images(point: Group) -> str:
    half = 50 * (point.images_high - point.images_low)
    return (
        f"All of it was measured on {point.images:,} images of {point.data}; another choice of as "
        f"many could move each accuracy by about {half:.1f} points."
    )


def _without_reference(network: str, points: Sequence[Group]) -> str:
    low = min(points, key=lambda group: group.mean_rate)
    high = max(points, key=lambda group: group.mean_rate)
    ends = f"the accuracy is {_percent(low.accuracy)} with errors of {_rate(low)} in {low.memory}"
    if high is not low:
        ends += f" and {_percent(high.accuracy)} with errors of {_rate(high)} in {high.memory}"
    return f"{network}: no row without errors (rate 0), so what they cost is not known; {ends}."


def _points(fraction: float, digits: int) -> str:
    return f"{round(100 * fraction, digits) + 0.0:.{digits}f}"  # a zero has no sign


def _percent(accuracy: float) -> str:
    return f"{100 * accuracy:.2f} %"


def _rate(group: Group) -> str:
    if group.rate == group.rate0:
        return short_rate(group.rate)
    return f"{short_rate(group.rate)} on written ones and {short_rate(group.rate0)} on zeros"


def short_rate(rate: float) -> str:
    """Return a rate as people write it, as 1e-2; registers round it in its tenth digit."""
    if rate == 0:
        return "0"
    mantissa, exponent = f"{rate:.2e}".split("e")
    return f"{float(mantissa):g}e{int(exponent)}"
