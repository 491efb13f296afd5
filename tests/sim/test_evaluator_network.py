"""Layers of the evaluator against PyTorch's float arithmetic, on random networks."""

from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from spinflow.host.core.stream import hits
from spinflow.model.networks.base import predict
from spinflow.model.networks.build import build
from spinflow.model.zoo import network
from spinflow.sim.evaluator import (
    Conv,
    Evaluator,
    Folding,
    Label,
    Linear,
    MaxPool,
    Network,
    PixelThreshold,
    cnv,
    fold_batch_norm,
)
from spinflow.sim.evaluator.network import of_model
from tests.sim.steps import load

Taps = dict[str, np.ndarray]


def by_torch(network: Network, images: np.ndarray, taps: Taps) -> Taps:
    """Every boundary in float64; a buffer gives what it gave the evaluator, so errors pass on."""
    shape = network.shape if len(network.shape) == 3 else (1, 1, network.shape[0])
    x = torch.from_numpy(images.reshape(-1, *shape).astype(np.float64)).permute(0, 3, 1, 2)
    found: Taps = {}
    pixels = True
    for layer in network.layers:
        if isinstance(layer, PixelThreshold):
            x = torch.where(x >= layer.threshold, 1.0, -1.0).double()
        elif isinstance(layer, MaxPool):
            x = F.max_pool2d(x, layer.size)
        elif isinstance(layer, Label):
            found[layer.name] = x.flatten(1).numpy().argmax(axis=1)[:, None]
            continue
        else:
            assert isinstance(layer, Linear | Conv)
            x = product(layer, x, pixels)
        pixels = False
        values = x.permute(0, 2, 3, 1).reshape(len(images), -1).numpy()
        has_sums = isinstance(layer, Linear | Conv) and layer.thresholds is None
        found[layer.name] = values if has_sums else (values > 0).astype(np.uint8)
        if f"{layer.name}.buffer" in taps:
            stored = taps[f"{layer.name}.buffer"].reshape(-1, *x.permute(0, 2, 3, 1).shape[1:])
            x = torch.from_numpy(stored * 2.0 - 1).permute(0, 3, 1, 2)
    return found


def product(layer: Linear | Conv, x: torch.Tensor, pixels: bool) -> torch.Tensor:
    """A weight layer: bits for -1 and +1 as such, agreeing bits, or signed sums of pixels."""
    weights = torch.from_numpy(layer.weights * 2.0 - 1)
    if isinstance(layer, Conv):
        top, left, bottom, right = layer.frame
        x = F.pad(x, (left, right, top, bottom), value=0.0 if pixels else -1.0)
        sums = F.conv2d(x, weights.permute(0, 3, 1, 2), stride=layer.stride)
    else:
        sums = F.linear(x.permute(0, 2, 3, 1).flatten(1), weights)[:, :, None, None]
    if not pixels:
        sums = (sums + layer.weights[0].size) / 2
    if layer.thresholds is None:
        return sums
    limits = torch.from_numpy(np.asarray(layer.thresholds, np.float64))[:, None, None]
    bits = sums >= limits
    if layer.inverted is not None:
        bits = bits != torch.from_numpy(layer.inverted)[:, None, None]
    return torch.where(bits, 1.0, -1.0).double()


def loaded(network: Network, **options: Any) -> Evaluator:
    evaluator: Evaluator = Evaluator.from_network(network, **options)
    load(evaluator)
    return evaluator


def check(network: Network, frames: int, evaluator: Evaluator | None = None) -> Taps:
    evaluator = evaluator or loaded(network)
    generator = np.random.default_rng(3)
    images = generator.integers(0, 256, (frames, int(np.prod(network.shape))), dtype=np.uint8)
    labels, taps = evaluator.run(images)
    expected = by_torch(network, images, taps)
    assert set(expected) == {name for name in taps if not name.endswith(".buffer")}
    for name, values in expected.items():
        np.testing.assert_array_equal(taps[name], values, err_msg=name)
    np.testing.assert_array_equal(labels, expected["label"][:, 0])
    return taps


def conv(name: str, shape: tuple[int, int, int, int], pixels: bool = False, **options: Any) -> Conv:
    generator = np.random.default_rng(len(name) + shape[0])
    weights = generator.integers(0, 2, shape, dtype=np.uint8)
    terms = weights[0].size
    middle = (weights.reshape(shape[0], -1) * 2.0 - 1).sum(1) * 127.5 if pixels else terms / 2
    thresholds = np.round(middle + generator.normal(0, 1, shape[0])).astype(np.int32)
    inverted = generator.random(shape[0]) < 0.3
    return Conv(name, weights, thresholds, inverted, **options)


def fc(name: str, outputs: int, inputs: int, last: bool = False, **options: Any) -> Linear:
    generator = np.random.default_rng(len(name) + outputs)
    weights = generator.integers(0, 2, (outputs, inputs), dtype=np.uint8)
    thresholds = generator.integers(-1, inputs + 3, outputs) if outputs < 12 else None
    if thresholds is None:
        thresholds = np.round(generator.normal(inputs / 2, 3, outputs)).astype(np.int32)
    return Linear(name, weights, None if last else thresholds, **options)


def test_convolutions() -> None:
    """Channels that fill no word, padding, strides, kernels that are not square, odd pools."""
    layers = (
        conv("a", (40, 3, 3, 3), True, padding=1, buffer=True),
        conv("b", (33, 3, 3, 40), padding=1),
        MaxPool("p"),
        conv("c", (70, 2, 3, 33), stride=2, buffer=True),
        conv("d", (64, 1, 1, 70), padding=(1, 2, 3, 2)),
        conv("e", (5, 3, 1, 64), stride=(1, 2)),
        fc("f", 45, 5 * 3 * 5),
        fc("g", 7, 45, last=True),
        Label(),
    )
    network = Network("odd", (14, 13, 3), layers)
    for step in range(2):  # the second time the memory of the maps is not fresh
        taps = check(network, 9 + 30 * step)
        bits = np.concatenate([taps[name] for name in "abcde"], axis=1)
        assert 0.1 < bits.mean() < 0.9


def test_many_taps_and_big_pixels() -> None:
    """More pixels in a sum than 16 bits hold, and a pixel layer that is fully connected."""
    check(
        Network(
            "wide",
            (20, 20, 3),
            (conv("a", (32, 13, 13, 3), True), fc("f", 10, 8 * 8 * 32, True), Label()),
        ),
        5,
    )
    weights = np.ones((10, 784), np.uint8)
    network = Network("sums", (784,), (Linear("a", weights), Label()))
    assert (
        loaded(network).run(np.full((2, 784), 255, np.uint8))[1]["a"].tolist()
        == [[784 * 255] * 10] * 2
    )


@pytest.mark.parametrize("threshold", [0, 1, 255, 256])
def test_pixel_threshold(threshold: int) -> None:
    layers = (PixelThreshold(threshold), fc("f", 70, 100), fc("g", 10, 70, True), Label())
    check(Network("threshold", (100,), layers), 11)
    check(Network("map", (5, 4, 5), layers), 11)


def test_folding_does_not_change_the_result() -> None:
    layers = [PixelThreshold(100)]
    network = Network(
        "folded",
        (96,),
        (
            *layers,
            fc("f", 40, 96, folding=Folding(4, 6), buffer=True),
            fc("g", 10, 40, True, folding=Folding(5, 20)),
            Label(),
        ),
    )
    check(network, 20)


def test_a_tie_takes_the_lowest_label() -> None:
    weights = np.array([[0] * 8, [1] * 8, [1] * 8], np.uint8)
    network = Network("tie", (8,), (PixelThreshold(1), Linear("f", weights), Label()))
    labels, _ = loaded(network).run(np.array([[1] * 8, [1] * 4 + [0] * 4], np.uint8))
    assert labels.tolist() == [1, 0]


def test_cnv() -> None:
    """The whole CNV, errors in two buffers; the errors lie where the draws are."""
    network = cnv()
    evaluator = loaded(network)
    numbers = {cells.name: cells.index for cells in evaluator.memories}
    rate = round(0.01 * 2**32)
    for name in ("conv1.buffer", "fc0.buffer"):
        evaluator.set_errors(numbers[name], "flip", rate, rate, 11)
    taps = check(network, 6, evaluator)
    for name, size in (("conv1", 28 * 28 * 64), ("fc0", 512)):
        hit = hits(11, 0, np.full(6 * size, rate)).reshape(6, size)
        np.testing.assert_array_equal(taps[f"{name}.buffer"], taps[name] ^ hit)
    for number in range(6):
        assert 0.2 < taps[f"conv{number}"].mean() < 0.8


@pytest.mark.parametrize("name", ["lenet-mnist", "cnv-cifar10", "tfc-mnist"])
def test_networks_of_brevitas(name: str) -> None:
    """Untrained, with batch norms that give maps of both bits."""
    torch.manual_seed(3)
    model = build(network(name)).eval()
    with torch.no_grad():
        for layer, norm in zip(model.spec.weighted, model.batch_norms(), strict=False):
            norm.bias.normal_()
            norm.running_var.fill_(layer.fan_in * (20_000 if layer.pixels else 1))
    model.centre_thresholds()
    generator = np.random.default_rng(1)
    images = generator.integers(0, 256, (24, model.spec.pixels), dtype=np.uint8)
    labels, taps = loaded(of_model(model)).run(images)
    np.testing.assert_array_equal(labels, predict(model, images))
    pooled = {layer.name for layer in model.spec.layers if layer.op == "pool"}
    hidden = {layer.name for layer in model.spec.weighted if layer.sign}
    stored = {name.removesuffix(".buffer") for name in taps if name.endswith(".buffer")}
    assert stored == hidden - {name.replace("pool", "conv") for name in pooled} | pooled
    assert all(0.05 < taps[name].mean() < 0.95 for name in hidden)


def test_batch_norm_of_either_sign() -> None:
    generator = np.random.default_rng(6)
    fan_in, outputs = 12, 500
    gain = generator.normal(0, 1, outputs)
    gain[:20] = 0
    offset, mean = generator.normal(0, 4, (2, outputs))
    offset[20:60] = 0
    mean[20:60] = np.round(mean[20:60] / 2) * 2  # the edge is met exactly, where sign is +1
    thresholds, inverted = fold_batch_norm(gain, offset, mean, fan_in)
    agreeing = np.arange(fan_in + 1)[:, None]
    sums = 2 * agreeing - fan_in
    expected = gain * (sums - mean) + offset >= 0
    np.testing.assert_array_equal((agreeing >= thresholds) != inverted, expected)


def test_networks_that_do_not_fit() -> None:
    def raises(message: str, *layers: Any, shape: tuple[int, ...] = (8, 8, 3)) -> None:
        with pytest.raises(ValueError, match=message):
            Evaluator.from_network(Network("bad", shape, layers))

    good = conv("a", (8, 3, 3, 3))
    raises("the last layer is to be a label", good)
    raises(r"layer f: weights \(10, 5\) do not take a map of \(8, 8, 3\)", fc("f", 10, 5, True))
    raises("the name is taken", good, conv("a", (8, 3, 3, 8)))
    raises("a label needs sums before it", good, Label())
    raises("UINT8 pixels are not pooled", MaxPool("p"))
    raises("only pixels are compared", good, PixelThreshold(3))
    raises("leaves nothing", conv("a", (8, 9, 9, 3)))
    raises(
        "a folding of 3 x 27 does not divide it", conv("a", (8, 3, 3, 3), folding=Folding(3, 27))
    )
    raises("only bits are stored", fc("f", 10, 192, True, buffer=True), Label())
    raises("weights are bits", Linear("f", np.full((10, 192), -1)), Label())
    raises("thresholds", Linear("f", np.ones((10, 192)), np.ones(9)), Label())
    raises("images are", Label(), shape=(8, 8))
