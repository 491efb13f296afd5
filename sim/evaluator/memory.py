"""The evaluator's MRAM memories: packed bits, how writing them errs, what was counted.

A memory is one line of bits in the order of their positions. Both kinds are written alike: a bit
meets what was stored `size` bits earlier, which for weights is the last write of the same place
and for a buffer the word one depth before. So the bits last stored are kept in front of the new.
"""

from __future__ import annotations

import copy
import math
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spinflow.host.core.cells import CellRates
from spinflow.host.core.description import MemoryInfo
from spinflow.host.core.memory import MODES, Counts
from spinflow.host.core.secded import CodeCounts
from spinflow.sim.evaluator.cells import CellLines, lines_of
from spinflow.sim.evaluator.coded import Coder
from spinflow.sim.evaluator.draws import Draws
from spinflow.sim.evaluator.kernels import bits as bit_kernels
from spinflow.sim.evaluator.kernels import fast_stream, streams, writes
from spinflow.sim.memories import Cells

STREAMS = ("hardware", "fast")
WORDS_WORTH_A_THREAD = 4096  # 64-bit words of memory traffic; less is done at once


class Workers:
    """Threads that share the range of a compiled function."""

    def __init__(self, threads: int | None = None) -> None:
        """Raises ValueError for less than one thread; by default all cores that we may use."""
        self.threads = len(os.sched_getaffinity(0)) if threads is None else threads
        if self.threads < 1:
            raise ValueError(f"{threads} threads cannot compute: take at least 1")
        self._pool = ThreadPoolExecutor(self.threads) if self.threads > 1 else None
        self._rooms: dict[str, NDArray[np.uint64]] = {}

    def room(self, name: str, *shape: int) -> NDArray[np.uint64]:
        """Return an array that is used again under its name; what was in it may still be there."""
        size = math.prod(shape)
        if name not in self._rooms or self._rooms[name].size < size:
            self._rooms[name] = np.zeros(size, np.uint64)
        return self._rooms[name][:size].reshape(shape)

    def share(self, job: Callable[[int, int], Any], size: int, least: int = 1) -> None:
        """Call job(lo, hi) for parts of range(size); parts are at least `least` long."""
        # Two parts a thread, since other programs may slow one down.
        parts = 1 if self._pool is None else min(2 * self.threads, size // max(least, 1))
        if self._pool is None or parts < 2:
            job(0, size)
            return
        edges = [size * part // parts for part in range(parts + 1)]
        for future in [self._pool.submit(job, lo, hi) for lo, hi in pairwise(edges)]:
            future.result()


def check_stream(stream: str) -> None:
    """Raise ValueError unless there is a random stream of this name."""
    if stream not in STREAMS:
        raise ValueError(f"there is no stream {stream!r}; the streams are {', '.join(STREAMS)}")


class PackedMemory(Cells):
    """One memory, with bits all 0.

    Attributes:
        writes: how often it was written: what is made of its bits is stale when that grows.
        draws: which several trials share; None where it makes its own.
        coder: encodes and decodes its words; None where they are not coded.
    """

    def __init__(self, info: MemoryInfo, stream: str, workers: Workers) -> None:
        super().__init__(info)
        self.stream, self.workers = stream, workers
        self.writes = 0
        self.draws: Draws | None = None
        self._lines: CellLines | None = None
        self.size = self.depth * self.width
        self._cells = np.zeros(-(-self.size // 64) + 1, np.uint64)
        self._hits = np.zeros((2, 0), np.uint64)
        self.coder = None if info.code is None else Coder(info.code, workers)
        self._decoded: tuple[PackedMemory, CodeCounts] | None = None

    @property
    def bits(self) -> NDArray[Any]:
        """What is stored, uint8 (depth, width). For a buffer in the order of writing."""
        packed = self.packed().view(np.uint8)
        return np.unpackbits(packed, count=self.size, bitorder="little").reshape(
            self.depth, self.width
        )

    def packed(self) -> NDArray[Any]:
        """The bits last stored, oldest first: uint32, and at least one word to spare."""
        return self._cells[: -(-self.size // 64) + 1].view(np.uint32)

    def empty(self) -> PackedMemory:
        """Return another of its kind and size, with bits all 0 and errors off."""
        return PackedMemory(self.info, self.stream, self.workers)

    def copied(self) -> PackedMemory:
        """Return another with the same contents, settings and counts."""
        found = copy.copy(self)
        found._cells = self._cells[: -(-self.size // 64) + 1].copy()
        found._hits = np.zeros((2, 0), np.uint64)
        found._decoded = None
        return found

    def set_cells(self, cells: CellRates | None) -> None:
        """Give each cell its own rates; None ends it. ValueError if it is of another size."""
        super().set_cells(cells)
        segmented = self.kind == "weights" and self.stream == "hardware"
        self._lines = None if cells is None else lines_of(cells, segmented)

    def data(self) -> PackedMemory:
        """Return the memory as it is read: itself, or one without check bits."""
        if self.coder is None:
            return self
        if self._decoded is None or self._decoded[0].writes != self.writes:
            info = replace(self.info, width=self.info.data_width, code=None)
            found = PackedMemory(info, self.stream, self.workers)
            _, counts = self.coder.decode(self.packed(), self.depth, found._cells)
            found.writes = self.writes
            self._decoded = found, counts
        return self._decoded[0]

    def count_reads(self, times: int) -> None:
        """Count that all words were read so often."""
        self.data()
        if self._decoded is not None:
            self.code_counts += self._decoded[1].times(times)

    def write_data(self, line: NDArray[np.uint64], bits: int) -> NDArray[np.uint32]:
        """Write packed bits without check bits, settle, and return what is read of them.

        The result is uint32 with a word to spare, and valid until the next write.
        """
        if self.coder is None:
            stored: NDArray[np.uint32] = self.write(line, bits)
            self.settle(bits)
            return stored
        words = bits // self.info.data_width
        coded = words * self.width
        read, counts = self.coder.decode(self.write(self.coder.encode(line, words), coded), words)
        self.settle(coded)
        self.code_counts += counts
        return read.view(np.uint32)

    def zero(self) -> None:
        """Make every stored bit 0."""
        self._cells[:] = 0

    def write(self, target: NDArray[Any], bits: int) -> NDArray[Any]:
        """Write packed bits (uint64, at least bits / 64 words), and return what is stored then.

        The result is uint32 with a word to spare, and valid until the next write.
        """
        self._reserve(bits)
        self._hold_stuck()
        first, hits = self._draw(bits)
        self.pass_words(bits // self.width)
        counts = np.zeros(3, np.int64)
        depth, words = self.size // 64, bits // 64
        if self.size % 64 or bits % 64 or first:
            modes = MODES.index(self.mode) if hits is not None else 0
            flags = (self._hits if hits is None else hits).view(np.uint32)
            writes.write_unaligned(
                modes, target.view(np.uint32), flags[0], flags[self._second],
                first, self._cells.view(np.uint32), self.size, bits, counts,
            )  # fmt: skip
        else:
            self._write_words(target, hits, depth, words)
            parts: list[NDArray[Any]] = []

            def count(lo: int, hi: int) -> None:
                parts.append(np.zeros(3, np.int64))
                writes.count_write(target, self._cells, depth, parts[-1], lo, hi)

            self.workers.share(count, words, WORDS_WORTH_A_THREAD)
            counts = np.sum(parts, axis=0, dtype=np.int64)
        self.counts += Counts(bits, int(counts[0]), int(counts[1]), int(counts[2]))
        self.writes += 1
        if self.size % 32 == 0:
            stored = self._cells.view(np.uint32)[self.size // 32 :]
        else:
            stored = np.zeros(-(-bits // 32) + 1, np.uint32)
            bit_kernels.copy_bits(stored, 0, self._cells.view(np.uint32), self.size, bits)
        return stored

    def pass_on(
        self, target: NDArray[np.uint64], out: NDArray[np.uint64], bits: int
    ) -> NDArray[np.uint64] | None:
        """Write packed bits, and return what is stored: the target where no bit can err, else out.

        None if this write needs `write`, and nothing was done.
        """
        depth, words = self.size // 64, bits // 64
        if self.size % 64 or bits % 64 or words < depth or (self._errs and self.position % 32):
            return None
        self._hold_stuck()
        stream = self.index, self.seed, self.stream
        if self._shares and self.draws is not None and self.draws.are_shared(stream):
            thresholds = self.threshold1, self.threshold0
            hits: Any = self.draws.hits(stream, self.position, words, thresholds)
            self.position += bits
        else:
            _, hits = self._draw(bits)
        self.pass_words(words * 64 // self.width)
        counts = np.zeros(3, np.int64)
        if hits is None:
            writes.count_switched(target, self._cells, depth, words, counts)
            out = target
        elif self.mode == "flip":
            writes.pass_flipped(
                target, hits[0], hits[self._second], self._cells, depth, out, words, counts
            )
        else:
            writes.pass_switched(
                target, hits[0], hits[self._second], self._cells, depth, out, words, counts
            )
        self.counts += Counts(bits, int(counts[0]), int(counts[1]), int(counts[2]))
        self.writes += 1
        self._cells[:depth] = out[words - depth : words]
        return out

    def want_draws(self, draws: Draws | None) -> None:
        """Share draws with other trials from now on; None ends it."""
        self.draws = draws
        if draws is not None and self._shares:
            draws.want((self.index, self.seed, self.stream), (self.threshold1, self.threshold0))

    @property
    def _errs(self) -> bool:
        """Whether a write may err."""
        if self._lines is not None:
            return self.mode != "off" and self._lines.errs
        return self.mode != "off" and max(self.threshold1, self.threshold0) > 0

    @property
    def _shares(self) -> bool:
        """Whether other trials with its seed may take its draws: each cell alike, and some err."""
        return self._errs and self._lines is None

    def _hold_stuck(self) -> None:
        """Let stuck cells hold their values, before a write that may err."""
        if self._lines is not None and self.mode != "off":
            self._lines.hold(self._cells, self.address * self.width)

    def write_rows(self, segments: NDArray[Any]) -> None:
        """Write all words, uint32 (depth, segments); bits beyond the width are ignored."""
        target = np.zeros(-(-self.size // 64) + 1, np.uint64)
        rows = np.ascontiguousarray(segments, dtype=np.uint32)
        line = target.view(np.uint32)
        if self.width % 32 == 0:
            line[: rows.size] = rows.reshape(-1)
        else:
            bit_kernels.pack_rows(rows, self.width, line, 0, self.depth)
        self.write(target, self.size)
        self.settle(self.size)

    def read_rows(self) -> NDArray[np.uint32]:
        """Return all words: uint32 (depth, segments)."""
        segments = np.zeros((self.depth, -(-self.width // 32)), np.uint32)
        bit_kernels.unpack_rows(self.packed(), 0, self.width, segments)
        return segments

    def settle(self, bits: int) -> None:
        """End a write of `bits` bits: the last `size` stored are the old ones of the next."""
        cells = self._cells.view(np.uint32)
        bit_kernels.copy_bits(cells, 0, cells, bits, self.size)

    def _reserve(self, bits: int) -> None:
        """Makes room for `bits` new bits after the old ones."""
        # Zeros up to the whole word behind the bits: nobody may see what a longer write left.
        needed = -(-(self.size + bits) // 64) + 1
        if len(self._cells) < needed:
            larger = np.zeros(needed, np.uint64)
            larger[: len(self._cells)] = self._cells
            self._cells = larger

    @property
    def _second(self) -> int:
        """Which row of hits belongs to targets of 0: the same if the rates are."""
        if self._lines is not None:
            return 0 if self._lines.lines[0] is self._lines.lines[1] else 1
        return 0 if self.threshold1 == self.threshold0 else 1

    def _draw(self, bits: int) -> tuple[int, NDArray[Any] | None]:
        """Draws hits for the next write; returns where its first bit is in them, and them."""
        if self.mode == "off":
            return 0, None
        first = self.position % 32
        start = self.position - first
        # The fast stream is not the hardware's, which takes whole segments of weights.
        positions = bits if self.stream == "fast" else self.positions(bits // self.width)
        self.position += positions
        if not self._errs:
            return first, None
        words = -(-(first + positions) // 64)
        self._hits = self.workers.room("hits", 2, words + 1)  # a word to spare
        if self._lines is None:
            self._draw_words(start, 2 * words)
        else:
            phase = self.address * self.width - first
            for row in {0, self._second}:
                self._draw_cells(self._lines, row, (start, phase), 2 * words)
        if positions == bits:
            return first, self._hits
        packed = np.zeros((2, -(-bits // 64) + 1), np.uint64)
        for row in {0, self._second}:
            drawn = self._hits[row].view(np.uint32)[: positions // 32]
            rows = drawn.reshape(bits // self.width, -1)
            bit_kernels.pack_rows(rows, self.width, packed[row].view(np.uint32), 0, len(rows))
        return 0, packed

    def _draw_words(self, start: int, words: int) -> None:
        """Fills so many 32-bit words of hits, from position `start` on."""
        flags = self._hits.view(np.uint32)
        hits1, hits0 = flags[0], flags[self._second]
        thresholds = self.threshold1, self.threshold0
        if self.stream == "fast":
            # A generator serves a block of positions, so a part should hold some blocks.
            least = 4 * fast_stream.STREAM_BLOCK // 32
            edges = np.array(thresholds[: self._second + 1], np.int64)
            self.workers.share(
                lambda lo, hi: fast_stream.hits_of_fast(
                    self.seed, self.index, start, edges, flags, lo, hi
                ),
                words,
                least,
            )
        else:
            self.workers.share(
                lambda lo, hi: streams.hits_of_hardware(
                    self.seed, start, *thresholds, hits1, hits0, lo, hi
                ),
                words,
                WORDS_WORTH_A_THREAD // 4,
            )

    def _draw_cells(self, lines: CellLines, row: int, at: tuple[int, int], words: int) -> None:
        """As _draw_words for one row of hits, each cell by its own threshold.

        Args:
            lines: of the cells.
            row: of hits, 0 for written ones.
            at: the position of the first hit, and the number of its cell.
            words: of 32 hits.
        """
        line, hits = lines.lines[row], self._hits.view(np.uint32)[row]
        start, phase = at[0], at[1] % line.size
        if self.stream == "fast":
            edges = line.thresholds, phase, line.highest, line.is_dense
            self.workers.share(
                lambda lo, hi: fast_stream.hits_of_cells(
                    self.seed, self.index, start, *edges, hits, lo, hi
                ),
                words,
                4 * fast_stream.STREAM_BLOCK // 32,
            )
        else:
            self.workers.share(
                lambda lo, hi: streams.hits_of_cells(
                    self.seed, start, line.thresholds, line.leading, phase, hits, lo, hi
                ),
                words,
                WORDS_WORTH_A_THREAD // 4,
            )

    def _write_words(
        self, target: NDArray[Any], hits: NDArray[Any] | None, depth: int, words: int
    ) -> None:
        """A write of whole 64-bit words over whole words."""
        cells = self._cells
        if hits is None:
            self.workers.share(
                lambda lo, hi: writes.store_exact(target, cells, depth, lo, hi),
                words,
                WORDS_WORTH_A_THREAD,
            )
        elif self.mode == "flip":
            self.workers.share(
                lambda lo, hi: writes.store_flipped(
                    target, hits[0], hits[self._second], cells, depth, lo, hi
                ),
                words,
                WORDS_WORTH_A_THREAD,
            )
        else:
            # A word depends on the one before it in its column, so threads take columns.
            laps = -(-words // depth)
            self.workers.share(
                lambda lo, hi: writes.store_switched(
                    target, hits[0], hits[self._second], cells, depth, words, lo, hi
                ),
                depth,
                math.ceil(WORDS_WORTH_A_THREAD / max(laps, 1)),
            )
