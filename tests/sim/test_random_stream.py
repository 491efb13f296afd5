"""The random stream: against the contract's own lines, and for what a stream must be."""

import numpy as np
import pytest

from spinflow.host.core.stream import draws, errs, hits, leads, memory_seed, tails, words
from tools.random_bytes import PARTS, chunks

M = 0xFFFFFFFF
KNOWN_WORDS = ["0xb56b9b5e", "0xe23b0a82", "0x7df239b0", "0xfd35bd49"]  # of seed 1
KNOWN_DRAWS = [
    *("0x5e87d4bc", "0x9bb9769a", "0x6b74674f", "0xb5f1cef6"),
    *("0x8205c95e", "0xa038b88", "0x3b525bbd", "0xe2189cea"),
]


def contract_word(seed: int, number: int) -> int:
    """docs/contracts.md, in Python's integers."""
    x, y = (number >> 1) & M, seed
    for r in range(8):
        x = ((((x >> 8) | (x << 24)) + y) & M) ^ (0x9E3779B9 * (r + 1) & M)
        y = (((y << 3) | (y >> 29)) & M) ^ x
    return y if number & 1 else x


def contract_draw(seed: int, position: int) -> int:
    """docs/contracts.md, in Python's integers."""
    lead = contract_word(seed, (position >> 2) % 2**32) >> 8 * (position % 4) & 0xFF
    tail = contract_word(seed, 2**32 + position % 2**32) >> 8
    return lead << 24 | tail


@pytest.mark.parametrize("seed", [0, 1, 0x5EED0000, M])
def test_draw_is_the_contract(seed: int) -> None:
    ends = [end + near for end in (1, 256, 1 << 32, 1 << 33, 1 << 34) for near in (-1, 0, 1, 2)]
    drawn = draws(seed, ends)
    assert drawn.dtype == np.uint32
    assert drawn.tolist() == [contract_draw(seed, position) for position in ends]
    assert words(seed, ends).tolist() == [contract_word(seed, number) for number in ends]


def test_known_answers() -> None:
    assert [hex(w) for w in words(1, range(4))] == KNOWN_WORDS
    assert [hex(d) for d in draws(1, range(8))] == KNOWN_DRAWS
    assert bytes(leads(1, range(8))).hex() == "5e9b6bb5820a3be2"  # the words, lowest byte first


def test_draw_keeps_the_shape() -> None:
    positions = np.arange(12).reshape(3, 4)
    assert draws(7, positions).shape == (3, 4)
    assert draws(7, 5).shape == ()
    assert draws(7, 5) == draws(7, positions)[1, 1]


def test_the_seed_of_a_memory() -> None:
    assert memory_seed(12, repeat=3, index=5) == contract_word(12 ^ 0x5EED0000, 64 * 3 + 5)


def test_thresholds_at_the_ends() -> None:
    drawn = np.array([0, 1, M - 1, M], dtype=np.uint32)
    assert not errs(drawn, 0).any()
    assert errs(drawn, M).all()
    assert errs(drawn, 1).tolist() == [True, False, False, False]
    assert errs(drawn, [0, M, M - 1, 5]).tolist() == [False, True, False, False]


def test_errors_at_a_lower_rate_are_a_subset() -> None:
    drawn = draws(5, np.arange(100_000))
    low, high = errs(drawn, 1 << 25), errs(drawn, 1 << 28)
    assert low.any() and not (low & ~high).any()


@pytest.mark.parametrize("rate", [0.5, 0.1, 1e-3])
def test_the_rate_is_met_and_neighbours_are_independent(rate: float) -> None:
    count = 1 << 20
    hit = hits(2026, 0, np.full(count, round(rate * 2**32))).astype(np.float64) - rate
    deviation = np.sqrt(rate * (1 - rate))
    assert abs(hit.mean()) < 4 * deviation / np.sqrt(count)
    for lag in (1, 2, 3, 31, 32, 33, 1024):
        correlation = (hit[lag:] * hit[:-lag]).mean() / deviation**2
        assert abs(correlation) < 4.5 / np.sqrt(count), lag


@pytest.mark.parametrize("part", PARTS)
def test_batteries_read_this_stream(part: str) -> None:
    """What `tools.random_bytes` writes, at its first two chunks."""
    seed, places = 77, np.arange(1 << 19)

    def lower(found: np.ndarray) -> bytes:
        return found.astype("<u4").view(np.uint8).reshape(-1, 4)[:, :3].tobytes()

    def block(under: int) -> bytes:
        return leads(under, np.arange(8)).tobytes()

    made = chunks(part, seed, 8, 0.5)
    found = (next(made) + next(made))[: 1 << 16]
    expected = {
        "leads": lambda: leads(seed, places).tobytes(),
        "tails": lambda: lower(tails(seed, places)),
        "ties": lambda: lower(tails(seed, places[leads(seed, places) == 0])),
        "draws": lambda: draws(seed, places).astype("<u4").tobytes(),
        "errors": lambda: np.packbits(
            hits(seed, 0, np.full(1 << 19, 1 << 31)), bitorder="little"
        ).tobytes(),
        "neighbours": lambda: b"".join(block(seed + step) for step in range(1000)),
        "memories": lambda: b"".join(
            block(memory_seed(seed, number >> 6, number & 63)) for number in range(1000)
        ),
    }[part]()
    compared = min(len(found), len(expected))
    assert found[:compared] == expected[:compared] and compared > 5000


def test_pairs_of_errors_are_even_bits() -> None:
    """At a rate other than 1/2, the first of two positions of which one errs."""
    hit = hits(5, 0, np.full(1 << 18, round(0.3 * 2**32))).reshape(-1, 2)
    bits = hit[hit[:, 0] != hit[:, 1], 0]
    found = next(chunks("errors", 5, 8, 0.3))
    assert found == np.packbits(bits[: len(bits) // 8 * 8], bitorder="little").tobytes()
