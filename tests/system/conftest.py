"""The bundles under test, their images and how much of them to use."""

import os
import shutil
import subprocess
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from spinflow.model import data
from spinflow.model.zoo import TESTED
from spinflow.model.zoo import network as spec_of

ROOT = Path(__file__).resolve().parents[2]
CONVOLUTIONAL = tuple(name for name in TESTED if len(spec_of(name).shape) > 1)
# `make test` takes the sizes that fit its 20 minutes; `make acceptance` the ones it promises.
FULL = os.environ.get("SPINFLOW_FULL") == "1"


@pytest.fixture(params=TESTED)
def network(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def bundle(network: str) -> Path:
    folder = ROOT / "build" / network
    assert (folder / "accel.json").exists(), f"no bundle {network}: run make test, which builds it"
    return folder


@pytest.fixture
def test_set(network: str) -> tuple[np.ndarray, np.ndarray]:
    """The 10,000 test images (n, pixels) and their labels, uint8, of the network's data set."""
    return _test_set(spec_of(network).dataset)


@cache
def _test_set(name: str) -> tuple[np.ndarray, np.ndarray]:
    found = data.dataset(name)
    return found.test_images.reshape(len(found.test_images), -1), found.test_labels


def copy_sources(folder: Path) -> None:
    """Copy the sources into a folder, without trained networks but with the registers' files."""
    listed = subprocess.run(
        ["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout
    for name in filter(None, listed.split("\0")):
        if (ROOT / name).is_file() and not name.endswith((".safetensors", ".svg")):
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, folder / name)
    shutil.copytree(ROOT / "build" / "regs", folder / "build" / "regs")
