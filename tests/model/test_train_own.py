"""Training on data of one's own: labels beyond a byte, what does not fit, what an export has."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest

from spinflow.host.core.own_tests import unpack
from spinflow.model import data, zoo
from spinflow.model.export import export
from spinflow.model.networks.graph import ConvSpec, NetworkSpec
from spinflow.model.training.feeds.memory import MemoryFeed
from spinflow.model.training.loop import train
from spinflow.model.training.recipe import Recipe

CLASSES = 300
RECIPE = Recipe(network="tiny-own", epochs=1, batch=100, validation=100, seed=1, device="cpu")


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """Vectors of 8 features whose first two say their class, 300 of them."""
    rng = np.random.default_rng(1)
    labels = rng.integers(0, CLASSES, 900)
    images = rng.integers(0, 256, (900, 8), np.uint8)
    images[:, 0], images[:, 1] = labels % 256, labels // 256 * 200
    np.savez(tmp_path / "Kinds.npz", images=images, labels=labels)
    return tmp_path / "Kinds.npz"


@pytest.fixture
def spec(source: Path, monkeypatch: pytest.MonkeyPatch) -> NetworkSpec:
    made = NetworkSpec("tiny-own", (8, 16, CLASSES), 128, 2.0**-2, str(source))
    monkeypatch.setitem(zoo.NETWORKS, made.name, made)
    return made


def test_a_network_is_trained_and_exported_with_its_tests(
    spec: NetworkSpec, tmp_path: Path
) -> None:
    found = data.dataset(spec.dataset)
    assert found.classes == CLASSES and found.train_labels.max() > 255
    _, facts = train(MemoryFeed(RECIPE, found), tmp_path / "out")
    told = json.loads(facts.read_text(encoding="utf-8"))
    assert told["test_images"] == len(found.test_labels) == 180
    made = export(spec.name, tmp_path / "build" / "model.onnx", tmp_path / "out")
    assert made["dataset"] == "kinds" and made["test_set"]["title"] == "Kinds"
    path = tmp_path / "build" / "test.npz"
    carried = unpack(path, path.read_bytes(), 8, CLASSES)
    np.testing.assert_array_equal(carried.images, found.test_images)
    np.testing.assert_array_equal(carried.labels, found.test_labels)
    assert "180 of 900 images, drawn with seed 1, are the test part" in carried.note


def test_data_that_do_not_fit_a_network(spec: NetworkSpec, monkeypatch: pytest.MonkeyPatch) -> None:
    found = data.dataset(spec.dataset)
    few = NetworkSpec("tiny-own", (8, 16, 10), 128, 2.0**-2, spec.dataset)
    wide = ConvSpec("tiny-own", (6, 6, 1), 3, (4,), (), (16, CLASSES), 2.0**-2, spec.dataset)
    from_one = dataclasses.replace(
        found, train_labels=found.train_labels % 10 + 1, test_labels=found.test_labels % 10 + 1
    )
    monkeypatch.setitem(zoo.NETWORKS, few.name, few)
    with pytest.raises(ValueError, match=r"has 10 classes, from 0: labels that begin with 1 need"):
        MemoryFeed(RECIPE, from_one)
    alone = dataclasses.replace(
        found, train_labels=found.train_labels * 0 + 7, test_labels=found.test_labels % 10
    )
    with pytest.raises(
        ValueError, match=r"^Kinds: all training images have the label 7: images of"
    ):
        MemoryFeed(RECIPE, alone)
    for wrong, line in (
        (few, r"^Kinds has the label 299; tiny-own has 10 classes, from 0$"),
        (wide, r"^tiny-own takes 6 x 6 pixels of 1 channels; an image of Kinds has 8 bytes \(8\)$"),
    ):
        monkeypatch.setitem(zoo.NETWORKS, wrong.name, wrong)
        with pytest.raises(ValueError, match=line):
            MemoryFeed(RECIPE, found)
