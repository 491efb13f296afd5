"""The bundles under test, their images and how much of them to use."""

import os
from pathlib import Path

import numpy as np
import pytest

from model import data

ROOT = Path(__file__).resolve().parents[2]
NETWORKS = ("tfc-mnist", "mlp-mnist")
# `make test` takes the sizes that fit its 20 minutes; `make acceptance` the ones it promises.
FULL = os.environ.get("SPINFLOW_FULL") == "1"


@pytest.fixture(params=NETWORKS)
def network(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def bundle(network: str) -> Path:
    folder = ROOT / "build" / network
    assert (folder / "accel.json").exists(), f"no bundle {network}: run make test, which builds it"
    return folder


@pytest.fixture(scope="session")
def test_set() -> tuple[np.ndarray, np.ndarray]:
    """The 10,000 test images (n, 784) and their labels, uint8."""
    mnist = data.mnist()
    return mnist.test_images.reshape(len(mnist.test_images), -1), mnist.test_labels
