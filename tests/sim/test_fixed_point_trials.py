"""Fixed point in whole numbers, and trials that are held: in every bit what PyTorch gives alone."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from torch import nn

from spinflow.host.core.memory import MODES
from spinflow.model.networks.build import untrained
from spinflow.sim.fixed_point import FixedPointEvaluator, stages
from spinflow.sim.fixed_point.floats import FloatStage
from spinflow.sim.fixed_point.integers import IntegerStage
from spinflow.sim.xnor import XnorEvaluator
from tests.model.test_networks_xnor import TINY
from tests.sim.steps import rate

IMAGES = 150  # more than are computed at once


def norm(rng: np.random.Generator, kind: type, channels: int, falls: bool) -> Any:
    """A batch norm of sums of codes, of which some are a power of two: ties happen."""
    made = kind(channels).eval()
    with torch.no_grad():
        made.running_mean.copy_(torch.from_numpy(rng.normal(0, 0.3, channels)))
        made.running_var.copy_(torch.from_numpy(rng.choice([0.25, 1.0, 0.3, 2.0], channels)))
        gains = rng.choice([1.0, 0.5, 0.7, 1.3], channels)
        made.weight.copy_(torch.from_numpy(np.where(falls, -gains, gains)))
        made.bias.copy_(torch.from_numpy(rng.choice([0.0, 0.25, 0.1], channels)))
    return made


def network(seed: int, wide: bool = False) -> tuple[list[Any], tuple[int, ...]]:
    """One or two convolutions of any kind, then matrices."""
    rng = np.random.default_rng(seed)
    torch.manual_seed(seed)
    side, channels = int(rng.integers(5, 9)), int(rng.integers(1, 6))
    shape = side, side, channels
    modules: list[Any] = []
    for _ in range(int(rng.integers(1, 3))):
        kernel = int(rng.integers(1, min(4, side + 1)))
        outputs = int(rng.choice([3, 16, 70]))
        padding = int(rng.integers(0, kernel))
        modules.append(
            nn.Conv2d(channels, outputs, kernel, int(rng.integers(1, 3)), padding, bias=False)
        )
        side = (side + 2 * padding - kernel) // modules[-1].stride[0] + 1
        falls = bool(rng.integers(2))
        if side > 3 and rng.random() < 0.7:
            pools = [nn.MaxPool2d(2), norm(rng, nn.BatchNorm2d, outputs, falls)]
            # In front of the norm, behind it, or behind the store.
            modules += [pools, pools[::-1], [nn.ReLU(), pools[0]]][int(rng.integers(3))]
            side //= 2
        elif rng.random() < 0.5:
            modules += [norm(rng, nn.BatchNorm2d, outputs, falls), nn.Hardtanh()]
        channels = outputs
    modules.append(nn.Flatten())
    inputs = channels * side * side
    if wide:  # so that PyTorch computes in float64
        modules += [nn.Linear(inputs, 1100, bias=False), nn.ReLU()]
        inputs = 1100
    modules += [
        nn.Linear(inputs, 20, bias=bool(rng.integers(2))),
        norm(rng, nn.BatchNorm1d, 20, bool(rng.integers(2))),
        nn.Linear(20, 4),
    ]
    with torch.no_grad():
        for module in modules:
            if isinstance(module, nn.Linear | nn.Conv2d):
                module.weight.mul_(float(rng.choice([0.5, 1.0, 3.0])))
    return modules, shape


def evaluator_of(seed: int, wide: bool = False, **options: Any) -> FixedPointEvaluator:
    modules, shape = network(seed, wide)
    return FixedPointEvaluator(modules, bits=8, shape=shape, threads=1, **options)


def images_of(evaluator: Any, seed: int, count: int = IMAGES) -> np.ndarray:
    pixels = int(np.prod(evaluator.description.shape))
    return np.random.default_rng(seed).integers(0, 256, (count, pixels), dtype=np.uint8)


def begin(evaluator: Any, seed: int) -> None:
    """Settings that differ by memory, weights written, some of them over others."""
    rng = np.random.default_rng(seed)
    evaluator.soft_reset()
    for memory in evaluator.memories:
        rates = [rate(float(r)) for r in rng.choice([0.0, 0.0, 1e-4, 0.01, 0.2], 2)]
        mode = "off" if rng.random() < 0.5 else str(rng.choice(MODES))
        evaluator.set_errors(memory.index, mode, *rates, int(rng.integers(1, 4)))
        if memory.kind == "weights":
            evaluator.write_weights(memory.index, evaluator.weights(memory.layer))


def assert_same(first: Any, second: Any, memories: Sequence[Any], others: Sequence[Any]) -> None:
    assert first[1].keys() == second[1].keys() and first[1]
    for name, values in first[1].items():
        np.testing.assert_array_equal(values, second[1][name], err_msg=name)
        assert values.dtype == second[1][name].dtype
    np.testing.assert_array_equal(first[0], second[0])
    for memory, other in zip(memories, others, strict=True):
        assert memory.counts == other.counts, memory.name
        np.testing.assert_array_equal(memory.bits, other.bits)


@pytest.mark.slow
@given(st.integers(0, 10_000), st.booleans())
@settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck))
def test_whole_numbers_are_what_pytorch_gives(seed: int, wide: bool) -> None:
    evaluator = evaluator_of(seed, wide)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(stages, "line_of", lambda *_: None)
        slow = evaluator_of(seed, wide)
    assert all(isinstance(stage, FloatStage) for stage in slow.layers.stages)
    images = images_of(evaluator, seed)
    for each in evaluator, slow:
        begin(each, seed)
    assert_same(evaluator.run(images), slow.run(images), evaluator.memories, slow.memories)


def test_most_layers_are_in_whole_numbers() -> None:
    """The property above is of something."""
    kinds = [
        type(stage)
        for seed in range(30)
        for stage in evaluator_of(seed, bool(seed % 2)).layers.stages[:-1]
    ]
    assert kinds.count(IntegerStage) > 0.5 * len(kinds)
    assert kinds.count(FloatStage) > 0


@pytest.mark.parametrize(
    "modules",
    [
        [nn.Conv2d(4, 8, 3, bias=True), nn.ReLU()],
        [nn.Conv2d(4, 8, 3, bias=False, groups=2), nn.ReLU()],
        [nn.Conv2d(4, 8, 3, bias=False, padding=1, padding_mode="circular"), nn.ReLU()],
        [nn.Conv2d(4, 8, 3, bias=False), nn.AvgPool2d(2), nn.ReLU()],
        [nn.Conv2d(4, 8, 3, bias=False), nn.MaxPool2d(3, 1), nn.ReLU()],
        [nn.AvgPool2d(2), nn.Conv2d(4, 8, 3, bias=False), nn.ReLU()],
    ],
)
def test_what_is_not_a_line_is_left_to_pytorch(modules: list[Any]) -> None:
    with torch.no_grad():
        found = nn.Sequential(*modules, nn.Flatten())(torch.zeros(1, 4, 8, 8)).shape[1]
    evaluator = FixedPointEvaluator(
        [*modules, nn.Flatten(), nn.Linear(found, 3)], bits=8, shape=(8, 8, 4)
    )
    assert isinstance(evaluator.layers.stages[0], FloatStage)


@pytest.mark.slow
@given(st.integers(0, 10_000), st.sampled_from(["hardware", "fast"]))
@settings(max_examples=8, deadline=None, suppress_health_check=list(HealthCheck))
def test_held_trials_are_what_they_are_alone(seed: int, stream: str) -> None:
    assert_held(evaluator_of(seed, stream=stream), evaluator_of(seed, stream=stream), seed)


@pytest.mark.parametrize("bits", [16, 32])
def test_held_trials_of_more_bits(bits: int) -> None:
    modules, shape = network(5)
    both = [FixedPointEvaluator(modules, bits=bits, shape=shape) for _ in range(2)]
    assert_held(both[0], both[1], 5)


@pytest.mark.parametrize("seed", range(4))
def test_held_trials_with_layers_of_floats(seed: int) -> None:
    model = untrained(TINY, seed)
    assert_held(XnorEvaluator(model), XnorEvaluator(model), seed)


def assert_held(evaluator: Any, alone: Any, seed: int) -> None:
    """Some trials at once, twice in a row, give what each gives alone; the second goes on."""
    images = images_of(evaluator, seed)
    trials = []
    for number in range(4):
        begin(evaluator, seed + number)
        trials.append(evaluator.hold())
    for _ in range(2):
        evaluator.run_held(trials, images, taps=True)
    for number, trial in enumerate(trials):
        begin(alone, seed + number)
        runs = [alone.run(images), alone.run(images)]
        labels = np.concatenate([labels for labels, _ in runs])
        taps = {n: np.concatenate([run[1][n] for run in runs]) for n in runs[0][1]}
        found = {n: np.concatenate([part[n] for part in trial.taps]) for n in taps}
        together = np.concatenate(trial.labels), found
        assert_same((labels, taps), together, alone.memories, trial.memories)


def test_what_no_error_reaches_is_not_computed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Errors in the last buffer: the layers in front of it run once for all trials."""
    evaluator = evaluator_of(3)
    assert isinstance(evaluator.layers.stages[0], IntegerStage)
    images = images_of(evaluator, 1, 100)
    calls: list[int] = []
    compute = IntegerStage.compute

    def counted(self: IntegerStage, *arguments: Any) -> Any:
        calls.append(id(self))
        return compute(self, *arguments)

    monkeypatch.setattr(IntegerStage, "compute", counted)
    last = evaluator.memories[-1]
    trials = []
    for seed in range(5):
        evaluator.soft_reset()
        evaluator.set_errors(last.index, "flip", rate(0.1), rate(0.1), seed)
        for memory in evaluator.memories:
            if memory.kind == "weights":
                evaluator.write_weights(memory.index, evaluator.weights(memory.layer))
        trials.append(evaluator.hold())
    evaluator.run_held(trials, images)
    evaluator.run_held([trials[0]], images)
    assert calls.count(id(evaluator.layers.stages[0])) == 1
    assert all(trial.memories[-1].counts.err1 > 0 for trial in trials)


def test_wrong_images_are_refused() -> None:
    for evaluator in evaluator_of(1), XnorEvaluator(untrained(TINY, 1)):
        images = images_of(evaluator, 1, 3)
        with pytest.raises(ValueError, match="images must be"):
            evaluator.run_held([evaluator.hold()], images[:, 1:])


@pytest.mark.slow
@pytest.mark.parametrize("features", ["+avx2", "+avx512f,+avx512bw", "+avx512f,+avx512vnni"])
def test_sums_on_other_processors(features: str) -> None:
    """Compiled for less than this processor has, sums at the ends of their range are the same."""
    processor = Path("/proc/cpuinfo").read_text(encoding="utf-8")
    if features != "+avx2" and "avx512_vnni" not in processor:
        pytest.skip("this processor has no AVX-512")
    body = (
        "import numpy as np\n"
        "from spinflow.sim.fixed_point import kernels as k\n"
        "rng = np.random.default_rng(1)\n"
        "x = rng.choice(np.array([0, 1, 128, 255], np.uint8), (5, 7 * 4))\n"
        "w = rng.choice(np.array([-128, -1, 0, 127], np.int8), (70, 7 * 4))\n"
        "x[0], w[0] = 255, -128\n"
        "blocks = -(-70 // k.OUTPUTS)\n"
        "sums = np.zeros((5 + k.ROWS, blocks * k.OUTPUTS), np.int32)\n"
        "k.layer_sums(x.reshape(-1).view(np.uint32), 7, np.zeros(1, np.int64), np.arange(7),\n"
        "             k.pack_weights(w, 7), sums, 0, 5)\n"
        "assert np.array_equal(sums[:5, :70], x.astype(int) @ w.T.astype(int))\n"
        "print(k.HAS_BYTE_SUMS, k.WIDE)\n"
    )
    environment = os.environ | {"NUMBA_CPU_NAME": "x86-64", "NUMBA_CPU_FEATURES": features}
    done = subprocess.run(
        [sys.executable, "-c", body], env=environment, capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == [str("vnni" in features), str("bw" in features)]
