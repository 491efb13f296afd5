"""A convolutional accelerator under random pauses at both ends: the same labels, and no deadlock.

Half of the seeds run with errors in every memory, and compare the counters with the emulator's too.
"""

from __future__ import annotations

import os
import random
from typing import Any

import cocotb
from cocotb.triggers import with_timeout

from spinflow.sim.emulator import Emulator
from tests.hw.benches.accel import BUNDLE, TB
from tests.hw.models import memory_seed

SEEDS = int(os.environ["BENCH_SEEDS"])
FRAMES = 2
RATE = 1 << 26  # one bit in 64
# No design pauses for as long on its own: a frame that takes this many times its cycles hangs.
PATIENCE = 40


@cocotb.test()
async def test_pauses_change_nothing(dut: Any) -> None:
    """Frames back to back, each seed with pauses of its own at the source and the sink."""
    tb = TB(dut)
    emulator = Emulator(BUNDLE)
    await tb.reset()
    for memory in tb.weight_memories():
        segments = emulator.weights(tb.memories[memory]["layer"])
        emulator.write_weights(memory, segments)
        await tb.write_weights(memory, segments)
    limit = PATIENCE * FRAMES * (tb.description["cycles_per_frame"] + 2000) * 10
    for seed in range(SEEDS):
        rng = random.Random(seed)
        await tb.soft_reset()
        emulator.soft_reset()
        mode = ("off", "flip", "off", "switch")[seed % 4]
        for facts in tb.memories:
            if facts["kind"] == "buffer":
                index = facts["index"]
                chosen = memory_seed(2025, seed, index)
                await tb.configure(emulator, index, mode, (RATE, RATE // 4), chosen)
        for end in tb.source, tb.sink:
            end.set_pause_generator(tb.pauses(rng.choice([0.05, 0.3, 0.6, 0.9])))
        start = rng.randrange(len(tb.images) - FRAMES + 1)
        images = tb.images[start : start + FRAMES]
        labels = await with_timeout(cocotb.start_soon(tb.run(images)), limit, "ns")
        assert labels == emulator.run(images)[0].tolist(), f"seed {seed}, mode {mode}"
        if mode == "off":
            assert labels == tb.labels[start : start + FRAMES].tolist(), f"seed {seed}"
        await tb.compare_counters(emulator, FRAMES)
