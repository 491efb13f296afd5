"""The quick network's bundle and the virtual board, as the host sees them."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from spinflow.host.board.driver import Accelerator
from spinflow.host.core.bundle import Bundle, load

BUNDLE = Path(__file__).parents[2] / "build" / "tfc-mnist"


@pytest.fixture(scope="session")
def bundle() -> Bundle:
    return load(BUNDLE)


@pytest.fixture(scope="session")
def golden() -> tuple[npt.NDArray[np.uint8], npt.NDArray[Any]]:
    """Images and their labels, from FINN's execution."""
    with np.load(BUNDLE / "golden.npz") as arrays:
        return arrays["images"], arrays["labels"]


@pytest.fixture
def accelerator(bundle: Bundle) -> Iterator[Accelerator]:
    with Accelerator(bundle) as accelerator:
        yield accelerator


@pytest.fixture
def changed_bundle(tmp_path: Path) -> Callable[..., Path]:
    """Make a copy of the bundle whose accel.json a function has changed."""

    def copy(change: Callable[[dict[str, Any]], Any] = lambda described: None) -> Path:
        folder = tmp_path / "bundle"
        shutil.copytree(BUNDLE, folder, ignore=shutil.ignore_patterns("obj_*", "rtl", "*.onnx*"))
        described = json.loads((folder / "accel.json").read_text())
        change(described)
        (folder / "accel.json").write_text(json.dumps(described))
        return folder

    return copy
