"""The random stream: against the contract's own lines, and for what a stream must be."""

import numpy as np
import pytest

from spinflow.host.core.stream import draw_range, draws, errs, memory_seed

M = 0xFFFFFFFF
KNOWN_ANSWERS = ["0xb56b9b5e", "0xe23b0a82", "0x7df239b0", "0xfd35bd49"]  # of seed 1


def contract_draw(seed: int, position: int) -> int:
    """docs/contracts.md, in Python's integers."""
    x, y = (position >> 1) & M, seed
    for r in range(8):
        x = ((((x >> 8) | (x << 24)) + y) & M) ^ (0x9E3779B9 * (r + 1) & M)
        y = (((y << 3) | (y >> 29)) & M) ^ x
    return y if position & 1 else x


@pytest.mark.parametrize("seed", [0, 1, 0x5EED0000, M])
def test_draw_is_the_contract(seed: int) -> None:
    positions = [0, 1, 2, 3, 255, 256, (1 << 32) - 1, 1 << 32, (1 << 33) - 1, (1 << 33) + 1]
    drawn = draws(seed, positions)
    assert drawn.dtype == np.uint32
    assert drawn.tolist() == [contract_draw(seed, position) for position in positions]


def test_known_answers() -> None:
    assert [hex(d) for d in draws(1, range(4))] == KNOWN_ANSWERS


def test_draw_keeps_the_shape() -> None:
    positions = np.arange(12).reshape(3, 4)
    assert draws(7, positions).shape == (3, 4)
    assert draws(7, 5).shape == ()
    assert draws(7, 5) == draws(7, positions)[1, 1]


@pytest.mark.parametrize("start", [0, 1, 6, 7, (1 << 33) - 3])
@pytest.mark.parametrize("count", [0, 1, 2, 9])
def test_a_range_is_the_same_draws(start: int, count: int) -> None:
    positions = start + np.arange(count, dtype=np.uint64)
    np.testing.assert_array_equal(draw_range(3, start, count), draws(3, positions))


def test_the_seed_of_a_memory() -> None:
    assert memory_seed(12, repeat=3, index=5) == contract_draw(12 ^ 0x5EED0000, 64 * 3 + 5)


def test_thresholds_at_the_ends() -> None:
    drawn = np.array([0, 1, M - 1, M], dtype=np.uint32)
    assert not errs(drawn, 0).any()
    assert errs(drawn, M).all()
    assert errs(drawn, 1).tolist() == [True, False, False, False]
    assert errs(drawn, [0, M, M - 1, 5]).tolist() == [False, True, False, False]


def test_errors_at_a_lower_rate_are_a_subset() -> None:
    drawn = draw_range(5, 0, 100_000)
    low, high = errs(drawn, 1 << 25), errs(drawn, 1 << 28)
    assert low.any() and not (low & ~high).any()


@pytest.mark.parametrize("rate", [0.5, 0.1, 1e-3])
def test_the_rate_is_met_and_neighbours_are_independent(rate: float) -> None:
    count = 1 << 20
    hit = errs(draw_range(2026, 0, count), round(rate * 2**32)).astype(np.float64) - rate
    deviation = np.sqrt(rate * (1 - rate))
    assert abs(hit.mean()) < 4 * deviation / np.sqrt(count)
    for lag in (1, 2, 3, 31, 32, 33, 1024):
        correlation = (hit[lag:] * hit[:-lag]).mean() / deviation**2
        assert abs(correlation) < 4.5 / np.sqrt(count), lag
