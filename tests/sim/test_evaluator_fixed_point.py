"""Fixed-point networks: each code, each error and each sum against plain integer arithmetic."""

from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from spinflow.host.core.coding import PLAIN, Coding
from spinflow.host.core.stream import hits
from spinflow.sim.evaluator import Evaluator
from spinflow.sim.fixed_point import FixedPointEvaluator
from tests.sim.steps import load, rate

SHAPE = (6, 6, 2)  # rows, columns, channels


def modules() -> list[Any]:
    """conv, ReLU, max-pool, linear, ReLU, linear; weights past both ends of [-1, 1)."""
    torch.manual_seed(4)
    layers: list[Any] = [
        nn.Conv2d(2, 3, 3, padding=1, bias=False),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Linear(27, 8, bias=False),
        nn.ReLU(),
        nn.Linear(8, 4),
    ]
    with torch.no_grad():
        for layer in layers:
            if isinstance(layer, nn.Linear | nn.Conv2d):
                layer.weight.uniform_(-1.1, 1.1)
        layers[0].weight.mul_(0.2)
        layers[0].weight[0, 0, 0] = torch.tensor([-1.5, 1.5, 1.0])
    return layers


def test_no_memory_of_it_is_coded() -> None:
    options: dict[str, Any] = {"bits": 8, "shape": SHAPE}
    with pytest.raises(ValueError, match="only binary networks have memories that are coded"):
        Evaluator.from_network(modules(), coding=Coding(8, 8), **options)
    assert Evaluator.from_network(modules(), coding=PLAIN, **options).memories


def quantized(bits: int, **options: Any) -> FixedPointEvaluator:
    evaluator = Evaluator.from_network(modules(), bits=bits, shape=SHAPE, **options)
    assert isinstance(evaluator, FixedPointEvaluator)
    return evaluator


def to_codes(values: np.ndarray, bits: int) -> np.ndarray:
    scaled = np.round(np.asarray(values, np.float64) * 2.0 ** (bits - 1))  # ties to even
    return np.clip(scaled, -(2.0 ** (bits - 1)), 2.0 ** (bits - 1) - 1).astype(np.int64)


def in_memory(codes: np.ndarray, bits: int) -> np.ndarray:
    """Each code's bits, least significant first: (codes, bits), 0 and 1."""
    return (codes.reshape(-1, 1) >> np.arange(bits)) & 1


def from_memory(stored: np.ndarray, bits: int) -> np.ndarray:
    weights = np.int64(1) << np.arange(bits, dtype=np.int64)
    weights[-1] = -weights[-1]  # two's complement
    return stored.astype(np.int64) @ weights


def rescaled(sums: np.ndarray, bits: int) -> np.ndarray:
    """ReLU of sums of products of codes, as codes again: exact, in Python's integers."""
    one = 1 << (bits - 1)
    result = []
    for value in sums.reshape(-1).tolist():
        whole, rest = divmod(max(value, 0), one)
        whole += rest * 2 > one or (rest * 2 == one and whole % 2 == 1)
        result.append(min(whole, one - 1))
    return np.array(result).reshape(sums.shape)


def by_integers(
    evaluator: FixedPointEvaluator, images: np.ndarray, taps: dict[str, np.ndarray], bits: int
) -> dict[str, np.ndarray]:
    """The feature maps from the stored weights and the stored maps before them."""
    stored = [
        from_memory(in_memory(evaluator.read_weights(number).astype(np.int64), bits), bits)
        for number in range(3)
    ]
    kernel = stored[0].reshape(3, 2, 3, 3).astype(object)
    pixels = (images.astype(object) - 128) * (1 << (bits - 8))
    x = np.zeros((len(images), 2, 8, 8), dtype=object)
    x[:, :, 1:7, 1:7] = pixels.reshape(-1, *SHAPE).transpose(0, 3, 1, 2)
    sums = np.zeros((len(images), 3, 6, 6), dtype=object)
    for i in range(3):
        for j in range(3):
            patch = x[:, :, i : i + 6, j : j + 6]
            sums += (patch[:, None] * kernel[None, :, :, i, j, None, None]).sum(axis=2)
    found = {"conv0": rescaled(sums, bits).reshape(len(images), -1)}
    stored_map = taps["conv0.buffer"].reshape(-1, 3, 3, 2, 3, 2)
    pooled = stored_map.max(axis=(3, 5)).reshape(len(images), 27).astype(object)
    found["fc0"] = rescaled(pooled @ stored[1].reshape(8, 27).T.astype(object), bits)
    last = taps["fc0.buffer"].astype(object) @ stored[2].reshape(4, 8).T.astype(object)
    found["fc1"] = last.astype(np.float64) / 4.0 ** (bits - 1)
    return found


@pytest.fixture
def images() -> np.ndarray:
    return np.random.default_rng(2).integers(0, 256, (150, 72), dtype=np.uint8)


@pytest.mark.parametrize("bits", [8, 16, 32])
@pytest.mark.parametrize("mode", ["off", "flip", "switch"])
def test_bit_by_bit(bits: int, mode: str, images: np.ndarray) -> None:
    """Stored weights and maps are the codes with the draws' errors; sums are exact integers."""
    evaluator = quantized(bits)
    for cells in evaluator.memories:
        evaluator.set_errors(cells.index, mode, rate(0.02), rate(0.1), 50 + cells.index)
    load(evaluator)
    trained = [m.weight for m in modules() if isinstance(m, nn.Linear | nn.Conv2d)]
    for number, weight in enumerate(trained):
        target = in_memory(to_codes(weight.detach().numpy(), bits), bits)
        expected = write(target, np.zeros_like(target), mode, 50 + number, weights=True)
        found = in_memory(evaluator.read_weights(number).astype(np.int64), bits)
        np.testing.assert_array_equal(found, expected)
        counted = evaluator.counters(number)
        assert counted.written == target.size
        assert counted.switched == target.sum()
        assert counted.err1 == ((expected != target) & (target == 1)).sum()
        assert counted.err0 == ((expected != target) & (target == 0)).sum()
    labels, taps = evaluator.run(images)
    expected_maps = by_integers(evaluator, images, taps, bits)
    # 32-bit products sum in float64, which rounds: the codes may differ in the last place.
    slack = 1 if bits == 32 else 0
    for name in ("conv0", "fc0"):
        assert np.abs(taps[name] - expected_maps[name]).max() <= slack, name
        assert taps[name].min() == 0 and (taps[name] > 0).mean() > 0.2
    np.testing.assert_allclose(taps["fc1"], expected_maps["fc1"] + bias(), rtol=1e-6, atol=1e-6)
    np.testing.assert_array_equal(labels, taps["fc1"].argmax(axis=1))
    for index, name in ((3, "conv0"), (4, "fc0")):
        target = in_memory(taps[name].astype(np.int64), bits)
        found = in_memory(taps[f"{name}.buffer"].astype(np.int64), bits)
        depth = len(target) // len(images)
        old = np.concatenate([np.zeros_like(target[:depth]), found[:-depth]])
        np.testing.assert_array_equal(found, write(target, old, mode, 50 + index))
        counted = evaluator.counters(index)
        assert counted.switched == (target != old).sum()
        assert counted.err1 + counted.err0 == (found != target).sum()
        assert (mode == "off") == (counted.err1 + counted.err0 == 0)


def bias() -> np.ndarray:
    return np.asarray(modules()[-1].bias.detach().double().numpy())


def write(
    target: np.ndarray, old: np.ndarray, mode: str, seed: int, weights: bool = False
) -> np.ndarray:
    """Bits (codes, bits) as they are stored; a code of weights takes a segment of its own."""
    if mode == "off":
        return target
    bits = target.shape[1]
    taken = np.pad(target, ((0, 0), (0, -bits % 32))) if weights else target
    thresholds = np.where(taken.reshape(-1) == 1, rate(0.02), rate(0.1))
    hit = hits(seed, 0, thresholds).reshape(taken.shape)[:, :bits]
    return target ^ hit if mode == "flip" else np.where(hit, old, target)


def test_without_errors_it_is_the_float_network(images: np.ndarray) -> None:
    """At 32 bits the float network itself, up to its weights' clipping."""
    evaluator = quantized(32)
    load(evaluator)
    layers = nn.Sequential(*modules()).double()
    with torch.no_grad():
        for layer in layers:
            if isinstance(layer, nn.Linear | nn.Conv2d):
                layer.weight.clamp_(-1, 1 - 2.0**-31)
        x = torch.from_numpy(images.reshape(-1, *SHAPE) / 128.0 - 1).permute(0, 3, 1, 2)
        x = layers[:2](x).clamp(max=1 - 2.0**-31)
        x = layers[2:6](x).clamp(max=1 - 2.0**-31)
        expected = layers[6](x).numpy()
    np.testing.assert_allclose(evaluator.run(images)[1]["fc1"], expected, atol=1e-7)


def test_parts_resets_and_streams(images: np.ndarray) -> None:
    """The stream goes on between runs, a soft reset begins again, both streams have the rate."""
    for stream in ("hardware", "fast"):
        evaluator = quantized(8, stream=stream)
        load(evaluator)
        for index in (3, 4):
            evaluator.set_errors(index, "flip", rate(0.05), rate(0.05), 8)
        whole = evaluator.run(images)[1]
        counted = evaluator.counters(3)
        assert abs((counted.err1 + counted.err0) / counted.written - 0.05) < 0.005
        evaluator.soft_reset()
        assert evaluator.counters(3).written == 0
        parts = [evaluator.run(images[a:b])[1] for a, b in ((0, 1), (1, 140), (140, 150))]
        for name, values in whole.items():
            np.testing.assert_array_equal(np.concatenate([p[name] for p in parts]), values)
        evaluator.clear()
        labels, none = evaluator.run(images[:0], taps=False)
        assert labels.shape == (0,) and none == {}


def test_wrong_input(images: np.ndarray) -> None:
    with pytest.raises(ValueError, match="12 bits: fixed point has 8, 16, 32"):
        quantized(12)
    with pytest.raises(ValueError, match="no stream 'slow'"):
        quantized(8, stream="slow")
    with pytest.raises(ValueError, match="module 1, Softmax, cannot be quantized"):
        FixedPointEvaluator([nn.Linear(4, 4), nn.Softmax(1)], bits=8, shape=(4,))
    with pytest.raises(ValueError, match="no module has weights"):
        FixedPointEvaluator([nn.ReLU()], bits=8, shape=(4,))
    with pytest.raises(ValueError, match=r"do not take images of \(5,\)"):
        FixedPointEvaluator([nn.Linear(4, 4)], bits=8, shape=(5,))
    with pytest.raises(ValueError, match=r"not \(n, classes\)"):
        FixedPointEvaluator([nn.Conv2d(2, 3, 3)], bits=8, shape=SHAPE)
    evaluator = quantized(8)
    with pytest.raises(ValueError, match="memory 3 is a buffer"):
        evaluator.write_weights(3, np.zeros((1, 1), np.uint32))
    with pytest.raises(ValueError, match=r"takes \(54, 1\) segments"):
        evaluator.write_weights(0, np.zeros((1, 1), np.uint32))
    with pytest.raises(ValueError, match=r"\(n, 72\), not \(150, 71\)"):
        evaluator.run(images[:, 1:])
    with pytest.raises(ValueError, match="no memory 5, only 0 to 4"):
        evaluator.counters(5)
