"""window_words: the words of all windows in order, each in the cycle in which it can first go."""

from __future__ import annotations

from typing import Any

import cocotb

from tests.hw.benches.base import parameter
from tests.hw.benches.sliding import WindowBench, Windows

FRAMES = 5


def bench_of(dut: Any) -> WindowBench:
    """The bench of this module."""
    return WindowBench(dut, Windows.of_parameters(parameter("Folds")))


@cocotb.test()
async def test_random_timing(dut: Any) -> None:
    """Back-to-back maps with random valid and ready, and resets in between."""
    await bench_of(dut).random_timing()


@cocotb.test()
async def test_full_throughput(dut: Any) -> None:
    """Every word goes in the first cycle that the buffer's size and the order of words allow."""
    bench = bench_of(dut)
    await bench.start()
    in_block = bool(parameter("BlockRam", 0))
    depth = bench.windows.needed()
    depth = max(depth, 2) if in_block else 32 if depth <= 32 else -(-depth // 64) * 64
    bench.send(FRAMES)
    begin = bench.cycle_number
    await bench.finish()
    latency = 2 if in_block else 1
    times = [begin + latency + cycle for cycle in bench.windows.read_times(depth, FRAMES)]
    late = [(a, b) for a, b in zip(bench.sink.cycles, times, strict=True) if a != b]
    assert not late, f"words in cycles other than expected: {late[:5]}"


@cocotb.test()
async def test_a_slow_receiver_fills_the_buffer(dut: Any) -> None:
    """All that there is room for comes in while nothing goes out."""
    bench = bench_of(dut)
    await bench.start()
    bench.sink.rate = 0.0
    bench.send(3)
    await bench.cycles(2 * bench.windows.words + 200)
    assert bench.source.taken >= min(3 * bench.windows.words, bench.windows.needed())
    bench.sink.rate = 1.0
    await bench.finish()
