"""The bundle of the quick network, built before the tests."""

from pathlib import Path

import numpy as np
import pytest

BUNDLE = Path(__file__).resolve().parents[2] / "build" / "tfc-mnist"


@pytest.fixture(scope="session")
def bundle_folder() -> Path:
    """build/tfc-mnist with its simulator."""
    assert (BUNDLE / "libaccel.so").exists(), "no simulator: run make check, which builds it"
    return BUNDLE


@pytest.fixture(scope="session")
def golden(bundle_folder: Path) -> dict[str, np.ndarray]:
    """Images, labels and layer boundaries as FINN executes them."""
    with np.load(bundle_folder / "golden.npz") as arrays:
        return {name: arrays[name] for name in arrays.files}
