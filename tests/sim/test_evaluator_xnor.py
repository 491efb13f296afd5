"""Networks with layers of floats: each stored bit, and the sums that follow from them."""

from __future__ import annotations

import copy
import pickle
from typing import Any

import numpy as np
import pytest
import torch

from spinflow.host.core.stream import hits
from spinflow.model.networks.base import predict, to_input
from spinflow.model.networks.build import untrained
from spinflow.model.networks.graph import Layer
from spinflow.model.networks.xnor import XnorNetwork
from spinflow.sim.evaluator import Evaluator
from spinflow.sim.xnor import XnorEvaluator
from tests.model.test_networks import random_images
from tests.model.test_networks_xnor import TINY
from tests.sim.steps import load, rate

NAMES = ["conv1.weights", "fc0.weights", "pool0.buffer", "pool1.buffer"]
SIZES = [(8, 54), (12, 16), (72, 1), (16, 1)]  # depth, width


@pytest.fixture(scope="module")
def tiny() -> XnorNetwork:
    model: XnorNetwork = untrained(TINY, 3)
    return model


@pytest.fixture(scope="module")
def images() -> np.ndarray:
    return random_images(TINY, 230)  # more than are computed at once


def evaluator_of(model: Any, **options: Any) -> XnorEvaluator:
    evaluator = Evaluator.from_network(model, **options)
    assert isinstance(evaluator, XnorEvaluator)
    return evaluator


def hits_of(target: np.ndarray, seed: int) -> np.ndarray:
    """Which bits err, from a restart on."""
    thresholds = np.where(target.reshape(-1) == 1, rate(0.05), rate(0.2))
    return hits(seed, 0, thresholds).reshape(target.shape)


def write(
    target: np.ndarray, old: np.ndarray, mode: str, seed: int, weights: bool = False
) -> np.ndarray:
    """Bits as they are stored, in the order in which they are written; weights fill segments."""
    if mode == "off":
        return target
    width = target.shape[1]
    taken = np.pad(target, ((0, 0), (0, -width % 32))) if weights else target
    hit = hits_of(taken, seed)[:, :width]
    return target ^ hit if mode == "flip" else np.where(hit, old, target)


class Recorded:
    """Feeds a network with the maps that an evaluator stored, and keeps those it writes."""

    def __init__(self, taps: dict[str, np.ndarray]) -> None:
        self.taps = taps
        self.written: dict[str, np.ndarray] = {}

    def weights(self, _: str, written: torch.Tensor) -> torch.Tensor:
        return written

    def hidden_map(self, name: str, written: torch.Tensor) -> torch.Tensor:
        channels, rows, columns = {"pool0": (6, 4, 3), "pool1": (8, 2, 1)}[name]
        maps = written.reshape(-1, channels, rows, columns).numpy().transpose(0, 2, 3, 1)
        self.written[name] = (maps.reshape(len(maps), -1) == 1).astype(np.uint8)
        stored = self.taps[f"{name}.buffer"].reshape(maps.shape).transpose(0, 3, 1, 2)
        signs = torch.from_numpy(stored.astype(np.float32) * 2 - 1)
        return signs.reshape(written.shape)


def test_memories(tiny: XnorNetwork) -> None:
    memories = evaluator_of(tiny).memories
    assert [m.name for m in memories] == NAMES
    assert [(m.depth, m.width) for m in memories] == SIZES


def test_without_errors_it_is_the_network(tiny: XnorNetwork, images: np.ndarray) -> None:
    evaluator = evaluator_of(tiny)
    load(evaluator)
    labels, taps = evaluator.run(images)
    np.testing.assert_array_equal(labels, predict(tiny, images))
    with torch.no_grad():
        expected = tiny(to_input(TINY, images)).numpy()
    np.testing.assert_allclose(taps["fc1"], expected, rtol=1e-5, atol=1e-5)
    for name in ("pool0", "pool1"):
        np.testing.assert_array_equal(taps[name], taps[f"{name}.buffer"])
    assert evaluator.counters(2).written == 72 * len(images)
    assert all(evaluator.counters(index).err1 == 0 for index in range(4))
    np.testing.assert_array_equal(evaluator.sums(images), taps["fc1"])


@pytest.mark.parametrize("mode", ["off", "flip", "switch"])
def test_bit_by_bit(tiny: XnorNetwork, images: np.ndarray, mode: str) -> None:
    evaluator = evaluator_of(tiny)
    for index in range(4):
        evaluator.set_errors(index, mode, rate(0.05), rate(0.2), 70 + index)
    load(evaluator)
    # What lies in the weight memories, put into the network by hand.
    model = copy.deepcopy(tiny)
    layers: list[Layer] = [layer for layer in TINY.weighted if layer.binary]
    for number, (layer, matrix) in enumerate(zip(layers, model.matrices()[1:3], strict=True)):
        rows, columns, channels = layer.source
        latent = matrix.weight.detach().numpy()
        if layer.op == "linear":
            latent = latent.reshape(-1, channels, rows, columns)
        target = (latent.transpose(0, 2, 3, 1).reshape(len(latent), -1) >= 0).astype(np.uint8)
        expected = write(target, np.zeros_like(target), mode, 70 + number, weights=True)
        words = evaluator.read_weights(number).astype("<u4").view(np.uint8)
        found = np.unpackbits(words, axis=1, bitorder="little")[:, : layer.fan_in]
        np.testing.assert_array_equal(found, expected)
        counted = evaluator.counters(number)
        assert counted.err1 + counted.err0 == (expected != target).sum()
        if layer.op == "conv":
            kernel = expected.reshape(-1, 3, 3, channels).transpose(0, 3, 1, 2)
        else:
            kernel = expected.reshape(-1, rows, columns, channels).transpose(0, 3, 1, 2)
        with torch.no_grad():
            signs = torch.from_numpy(kernel.astype(np.float32) * 2 - 1)
            matrix.weight.copy_(signs.reshape(matrix.weight.shape))
    _, taps = evaluator.run(images)
    seen = Recorded(taps)
    with torch.no_grad():
        sums = model(to_input(TINY, images), seen).numpy()
    np.testing.assert_allclose(taps["fc1"], sums, rtol=1e-5, atol=1e-5)
    for index, name in ((2, "pool0"), (3, "pool1")):
        target, found = seen.written[name], taps[f"{name}.buffer"]
        np.testing.assert_array_equal(taps[name], target)
        assert 0.2 < target.mean() < 0.8
        old = np.zeros_like(target[0])
        expected = target
        if mode == "switch":
            # The old map of an image is what was stored of the one before.
            hit = hits_of(target, 70 + index)
            rows_found = []
            for bits, wrong in zip(target, hit, strict=True):
                old = np.where(wrong, old, bits)
                rows_found.append(old)
            expected = np.stack(rows_found)
        elif mode == "flip":
            expected = write(target, target, mode, 70 + index)
        np.testing.assert_array_equal(found, expected)
        counted = evaluator.counters(index)
        assert counted.err1 + counted.err0 == (found != target).sum()
        assert (mode == "off") == (counted.err1 + counted.err0 == 0)


def test_parts_resets_and_streams(tiny: XnorNetwork, images: np.ndarray) -> None:
    for stream in ("hardware", "fast"):
        evaluator = evaluator_of(tiny, stream=stream, threads=1)
        load(evaluator)
        for index in (2, 3):
            evaluator.set_errors(index, "flip", rate(0.05), rate(0.05), 8)
        whole = evaluator.run(images)[1]
        counted = evaluator.counters(2)
        assert abs((counted.err1 + counted.err0) / counted.written - 0.05) < 0.01
        evaluator.soft_reset()
        parts = [evaluator.run(images[a:b])[1] for a, b in ((0, 1), (1, 140), (140, 230))]
        for name in ("pool0.buffer", "pool1.buffer"):
            np.testing.assert_array_equal(np.concatenate([p[name] for p in parts]), whole[name])
        labels, none = evaluator.run(images[:0], taps=False)
        assert labels.shape == (0,) and none == {}


def test_it_is_sent_to_other_processes(tiny: XnorNetwork, images: np.ndarray) -> None:
    first = evaluator_of(tiny, stream="fast")
    second = evaluator_of(pickle.loads(pickle.dumps(first.network)), stream="fast")
    labels = []
    for evaluator in (first, second):
        for index in range(4):
            evaluator.set_errors(index, "flip", rate(0.1), rate(0.1), 5)
        load(evaluator)
        labels.append(evaluator.run(images, taps=False)[0])
    np.testing.assert_array_equal(labels[0], labels[1])
    assert (labels[0] != predict(tiny, images)).any()


def test_wrong_input(tiny: XnorNetwork, images: np.ndarray) -> None:
    with pytest.raises(ValueError, match="no stream 'slow'"):
        evaluator_of(tiny, stream="slow")
    evaluator = evaluator_of(tiny)
    with pytest.raises(ValueError, match="memory 2 is a buffer"):
        evaluator.write_weights(2, np.zeros((1, 1), np.uint32))
    with pytest.raises(ValueError, match=r"takes \(8, 2\) segments"):
        evaluator.write_weights(0, np.zeros((1, 1), np.uint32))
    with pytest.raises(ValueError, match=r"\(n, 429\), not \(230, 428\)"):
        evaluator.run(images[:, 1:])
