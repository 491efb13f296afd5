"""Random cases for the kernels: what a bench reads, and what must come of it by docs/contracts.md.

A case is a row of numbers, and so is what comes of it; the benches in `bench/` say which. Random
are inputs, weights, thresholds, error modes, rates, seeds and when a stream restarts; the state of
a memory goes on from case to case.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spinflow.host.core import stream
from spinflow.host.core.memory import MODES, Counts, Errors, counts_of
from spinflow.host.core.packing import Bits, fold

Parameters = Mapping[str, int]
Numbers = list[int]

RESTART, SOFT_RESET, CLEAR = 1, 2, 4
"""Bits of a memory's command, as in mram.hpp."""


@dataclass(frozen=True)
class Case:
    """The numbers that a bench reads for a case, and those that it must write."""

    inputs: Numbers
    expected: Numbers


@dataclass(frozen=True)
class Vectors:
    """Cases, and constants of the block that they are for: tables by their macro's name."""

    cases: list[Case]
    tables: Mapping[str, Sequence[int]] = field(default_factory=dict)

    def text(self, of: Callable[[Case], Numbers]) -> str:
        """Return the lines of a bench's file, of inputs or of what is expected."""
        return "".join(" ".join(f"{n:x}" for n in of(case)) + "\n" for case in self.cases)


def numbers_of(values: NDArray[Any], bits: int = 1) -> Numbers:
    """Return rows of numbers of so many bits each as one whole number a row, the first lowest."""
    mask = (1 << bits) - 1
    return [
        sum((int(value) & mask) << bits * place for place, value in enumerate(row))
        for row in values
    ]


def with_noise(rng: np.random.Generator, words: Numbers, bits: int) -> Numbers:
    """Return words with random bits in the padding to whole bytes, which nobody may read."""
    padding = -bits % 8
    return [word | int(rng.integers(1 << padding)) << bits for word in words]


def sum_bits(of: Parameters) -> int:
    """Return the bits that a sum of a matrix-vector unit needs; of pixels it has a sign."""
    return (of["Mw"] if of["InBits"] == 1 else 2 * 255 * of["Mw"]).bit_length()


def popcounts(of: Parameters, count: int, seed: int) -> Vectors:
    """Cases of xnor_popcount: two words, some of which differ in a few bits or in all."""
    rng, width = np.random.default_rng(seed), of["Width"]
    cases = []
    for _ in range(count):
        a = rng.integers(2, size=width)
        b = a ^ (rng.random(width) < rng.choice([0, 1, 0.5, 1 / width]))
        words = with_noise(rng, numbers_of(np.stack([a, b])), width)
        cases.append(Case(words, [int((a == b).sum())]))
    return Vectors(cases)


def products(of: Parameters, count: int, seed: int) -> Vectors:
    """Cases of binary_mvu: weights and a frame, some close to a row of weights or its opposite."""
    rng = np.random.default_rng(seed)
    mw, mh, pe, simd, bits = (of[name] for name in ("Mw", "Mh", "Pe", "Simd", "InBits"))
    top = (1 << bits) - 1
    thresholds = _thresholds(of, rng)
    cases = []
    for _ in range(count):
        rows = rng.integers(2, size=(mh, mw))
        frame = rng.integers(top + 1, size=mw)
        like = rows[rng.integers(mh)] ^ int(rng.integers(2))
        close = rng.random(mw) < rng.choice([0, 0.5, 1])
        frame = np.where(close, top * like, frame)
        if bits == 1:
            sums = (rows == frame).sum(axis=1)
        else:
            sums = (np.where(rows == 1, 1, -1) * frame).sum(axis=1)
        found = (sums >= thresholds).astype(np.int64) if of["HasThreshold"] else sums
        words = with_noise(rng, numbers_of(frame.reshape(-1, simd), bits), simd * bits)
        weights = numbers_of(fold(rows, pe, simd))
        cases.append(Case(weights + words, numbers_of(found.reshape(-1, pe), of["OutBits"])))
    return Vectors(cases, {"THRESHOLDS": thresholds.tolist()})


def _thresholds(of: Parameters, rng: np.random.Generator) -> NDArray[np.int64]:
    """Random thresholds around the likeliest sums, with the least and the largest among them."""
    mw, mh = of["Mw"], of["Mh"]
    if of["InBits"] == 1:
        middle, spread, low, high = mw / 2, max(1.0, mw**0.5 / 2), 0, mw + 1
    else:
        middle, spread, low, high = 0.0, 150 * mw**0.5, -255 * mw, 255 * mw + 1
    found = np.clip(np.round(rng.normal(middle, spread, mh)), low, high).astype(np.int64)
    ends = rng.random(mh) < 0.1
    return np.where(ends, rng.choice([low, high], mh), found)


def pools(of: Parameters, count: int, seed: int) -> Vectors:
    """Cases of bin_maxpool: a map, most of its bits 0."""
    rng, size = np.random.default_rng(seed), of["Size"]
    shape = (of["Rows"], of["Columns"], of["Folds"], of["Pe"])
    rows, columns = of["Rows"] // size, of["Columns"] // size
    cases = []
    for _ in range(count):
        bits = (rng.random(shape) < rng.choice([0.05, 0.3])).astype(np.uint8)
        whole = bits[: rows * size, : columns * size]
        pooled = whole.reshape(rows, size, columns, size, *shape[2:]).max(axis=(1, 3))
        words = with_noise(rng, numbers_of(bits.reshape(-1, of["Pe"])), of["Pe"])
        cases.append(Case(words, numbers_of(pooled.reshape(-1, of["Pe"]))))
    return Vectors(cases)


def labels(of: Parameters, count: int, seed: int) -> Vectors:
    """Cases of label_select: scores of a frame, often of few values, so that ties are the rule."""
    rng, bits = np.random.default_rng(seed), of["InBits"]
    top = (1 << bits) - 1
    cases = []
    for _ in range(count):
        few = [[0], [0, top], [max(0, top - 1), top]]
        kind = int(rng.integers(4))
        size = of["Labels"]
        scores = rng.choice(few[kind], size) if kind < 3 else rng.integers(top + 1, size=size)
        words = numbers_of(scores.reshape(-1, of["Pe"]), bits)
        words = with_noise(rng, words, of["Pe"] * bits)
        cases.append(Case(words, [int(np.argmax(scores))]))
    return Vectors(cases)


def draws(_: Parameters, count: int, seed: int) -> Vectors:
    """Cases of draw_block: any seed and block, and rates of which some tie with a draw's lead."""
    rng = np.random.default_rng(seed)
    cases = []
    for number in range(count):
        if number % 16 == 1:
            cases.append(_drawn(*_ALL_ONES, [stream.ALWAYS, stream.ALWAYS - 1]))
            continue
        of_stream = int(rng.integers(1 << 32))
        block = [int(rng.integers(1 << 31)), (1 << 31) - 1, 1 << 29, 0][int(rng.integers(4))]
        drawn = stream.draws(of_stream, 8 * block + np.arange(8))
        # Around one of the draws itself, so that the last bit of its tail decides.
        near = (int(drawn[number % 8]) + int(rng.integers(-1, 2))) % 2**32
        rates = [near, _rate(rng)][:: 1 if rng.random() < 0.5 else -1]
        cases.append(_drawn(of_stream, block, rates))
    return Vectors(cases)


_ALL_ONES = (0x99135F22, 0x15839E1B)
"""Seed and block of a draw of all ones, which only the rate of always errs against."""


def _drawn(of_stream: int, block: int, rates: Numbers) -> Case:
    """A case of draw_block: the hits on a 1, then those on a 0."""
    hits = [
        stream.hits(of_stream, 8 * block, np.full(8, rate, np.uint32)).astype(np.uint8)
        for rate in rates
    ]
    return Case([of_stream, block, *rates], numbers_of(np.concatenate(hits)[None]))


def _rate(rng: np.random.Generator) -> int:
    """A random threshold; never, always and the least above never among them."""
    some = (0, 1, 1 << 24, 1 << 31, stream.ALWAYS, int(rng.integers(1 << 32)))
    return some[int(rng.integers(len(some)))]


class _Registers:
    """The registers of a memory, and where its stream stands."""

    def __init__(self, rng: np.random.Generator) -> None:
        self._rng = rng
        self.errors = Errors("off", 0, 0, 0)
        self.position = 0
        self.counts = Counts()

    def set(self, first: bool) -> tuple[Numbers, int]:
        """Change them by chance; return them as a case begins with them, and the command."""
        rng = self._rng
        command = SOFT_RESET if first else int(rng.choice([0, 0, RESTART, SOFT_RESET, CLEAR, 5]))
        if command & (RESTART | SOFT_RESET):
            mode, seed = MODES[int(rng.integers(len(MODES)))], int(rng.integers(1 << 32))
            self.errors = Errors(mode, _rate(rng), _rate(rng), seed)
            self.position = 0
        if command & (CLEAR | SOFT_RESET):
            self.counts = Counts()
        at = self.errors
        code = MODES.index(at.mode)
        return [command, code, at.threshold1, at.threshold0, at.seed], command

    def write(self, target: Bits, old: Bits, hits: NDArray[np.bool_]) -> Bits:
        """Return what is stored, and count it."""
        stored = self.errors.stored(target, old, hits).astype(np.uint8)
        self.counts += counts_of(target, old, stored)
        return stored

    @property
    def counters(self) -> Numbers:
        """The four counters, in the order in which benches write them."""
        of = self.counts
        return [of.written, of.switched, of.err1, of.err0]


def buffers(of: Parameters, count: int, seed: int) -> Vectors:
    """Cases of buffer_mem: its registers, and words to write; the memory goes on from the last."""
    rng, width, depth = np.random.default_rng(seed), of["Width"], of["Depth"]
    registers = _Registers(rng)
    words, address = np.zeros((depth, width), np.uint8), 0
    cases = []
    for number in range(count):
        begin, command = registers.set(number == 0)
        if command & SOFT_RESET:
            words, address = np.zeros_like(words), 0
        target = rng.integers(2, size=(of["Words"], width), dtype=np.uint8)
        hits = registers.errors.hits(target, registers.position)
        if registers.errors.mode != "off":
            registers.position += target.size
        passed = []
        for bits, hit in zip(target, hits, strict=True):
            words[address] = registers.write(bits, words[address], hit)
            passed.append(words[address].copy())
            address = (address + 1) % depth
        inputs = with_noise(rng, numbers_of(target), width)
        cases.append(Case(begin + inputs, numbers_of(np.stack(passed)) + registers.counters))
    return Vectors(cases)


def weights(of: Parameters, count: int, seed: int) -> Vectors:
    """Cases of weight_mem: its registers and some accesses, a few outside the memory.

    A fourth of the cases writes the whole memory in order, as a host does.
    """
    rng, width, depth = np.random.default_rng(seed), of["Width"], of["Depth"]
    segments = -(-width // 32)
    registers = _Registers(rng)
    words = np.zeros((depth, 32 * segments), np.uint8)
    cases = []
    for number in range(count):
        begin, _ = registers.set(number == 0)
        accesses = _accesses(rng, depth, segments)
        inputs, answers = [*begin, len(accesses)], []
        for write, word, segment in accesses:
            target = rng.integers(2, size=32, dtype=np.uint8)
            (packed,) = numbers_of(target[None])
            inputs.append(int(write) << 56 | segment << 48 | word << 32 | packed)
            answer = 0
            if word < depth and segment < segments:
                place = words[word, 32 * segment : 32 * segment + 32]
                if write:
                    used = min(32, width - 32 * segment)
                    hits = registers.errors.hits(target, registers.position)[:used]
                    place[:used] = registers.write(target[:used], place[:used].copy(), hits)
                    registers.position += 32 * (registers.errors.mode != "off")
                (answer,) = numbers_of(place[None])
            answers.append(answer)
        cases.append(Case(inputs, answers + registers.counters + numbers_of(words)))
    return Vectors(cases)


def _accesses(rng: np.random.Generator, depth: int, segments: int) -> list[tuple[bool, int, int]]:
    """Accesses of a case: whether each writes, its word and its segment."""
    if rng.random() < 0.25:
        return [(True, word, segment) for word in range(depth) for segment in range(segments)]
    return [
        (bool(rng.random() < 0.7), int(rng.integers(depth + 1)), int(rng.integers(segments + 1)))
        for _ in range(int(rng.integers(1, 24)))
    ]
