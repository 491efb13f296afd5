"""One small bundle that the tests of this folder share."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest

from spinflow.hls.build import build
from tests.hls.networks import padded_convolutions, perceptron


class Bundle(NamedTuple):
    """A bundle and the network it was built from."""

    source: Path
    folder: Path
    accel: dict[str, Any]
    arrays: dict[str, np.ndarray]
    golden: dict[str, np.ndarray]


@pytest.fixture(scope="session")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    """A folded network of every kind of boundary: widths that need converters, PE above 1."""
    source = perceptron(48, 24, 16, 5).save(tmp_path_factory.mktemp("networks") / "tiny")
    return make(source, 16, tmp_path_factory.mktemp("bundles") / "tiny")


@pytest.fixture(scope="session")
def convolutions(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    """A convolutional network with padding of pixels and bits, a max-pool and a 1 x 1 kernel."""
    source = padded_convolutions().save(tmp_path_factory.mktemp("networks") / "padded")
    return make(source, 700, tmp_path_factory.mktemp("bundles") / "padded")


def make(source: Path, cycles: int, folder: Path) -> Bundle:
    """Build a network and read what was built."""
    build(source, cycles, folder)
    accel = json.loads((folder / "accel.json").read_text())
    return Bundle(
        source,
        folder,
        accel,
        dict(np.load(folder / "arrays.npz")),
        dict(np.load(folder / "golden.npz")),
    )
