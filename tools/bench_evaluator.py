"""Speed of the evaluator beside Brevitas, plain PyTorch and MRFI: same network, same faults.

`python -m tools.bench_evaluator` prints JSON. A trial writes all weights with flip errors at RATE
and runs the images with flip errors in every hidden feature map. All take turns in one process on
the same cores, so that other load meets all alike; a ratio is the median over the rounds. The
torch programs draw their faults as is usual there: a mask of uniform numbers in Brevitas eager,
and in the others a fixed number of places, which is less work than a binomial one.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import logging
import platform
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import torch
from brevitas.nn import QuantConv2d, QuantIdentity, QuantLinear
from brevitas.quant import SignedBinaryActPerTensorConst
from mrfi import MRFI, EasyConfig, add_function
from numba import njit
from torch import Tensor, nn

from spinflow.model import data
from spinflow.model.networks.base import BinaryWeight
from spinflow.sim.evaluator import Conv, Evaluator, Linear, MaxPool, Network, PixelThreshold, cnv

ROOT = Path(__file__).resolve().parents[1]
RATE = 1e-3
THRESHOLD = round(RATE * 2**32)
IMAGES = {"mlp-mnist": 10_000, "cnv": 256}
BATCH = {"mlp-mnist": 2_000, "cnv": 64}
ROUNDS = 3
LANE_BITS = 512  # that one core's VPOPCNTDQ unit counts in a cycle: 8 words of 64 bits
# Not `ru_maxrss`, which a process takes over from the one that started it.
PRINT_PEAK = (
    "status = open('/proc/self/status').read().split()\n"
    "print(int(status[status.index('VmHWM:') + 1]) / 1024)\n"
)
Run = Callable[[bool], np.ndarray]  # a trial with or without errors; the labels


# --- the network in PyTorch -----------------------------------------------------------------------


class Step(nn.Module):
    """+1 where the input reaches its channel's threshold, -1 below."""

    thresholds: Tensor

    def __init__(self, thresholds: Tensor, maps: bool) -> None:
        super().__init__()
        self.register_buffer("thresholds", thresholds[:, None, None] if maps else thresholds)

    def forward(self, x: Tensor) -> Tensor:
        one = torch.ones((), dtype=x.dtype)
        return torch.where(x >= self.thresholds, one, -one)


class Faults(nn.Module):
    """Invert a fixed number of places, drawn anew in every call; the input is changed."""

    rate = 0.0

    def forward(self, x: Tensor) -> Tensor:
        if self.rate:
            maps = x.ndim == 4 and x.is_contiguous(memory_format=torch.channels_last)
            flat = (x.permute(0, 2, 3, 1) if maps else x).reshape(-1)
            places = torch.randint(flat.numel(), (max(1, round(flat.numel() * self.rate)),))
            flat[places] = -flat[places]
        return x


class MaskFaults(nn.Module):
    """Invert each place with probability `rate`."""

    rate = 0.0

    def forward(self, x: Tensor) -> Tensor:
        return torch.where(torch.rand_like(x) < self.rate, -x, x) if self.rate else x


class Cast(nn.Module):
    """Convert to another number type: sums of pixels need more bits than bf16 has."""

    def __init__(self, number_type: torch.dtype) -> None:
        super().__init__()
        self.number_type = number_type

    def forward(self, x: Tensor) -> Tensor:
        return x.to(self.number_type)


class MapOrder(nn.Module):
    """(n, channels, rows, columns) to (n, features) in the evaluator's order."""

    def forward(self, x: Tensor) -> Tensor:
        return x.permute(0, 2, 3, 1).flatten(1)


def edges(layer: Linear | Conv, pixels: bool) -> np.ndarray:
    """Return thresholds in terms of the sum of +1 and -1 products."""
    thresholds = np.asarray(layer.thresholds, np.float64)
    return thresholds if pixels else 2 * thresholds - layer.weights[0].size


def in_torch(network: Network, brevitas: bool) -> nn.Sequential:
    """Run the network in eval mode on float pixels (n, pixels) or (n, channels, rows, columns)."""
    modules: list[nn.Module] = []
    maps, pixels = len(network.shape) == 3, True
    for layer in network.layers:
        if isinstance(layer, PixelThreshold):
            modules.append(Step(torch.full((network.shape[-1],), layer.threshold - 0.5), maps))
        elif isinstance(layer, MaxPool):
            modules.append(nn.MaxPool2d(layer.size))
        elif isinstance(layer, Linear | Conv):
            weights = torch.from_numpy(layer.weights * 2.0 - 1).float()
            product: Any
            if isinstance(layer, Conv):
                if any(layer.frame):
                    above, left, below, right = layer.frame
                    value = 0.0 if pixels else float(layer.padding_value)
                    modules.append(nn.ConstantPad2d((left, right, above, below), value))
                weights = weights.permute(0, 3, 1, 2).contiguous()
                sizes: Any = (weights.shape[1], weights.shape[0], tuple(weights.shape[2:]))
                product = (
                    QuantConv2d(*sizes, bias=False, weight_quant=BinaryWeight)
                    if brevitas
                    else nn.Conv2d(sizes[0], sizes[1], sizes[2], bias=False)
                )
            else:
                if maps:
                    modules.append(MapOrder())
                    maps = False
                shape = (weights.shape[1], weights.shape[0])
                product = (
                    QuantLinear(*shape, bias=False, weight_quant=BinaryWeight)
                    if brevitas
                    else nn.Linear(*shape, bias=False)
                )
            with torch.no_grad():
                product.weight.copy_(weights)
            modules.append(product)
            if layer.thresholds is not None:
                signed = pixels or layer.leaves_out_padding
                limits = torch.from_numpy(edges(layer, signed)).float()
                if brevitas:
                    norm = (nn.BatchNorm2d if maps else nn.BatchNorm1d)(len(limits))
                    norm.running_mean = limits - 0.5  # between two sums
                    sign = QuantIdentity(act_quant=SignedBinaryActPerTensorConst)
                    modules += [norm, sign, MaskFaults()]
                else:
                    modules += [Step(limits, maps), Faults()]
        pixels = False
    return nn.Sequential(*modules).eval()


def products_of(model: nn.Module) -> list[Any]:
    return [m for m in model.modules() if isinstance(m, nn.Linear | nn.Conv2d)]


def torch_run(
    model: nn.Sequential, call: Callable[[Tensor], Tensor], images: Tensor, batch: int
) -> Run:
    """Return a trial of a torch model, which has its exact weights again at the end."""
    weights = [module.weight for module in products_of(model)]
    exact = [weight.detach().clone() for weight in weights]
    faults = [m for m in model.modules() if isinstance(m, (Faults, MaskFaults))]

    @torch.no_grad()
    def run(errors: bool) -> np.ndarray:
        for module in faults:
            module.rate = RATE if errors else 0.0
        for weight, good in zip(weights, exact, strict=True):
            weight.copy_(good)
            if errors:
                weight.copy_(torch.where(torch.rand(good.shape) < RATE, -good, good))
        parts = [call(images[i : i + batch]) for i in range(0, len(images), batch)]
        return torch.cat(parts).float().numpy().argmax(axis=1)

    return run


def mrfi_run(network: Network, images: Tensor, batch: int) -> Run:
    """Return the plain network under MRFI, which injects into weights and activations by its hooks.

    MRFI draws the weights' errors anew in every call, so a batch is a trial of its own.
    """
    model = in_torch(network, brevitas=False)
    exact = [module.weight.detach().clone() for module in products_of(model)]
    selector = {"method": "RandomPositionByRate", "poisson": True, "rate": RATE}
    places = [
        {"type": "weights", "module_type": ["Linear", "Conv2d"], "name": ["weight"]},
        {"type": "activation_out", "module_type": ["Faults"]},
    ]
    config = [
        {**place, "selector": dict(selector), "error_mode": {"method": "invert"}}
        for place in places
    ]
    add_function("invert", lambda values: -values)
    injected = MRFI(model, EasyConfig({"faultinject": config}))

    @torch.no_grad()
    def run(errors: bool) -> np.ndarray:
        injected.global_FI_enabled = errors
        for module, good in zip(products_of(model), exact, strict=True):
            module.weight.copy_(good)
        parts = [injected(images[i : i + batch]) for i in range(0, len(images), batch)]
        return torch.cat(parts).float().numpy().argmax(axis=1)

    return run


class Int8(nn.Module):
    """Return a fully connected network by `torch._int_mm`, which is private: 8-bit products."""

    def __init__(self, model: nn.Sequential) -> None:
        super().__init__()
        self.steps: Any = nn.ModuleList(model)

    def forward(self, x: Tensor) -> Tensor:
        for module in self.steps:
            if isinstance(module, nn.Linear):
                outputs = len(module.weight)
                padded = module.weight.to(torch.int8)
                if outputs % 16:
                    padded = nn.functional.pad(padded, (0, 0, 0, 16 - outputs % 16))
                x = torch._int_mm(x, padded.t())[:, :outputs]
            elif isinstance(module, Step):
                bits = x >= module.thresholds
                x = torch.where(bits, torch.tensor(1, dtype=torch.int8), -1)
            else:
                x = module(x)
        return x


def contenders(network: Network, images: np.ndarray, batch: int, compiled: bool) -> dict[str, Run]:
    """By name, a trial in each of the torch programs."""
    floats = torch.from_numpy(images.astype(np.float32))
    if len(network.shape) == 3:
        floats = floats.reshape(-1, *network.shape).permute(0, 3, 1, 2).contiguous()
    runs: dict[str, Run] = {}
    model = in_torch(network, brevitas=True)
    runs["brevitas"] = torch_run(model, model, floats, batch)
    runs["mrfi"] = mrfi_run(network, floats, batch)
    maps = len(network.shape) == 3
    for number_type in (torch.float32, torch.bfloat16):
        for order in (torch.contiguous_format, torch.channels_last):
            if order == torch.channels_last and not maps:
                continue
            for with_compiler in (False, True):
                if with_compiler and not (compiled and number_type == torch.bfloat16):
                    continue  # compiling takes a minute each, and bf16 is the faster one
                plain: Any = in_torch(network, brevitas=False)
                # What comes before the first bits works on pixels.
                head = 1 + next(n for n, module in enumerate(plain) if isinstance(module, Step))
                plain = nn.Sequential(
                    *plain[:head], Cast(number_type), *plain[head:].to(number_type)
                )
                plain = plain.to(memory_format=order) if maps else plain
                pixels = floats.contiguous(memory_format=order) if maps else floats
                name = "torch_" + ("float32" if number_type == torch.float32 else "bf16")
                name += "_channels_last" if order == torch.channels_last else ""
                name += "_compiled" if with_compiler else ""
                call = torch.compile(plain) if with_compiler else plain
                runs[name] = torch_run(plain, call, pixels, batch)
    if not maps:
        plain = in_torch(network, brevitas=False)
        runs["torch_int8_private"] = torch_run(plain, Int8(plain), floats, batch)
    return runs


# --- the evaluator and the processor --------------------------------------------------------------


def network_of(name: str) -> Network:
    if name == "cnv":
        return cnv()
    return Evaluator.from_bundle(ROOT / "build" / name, threads=1).network


def images_of(name: str) -> np.ndarray:
    if name == "cnv":
        shape = (IMAGES[name], 32 * 32 * 3)
        return np.random.default_rng(1).integers(0, 256, shape, dtype=np.uint8)
    return data.mnist().test_images[: IMAGES[name]]


def evaluator_run(network: Network, images: np.ndarray, stream: str, threads: int) -> Run:
    evaluator = Evaluator.from_network(network, stream=stream, threads=threads)
    seeds = iter(range(1, 1 << 30))

    def run(errors: bool) -> np.ndarray:
        for cells in evaluator.memories:
            mode = "flip" if errors else "off"
            evaluator.set_errors(cells.index, mode, THRESHOLD, THRESHOLD, next(seeds))
            if cells.kind == "weights":
                evaluator.write_weights(cells.index, evaluator.weights(cells.layer))
        return np.asarray(evaluator.run(images, taps=False)[0])

    return run


def xnors(network: Network) -> int:
    """Binary products of an image: those of bits with bits, and of no padding lane."""
    evaluator = Evaluator.from_network(network, threads=1)
    total = 0
    for stage in evaluator.stages:
        layer = stage.step.layer
        if isinstance(layer, Linear | Conv) and not stage.step.pixels:
            total += layer.weights.size * stage.step.result[0] * stage.step.result[1]
    return total


@njit(nogil=True)
def _chain(count: int) -> Any:
    x = np.uint64(1)
    for _ in range(count):
        x = (x ^ np.uint64(0x9E3779B97F4A7C15)) * np.uint64(0xBF58476D1CE4E5B9)
    return x


def clock_ghz(threads: int) -> float:
    """The clock while all cores work, the best of a few, from a chain of dependent instructions.

    A multiplication takes 3 cycles and an exclusive or 1 on all x86 processors of the last years.
    """
    count = 1_000_000  # short, so that some pass undisturbed
    _chain(1)

    def one(_: int) -> float:
        start = time.perf_counter()
        _chain(count)
        return 4e-9 * count / (time.perf_counter() - start)

    with ThreadPoolExecutor(threads) as pool:
        return max(max(pool.map(one, range(threads))) for _ in range(100))


def peak_memory_mib(name: str) -> float:
    """The largest resident size of a process that does a trial in both streams, and no torch."""
    body = (
        "import sys, numpy as np\n"
        "from pathlib import Path\n"
        "from spinflow.sim.evaluator import Evaluator, cnv\n"
        "name, frames, threads = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])\n"
        "for stream in ('hardware', 'fast'):\n"
        "    e = (Evaluator.from_network(cnv(), stream=stream, threads=threads) if name == 'cnv'\n"
        "         else Evaluator.from_bundle(Path('build') / name, stream, threads))\n"
        "    for m in e.memories:\n"
        f"        e.set_errors(m.index, 'flip', {THRESHOLD}, {THRESHOLD}, 1)\n"
        "        if m.kind == 'weights': e.write_weights(m.index, e.weights(m.layer))\n"
        "    n = int(np.prod(e.network.shape))\n"
        "    e.run(np.zeros((frames, n), np.uint8), taps=False)\n"
        f"{PRINT_PEAK}"
    )
    command = [sys.executable, "-c", body, name, "10000", str(torch.get_num_threads())]
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT)
    return float(done.stdout)


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    level = logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    try:
        yield
    finally:
        logging.disable(level)


Runs = dict[str, Run]


def measure(name: str, rounds: int, threads: int, compiled: bool) -> dict[str, Any]:
    """Return the figures of one network."""
    network, images = network_of(name), images_of(name)
    runs: Runs = {
        "evaluator": evaluator_run(network, images, "fast", threads),
        "evaluator_hardware": evaluator_run(network, images, "hardware", threads),
        **contenders(network, images, BATCH[name], compiled),
    }
    agreement, failed = tried(runs)
    seconds = timed(runs, rounds)

    def ratio(key: str) -> float:
        pairs = zip(seconds[key], seconds["evaluator"], strict=True)
        return statistics.median(slow / fast for slow, fast in pairs)

    public = [key for key in runs if key.startswith("torch_") and "private" not in key]
    best = min(public, key=lambda key: statistics.median(seconds[key]))
    ghz = clock_ghz(threads)
    gops = xnors(network) * len(images) * 1e-9
    exact = gops / statistics.median(seconds["evaluator_exact"])
    peak = threads * ghz * LANE_BITS
    return {
        "images": len(images),
        "ratio": ratio("brevitas"),
        "ratio_best": ratio(best),
        "best_of_torch": best,
        "ratio_mrfi": ratio("mrfi"),
        "ratios": {key: ratio(key) for key in seconds if not key.startswith("evaluator")},
        "images_per_s": {
            key: len(images) / statistics.median(times) for key, times in seconds.items()
        },
        "labels_equal_without_errors": agreement,
        "failed": failed,
        "xnor_per_image": xnors(network),
        "gxnor_per_s": gops / statistics.median(seconds["evaluator"]),
        "gxnor_per_s_without_errors": exact,
        "clock_ghz": ghz,
        "peak_gxnor_per_s": peak,
        "share_of_peak": exact / peak,
        "peak_memory_mib": peak_memory_mib(name),
    }


def tried(runs: Runs) -> tuple[dict[str, float], dict[str, str]]:
    """Run each once without and once with errors, and remove those that fail.

    Returns:
        The share of labels that equal the evaluator's, and what failed, with its error.
    """
    expected = runs["evaluator"](False)
    failed: dict[str, str] = {}
    agreement: dict[str, float] = {}
    for key, run in list(runs.items()):
        try:
            agreement[key] = float((run(False) == expected).mean())
            run(True)
        except Exception as error:  # what does not work here is a result too
            failed[key] = f"{type(error).__name__}: {str(error).splitlines()[0][:200]}"
            del runs[key]
    return agreement, failed


def timed(runs: Runs, rounds: int) -> dict[str, list[float]]:
    """Return how long each run with errors takes, in s, round by round, all taking turns.

    ``evaluator_exact`` is the evaluator without errors, for the arithmetic alone.
    """
    seconds: dict[str, list[float]] = {key: [] for key in (*runs, "evaluator_exact")}
    for _ in range(rounds):
        for key, run in {**runs, "evaluator_exact": runs["evaluator"]}.items():
            times = []
            for _ in range(3 if key.startswith("evaluator") else 1):
                start = time.perf_counter()
                run(key != "evaluator_exact")
                times.append(time.perf_counter() - start)
            seconds[key].append(statistics.median(times))
    return seconds


def bench(
    rounds: int = ROUNDS, names: tuple[str, ...] = tuple(IMAGES), compiled: bool = True
) -> dict[str, Any]:
    """The figures by network, and where they were measured."""
    threads = torch.get_num_threads()
    torch.manual_seed(0)
    with quiet():
        figures = {name: measure(name, rounds, threads, compiled) for name in names}
    return {
        "evaluator": {
            **figures,
            "rate": RATE,
            "rounds": rounds,
            "threads": threads,
            "machine": platform.processor() or platform.machine(),
        }
    }


def each_alone(module: str, names: Sequence[str], options: argparse.Namespace) -> dict[str, Any]:
    """Return the figures of several networks, each measured in a process of its own.

    torch compiles a function for so many networks and then, without a word, no more: in one process
    for all the later networks would not be beside the best of PyTorch.
    """
    found: dict[str, Any] = {}
    for name in names:
        command = [sys.executable, "-m", module, "--network", name]
        command += ["--rounds", str(options.rounds)]
        command += ["--no-compile"] if options.no_compile else []
        done = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True)
        found |= json.loads(done.stdout)["evaluator"]
    return {"evaluator": found}


def main(arguments: list[str] | None = None) -> None:
    """Command line of the bench."""
    parser = argparse.ArgumentParser(prog="python -m tools.bench_evaluator", description=__doc__)
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--network", choices=list(IMAGES), action="append", help="default: all")
    parser.add_argument("--no-compile", action="store_true", help="leave torch.compile out")
    options = parser.parse_args(arguments)
    names = tuple(options.network or IMAGES)
    if len(names) > 1:
        figures = each_alone("tools.bench_evaluator", names, options)
    else:
        figures = bench(options.rounds, names, not options.no_compile)
    print(json.dumps(figures, indent=2))


if __name__ == "__main__":
    main()
