"""Images per second through the PYNQ driver on the virtual board.

`python -m tools.bench_driver BUNDLE` prints JSON: images per second of wall clock over the whole
way, driver, DMA and Verilated RTL, and the simulated cycles of a frame.
"""

import json
import statistics
import sys
import time
from pathlib import Path

from spinflow.host.board.driver import Accelerator
from spinflow.host.core import bundle
from spinflow.host.core.test_sets import images_for
from spinflow.model.zoo import ENTRIES

IMAGES = 2_000
"""Of a perceptron; a convolutional network takes as many as a sweep of it on the RTL."""
REPEATS = 5


def main() -> None:
    """Measure one bundle."""
    loaded = bundle.load(Path(sys.argv[1]))
    entry = ENTRIES.get(loaded.network)
    count = entry.images if entry is not None and len(entry.spec.shape) == 3 else IMAGES
    tests = images_for(loaded, count)
    with Accelerator(loaded) as accel:
        start = time.perf_counter()
        accel.write_weights()
        load_s = time.perf_counter() - start
        accel.soft_reset()
        speeds = []
        for _ in range(REPEATS):
            start = time.perf_counter()
            labels = accel.run(tests.images)
            speeds.append(count / (time.perf_counter() - start))
        snapshot = accel.snapshot()
    cycles = snapshot.cycles / snapshot.frames
    figures = {
        "images": count,
        "accuracy": float((labels == tests.labels).mean()),
        "images_per_s": statistics.median(speeds),
        "images_per_s_min": min(speeds),
        "images_per_s_max": max(speeds),
        "weights_load_s": load_s,
        "cycles_per_frame": cycles,
        "frames_per_s_at_100_mhz_simulated_cycles": 1e8 / cycles,
    }
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
