"""Chooses how many rows and columns of each layer the hardware computes at once.

A matrix of MW inputs and MH outputs takes (MW/SIMD) * (MH/PE) cycles for a vector, and a
convolution has one vector a window. From a target in cycles a frame and the part's resources, the
cheapest PE and SIMD that meet it are searched, with what goes with them: how the window slides, and
how fast a buffer's error maker draws.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any, ClassVar

from spinflow.hls.paths import BuildError

INPUT_PE = 4
"""Pixels compared at once: those of one 32-bit beat."""

PIXEL_BITS = 8
BEAT_BITS = 32

MAX_BUFFER_WIDTH = 255
"""A buffer counts at most this many bits a write (spinflow_pkg::MaxCountedWidth)."""

MOST_JOINED_BITS = 4096
"""Widest word through which one width becomes another; FINN's converter takes over beyond."""

INTERVALS = (1, 2, 4, 8)
"""Cycles from one block of draws to the next that a buffer's error maker may take."""

RUN_AHEADS = (16, 32, 64, 128)
"""Words for which a buffer's error maker may draw ahead."""

SPARE = 2
"""Words drawn ahead that are not counted upon: the error maker starts on a word a little late."""

RUN_AHEAD = RUN_AHEADS[0]


class Cost:
    """What things cost in LUT after yosys; the one place of these figures."""

    XNOR = 1.05  # one bit of a product with its share of the compressor tree
    PIXEL = 7.7  # one pixel times +1 or -1: a third of a choice of four sums, and of an addition
    PIXEL_SUMS = 20.0  # its share of the four sums, once for all outputs
    ROW = 32.0  # accumulator, comparison and threshold of one output
    UNIT = 70.0  # control and output FIFO of a matrix-vector unit
    NARROW_BIT = 0.8  # one bit of a word that is given in parts; to collect a word costs none
    CONVERTER = 12.0
    BROKEN_RATIO = 8.0  # one bit of the wider side of FINN's converter
    LUT_RAM_BIT = 1 / 48  # one bit of LUT RAM with one read port, from 32 words on
    WINDOW = 150.0  # control of a sliding window
    WEIGHT_BIT = 0.33  # one bit of a weight word: the host's way in and out, by columns
    SHALLOW_WEIGHT_BIT = 0.15  # the same in LUT RAM
    ROM_BIT = 1.0  # one bit of thresholds, 64 deep
    ROM_BLOCK_WORDS = 512  # as deep, thresholds are in block RAM
    POOL = 40.0
    # Two draws in so many cycles, and their comparison with the rates.
    PIPE: ClassVar[Mapping[int, float]] = {1: 410.0, 2: 390.0, 4: 270.0, 8: 175.0}
    BUFFER = 240.0  # control, run-ahead control and counters, without draws
    SHELL = 1_350.0  # registers, weight port
    MEMORY = 20.0  # registers of one memory
    SHALLOW_WORDS = 64  # a weight memory up to this deep is LUT RAM
    RAMB18_SHAPES = ((36, 512), (18, 1024), (9, 2048), (4, 4096), (2, 8192), (1, 16384))


RESOURCES = ("LUT", "RAMB36", "DSP48")


@dataclass(frozen=True)
class Window:
    """The sliding window of a convolution over a map of rows x columns x channels, padded.

    Attributes:
        rows, columns, channels: of the map with its padding.
        kernel_rows, kernel_columns, stride_rows, stride_columns: of the window.
    """

    rows: int
    columns: int
    channels: int
    kernel_rows: int
    kernel_columns: int
    stride_rows: int = 1
    stride_columns: int = 1

    @property
    def out_rows(self) -> int:
        """Rows of the output map."""
        return (self.rows - self.kernel_rows) // self.stride_rows + 1

    @property
    def out_columns(self) -> int:
        """Columns of the output map."""
        return (self.columns - self.kernel_columns) // self.stride_columns + 1

    @property
    def pixels(self) -> int:
        """Pixels of a window."""
        return self.kernel_rows * self.kernel_columns

    @property
    def fill(self) -> int:
        """Pixels that must come in before the first window is whole."""
        return (self.kernel_rows - 1) * self.columns + self.kernel_columns


@dataclass(frozen=True)
class LayerShape:
    """A weight layer: ``mw`` inputs, ``mh`` outputs.

    Attributes:
        name: as in accel.json.
        mw, mh: of the matrix; of one window for a convolution.
        buffered: whether a buffer follows.
        window: the sliding window of a convolution.
        in_bits: bits of one input: 1, or 8 for pixels.
        pool: side of the max-pool before the buffer, 1 without one.
    """

    name: str
    mw: int
    mh: int
    buffered: bool
    window: Window | None = None
    in_bits: int = 1
    pool: int = 1

    @property
    def windows(self) -> int:
        """Vectors of a frame."""
        return self.window.out_rows * self.window.out_columns if self.window else 1

    @property
    def kept(self) -> int:
        """Pixels of the map that the buffer keeps."""
        return self.windows // self.pool**2


@dataclass(frozen=True)
class Folding:
    """What one layer computes in a cycle: ``pe`` outputs from ``simd`` inputs each.

    Attributes:
        lanes, interval, run_ahead: the error maker of its buffer makes ``lanes`` draws every
            ``interval`` cycles, up to ``run_ahead`` words ahead; 0 lanes without a buffer.
        window_simd: channels that enter the sliding window at once; 0 without a window.
        parallel: whether the window gives all its pixels at once.
    """

    pe: int
    simd: int
    lanes: int = 0
    interval: int = 1
    run_ahead: int = RUN_AHEAD
    window_simd: int = 0
    parallel: bool = False

    def unit_cycles(self, layer: LayerShape) -> int:
        """Return the cycles that a frame takes in the matrix-vector unit alone."""
        return layer.windows * (layer.mw // self.simd) * (layer.mh // self.pe)

    def cycles(self, layer: LayerShape, before: int | None = None) -> int:
        """Return the cycles that a frame takes in this layer.

        finn-rtllib's sliding window takes the first pixel of a frame after it has given the last
        window of the one before; the unit has one or two windows to work on meanwhile. A window
        that slides at once waits at the end of each row for the pixels that begin the next.

        Args:
            layer: the layer.
            before: bits of a word that comes in; as many as a pixel has if None.
        """
        window, unit = layer.window, self.unit_cycles(layer)
        if window is None or window.pixels == 1:
            return unit
        per_window = unit // layer.windows
        pixel_bits = window.channels * layer.in_bits
        words = window.channels // self.window_simd
        per_pixel = max(words, pixel_bits / before if before else 0)
        fill = math.ceil((window.fill - 1) * per_pixel) + 1  # the first pixel stands ready
        if self.parallel:
            slid, given = window.rows * window.columns * per_pixel, 1
        else:
            row = max(window.out_columns * window.pixels, window.stride_rows * window.columns)
            slid, given = fill + window.out_rows * row * words, window.pixels * words
        # The elements of the first window leave while it fills up.
        slid += 2 - given
        if layer.mw == self.simd:
            ahead = per_window
        else:  # one window worked on and one kept in the unit; one in the converter before it
            ahead = (3 if self.parallel else 2) * per_window
            ahead -= layer.mw // self.simd + 1 if self.parallel else 0
        waiting = max(0, fill + 1 - ahead)
        if self.parallel:
            turn = math.ceil(window.kernel_columns * per_pixel)
            waiting += (window.out_rows - 1) * max(0, turn - ahead)
        return max(math.ceil(slid), unit + waiting)

    def in_width(self, layer: LayerShape) -> int:
        """Return the bits of a word that the layer takes."""
        return (self.window_simd or self.simd) * layer.in_bits

    def estimate(self, layer: LayerShape) -> dict[str, float]:
        """Return the estimated LUT, RAMB36 and DSP48 of the layer with its memories."""
        sf = layer.mw // self.simd
        lut = Cost.UNIT + Cost.ROW * self.pe
        if layer.in_bits == 1:
            lut += Cost.XNOR * self.pe * self.simd
        else:
            lut += Cost.PIXEL * self.pe * self.simd + Cost.PIXEL_SUMS * self.simd
        ram = 0.0
        if layer.buffered:
            rom = thresholds(self.pe * layer.mw.bit_length(), layer.mh // self.pe)
            lut, ram = lut + rom["LUT"], rom["RAMB36"]
        if sf > 1:
            lut += lut_ram(self.simd * layer.in_bits, 2 * sf)
        weights = memory(self.pe * self.simd, sf * (layer.mh // self.pe))
        lut += weights["LUT"] + Cost.MEMORY
        if layer.window is not None:
            lut += self._window_lut(layer, layer.window)
        if layer.pool > 1:
            row = layer.window.out_columns if layer.window else 1
            lut += Cost.POOL + lut_ram(self.pe, row // layer.pool * (layer.mh // self.pe))
        if layer.buffered:
            lut += Cost.BUFFER + Cost.MEMORY + self.draws_lut()
        return {"LUT": lut, "RAMB36": weights["RAMB36"] + ram, "DSP48": 0.0}

    def draws_lut(self) -> float:
        """Return the estimated LUTs of the buffer's error maker."""
        pipes = math.ceil(self.lanes / 2)
        return Cost.PIPE[self.interval] * pipes + lut_ram(2 * self.pe, self.run_ahead)

    def _window_lut(self, layer: LayerShape, window: Window) -> float:
        word = self.window_simd * layer.in_bits
        words = ((window.kernel_rows - 1) * window.columns + window.kernel_columns) * (
            window.channels // self.window_simd
        )
        lut = Cost.WINDOW + lut_ram(word, words)
        given = self.window_simd * (window.pixels if self.parallel else 1)
        return lut + converter(given * layer.in_bits, self.simd * layer.in_bits)


def lut_ram(width: int, depth: int, ports: int = 1) -> float:
    """Return the LUTs of a LUT RAM with ``ports`` read ports."""
    return Cost.LUT_RAM_BIT * width * 32 * math.ceil(depth / 32) * ports


def memory(width: int, depth: int) -> dict[str, float]:
    """Return LUT and RAMB36 of a weight memory."""
    if depth <= Cost.SHALLOW_WORDS:
        return {
            "LUT": Cost.SHALLOW_WEIGHT_BIT * width + lut_ram(width, depth),
            "RAMB36": 0.0,
        }
    return {"LUT": Cost.WEIGHT_BIT * width, "RAMB36": block_ram(width, depth)}


def thresholds(width: int, depth: int) -> dict[str, float]:
    """Return LUT and RAMB36 of a unit's thresholds, ``width`` bits for its outputs at once."""
    if depth < Cost.ROM_BLOCK_WORDS:
        return {"LUT": Cost.ROM_BIT * width * depth / 64, "RAMB36": 0.0}
    return {"LUT": 0.0, "RAMB36": block_ram(width, depth)}


def block_ram(width: int, depth: int) -> float:
    """Return the RAMB36 of a memory, in halves."""
    halves = min(
        math.ceil(width / columns) * math.ceil(depth / words)
        for columns, words in Cost.RAMB18_SHAPES
    )
    return halves / 2


def converter(in_width: int, out_width: int) -> float:
    """Return the LUTs of a width converter; 0 where none is needed."""
    both = math.lcm(in_width, out_width)
    if both > MOST_JOINED_BITS:
        return Cost.CONVERTER + Cost.BROKEN_RATIO * max(in_width, out_width)
    widening = Cost.CONVERTER if both != in_width else 0.0
    narrowing = Cost.CONVERTER + Cost.NARROW_BIT * both if both != out_width else 0.0
    return widening + narrowing


@dataclass(frozen=True)
class Choice:
    """The folding of a whole network.

    Attributes:
        target: cycles a frame that were asked for.
        layers: folding by layer name.
        estimates: LUT, RAMB36 and DSP48 by layer name, and of the shell.
        cycles_per_frame: most cycles that a frame takes in any layer.
    """

    target: int
    layers: dict[str, Folding]
    estimates: dict[str, dict[str, float]]
    cycles_per_frame: int

    @property
    def total(self) -> dict[str, int]:
        """The estimate of the whole design."""
        return {
            resource: math.ceil(sum(part[resource] for part in self.estimates.values()))
            for resource in RESOURCES
        }

    def as_json(self) -> dict[str, Any]:
        """Return the entry `folding` of accel.json."""
        return {
            "target_cycles": self.target,
            "estimate": self.total,
            "layers": {
                name: asdict(folding)
                | {"estimate": {key: round(part) for key, part in self.estimates[name].items()}}
                for name, folding in self.layers.items()
            },
        }


EXCHANGE_RATES = (150.0, 30.0, 380.0, 1_000.0, 3_000.0)
"""LUTs that a RAMB36 is held worth in the search, in the order in which they are tried. The first
is less than the part's ratio: logic also has to be routed. The others are for designs that run out
of something."""


def choose(
    layers: list[LayerShape],
    pixels: int,
    cycles: int,
    resources: Mapping[str, int] | None = None,
    given: Mapping[str, Mapping[str, int]] | None = None,
) -> Choice:
    """Return the cheapest folding whose every layer takes at most ``cycles`` cycles a frame.

    Args:
        layers: the weight layers in order.
        pixels: bytes of an input frame.
        cycles: most cycles of a frame.
        resources: LUT, RAMB36 and DSP48 of the part; no limit if None.
        given: PE and SIMD by layer name that are to be used as they are.

    Raises:
        BuildError: the target is not positive or cannot be met, the design does not fit the part,
            or a given folding does not divide.
    """
    if cycles < 1:
        raise BuildError(f"cycles per frame must be at least 1, not {cycles}")
    if pixels % INPUT_PE:
        raise BuildError(f"an input of {pixels} pixels does not fill 32-bit beats")
    if cycles < pixels // INPUT_PE:
        raise BuildError(
            f"{cycles} cycles per frame cannot be met: {pixels} pixels arrive in "
            f"{pixels // INPUT_PE} beats of 32 bits"
        )
    candidates = {
        layer.name: _given(layer, given[layer.name], cycles)
        if given and layer.name in given
        else _candidates(layer, cycles)
        for layer in layers
    }
    unknown = sorted(set(given or {}) - set(candidates))
    if unknown:
        raise BuildError(
            f"the folding names layer {unknown[0]}, the network has {', '.join(candidates)}"
        )
    # What was asked for by hand is taken as it is.
    limits = {name: math.inf if name in (given or {}) else cycles for name in candidates}
    estimated = {
        layer.name: [(folding, folding.estimate(layer)) for folding in candidates[layer.name]]
        for layer in layers
    }
    if resources is None:
        return _search(layers, estimated, cycles, limits, EXCHANGE_RATES[0])
    choices = []
    for rate in EXCHANGE_RATES:
        choices.append(_search(layers, estimated, cycles, limits, rate))
        if _share(choices[-1], resources) <= 1:
            return choices[-1]
    best = min(choices, key=lambda choice: _share(choice, resources))
    over = [
        f"{best.total[resource]} {resource} of {resources[resource]} "
        f"({best.total[resource] - resources[resource]} too many)"
        for resource in RESOURCES
        if best.total[resource] > resources[resource]
    ]
    raise BuildError(f"a design of {cycles} cycles per frame needs about {' and '.join(over)}")


def _share(choice: Choice, resources: Mapping[str, int]) -> float:
    """Return the largest share of a resource of the part that a choice takes."""
    return max(choice.total[name] / max(1, resources[name]) for name in RESOURCES)


def _search(
    layers: list[LayerShape],
    candidates: Mapping[str, list[tuple[Folding, dict[str, float]]]],
    cycles: int,
    limits: Mapping[str, float],
    rate: float,
) -> Choice:
    """Return the cheapest chain of candidates, width converters between the layers included."""

    def worth(estimate: Mapping[str, float]) -> float:
        return estimate["LUT"] + rate * estimate["RAMB36"]

    # By the PE of the last layer so far: the least cost and the foldings that have it.
    chains: dict[int, tuple[float, tuple[Folding, ...]]] = {0: (0.0, ())}
    for layer in layers:
        options = [(worth(estimate), folding) for folding, estimate in candidates[layer.name]]
        extended: dict[int, tuple[float, tuple[Folding, ...]]] = {}
        for pe, (cost, chain) in chains.items():
            before = pe or (BEAT_BITS if layer.in_bits > 1 else INPUT_PE)
            for own, folding in options:
                total = cost + own + converter(before, folding.in_width(layer))
                if folding.pe in extended and total >= extended[folding.pe][0]:
                    continue
                if folding.cycles(layer, before) <= limits[layer.name]:
                    extended[folding.pe] = (total, (*chain, folding))
        if not extended:
            least = min(
                folding.cycles(layer, pe or BEAT_BITS) for pe in chains for _, folding in options
            )
            raise _cannot_meet(cycles, layer, least)
        chains = extended
    _, chain = min(chains.values(), key=lambda entry: entry[0])
    estimates = {
        layer.name: folding.estimate(layer) for layer, folding in zip(layers, chain, strict=True)
    }
    between, slowest = 0.0, 0
    pe = BEAT_BITS if layers[0].in_bits > 1 else INPUT_PE
    for layer, folding in zip(layers, chain, strict=True):
        between += converter(pe, folding.in_width(layer))
        slowest = max(slowest, folding.cycles(layer, pe))
        pe = folding.pe
    estimates["shell"] = {"LUT": Cost.SHELL + between, "RAMB36": 0.0, "DSP48": 0.0}
    foldings = {layer.name: folding for layer, folding in zip(layers, chain, strict=True)}
    return Choice(cycles, foldings, estimates, slowest)


def _cannot_meet(cycles: int, layer: LayerShape, least: int) -> BuildError:
    return BuildError(
        f"{cycles} cycles per frame cannot be met: layer {layer.name} takes at least {least}"
    )


def _candidates(layer: LayerShape, cycles: int) -> list[Folding]:
    """Return the foldings of a layer that meet the target."""
    foldings = [
        folding
        for pe in _divisors(layer.mh)
        if not layer.buffered or _bufferable(layer, pe)
        for simd in _divisors(layer.mw)
        for folding in _windows(layer, Folding(pe, simd))
    ]
    meeting = [folding for folding in foldings if folding.cycles(layer) <= cycles]
    if not meeting:
        raise _cannot_meet(cycles, layer, min((f.cycles(layer) for f in foldings), default=0))
    if not layer.buffered:
        return meeting
    return [_with_draws(layer, folding) for folding in meeting]


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
    pe, simd = wanted["PE"], wanted["SIMD"]
    if layer.buffered and not _bufferable(layer, pe):
        raise BuildError(
            f"PE {pe} of layer {layer.name} makes no buffer: it must be 1 or even, and at most "
            f"{_most_pe(layer)}"
        )
    options = _windows(layer, Folding(pe, simd))
    least = min(option.cycles(layer) for option in options)
    limit = max(cycles, least)
    options = [option for option in options if option.cycles(layer) <= limit]
    return [_with_draws(layer, option) for option in options] if layer.buffered else options


def _windows(layer: LayerShape, folding: Folding) -> list[Folding]:
    """Return a folding with each way in which the window can slide for it."""
    window = layer.window
    if window is None:
        return [folding]
    found = []
    channels, simd = window.channels, folding.simd
    if channels % simd == 0:
        found.append(replace(folding, window_simd=simd))
    if simd % channels == 0 or channels % simd == 0:
        found.append(replace(folding, window_simd=channels))
    if window.pixels > 1:
        found.append(replace(folding, window_simd=channels, parallel=True))
    return list(dict.fromkeys(found))


def _most_pe(layer: LayerShape) -> int:
    """A buffer has at least two words."""
    return min(MAX_BUFFER_WIDTH, layer.mh * layer.kept // 2)


def _bufferable(layer: LayerShape, pe: int) -> bool:
    """Draws come in pairs, so the width of a buffer is 1 or even."""
    return (pe == 1 or pe % 2 == 0) and pe <= _most_pe(layer)


def _with_draws(layer: LayerShape, folding: Folding) -> Folding:
    """Return a folding with the least error maker that no word waits for."""
    for draws in _error_makers(folding.pe):
        option = replace(
            folding, lanes=draws.lanes, interval=draws.interval, run_ahead=draws.run_ahead
        )
        if _draws_keep_up(layer, option):
            return option
    raise AssertionError("as many lanes as bits draw a word a cycle")


@functools.cache
def _error_makers(pe: int) -> list[Folding]:
    """Return the error makers for words of ``pe`` bits, the smallest first."""
    options = [
        Folding(pe, 1, lanes, interval, run_ahead)
        for lanes in _divisors(pe)
        if lanes == 1 or lanes % 2 == 0
        for interval in INTERVALS
        for run_ahead in RUN_AHEADS
    ]
    # Of equals, the one that takes its pipe the longer.
    return sorted(
        options, key=lambda option: (option.draws_lut(), option.run_ahead, -option.interval)
    )


def _draws_keep_up(layer: LayerShape, folding: Folding) -> bool:
    """Whether no word ever waits for its draws, however fast the unit gives words.

    It gives one every ``pace`` cycles at most. After a max-pool the words of a pixel come together,
    in the last of the rows that are joined; what was drawn ahead in the quiet time then helps.
    """
    pace = layer.mw // folding.simd
    draws = folding.pe / folding.lanes * folding.interval  # cycles that a word's draws take
    if layer.pool == 1:
        return draws <= pace
    assert layer.window is not None
    pixel = layer.mh // folding.pe  # words
    row = layer.window.out_columns // layer.pool * pixel
    busy = (layer.pool * row - (layer.pool - 1) * pixel) * pace  # first to last word of a row
    late = max(pixel - pixel * pace / draws, row - busy / draws)
    return late <= folding.run_ahead - SPARE and draws <= layer.pool**2 * pace


@functools.cache
def _divisors(number: int) -> list[int]:
    return [divisor for divisor in range(1, number + 1) if number % divisor == 0]
