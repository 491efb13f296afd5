"""Memories whose cells differ: emulator and evaluator beside rate registers, and beside each other.

A map with one rate is what the registers are, in every bit and counter. A map with several is, at
each cell, what registers with that cell's rates would have drawn there.
"""

from __future__ import annotations

import numpy as np
import pytest

from spinflow.host.core import stream
from spinflow.host.core.cells import FREE, STUCK_AT_0, STUCK_AT_1, CellRates
from spinflow.host.core.description import MemoryInfo
from spinflow.host.core.memory import Counts
from spinflow.host.core.packing import bits_of, words_of
from spinflow.sim.emulator import EmulatedMemory
from spinflow.sim.evaluator.memory import PackedMemory, Workers

ENDS = [0, 1, 2**24 - 1, 2**24, 2**28, 2**28 + 1, 2**31, 2**32 - 2**24, 2**32 - 2, 2**32 - 1]
WIDTHS = [1, 2, 7, 8, 31, 32, 33, 64, 72, 96]
CASES = 30


def info_of(rng: np.random.Generator) -> MemoryInfo:
    kind = "weights" if rng.random() < 0.4 else "buffer"
    width = int(rng.choice(WIDTHS))
    return MemoryInfo(int(rng.integers(8)), "some", kind, 0, width, int(rng.integers(1, 40)))


def thresholds(rng: np.random.Generator, number: int) -> np.ndarray:
    some = np.where(rng.random(number) < 0.5, rng.choice(ENDS, number), rng.integers(2**32))
    return some.astype(np.uint32)


def uniform(info: MemoryInfo, one: int, zero: int) -> CellRates:
    shape = info.depth, info.width
    return CellRates(
        np.full(shape, one, np.uint32), np.full(shape, zero, np.uint32), np.zeros(shape, np.uint8)
    )


def drawn(rng: np.random.Generator, info: MemoryInfo, stuck: float) -> CellRates:
    """Cells of up to five rates, and a share of them stuck."""
    shape = info.depth, info.width
    rates = rng.choice(thresholds(rng, 5), (2, *shape))
    values = rng.choice([STUCK_AT_0, STUCK_AT_1], shape)
    return CellRates(
        rates[0], rates[1], np.where(rng.random(shape) < stuck, values, FREE).astype(np.uint8)
    )


def targets(rng: np.random.Generator, info: MemoryInfo) -> list[np.ndarray]:
    """What is written: all words of weights, or any number of a buffer's."""
    return [
        rng.integers(0, 2, (info.depth if info.kind == "weights" else int(n), info.width), np.uint8)
        for n in rng.integers(1, 100, 3)
    ]


def write(memory: EmulatedMemory | PackedMemory, target: np.ndarray) -> np.ndarray:
    """Write words of bits; what is stored."""
    if isinstance(memory, EmulatedMemory):
        return memory.write(target)
    if memory.kind == "weights":
        memory.write_rows(words_of(target))
        return bits_of(memory.read_rows(), memory.width)
    line = np.zeros(-(-target.size // 64) + 1, np.uint64)
    packed = np.packbits(target.reshape(-1), bitorder="little")
    line.view(np.uint8)[: packed.size] = packed
    out = np.zeros_like(line)
    passed = memory.pass_on(line, out, target.size)
    if passed is None:
        passed = memory.write(line, target.size).copy()
        memory.settle(target.size)
    found = np.unpackbits(passed.view(np.uint8), count=target.size, bitorder="little")
    return found.reshape(target.shape)


def run(
    memory: EmulatedMemory | PackedMemory, words: list[np.ndarray]
) -> list[tuple[list[list[int]], Counts]]:
    """Write one after the other; what is stored and counted after each."""
    return [(write(memory, target).tolist(), memory.counts) for target in words]


def packed(info: MemoryInfo, kind: str, threads: int = 1) -> PackedMemory:
    return PackedMemory(info, kind, Workers(threads))


@pytest.mark.parametrize("kind", ["emulator", "hardware", "fast"])
def test_one_rate_for_all_cells_is_what_the_registers_give(kind: str) -> None:
    rng = np.random.default_rng(1)
    for _ in range(CASES):
        info, mode = info_of(rng), str(rng.choice(["flip", "switch"]))
        one, zero = (int(t) for t in thresholds(rng, 2))
        seed, words = int(rng.integers(2**32)), targets(rng, info)
        found = []
        for mapped in (False, True):
            memory = EmulatedMemory(info) if kind == "emulator" else packed(info, kind)
            memory.set_errors(mode, 0 if mapped else one, 0 if mapped else zero, seed)
            memory.set_cells(uniform(info, one, zero) if mapped else None)
            found.append(run(memory, words))
        assert found[0] == found[1]


@pytest.mark.parametrize("kind", ["emulator", "hardware", "fast"])
def test_each_cell_has_the_draws_of_registers_with_its_rates(kind: str) -> None:
    """In mode flip, where what is stored says which draws err."""
    rng = np.random.default_rng(2)
    for _ in range(CASES):
        info = info_of(rng)
        cells, seed, words = drawn(rng, info, 0.0), int(rng.integers(2**32)), targets(rng, info)
        memory = EmulatedMemory(info) if kind == "emulator" else packed(info, kind)
        memory.set_errors("flip", 0, 0, seed)
        memory.set_cells(cells)
        found = [write(memory, target) for target in words]
        address = 0
        for place, target in enumerate(words):
            rows = (address + np.arange(len(target))) % info.depth
            address += len(target)
            for threshold in np.unique(np.stack([cells.threshold1, cells.threshold0])):
                plain = EmulatedMemory(info) if kind == "emulator" else packed(info, kind)
                plain.set_errors("flip", int(threshold), int(threshold), seed)
                expected = [write(plain, each) for each in words[: place + 1]][-1]
                limits = np.where(target == 1, cells.threshold1[rows], cells.threshold0[rows])
                there = limits == threshold
                assert np.array_equal(found[place][there], expected[there])


def test_evaluator_and_emulator_agree_on_any_map() -> None:
    rng = np.random.default_rng(3)
    for _ in range(2 * CASES):
        info, mode = info_of(rng), str(rng.choice(["off", "flip", "switch"]))
        cells, seed, words = drawn(rng, info, 0.1), int(rng.integers(2**32)), targets(rng, info)
        found = []
        for memory in (EmulatedMemory(info), packed(info, "hardware", 2)):
            memory.set_errors("off", 0, 0, 0)
            write(memory, words[0])  # a background
            memory.set_errors(mode, 1 << 30, 1 << 29, seed)
            memory.set_cells(cells)
            found.append(run(memory, words))
            memory.soft_reset()
            found[-1] += run(memory, words)
        assert found[0] == found[1]


@pytest.mark.parametrize("kind", ["emulator", "hardware", "fast"])
@pytest.mark.parametrize("mode", ["flip", "switch"])
def test_stuck_cells_are_stuck_whatever_is_written(kind: str, mode: str) -> None:
    rng = np.random.default_rng(4)
    for _ in range(CASES):
        info = info_of(rng)
        cells, words = drawn(rng, info, 0.3), targets(rng, info)
        memory = EmulatedMemory(info) if kind == "emulator" else packed(info, kind)
        memory.set_errors("off", 0, 0, 0)
        write(memory, words[0])  # what lies below need not be what the cells are stuck at
        address = memory.address
        memory.set_errors(mode, 0, 0, int(rng.integers(2**32)))
        memory.set_cells(cells)
        for target in words:
            stuck = cells.stuck[cells.addresses(len(target), address)]
            address += len(target) if info.kind == "buffer" else 0
            stored = write(memory, target)
            assert np.array_equal(stored[stuck != FREE], (stuck == STUCK_AT_1)[stuck != FREE])


def test_higher_rates_err_where_lower_ones_do() -> None:
    rng = np.random.default_rng(5)
    info = MemoryInfo(0, "some", "buffer", 0, 8, 100)
    shape = info.depth, info.width
    low = rng.integers(2**31, size=shape, dtype=np.uint32)
    high = low + rng.integers(2**31, size=shape, dtype=np.uint32)
    target = np.zeros((400, 8), np.uint8)
    for kind in ("hardware", "fast"):
        hits = []
        for limits in (low, high):
            memory = packed(info, kind)
            memory.set_errors("flip", 0, 0, 7)
            memory.set_cells(CellRates(limits, limits, np.zeros(shape, np.uint8)))
            hits.append(write(memory, target))
        assert (hits[0] <= hits[1]).all()
        assert hits[0].mean() == pytest.approx(low.mean() / 2**32, rel=0.1)
        assert hits[1].mean() == pytest.approx(high.mean() / 2**32, rel=0.1)


def test_cells_of_another_size_are_refused() -> None:
    info = MemoryInfo(0, "some", "buffer", 0, 8, 10)
    other = MemoryInfo(0, "some", "buffer", 0, 8, 11)
    for memory in (EmulatedMemory(info), packed(info, "fast")):
        with pytest.raises(ValueError, match=r"10 words of 8 bits, not the 11 of 8"):
            memory.set_cells(uniform(other, 0, 0))


def test_draws_of_cells_are_those_of_the_contract() -> None:
    """A draw at a time, of a buffer that begins in the midst of its words."""
    rng = np.random.default_rng(6)
    info = MemoryInfo(0, "some", "buffer", 0, 5, 7)
    cells, target = drawn(rng, info, 0.0), rng.integers(0, 2, (20, 5), np.uint8)
    for memory in (EmulatedMemory(info), packed(info, "hardware")):
        memory.set_errors("off", 0, 0, 0)
        write(memory, target[:3])
        memory.set_errors("flip", 0, 0, 9)
        memory.set_cells(cells)
        stored = write(memory, target)
        for word, bit in np.ndindex(*target.shape):
            limits = cells.threshold1 if target[word, bit] else cells.threshold0
            limit = int(limits[(3 + word) % 7, bit])
            u = int(stream.draws(9, [5 * word + bit])[0])
            errs = u < limit or limit == stream.ALWAYS
            assert stored[word, bit] == target[word, bit] ^ errs
