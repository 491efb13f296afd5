"""Chooses how many rows and columns of each layer the hardware computes at once.

A matrix of MW inputs and MH outputs takes (MW/SIMD) * (MH/PE) cycles for a vector, and a
convolution has one vector a window. From a target in cycles a frame and the part's resources, the
cheapest PE and SIMD that meet it are searched, with what goes with them: how the window slides, and
how fast a buffer's error maker draws. What an op takes in cycles and resources, and which foldings
it can have, its class in `spinflow.hls.ops` says.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from spinflow.hls.cost import FILL, NOTHING, RESOURCES, Cost, budget
from spinflow.hls.draws import ENGINE, MOST_DRAWS, Buffer, share
from spinflow.hls.ops import kinds
from spinflow.hls.ops.width_converter import converter
from spinflow.hls.paths import BuildError
from spinflow.hls.shapes import BEAT_BITS, INPUT_PE, Folding, LayerShape, divisors, pixels_at_once
from spinflow.host.core.description import FoldingInfo, LayerFolding

SHELL = 1_050.0
"""LUTs of the registers, the weight port and the AXI-Lite side, without those of each memory: 1,000
to 1,075 in fully connected networks, some 1,270 in cnv-cifar10 (docs/size.md)."""

EXCHANGE_RATES = (150.0, 30.0, 380.0, 1_000.0, 3_000.0)
"""LUTs that a RAMB36 is held worth in the search, in the order in which they are tried. The first
is less than the part's ratio: logic also has to be routed. The others are for designs that run out
of something."""

STEP = 1.5
"""From one target to the next in the search of the fastest design."""

Given = Mapping[str, Mapping[str, int]]
"""PE and SIMD by layer name."""


@dataclass(frozen=True)
class Choice:
    """The folding of a whole network.

    Attributes:
        target: cycles a frame that were asked for.
        layers: folding by layer name.
        costs: by layer name, and of the shell.
        cycles_per_frame: most cycles that a frame takes in any layer.
    """

    target: int
    layers: dict[str, Folding]
    costs: dict[str, Cost]
    cycles_per_frame: int

    @property
    def total(self) -> dict[str, int]:
        """The estimate of the whole design."""
        return {
            resource: math.ceil(sum(cost.of(resource) for cost in self.costs.values()))
            for resource in RESOURCES
        }

    def info(self) -> FoldingInfo:
        """Return the entry `folding` of accel.json."""
        layers = {
            name: LayerFolding(
                **vars(folding),
                estimate={
                    key: _shown(key, part) for key, part in self.costs[name].by_name().items()
                },
            )
            for name, folding in self.layers.items()
        }
        return FoldingInfo(self.target, dict(self.total), layers)


def _shown(resource: str, amount: float) -> float:
    """Return an amount of a resource as people read it: whole, of RAMB36 also a half (RAMB18)."""
    halves = round(2 * amount)
    return halves / 2 if resource == "RAMB36" and halves % 2 else round(amount)


def cycles_of(layer: LayerShape, folding: Folding, before: int | None = None) -> int:
    """Return the cycles that a frame takes in a layer.

    Args:
        layer: the layer.
        folding: its folding.
        before: bits of a word that comes in; as many as a pixel has if None.
    """
    return max(kind.cycles(layer, folding, before) for kind in kinds().values())


def cost_of(layer: LayerShape, folding: Folding) -> Cost:
    """Return the estimated resources of a layer with its memories."""
    cost = NOTHING
    for kind in kinds().values():
        cost += kind.cost(layer, folding)
    return cost


def choose(
    layers: Sequence[LayerShape],
    pixels: int,
    cycles: int,
    resources: Mapping[str, int] | None = None,
    given: Given | None = None,
) -> Choice:
    """Return the cheapest folding whose every layer takes at most ``cycles`` cycles a frame.

    Args:
        layers: the weight layers in order.
        pixels: bytes of an input frame.
        cycles: most cycles of a frame.
        resources: LUT, RAMB36 and DSP48 of the part, of which the design may take its `budget`;
            no limit if None.
        given: PE and SIMD by layer name that are to be used as they are.

    Raises:
        BuildError: the target is not positive or cannot be met, the design is above the budget,
            or a given folding does not divide.
    """
    _check_target(pixels, cycles)
    given = given or {}
    names = [layer.name for layer in layers]
    unknown = sorted(set(given) - set(names))
    if unknown:
        raise BuildError(
            f"the folding names layer {unknown[0]}, the network has {', '.join(names)}"
        )
    candidates = {
        layer.name: _given(layer, given[layer.name], cycles)
        if layer.name in given
        else _candidates(layer, cycles)
        for layer in layers
    }
    # What was asked for by hand is taken as it is.
    limits = {name: math.inf if name in given else cycles for name in candidates}
    priced = {
        layer.name: [(folding, cost_of(layer, folding)) for folding in candidates[layer.name]]
        for layer in layers
    }
    if resources is None:
        return _search(layers, pixels, priced, cycles=cycles, limits=limits, rate=EXCHANGE_RATES[0])
    room = budget(resources)
    choices = []
    for rate in EXCHANGE_RATES:
        choices.append(_search(layers, pixels, priced, cycles=cycles, limits=limits, rate=rate))
        if _share(choices[-1], room) <= 1:
            return choices[-1]
    raise _too_large(min(choices, key=lambda choice: _share(choice, room)), room)


def fastest(
    layers: Sequence[LayerShape],
    pixels: int,
    resources: Mapping[str, int],
    given: Given | None = None,
) -> Choice:
    """Return the folding of the least cycles a frame that fits the budget.

    Targets are tried from the least possible on, each a half more than the one before, and
    between the last that does not fit and the first that does. The target of what is found is its
    own cycles a frame: the same folding as a build with that target has.

    Args:
        layers: the weight layers in order.
        pixels: bytes of an input frame.
        resources: LUT, RAMB36 and DSP48 of the part.
        given: PE and SIMD by layer name that are to be used as they are.

    Raises:
        BuildError: the network does not fit the part however slow it is, or as of :func:`choose`.
    """
    free = [layer for layer in layers if layer.name not in (given or {})]
    arrival = pixels // pixels_at_once(pixels)
    least, most = _bounds(free, arrival)
    tried = _Tried(layers, pixels, resources, given)
    target, before = least, least - 1
    while tried.at(target) is None and target < most:
        before, target = target, min(most, math.ceil(target * STEP))
    while tried.at(target) is not None and target - before > target // 50 + 1:
        middle = (before + target) // 2
        before, target = (middle, target) if tried.at(middle) is None else (before, middle)
    found = tried.at(target)
    if found is not None:
        return replace(found, target=max(found.cycles_per_frame, arrival))
    slowest = choose(layers, pixels, most, None, given)
    remedy = "narrower layers make it smaller, slower ones do not"
    raise _too_large(slowest, budget(resources), remedy)


class _Tried:
    """What was found for each target that was tried."""

    def __init__(
        self,
        layers: Sequence[LayerShape],
        pixels: int,
        part: Mapping[str, int],
        given: Given | None,
    ) -> None:
        self._order = (layers, pixels, part, given)
        self._found: dict[int, Choice | None] = {}

    def at(self, target: int) -> Choice | None:
        """Return the folding of a target, None if it does not fit or cannot be met."""
        if target not in self._found:
            layers, pixels, part, given = self._order
            try:
                self._found[target] = choose(layers, pixels, target, part, given)
            except BuildError:
                self._found[target] = None
        return self._found[target]


def _bounds(layers: Sequence[LayerShape], least: int) -> tuple[int, int]:
    """Return the cycles a frame of the fastest and of the slowest foldings, at least ``least``."""
    most = least
    for layer in layers:
        cycles = [cycles_of(layer, folding) for folding in _foldings(layer)]
        least = max(least, min(cycles, default=0))
        most = max(most, *cycles, least)
    return least, most


def _check_target(pixels: int, cycles: int) -> None:
    if cycles < 1:
        raise BuildError(f"cycles per frame must be at least 1, not {cycles}")
    at_once = pixels_at_once(pixels)
    if cycles < pixels // at_once:
        why = (
            "in beats of 32 bits"
            if at_once == INPUT_PE
            else f"{at_once} a cycle, since they do not fill beats of 32 bits"
        )
        raise BuildError(
            f"{cycles} cycles per frame cannot be met: {pixels} pixels arrive {why}, in "
            f"{pixels // at_once} cycles"
        )


def _share(choice: Choice, resources: Mapping[str, int]) -> float:
    """Return the largest share of a resource of the part that a choice takes."""
    return max(choice.total[name] / max(1, resources[name]) for name in RESOURCES)


def _too_large(
    choice: Choice, room: Mapping[str, int], remedy: str = "more cycles make it smaller"
) -> BuildError:
    over = [
        f"{choice.total[resource]} {resource} of {room[resource]} "
        f"({choice.total[resource] - room[resource]} too many)"
        for resource in RESOURCES
        if choice.total[resource] > room[resource]
    ]
    return BuildError(
        f"a design of {choice.target} cycles per frame needs about {' and '.join(over)}, which is "
        f"what {FILL:.0%} of the part leaves beside the board's shell; {remedy}"
    )


Chain = tuple[float, tuple[Folding, ...]]
"""The cost of the layers so far, and their foldings."""


def _search(
    layers: Sequence[LayerShape],
    pixels: int,
    priced: Mapping[str, list[tuple[Folding, Cost]]],
    *,
    cycles: int,
    limits: Mapping[str, float],
    rate: float,
) -> Choice:
    """Return the cheapest chain of candidates, width converters between the layers included."""
    # By the PE of the last layer so far, the cheapest chain.
    chains: dict[int, Chain] = {0: (0.0, ())}
    bits = _input_bits(layers[0], pixels)
    for layer in layers:
        options = [(cost.lut + rate * cost.ramb36, folding) for folding, cost in priced[layer.name]]
        extended = _extend(chains, bits, layer, options, limits[layer.name])
        if not extended:
            least = min(
                cycles_of(layer, folding, pe or bits) for pe in chains for _, folding in options
            )
            raise _cannot_meet(cycles, layer, least)
        chains = extended
    _, chain = min(chains.values(), key=lambda entry: entry[0])
    return _chosen(layers, pixels, chain, cycles)


def _extend(
    chains: Mapping[int, Chain],
    input_bits: int,
    layer: LayerShape,
    options: Sequence[tuple[float, Folding]],
    limit: float,
) -> dict[int, Chain]:
    """Return the chains with one more layer, those that take at most ``limit`` cycles in it."""
    extended: dict[int, Chain] = {}
    for pe, (cost, chain) in chains.items():
        before = pe or input_bits
        for own, folding in options:
            total = cost + own + converter(before, folding.in_width(layer))
            if folding.pe in extended and total >= extended[folding.pe][0]:
                continue
            if cycles_of(layer, folding, before) <= limit:
                extended[folding.pe] = (total, (*chain, folding))
    return extended


def _input_bits(first: LayerShape, pixels: int) -> int:
    """Return the bits of a word that come to the first layer: pixels, or bits made of them."""
    at_once = pixels_at_once(pixels)
    return at_once * (BEAT_BITS // INPUT_PE) if first.in_bits > 1 else at_once


def _chosen(
    layers: Sequence[LayerShape], pixels: int, chain: Sequence[Folding], cycles: int
) -> Choice:
    """Return a chain as what was chosen."""
    pairs = list(zip(layers, chain, strict=True))
    between, slowest = 0.0, 0
    bits = _input_bits(layers[0], pixels)
    for layer, folding in pairs:
        between += converter(bits, folding.in_width(layer))
        slowest = max(slowest, cycles_of(layer, folding, bits))
        bits = folding.pe
    costs = {layer.name: cost_of(layer, folding) for layer, folding in pairs}
    foldings, engines = _with_engines(pairs)
    costs["shell"] = Cost(SHELL + between + engines)
    return Choice(cycles, foldings, costs, slowest)


def _with_engines(pairs: Sequence[tuple[LayerShape, Folding]]) -> tuple[dict[str, Folding], float]:
    """Return the foldings with the draw engines of their buffers.

    With them the LUTs of what of these engines no buffer takes.
    """
    of = [(layer, folding) for layer, folding in pairs if layer.buffered]
    count, shared = share(
        [Buffer(layer, folding.pe, layer.mw // folding.simd) for layer, folding in of]
    )
    foldings = {layer.name: folding for layer, folding in pairs}
    for (layer, folding), (draws, engine) in zip(of, shared, strict=True):
        foldings[layer.name] = replace(
            folding, ports=draws.ports, run_ahead=draws.run_ahead, engine=engine
        )
    return foldings, ENGINE * (count - sum(draws.engines for draws, _ in shared))


def _cannot_meet(cycles: int, layer: LayerShape, least: int) -> BuildError:
    return BuildError(
        f"{cycles} cycles per frame cannot be met: layer {layer.name} takes at least {least}"
    )


def _candidates(layer: LayerShape, cycles: int) -> list[Folding]:
    """Return the foldings of a layer that meet the target."""
    foldings = _foldings(layer)
    meeting = [folding for folding in foldings if cycles_of(layer, folding) <= cycles]
    if not meeting:
        least = min(cycles_of(layer, folding) for folding in foldings)
        raise _cannot_meet(cycles, layer, least)
    return meeting


def _foldings(layer: LayerShape) -> list[Folding]:
    """Return all foldings of a layer; BuildError if it has none."""
    foldings = [
        folding
        for pe in divisors(layer.mh)
        if _objection(layer, pe) is None
        for simd in divisors(layer.mw)
        for folding in _options(layer, Folding(pe, simd))
    ]
    if not foldings:
        raise BuildError(f"layer {layer.name} cannot be: {_objection(layer, 1)}")
    return foldings


def _given(layer: LayerShape, wanted: Mapping[str, int], cycles: int) -> list[Folding]:
    """Return the foldings of a layer with the PE and SIMD that were asked for."""
    if sorted(wanted) != ["PE", "SIMD"]:
        raise BuildError(f"the folding of layer {layer.name} must give PE and SIMD, nothing else")
    for key, whole, name in (("PE", layer.mh, "outputs"), ("SIMD", layer.mw, "inputs")):
        value = wanted[key]
        if not isinstance(value, int) or value < 1 or whole % value:
            raise BuildError(
                f"{key} {value} of layer {layer.name} does not divide its {whole} {name}"
            )
    objection = _objection(layer, wanted["PE"])
    if objection is not None:
        raise BuildError(f"PE {wanted['PE']} of layer {layer.name} cannot be: {objection}")
    options = _options(layer, Folding(wanted["PE"], wanted["SIMD"]))
    if not options:
        raise BuildError(
            f"PE {wanted['PE']} of layer {layer.name} cannot be with SIMD {wanted['SIMD']}: its "
            f"buffer draws for at most {MOST_DRAWS} bits a cycle; a smaller PE or SIMD is needed"
        )
    limit = max(cycles, min(cycles_of(layer, option) for option in options))
    return [option for option in options if cycles_of(layer, option) <= limit]


def _options(layer: LayerShape, folding: Folding) -> list[Folding]:
    """Return a folding of the matrix with each way in which the other ops can go with it."""
    options = [folding]
    for kind in kinds().values():
        options = [more for option in options for more in kind.options(layer, option)]
    return options


def _objection(layer: LayerShape, pe: int) -> str | None:
    """Return what speaks against a PE of a layer, None if nothing does."""
    objections = (kind.objection(layer, pe) for kind in kinds().values())
    return next((objection for objection in objections if objection is not None), None)
