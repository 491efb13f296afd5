"""Speed of split draws beside 32 bits made at once for each: `python -m tools.bench_stream`, JSON.

The kernels are those of the evaluator, `hits_of_hardware` and `hits_of_words`, on one core; a trial
is that of `tools.bench_evaluator` on one thread, with the one or the other. All take turns in one
process, so that other load meets both alike, and a ratio is the median over the rounds. `--avx2`
compiles for a processor that has no more.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

POSITIONS = 1 << 21
RATES = [(0.5, 0.5), (0.1, 0.1), (1e-3, 1e-3), (0.3, 0.01), (1e-3, 2e-3)]
ROUNDS = 21
AVX2 = {"NUMBA_CPU_NAME": "haswell", "NUMBA_CPU_FEATURES": "+avx2,+bmi,+bmi2,+popcnt,+lzcnt"}


def ratio(old: Callable[[], Any], new: Callable[[], Any], rounds: int) -> tuple[float, float]:
    """Return how many times as long `old` takes, and the least seconds of `new`."""
    old(), new()
    pairs = []
    for _ in range(rounds):
        seconds = []
        for job in (old, new):
            start = time.perf_counter()
            job()
            seconds.append(time.perf_counter() - start)
        pairs.append(seconds)
    return statistics.median(a / b for a, b in pairs), min(b for _, b in pairs)


def kernels(rounds: int) -> dict[str, Any]:
    """Return by pair of rates how much faster split draws are, and their time, in ns a draw."""
    from spinflow.sim.evaluator.kernels import fast_stream, streams

    hits = np.zeros((2, POSITIONS // 32), np.uint32)
    figures = {}
    for rates in RATES:
        thresholds = [round(rate * 2**32) for rate in rates]
        rows = hits[0], hits[int(rates[0] != rates[1])]
        seeds = iter(range(10 * rounds))

        def run(kernel: Any, limits: Any = thresholds, rows: Any = rows, seeds: Any = seeds) -> Any:
            # A seed of its own each time, so that no branch is foreseen from the last.
            return lambda: kernel(next(seeds), 0, *limits, *rows, 0, hits.shape[1])

        times, seconds = ratio(
            run(fast_stream.hits_of_words), run(streams.hits_of_hardware), rounds
        )
        figures["/".join(map(str, rates))] = {
            "times_as_fast": times,
            "ns_per_draw": 1e9 * seconds / POSITIONS,
        }
    return figures


def in_numpy(rounds: int) -> dict[str, float]:
    """Return by rate how much faster the host's prediction is."""
    from spinflow.host.core import stream
    from tools.random_bytes import permute

    count = 1 << 17
    blocks = np.arange(count // 2, dtype=np.uint32)

    def at_once(limits: Any) -> Any:
        words = np.stack(permute(blocks, np.ones_like(blocks), 8), axis=1)
        return stream.errs(words.reshape(-1), limits)

    figures = {}
    for rate in (0.5, 1e-3):
        limits = np.full(count, round(rate * 2**32), np.uint32)
        figures[str(rate)] = ratio(
            lambda limits=limits: at_once(limits),  # type: ignore[misc]
            lambda limits=limits: stream.hits(1, 0, limits),  # type: ignore[misc]
            rounds,
        )[0]
    return figures


def trials(rounds: int) -> dict[str, Any]:
    """Return by network how much faster a trial is, and how its time is to the fast stream's."""
    from spinflow.sim.evaluator.kernels import fast_stream, streams
    from tools.bench_evaluator import IMAGES, evaluator_run, images_of, network_of

    split = streams.hits_of_hardware
    figures = {}
    for name in IMAGES:
        network, images = network_of(name), images_of(name)
        run = evaluator_run(network, images, "hardware", 1)
        fast = evaluator_run(network, images, "fast", 1)

        def with_kernel(kernel: Any, run: Any = run) -> Any:
            def job() -> None:
                streams.hits_of_hardware = kernel
                run(True)

            return job

        try:
            times, _ = ratio(with_kernel(fast_stream.hits_of_words), with_kernel(split), rounds)
            beside, _ = ratio(with_kernel(split), lambda fast=fast: fast(True), rounds)  # type: ignore[misc]
        finally:
            streams.hits_of_hardware = split
        figures[name] = {"times_as_fast": times, "over_fast_stream": beside}
    return figures


def processor() -> str:
    """Return the processor's name and the widest vectors that it has."""
    lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    found = {line.partition(":")[0].strip(): line.partition(":")[2].strip() for line in lines}
    flags = found.get("flags", "").split()
    units = "AVX-512" if "avx512bw" in flags else "AVX2" if "avx2" in flags else "no AVX2"
    return f"{found.get('model name', 'unknown')}, family {found.get('cpu family')}, {units}"


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--avx2", action="store_true", help="the kernels alone, for AVX2")
    options = parser.parse_args()
    if options.avx2 and not AVX2.keys() <= os.environ.keys():
        environment = {**os.environ, **AVX2}
        sys.exit(subprocess.run([sys.executable, "-m", "tools.bench_stream", *sys.argv[1:]],
                                env=environment, check=False).returncode)  # fmt: skip
    figures: dict[str, Any] = {"processor": processor(), "kernels": kernels(options.rounds)}
    if options.avx2:
        figures["compiled_for"] = "AVX2"
    else:
        figures |= {
            "numpy": in_numpy(options.rounds),
            "trials": trials(max(options.rounds // 2, 1)),
        }
    print(json.dumps({"stream": figures}, indent=2))


if __name__ == "__main__":
    main()
