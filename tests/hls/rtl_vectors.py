"""The RTL on the vectors of an HLS kernel: what its C simulation read and wrote, in and out.

A cocotb bench for the modules of the same names; VECTORS names the folder of the C simulation.
"""

from __future__ import annotations

import os
from collections import deque
from pathlib import Path
from typing import Any

import cocotb

from spinflow.hls.kernels import csim
from spinflow.hls.kernels.vectors import CLEAR, RESTART, SOFT_RESET
from tests.hw.benches.base import Bench, Sink, Source, equal, parameter
from tests.hw.benches.draws import DrawServer
from tests.hw.benches.memories import WEIGHT_LATENCY
from tests.hw.models import Config, Counts

FOLDER = Path(os.environ["VECTORS"])
MODULE = os.environ["MODULE"]


def cases() -> list[tuple[deque[int], list[int]]]:
    """The numbers of each case: those that the bench in C++ read, and those that it wrote."""
    files = [(FOLDER / name).read_text().splitlines() for name in (csim.INPUTS, csim.OUTPUTS)]
    rows = [[[int(n, 16) for n in line.split()] for line in lines] for lines in files]
    return [(deque(read), wrote) for read, wrote in zip(*rows, strict=True)]


class VectorBench(Bench):
    """A module between two streams."""

    def __init__(self, dut: Any) -> None:
        super().__init__(dut)
        self.source = Source(self, dut.in_data_i, dut.in_valid_i, dut.in_ready_o)
        self.sink = Sink(self, dut.out_data_o, dut.out_valid_o, dut.out_ready_i)
        self.source.rate, self.sink.rate = 0.9, 0.8

    async def passes(self, words: list[int], expected: list[int], what: str) -> None:
        """Send words and wait for what must come of them."""
        before = len(self.sink.words)
        self.source.queue.extend(words)
        await self.until(lambda: len(self.sink.words) >= before + len(expected), what)
        await self.until(lambda: not self.source.queue, what)
        equal(self.sink.words[before:], expected, what)


async def streams(dut: Any) -> None:
    """bin_maxpool and label_select: words in, words out."""
    bench = VectorBench(dut)
    await bench.reset()
    for number, (words, expected) in enumerate(cases()):
        await bench.passes(list(words), expected, f"word of case {number}")


async def products(dut: Any) -> None:
    """binary_mvu: the case's weights answer as weight_mem does."""

    class Weighted(VectorBench):
        memory: tuple[int, ...] = ()
        read: deque[int]

        async def cycle(self, **inputs: int) -> None:
            await super().cycle(mem_rdata_i=self.read.popleft(), **inputs)
            there = int(self.dut.mem_en_o.value)
            self.read.append(self.memory[int(self.dut.mem_addr_o.value)] if there else 0)

    bench = Weighted(dut)
    bench.read = deque([0] * WEIGHT_LATENCY)
    await bench.reset()
    depth = parameter("Mw") // parameter("Simd") * (parameter("Mh") // parameter("Pe"))
    for number, (words, expected) in enumerate(cases()):
        bench.memory = tuple(words.popleft() for _ in range(depth))
        await bench.passes(list(words), expected, f"word of case {number}")


async def buffers(dut: Any) -> None:
    """buffer_mem: commands are a reset, a restart, or counters that begin anew."""

    class Counting(VectorBench):
        counts = Counts()

        async def cycle(self, **inputs: int) -> None:
            await super().cycle(**inputs)
            count = int(self.dut.count_o.value)
            shifted = [count >> 8 * n & 255 for n in (3, 2, 1, 0)]
            self.counts.add(Counts(*shifted))

    bench = Counting(dut)
    server = DrawServer(bench)
    dut.mode_i.value = dut.restart_i.value = 0
    for number, (words, expected) in enumerate(cases()):
        command, mode, rate1, rate0, seed = (words.popleft() for _ in range(5))
        if command & SOFT_RESET:
            await bench.reset()
        if command & (CLEAR | SOFT_RESET):
            bench.counts = Counts()
        if command & (RESTART | SOFT_RESET):
            server.rate = 0.0
            await bench.cycle(mode_i=mode, restart_i=1)
            server.rate, server.config = 1.0, Config(mode, rate1, rate0, seed)
            await bench.cycle(restart_i=0)
        await bench.passes(list(words), expected[:-4], f"word of case {number}")
        await bench.cycles(4)
        of = bench.counts
        assert [of.written, of.switched, of.err1, of.err0] == expected[-4:], f"case {number}"


@cocotb.test()
async def test_as_the_kernel(dut: Any) -> None:
    """Every case."""
    await {"binary_mvu": products, "buffer_mem": buffers}.get(MODULE, streams)(dut)
