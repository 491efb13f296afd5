"""Checks of the decoders of coded weights: errors put into the words, and what becomes of them."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import numpy as np

from spinflow.host.board.registers import Snapshot
from spinflow.host.board.selftest.bench import Bench
from spinflow.host.board.selftest.results import Check, raise_if
from spinflow.host.core.bundle import MemoryInfo
from spinflow.host.core.description import Code, products_of
from spinflow.host.core.packing import Bits, bits_of, words_of
from spinflow.host.core.secded import CodeCounts


class CodeChecks:
    """The checks of one accelerator with coded weights; none where no weights are coded."""

    def __init__(self, bench: Bench) -> None:
        self._bench = bench
        self._device = bench.device
        self._coded = [memory for memory in bench.weights if memory.code is not None]

    def checks(self) -> Iterator[Check]:
        """Give the checks, in their order."""
        if self._coded:
            yield "decoders, one error", partial(self._errors, 1)
            yield "decoders, two errors", partial(self._errors, 2)

    def _errors(self, errors: int) -> str:
        """Store so many errors in each code word, at places that go through all its bits."""
        self._bench.exact()
        self._bench.stale = True
        for memory in self._coded:
            assert memory.code is not None
            bits = bits_of(self._bench.words(memory, None), memory.width)
            self._device.store(memory, words_of(spoilt(memory.code, bits, errors)))
        count = self._bench.images(2)
        self._device.soft_reset()
        labels = self._device.run(self._bench.golden.images[:count])
        if errors == 1:
            self._bench.compare_labels(labels, count)
        seen = self._device.snapshot()
        raise_if(
            [line for memory in self._coded for line in self._unlike(memory, seen, count, errors)]
        )
        words = sum(seen.codes[memory.name].read for memory in self._coded)
        what = "corrected, labels as without" if errors == 1 else "detected"
        return f"all of {words} code words of {len(self._coded)} memories {what}; {count} images"

    def _unlike(self, memory: MemoryInfo, seen: Snapshot, count: int, errors: int) -> list[str]:
        """Compare what a decoder counted: it reads all words for each window of each image."""
        assert memory.code is not None
        rows, columns, _ = products_of(self._bench.bundle.layers)[memory.index].shape
        read = count * rows * columns * memory.depth * memory.code.words
        expected = CodeCounts(read, read, 0) if errors == 1 else CodeCounts(read, 0, read)
        return unlike_codes(memory, seen.codes[memory.name], expected)


def spoilt(code: Code, bits: Bits, errors: int) -> Bits:
    """Return stored words (n, width) with 1 or 2 wrong bits in each code word."""
    found = bits.copy()
    rows = np.arange(len(bits))
    for word in range(code.words):
        data = min(code.word, code.data - word * code.word)
        for error in range(errors):
            place = (rows + word + error) % (data + code.check)
            check = code.data + word * code.check + place - data
            found[rows, np.where(place < data, word * code.word + place, check)] ^= 1
    return found


def unlike_codes(memory: MemoryInfo, found: CodeCounts, expected: CodeCounts) -> list[str]:
    """Return what is wrong with what a decoder counted, nothing where it is as expected."""
    if found == expected:
        return []
    said = (
        f"{each.read} code words read, {each.corrected} corrected, {each.detected} detected"
        for each in (found, expected)
    )
    return [f"the decoder of {memory.name} counted " + "; ".join(said) + " expected"]
