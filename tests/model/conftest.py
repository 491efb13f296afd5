"""What these tests share: MNIST itself, and a network small enough to train in a test."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from model import data, networks
from model.data import Dataset
from model.networks import NetworkSpec

TINY = NetworkSpec("tiny", (784, 24, 16, 10), 64, 2.0**-2)


@pytest.fixture(scope="session")
def mnist() -> Dataset:
    return data.mnist()


@pytest.fixture
def tiny(monkeypatch: pytest.MonkeyPatch) -> Iterator[NetworkSpec]:
    """Make the tiny network known by name while a test runs."""
    monkeypatch.setitem(networks.NETWORKS, TINY.name, TINY)
    yield TINY


@pytest.fixture(scope="session")
def small(mnist: Dataset) -> Dataset:
    """A slice of MNIST: 1,280 training images, 200 test images."""
    return Dataset(
        mnist.train_images[:1280],
        mnist.train_labels[:1280],
        mnist.test_images[:200],
        mnist.test_labels[:200],
    )
