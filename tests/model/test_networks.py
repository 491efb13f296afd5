"""Every network: its shapes, a step of training, and the evaluator's labels."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from typing import Any

import numpy as np
import pytest
import torch
from qonnx.core.onnx_exec import execute_onnx
from torch.nn import functional
from tqdm import tqdm

from spinflow.model.data import Dataset
from spinflow.model.export import to_qonnx
from spinflow.model.networks.base import predict, to_input
from spinflow.model.networks.binary import BinaryNetwork
from spinflow.model.networks.build import build, untrained
from spinflow.model.networks.graph import ConvSpec, NetworkSpec, Spec
from spinflow.model.training.feeds.memory import MemoryFeed
from spinflow.model.training.loop import Trainer
from spinflow.model.zoo import NETWORKS, RECIPES, network
from spinflow.sim.evaluator import Evaluator
from tests.model.conftest import TINY, shortest

# Of several pools and paddings, no two sizes alike, small.
PADDED = ConvSpec("padded", (10, 7, 3), 3, (6, 5, 8), (1,), (12, 10), 2.0**-2, "cifar10", padding=1)
LARGE = {
    "cnn-cifar10",
    "vgg-cifar10",
    "vgg3-cifar10",
    "vgg-fxp8-cifar10",
    "vgg-fxp16-cifar10",
    "vgg-fxp32-cifar10",
    "nin-cifar100",
    "nin-svhn",
    "alexnet-imagenet",
}
SHAPES = {
    "mlp-fashion-mnist": ["input 784", "fc0 1024", "fc1 1024", "fc2 10"],
    "lenet-fashion-mnist": [
        "conv0 24 24 32", "pool0 12 12 32", "conv1 8 8 64", "pool1 4 4 64", "fc0 512", "fc1 10",
    ],
    "cnn-cifar10": [
        "conv0 32 32 384", "conv1 32 32 384", "pool1 16 16 384", "conv2 16 16 384",
        "conv3 16 16 768", "pool3 8 8 768", "conv4 8 8 768", "conv5 8 8 1536", "pool5 4 4 1536",
        "fc0 1024", "fc1 1024", "fc2 10",
    ],
    "vgg-cifar10": [
        "conv0 32 32 128", "conv1 32 32 128", "pool1 16 16 128", "conv2 16 16 256",
        "conv3 16 16 256", "pool3 8 8 256", "conv4 8 8 512", "conv5 8 8 512", "pool5 4 4 512",
        "fc0 1024", "fc1 1024", "fc2 10",
    ],
    "vgg3-cifar10": [
        "conv0 32 32 384", "conv1 32 32 384", "pool1 16 16 384", "conv2 16 16 768",
        "conv3 16 16 768", "pool3 8 8 768", "conv4 8 8 1536", "conv5 8 8 1536", "pool5 4 4 1536",
        "fc0 1024", "fc1 1024", "fc2 10",
    ],
}  # fmt: skip


def large_are_slow(names: Iterable[str]) -> list[Any]:
    return [pytest.param(name, marks=pytest.mark.slow) if name in LARGE else name for name in names]


def random_images(spec: Spec, count: int) -> np.ndarray:
    generator = np.random.default_rng(4)
    top = generator.integers(100, 256, (count, 1))
    return generator.integers(0, top + 1, (count, spec.pixels)).astype(np.uint8)


def spread(spec: Spec) -> BinaryNetwork:
    """Return an untrained network whose maps have bits of both kinds, without a run of images."""
    torch.manual_seed(3)
    model = build(spec).eval()
    with torch.no_grad():
        for layer, norm in zip(spec.weighted, model.batch_norms(), strict=False):
            norm.bias.normal_()
            norm.running_var.fill_(layer.fan_in * (20_000 if layer.pixels else 1))
    model.centre_thresholds()
    return model


def labels_and_taps(
    model: BinaryNetwork, images: np.ndarray
) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    evaluator = Evaluator.from_network(model)
    for number, memory in enumerate(m for m in evaluator.memories if m.kind == "weights"):
        evaluator.write_weights(memory.index, evaluator.weights(number))
    labels, taps = evaluator.run(images)
    return labels, taps


def described(spec: Spec) -> list[str]:
    return [
        " ".join(map(str, [layer.name, *layer.result[0 if layer.result[0] > 1 else 2 :]]))
        for layer in spec.layers
    ]


@pytest.mark.parametrize("name", SHAPES)
def test_shapes(name: str) -> None:
    assert described(network(name)) == SHAPES[name]


@pytest.mark.slow
@pytest.mark.parametrize("name", large_are_slow(NETWORKS))
def test_recipe_trains_a_step(name: str) -> None:
    spec, recipe = network(name), RECIPES[name]
    assert recipe.network == name
    images = random_images(spec, 6)
    labels = np.arange(6, dtype=np.uint8)
    small = shortest(recipe, batch=4, validation=2)
    teacher = untrained(network(recipe.teacher), 1) if recipe.teacher else None
    trainer = Trainer(MemoryFeed(small, Dataset(images, labels, images, labels)), teacher)
    before = [matrix.weight.detach()[:1].clone() for matrix in trainer.model.matrices()]
    with tqdm(disable=True) as bar:
        for _ in range(small.epochs):
            trainer.run_epoch(bar)
    for old, matrix in zip(before, trainer.model.matrices(), strict=True):
        assert matrix.weight.isfinite().all()
        assert not torch.equal(matrix.weight[:1], old)


@pytest.mark.slow
@pytest.mark.parametrize("name", large_are_slow(SHAPES))
def test_evaluator_gives_the_labels_of_brevitas(name: str) -> None:
    model = spread(network(name))
    images = random_images(model.spec, 4)
    labels, taps = labels_and_taps(model, images)
    np.testing.assert_array_equal(labels, predict(model, images))
    hidden = [layer.name for layer in model.spec.weighted if layer.sign]
    assert all(0.05 < taps[name].mean() < 0.95 for name in hidden)


@pytest.mark.slow
def test_padding_is_minus_one_and_pixel_zero() -> None:
    """Every map of the evaluator, and the graph's labels, are those of Brevitas."""
    model = untrained(PADDED, 2)
    images = random_images(PADDED, 20)
    labels, taps = labels_and_taps(model, images)
    x = to_input(PADDED, images)
    with torch.no_grad():
        first = model.matrices()[0].quant_weight().value
        sums = functional.conv2d(x, first, padding=1)
        bits = model.signs[0](model.norms[0](sums))
        by_torch = bits.permute(0, 2, 3, 1).reshape(20, -1).numpy() > 0
        np.testing.assert_array_equal(taps["conv0"], by_torch)
        framed = torch.full((20, 6, 12, 9), -1.0)
        framed[:, :, 1:-1, 1:-1] = bits
        sums = functional.conv2d(framed, model.matrices()[1].quant_weight().value)
        bits = model.signs[1](model.norms[1](sums))
        by_torch = bits.permute(0, 2, 3, 1).reshape(20, -1).numpy() > 0
        np.testing.assert_array_equal(taps["conv1"], by_torch)
    np.testing.assert_array_equal(labels, predict(model, images))
    graph = to_qonnx(model)
    source, sink = graph.graph.input[0].name, graph.graph.output[0].name
    seen = [int(execute_onnx(graph, {source: image[None]})[sink].argmax()) for image in x.numpy()]
    np.testing.assert_array_equal(seen, labels)


def test_training_pads_as_brevitas_does() -> None:
    spec = dataclasses.replace(PADDED, pools=())
    torch.manual_seed(2)
    model = build(spec)
    pixels = to_input(spec, random_images(spec, 8))
    assert torch.equal(model(pixels), model.training_logits(pixels, bfloat16=False))


MIXED = ConvSpec(
    "mixed",
    (17, 14, 2),
    kernel=(3, 1, 2),
    channels=(5, 6, 7),
    pools=(0, 2),
    widths=(9, 3),
    padding=(2, 0, 1),
    stride=(2, 1, 1),
    pool=(1, 3),
)


def test_each_convolution_and_pool_has_sizes_of_its_own() -> None:
    assert described(MIXED) == [
        *("conv0 10 8 5", "pool0 10 8 5", "conv1 10 8 6", "conv2 11 9 7", "pool2 3 3 7"),
        *("fc0 9", "fc1 3"),
    ]
    without = dataclasses.replace(MIXED, pools=(), pool=2)
    torch.manual_seed(2)
    trained, pixels = build(without), to_input(without, random_images(without, 8))
    assert torch.equal(trained(pixels), trained.training_logits(pixels, bfloat16=False))
    model, images = untrained(MIXED, 1), random_images(MIXED, 50)
    labels, taps = labels_and_taps(model, images)
    np.testing.assert_array_equal(labels, predict(model, images))
    assert len(set(labels)) > 1
    assert all(0.05 < taps[name].mean() < 0.95 for name in ("conv0", "conv1", "conv2", "fc0"))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"padding": 3}, "padding of conv0 is 3, valid: 0 to 2"),
        ({"padding": (1, 1)}, r"padding is \[1, 1\], valid: a number, or a list of 3"),
        ({"kernel": 0}, "kernel is 0, valid: 1 or more"),
        ({"kernel": 11}, "conv0 takes 11 x 11 of a map of 10 x 7"),
        ({"stride": 0}, "stride is 0, valid: 1 or more"),
        ({"pools": (1, 3)}, r"pools is \[1, 3\], valid: numbers of convolutions, 0 to 2, in order"),
        ({"pools": (1, 1)}, r"pools is \[1, 1\]"),
        ({"pool": (2, 2)}, r"pool is \[2, 2\], valid: a number, or a list of 1"),
        ({"channels": ()}, "channels is "),
        ({"channels": (6, 0, 8)}, "channels has 0, valid: 1 or more"),
        ({"widths": ()}, "widths is "),
        ({"widths": (12, 1)}, "widths ends with 1, the number of classes, valid: 2 to 1000"),
        ({"logit_scale": 0.3}, "logit_scale is 0.3, valid: a power of two"),
    ],
)
def test_what_no_convolutional_network_can_be(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        dataclasses.replace(PADDED, **changes)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"widths": (784,)}, "widths is "),
        ({"widths": (784, 0, 10)}, "widths has 0, valid: 1 or more"),
        ({"widths": (784, 10, 1001)}, "widths ends with 1001"),
        ({"input_threshold": 256}, "input_threshold is 256, valid: 1 to 255"),
    ],
)
def test_what_no_perceptron_can_be(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        dataclasses.replace(TINY, **changes)


def test_the_zoo_scales_its_logits_as_a_network_that_does_not_say() -> None:
    for spec in NETWORKS.values():
        if isinstance(spec, NetworkSpec | ConvSpec):
            assert dataclasses.replace(spec, logit_scale=0.0) == spec
