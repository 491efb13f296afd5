"""How the buffers get the draws of their write errors: ports, draws made ahead, and engines.

A draw engine (`hw/rtl/draw_engine.sv`) makes a block of eight draws a cycle, and goes round once
more for each pair of draws that a tie leaves open. Buffers share engines; one that takes more than
an engine makes asks several, each for every n-th block, at a port each. No value depends on any of
it; it is chosen so that no word waits for its draws.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence
from dataclasses import dataclass

from spinflow.hls.cost import lut_ram
from spinflow.hls.shapes import LayerShape

BLOCK = 8
"""Draws of a block."""

LAPS = 1 + 4 * (1 - (1 - 2 / 256) ** 2)
"""How often a block goes through an engine on average: a pair of draws has a tie with one of the
two rates if one of its leads is that of a rate, one in 256 each."""

CAPACITY = 0.96
"""Share of an engine's cycles that may be taken. Above it, ties that come in a row make others wait
for long."""

LATENCY = 13 + 4 * 12 + 15
"""Cycles in which a block's draws are there for certain: an engine's latency, with ties of all
pairs, and the request's register and the turns of others."""

RUN_AHEADS = (32, 64, 128)
"""Slots of draws that are made ahead. Fewer than 32 take as many LUTs."""

MOST_PORTS = 7
"""Most ports of a buffer (run_ahead.sv)."""

MOST_DRAWS = math.floor(MOST_PORTS * CAPACITY * BLOCK / LAPS)
"""Most bits that are drawn for in a cycle, for one buffer."""

ENGINE = 700.0
"""LUTs of an engine."""

SLOT_BITS = 17
"""Bits that are kept of each block of a slot."""

BURST_STEPS = 16
"""Loads between the average and the peak of what comes after a max-pool that are tried."""


@dataclass(frozen=True)
class Draws:
    """What a buffer has to get its draws in time.

    Attributes:
        ports: at which it asks an engine.
        run_ahead: slots of draws that are made ahead.
        load: share of an engine's cycles that each port takes.
    """

    ports: int
    run_ahead: int
    load: float

    @property
    def engines(self) -> float:
        """How many engines it takes, in parts of one."""
        return self.ports * self.load / CAPACITY

    def lut(self, pe: int) -> float:
        """Return the LUTs of the store for words of ``pe`` bits, and of its part of the engines."""
        blocks, _ = slot(pe, self.ports)
        return lut_ram(SLOT_BITS * blocks, self.run_ahead) + ENGINE * self.engines


def slot(pe: int, ports: int) -> tuple[int, int]:
    """Return the blocks and the words of a slot, as run_ahead.sv has them."""
    blocks = pe // math.gcd(pe, BLOCK)
    if blocks % ports:
        blocks *= ports
    return blocks, blocks * BLOCK // pe


@functools.cache
def draws_for(layer: LayerShape, pe: int, pace: int, least: int = 1) -> Draws | None:
    """Return the cheapest with which no word waits where one comes every ``pace`` cycles.

    None if all ports together make too few.

    Args:
        layer: what the buffer is of.
        pe: data bits of a word.
        pace: least cycles from a word to the next.
        least: ports that it has at least.
    """
    for ports in range(least, MOST_PORTS + 1):
        options = _options(layer, pe, pace, ports)
        if options:
            return min(options, key=lambda draws: draws.lut(layer.stored_bits(pe)))
    return None


def _options(layer: LayerShape, pe: int, pace: int, ports: int) -> list[Draws]:
    """Return what does with so many ports, of each number of slots the one of the least load."""
    bits = layer.stored_bits(pe)
    average = LAPS * bits / BLOCK / pace / layer.pool**2
    peak = LAPS * bits / BLOCK / pace
    words = slot(bits, ports)[1]
    found = []
    for run_ahead in RUN_AHEADS:
        # After a max-pool draws may come more slowly than the words of a pixel.
        for step in range(BURST_STEPS + 1):
            load = (average + (peak - average) * step / BURST_STEPS) / ports
            late = _late(layer, pe, pace, LAPS * bits / BLOCK / (load * ports))
            waiting = late + LATENCY / pace
            if load <= CAPACITY and waiting <= run_ahead * words:
                found.append(Draws(ports, run_ahead, load))
                break
    return found


def _late(layer: LayerShape, pe: int, pace: int, draws: float) -> float:
    """Return the words that come before their draws, which take so many cycles a word.

    After a max-pool the words of a pixel come together, in the last of the rows that are joined;
    what was drawn ahead in the quiet time then helps.
    """
    if layer.pool == 1:
        return 0.0
    assert layer.window is not None
    pixel = layer.mh // pe  # words
    row = layer.window.out_columns // layer.pool * pixel
    busy = (layer.pool * row - (layer.pool - 1) * pixel) * pace  # first to last word of a row
    return max(0.0, pixel - pixel * pace / draws, row - busy / draws)


@dataclass(frozen=True)
class Buffer:
    """A buffer that wants draws: its map, data bits of a word, least cycles from word to word."""

    layer: LayerShape
    pe: int
    pace: int

    def draws(self, least: int = 1) -> Draws | None:
        """Return what it has with ``least`` ports or more; None if that is not enough."""
        return draws_for(self.layer, self.pe, self.pace, least)


def share(buffers: Sequence[Buffer]) -> tuple[int, list[tuple[Draws, int]]]:
    """Return the fewest engines for these buffers, and of each its draws and its first engine.

    Its other ports are at the engines that follow. Buffers that do not go together on engines as
    they are get more ports, those with the largest loads first.
    """
    least = [draws for buffer in buffers if (draws := buffer.draws()) is not None]
    assert len(least) == len(buffers)
    count = max([1, *(draws.ports for draws in least)])
    while True:
        chosen = [*least]
        while True:
            firsts = _pack(chosen, count)
            if firsts is not None:
                return count, list(zip(chosen, firsts, strict=True))
            more = [
                (chosen[place].load, place, draws)
                for place, buffer in enumerate(buffers)
                if (draws := buffer.draws(chosen[place].ports + 1)) is not None
                and draws.ports <= count
            ]
            if not more:
                break
            _, place, draws = max(more, key=lambda entry: entry[0])
            chosen[place] = draws
        count += 1


def _pack(chosen: Sequence[Draws], count: int) -> list[int] | None:
    """Return the first engine of each buffer, none of which has too much; None if it cannot be."""
    loads, firsts = [0.0] * count, [0] * len(chosen)
    for place in sorted(range(len(chosen)), key=lambda place: -chosen[place].load):
        ports, load = chosen[place].ports, chosen[place].load
        firsts[place] = min(
            range(count - ports + 1), key=lambda first: max(loads[first : first + ports])
        )
        for engine in range(firsts[place], firsts[place] + ports):
            loads[engine] += load
    return firsts if max(loads) <= CAPACITY else None
