"""Windows over a map, for the benches of the sliding windows: their words, and when these can go.

Words of a map are numbered in the order in which they come.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from tests.hw.benches.base import Bench, Sink, Source, equal, parameter


@dataclass(frozen=True)
class Windows:
    """Rows and columns of a map, of a window and of its steps; words of a pixel."""

    size: tuple[int, int]
    kernel: tuple[int, int]
    stride: tuple[int, int]
    folds: int

    @staticmethod
    def of_parameters(folds: int) -> Windows:
        """The windows that the module under test has."""
        size, kernel, stride = (
            (parameter(f"{name}Rows"), parameter(f"{name}Columns"))
            for name in ("", "Kernel", "Stride")
        )
        return Windows(size, kernel, stride, folds)

    @property
    def words(self) -> int:
        """Words of a map."""
        return self.size[0] * self.size[1] * self.folds

    def numbers(self) -> np.ndarray[Any, np.dtype[np.int64]]:
        """Numbers of the words of each window: windows x words of one."""
        numbers = np.arange(self.words).reshape(*self.size, self.folds)
        views = np.lib.stride_tricks.sliding_window_view(numbers, self.kernel, axis=(0, 1))
        strided = views[:: self.stride[0], :: self.stride[1]]  # rows, columns, folds, kernel
        return strided.transpose(0, 1, 3, 4, 2).reshape(
            -1, self.kernel[0] * self.kernel[1] * self.folds
        )

    def needed(self) -> int:
        """Places of a buffer in which windows slide as fast as they can word by word."""
        rows, columns = self.size[1] * (self.kernel[0] - 1), self.kernel[1]
        pixels = self.kernel[0] * self.kernel[1]
        across = max(0, self.stride[1] - 1 - pixels)
        down = max(0, (self.stride[0] - 1) * self.size[1] - pixels)
        return (rows + columns + across + down) * self.folds

    def read_times(self, depth: int, frames: int) -> list[int]:
        """In which cycle each word of the windows of some frames is read, if nobody has to wait.

        A word is there in the cycle after it came. It can come if fewer than `depth` words lie from
        the first one that is still to be read on to it.
        """
        reads = self.numbers().ravel()
        order = np.concatenate([reads + self.words * frame for frame in range(frames + 1)])
        still_needed = np.minimum.accumulate(order[::-1])[::-1]  # of all reads from each one on
        times: list[int] = []
        came, cycle = 0, 0
        while len(times) < len(reads) * frames:
            place = len(times)
            is_there, has_room = order[place] < came, came - still_needed[place] < depth
            if is_there:
                times.append(cycle)
            came += int(has_room)
            cycle += 1
        return times


class WindowBench(Bench):
    """A sliding window with a stream at both ends."""

    def __init__(self, dut: Any, windows: Windows) -> None:
        super().__init__(dut)
        self.windows = windows
        self.bits = parameter("Bits")
        self.source = Source(self, dut.in_data_i, dut.in_valid_i, dut.in_ready_o)
        self.sink = Sink(self, dut.out_data_o, dut.out_valid_o, dut.out_ready_i)
        self.expected: list[int] = []

    def joined(self, words: list[int]) -> Iterator[int]:
        """The words of a window as the module gives them out."""
        yield from words

    def send(self, maps: int) -> None:
        """Queues maps of random words with noise above their bits."""
        mask = (1 << self.bits) - 1
        for _ in range(maps):
            words = [self.rng.getrandbits(len(self.source.data)) for _ in range(self.windows.words)]
            self.source.queue.extend(words)
            for window in self.windows.numbers().tolist():
                self.expected += self.joined([words[number] & mask for number in window])

    async def start(self) -> None:
        """Reset."""
        await self.reset()
        self.expected.clear()

    async def finish(self) -> None:
        """Waits for all windows and compares them."""
        await self.until(lambda: len(self.sink.words) >= len(self.expected), "the last window")
        await self.cycles(self.windows.words)
        equal(self.sink.words, self.expected, "word")
        assert not self.source.queue

    async def random_timing(self) -> None:
        """Maps back to back with random valid and ready, and resets within a map."""
        await self.start()
        for source, sink in (0.7, 0.7), (1.0, 0.3), (0.3, 1.0), (1.0, 1.0):
            self.source.rate, self.sink.rate = source, sink
            self.send(3)
            await self.finish()
            self.send(2)
            await self.cycles(self.rng.randrange(1, 2 * self.windows.words))
            await self.start()
        self.send(2)
        await self.finish()
