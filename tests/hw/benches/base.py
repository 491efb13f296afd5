"""What the benches share: one clock, one reset and the streams at a module's ports.

A bench goes cycle by cycle. Everything is driven at the falling edge and looked at when all has
settled, so what is seen is what the next rising edge acts on, and no two parts of a bench can race.
"""

from __future__ import annotations

import os
import random
from collections import deque
from collections.abc import Callable
from typing import Any, Protocol

import cocotb
from cocotb.clock import Clock
from cocotb.triggers import FallingEdge, ReadOnly

from tests.hw.models import ALWAYS, FLIP, OFF, SWITCH, Config, draw, origin

PERIOD_NS = 10
LIMIT = int(os.environ.get("BENCH_LIMIT", "200000"))  # cycles; a longer wait has failed


class Agent(Protocol):
    """A part of a bench that acts once a cycle."""

    def drive(self) -> None:
        """Set the module's inputs."""

    def sample(self) -> None:
        """Look at what the next rising edge will act on."""

    def withdraw(self) -> None:
        """Forget what was under way, for a reset."""


class Source:
    """Feeds words into a stream. Once valid, a word stays until it is taken."""

    def __init__(self, bench: Bench, data: Any, valid: Any, ready: Any) -> None:
        self.rng = bench.rng
        self.data, self.valid, self.ready = data, valid, ready
        self.queue: deque[int] = deque()
        self.rate = 1.0  # chance that a waiting word is offered
        self.taken = 0
        self._offered = False
        self._width = len(data)
        self.withdraw()
        bench.agents.append(self)

    def withdraw(self) -> None:
        """Offer nothing more."""
        self.queue.clear()
        self.valid.value = 0
        self._offered = False

    def drive(self) -> None:
        """Offer the next word, or noise without valid."""
        if not self._offered and self.queue and self.rng.random() < self.rate:
            self._offered = True
        self.valid.value = int(self._offered)
        self.data.value = self.queue[0] if self._offered else self.rng.getrandbits(self._width)

    def sample(self) -> None:
        """See whether the word goes."""
        if self._offered and int(self.ready.value):
            self.queue.popleft()
            self.taken += 1
            self._offered = False


class Sink:
    """Takes words from a stream, and sees to it that an offered word stays as it is until taken.

    So do the ports `beside` it, as TLAST. Unless it takes a word in every cycle, the first words
    must be offered before it is ready, as a master may not wait for that.
    """

    WAITS = 8  # words

    def __init__(self, bench: Bench, data: Any, valid: Any, ready: Any, *beside: Any) -> None:
        self.rng = bench.rng
        self.bench = bench
        self.data, self.valid, self.ready = data, valid, ready
        self.beside = beside
        self.words: list[int] = []
        self.cycles: list[int] = []  # when each word was taken
        self.rate = 1.0
        self._waiting: list[int] | None = None
        self._ready = False
        self.withdraw()
        bench.agents.append(self)

    def withdraw(self) -> None:
        """Forget all words."""
        self.words.clear()
        self.cycles.clear()
        self._waiting = None
        self._ready = False
        self.ready.value = 0

    def drive(self) -> None:
        """Be ready or not."""
        goes = self.rate == 1.0 or len(self.words) >= self.WAITS or bool(int(self.valid.value))
        self._ready = self.rng.random() < self.rate and goes
        self.ready.value = int(self._ready)

    def sample(self) -> None:
        """Take the word that is offered."""
        offered = None
        if int(self.valid.value):
            offered = [int(port.value) for port in (self.data, *self.beside)]
        if self._waiting is not None:
            assert offered == self._waiting, f"the offered {self._waiting} became {offered}"
        self._waiting = None if self._ready else offered
        if offered is not None and self._ready:
            self.words.append(offered[0])
            self.cycles.append(self.bench.cycle_number)


class Bench:
    """Clock, reset and agents of a module; `rng` makes all that is random."""

    def __init__(self, dut: Any, clock: str = "clk_i", reset: str | None = "rst_ni") -> None:
        self.dut = dut
        self.clock = getattr(dut, clock)
        self.reset_n = getattr(dut, reset) if reset else None
        self.rng = random.Random(cocotb.RANDOM_SEED)
        self.agents: list[Agent] = []
        self.cycle_number = 0
        if self.reset_n is not None:
            self.reset_n.value = 0
        # Low first, so that all that is set before the first cycle is there at the first edge.
        Clock(self.clock, PERIOD_NS, "ns").start(start_high=False)

    async def cycle(self, **inputs: int) -> None:
        """Sets these inputs and goes on to where the next rising edge's work has settled."""
        await FallingEdge(self.clock)
        for name, value in inputs.items():
            getattr(self.dut, name).value = value
        for agent in self.agents:
            agent.drive()
        await ReadOnly()
        for agent in self.agents:
            agent.sample()
        self.cycle_number += 1

    async def cycles(self, count: int) -> None:
        """Goes on by some cycles."""
        for _ in range(count):
            await self.cycle()

    async def reset(self, cycles: int = 2) -> None:
        """Resets the module and the agents."""
        assert self.reset_n is not None
        await FallingEdge(self.clock)
        for agent in self.agents:
            agent.withdraw()
        self.reset_n.value = 0
        for _ in range(cycles):
            await FallingEdge(self.clock)
        self.reset_n.value = 1

    def random_config(self, mode: int | None = None) -> Config:
        """Some way to err, of one mode or any, with rates from never to always."""
        rates = [0, ALWAYS, 1 << 31, self.rng.getrandbits(32)]
        return Config(
            self.rng.choice([OFF, FLIP, SWITCH]) if mode is None else mode,
            self.rng.choice(rates),
            self.rng.choice(rates),
            self.rng.getrandbits(32),
        )

    async def until(self, condition: Callable[[], bool], what: str, limit: int = LIMIT) -> None:
        """Goes on until the condition holds."""
        for _ in range(limit):
            if condition():
                return
            await self.cycle()
        raise AssertionError(f"waited {limit} cycles for {what}")


def far_blocks(rng: random.Random, mode: int) -> list[tuple[Config, int]]:
    """Configurations and blocks of draws that no bench would get to by itself.

    They lie where the number of a block, of leads or of tails, outgrows 16 bits or more, at the
    period's end, and where a draw is all ones, which only a rate of always errs against.
    """
    places = []
    for block in (2**16 - 2, 2**24 - 2, 2**29 - 2, 2**30 - 2, 2**31 - 2):
        seed = rng.getrandbits(32)
        # Close to a draw, so that its tail is looked at.
        near = draw(seed, 8 * block + 9)
        places.append((Config(mode, near, near + 1 & ALWAYS, seed), block))
    # A lead of all ones whose tail is, too: block and seed of that word of tails.
    for half in 0, 1:
        while True:
            other = rng.getrandbits(32)
            seed, number = origin(*((ALWAYS, other) if half == 0 else (other, ALWAYS)))
            position = 2 * (number - 2**31) + half
            if number >= 2**31 and draw(seed, position) == ALWAYS:
                break
        for rates in (ALWAYS, ALWAYS - 1), (ALWAYS - 1, ALWAYS):
            places.append((Config(mode, *rates, seed), position >> 3))
    return places


def parameter(name: str, default: int | None = None) -> int:
    """A parameter of the module under test, as the catalogue gave it, or else its default."""
    if default is not None and f"BENCH_{name}" not in os.environ:
        return default
    return int(os.environ[f"BENCH_{name}"], 0)


def equal(found: list[int], expected: list[int], what: str) -> None:
    """Compares two lists and names the first place where they differ."""
    for place, (got, want) in enumerate(zip(found, expected, strict=False)):
        assert got == want, f"{what} {place} is {got:#x}, expected {want:#x}"
    assert len(found) == len(expected), f"{len(found)} {what}s, expected {len(expected)}"
