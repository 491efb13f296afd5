"""Speed of a whole grid of trials, run together, beside the same trials whole and other programs.

`python -m tools.bench_grid` prints JSON. A grid is the default one of a sweep: flip errors at each
rate, in the weights or in the buffers, some repeats, on the same images. What other programs take
for a trial does not depend on its rate, so each runs one trial in a round. All take turns in one
process, with one thread each, as a worker of a sweep has it; times are of the processor, since
other programs may be running.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import pickle
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from spinflow.host.sweep.grid import DEFAULT_RATES
from spinflow.model import data
from spinflow.sim.evaluator import Evaluator, Network
from spinflow.sim.evaluator.processor import COUNTS_VECTORS, LOOKED_UP
from spinflow.sim.sweeps.workers import TOGETHER
from tools.bench_evaluator import (
    LANE_BITS,
    PRINT_PEAK,
    ROOT,
    Runs,
    clock_ghz,
    contenders,
    each_alone,
    quiet,
    tried,
    xnors,
)

IMAGES = {"mlp-mnist": 10_000, "cnv-cifar10": 256, "vgg-cifar10": 64}
BATCHES = {"mlp-mnist": 2_000, "cnv-cifar10": 64, "vgg-cifar10": 32}
KINDS = ("weights", "buffer")
REPEATS = 5
ROUNDS = 3
UNITS = (
    *("sse4_2", "avx", "avx2", "fma", "avx512f", "avx512bw", "avx512_vbmi", "avx512_vnni"),
    *("avx512_vpopcntdq", "avx512_bf16", "amx_int8", "asimd", "sve"),
)
"""Vector units that matter, as Linux calls them."""

Trial = tuple[str, float, int]
"""The kind of memories that err, the rate, and the repeat."""


def processor() -> dict[str, Any]:
    """The processor's name and vector units, as Linux gives them."""
    lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    found = {line.partition(":")[0].strip(): line.partition(":")[2].strip() for line in lines}
    flags = set(found.get("flags", found.get("Features", "")).split())
    return {
        "processor": found.get("model name", "unknown"),
        "vector_units": [name for name in UNITS if name in flags],
        "counts_vectors": COUNTS_VECTORS,
        "looks_sums_up": bool(LOOKED_UP),
    }


def begin(evaluator: Evaluator, trial: Trial) -> None:
    """Set errors and write the weights."""
    kind, rate, repeat = trial
    threshold = round(rate * 2**32)
    evaluator.soft_reset()
    for memory in evaluator.memories:
        errs = rate > 0 and memory.kind == kind
        limit = threshold if errs else 0
        mode = "flip" if errs else "off"
        seed = 1000 * repeat + memory.index + 1
        evaluator.set_errors(memory.index, mode, limit, limit, seed)
        if memory.kind == "weights":
            evaluator.write_weights(memory.index, evaluator.weights(memory.layer))


def together(evaluator: Evaluator, images: np.ndarray, trials: Sequence[Trial]) -> None:
    """Run trials in groups, as a worker of a sweep does."""
    for first in range(0, len(trials), TOGETHER):
        held = []
        for trial in trials[first : first + TOGETHER]:
            begin(evaluator, trial)
            held.append(evaluator.hold())
        evaluator.run_held(held, images)


def whole(evaluator: Evaluator, images: np.ndarray, trials: Sequence[Trial]) -> None:
    """Run the same trials one by one, each whole."""
    for trial in trials:
        begin(evaluator, trial)
        evaluator.run(images, taps=False)


def seconds(run: Callable[..., object], *arguments: object) -> float:
    """How long something takes, in seconds of the processor."""
    start = time.process_time()
    run(*arguments)
    return time.process_time() - start


def peak_memory_mib(network: Network, images: np.ndarray, stream: str = "fast") -> float:
    """The largest resident size of a process without torch that runs the trials of a repeat."""
    body = (
        "import pickle, sys\n"
        "from spinflow.sim.evaluator import Evaluator\n"
        "network, images, trials, stream = pickle.load(open(sys.argv[1], 'rb'))\n"
        "e = Evaluator.from_network(network, stream, threads=1)\n"
        "held = []\n"
        "for kind, rate, repeat in trials:\n"
        "    for m in e.memories:\n"
        "        limit = round(rate * 2**32) if m.kind == kind else 0\n"
        "        e.set_errors(m.index, 'flip', limit, limit, repeat)\n"
        "        if m.kind == 'weights': e.write_weights(m.index, e.weights(m.layer))\n"
        "    held.append(e.hold())\n"
        "e.run_held(held, images)\n"
        f"{PRINT_PEAK}"
    )
    trials = [(kind, rate, 1) for kind in KINDS for rate in DEFAULT_RATES][:TOGETHER]
    with tempfile.NamedTemporaryFile() as file:
        file.write(pickle.dumps((network, images, trials, stream)))
        file.flush()
        command = [sys.executable, "-c", body, file.name]
        done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT)
    return float(done.stdout)


def images_of(name: str) -> np.ndarray:
    """The images of a network's trials."""
    tests = data.mnist() if name == "mlp-mnist" else data.dataset("cifar10")
    return tests.test_images[: IMAGES[name]]


def grids(rates: Sequence[float], repeats: int) -> dict[str, list[Trial]]:
    """The whole grid in its order, repeat by repeat, and each rate alone."""
    numbers = range(1, repeats + 1)
    found = {"grid": [(k, r, n) for n in numbers for k in KINDS for r in rates]}
    for rate in rates:
        if rate > 0:
            found[f"{rate:g}"] = [(kind, rate, n) for n in numbers for kind in KINDS]
    return found


class Round:
    """What one round took, seconds of the processor.

    Args:
        evaluators: with the fast stream and with the hardware's.
        images: of all trials.
        others: a trial in each other program.
    """

    def __init__(
        self, evaluators: tuple[Evaluator, Evaluator], images: np.ndarray, others: Runs
    ) -> None:
        self._fast, self._hardware = evaluators
        self._images = images
        self.exact_s = seconds(whole, self._fast, images, [("weights", 0.0, 1)])
        self.others_s = {key: seconds(run, True) for key, run in others.items()}

    def of(self, trials: list[Trial]) -> dict[str, float]:
        """Run trials together, whole (those of one repeat) and with the hardware's stream."""
        one = [trial for trial in trials if trial[2] == 1]
        once = seconds(whole, self._fast, self._images, one)
        return {
            "together": seconds(together, self._fast, self._images, trials),
            "whole": once * len(trials) / len(one),
            "hardware": seconds(together, self._hardware, self._images, trials),
            **{key: each * len(trials) for key, each in self.others_s.items()},
        }


def figures_of(
    rounds: Sequence[dict[str, float]], trials: int, images: int, products: int, best: str
) -> dict[str, Any]:
    """What the rounds say of one grid.

    Args:
        rounds: seconds, by what ran.
        trials, images: how many.
        products: binary ones of an image.
        best: the best of PyTorch.
    """

    def ratio(key: str) -> float:
        return statistics.median(each[key] / each["together"] for each in rounds)

    took = statistics.median(each["together"] for each in rounds)
    others = [key for key in rounds[0] if key not in ("together", "whole", "hardware")]
    return {
        "ratio_best": ratio(best),
        "ratio_whole": ratio("whole"),
        "ratios": {key: ratio(key) for key in others},
        "hardware_over_fast": 1 / statistics.median(e["together"] / e["hardware"] for e in rounds),
        "trials": trials,
        "images_trials_per_s": trials * images / took,
        "gxnor_equivalents_per_s": trials * images * products * 1e-9 / took,
    }


def other_engines() -> dict[str, str]:
    """Public engines for binary networks, and why each is not in the table."""
    there = importlib.util.find_spec("larq_compute_engine") is not None
    word = "installed" if there else "not installed"
    return {"larq-compute-engine": f"{word}, takes Keras models and no faults: docs/evaluator.md"}


def measure(
    name: str,
    rounds: int,
    compiled: bool,
    images: np.ndarray,
    rates: Sequence[float] = DEFAULT_RATES,
) -> dict[str, Any]:
    """Return the figures of one network: the grid, and each rate alone."""
    evaluator = Evaluator.from_network(name, "fast", threads=1)
    hardware = Evaluator.from_network(name, "hardware", threads=1)

    def without_errors(_: bool) -> np.ndarray:
        return np.asarray(evaluator.run(images, taps=False)[0])

    whole(evaluator, images, [("weights", 0.0, 1)])  # writes the weights
    runs: Runs = {
        "evaluator": without_errors,
        **contenders(evaluator.network, images, BATCHES.get(name, 64), compiled),
    }
    agreement, failed = tried(runs)
    del runs["evaluator"]
    wanted = grids(rates, REPEATS)
    for engine in (evaluator, hardware):  # compiles, and computes what is shared
        together(engine, images, [each for each in wanted["grid"] if each[2] == 1])
    taken: dict[str, list[dict[str, float]]] = {key: [] for key in wanted}
    exact_s = []
    for _ in range(rounds):
        each = Round((evaluator, hardware), images, runs)
        exact_s.append(each.exact_s)
        for key, trials in wanted.items():
            taken[key].append(each.of(trials))
    public = [key for key in runs if key.startswith("torch_") and "private" not in key]
    best = min(public, key=lambda key: statistics.median(e[key] for e in taken["grid"]))
    products = xnors(evaluator.network)
    found = {
        key: figures_of(each, len(wanted[key]), len(images), products, best)
        for key, each in taken.items()
    }
    exact = products * len(images) * 1e-9 / statistics.median(exact_s)
    peak = clock_ghz(1) * LANE_BITS
    return {
        "grid": {
            **found.pop("grid"),
            "images": len(images),
            "repeats": REPEATS,
            "rates": list(rates),
            "best_of_torch": best,
            "gxnor_per_s_whole": exact,
            "share_of_peak": exact / peak,
            "peak_memory_mib": peak_memory_mib(evaluator.network, images),
            "labels_equal_without_errors": agreement,
            "failed": failed,
            "other_engines": other_engines(),
            **processor(),
        },
        "rate": found,
    }


def main(arguments: list[str] | None = None) -> None:
    """Command line of the bench."""
    parser = argparse.ArgumentParser(prog="python -m tools.bench_grid", description=__doc__)
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--network", choices=list(IMAGES), action="append", help="default: all")
    parser.add_argument("--no-compile", action="store_true", help="leave torch.compile out")
    options = parser.parse_args(arguments)
    names = options.network or list(IMAGES)
    if len(names) > 1:
        print(json.dumps(each_alone("tools.bench_grid", names, options), indent=2))
        return
    torch.manual_seed(0)
    torch.set_num_threads(1)
    with quiet():
        found = measure(names[0], options.rounds, not options.no_compile, images_of(names[0]))
    print(json.dumps({"evaluator": {names[0]: found}}, indent=2))


if __name__ == "__main__":
    main()
