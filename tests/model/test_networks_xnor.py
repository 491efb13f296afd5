"""Networks with layers of floats: shapes, what is binary, errors, files."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.nn import functional

from spinflow.model import evaluate, store, zoo
from spinflow.model.data import Dataset
from spinflow.model.networks.base import predict, to_input
from spinflow.model.networks.build import build, untrained
from spinflow.model.networks.graph import Block, XnorSpec
from spinflow.model.networks.xnor import XnorNetwork
from spinflow.model.recipe import Recipe
from spinflow.model.train import Trainer, tqdm
from spinflow.model.write_errors import map_names, weight_names
from spinflow.model.zoo import network
from tests.model.test_networks import random_images

TINY = XnorSpec(
    "tiny-xnor",
    (13, 11, 3),
    (
        Block("conv", 6, 3, stride=2, padding=1, binary=False),
        Block("pool", kernel=3, stride=2, padding=1),
        Block("conv", 8, 3, padding=1),
        Block("average", kernel=2, stride=2),
        Block("linear", 12),
        Block("linear", 5, binary=False),
    ),
    "cifar10",
)
NIN = [
    "conv0 32 32 192", "conv1 32 32 160", "conv2 32 32 96", "pool2 16 16 96", "conv3 16 16 192",
    "conv4 16 16 192", "conv5 16 16 192", "pool5 8 8 192", "conv6 8 8 192", "conv7 8 8 192",
]  # fmt: skip
SHAPES = {
    "lenet4-mnist": [
        "conv0 24 24 20", "pool0 12 12 20", "conv1 8 8 50", "pool1 4 4 50", "fc0 1 1 500",
        "fc1 1 1 10",
    ],
    "nin-cifar10": [*NIN, "conv8 8 8 10", "pool8 1 1 10"],
    "nin-cifar100": [*NIN, "conv8 8 8 100", "pool8 1 1 100"],
    "nin-svhn": [*NIN, "conv8 8 8 10", "pool8 1 1 10"],
    "alexnet-imagenet": [
        "conv0 55 55 96", "pool0 27 27 96", "conv1 27 27 256", "pool1 13 13 256",
        "conv2 13 13 384", "conv3 13 13 384", "conv4 13 13 256", "pool4 6 6 256", "fc0 1 1 4096",
        "fc1 1 1 4096", "fc2 1 1 1000",
    ],
}  # fmt: skip
MAPS = {
    "lenet4-mnist": ["pool0", "pool1"],
    "nin-cifar10": ["conv0", "conv1", "pool2", "conv3", "conv4", "pool5", "conv6"],
    "alexnet-imagenet": ["pool0", "pool1", "conv2", "conv3", "pool4", "fc0"],
}


@pytest.fixture(scope="module")
def tiny() -> XnorNetwork:
    model = untrained(TINY, 3)
    assert isinstance(model, XnorNetwork)
    return model


@pytest.mark.parametrize("name", SHAPES)
def test_shapes(name: str) -> None:
    spec = network(name)
    shapes = [" ".join(map(str, [layer.name, *layer.result])) for layer in spec.layers]
    assert shapes == SHAPES[name]
    names = [layer.name for layer in spec.weighted]
    assert weight_names(spec) == names[1:-1]
    if name in MAPS:
        assert map_names(spec) == MAPS[name]


@pytest.mark.parametrize("name", ["lenet4-mnist", "nin-cifar100"])
def test_outputs_are_one_a_class(name: str) -> None:
    spec = network(name)
    model = build(spec).eval()
    logits = model(to_input(spec, random_images(spec, 2)))
    assert logits.shape == (2, spec.layers[-1].result[2])


def test_classes_are_a_parameter() -> None:
    spec = network("alexnet-imagenet")
    assert isinstance(spec, XnorSpec)
    assert spec.with_classes(2).layers[-1].result == (1, 1, 2)
    assert spec.with_classes(2).layers[:-1] == spec.layers[:-1]
    nin = network("nin-cifar10")
    assert isinstance(nin, XnorSpec) and nin.with_classes(7).layers[-1].result == (1, 1, 7)
    with pytest.raises(ValueError, match="alexnet-imagenet: 1 classes, valid: 2 or more"):
        spec.with_classes(1)


def test_layers_one_by_one(tiny: XnorNetwork) -> None:
    """The forward pass again, written out, with weights and bits of +1 and -1 alone."""
    pixels = to_input(TINY, random_images(TINY, 9))
    with torch.no_grad():
        first, second, third, last = tiny.matrices()
        norms = tiny.batch_norms()
        x = functional.conv2d(pixels / 128 - 1, first.weight, stride=2, padding=1)
        x = functional.max_pool2d(torch.relu(norms[0](x)), 3, 2, 1)
        framed = torch.full((9, 6, 6, 5), -1.0)
        framed[:, :, 1:-1, 1:-1] = torch.where(norms[1](x) >= 0, 1.0, -1.0)
        x = functional.conv2d(framed, torch.where(second.weight >= 0, 1.0, -1.0))
        x = norms[2](functional.avg_pool2d(x, 2).flatten(1))
        x = torch.where(x >= 0, 1.0, -1.0) @ torch.where(third.weight >= 0, 1.0, -1.0).T
        expected = torch.relu(norms[3](x)) @ last.weight.T + last.bias
        torch.testing.assert_close(tiny(pixels), expected)
    assert [matrix.bias is None for matrix in tiny.matrices()] == [True, True, True, False]


def test_a_step_of_training() -> None:
    spec = dataclasses.replace(TINY, name="lenet4-mnist")
    images = random_images(spec, 40)
    data = Dataset(images, np.arange(40, dtype=np.uint8) % 5, images, np.zeros(40, np.uint8))
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(zoo.NETWORKS, spec.name, spec)
        recipe = Recipe(
            spec.name, batch=32, validation=8, epochs=1, crop=1, flip=True, activation_errors="0.1"
        )
        trainer = Trainer(recipe, data)
        before = [matrix.weight.detach().clone() for matrix in trainer.model.matrices()]
        with tqdm(disable=True) as bar:
            trainer.run_epoch(bar)
    for old, matrix in zip(before, trainer.model.matrices(), strict=True):
        assert matrix.weight.isfinite().all() and not torch.equal(matrix.weight, old)


def test_constrain_leaves_floats_alone(tiny: XnorNetwork) -> None:
    model = build(TINY)
    with torch.no_grad():
        for matrix in model.matrices():
            matrix.weight.fill_(3.0)
    model.constrain()
    assert [float(matrix.weight.max()) for matrix in model.matrices()] == [3.0, 1.0, 1.0, 3.0]


def test_round_trip(tiny: XnorNetwork, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(zoo.NETWORKS, TINY.name, TINY)
    images = random_images(TINY, 60)
    store.save_trained(tiny, images, np.zeros(60, np.uint8), {}, tmp_path)
    back = store.load_trained(TINY.name, tmp_path)
    assert store.pack(back) == store.pack(tiny)
    np.testing.assert_array_equal(predict(back, images), predict(tiny, images))


def test_measured_again_by_name_and_label(
    tiny: XnorNetwork,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setitem(zoo.NETWORKS, TINY.name, TINY)
    images = random_images(TINY, 60)
    labels = predict(tiny, images).astype(np.uint8)
    labels[:15] += 1
    data = Dataset(images, labels, images, labels)
    monkeypatch.setattr(evaluate, "dataset", lambda *_: data)
    store.save_trained(tiny, images, labels, {}, tmp_path, label="flips")
    evaluate.main(["tiny-xnor+flips", "--folder", str(tmp_path)])
    assert capsys.readouterr().out.startswith("tiny-xnor+flips: 45 of 60 test images right")
    with pytest.raises(SystemExit, match=r"^unknown network 'tiny'; known: "):
        evaluate.main(["tiny+flips", "--folder", str(tmp_path)])
