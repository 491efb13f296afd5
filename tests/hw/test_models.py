"""The benches' random stream and the product's are written apart and must be one."""

from __future__ import annotations

import random

from spinflow.host.core import stream
from tests.hw.models import draw, lead, origin, place_of, tail, word


def test_two_random_streams_agree() -> None:
    """At random places, at both ends of each period and beyond it."""
    rng = random.Random(5)
    ends = [end + near for end in (2, 2**32, 2**33, 2**34) for near in (-2, -1, 0, 1)]
    for seed in 0, 2**32 - 1, rng.getrandbits(32):
        places = ends + [rng.getrandbits(34) for _ in range(200)]
        assert stream.words(seed, places).tolist() == [word(seed, n) for n in places]
        assert stream.leads(seed, places).tolist() == [lead(seed, p) for p in places]
        assert stream.tails(seed, places).tolist() == [tail(seed, p) for p in places]
        assert stream.draws(seed, places).tolist() == [draw(seed, p) for p in places]
        assert word(seed, 2**33 + 5) == word(seed, 5)
        assert draw(seed, 2**34 + 5) == draw(seed, 5)


def test_a_block_is_found_from_its_words() -> None:
    """The rounds are undone exactly, so benches can ask for the place of a certain word."""
    rng = random.Random(6)
    for wanted in [(0, 2**32 - 1), (2**32 - 1, 5), (rng.getrandbits(32), rng.getrandbits(32))]:
        seed, block = origin(*wanted)
        assert (word(seed, 2 * block), word(seed, 2 * block + 1)) == wanted


def test_a_place_is_found_from_its_draw() -> None:
    """So that a draw beside any threshold can be asked for."""
    for wanted in (0, 1, 2**24 - 1, 2**24, 0x80000000, 2**32 - 2, 2**32 - 1):
        assert draw(*place_of(wanted)) == wanted
