"""Bundles for the tests of this folder: those that were built, and copies to spoil."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from spinflow.hls.paths import REPO
from spinflow.model.zoo import TESTED
from tests.board.played import PlayedBoard, make

BOARDS = REPO / "hw" / "boards"

_LEFT_OUT = shutil.ignore_patterns(
    "obj_*", "*.so", "*.onnx", "*.data", "vivado", "board", ".*", "synth"
)


def copy_bundle(network: str, folder: Path) -> Path:
    """Copy a bundle, without what the board does not need; its accel.json is free to be spoilt."""
    target = folder / network
    shutil.copytree(REPO / "build" / network, target, ignore=_LEFT_OUT)
    return target


@pytest.fixture(params=TESTED)
def every_bundle(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A copy of each bundle in turn."""
    return copy_bundle(request.param, tmp_path)


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    """A copy of the smallest bundle."""
    return copy_bundle("tfc-mnist", tmp_path)


def change(bundle: Path, **values: Any) -> None:
    """Change entries of a bundle's accel.json."""
    path = bundle / "accel.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | values))


@pytest.fixture
def board(tmp_path: Path) -> PlayedBoard:
    return PlayedBoard(tmp_path)


@pytest.fixture(scope="session")
def made_once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bundle with a bitstream."""
    bundle = copy_bundle("tfc-mnist", tmp_path_factory.mktemp("made"))
    assert make(bundle).returncode == 0
    return bundle


@pytest.fixture
def made(made_once: Path, tmp_path: Path) -> Path:
    """A copy of it, free to be spoilt."""
    return Path(shutil.copytree(made_once, tmp_path / made_once.name))
