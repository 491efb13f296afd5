"""One small bundle that the tests of this folder share."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest

from hls.build import build
from tests.hls.networks import perceptron


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
    folder = tmp_path_factory.mktemp("bundles") / "tiny"
    build(source, 16, folder)
    accel = json.loads((folder / "accel.json").read_text())
    return Bundle(
        source,
        folder,
        accel,
        dict(np.load(folder / "arrays.npz")),
        dict(np.load(folder / "golden.npz")),
    )
