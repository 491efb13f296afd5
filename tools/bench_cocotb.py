"""The same images through cocotb: what the C++ loop of the virtual board is compared with."""

import json
import os
import time
from pathlib import Path
from typing import Any

import cocotb

from tests.hw.benches.accel import TB

IMAGES = 4


@cocotb.test()
async def measure(dut: Any) -> None:
    """Time a few frames, streams never pausing, and leave the figure where BENCH_OUT says."""
    tb = TB(dut)
    await tb.reset()
    await tb.run(tb.images[:1])
    start = time.perf_counter()
    labels = await tb.run(tb.images[:IMAGES])
    seconds = time.perf_counter() - start
    assert len(labels) == IMAGES
    Path(os.environ["BENCH_OUT"]).write_text(json.dumps({"images_per_s": IMAGES / seconds}))
