"""binary_mvu, bits or pixels: random weights, inputs and timing against lists; resets, speed."""

from __future__ import annotations

from collections import deque
from typing import Any

import cocotb

from tests.hw.benches.base import Bench, Sink, Source, equal, parameter
from tests.hw.benches.memories import WEIGHT_LATENCY
from tests.hw.models import (
    padded_places,
    pixel_layer,
    popcount_layer,
    popcount_stages,
    word_of,
    zero_padded_layer,
)


class MvuBench(Bench):
    """The unit between two streams, with its weights in a list that answers as weight_mem does."""

    def __init__(self, dut: Any) -> None:
        super().__init__(dut)
        self.mw, self.mh = parameter("Mw"), parameter("Mh")
        self.pe, self.simd = parameter("Pe"), parameter("Simd")
        self.in_bits, self.out_bits = parameter("InBits"), parameter("OutBits")
        self.zero_pad = parameter("Window", 0) != 0
        width = (
            ((2 if self.zero_pad else 1) * self.mw + 1).bit_length()
            if self.in_bits == 1
            else (255 * self.mw + 1).bit_length() + 1
        )
        packed = parameter("Thresholds")
        limits = [packed >> n * width & (1 << width) - 1 for n in range(self.mh)]
        if self.in_bits == 8:
            limits = [limit - (limit >> width - 1 << width) for limit in limits]
        self.thresholds = limits if parameter("HasThreshold") else None
        self.windows = self.padding() if self.zero_pad else [[False] * self.mw]
        self.window = 0  # that comes next
        self.source = Source(self, dut.in_data_i, dut.in_valid_i, dut.in_ready_o)
        self.sink = Sink(self, dut.out_data_o, dut.out_valid_o, dut.out_ready_i)
        self.expected: list[int] = []
        self.new_weights()

    def padding(self) -> list[list[bool]]:
        """Of each window of a map which inputs are padding."""
        numbers = [parameter("Window") >> 16 * n & 0xFFFF for n in reversed(range(10))]
        size, corner, kernel, stride, windows = zip(numbers[::2], numbers[1::2], strict=True)
        places = padded_places(size, kernel, stride, corner, windows)
        channels = self.mw // len(places[0])
        return [[pixel for pixel in window for _ in range(channels)] for window in places]

    def new_weights(self) -> None:
        """Random weights, by output and input, and the same folded into words."""
        self.weights = [[self.rng.getrandbits(1) for _ in range(self.mw)] for _ in range(self.mh)]
        sf = self.mw // self.simd
        self.memory = [
            word_of([self.weights[n // sf * self.pe + p][n % sf * self.simd + s]
                     for p in range(self.pe) for s in range(self.simd)])
            for n in range(self.mh // self.pe * sf)
        ]  # fmt: skip
        self.read: deque[int | None] = deque([None] * WEIGHT_LATENCY)

    async def cycle(self, **inputs: int) -> None:
        """One cycle; a word that was asked for arrives WEIGHT_LATENCY later, and only then."""
        word = self.read.popleft()
        if word is None:
            word = self.rng.getrandbits(self.pe * self.simd)
        await super().cycle(mem_rdata_i=word, **inputs)
        enabled = int(self.dut.mem_en_o.value)
        self.read.append(self.memory[int(self.dut.mem_addr_o.value)] if enabled else None)

    def send(self, frames: int) -> None:
        """Queues frames, some close to a row of weights, so that sums reach both ends."""
        top = (1 << self.in_bits) - 1
        layer = popcount_layer if self.in_bits == 1 else pixel_layer
        for _ in range(frames):
            row = self.rng.choice(self.weights)
            inputs = self.rng.choice([
                [self.rng.randint(0, top) for _ in range(self.mw)],
                [self.rng.choice([0, top]) for _ in range(self.mw)],
                [top * bit for bit in row], [top * (1 - bit) for bit in row],
            ])  # fmt: skip
            padded = self.windows[self.window]
            self.window = (self.window + 1) % len(self.windows)
            inputs = [0 if out else x for x, out in zip(inputs, padded, strict=True)]
            for start in range(0, self.mw, self.simd):
                part = inputs[start : start + self.simd]
                used = self.simd * self.in_bits
                padding = self.rng.getrandbits(8) << used & (1 << len(self.source.data)) - 1
                self.source.queue.append(packed_word(part, self.in_bits) | padding)
            if self.zero_pad:
                assert self.thresholds is not None
                limits = [limit - self.mw for limit in self.thresholds]
                outputs = zero_padded_layer(inputs, padded, self.weights, limits)
            else:
                outputs = layer(inputs, self.weights, self.thresholds)
            for start in range(0, self.mh, self.pe):
                self.expected.append(packed_word(outputs[start : start + self.pe], self.out_bits))

    async def finish(self) -> None:
        """Waits for the outputs and compares them."""
        await self.until(lambda: len(self.sink.words) >= len(self.expected), "the last output")
        await self.cycles(8)
        equal(self.sink.words, self.expected, "output word")

    async def start(self) -> None:
        """Reset of the unit."""
        await self.reset()
        self.expected.clear()
        self.read = deque([None] * WEIGHT_LATENCY)
        self.window = 0


def packed_word(values: list[int], width: int) -> int:
    """The word of these numbers, lowest first; negative ones in two's complement."""
    return sum((value & (1 << width) - 1) << width * i for i, value in enumerate(values))


@cocotb.test()
async def test_random_timing(dut: Any) -> None:
    """Back-to-back frames with random valid and ready, and other weights in between."""
    bench = MvuBench(dut)
    await bench.start()
    for source, sink in (1.0, 1.0), (0.5, 0.5), (1.0, 0.1), (0.1, 1.0):
        bench.new_weights()
        bench.source.rate, bench.sink.rate = source, sink
        # Whole maps and the beginning of one.
        bench.send(6 if len(bench.windows) == 1 else 2 * len(bench.windows) + 3)
        await bench.finish()


@cocotb.test()
async def test_reset_in_the_middle(dut: Any) -> None:
    """A reset inside a frame: the next word is the first of a frame again."""
    bench = MvuBench(dut)
    await bench.start()
    for _ in range(4):
        bench.source.rate, bench.sink.rate = 0.9, 0.5
        bench.send(3)
        await bench.cycles(bench.rng.randrange(2, 2 * len(bench.memory) + 12))
        await bench.start()
        bench.send(3)
        await bench.finish()


@cocotb.test()
async def test_full_throughput(dut: Any) -> None:
    """The folding's cycles a frame, no bubble between frames, and the latency that is promised."""
    bench = MvuBench(dut)
    await bench.start()
    bench.send(8)
    begin = bench.cycle_number
    await bench.finish()
    sf = bench.mw // bench.simd
    steps = len(bench.memory)
    # Both ends counted.
    latency = sf + 1 + WEIGHT_LATENCY
    if sf > 1 and bench.mh > bench.pe:
        latency += 1  # of the buffer
    if bench.in_bits == 8:
        groups = -(-bench.simd // 3)
        latency += 1 + (groups - 1).bit_length()  # their weights come a cycle later
    else:
        latency += popcount_stages(bench.simd) + bench.zero_pad
    assert bench.sink.cycles[0] - begin + 1 == latency
    for number, cycle in enumerate(bench.sink.cycles):
        frame, output = divmod(number, bench.mh // bench.pe)
        assert cycle - bench.sink.cycles[0] == frame * steps + output * sf, "a bubble"
