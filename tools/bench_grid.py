"""Speed of a whole grid of trials, run together, beside the same trials whole and in PyTorch.

`python -m tools.bench_grid` prints JSON. A grid is the default one of a sweep: flip errors at each
rate, in the weights or in the buffers, on the same images. What PyTorch takes for a trial does not
depend on its rate, so it runs one trial in each round. All take turns on one core, as a worker of a
sweep has it.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from spinflow.host.sweep.grid import DEFAULT_RATES
from spinflow.model import data
from spinflow.sim.evaluator import Evaluator
from spinflow.sim.evaluator.processor import COUNTS_VECTORS, LOOKED_UP
from tools.bench_evaluator import BATCH, Runs, contenders, quiet, tried

IMAGES = {"mlp-mnist": 10_000, "cnv-cifar10": 256}
BATCHES = {"mlp-mnist": BATCH["mlp-mnist"], "cnv-cifar10": BATCH["cnv"]}
KINDS = ("weights", "buffer")
ROUNDS = 3
Trial = tuple[str, float]


def processor() -> str:
    """The processor's name, as Linux gives it."""
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return "unknown"


def begin(evaluator: Evaluator, trial: Trial, seed: int) -> None:
    """Set errors and write the weights."""
    kind, rate = trial
    threshold = round(rate * 2**32)
    evaluator.soft_reset()
    for memory in evaluator.memories:
        errs = rate > 0 and memory.kind == kind
        limit = threshold if errs else 0
        mode = "flip" if errs else "off"
        evaluator.set_errors(memory.index, mode, limit, limit, seed + memory.index)
        if memory.kind == "weights":
            evaluator.write_weights(memory.index, evaluator.weights(memory.layer))


def together(evaluator: Evaluator, images: np.ndarray, trials: Sequence[Trial], seed: int) -> None:
    """Run trials together."""
    held = []
    for trial in trials:
        begin(evaluator, trial, seed)
        held.append(evaluator.hold())
    evaluator.run_held(held, images)


def whole(evaluator: Evaluator, images: np.ndarray, trials: Sequence[Trial], seed: int) -> None:
    """Run the same trials one by one, each whole."""
    for trial in trials:
        begin(evaluator, trial, seed)
        evaluator.run(images, taps=False)


def seconds(run: Callable[..., object], *arguments: object) -> float:
    start = time.perf_counter()
    run(*arguments)
    return time.perf_counter() - start


def measure(name: str, rounds: int, compiled: bool) -> dict[str, Any]:
    """Return the figures of one network: the grid, and each rate alone."""
    evaluator = Evaluator.from_network(name, "fast", threads=1)
    hardware = Evaluator.from_network(name, "hardware", threads=1)
    tests = data.mnist() if name == "mlp-mnist" else data.dataset("cifar10")
    images = tests.test_images[: IMAGES[name]]
    grids: dict[str, list[Trial]] = {"grid": [(k, r) for k in KINDS for r in DEFAULT_RATES]}
    for rate in DEFAULT_RATES[1:]:
        grids[f"{rate:g}"] = [(kind, rate) for kind in KINDS]

    def without_errors(_: bool) -> np.ndarray:
        return np.asarray(evaluator.run(images, taps=False)[0])

    whole(evaluator, images, [("weights", 0.0)], 1)
    runs: Runs = {
        "evaluator": without_errors,
        **contenders(evaluator.network, images, BATCHES[name], compiled),
    }
    _, failed = tried(runs)
    speed = {key: seconds(runs[key], True) for key in runs if "torch" in key}
    best = min((key for key in speed if "private" not in key), key=lambda key: speed[key])
    for engine in (evaluator, hardware):
        together(engine, images, grids["grid"], 1)  # compiles, and computes what is shared
    ratios: dict[str, dict[str, list[float]]] = {
        key: {"best": [], "whole": [], "hardware": []} for key in grids
    }
    for number in range(rounds):
        torch_s = seconds(runs[best], True)
        for key, trials in grids.items():
            seed = 1000 * (number + 1)
            share = seconds(together, evaluator, images, trials, seed)
            alone = seconds(whole, evaluator, images, trials, seed)
            draws = seconds(together, hardware, images, trials, seed)
            ratios[key]["best"].append(torch_s * len(trials) / share)
            ratios[key]["whole"].append(alone / share)
            ratios[key]["hardware"].append(draws / share)
    figures = {
        key: {
            "ratio_best": statistics.median(of["best"]),
            "ratio_whole": statistics.median(of["whole"]),
            "hardware_over_fast": statistics.median(of["hardware"]),
        }
        for key, of in ratios.items()
    }
    return {
        "grid": figures.pop("grid"),
        "rate": figures,
        "images": len(images),
        "best_of_torch": best,
        "failed": failed,
        "processor": processor(),
        "counts_vectors": COUNTS_VECTORS,
        "bytes_looked_up": LOOKED_UP,
    }


def main(arguments: list[str] | None = None) -> None:
    """Command line of the bench."""
    parser = argparse.ArgumentParser(prog="python -m tools.bench_grid", description=__doc__)
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--network", choices=list(IMAGES), action="append", help="default: all")
    parser.add_argument("--no-compile", action="store_true", help="leave torch.compile out")
    options = parser.parse_args(arguments)
    torch.manual_seed(0)
    torch.set_num_threads(1)
    with quiet():
        figures = {
            name: measure(name, options.rounds, not options.no_compile)
            for name in options.network or IMAGES
        }
    print(json.dumps({"evaluator": figures}, indent=2))


if __name__ == "__main__":
    main()
