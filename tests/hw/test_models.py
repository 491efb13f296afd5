"""The benches' random stream and the product's are written apart and must be one."""

from __future__ import annotations

import random

from spinflow.host.core import stream
from tests.hw.models import draw, origin


def test_two_random_streams_agree() -> None:
    """At random places, at both ends of the period and beyond it."""
    rng = random.Random(5)
    ends = [0, 1, 2, 2**33 - 2, 2**33 - 1, 2**33]
    for seed in 0, 2**32 - 1, rng.getrandbits(32):
        positions = ends + [rng.getrandbits(33) for _ in range(200)]
        assert stream.draws(seed, positions).tolist() == [draw(seed, p) for p in positions]
        assert draw(seed, 2**33 + 5) == draw(seed, 5)


def test_a_block_is_found_from_its_draws() -> None:
    """The rounds are undone exactly, so benches can ask for the place of a certain draw."""
    rng = random.Random(6)
    for wanted in [(0, 2**32 - 1), (2**32 - 1, 5), (rng.getrandbits(32), rng.getrandbits(32))]:
        seed, block = origin(*wanted)
        assert (draw(seed, 2 * block), draw(seed, 2 * block + 1)) == wanted
