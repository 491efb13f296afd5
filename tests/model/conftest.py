"""What these tests share: MNIST itself, and networks small enough to train in a test."""

from __future__ import annotations

import dataclasses
import urllib.error
from collections.abc import Iterator
from typing import Any

import pytest

from spinflow.model import data, zoo
from spinflow.model.data import Dataset
from spinflow.model.data.sources import Published
from spinflow.model.networks.graph import (
    Block,
    ConvSpec,
    FixedPointSpec,
    NetworkSpec,
    Spec,
    XnorSpec,
)
from spinflow.model.training.recipe import Recipe

TINY = NetworkSpec("tiny", (784, 24, 16, 10), 64, 2.0**-2)

TINY_CONV = ConvSpec("tiny-conv", (28, 28, 1), 5, (4, 8), (0, 1), (24, 10), 2.0**-2, "mnist")
TINY_FIXED_POINT = FixedPointSpec(
    "tiny-fxp", (28, 28, 1), 5, (4, 8), (0, 1), (24, 10), 2.0**-2, "mnist", bits=8
)
TINY_XNOR = XnorSpec(
    "tiny-xnor",
    (28, 28, 1),
    (
        Block("conv", 4, 5, stride=2, binary=False),
        Block("conv", 8, 3),
        Block("pool", kernel=2, stride=2),
        Block("linear", 10, binary=False),
    ),
    "mnist",
)
# No side, channel or map like another one; its first matrix takes a map of more than one place.
COLOUR = ConvSpec("colour", (14, 11, 3), 3, (5, 6, 7), (1,), (16, 10), 2.0**-2, "cifar10")


def shortest(recipe: Recipe, **changes: Any) -> Recipe:
    """Return a recipe of one epoch for each of its stages, of one part, with other changes."""
    stages = min(recipe.float_epochs, 1)
    short = {"epochs": stages + 1, "float_epochs": stages, "hold": 0, "parts": 1}
    return dataclasses.replace(recipe, **{**short, **changes})


@pytest.fixture(scope="session")
def mnist() -> Dataset:
    return data.mnist()


@pytest.fixture
def tiny(monkeypatch: pytest.MonkeyPatch) -> Iterator[NetworkSpec]:
    """Make the tiny networks known by name while a test runs; gives the fully connected one."""
    for spec in (TINY, TINY_CONV, TINY_FIXED_POINT, TINY_XNOR):
        monkeypatch.setitem(zoo.NETWORKS, spec.name, spec)
    yield TINY


@pytest.fixture(params=[TINY, TINY_CONV], ids=lambda spec: spec.name)
def tiny_spec(tiny: NetworkSpec, request: pytest.FixtureRequest) -> Spec:
    """Either tiny network."""
    spec: Spec = request.param
    return spec


@pytest.fixture(scope="session")
def small(mnist: Dataset) -> Dataset:
    """A slice of MNIST: 1,280 training images, 200 test images."""
    return Dataset(
        mnist.train_images[:1280],
        mnist.train_labels[:1280],
        mnist.test_images[:200],
        mnist.test_labels[:200],
    )


def published(name: str) -> Published:
    """Return a data set that can be fetched."""
    found = data.DATASETS[name]
    assert isinstance(found, Published)
    return found


def change_source(monkeypatch: pytest.MonkeyPatch, name: str, **fields: Any) -> None:
    """Give a data set other fields while a test runs."""
    monkeypatch.setitem(data.DATASETS, name, dataclasses.replace(published(name), **fields))


def no_network(url: str, timeout: float) -> Any:
    """Stand for a network that answers nothing."""
    raise urllib.error.URLError("no route to secret.example")
