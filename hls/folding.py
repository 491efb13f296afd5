"""Chooses how many rows and columns of each layer the hardware computes at once.

A layer with MW inputs and MH outputs takes (MW/SIMD) * (MH/PE) cycles a frame. From a target in
cycles a frame, the cheapest PE and SIMD that meet it are chosen for each layer by itself.
"""

from __future__ import annotations

from dataclasses import dataclass

from hls.common import BuildError

INPUT_PE = 4
"""Pixels compared at once: those of one 32-bit beat."""

RUN_AHEAD = 16
"""Words for which a buffer's error maker may draw ahead."""

MAX_BUFFER_WIDTH = 255
"""A buffer counts at most this many bits a write (spinflow_pkg::MaxCountedWidth)."""

DEFAULT_CYCLES = {"mlp-mnist": 512, "tfc-mnist": 256}

# Rough cost in LUT, after yosys: one XNOR with its share of the adder tree, and what a row adds.
LUT_PER_XNOR = 1.5
LUT_PER_ROW = 25.0


@dataclass(frozen=True)
class LayerShape:
    """A weight layer: ``mw`` inputs, ``mh`` outputs; a buffer follows it if ``buffered``."""

    name: str
    mw: int
    mh: int
    buffered: bool


@dataclass(frozen=True)
class Folding:
    """What one layer computes in a cycle: ``pe`` outputs from ``simd`` inputs each.

    ``lanes`` is how many draws its buffer makes in a cycle; 0 without a buffer.
    """

    pe: int
    simd: int
    lanes: int

    def cycles(self, layer: LayerShape) -> int:
        """Return the cycles that a frame takes in this layer."""
        return (layer.mw // self.simd) * (layer.mh // self.pe)

    def cost(self) -> float:
        """Return the estimated LUTs."""
        return LUT_PER_XNOR * self.pe * self.simd + LUT_PER_ROW * self.pe


def choose(layers: list[LayerShape], pixels: int, cycles: int) -> list[Folding]:
    """Return the cheapest folding of each layer that takes at most ``cycles`` cycles a frame.

    Raises:
        BuildError: the target is not positive or cannot be met.
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
    return [_choose_layer(layer, cycles) for layer in layers]


def _choose_layer(layer: LayerShape, cycles: int) -> Folding:
    candidates = [
        Folding(pe, simd, _lanes(pe, layer.mw // simd) if layer.buffered else 0)
        for pe in _divisors(layer.mh)
        for simd in _divisors(layer.mw)
        if not layer.buffered or _bufferable(layer, pe)
    ]
    meeting = [folding for folding in candidates if folding.cycles(layer) <= cycles]
    if not meeting:
        least = min((folding.cycles(layer) for folding in candidates), default=0)
        raise BuildError(
            f"{cycles} cycles per frame cannot be met: layer {layer.name} takes at least {least}"
        )
    return min(meeting, key=lambda folding: (folding.cost(), folding.pe))


def _bufferable(layer: LayerShape, pe: int) -> bool:
    """A buffer has at least two words, and draws come in pairs: its width is 1 or even."""
    return (pe == 1 or pe % 2 == 0) and pe <= min(MAX_BUFFER_WIDTH, layer.mh // 2)


def _lanes(pe: int, cycles_per_word: int) -> int:
    """Return the fewest draws a cycle that keep up with a word of ``pe`` bits every so often."""
    return next(
        lanes
        for lanes in _divisors(pe)
        if (lanes == 1 or lanes % 2 == 0) and lanes * cycles_per_word >= pe
    )


def _divisors(number: int) -> list[int]:
    return [divisor for divisor in range(1, number + 1) if number % divisor == 0]
