"""Drawn memories, errors and writes: emulator, evaluator and host beside the contract's own lines.

The lines are `tests/hw/models.py`, plain integers a draw at a time. Every number that the stream
treats apart is drawn often: thresholds with leads and tails at their ends, positions before the
ends of its periods, words of one bit, of whole segments and of several with a short last one.
"""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import pytest

from spinflow.host.core import memory as predicted
from spinflow.host.core import stream
from spinflow.host.core.description import MemoryInfo
from spinflow.host.core.memory import MODES, Counts, Errors
from spinflow.host.core.packing import bits_of, words_of
from spinflow.sim.emulator import EmulatedMemory
from spinflow.sim.evaluator.kernels import fast_stream, streams
from spinflow.sim.evaluator.memory import PackedMemory, Workers
from tests.hw import models

ALL_ONES, M64 = 2**32 - 1, 2**64 - 1
GOLDEN = 0x9E3779B97F4A7C15  # of SplitMix64
ENDS = [0, 1, 2**24 - 1, 2**24, 2**24 + 1, 2**31, 2**32 - 2**24, ALL_ONES - 1, ALL_ONES]
WIDTHS = [1, 2, 7, 8, 31, 32, 33, 40, 64, 72, 96, 100]
DRAWS = 4000  # of a memory, about: the contract's lines make 100,000 a second
CASES = 60
PERIODS = (2**31, 2**32, 2**33, 2**34)


def thresholds(rng: np.random.Generator) -> tuple[int, int]:
    """Thresholds for a written 1 and 0: at the ends, equal, with one lead in common, or any."""
    one = int(rng.choice(ENDS)) if rng.random() < 0.5 else int(rng.integers(2**32))
    kind = rng.integers(4)
    if kind == 0:
        return one, one
    if kind == 1:
        return one, one & 0xFF000000 | int(rng.integers(2**24))
    return one, int(rng.choice(ENDS)) if kind == 2 else int(rng.integers(2**32))


def place(rng: np.random.Generator, grain: int) -> int:
    """A position to go on from: mostly the first, or a multiple of `grain` before a period ends."""
    if rng.random() < 0.6:
        return 0
    return (int(rng.choice(PERIODS)) - int(rng.integers(DRAWS))) // grain * grain


def model_of(info: MemoryInfo) -> models.Weights | models.Buffer:
    kind = models.Weights if info.kind == "weights" else models.Buffer
    return kind(info.width, info.depth)


def write_model(model: models.Weights | models.Buffer, words: np.ndarray) -> list[list[int]]:
    """Write all words of a memory, or so many into a buffer; what is stored, as segments."""
    numbers = [sum(int(s) << 32 * k for k, s in enumerate(row)) for row in words]
    if isinstance(model, models.Buffer):
        stored = [model.write(number) for number in numbers]
    else:
        for word, row in enumerate(words.tolist()):
            for segment, value in enumerate(row):
                model.write(word, segment, value)
        stored = model.words
    return [[s >> 32 * k & models.MASK32 for k in range(words.shape[1])] for s in stored]


def write_packed(cells: PackedMemory, words: np.ndarray) -> np.ndarray:
    if cells.kind == "weights":
        cells.write_rows(words)
        return cells.read_rows()
    bits = bits_of(words, cells.width).reshape(-1)
    line = np.zeros(-(-bits.size // 64) + 1, np.uint64)
    packed = np.packbits(bits, bitorder="little")
    line.view(np.uint8)[: packed.size] = packed
    stored = cells.write(line, bits.size).view(np.uint8)
    found = np.unpackbits(stored, count=bits.size, bitorder="little").reshape(-1, cells.width)
    cells.settle(bits.size)
    return words_of(found)


@pytest.mark.parametrize("number", range(CASES))
def test_writes_are_the_contracts(number: int) -> None:
    rng = np.random.default_rng([2026, number])
    width = int(rng.choice(WIDTHS))
    kind = "weights" if number % 2 else "buffer"
    depth = int(rng.integers(1, max(2, DRAWS // 2 // width)))
    info = MemoryInfo(3, "m", kind, 0, width=width, depth=depth)
    model, emulated = model_of(info), EmulatedMemory(info)
    packed = [PackedMemory(info, "hardware", Workers(threads)) for threads in (1, 3)]
    everyone = [emulated, *packed]
    segments = -(-width // 32)
    for _ in range(3):
        mode = str(rng.choice(MODES))
        rates, seed = thresholds(rng), int(rng.integers(2**32))
        for cells in everyone:
            cells.set_errors(mode, *rates, seed)
        model.stream.restart(models.Config(MODES.index(mode), *rates, seed))
        start = place(rng, 32 if kind == "weights" else width)
        for cells in everyone:
            cells.position = start
        model.stream.position = start
        for _ in range(int(rng.integers(1, 4))):
            count = depth if kind == "weights" else int(rng.integers(1, 2 * depth + 2))
            words = rng.integers(0, 2**32, (count, segments), dtype=np.uint32)
            words[:, -1] &= np.uint32(ALL_ONES >> -width % 32)
            expected = write_model(model, words)
            found = words_of(emulated.write(bits_of(words, width)))
            assert found.tolist() == expected
            for cells in packed:
                assert write_packed(cells, words).tolist() == expected
        if rng.random() < 0.3:  # weights stay, buffers and counters begin anew
            for cells in everyone:
                cells.soft_reset()
            if isinstance(model, models.Buffer):
                model.reset()
            else:
                model.stream.restart()
                model.counts = models.Counts()
        wanted = Counts(*vars(model.counts).values())
        assert [cells.counts for cells in everyone] == [wanted] * 3
        assert [cells.position for cells in everyone] == [model.stream.position] * 3


@pytest.mark.parametrize("number", range(CASES // 3))
def test_predictions_are_the_contracts(number: int) -> None:
    """What the self-test and a sweep predict of one write right after a restart."""
    rng = np.random.default_rng([2027, number])
    width, count = int(rng.choice(WIDTHS)), int(rng.integers(1, 40))
    mode, rates, seed = str(rng.choice(MODES)), thresholds(rng), int(rng.integers(2**32))
    config = models.Config(MODES.index(mode), *rates, seed)
    old, words = rng.integers(0, 2**32, (2, count, -(-width // 32)), dtype=np.uint32)
    old[:, -1] &= np.uint32(ALL_ONES >> -width % 32)
    words[:, -1] &= np.uint32(ALL_ONES >> -width % 32)
    errors = Errors(mode, *rates, seed)
    weights = models.Weights(width, count)
    write_model(weights, old)
    weights.counts = models.Counts()
    weights.stream.restart(config)
    stored, counts = predicted.weights(errors, bits_of(words, width), bits_of(old, width))
    assert words_of(stored).tolist() == write_model(weights, words)
    assert counts == Counts(*vars(weights.counts).values())
    buffer = models.Buffer(width, 7)
    buffer.stream.restart(config)
    passed, counts = predicted.buffer(errors, bits_of(words, width), 7)
    assert words_of(passed).tolist() == write_model(buffer, words)
    assert counts == Counts(*vars(buffer.counts).values())


@pytest.mark.parametrize("number", range(CASES))
def test_words_of_hits_are_the_draws(number: int) -> None:
    """Any start, length and division into parts, and thresholds that a draw is or just misses."""
    rng = np.random.default_rng([2028, number])
    seed = int(rng.integers(2**32))
    start = max(0, int(rng.choice([0, *PERIODS])) - 32 * int(rng.integers(600)))
    words = int(rng.choice([1, 2, 3, 4, 5, 127, 511, 512, 513, 700]))
    drawn = stream.draws(seed, start + np.arange(32 * words, dtype=np.uint64))
    one, zero = (min(int(d) + int(rng.integers(2)), ALL_ONES) for d in rng.choice(drawn, 2))
    if rng.random() < 0.3:
        zero = one
    if rng.random() < 0.3:
        one = int(rng.choice(ENDS))
    hits = np.zeros((2, words + 1), np.uint32)
    second = 0 if one == zero else 1
    edges = sorted({0, words, *rng.integers(0, words + 1, 3).tolist()})
    for lo, hi in sorted(pairwise(edges), key=lambda _: rng.random()):
        streams.hits_of_hardware(seed, start, one, zero, hits[0], hits[second], lo, hi)
    for threshold, row in ((one, 0), (zero, second)):
        expected = np.packbits(stream.errs(drawn, threshold), bitorder="little")
        assert hits[row, :words].tolist() == expected.view("<u4").tolist()
    assert not hits[:, words].any()


@pytest.mark.parametrize("drawn", [0, 1, 2**24 - 1, 2**24, 2**31, ALL_ONES - 1, ALL_ONES])
def test_a_draw_beside_its_threshold(drawn: int) -> None:
    """The draw itself as threshold, and those on both sides of it; all ones always err."""
    seed, position = models.place_of(drawn)
    for threshold in (drawn - 1, drawn, drawn + 1, ALL_ONES):
        if not 0 <= threshold <= ALL_ONES:
            continue
        wanted = drawn < threshold or threshold == ALL_ONES
        assert stream.hits(seed, position, [threshold]).tolist() == [wanted]
        for info in (
            MemoryInfo(0, "m", "weights", 0, width=32, depth=1),
            MemoryInfo(0, "m", "buffer", 0, width=32, depth=1),
        ):
            emulated, packed = EmulatedMemory(info), PackedMemory(info, "hardware", Workers(1))
            for cells in (emulated, packed):
                cells.set_errors("flip", threshold, threshold, seed)
                cells.position = position // 32 * 32
            emulated.write(np.zeros((1, 32), np.uint8))
            packed.write(np.zeros(2, np.uint64), 32)
            packed.settle(32)
            for cells in (emulated, packed):
                assert cells.bits[0, position % 32] == wanted


def mixed(state: int) -> int:
    """SplitMix64's output function, in plain integers."""
    z = state & M64
    z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9 & M64
    z = (z ^ z >> 27) * 0x94D049BB133111EB & M64
    return z ^ z >> 31


def small_draws(seed: int, memory: int, block: int) -> dict[int, int]:
    """The draws below 2**28 of a block of the fast stream, by position; the rarest level wins."""
    key = mixed((memory << 32 | seed) + GOLDEN)
    of_block = mixed(key ^ mixed(block + GOLDEN))
    found: dict[int, int] = {}
    for level in range(4, 33):
        least = 1 << 31 - level if level < 32 else 0
        entered = 2.0**-32 if level == 32 else 1 / (2.0 ** (level + 1) - 1)
        state, place = mixed(of_block + level * GOLDEN), -1
        while True:
            state += GOLDEN
            drawn = mixed(state)
            gap = math.log(((drawn >> 11) + 1) * 2.0**-53) / math.log1p(-entered)
            if gap >= 2**16 - 1 - place:
                break
            place += 1 + int(gap)
            found[place] = least + (mixed(drawn + GOLDEN) >> 32 & max(least, 1) - 1)
    return found


def test_the_fast_stream_is_what_its_levels_say() -> None:
    """Below 2**-4, every threshold at once, from any word of a block to any of the next."""
    seed, memory, start = 0xDEADBEEF, 3, 2**16 - 32 * 1000
    edges = np.array([0, 1, 2**12, 2**22 + 77, 2**26, 2**27 + 1, 2**28], np.int64)
    lo, hi = 5, 1900
    hits = np.full((len(edges), 2000), 0xFFFFFFFF, np.uint32)
    fast_stream.hits_of_fast(seed, memory, start, edges, hits, lo, hi)
    assert (hits[:, :lo] == ALL_ONES).all() and (hits[:, hi:] == ALL_ONES).all()
    least = np.full(2 * 2**16, ALL_ONES, np.int64)
    for block in range(2):
        for place, drawn in small_draws(seed, memory, block).items():
            least[block * 2**16 + place] = drawn
    taken = least[start + 32 * lo : start + 32 * hi]
    for row, edge in zip(hits[:, lo:hi], edges, strict=True):
        bits = np.unpackbits(np.ascontiguousarray(row).view(np.uint8), bitorder="little")
        np.testing.assert_array_equal(bits == 1, taken < edge)
