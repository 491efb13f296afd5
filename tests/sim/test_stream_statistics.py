"""Are leads, tails and whole draws uniform and independent, and do errors come at their rate?

Of the stream itself, in numpy and by the evaluator's kernels, which reach rates that the RTL cannot
(tests/hw/test_statistics.py has the RTL's). Seeds are fixed, so a run gives the same verdict every
time. Each test holds the least of its p-values against LEVEL, divided by how many there are
(Bonferroni); the last test shows that a stream of too few rounds would be found.
"""

from __future__ import annotations

from itertools import combinations
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import stats

from spinflow.host.core import stream
from spinflow.sim.evaluator.kernels import streams
from tools.random_bytes import Stream

LEVEL = 1e-4
POSITIONS = 1 << 22
BASE_SEED = 2026
Bytes = NDArray[np.uint8]
PValues = dict[Any, float]


def check(found: PValues) -> None:
    """Fail if the least p-value is less than chance allows the least of so many to be."""
    least = min(found, key=lambda key: found[key])
    assert found[least] > LEVEL / len(found), f"{least}: p = {found[least]} of {len(found)}"


def leads(seed: int, count: int = POSITIONS, start: int = 0) -> Bytes:
    """The leads at positions from a multiple of 8 on."""
    words = stream.words(seed, start // 4 + np.arange(count // 4, dtype=np.uint64))
    return words.astype("<u4").view(np.uint8)


def uniform(values: NDArray[Any], cells: int) -> float:
    """The chi-square p-value of values below `cells`, two-sided: too even is wrong as well."""
    counts = np.bincount(values.reshape(-1), minlength=cells)
    assert len(counts) == cells
    expected = values.size / cells
    total = float(((counts - expected) ** 2).sum() / expected)
    return float(2 * min(stats.chi2.sf(total, cells - 1), stats.chi2.cdf(total, cells - 1)))


def pairs(first: Bytes, second: Bytes) -> float:
    """The p-value of two bytes being uniform together, all 65,536 cells."""
    return uniform(first.astype(np.uint32) << 8 | second, 1 << 16)


def coincidences(first: NDArray[Any], second: NDArray[Any], rate: float) -> float:
    """The exact binomial p-value of the errors that two streams have at one place."""
    both = int(np.count_nonzero(first & second))
    return float(stats.binomtest(both, first.size, rate * rate).pvalue)


def count_hits(seed: int, thresholds: tuple[int, int], positions: int) -> list[int]:
    """Errors against two thresholds, in the same positions from 0 on; by the evaluator."""
    at_once = min(positions, 1 << 25)
    hits = np.zeros((2, at_once // 32), np.uint32)
    second = 0 if thresholds[0] == thresholds[1] else 1
    totals = [0, 0]
    for start in range(0, positions, at_once):
        streams.hits_of_hardware(seed, start, *thresholds, hits[0], hits[second], 0, at_once // 32)
        for number, row in enumerate((0, second)):
            totals[number] += int(np.bitwise_count(hits[row]).sum(dtype=np.int64))
    return totals


def test_leads_are_uniform() -> None:
    """All of a seed's, those at each place of a block, and those of one block under many seeds."""
    found: PValues = {}
    for seed in (0, 1, 12345, 0xFFFFFFFF):
        drawn = leads(seed)
        found[seed, "all"] = uniform(drawn, 256)
        for place in range(8):
            found[seed, place] = uniform(drawn[place::8], 256)
    for block in (0, 1, 2**31 - 1):
        words = Stream(0, 8, 0.5).words(np.full(1 << 20, block), np.arange(1 << 20))
        for place, column in enumerate(words.view(np.uint8).reshape(-1, 8).T):
            found["seeds", block, place] = uniform(column, 256)
    check(found)


@pytest.mark.slow
def test_tails_are_uniform_where_leads_tie() -> None:
    """Given a lead, the tail's three bytes, and the joint law of lead and tail in whole draws."""
    found: PValues = {}
    positions = np.arange(POSITIONS, dtype=np.uint64)
    for seed in (3, 0xDEADBEEF):
        drawn = leads(seed)
        tails = stream.tails(seed, positions)
        for byte in range(3):
            part = (tails >> np.uint32(8 * byte)).astype(np.uint8)
            found[seed, "all", byte] = uniform(part, 256)
            found[seed, "joint", byte] = pairs(drawn, part)
            for lead in (0, 1, 127, 128, 255):
                found[seed, lead, byte] = uniform(part[drawn == lead], 256)
        halves = stream.draws(seed, positions)
        found[seed, "upper"] = uniform(halves >> np.uint32(16), 1 << 16)
        found[seed, "lower"] = uniform(halves & np.uint32(0xFFFF), 1 << 16)
        found[seed, "neighbours"] = pairs(
            tails[:-1].astype(np.uint8), (tails[1:] >> np.uint32(16)).astype(np.uint8)
        )
    check(found)


@pytest.mark.slow
def test_the_leads_of_a_block_are_independent() -> None:
    """All 28 pairs of the eight, and all 56 triples by their upper five bits."""
    found: PValues = {}
    for seed in (0, 4, 0x80000000):
        block = leads(seed, 4 * POSITIONS).reshape(-1, 8).T
        for a, b in combinations(range(8), 2):
            found[seed, a, b] = pairs(block[a], block[b])
        upper = (block >> 3).astype(np.uint32)
        for a, b, c in combinations(range(8), 3):
            found[seed, a, b, c] = uniform(upper[a] << 10 | upper[b] << 5 | upper[c], 1 << 15)
    check(found)


@pytest.mark.slow
def test_blocks_are_independent() -> None:
    """Leads 8 times a power of two apart, at the same and at the next place of their blocks."""
    drawn = leads(5, 2 * POSITIONS)
    found: PValues = {}
    for exponent in range(3, 21):
        for extra in (0, 1):
            lag = (1 << exponent) + extra
            found[lag] = pairs(drawn[:-lag], drawn[lag:])
    check(found)


@pytest.mark.slow
def test_seeds_are_independent() -> None:
    """Neighbouring seeds, seeds that differ in one bit, and those that the kit gives memories."""
    found: PValues = {}
    base = leads(6)
    for bit in range(32):
        found["bit", bit] = pairs(base, leads(6 ^ 1 << bit))
    for step in (1, 2, 3):
        found["next", step] = pairs(base, leads(6 + step))
    own = [
        leads(stream.memory_seed(seed, repeat, index), POSITIONS // 2)
        for seed, repeat, index in (
            *((BASE_SEED, 0, index) for index in range(7)),
            *((BASE_SEED, repeat, 0) for repeat in (1, 2, 3)),
            *((BASE_SEED + step, 0, 0) for step in (1, 2)),
        )
    ]
    for a, b in combinations(range(len(own)), 2):
        found["kit", a, b] = pairs(own[a], own[b])
    check(found)


@pytest.mark.parametrize("rate", [0.5, 0.1, 1e-3])
def test_memories_err_at_other_places(rate: float) -> None:
    """Errors that two memories have at one place: as many as chance gives, exactly binomial."""
    limits = np.full(POSITIONS, round(rate * 2**32), np.uint32)
    exact = round(rate * 2**32) / 2**32
    hits = [
        stream.hits(stream.memory_seed(BASE_SEED, repeat, index), 0, limits)
        for repeat in (0, 1)
        for index in range(5)
    ]
    found: PValues = {
        (a, b): coincidences(hits[a], hits[b], exact) for a, b in combinations(range(10), 2)
    }
    for lag in (1, 7, 8, 32, 64, 1024):
        found["lag", lag] = coincidences(hits[0][lag:], hits[0][:-lag], exact)
    check(found)


@pytest.mark.slow
def test_errors_at_a_lower_rate_are_a_subset() -> None:
    """Whether a lead or a tail decides: each set holds the one before, and has as many as drawn."""
    drawn = stream.draws(7, np.arange(POSITIONS))
    near = np.sort(drawn[:: POSITIONS // 32]).tolist()
    levels = [1 << 12, 1 << 20, 2**24 - 1, 2**24, 3 << 23, 2**25, 2**28, 2**31, 2**32 - 1]
    last = np.zeros(POSITIONS, np.bool_)
    for threshold in sorted([*levels, *near]):
        hits = stream.hits(7, 0, np.full(POSITIONS, threshold, np.uint32))
        assert not (last & ~hits).any()
        below = POSITIONS if threshold == stream.ALWAYS else np.count_nonzero(drawn < threshold)
        assert np.count_nonzero(hits) == below
        last = hits


@pytest.mark.slow
def test_rates_down_to_one_in_two_hundred_million() -> None:
    """The number of errors is binomial at every resolution, with a lead or a tail alone."""
    positions = 1 << 31
    pairs_of_rates = [
        (21, 1 << 8), (1 << 12, 1 << 16), (1 << 20, 2**24 - 1), (2**24, 2**24 + 1),
        (3 << 23, 0x0147AE14), (2**31, 2**31 + 12345), (2**32 - 2**20, 2**32 - 300),
    ]  # fmt: skip
    found: PValues = {}
    for number, thresholds in enumerate(pairs_of_rates):
        counted = count_hits(stream.memory_seed(BASE_SEED, 9, number), thresholds, positions)
        for threshold, errors in zip(thresholds, counted, strict=True):
            chance = threshold / 2**32
            found[threshold] = float(stats.binomtest(errors, positions, chance).pvalue)
    check(found)


@pytest.mark.slow
def test_too_few_rounds_are_found() -> None:
    """The same checks on streams of five and six rounds; of eight they find nothing."""
    for rounds, bites in ((5, True), (6, True), (8, False)):
        words = Stream(4, rounds, 0.5).words(np.arange(1 << 21))
        block = words.view(np.uint8).reshape(-1, 8).T
        least = min(pairs(block[a], block[b]) for a, b in combinations(range(8), 2))
        drawn = np.ascontiguousarray(block.T).reshape(-1)
        lags = min(pairs(drawn[:-lag], drawn[lag:]) for lag in (8 << k for k in range(13)))
        assert (min(least, lags) < LEVEL / 1000) == bites, (rounds, least, lags)
